//! Watching a policy file.
//!
//! In: a path. Out: a callback for each new text, with the policy or the reason why it may not be put in force. Must not put
//! anything in force itself.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use callgate::{Engine, Policy};

use crate::policy_file::LoadError;
use crate::watched::{InForce, SETTLE, Watched};

/// How often the file is polled by default.
const INTERVAL: Duration = Duration::from_millis(250);

/// How a file is watched.
#[derive(Clone)]
pub struct WatchOptions {
    interval: Duration,
    in_force: InForce,
}

impl Default for WatchOptions {
    fn default() -> Self {
        Self { interval: INTERVAL, in_force: InForce::Given(None) }
    }
}

impl fmt::Debug for WatchOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchOptions").field("interval", &self.interval).finish_non_exhaustive()
    }
}

impl WatchOptions {
    /// Four times a second.
    pub fn new() -> Self {
        Self::default()
    }

    /// Polls the file this often. A file that replaced another is reported at the next poll, one that was changed in place a
    /// second later.
    #[must_use]
    pub fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// The policy that the host has in force. If the file holds another one when the watcher starts, that is a change. Without
    /// this option, the policy in the file then counts as known.
    #[must_use]
    pub fn with_known(mut self, policy: Policy) -> Self {
        self.in_force = InForce::Given(Some(policy));
        self
    }

    /// As [`WatchOptions::with_known`], for a host whose policy also changes in other ways: `in_force` is asked at each
    /// change.
    #[must_use]
    pub fn with_in_force(mut self, in_force: impl Fn() -> Policy + Send + Sync + 'static) -> Self {
        self.in_force = InForce::Asked(Arc::new(in_force));
        self
    }
}

/// Watches a policy file on a thread of its own until it is dropped.
///
/// The file may vanish and come back, be written in place, or be replaced by another (as editors and mounted configuration
/// do). One that replaced another is read at the next poll. One that is written in place is read when it has not changed for
/// a second. A text that is not a valid policy, or looks like half a file (spec 1.8), is an error: the policy in force stays.
/// The sure way to change a policy is to write a new file beside it and rename it.
#[derive(Debug)]
#[must_use = "the watcher stops when it is dropped"]
pub struct PolicyWatcher {
    /// Dropped to stop the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl PolicyWatcher {
    /// Starts to watch. `on_change` is called on the watcher's thread, once for each new text: with its policy, or with the
    /// error that keeps the old one in force. Watching goes on if it panics.
    ///
    /// # Errors
    /// The system's, where it gives no thread.
    pub fn start(
        path: impl AsRef<Path>,
        options: WatchOptions,
        on_change: impl FnMut(Result<Policy, LoadError>) + Send + 'static,
    ) -> io::Result<Self> {
        let watched = Watched::new(path.as_ref().to_owned(), options.in_force);
        let (stop, stopped) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("callgate-watch".to_owned())
            .spawn(move || watch(watched, options.interval, &stopped, on_change))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for PolicyWatcher {
    fn drop(&mut self) {
        // The thread waits on the other end, so this wakes it.
        self.stop = None;
        if let Some(thread) = self.thread.take()
            // If its own callback drops it, joining would wait for itself.
            && thread.thread().id() != thread::current().id()
        {
            // The thread catches panics of its callback; there is nothing else to report.
            let _ = thread.join();
        }
    }
}

/// Puts every new policy of the file in force in `engine`, beginning with the present one if the engine has another.
/// `on_reload` is called for each: with the policy that is in force now, whose warnings somebody should see, or with the
/// error that keeps the old one in force.
///
/// # Errors
/// The system's, where it gives no thread.
pub fn watch_engine(
    engine: Arc<Engine>,
    path: impl AsRef<Path>,
    mut on_reload: impl FnMut(Result<Policy, LoadError>) + Send + 'static,
) -> io::Result<PolicyWatcher> {
    let in_force = engine.clone();
    let options = WatchOptions::new().with_in_force(move || in_force.policy());
    PolicyWatcher::start(path, options, move |change| {
        // In force first: a callback that hangs must not keep the old policy.
        on_reload(change.inspect(|policy| engine.replace(policy.clone())));
    })
}

fn watch(
    mut watched: Watched,
    interval: Duration,
    stopped: &Receiver<()>,
    mut on_change: impl FnMut(Result<Policy, LoadError>),
) {
    loop {
        if let Some(change) = watched.look(SystemTime::now(), Instant::now()) {
            // A panic of the host's callback must not end the watching.
            let _ = catch_unwind(AssertUnwindSafe(|| on_change(change)));
        }
        let pause = if watched.is_waiting() { interval.min(SETTLE) } else { interval };
        if stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}
