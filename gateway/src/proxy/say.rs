//! Lines for the user, on standard error.
//!
//! In: text. Out: lines. Must not wait for whoever reads them: a client that does not would stop the session.

use std::io::{self, Write as _};
use std::sync::mpsc::{self, SyncSender};
use std::thread;
use std::time::Duration;

/// Lines that may wait. More are dropped: nobody reads them.
const WAITING: usize = 256;
/// How long the end waits for the last lines.
const LAST: Duration = Duration::from_millis(200);

/// Writes lines on a thread of its own.
#[derive(Clone)]
pub(super) struct Say {
    lines: SyncSender<Told>,
}

enum Told {
    Line(String),
    Close(SyncSender<()>),
}

impl Say {
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start() -> io::Result<Self> {
        let (lines, told) = mpsc::sync_channel(WAITING);
        thread::Builder::new().name("stderr".to_owned()).spawn(move || {
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
        })?;
        Ok(Self { lines })
    }

    /// Writes a line of the gateway's own.
    pub(super) fn line(&self, text: &str) {
        self.from("callgate", text);
    }

    /// Writes a line of somebody's. Control characters, by which a terminal can be steered, are left out.
    pub(super) fn from(&self, who: &str, text: &str) {
        let mut line = format!("{who}: {text}");
        line.retain(|character| character == '\t' || !is_control(character));
        line.push('\n');
        let _ = self.lines.try_send(Told::Line(line));
    }

    /// Waits a moment for what was said.
    pub(super) fn close(&self) {
        let (done, wait) = mpsc::sync_channel(1);
        if self.lines.try_send(Told::Close(done)).is_ok() {
            let _ = wait.recv_timeout(LAST);
        }
    }
}

/// Whether it controls a terminal, or the direction of the text around it.
fn is_control(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
