//! The thread that watches all files of a process.
//!
//! In: what to watch. Out: policies in force, then calls of each watcher's callback, on threads of their own. Must not wait for a
//! callback on the shared thread, nor use or drop what a parent process left behind.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwapOption;
use callgate::Policy;

use crate::policy_file::LoadError;
use crate::watch::Replace;
use crate::watched::{SETTLE, Watched};

/// How many changes wait for a callback. If more come, the oldest are dropped.
const QUEUE: usize = 16;

type Change = Result<Policy, LoadError>;
type Callback = Box<dyn FnMut(Change) + Send>;
type Looker = (Watched, Option<Replace>);

/// The shared thread, which ends when this is dropped.
pub(crate) struct Running {
    process: u32,
    watchings: Sender<Arc<Watching>>,
}

/// Not behind a lock: a forked child might inherit it locked by a thread that it does not have.
static RUNNING: ArcSwapOption<Weak<Running>> = ArcSwapOption::const_empty();

impl Running {
    /// The thread of this process. Starts it if there is none.
    pub(crate) fn of_this_process() -> io::Result<Arc<Self>> {
        let process = std::process::id();
        loop {
            let before = RUNNING.load_full();
            if let Some(running) = before.as_deref().and_then(Weak::upgrade) {
                if running.process == process {
                    return Ok(running);
                }
                // The parent's.
                std::mem::forget(running);
            }
            let (watchings, received) = mpsc::channel();
            thread::Builder::new().name("callgate-watch".to_owned()).spawn(move || watch(&received))?;
            let made = Arc::new(Self { process, watchings });
            let found = RUNNING.compare_and_swap(&before, Some(Arc::new(Arc::downgrade(&made))));
            if found.as_ref().map(Arc::as_ptr) == before.as_ref().map(Arc::as_ptr) {
                return Ok(made);
            }
            // Another thread was quicker.
        }
    }

    pub(crate) fn watch(&self, watching: &Arc<Watching>) {
        // The thread receives as long as there is a sender.
        let _ = self.watchings.send(watching.clone());
    }
}

/// What one watcher watches, and whom it tells.
pub(crate) struct Watching {
    interval: Duration,
    state: Mutex<State>,
    /// Notified when a stopped watcher's part is gone.
    gone: Condvar,
}

struct State {
    is_stopped: bool,
    /// Used by the shared thread.
    looker: Part<Looker>,
    /// Used by a thread that lasts as long as there are changes.
    callback: Part<Callback>,
    changes: VecDeque<Change>,
}

/// What one thread at a time works with.
enum Part<T> {
    Idle(T),
    AtWork(ThreadId),
    Gone,
}

impl<T> Part<T> {
    /// Takes it to work, if it is idle.
    fn take(&mut self) -> Option<T> {
        match std::mem::replace(self, Self::AtWork(thread::current().id())) {
            Self::Idle(part) => Some(part),
            other => {
                *self = other;
                None
            }
        }
    }

    /// Takes it for ever, if it is idle.
    fn end(&mut self) -> Option<T> {
        let part = self.take()?;
        *self = Self::Gone;
        Some(part)
    }

    fn is_with_another(&self) -> bool {
        matches!(self, Self::AtWork(thread) if *thread != thread::current().id())
    }
}

impl Watching {
    pub(crate) fn new(interval: Duration, looker: Looker, callback: Callback) -> Arc<Self> {
        let state = State {
            is_stopped: false,
            looker: Part::Idle(looker),
            callback: Part::Idle(callback),
            changes: VecDeque::new(),
        };
        Arc::new(Self { interval, state: Mutex::new(state), gone: Condvar::new() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops, and waits for what other threads do for this watcher.
    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        state.is_stopped = true;
        let idle = (state.looker.end(), state.callback.end(), std::mem::take(&mut state.changes));
        drop(state);
        drop(idle);
        let mut state = self.lock();
        while state.looker.is_with_another() || state.callback.is_with_another() {
            state = self.gone.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Polls the file, and returns how long to wait until the next poll; `None` if it was stopped.
    fn look(self: &Arc<Self>) -> Option<Duration> {
        let (mut watched, replace) = self.lock().looker.take()?;
        // A panic must not end the watching of other files.
        let change = caught(|| watched.look(SystemTime::now(), Instant::now())).flatten();
        if let (Some(Ok(policy)), Some(replace)) = (&change, &replace) {
            caught(|| replace(policy.clone()));
        }
        let pause = if watched.is_waiting() { self.interval.min(SETTLE) } else { self.interval };
        let mut state = self.give_back(self.lock(), |state| &mut state.looker, (watched, replace))?;
        state.changes.extend(change);
        while state.changes.len() > QUEUE {
            state.changes.pop_front();
        }
        if !state.changes.is_empty() && matches!(state.callback, Part::Idle(_)) {
            let own = self.clone();
            // Without a thread, it is told after the next poll.
            let _ = thread::Builder::new().name("callgate-reload".to_owned()).spawn(move || own.tell());
        }
        Some(pause)
    }

    /// Calls the callback with every change there is.
    fn tell(&self) {
        let mut state = self.lock();
        let Some(mut callback) = state.callback.take() else { return };
        while let Some(change) = state.changes.pop_front() {
            drop(state);
            caught(|| callback(change));
            state = self.lock();
        }
        self.give_back(state, |state| &mut state.callback, callback);
    }

    /// Gives a part back after work, or drops it if the watcher was stopped meanwhile.
    fn give_back<'s, T>(
        &'s self,
        mut state: MutexGuard<'s, State>,
        place: impl Fn(&mut State) -> &mut Part<T>,
        part: T,
    ) -> Option<MutexGuard<'s, State>> {
        if !state.is_stopped {
            *place(&mut state) = Part::Idle(part);
            return Some(state);
        }
        drop(state);
        caught(|| drop(part));
        *place(&mut self.lock()) = Part::Gone;
        self.gone.notify_all();
        None
    }
}

/// Its result, unless the host's code panics in it.
fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

/// The shared thread.
fn watch(received: &Receiver<Arc<Watching>>) {
    let mut watchings: Vec<(Arc<Watching>, Instant, Duration)> = Vec::new();
    loop {
        let mut wait = Duration::MAX;
        watchings.retain_mut(|(watching, looked, pause)| {
            if looked.elapsed() >= *pause {
                let Some(next) = watching.look() else { return false };
                (*looked, *pause) = (Instant::now(), next);
            }
            wait = wait.min(pause.saturating_sub(looked.elapsed()));
            true
        });
        match received.recv_timeout(wait) {
            Ok(watching) => watchings.push((watching, Instant::now(), Duration::ZERO)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
