//! Turns: one caller at a time works on the file, and does what the others wait for, too, in the same transaction.
//!
//! In: jobs of any number of threads. Out: an answer for each, after it is committed. A commit costs the same for one job as
//! for ten, so more callers cost less each. There is no thread of its own: who finds the file free leads; who does not
//! waits, and is either answered by a leader or made the next one.
//!
//! Must not let a caller wait for ever: a leader that ends in whatever way answers those that it took along, and hands the
//! lead on.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use callgate::StoreError;

use crate::file::File;
use crate::job::{Answer, Job, OwnedJob};
use crate::ledger::Ledger;

/// A leader begins no further transaction after this. It does more than its own, because the file would lie idle while the
/// next leader wakes up; each takes some ten microseconds, so that its own caller waits little longer.
const LEADS_FOR: Duration = Duration::from_micros(200);

/// How long a caller that waits looks for its answer before it sleeps: some transactions. Where all slept at once, four threads
/// took 1.6 times as long.
const LOOKS_FOR: Duration = Duration::from_micros(50);

/// A file of counters, and who works on it.
pub(crate) struct Turns {
    file: File,
    state: Mutex<State>,
}

struct State {
    /// The process that the state is about: in a forked one, its threads are gone.
    process: u32,
    /// Whether somebody leads.
    is_led: bool,
    waiting: VecDeque<Arc<Ticket>>,
    /// The open file, while nobody leads; none after a failure.
    ledger: Option<Ledger>,
}

/// The place of a caller that waits.
struct Ticket {
    job: OwnedJob,
    turn: Mutex<Option<Turn>>,
    called: Condvar,
}

/// What becomes of a caller that waits.
enum Turn {
    Answered(Result<Answer, StoreError>),
    /// Nobody else leads; the job is still to be done.
    Leads(Option<Ledger>),
}

/// The lead, from taking it to handing it on.
struct Lead<'t> {
    turns: &'t Turns,
    ledger: Option<Ledger>,
    /// Those that were taken along and have no answer yet.
    others: Vec<Arc<Ticket>>,
}

impl Turns {
    /// Opens the file.
    pub(crate) fn open(file: File) -> Result<Self, StoreError> {
        let ledger = Some(file.open()?);
        let state = State { process: std::process::id(), is_led: false, waiting: VecDeque::new(), ledger };
        Ok(Self { file, state: Mutex::new(state) })
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Has the job done, and committed.
    pub(crate) fn take(&self, job: Job<'_, '_>) -> Result<Answer, StoreError> {
        let mut state = self.state_of_this_process()?;
        if !state.is_led {
            state.is_led = true;
            let ledger = state.ledger.take();
            drop(state);
            return self.lead(ledger, job);
        }
        let ticket = Arc::new(Ticket { job: job.to_owned(), turn: Mutex::new(None), called: Condvar::new() });
        state.waiting.push_back(ticket.clone());
        drop(state);
        match ticket.wait() {
            Turn::Answered(answer) => answer,
            Turn::Leads(ledger) => self.lead(ledger, job),
        }
    }

    fn lead(&self, ledger: Option<Ledger>, job: Job<'_, '_>) -> Result<Answer, StoreError> {
        let began = Instant::now();
        let mut lead = Lead { turns: self, ledger, others: Vec::new() };
        lead.take_along();
        let mine = lead.work(Some(job));
        while began.elapsed() < LEADS_FOR {
            lead.take_along();
            // An error is told to those whom it concerns.
            if lead.others.is_empty() || lead.work(None).is_err() {
                break;
            }
        }
        mine?.ok_or_else(|| StoreError::permanent("the SQLite store gave no answer"))
    }

    fn state_of_this_process(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        let mut state = self.lock();
        let process = std::process::id();
        if state.process != process {
            if state.is_led {
                return Err(StoreError::permanent(
                    "the SQLite store was in use when its process forked: open it again in the new process",
                ));
            }
            state.process = process;
            // INVARIANT: it was idle, so nothing of it is half done, and no lock of a transaction is held. It must be closed
            // before the file is opened again: SQLite keeps one account of the locks that a process has on a file, and the
            // parent's would stand in it without being held.
            state.ledger = None;
        }
        Ok(state)
    }

    /// A lock that is poisoned is taken all the same: every change of the state is one step.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lead<'_> {
    /// Those that wait come into the next transaction.
    fn take_along(&mut self) {
        self.others.extend(self.turns.lock().waiting.drain(..));
    }

    /// Does the jobs of the others, and one's own, in one transaction, and tells the others what came of theirs.
    fn work(&mut self, mine: Option<Job<'_, '_>>) -> Result<Option<Answer>, StoreError> {
        let done = self.transact(mine);
        let others = std::mem::take(&mut self.others);
        match done {
            Ok((mine, answers)) => {
                for (ticket, answer) in others.iter().zip(answers) {
                    ticket.call(Turn::Answered(Ok(answer)));
                }
                Ok(mine)
            }
            Err(error) => {
                for ticket in others {
                    ticket.call(Turn::Answered(Err(error.clone())));
                }
                Err(error)
            }
        }
    }

    /// An error is an error for all: nothing was committed, or it cannot be told whether it was.
    fn transact(&mut self, mine: Option<Job<'_, '_>>) -> Result<(Option<Answer>, Vec<Answer>), StoreError> {
        let mut ledger = match self.ledger.take() {
            Some(ledger) => ledger,
            None => self.turns.file.open()?,
        };
        if let Err(error) = ledger.begin() {
            if error.is_transient() {
                self.ledger = Some(ledger);
            }
            return Err(error);
        }
        // On an error the ledger is dropped, which closes the file and undoes the transaction: whatever made it fail, the
        // next caller begins anew.
        let mine = mine.map(|job| ledger.execute(job)).transpose()?;
        let others = self.others.iter().map(|ticket| ticket.job.lend(|job| ledger.execute(job)));
        let others = others.collect::<Result<_, _>>()?;
        ledger.commit()?;
        self.ledger = Some(ledger);
        Ok((mine, others))
    }
}

/// Hands the lead on. Those that have no answer here were taken along by a leader that panicked.
impl Drop for Lead<'_> {
    fn drop(&mut self) {
        for ticket in self.others.drain(..) {
            ticket.call(Turn::Answered(Err(StoreError::transient("the SQLite store failed inside"))));
        }
        let ledger = self.ledger.take();
        let mut state = self.turns.lock();
        if let Some(next) = state.waiting.pop_front() {
            drop(state);
            next.call(Turn::Leads(ledger));
        } else {
            state.ledger = ledger;
            state.is_led = false;
        }
    }
}

impl Ticket {
    fn call(&self, turn: Turn) {
        *self.turn.lock().unwrap_or_else(PoisonError::into_inner) = Some(turn);
        self.called.notify_one();
    }

    fn wait(&self) -> Turn {
        let began = Instant::now();
        while began.elapsed() < LOOKS_FOR {
            // Whoever holds the lock is about to answer.
            if let Ok(mut turn) = self.turn.try_lock()
                && let Some(turn) = turn.take()
            {
                return turn;
            }
            std::thread::yield_now();
        }
        let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(turn) = turn.take() {
                return turn;
            }
            turn = self.called.wait(turn).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
