//! The client, on this process's own standard input and output.
//!
//! In: bytes of standard input; messages. Out: lines; the messages on standard output, each by one write. Must not keep more than a line
//! and a message: what waits longer, waits in the session.

use std::io::{self, Read as _, Write as _};
use std::thread;

use tokio::sync::{mpsc, oneshot};

use super::line::{Line, Lines};

/// How many bytes are read at a time.
const CHUNK: usize = 64 << 10;

/// Both directions. They block, so each has a thread.
pub(super) struct Client {
    pub(super) lines: mpsc::Receiver<Line>,
    pub(super) messages: mpsc::Sender<Vec<u8>>,
    /// Answered once everything is written that was sent before `messages` was dropped.
    pub(super) written: oneshot::Receiver<()>,
}

impl Client {
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(most: usize) -> io::Result<Self> {
        let (line, lines) = mpsc::channel(1);
        thread::Builder::new().name("client-in".to_owned()).spawn(move || read(most, &line))?;
        let (messages, message) = mpsc::channel(1);
        let (done, written) = oneshot::channel();
        thread::Builder::new().name("client-out".to_owned()).spawn(move || {
            write(message);
            let _ = done.send(());
        })?;
        Ok(Self { lines, messages, written })
    }
}

/// Whether the client has closed standard input, though not all of it was read.
#[cfg(unix)]
pub(super) fn is_gone() -> bool {
    use std::os::fd::AsFd as _;

    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    let stdin = io::stdin();
    let mut polled = [PollFd::new(stdin.as_fd(), PollFlags::empty())];
    let gone = PollFlags::POLLHUP | PollFlags::POLLERR;
    poll(&mut polled, PollTimeout::ZERO).is_ok()
        && polled.iter().filter_map(PollFd::revents).any(|found| found.intersects(gone))
}

/// Nothing tells, before all of it was read.
#[cfg(not(unix))]
pub(super) fn is_gone() -> bool {
    false
}

fn read(most: usize, to: &mpsc::Sender<Line>) {
    let mut lines = Lines::new(most);
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = match io::stdin().lock().read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        let mut rest = chunk.get(..read).unwrap_or_default();
        while let Some(line) = lines.next(&mut rest) {
            if to.blocking_send(line).is_err() {
                return;
            }
        }
    }
    if let Some(line) = lines.finish() {
        let _ = to.blocking_send(line);
    }
}

fn write(mut messages: mpsc::Receiver<Vec<u8>>) {
    let mut out = io::stdout().lock();
    while let Some(message) = messages.blocking_recv() {
        // The sender learns of it by the channel's end.
        if out.write_all(&message).and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}
