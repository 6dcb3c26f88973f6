//! A server that is a process, and speaks over standard input and output.
//!
//! In: its command and environment. Out: its messages. Must not leave a process of its group behind.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use tokio::process::ChildStderr;
use tokio::time::{Instant, sleep};

use super::OfferError;
use super::ceilings::{BYTES, LAST_WORDS, MESSAGE_BYTES};
use crate::proxy::line::Line;
use crate::proxy::server::{Server, command};

/// How long a server may take to end once nothing more is asked, and again once it is told to.
const GRACE: Duration = Duration::from_millis(400);
/// How long the system may take to clear away what was killed.
const CLEARED: Duration = Duration::from_secs(1);
/// How often is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(5);

/// The end of what it says on its standard error.
type Said = Arc<Mutex<VecDeque<u8>>>;

/// A process that was started.
pub(super) struct Process {
    server: Server,
    said: Said,
}

impl Process {
    /// Starts it, with this environment alone.
    ///
    /// # Errors
    /// The command cannot be started.
    pub(super) fn start(words: &[OsString], environment: &[(OsString, OsString)]) -> io::Result<Self> {
        let mut command = command(words)?;
        command.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
        command.stderr(Stdio::piped());
        let said = Said::default();
        let heard = said.clone();
        let server = Server::start(command, MESSAGE_BYTES, |stderr| tokio::spawn(hear(stderr, heard)))?;
        Ok(Self { server, said })
    }

    /// Sends a message.
    pub(super) async fn send(&mut self, message: &Value) -> Result<(), OfferError> {
        let messages = self.server.messages.as_ref().ok_or(OfferError::Closed)?;
        let mut line = message.to_string().into_bytes();
        line.push(b'\n');
        messages.send(line).await.map_err(|_| OfferError::Closed)
    }

    /// The next message, or another line. `bytes` counts what it says.
    pub(super) async fn next(&mut self, bytes: &mut usize) -> Result<String, OfferError> {
        loop {
            let line = match self.server.lines.recv().await {
                Some(Line::Whole(line)) => line,
                Some(Line::TooLong { .. }) => return Err(OfferError::LongMessage),
                None => return Err(OfferError::Closed),
            };
            *bytes = bytes.saturating_add(line.len());
            if *bytes > BYTES {
                return Err(OfferError::Bytes);
            }
            // A line that is no text is no message.
            if let Ok(text) = String::from_utf8(line) {
                return Ok(text);
            }
        }
    }

    /// Ends the whole group, and gives its last words. One that is not waited for is killed at once.
    pub(super) async fn end(mut self, is_patient: bool) -> Vec<u8> {
        self.server.messages = None;
        // Nobody reads any more: a server that writes on must not wait for a reader.
        self.server.lines.close();
        if !is_patient || !self.is_gone_within(GRACE).await {
            if is_patient {
                self.server.terminate();
            }
            if !is_patient || !self.is_gone_within(GRACE).await {
                self.server.kill();
                self.is_gone_within(CLEARED).await;
            }
        }
        self.server.last_words().await;
        self.said.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    async fn is_gone_within(&mut self, time: Duration) -> bool {
        let begin = Instant::now();
        loop {
            // What has ended is there until somebody looks.
            if let Ok(Some(status)) = self.server.child.try_wait() {
                self.server.status = Some(status);
            }
            if self.server.is_gone() {
                return true;
            }
            if begin.elapsed() >= time {
                return false;
            }
            sleep(LOOK).await;
        }
    }
}

/// Reads standard error to its end, and keeps the last of it.
async fn hear(mut stderr: ChildStderr, said: Said) {
    let mut chunk = vec![0; 16 << 10];
    while let Ok(read @ 1..) = stderr.read(&mut chunk).await {
        let part = chunk.get(..read).unwrap_or_default();
        let part = part.get(part.len().saturating_sub(LAST_WORDS)..).unwrap_or(part);
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend(part);
        let more = said.len().saturating_sub(LAST_WORDS);
        said.drain(..more);
    }
}
