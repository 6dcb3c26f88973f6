//! The files that this process has open, in one place, so that a fork finds none of them in use.
//!
//! In: stores that are opened, and notice of a fork. Out: each store's queue and its connection, one thread at a time. An open
//! SQLite file must not cross a fork. Its list of the process's file locks would be wrong in the child, and a mutex that another
//! thread held would stay locked. So files are closed before a fork, and each process opens them again.
//!
//! INVARIANT: SQLite is called only by a thread that holds an [`Inside`], or that holds the lock while nobody does.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::Duration;

use callgate::StoreError;

use crate::ledger::Ledger;
use crate::ticket::Ticket;

/// Pause between checks whether a fork is over, or may begin: a few transactions.
const LOOK_AGAIN: Duration = Duration::from_micros(50);
/// Attempts on a lock that another thread of a forked process may be about to release.
const LOOKS: u32 = 200;

/// One lock for all stores. A fork holds it, so a child finds it free or holds it itself.
static OPEN: Mutex<Open> = Mutex::new(Open { is_forking: false, count: 0, stores: BTreeMap::new() });
/// The process that the state is about; 0 before the first store.
static OWNER: AtomicU32 = AtomicU32::new(0);

thread_local! {
    /// The lock, while this thread forks.
    static HELD: Cell<Option<MutexGuard<'static, Open>>> = const { Cell::new(None) };
}

struct Open {
    /// A thread is about to fork: no other thread may start work.
    is_forking: bool,
    /// How many stores there ever were.
    count: u64,
    stores: BTreeMap<u64, State>,
}

/// One store's queue, and its connection.
#[derive(Default)]
pub(crate) struct State {
    /// Whether a thread leads.
    pub(crate) is_led: bool,
    pub(crate) waiting: VecDeque<Arc<Ticket>>,
    /// The thread that leads for asynchronous callers, once it was started.
    pub(crate) worker: Option<Sender<()>>,
    /// The open file, while no thread works on it; none after a failure or a fork.
    ledger: Option<Ledger>,
    is_inside: bool,
    /// Whether the host closed the store: then no job may begin.
    is_closed: bool,
}

/// A store in the list.
pub(crate) struct Entry(u64);

/// The right to call SQLite for one store.
pub(crate) struct Inside<'e> {
    entry: &'e Entry,
    /// The open file. What is left here stays open.
    pub(crate) ledger: Option<Ledger>,
}

impl Entry {
    /// Adds a store.
    pub(crate) fn new() -> Result<Self, StoreError> {
        let mut open = of_this_process()?;
        open.count = open.count.wrapping_add(1);
        let number = open.count;
        open.stores.insert(number, State::default());
        Ok(Self(number))
    }

    /// Reads or changes the queue, if the state belongs to this process and the store is open.
    pub(crate) fn checked<T>(&self, work: impl FnOnce(&mut State) -> T) -> Result<T, StoreError> {
        let mut open = of_this_process()?;
        let state = open.stores.entry(self.0).or_default();
        if state.is_closed {
            return Err(StoreError::permanent("the SQLite store is closed").certainly_undone());
        }
        Ok(work(state))
    }

    /// Closes the file, now or once the jobs that were taken or wait are done. No other job begins.
    pub(crate) fn close(&self) {
        // Where another process has the state, it has the file, too.
        let Ok(mut open) = of_this_process() else { return };
        let state = open.stores.entry(self.0).or_default();
        (state.is_closed, state.ledger) = (true, None);
        if !state.is_led && state.waiting.is_empty() {
            state.worker = None;
        }
    }

    /// [`Entry::checked`] for a thread that has called it before: a forked process has no such thread.
    pub(crate) fn state<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(lock().stores.entry(self.0).or_default())
    }

    /// Begins to work on the file. Only the thread that leads may.
    pub(crate) fn enter(&self) -> Inside<'_> {
        loop {
            let mut open = lock();
            if !open.is_forking {
                let state = open.stores.entry(self.0).or_default();
                state.is_inside = true;
                return Inside { entry: self, ledger: state.ledger.take() };
            }
            drop(open);
            thread::sleep(LOOK_AGAIN);
        }
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let ledger = self.ledger.take();
        self.entry.state(|state| {
            state.is_inside = false;
            state.ledger = ledger.filter(|_| !state.is_closed);
        });
    }
}

/// Closes the file.
impl Drop for Entry {
    fn drop(&mut self) {
        // The connection of another process, which an unannounced fork brought here. It must not be closed.
        if OWNER.load(Ordering::Relaxed) != std::process::id() {
            return;
        }
        drop(self.enter().ledger.take());
        lock().stores.remove(&self.0);
    }
}

/// A poisoned lock is still taken: every change under it is one step.
fn lock() -> MutexGuard<'static, Open> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The lock, if the state belongs to this process. It is never waited for before that is known.
fn of_this_process() -> Result<MutexGuard<'static, Open>, StoreError> {
    let process = std::process::id();
    let is_ours = |owner| owner == process || owner == 0;
    if is_ours(OWNER.load(Ordering::Relaxed)) {
        OWNER.store(process, Ordering::Relaxed);
        return Ok(lock());
    }
    // A fork that nobody announced.
    for _ in 0..LOOKS {
        let found = match OPEN.try_lock() {
            Ok(open) => Some(open),
            Err(TryLockError::Poisoned(open)) => Some(open.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        };
        if let Some(mut open) = found {
            if OWNER.load(Ordering::Relaxed) != process {
                if open.is_forking || open.stores.values().any(|state| state.is_inside) {
                    break;
                }
                open.adopt(process);
            }
            return Ok(open);
        }
        thread::sleep(LOOK_AGAIN);
    }
    Err(StoreError::permanent(
        "the SQLite store was in use when its process forked, and was not told of the fork",
    )
    .certainly_undone())
}

impl Open {
    /// Begins anew in a forked process.
    fn adopt(&mut self, process: u32) {
        for state in self.stores.values_mut() {
            // Threads of the parent wait there.
            mem::forget((mem::take(&mut state.waiting), state.worker.take()));
            (state.is_led, state.is_inside, state.ledger) = (false, false, None);
        }
        self.is_forking = false;
        OWNER.store(process, Ordering::Relaxed);
    }
}

/// Prepares every store of the process for a fork: waits for running transactions and closes the files. They are opened again
/// at the next call. The thread that forks calls this right before.
///
/// Python's package does so. Another host registers this and the two functions below with `pthread_atfork`, or calls them
/// around its forks. An unannounced fork is noticed: a store that was idle works in the child; one that was busy is an error
/// there.
pub fn before_fork() {
    loop {
        let Ok(mut open) = of_this_process() else { return };
        open.is_forking = true;
        if !open.stores.values().any(|state| state.is_inside) {
            open.stores.values_mut().for_each(|state| state.ledger = None);
            HELD.set(Some(open));
            return;
        }
        drop(open);
        thread::sleep(LOOK_AGAIN);
    }
}

/// Resumes in the parent, also after a fork that failed.
pub fn after_fork_in_parent() {
    if let Some(mut open) = HELD.take() {
        open.is_forking = false;
    }
}

/// Resumes in the child.
pub fn after_fork_in_child() {
    if let Some(mut open) = HELD.take() {
        open.adopt(std::process::id());
    }
}
