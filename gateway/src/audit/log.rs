//! The handle of a log: what takes events from all parts of a gateway.
//!
//! In: events. Out: records in the log's file, in the order in which events came. Must not wait for the file, except where so many records
//! wait already that another would be lost.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use callgate::time::{Clock as _, SystemClock, Timestamp};

use super::file::LogFile;
use super::writer::{QUEUE, Writer};
use super::{Args, Event, Options, ShownArgs};

/// Records cannot be written now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("audit records cannot be written: {0}")]
pub struct Unavailable(pub(super) String);

/// The log's file cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("the audit file cannot be opened: {0}")]
pub struct OpenError(#[from] io::Error);

/// Takes events, and writes records of them on a thread of its own. A clone writes to the same file.
///
/// At most 1,024 records wait for the file: these are lost where the process is killed. None is lost where [`Log::close`] is called before it
/// ends.
#[derive(Clone)]
pub struct Log {
    /// `None` where nothing is recorded.
    open: Option<Arc<Open>>,
    args: Arc<ShownArgs>,
}

struct Open {
    sender: SyncSender<Message>,
    health: Arc<Health>,
    file: Box<Path>,
    required: bool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the writer is told.
pub(super) enum Message {
    Event(Box<(Timestamp, Event)>),
    /// Write everything, then answer.
    Flush(SyncSender<()>),
    /// Write everything, then end.
    Close,
}

/// How the writer fares.
#[derive(Default)]
pub(super) struct Health {
    /// Why records cannot be written.
    failure: Mutex<Option<String>>,
    lost: AtomicU64,
}

/// Says that nothing is written any more, if the writer panics.
struct Dead(Arc<Health>);

impl Drop for Dead {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.set(Some("the thread that writes them has failed".to_owned()));
        }
    }
}

impl Health {
    pub(super) fn set(&self, failure: Option<String>) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }

    pub(super) fn lose(&self, records: u64) {
        self.lost.fetch_add(records, Ordering::Relaxed);
    }

    fn failure(&self) -> Result<(), Unavailable> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.clone().map_or(Ok(()), |why| Err(Unavailable(why)))
    }
}

impl Log {
    /// Opens the log's file, and begins to write. Where another process holds the file, `NAME.2.jsonl` and so on is taken.
    ///
    /// Where records are not required, a file that cannot be opened is said on standard error, and tried again later.
    ///
    /// # Errors
    /// The file cannot be opened, and records are required; or no thread can be started.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        let health = Arc::new(Health::default());
        let mut file = LogFile::new(&options);
        let opened = file.open();
        if options.required {
            opened?;
        } else if let Err(error) = opened {
            super::writer::say_failure(file.path(), &error);
            health.set(Some(error.to_string()));
        }
        let path = file.path().into();
        let (sender, receiver) = sync_channel(QUEUE);
        let mut writer = Writer::new(file, options.server, health.clone());
        let dead = Dead(health.clone());
        let thread = thread::Builder::new().name("audit".to_owned()).spawn(move || {
            let _dead = dead;
            writer.run(&receiver);
        })?;
        let open =
            Open { sender, health, file: path, required: options.required, thread: Mutex::new(Some(thread)) };
        Ok(Self { open: Some(Arc::new(open)), args: Arc::new(options.args) })
    }

    /// A log that records nothing.
    pub fn off() -> Self {
        Self { open: None, args: Arc::new(ShownArgs::None) }
    }

    /// The file that is written to: another one than was asked for where another process held that.
    pub fn file(&self) -> Option<&Path> {
        self.open.as_ref().map(|open| &*open.file)
    }

    /// Records an event. Blocks the thread only while 1,024 records wait for the file.
    ///
    /// While the file cannot be written, up to 1,024 records are kept for when it can be. Those after them are lost, and counted.
    pub fn record(&self, event: Event) {
        let Some(open) = &self.open else { return };
        let message = Message::Event(Box::new((SystemClock.now(), event.bounded())));
        if open.sender.send(message).is_err() {
            // The log was closed.
            open.health.lose(1);
        }
    }

    /// Whether calls may run as far as records go: where they are required, only while they can be written.
    ///
    /// # Errors
    /// Records are required, and the last one could not be written. It is kept, and tried again.
    pub fn ready(&self) -> Result<(), Unavailable> {
        match &self.open {
            Some(open) if open.required => open.health.failure(),
            _ => Ok(()),
        }
    }

    /// What a record shows of arguments, by their text in the message; `None` for absent ones.
    pub fn args(&self, text: Option<&str>) -> Args {
        self.args.of(text)
    }

    /// How many records were lost because the file could not be written.
    pub fn lost(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| open.health.lost.load(Ordering::Relaxed))
    }

    /// Waits until everything that was recorded before is written.
    ///
    /// # Errors
    /// It cannot be written now.
    pub fn flush(&self) -> Result<(), Unavailable> {
        let Some(open) = &self.open else { return Ok(()) };
        let (done, wait) = sync_channel(1);
        if open.sender.send(Message::Flush(done)).is_ok() {
            let _ = wait.recv();
        }
        open.health.failure()
    }

    /// Writes what was recorded, and ends the log, for all clones. What is recorded later is lost.
    ///
    /// # Errors
    /// Something could not be written, and is lost.
    pub fn close(&self) -> Result<(), Unavailable> {
        let Some(open) = &self.open else { return Ok(()) };
        let thread = open.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = open.sender.send(Message::Close);
            let _ = thread.join();
        }
        open.health.failure()
    }
}

impl Drop for Open {
    /// A log that nobody closed is written all the same.
    fn drop(&mut self) {
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = self.sender.send(Message::Close);
            let _ = thread.join();
        }
    }
}
