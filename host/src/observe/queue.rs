//! Calls that wait for a candidate's store, on a thread of the candidate's own.
//!
//! In: evaluations that counters decide, and how calls ended, in order. Out: decisions. Must not grow without bound, nor make
//! anybody wait: a call that finds no room is not decided.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;

use callgate::__binding::{BindEngine as _, Target};
use callgate::time::Timestamp;
use callgate::{Decision, Engine, Evaluation, Pending, Policy};
use self_cell::self_cell;

use super::lock;
use super::observed::{Ending, NoVerdict, Shared};
use super::table::Table;
use super::time::at;

/// How many calls may wait.
const ROOM: usize = 1_024;

/// What a call that waits borrows.
pub(super) struct Owner {
    policy: Policy,
    /// The tool's, or the method's.
    name: String,
}

type Asking<'q> = Option<Pending<'q>>;

self_cell!(
    /// A call that counters decide, together with what it borrows.
    pub(super) struct Held {
        owner: Owner,
        #[not_covariant]
        dependent: Asking,
    }
);

impl Held {
    /// Evaluates a call as far as that goes without counters: what waits for them, or the decision.
    pub(super) fn evaluate(
        policy: &Policy,
        target: Target<'_>,
        evaluate: impl for<'d> FnOnce(&'d Policy, Target<'d>) -> Evaluation<'d>,
    ) -> Result<Self, Box<Decision<'static>>> {
        let (Target::Tool(name) | Target::Method(name)) = target;
        let is_tool = matches!(target, Target::Tool(_));
        Self::try_new(Owner { policy: policy.clone(), name: name.to_owned() }, |owner| {
            let target = if is_tool { Target::Tool(&owner.name) } else { Target::Method(&owner.name) };
            match evaluate(&owner.policy, target) {
                Evaluation::Decided(decision) => Err(Box::new(decision.into_owned())),
                Evaluation::Pending(pending) => Ok(Some(pending)),
            }
        })
    }

    /// Asks the store, which may wait, and tells what follows.
    pub(super) fn told(mut self, shared: &Shared, engine: &Engine, table: &Mutex<Table>) {
        let complete = || {
            self.with_dependent_mut(|_, pending| {
                Some(engine.complete(Evaluation::Pending(pending.take()?)).into_owned())
            })
        };
        match catch_unwind(AssertUnwindSafe(|| at(shared.now, complete))) {
            Ok(Some(decision)) => shared.decided(decision, table),
            _ => shared.failed(NoVerdict::Failed, table),
        }
    }
}

/// What the thread is to do.
pub(super) enum Job {
    Decide { held: Held, shared: Arc<Shared> },
    End { shared: Arc<Shared>, ending: Ending, now: Timestamp },
}

/// The queue to the thread, which starts with the first job and ends when this is dropped.
#[derive(Default)]
pub(super) struct Jobs(Mutex<Option<SyncSender<Job>>>);

impl Jobs {
    /// Whether there was room for the job.
    pub(super) fn push(&self, job: Job, engine: &Arc<Engine>, table: &Arc<Mutex<Table>>) -> bool {
        let mut jobs = lock(&self.0);
        if jobs.is_none() {
            *jobs = start(engine.clone(), table.clone());
        }
        jobs.as_ref().is_some_and(|jobs| jobs.try_send(job).is_ok())
    }
}

fn start(engine: Arc<Engine>, table: Arc<Mutex<Table>>) -> Option<SyncSender<Job>> {
    let (jobs, received) = sync_channel(ROOM);
    let work = move || work(&received, &engine, &table);
    thread::Builder::new().name("callgate-observe".to_owned()).spawn(work).ok()?;
    Some(jobs)
}

fn work(jobs: &Receiver<Job>, engine: &Engine, table: &Mutex<Table>) {
    for job in jobs {
        match job {
            Job::Decide { held, shared } => held.told(&shared, engine, table),
            Job::End { shared, ending, now } => {
                let _ = catch_unwind(AssertUnwindSafe(|| shared.end(engine, &ending, now)));
            }
        }
    }
}
