//! Lines for the user, on standard error.
//!
//! In: text. Out: lines. Must not wait for whoever reads them, and must not fail where nobody does: a client that reads none would stop the
//! session.

use std::io::{self, Write as _};
use std::sync::OnceLock;
use std::sync::mpsc::{self, SyncSender};
use std::thread;
use std::time::Duration;

use callgate::__text::is_invisible;

/// Lines that may wait. More are dropped: nobody reads them.
const WAITING: usize = 256;
/// How long the end waits for the last lines.
const LAST: Duration = Duration::from_millis(200);

enum Told {
    Line(String),
    Close(SyncSender<()>),
}

/// The thread that writes; `None` where the system gives none.
fn writer() -> Option<&'static SyncSender<Told>> {
    static WRITER: OnceLock<Option<SyncSender<Told>>> = OnceLock::new();
    let start = || {
        let (lines, told) = mpsc::sync_channel(WAITING);
        let write = move || {
            for told in told {
                match told {
                    Told::Line(line) => {
                        let _ = io::stderr().lock().write_all(line.as_bytes());
                    }
                    Told::Close(done) => {
                        let _ = done.send(());
                    }
                }
            }
        };
        thread::Builder::new().name("stderr".to_owned()).spawn(write).ok().map(|_| lines)
    };
    WRITER.get_or_init(start).as_ref()
}

/// Writes a line of the gateway's own.
pub(crate) fn line(text: &str) {
    from("callgate", text);
}

/// Writes a line of somebody's. What cannot be seen is left out: it may steer a terminal.
pub(crate) fn from(who: &str, text: &str) {
    let mut line = format!("{who}: {text}");
    line.retain(|character| character == '\t' || !is_invisible(character));
    line.push('\n');
    if let Some(writer) = writer() {
        let _ = writer.try_send(Told::Line(line));
    }
}

/// Waits a moment for what was said.
pub(crate) fn flush() {
    let (done, wait) = mpsc::sync_channel(1);
    if writer().is_some_and(|writer| writer.try_send(Told::Close(done)).is_ok()) {
        let _ = wait.recv_timeout(LAST);
    }
}
