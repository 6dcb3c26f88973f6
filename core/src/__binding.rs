//! For the language packages of this project alone: what they need beside the public API. May change in any version.

pub use crate::call::Target;
pub use crate::engine::{Explaining, PendingExplanation};
pub use crate::evaluate::Decided;
pub use crate::number::cost_of_f64;
pub use crate::policy::{Reads, Tool};

use std::sync::Arc;

use crate::call::Call;
use crate::decision::{Actual, Decision, Ending, Reservation, SettleError};
use crate::engine::Engine;
use crate::evaluate::Evaluation;
use crate::outcome::Outcome;
use crate::policy::Policy;
use crate::store::{AsyncStore, CounterId};
use crate::view::View;

/// A decision in two steps, for a host that holds on to a policy and to what it made of decisions before.
pub trait BindEngine {
    /// Charges what an evaluation costs.
    fn complete<'d>(&self, evaluation: Evaluation<'d>) -> Decision<'d>;
    /// Whether calls are decided by this very policy now; one that was compiled from the same text is another.
    fn is_in_force(&self, policy: &Policy) -> bool;
    /// Decides a call by the policy that `tool` was found in, and charges what it costs.
    fn decide_by_tool<'d, A: View, I: View>(&self, tool: &'d Tool, call: &Call<'d, A, I>) -> Decided<'d>;
}

impl BindEngine for Engine {
    fn complete<'d>(&self, evaluation: Evaluation<'d>) -> Decision<'d> {
        self.complete(evaluation)
    }

    fn is_in_force(&self, policy: &Policy) -> bool {
        self.is_in_force(policy)
    }

    #[inline]
    fn decide_by_tool<'d, A: View, I: View>(&self, tool: &'d Tool, call: &Call<'d, A, I>) -> Decided<'d> {
        self.decide_by_tool(tool, call)
    }
}

/// What a policy says of a tool before there is a call of it, and decisions that were bytes meanwhile.
pub trait BindPolicy {
    /// What this policy says of a tool.
    fn tool(&self, name: &str) -> Tool;
    /// Which values the checks of a tool read.
    fn reads(&self, tool: &str) -> Reads<'_>;
    /// The decision that [`BindDecision::pack`] made bytes of; `None` for anything else. The bytes decide: whoever can write
    /// them can write an allowed decision.
    fn unpack<'d>(&'d self, target: Target<'d>, packed: &[u8]) -> Option<Decision<'d>>;
    /// Whether a call that ran may give something back, as one that counts as in flight does.
    fn may_give_back(&self) -> bool;
    /// [`Engine::explain`] by this policy, as far as that goes without counters. The call is read before this returns.
    fn begin_explaining<'t, A: View, I: View>(&self, call: &Call<'t, A, I>) -> Explaining<'_, 't>;
    /// The same for raw JSON arguments.
    fn begin_explaining_json<'t, I: View>(&self, call: &Call<'t, &str, I>) -> Explaining<'_, 't>;
    /// What this policy says of a call that another policy has decided. It is told of `target`, which is the call's, and borrows
    /// nothing of the call. The approval of a call that was allowed is one of this policy, too.
    fn evaluate_beside<'d, A: View, I: View>(
        &'d self,
        target: Target<'d>,
        call: &Call<'_, A, I>,
        was_allowed: bool,
    ) -> Evaluation<'d>;
    /// The same for raw JSON arguments.
    fn evaluate_json_beside<'d, I: View>(
        &'d self,
        target: Target<'d>,
        call: &Call<'_, &str, I>,
        was_allowed: bool,
    ) -> Evaluation<'d>;
}

impl BindPolicy for Policy {
    fn tool(&self, name: &str) -> Tool {
        self.tool(name)
    }

    fn reads(&self, tool: &str) -> Reads<'_> {
        self.reads(tool)
    }

    fn unpack<'d>(&'d self, target: Target<'d>, packed: &[u8]) -> Option<Decision<'d>> {
        self.unpack(target, packed)
    }

    fn may_give_back(&self) -> bool {
        self.0.may_give_back()
    }

    fn begin_explaining<'t, A: View, I: View>(&self, call: &Call<'t, A, I>) -> Explaining<'_, 't> {
        Explaining::value(self, call)
    }

    fn begin_explaining_json<'t, I: View>(&self, call: &Call<'t, &str, I>) -> Explaining<'_, 't> {
        Explaining::text(self, call)
    }

    fn evaluate_beside<'d, A: View, I: View>(
        &'d self,
        target: Target<'d>,
        call: &Call<'_, A, I>,
        was_allowed: bool,
    ) -> Evaluation<'d> {
        self.evaluate_beside(target, call, was_allowed)
    }

    fn evaluate_json_beside<'d, I: View>(
        &'d self,
        target: Target<'d>,
        call: &Call<'_, &str, I>,
        was_allowed: bool,
    ) -> Evaluation<'d> {
        self.evaluate_json_beside(target, call, was_allowed)
    }
}

/// Decisions as keys of a cache, and as bytes.
pub trait BindDecision {
    /// A number by which decisions of one policy about one tool are told apart; `None` for those that tell of more than a rule.
    fn cache_key(&self) -> Option<u64>;
    /// [`Decision::into_owned`] without a copy of the tool's name, if it is that tool's by the policy in which it was found.
    fn into_owned_with(self, tool: &Arc<Tool>) -> Decision<'static>;
    /// Appends the decision as bytes, without its policy and its target.
    fn pack(&self, out: &mut Vec<u8>);
}

impl BindDecision for Decision<'_> {
    #[inline]
    fn cache_key(&self) -> Option<u64> {
        self.cache_key()
    }

    fn into_owned_with(self, tool: &Arc<Tool>) -> Decision<'static> {
        self.into_owned_with(tool)
    }

    fn pack(&self, out: &mut Vec<u8>) {
        self.pack(out);
    }
}

/// [`Engine::finish_async`] by a store that the package opened itself, which may be another connection after a fork.
pub async fn finish_with(
    engine: &Engine,
    reservation: &mut Reservation,
    outcome: Outcome,
    store: &dyn AsyncStore,
) -> Result<(), SettleError> {
    engine.end_with(reservation, Ending::Ended(outcome), store).await
}

/// [`Engine::settle_async`], likewise.
pub async fn settle_with(
    engine: &Engine,
    reservation: &mut Reservation,
    actual: &Actual,
    store: &dyn AsyncStore,
) -> Result<(), SettleError> {
    engine.end_with(reservation, Ending::Settled(actual), store).await
}

/// A call of a tool or of another method, by nobody known.
pub fn call_of<'c, A>(target: Target<'c>, args: A) -> Call<'c, A> {
    Call::of(target, Some(args))
}

/// The counter that has an id of these bytes, for a host that was shown it and names it again.
pub fn counter_id(bytes: [u8; 16]) -> CounterId {
    CounterId(bytes)
}
