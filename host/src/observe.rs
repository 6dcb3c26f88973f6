//! A candidate policy that decides beside the one in force (spec 10.11).
//!
//! In: calls that were decided, and how they ended. Out: what the candidate says of each, and a table of all. Must not change a
//! decision, fail a call, or wait for a store.

mod observed;
mod queue;
mod table;
mod time;

use std::convert::Infallible;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use callgate::__binding::{BindEngine as _, BindPolicy as _, Target};
use callgate::store::Store;
use callgate::time::{Clock, SystemClock, Timestamp};
use callgate::value::View;
use callgate::{Call, Decision, Engine, Evaluation, Outcome, Policy};

pub use self::observed::{DecisionSummary, Flip, NoVerdict, Observed, RuleSummary};
pub use self::table::{Observation, Observations};

use self::observed::{Ending, Shared};
use self::queue::{Held, Job, Jobs};
use self::table::Table;
use self::time::{CallClock, at};
use crate::per_process::PerProcess;
use crate::shared::SharedStore;

/// A policy that is to decide beside the one in force, with counters of its own.
#[must_use = "give it to `Observer::observe`"]
pub struct Candidate {
    policy: Policy,
    store: Option<Arc<dyn Store>>,
    /// Whether asking the store may wait.
    waits: bool,
    clock: Arc<dyn Clock>,
}

impl Candidate {
    /// Counts in memory, by the machine's clock.
    pub fn new(policy: Policy) -> Self {
        Self { policy, store: None, waits: false, clock: Arc::new(SystemClock) }
    }

    /// Counts in `store`, which must not be that of the policy in force: take a namespace for it. A store that may wait is asked
    /// on a thread of the candidate's own.
    pub fn store(mut self, store: &SharedStore) -> Self {
        self.waits = !store.is_in_memory();
        self.store = Some(store.blocking());
        self
    }

    /// The same for a store of any kind. It counts as one that may wait.
    pub fn counters(mut self, store: Arc<dyn Store>) -> Self {
        self.waits = true;
        self.store = Some(store);
        self
    }

    /// Time comes from `clock`, which is asked once for each call.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidate").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl From<Policy> for Candidate {
    fn from(policy: Policy) -> Self {
        Self::new(policy)
    }
}

/// The candidate would charge the counters of the policy in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a candidate needs counters of its own: another store, or another namespace of this one")]
pub struct SameCounters;

/// Lets a candidate policy decide beside an engine. Nothing that it does reaches the decisions of the engine.
///
/// Tell it of each call that the engine has decided. It reads the arguments once more, with a budget of their own, and charges
/// what the candidate would charge. `Send + Sync`; share it.
///
/// ```
/// use callgate::{Call, Engine, Outcome, Policy};
/// use callgate_host::{Candidate, Flip, Observer};
///
/// let engine = Engine::new("{version: '1', default: allow, tools: {}}".parse::<Policy>()?);
/// let next = "{version: '1', default: deny, tools: {list: {}}}".parse::<Policy>()?;
/// let observer = Observer::new();
/// observer.observe(&engine, Candidate::new(next))?;
///
/// let call = Call::without_args("drop");
/// let decision = engine.decide(&call);
/// let observed = observer.decided(&call, Some(&decision)).unwrap();
/// assert!(decision.allowed());
/// assert_eq!(observed.flip(), Some(Flip::Tighter));
/// assert!(!observed.decision().unwrap().allowed());
/// observed.finish(Outcome::Done);
/// assert_eq!(observer.observations().unwrap().rows.len(), 1);
///
/// observer.observe(&engine, None)?;
/// assert!(observer.decided(&call, Some(&decision)).is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
pub struct Observer(ArcSwapOption<Observing>);

impl Observer {
    /// Without a candidate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets a candidate decide beside `engine` from here on, or none. The table begins anew. So do counters in memory, unless the
    /// candidate brings the store of the one before.
    ///
    /// # Errors
    /// [`SameCounters`] where the store is the engine's. The candidate before stays.
    pub fn observe(
        &self,
        engine: &Engine,
        candidate: impl Into<Option<Candidate>>,
    ) -> Result<(), SameCounters> {
        let observing = match candidate.into() {
            Some(candidate) => Some(Arc::new(Observing::new(candidate, engine)?)),
            None => None,
        };
        self.0.store(observing);
        Ok(())
    }

    /// The candidate, if there is one.
    pub fn candidate(&self) -> Option<Policy> {
        self.0.load().as_ref().map(|observing| observing.policy.clone())
    }

    /// What the candidate says of a call that was decided; `None` without a candidate. Without an enforced decision, the call
    /// counts as allowed: a dry run.
    pub fn decided<A: View, I: View>(
        &self,
        call: &Call<'_, A, I>,
        enforced: Option<&Decision<'_>>,
    ) -> Option<Observed> {
        let observing = self.0.load_full()?;
        let was_allowed = enforced.is_none_or(Decision::allowed);
        Some(observing.decide(target(call), enforced, |policy, target| {
            policy.evaluate_beside(target, call, was_allowed)
        }))
    }

    /// [`Observer::decided`] for raw JSON arguments.
    pub fn decided_json<I: View>(
        &self,
        call: &Call<'_, &str, I>,
        enforced: Option<&Decision<'_>>,
    ) -> Option<Observed> {
        let observing = self.0.load_full()?;
        let was_allowed = enforced.is_none_or(Decision::allowed);
        Some(observing.decide(target(call), enforced, |policy, target| {
            policy.evaluate_json_beside(target, call, was_allowed)
        }))
    }

    /// [`Observer::decided`] in two steps, for a host that cannot hold the arguments until the call is decided: this one reads them.
    pub fn begin<A: View, I: View>(&self, call: &Call<'_, A, I>) -> Option<Begun> {
        let observing = self.0.load_full()?;
        Some(Begun::new(observing, |observing, was_allowed| {
            observing
                .evaluate(target(call), |policy, target| policy.evaluate_beside(target, call, was_allowed))
        }))
    }

    /// [`Observer::begin`] for raw JSON arguments.
    pub fn begin_json<I: View>(&self, call: &Call<'_, &str, I>) -> Option<Begun> {
        let observing = self.0.load_full()?;
        Some(Begun::new(observing, |observing, was_allowed| {
            observing.evaluate(target(call), |policy, target| {
                policy.evaluate_json_beside(target, call, was_allowed)
            })
        }))
    }

    /// What came of all calls since the candidate began; `None` without a candidate.
    pub fn observations(&self) -> Option<Observations> {
        let observing = self.0.load_full()?;
        Some(observing.with_process(|process| lock(&process.table).observations(&observing.policy)))
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer").field("candidate", &self.candidate()).finish()
    }
}

/// A decision, or what counters decide; `None` where the evaluation panicked.
type Evaluated = Option<Result<Held, Box<Decision<'static>>>>;

/// A call that a candidate has read, and that is not decided yet. Dropped, it charges nothing and is not counted.
#[must_use = "say what was decided"]
pub struct Begun {
    observing: Arc<Observing>,
    now: Timestamp,
    if_allowed: Evaluated,
    if_refused: Evaluated,
}

impl Begun {
    fn new(observing: Arc<Observing>, evaluate: impl Fn(&Observing, bool) -> Evaluated) -> Self {
        let (if_allowed, if_refused) = (evaluate(&observing, true), evaluate(&observing, false));
        Self { now: observing.clock.now(), observing, if_allowed, if_refused }
    }

    /// What the candidate says of the call, which was decided so.
    pub fn decided(self, enforced: Option<&Decision<'_>>) -> Observed {
        let was_allowed = enforced.is_none_or(Decision::allowed);
        let evaluated = if was_allowed { self.if_allowed } else { self.if_refused };
        self.observing.conclude(evaluated, enforced, self.now)
    }
}

impl fmt::Debug for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Begun").finish_non_exhaustive()
    }
}

/// One candidate.
struct Observing {
    policy: Policy,
    /// Charges, at the time of the call.
    engine: Arc<Engine>,
    clock: Arc<dyn Clock>,
    /// Whether asking the store may wait.
    waits: bool,
    /// Whether a call that ran may give something back.
    gives_back: bool,
    process: PerProcess<Process>,
}

/// What a forked process must make anew: the thread is not there, and a lock may be held for ever.
#[derive(Default)]
struct Process {
    table: Arc<Mutex<Table>>,
    jobs: Jobs,
}

impl Observing {
    fn new(
        Candidate { policy, store, waits, clock }: Candidate,
        beside: &Engine,
    ) -> Result<Self, SameCounters> {
        let mut engine = Engine::builder(policy.clone()).clock(Arc::new(CallClock));
        if let Some(store) = store {
            if store.id() == beside.store_id() {
                return Err(SameCounters);
            }
            engine = engine.store(store);
        }
        let process = PerProcess::new(Process::default());
        let gives_back = policy.may_give_back();
        Ok(Self { policy, engine: Arc::new(engine.build()), clock, waits, gives_back, process })
    }

    fn with_process<T>(&self, work: impl FnOnce(&Process) -> T) -> T {
        let made = self.process.with(|| Ok::<_, Infallible>(Process::default()), |process| Ok(work(process)));
        let Ok(done) = made;
        done
    }

    /// What the candidate says of a call, as far as that goes without counters; `None` if it panicked.
    fn evaluate(
        &self,
        target: Target<'_>,
        evaluate: impl for<'d> FnOnce(&'d Policy, Target<'d>) -> Evaluation<'d>,
    ) -> Evaluated {
        catch_unwind(AssertUnwindSafe(|| Held::evaluate(&self.policy, target, evaluate))).ok()
    }

    fn decide(
        self: Arc<Self>,
        target: Target<'_>,
        enforced: Option<&Decision<'_>>,
        evaluate: impl for<'d> FnOnce(&'d Policy, Target<'d>) -> Evaluation<'d>,
    ) -> Observed {
        let now = self.clock.now();
        let evaluated = if self.waits {
            self.evaluate(target, evaluate)
        } else {
            let complete = || at(now, || self.engine.complete(evaluate(&self.policy, target)).into_owned());
            catch_unwind(AssertUnwindSafe(complete)).ok().map(|decision| Err(Box::new(decision)))
        };
        self.conclude(evaluated, enforced, now)
    }

    fn conclude(
        self: Arc<Self>,
        evaluated: Evaluated,
        enforced: Option<&Decision<'_>>,
        now: Timestamp,
    ) -> Observed {
        let shared = Arc::new(Shared::new(enforced, now));
        self.with_process(|process| match evaluated {
            Some(Err(decision)) => shared.decided(*decision, &process.table),
            Some(Ok(held)) if self.waits => {
                let job = Job::Decide { held, shared: shared.clone() };
                if !process.jobs.push(job, &self.engine, &process.table) {
                    shared.failed(NoVerdict::Overloaded, &process.table);
                }
            }
            Some(Ok(held)) => held.told(&shared, &self.engine, &process.table),
            None => shared.failed(NoVerdict::Failed, &process.table),
        });
        Observed::new(self, shared)
    }

    /// Ends the charges of a call as the host ended those in force.
    fn end(&self, shared: &Arc<Shared>, ending: Ending) {
        if matches!(ending, Ending::Ended(outcome) if outcome != Outcome::NotRun && !self.gives_back) {
            return;
        }
        let now = self.clock.now();
        if self.waits {
            let job = Job::End { shared: shared.clone(), ending, now };
            // If there is no room, the charges stand.
            self.with_process(|process| process.jobs.push(job, &self.engine, &process.table));
        } else {
            shared.end(&self.engine, &ending, now);
        }
    }
}

fn target<'c, A, I>(call: &Call<'c, A, I>) -> Target<'c> {
    call.tool().map_or(Target::Method(call.method()), Target::Tool)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
