//! Group commit: one caller at a time works on the file, and runs the jobs of all that wait in the same transaction.
//!
//! In: jobs of any number of threads and tasks. Out: an answer for each, after the commit. A commit costs the same for one job
//! as for ten, so more callers cost less each. A thread that finds the file free leads. Another one waits until a leader
//! answers it or makes it the next leader. Tasks must not block, so a thread of the store leads for them.
//!
//! Must not let a caller wait beyond its time-out. A leader that waits for the file answers callers whose time is over. A
//! leader that ends, in any way, answers the jobs that it took and hands over the lead.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use callgate::StoreError;
use callgate::store::StoreId;

use crate::file::File;
use crate::job::{Answer, Job, OwnedJob};
use crate::ledger::Ledger;
use crate::pause::Pauses;
use crate::process::{Entry, Inside, State};
use crate::ticket::{Ticket, Turn, Waiting};

/// A leader begins no further transaction after this. It runs more than its own, because the file would be idle while the next
/// leader wakes up. Each takes some ten microseconds, so its own caller waits little longer.
const LEADS_FOR: Duration = Duration::from_micros(200);

/// A file of counters, and the threads that work on it.
pub(crate) struct GroupCommit {
    file: File,
    entry: Entry,
}

/// A job of the leader's own, and when its answer is due.
type Mine<'j, 'p> = Option<(Job<'j, 'p>, Instant)>;

/// The lead, from taking it to handing it over.
struct Lead<'t> {
    commits: &'t GroupCommit,
    /// Jobs of others that were taken and have no answer yet.
    others: Vec<Arc<Ticket>>,
}

impl GroupCommit {
    /// For a file that the first job will open.
    pub(crate) fn new(file: File) -> Result<Self, StoreError> {
        Ok(Self { file, entry: Entry::new()? })
    }

    /// Opens the file now.
    pub(crate) fn open(file: File) -> Result<Self, StoreError> {
        let commits = Self::new(file)?;
        let (deadline, mut pauses) = (commits.deadline(Instant::now()), Pauses::new());
        loop {
            // No other thread has the store yet, so none leads.
            let mut inside = commits.entry.enter();
            match commits.file.open() {
                Ok(ledger) => inside.ledger = Some(ledger),
                Err(refused) if refused.is_busy() && Instant::now() < deadline => {
                    drop(inside);
                    pauses.pause();
                    continue;
                }
                Err(refused) => return Err(refused.error()),
            }
            drop(inside);
            return Ok(commits);
        }
    }

    /// The identity of a namespace's counters.
    pub(crate) fn id(&self, namespace: &str) -> StoreId {
        self.file.id(namespace)
    }

    /// Closes the file. What is asked afterwards was certainly not done.
    pub(crate) fn close(&self) {
        self.entry.close();
    }

    /// A time-out beyond the clock's range never comes.
    fn deadline(&self, began: Instant) -> Instant {
        let year = Duration::from_secs(366 * 86_400);
        began.checked_add(self.file.timeout().min(year)).unwrap_or(began)
    }

    /// Runs the job and commits.
    pub(crate) fn take(&self, job: Job<'_, '_>) -> Result<Answer, StoreError> {
        let began = Instant::now();
        let deadline = self.deadline(began);
        let ticket = self.entry.checked(|state| {
            if state.is_led {
                let ticket = Ticket::new(job.to_owned(), deadline, false);
                state.waiting.push_back(ticket.clone());
                return Some(ticket);
            }
            state.is_led = true;
            None
        })?;
        match ticket.map(|ticket| ticket.wait()) {
            Some(Turn::Answered(answer)) => answer,
            Some(Turn::Leads) | None => self.lead(job, deadline, began),
        }
    }

    /// [`GroupCommit::take`] for a task.
    pub(crate) async fn take_async(self: &Arc<Self>, job: OwnedJob) -> Result<Answer, StoreError> {
        let ticket = Ticket::new(job, self.deadline(Instant::now()), true);
        self.entry.checked(|state| {
            if state.worker.is_none() {
                state.worker = Some(self.worker()?);
            }
            state.waiting.push_back(ticket.clone());
            if !state.is_led {
                state.is_led = true;
                call(state);
            }
            Ok(())
        })??;
        match Waiting(ticket).await {
            Turn::Answered(answer) => answer,
            Turn::Leads => Err(unanswered()),
        }
    }

    fn lead(&self, job: Job<'_, '_>, deadline: Instant, began: Instant) -> Result<Answer, StoreError> {
        let mut lead = Lead { commits: self, others: Vec::new() };
        let mine = lead.work(Some((job, deadline)));
        while began.elapsed() < LEADS_FOR && lead.is_waited_for() {
            // Each caller gets the error of its own job.
            if lead.work(None).is_err() {
                break;
            }
        }
        mine?.ok_or_else(unanswered)
    }

    /// Begins a transaction. While another process holds the file, callers whose time is over get their errors, and the
    /// leader's own deadline may pass. A leader without a job of its own stops once no caller waits.
    fn begin(&self, deadline: Option<Instant>) -> Result<Option<(Inside<'_>, Ledger)>, Failed> {
        let mut pauses = Pauses::new();
        loop {
            let mut inside = self.entry.enter();
            let opened = match inside.ledger.take().and_then(in_place) {
                Some(ledger) => Ok(ledger),
                None => self.file.open(),
            };
            let busy = match opened {
                Ok(mut ledger) => match ledger.begin() {
                    Ok(()) => return Ok(Some((inside, ledger))),
                    Err(refused) if refused.is_busy() => {
                        inside.ledger = Some(ledger);
                        refused
                    }
                    Err(refused) => return Err(Failed::All(refused.error())),
                },
                Err(refused) if refused.is_busy() => refused,
                Err(refused) => return Err(Failed::All(refused.error())),
            };
            drop(inside);
            let (now, error) = (Instant::now(), busy.error());
            if !self.turn_away(now, &error) && deadline.is_none() {
                return Ok(None);
            }
            if deadline.is_some_and(|deadline| deadline <= now) {
                return Err(Failed::Late(error));
            }
            pauses.pause();
        }
    }

    /// Answers callers whose time is over, and returns whether others wait.
    fn turn_away(&self, now: Instant, error: &StoreError) -> bool {
        let (late, is_waited_for) = self.entry.state(|state| {
            let mut late = Vec::new();
            // All have the same time-out, so the first in the queue are due first.
            while state.waiting.front().is_some_and(|first| first.deadline <= now) {
                late.extend(state.waiting.pop_front());
            }
            (late, !state.waiting.is_empty())
        });
        for ticket in late {
            ticket.call(Turn::Answered(Err(error.clone())));
        }
        is_waited_for
    }

    /// Starts the thread that leads for tasks. It ends with the store.
    fn worker(self: &Arc<Self>) -> Result<Sender<()>, StoreError> {
        let (worker, calls) = channel();
        let commits = Arc::downgrade(self);
        let run = move || {
            for () in calls {
                let Some(commits) = commits.upgrade() else { return };
                // A failure in this job does not concern the next one.
                let _ = catch_unwind(AssertUnwindSafe(|| commits.lead_for_tasks()));
            }
        };
        let spawned = std::thread::Builder::new().name("callgate-sqlite".to_owned()).spawn(run);
        spawned.map(|_| worker).map_err(|_| {
            StoreError::transient("the SQLite store can have no thread of its own").certainly_undone()
        })
    }

    /// Leads as long as a caller waits. For the store's own thread.
    fn lead_for_tasks(&self) {
        let mut lead = Lead { commits: self, others: Vec::new() };
        while lead.is_waited_for() {
            // Each caller gets the error of its own job.
            let _ = lead.work(None);
        }
    }
}

/// The open file, if its path still leads to it; else it is closed.
fn in_place(mut ledger: Ledger) -> Option<Ledger> {
    ledger.is_in_place().then_some(ledger)
}

/// Hands the lead to the store's own thread.
fn call(state: &State) {
    if let Some(worker) = &state.worker {
        // The thread ends with the store, so it is still there.
        let _ = worker.send(());
    }
}

/// Never seen: a leader runs its own job or fails, and a task is never asked to lead.
fn unanswered() -> StoreError {
    StoreError::permanent("the SQLite store gave no answer")
}

impl Lead<'_> {
    fn is_waited_for(&self) -> bool {
        self.commits.entry.state(|state| !state.waiting.is_empty())
    }

    /// Takes the waiting jobs into this transaction.
    fn take_along(&mut self) {
        self.commits.entry.state(|state| self.others.extend(state.waiting.drain(..)));
    }

    /// Runs the jobs of the others and its own in one transaction, and answers the others.
    fn work(&mut self, mine: Mine<'_, '_>) -> Result<Option<Answer>, StoreError> {
        let done = match self.commits.begin(mine.map(|(_, deadline)| deadline)) {
            Ok(Some((inside, ledger))) => {
                self.take_along();
                self.transact(inside, ledger, mine)
            }
            Ok(None) => return Ok(None),
            Err(Failed::Late(error)) => return Err(error),
            Err(Failed::All(error)) => {
                self.take_along();
                Err(error)
            }
        };
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

    /// An error is an error for all: nothing was committed, or it is unknown whether it was.
    fn transact(
        &self,
        mut inside: Inside<'_>,
        mut ledger: Ledger,
        mine: Mine<'_, '_>,
    ) -> Result<(Option<Answer>, Vec<Answer>), StoreError> {
        // On an error the ledger is dropped. That closes the file and rolls back, and the next caller opens it again.
        let undone = |error: StoreError| error.certainly_undone();
        let mine = mine.map(|(job, _)| ledger.execute(job)).transpose().map_err(undone)?;
        let others = self.others.iter().map(|ticket| ticket.job.lend(|job| ledger.execute(job)));
        let others = others.collect::<Result<_, _>>().map_err(undone)?;
        ledger.commit()?;
        inside.ledger = Some(ledger);
        Ok((mine, others))
    }
}

/// Why no transaction began.
enum Failed {
    /// The deadline of the leader's job has passed.
    Late(StoreError),
    /// No job can run.
    All(StoreError),
}

/// Hands over the lead. Jobs without an answer here were taken by a leader that panicked.
impl Drop for Lead<'_> {
    fn drop(&mut self) {
        for ticket in self.others.drain(..) {
            ticket.call(Turn::Answered(Err(StoreError::transient("the SQLite store failed inside"))));
        }
        let next = self.commits.entry.state(|state| {
            // Prefer a waiting thread: the store's own would have to wake up first.
            if let Some(first) = state.waiting.iter().position(|ticket| !ticket.is_task) {
                return state.waiting.remove(first);
            }
            state.is_led = !state.waiting.is_empty();
            if state.is_led {
                call(state);
            }
            None
        });
        if let Some(next) = next {
            next.call(Turn::Leads);
        }
    }
}
