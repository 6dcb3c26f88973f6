//! Watching a policy file, or those of a stack.
//!
//! In: paths. Out: a callback for each new text, with the policy or the reason why it may not be put in force. Must not put
//! anything in force but as the host says.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use callgate::{Engine, Policy};

use crate::policy_file::LoadError;
use crate::policy_files::PolicyPaths;
use crate::watch_thread::{Running, Watching};
use crate::watched::{InForce, Watched};

/// How often the file is polled by default.
const INTERVAL: Duration = Duration::from_millis(250);

/// How a file is watched.
#[derive(Clone)]
pub struct WatchOptions {
    interval: Duration,
    in_force: InForce,
    replace: Option<Replace>,
}

/// Puts a policy in force.
pub(crate) type Replace = Arc<dyn Fn(Policy) + Send + Sync>;

impl Default for WatchOptions {
    fn default() -> Self {
        Self { interval: INTERVAL, in_force: InForce::Given(None), replace: None }
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

    /// Puts each new policy in force, before the callback hears of it: no callback that hangs keeps the old one. `replace` runs on
    /// the thread that all watchers share, so it must return at once.
    #[must_use]
    pub fn with_replace(mut self, replace: impl Fn(Policy) + Send + Sync + 'static) -> Self {
        self.replace = Some(Arc::new(replace));
        self
    }
}

/// Watches a policy file, or those of a stack, until it is dropped. One thread watches for all watchers of a process, and ends with the last one.
///
/// The file may vanish and come back, be written in place, or be replaced by another (as editors and mounted configuration
/// do). One that replaced another is read at the next poll. One that is written in place is read when it has not changed for
/// a second. A text that is not a valid policy, or looks like half a file (spec 1.8), is an error: the policy in force stays.
/// The sure way to change a policy is to write a new file beside it and rename it. A pipe or a device is not read.
///
/// A change of one file of a stack makes the stack anew, of the last text of each. One file with an error keeps the whole stack in
/// force, and the error names it. Files that change together are read one after the other: write first what makes it stricter.
///
/// Dropping it waits for its callback, unless the callback drops it: nothing is called or put in force afterwards. In a process
/// that was forked, a watcher of the parent watches nothing, and dropping it does nothing.
#[must_use = "the watcher stops when it is dropped"]
pub struct PolicyWatcher {
    process: u32,
    /// `None` only while it is dropped.
    parts: Option<(Arc<Watching>, Arc<Running>)>,
}

impl fmt::Debug for PolicyWatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyWatcher").field("process", &self.process).finish_non_exhaustive()
    }
}

impl PolicyWatcher {
    /// Starts to watch. `on_change` is called once for each new text: with its policy, or with the error that keeps the old one
    /// in force. It runs on a thread of this watcher that lasts as long as there is something to tell. A callback that hangs
    /// holds up no other watcher. It misses the oldest of more than 16 texts. Watching goes on if it panics.
    ///
    /// # Errors
    /// The system's, where it gives no thread.
    pub fn start(
        paths: impl Into<PolicyPaths>,
        options: WatchOptions,
        on_change: impl FnMut(Result<Policy, LoadError>) + Send + 'static,
    ) -> io::Result<Self> {
        let running = Running::of_this_process()?;
        let watched = Watched::new(paths.into(), options.in_force);
        let watching = Watching::new(options.interval, (watched, options.replace), Box::new(on_change));
        running.watch(&watching);
        Ok(Self { process: std::process::id(), parts: Some((watching, running)) })
    }
}

impl Drop for PolicyWatcher {
    fn drop(&mut self) {
        let Some((watching, running)) = self.parts.take() else { return };
        if self.process != std::process::id() {
            // The parent's thread does not exist here, and may have held any lock when the process forked.
            std::mem::forget((watching, running));
            return;
        }
        watching.stop();
    }
}

/// Puts every new policy of the file, or of the stack of these files, in force in `engine`, beginning with the present one if the engine has another.
/// `on_reload` is called for each: with the policy that is in force now, whose warnings somebody should see, or with the
/// error that keeps the old one in force.
///
/// # Errors
/// The system's, where it gives no thread.
pub fn watch_engine(
    engine: Arc<Engine>,
    paths: impl Into<PolicyPaths>,
    on_reload: impl FnMut(Result<Policy, LoadError>) + Send + 'static,
) -> io::Result<PolicyWatcher> {
    let in_force = engine.clone();
    let options = WatchOptions::new()
        .with_in_force(move || in_force.policy())
        .with_replace(move |policy| engine.replace(policy));
    PolicyWatcher::start(paths, options, on_reload)
}
