//! Watching a policy file.
//!
//! In: a path. Out: a call to the host whenever the file holds another text, with the policy or why it is none. Must not
//! put anything in force itself, and must not take a file that is being written for a policy: half of a policy has fewer
//! rules, and none at all allows everything.

use std::fs::{self, Metadata};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use callgate::{Engine, Policy};

use crate::policy_file::{LoadError, PolicyFile};

/// How often the file is looked at, unless the host says otherwise.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long a new text must stay the same before it counts. Writing a file takes less, even a large one.
const SETTLE: Duration = Duration::from_millis(100);
/// Age below which a file's time does not tell whether it changed again: FAT keeps two seconds, clocks of network disks
/// are a little off.
const RACY: Duration = Duration::from_secs(3);

/// How a file is watched.
#[derive(Debug, Clone)]
pub struct WatchOptions {
    interval: Duration,
    known: Option<Policy>,
}

impl Default for WatchOptions {
    fn default() -> Self {
        Self { interval: INTERVAL, known: None }
    }
}

impl WatchOptions {
    /// Once a second.
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks at the file this often. What changed is reported after up to twice this, or 100 ms if that is more.
    #[must_use]
    pub fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// The policy that the host has in force. If the file holds another one when the watcher starts, that is a change;
    /// without this, what the file holds then counts as known.
    #[must_use]
    pub fn with_known(mut self, policy: Policy) -> Self {
        self.known = Some(policy);
        self
    }
}

/// Watches a policy file on a thread of its own until it is dropped.
///
/// The file may vanish and come back, be written in place or be replaced by another (as editors do, and mounted
/// configuration). A file that is missing or blank changes nothing, as one that does not compile: the old policy stays in
/// force. To replace a policy without any doubt, write a new file beside it and rename it.
#[derive(Debug)]
#[must_use = "the watcher stops when it is dropped"]
pub struct PolicyWatcher {
    /// Dropped to stop the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl PolicyWatcher {
    /// Starts to watch. `on_change` is called on the watcher's thread, once for each new text: with its policy, or with
    /// the error if it is none. If it panics, watching goes on.
    ///
    /// # Errors
    /// The system's, where it gives no thread.
    pub fn start(
        path: impl AsRef<Path>,
        options: WatchOptions,
        on_change: impl FnMut(Result<Policy, LoadError>) + Send + 'static,
    ) -> io::Result<Self> {
        let mut watched = Watched::new(path.as_ref().to_owned(), options.known);
        if watched.known.is_none() {
            watched.take_as_known();
        }
        let (stop, stopped) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("callgate-watch".to_owned())
            .spawn(move || watch(watched, options.interval, &stopped, on_change))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for PolicyWatcher {
    fn drop(&mut self) {
        // The thread waits on the other end, so this wakes it at once.
        self.stop = None;
        if let Some(thread) = self.thread.take()
            // Dropped by its own callback, it would wait for itself.
            && thread.thread().id() != thread::current().id()
        {
            // The thread catches what its callback panics with; there is nothing else to report.
            let _ = thread.join();
        }
    }
}

/// Puts every new policy of the file in force in `engine`, beginning with the present one if it is another than the
/// engine's. `on_error` hears of those that do not load; the policy in force then stays.
///
/// # Errors
/// The system's, where it gives no thread.
pub fn watch_engine(
    engine: Arc<Engine>,
    path: impl AsRef<Path>,
    mut on_error: impl FnMut(LoadError) + Send + 'static,
) -> io::Result<PolicyWatcher> {
    let options = WatchOptions::new().with_known(engine.policy());
    PolicyWatcher::start(path, options, move |change| match change {
        Ok(policy) => engine.replace(policy),
        Err(error) => on_error(error),
    })
}

fn watch(
    mut watched: Watched,
    interval: Duration,
    stopped: &Receiver<()>,
    mut on_change: impl FnMut(Result<Policy, LoadError>),
) {
    loop {
        if let Some(change) = watched.look(SystemTime::now()) {
            // A host's callback that panics must not end the watching in silence.
            let _ = catch_unwind(AssertUnwindSafe(|| on_change(change)));
        }
        let pause = if watched.candidate.is_some() { interval.min(SETTLE) } else { interval };
        if stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

/// What is known of the file.
struct Watched {
    path: PathBuf,
    /// What the host has in force before the first look.
    known: Option<Policy>,
    /// What was reported last, or taken as known.
    reported: Option<Seen>,
    /// Seen once, and to be seen again before it is reported.
    candidate: Option<Seen>,
    /// As the file was when it was last read.
    stamp: Option<Stamp>,
}

/// What a look at the file found. The whole text: a digest would save little beside the compiled policy.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Text(String),
    Unreadable(io::ErrorKind),
}

impl Watched {
    fn new(path: PathBuf, known: Option<Policy>) -> Self {
        Self { path, known, reported: None, candidate: None, stamp: None }
    }

    /// Takes what the file holds for known.
    fn take_as_known(&mut self) {
        self.reported = self.read().map(|read| seen(&read));
    }

    /// Looks at the file: what is to be reported, if anything is.
    fn look(&mut self, now: SystemTime) -> Option<Result<Policy, LoadError>> {
        let stamp = fs::metadata(&self.path).ok().map(|metadata| Stamp::of(&metadata));
        if self.candidate.is_none() && stamp.is_some() && stamp == self.stamp {
            return None;
        }
        // Only what is old enough tells by its stamp that it has not changed.
        self.stamp = stamp.filter(|stamp| stamp.is_settled(now));
        let read = self.read();
        let Some(read) = read else {
            self.candidate = None;
            return None;
        };
        let seen = seen(&read);
        if self.reported.as_ref() == Some(&seen) {
            self.candidate = None;
            return None;
        }
        if self.candidate.as_ref() != Some(&seen) {
            self.candidate = Some(seen);
            return None;
        }
        self.candidate = None;
        self.reported = Some(seen);
        let change = read.and_then(|file| Ok(file.compile()?));
        match (self.known.take(), change) {
            (Some(known), Ok(policy)) if known.digest() == policy.digest() => None,
            (_, change) => Some(change),
        }
    }

    /// The file; `None` if it is missing or blank, which it is for a moment while it is replaced or written in place.
    fn read(&self) -> Option<Result<PolicyFile, LoadError>> {
        match PolicyFile::read(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Ok(file) if file.text().trim().is_empty() => None,
            read => Some(read.map_err(LoadError::from)),
        }
    }
}

fn seen(read: &Result<PolicyFile, LoadError>) -> Seen {
    match read {
        Ok(file) => Seen::Text(file.text().to_owned()),
        Err(LoadError::Read(error)) => Seen::Unreadable(error.kind()),
        // INVARIANT: never met, reading does not compile.
        Err(_) => Seen::Unreadable(io::ErrorKind::Other),
    }
}

/// What changes with the file, without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    len: u64,
    modified: Option<SystemTime>,
    /// Device, inode and time of the last change of either: tells a replaced file from the old one.
    node: (u64, u64, i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let node = {
            use std::os::unix::fs::MetadataExt as _;
            (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
        };
        #[cfg(not(unix))]
        let node = (0, 0, 0, 0);
        Self { len: metadata.len(), modified: metadata.modified().ok(), node }
    }

    fn is_settled(&self, now: SystemTime) -> bool {
        let age = self.modified.and_then(|modified| now.duration_since(modified).ok());
        age.is_some_and(|age| age > RACY)
    }
}
