//! The server: a child with a process group of its own.
//!
//! In: its command. Out: its lines, its standard input, its exit. Must not leave a process of the group behind.

use std::ffi::OsString;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use process_wrap::tokio::{ChildWrapper, CommandWrap, KillOnDrop};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::timeout;

use super::Stderr;
use super::line::{Line, Lines};
use crate::say;

/// How many bytes are read at a time.
const CHUNK: usize = 64 << 10;
/// The most bytes of a line of its standard error.
const LONGEST_SAID: usize = 64 << 10;

/// How long the end of its standard error may take, once it is gone.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// A server that was started.
pub(crate) struct Server {
    /// Its whole group; the process that was started is inside.
    pub(crate) child: Box<dyn ChildWrapper>,
    pub(crate) lines: mpsc::Receiver<Line>,
    /// Dropped to close its standard input, once what was sent is written.
    pub(crate) messages: Option<mpsc::Sender<Vec<u8>>>,
    /// How it ended.
    pub(crate) status: Option<ExitStatus>,
    has_gone: bool,
    /// Reads its standard error, where that is a pipe.
    said: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts it. Lines have at most `most` bytes. `hear` gets its standard error, where that is a pipe.
    ///
    /// # Errors
    /// The command cannot be started.
    pub(crate) fn start(
        mut command: Command,
        most: usize,
        hear: impl FnOnce(ChildStderr) -> JoinHandle<()>,
    ) -> io::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut command = CommandWrap::from(command);
        command.wrap(KillOnDrop);
        #[cfg(unix)]
        command.wrap(process_wrap::tokio::ProcessGroup::leader());
        #[cfg(windows)]
        command.wrap(process_wrap::tokio::JobObject);
        let mut child = command.spawn()?;
        let missing = || io::Error::other("a pipe to the server is missing");
        let stdin = child.stdin().take().ok_or_else(missing)?;
        let stdout = child.stdout().take().ok_or_else(missing)?;
        let said = child.stderr().take().map(hear);
        let (line, lines) = mpsc::channel(1);
        tokio::spawn(read(stdout, most, line));
        let (messages, message) = mpsc::channel(1);
        tokio::spawn(write(stdin, message));
        Ok(Self { child, lines, messages: Some(messages), status: None, has_gone: false, said })
    }

    /// Waits a moment until its last words are read.
    pub(crate) async fn last_words(&mut self) {
        if let Some(said) = self.said.take() {
            let _ = timeout(LAST_WORDS, said).await;
        }
    }

    /// Asks the whole group to end.
    pub(crate) fn terminate(&mut self) {
        #[cfg(unix)]
        if !self.is_gone() {
            let _ = self.child.signal(15);
        }
        #[cfg(not(unix))]
        self.kill();
    }

    /// Ends the whole group.
    pub(crate) fn kill(&mut self) {
        if !self.is_gone() {
            let _ = self.child.start_kill();
        }
    }

    /// Whether no process of the group is left. Once that is so, its number may be another's.
    #[cfg(unix)]
    pub(crate) fn is_gone(&mut self) -> bool {
        use nix::errno::Errno;
        use nix::sys::signal::killpg;
        use nix::unistd::Pid;
        use process_wrap::tokio::ProcessGroupChild;

        if !self.has_gone {
            let child: &dyn std::any::Any = &*self.child;
            let group = child.downcast_ref::<ProcessGroupChild>().map(ProcessGroupChild::pgid);
            let group = group.and_then(|group| i32::try_from(group).ok());
            self.has_gone = group.is_none_or(|group| killpg(Pid::from_raw(group), None) == Err(Errno::ESRCH));
        }
        self.has_gone
    }

    /// Whether the server is gone. The system ends the job's other processes with it.
    #[cfg(not(unix))]
    pub(crate) fn is_gone(&mut self) -> bool {
        self.has_gone = self.status.is_some();
        self.has_gone
    }
}

/// The process of these words: a program and its arguments.
///
/// # Errors
/// There is none.
pub(crate) fn command(words: &[OsString]) -> io::Result<Command> {
    let (program, args) =
        words.split_first().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no command"))?;
    let mut command = Command::new(program);
    command.args(args);
    Ok(command)
}

/// Starts the server of a session.
///
/// # Errors
/// The command cannot be started.
pub(super) fn start(words: &[OsString], stderr: Stderr, most: usize, name: &str) -> io::Result<Server> {
    let mut command = command(words)?;
    command.stderr(match stderr {
        Stderr::Inherit => Stdio::inherit(),
        Stderr::Null => Stdio::null(),
        Stderr::Log => Stdio::piped(),
    });
    Server::start(command, most, |stderr| tokio::spawn(log(stderr, name.to_owned())))
}

async fn read(mut stdout: ChildStdout, most: usize, to: mpsc::Sender<Line>) {
    let mut lines = Lines::new(most);
    let mut chunk = vec![0; CHUNK];
    while let Ok(read @ 1..) = stdout.read(&mut chunk).await {
        let mut rest = chunk.get(..read).unwrap_or_default();
        let mut has_line = false;
        while let Some(line) = lines.next(&mut rest) {
            has_line = true;
            if to.send(line).await.is_err() {
                return;
            }
        }
        // Blank lines without end must not hold up others, timers among them.
        if !has_line {
            yield_now().await;
        }
    }
    if let Some(line) = lines.finish() {
        let _ = to.send(line).await;
    }
}

async fn write(mut stdin: ChildStdin, mut messages: mpsc::Receiver<Vec<u8>>) {
    while let Some(message) = messages.recv().await {
        // A server that does not read ends, or is ended.
        if stdin.write_all(&message).await.is_err() {
            return;
        }
    }
}

/// Shows what the server writes on its standard error, by lines, with its name.
async fn log(mut stderr: ChildStderr, name: String) {
    let show = |line: &Line| {
        let (Line::Whole(text) | Line::TooLong { head: text, .. }) = line;
        say::from(&name, &String::from_utf8_lossy(text));
    };
    let mut lines = Lines::new(LONGEST_SAID);
    let mut chunk = vec![0; 4 << 10];
    while let Ok(read @ 1..) = stderr.read(&mut chunk).await {
        let mut rest = chunk.get(..read).unwrap_or_default();
        while let Some(line) = lines.next(&mut rest) {
            show(&line);
        }
    }
    if let Some(line) = lines.finish() {
        show(&line);
    }
}
