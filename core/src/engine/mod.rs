//! The engine: a policy, a store and a clock, put together (spec 6.7, 8.11).

mod explain;
mod finish;
mod nonblocking;
mod subscription;

pub use explain::{Explaining, PendingExplanation};
pub use subscription::Subscription;

use std::fmt;
use std::sync::Arc;

use crate::call::{Call, Target};
use crate::decision::Decision;
use crate::diagnostic::Diagnostic;
use crate::engine::nonblocking::NonBlockingOnly;
use crate::engine::subscription::Subscriptions;
use crate::evaluate::{Alone, Charger, PendingBatch, undecided};
use crate::evaluate::{Decided, Evaluation, OnStoreError};
use crate::identity::Identity;
use crate::policy::CurrentPolicy;
use crate::policy::Tool;
use crate::policy::{Compiled, Policy};
use crate::ruling::Ruling;
use crate::store::error::StoreError;
use crate::store::memory::MemoryStore;
use crate::store::{AsyncStore, Batch, BatchOutcome, Store, StoreId};
use crate::time::{Clock, SystemClock, Timestamp};
use crate::trace::{Check, Silent};
use crate::view::View;

/// Decides calls: evaluates the policy and charges the counters.
///
/// `Send + Sync`; share it behind an `Arc` or a reference. The policy can be replaced while calls are being decided:
/// each call is decided by one policy, whole (trap 32), and counters go on. A thread keeps the policy of its last call until its
/// next one.
///
/// ```
/// use callgate::{Engine, Identity, Policy};
/// use serde_json::json;
/// let engine = Engine::new(Policy::from_yaml("
/// version: \"1\"
/// default: deny
/// tools:
///   create_issue: {limits: [{counter: issues, window: hour, max: 1, scope: identity}]}
/// ")?);
/// let alice = Identity::new("alice");
/// assert!(engine.evaluate("create_issue", &json!({}), &alice).allowed());
/// let second = engine.evaluate("create_issue", &json!({}), &alice);
/// assert!(second.message().is_some_and(|told| told.starts_with("Rate limit of 1 per hour reached. Try again in ")));
/// assert!(engine.evaluate("create_issue", &json!({}), &Identity::new("bob")).allowed());
/// # Ok::<(), callgate::PolicyError>(())
/// ```
pub struct Engine {
    policy: CurrentPolicy,
    store: Arc<dyn Store>,
    /// Of the store, which takes a call to ask.
    store_id: StoreId,
    /// For calls that must not block; where there is none, the store is asked.
    async_store: Option<Arc<dyn AsyncStore>>,
    clock: Arc<dyn Clock>,
    on_store_error: OnStoreError,
    subscriptions: Subscriptions,
}

/// Puts an [`Engine`] together: in-memory counters, the machine's clock and denial where the store fails, unless told
/// otherwise.
#[must_use = "call `build`"]
pub struct EngineBuilder {
    policy: Policy,
    store: Option<Arc<dyn Store>>,
    async_store: Option<Arc<dyn AsyncStore>>,
    clock: Arc<dyn Clock>,
    on_store_error: OnStoreError,
}

/// A decision with every check that led to it.
#[derive(Debug)]
pub struct Explanation<'d> {
    /// What the engine would decide now. Nothing was charged.
    pub decision: Decision<'d>,
    /// The checks, in the order in which they were made; those after a settling one were not made.
    pub checks: Vec<Check>,
}

impl EngineBuilder {
    /// Counters live in `store`.
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// [`Engine::decide_async`] and the like ask `store`, which does not block. Beside [`EngineBuilder::store`], it has to keep the
    /// same counters. Alone, it serves only them: for any other call, the store is unavailable.
    pub fn async_store(mut self, store: Arc<dyn AsyncStore>) -> Self {
        self.async_store = Some(store);
        self
    }

    /// Time comes from `clock`.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// What to do with a call when the store does not answer.
    pub fn on_store_error(mut self, choice: OnStoreError) -> Self {
        self.on_store_error = choice;
        self
    }

    /// The engine.
    pub fn build(self) -> Engine {
        let store: Arc<dyn Store> = match (self.store, &self.async_store) {
            (Some(store), _) => store,
            (None, Some(store)) => Arc::new(NonBlockingOnly(store.id())),
            (None, None) => Arc::new(MemoryStore::new()),
        };
        Engine {
            policy: CurrentPolicy::new(self.policy),
            store_id: store.id(),
            store,
            async_store: self.async_store,
            clock: self.clock,
            on_store_error: self.on_store_error,
            subscriptions: Subscriptions::default(),
        }
    }
}

impl Engine {
    /// An engine with in-memory counters and the machine's clock.
    pub fn new(policy: Policy) -> Self {
        Self::builder(policy).build()
    }

    /// An engine with other counters, clock or choices.
    pub fn builder(policy: Policy) -> EngineBuilder {
        EngineBuilder {
            policy,
            store: None,
            async_store: None,
            clock: Arc::new(SystemClock),
            on_store_error: OnStoreError::Deny,
        }
    }

    /// The policy in force.
    pub fn policy(&self) -> Policy {
        self.policy.get()
    }

    /// Puts another policy in force, for every call from here on. Counters go on (spec 8.6).
    pub fn replace(&self, policy: Policy) {
        self.policy.replace(policy);
        self.subscriptions.tell();
    }

    /// What may not mean what its author thinks in the policy in force, and what it cannot keep with this engine's store: a counter that
    /// never resets, and used approvals, where counters are in memory (spec 8.18, 12.3).
    ///
    /// ```
    /// use callgate::{Engine, Policy};
    /// let policy: Policy = "{version: '1', default: deny, tools: {pay: {rules: [{rate_limit: 5/ever}]}}}".parse()?;
    /// assert!(policy.warnings().is_empty());
    /// assert_eq!(Engine::new(policy).warnings()[0].code(), "memory_store");
    /// # Ok::<(), callgate::PolicyError>(())
    /// ```
    pub fn warnings(&self) -> Vec<Diagnostic> {
        let policy = self.policy();
        let of_memory = if self.store.is_in_memory() { policy.memory_warnings() } else { &[] };
        policy.warnings().iter().chain(of_memory).cloned().collect()
    }

    /// What the engine's clock shows: by it, an approval says [when it was given](crate::Approval::given_at).
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The store that holds the counters.
    pub fn store_id(&self) -> StoreId {
        self.store_id
    }

    /// Decides a call and charges what it costs.
    pub fn evaluate<'t, A: View + Clone, I: View + Clone>(
        &self,
        tool: &'t str,
        args: A,
        identity: &Identity<'t, I>,
    ) -> Decision<'t> {
        self.decide(&Call::new(tool, args).identity(identity.clone()))
    }

    /// Decides a call with raw JSON arguments, which are checked whole (spec 3.5), and charges what it costs.
    pub fn evaluate_json<'t, I: View + Clone>(
        &self,
        tool: &'t str,
        args: &'t str,
        identity: &Identity<'t, I>,
    ) -> Decision<'t> {
        self.decide_json(&Call::new(tool, args).identity(identity.clone()))
    }

    /// Decides a call and charges what it costs.
    pub fn decide<'t, A: View, I: View>(&self, call: &Call<'t, A, I>) -> Decision<'t> {
        self.decide_by(call.target, |policy, ask| policy.evaluate(call, &mut Silent, ask))
    }

    /// Decides a call with raw JSON arguments and charges what it costs.
    pub fn decide_json<'t, I: View>(&self, call: &Call<'t, &str, I>) -> Decision<'t> {
        self.decide_by(call.target, |policy, ask| policy.evaluate_json(call, &mut Silent, ask))
    }

    /// Decides a call by the policy that `tool` was found in, and charges what it costs: [`Tool::evaluate`] and
    /// [`Engine::complete`] in one step, for a host that caches what it makes of equal decisions.
    /// [`Engine::is_in_force`] tells whether that policy is the right one.
    ///
    /// ```
    /// use callgate::{Call, Engine, Policy};
    /// let policy = Policy::from_yaml("{version: \"1\", default: deny, tools: {list_users: {}}}")?;
    /// use callgate::__binding::{BindDecision as _, BindEngine as _, BindPolicy as _};
    /// let (engine, tool) = (Engine::new(policy.clone()), policy.tool("list_users"));
    /// let call = Call::without_args("list_users");
    /// let decided = engine.decide_by_tool(&tool, &call);
    /// let cache_key = decided.cache_key();
    /// assert!(cache_key.is_some() && decided.decision().cache_key() == cache_key);
    /// assert!(engine.decide_by_tool(&tool, &call).cache_key() == cache_key);
    /// # Ok::<(), callgate::PolicyError>(())
    /// ```
    #[inline]
    pub(crate) fn decide_by_tool<'d, A: View, I: View>(
        &self,
        tool: &'d Tool,
        call: &Call<'d, A, I>,
    ) -> Decided<'d> {
        let ruling = tool.rule(call, &mut Charging(self)).unwrap_or_else(undecided);
        Decided { tool, target: call.target, ruling }
    }

    fn decide_by<'t>(
        &self,
        target: Target<'t>,
        evaluate: impl for<'p> FnOnce(&'p Compiled, &mut dyn Charger<'p>) -> Option<Ruling>,
    ) -> Decision<'t> {
        let policy = self.policy.lend();
        let ruling = evaluate(&policy.0, &mut Charging(self)).unwrap_or_else(undecided);
        Decision::lending(policy, target, ruling)
    }

    /// Charges what an evaluation costs. [`Policy::evaluate`] and this are [`Engine::decide`] in two steps, for a caller that
    /// holds on to a policy; [`Engine::is_in_force`] tells whether it is the right one.
    pub(crate) fn complete<'d>(&self, evaluation: Evaluation<'d>) -> Decision<'d> {
        match evaluation {
            Evaluation::Decided(decision) => decision,
            Evaluation::Pending(pending) => match self.reserve(pending.batch()) {
                Ok(outcome) => pending.resolve(&outcome).charged_in(self.store_id),
                Err(_) => pending.unanswered(self.on_store_error),
            },
        }
    }

    /// Whether calls are decided by this very policy now; one that was compiled from the same text is another.
    pub(crate) fn is_in_force(&self, policy: &Policy) -> bool {
        self.policy.is(policy)
    }

    /// The store's answer to a batch, for callers that drive the pure evaluation themselves. One that is
    /// [only looked at](Batch::only_looks) charges nothing.
    ///
    /// # Errors
    /// [`StoreError`] where the store did not answer.
    pub fn reserve(&self, batch: &Batch<'_>) -> Result<BatchOutcome, StoreError> {
        batch.ask(&*self.store, self.clock.now())
    }

    /// Drops counters that no call can see any more by the engine's clock, frees their memory, and returns how many there were.
    /// Changes no decision (spec 8.12). Calls also drop expired in-memory counters, but keep room for as many callers as earlier
    /// windows had: call this after a rush, or now and then.
    ///
    /// # Errors
    /// [`StoreError`] where the counters cannot be reached.
    pub fn purge(&self) -> Result<usize, StoreError> {
        self.store.purge(self.clock.now())
    }

    /// Whether a client may see the tool in `tools/list` (spec 10.9).
    pub fn visible<I: View>(&self, tool: &str, identity: &Identity<'_, I>) -> bool {
        self.policy.lend().visible(tool, identity)
    }

    /// [`Policy::shows`] by the policy in force.
    pub fn shows<A: View, I: View>(&self, call: &Call<'_, A, I>) -> bool {
        self.policy.lend().shows(call)
    }

    /// [`Policy::shows_request`] by the policy in force.
    pub fn shows_request<A: View, I: View>(&self, call: &Call<'_, A, I>) -> bool {
        self.policy.lend().shows_request(call)
    }

    /// Drops what the caller may not see from a list of tools; all by one policy (spec 10.9).
    pub fn filter_tools<T, I: View>(
        &self,
        tools: Vec<T>,
        identity: &Identity<'_, I>,
        name: impl Fn(&T) -> &str,
    ) -> Vec<T> {
        self.policy().filter_tools(tools, identity, name)
    }
}

/// Asks the engine's store at once.
struct Charging<'e>(&'e Engine);

impl<'p> Charger<'p> for Charging<'_> {
    fn charge_one(&mut self, alone: &mut Alone<'p>) -> Option<Ruling> {
        let engine = self.0;
        // By reference: an answer is large, and is not moved for its fields.
        Some(match &engine.store.charge_one(&alone.slot, engine.clock.now()) {
            Ok(outcome) => alone.rule(outcome).charged_in(engine.store_id),
            Err(_) => alone.batch().unanswered(engine.on_store_error),
        })
    }

    fn decide(&mut self, prepared: &mut PendingBatch<'p>) -> Option<Ruling> {
        let engine = self.0;
        Some(match engine.reserve(&prepared.batch) {
            Ok(outcome) => prepared.rule(&outcome).charged_in(engine.store_id),
            Err(_) => prepared.unanswered(engine.on_store_error),
        })
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("policy", &self.policy())
            .field("on_store_error", &self.on_store_error)
            .finish_non_exhaustive()
    }
}
