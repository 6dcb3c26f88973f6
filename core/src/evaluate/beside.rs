//! What a candidate policy says of a call that another policy has decided (spec 10.11).
//!
//! In: the call, and whether it was allowed. Out: an evaluation that outlives the call. Must not act.

use super::{Charger, Evaluated, Evaluation, deferred};
use crate::call::{Approval, Call, Target};
use crate::policy::Policy;
use crate::ruling::{Code, Ruling};
use crate::trace::Silent;
use crate::view::View;

impl Policy {
    /// [`Policy::evaluate`], told of `target`. The approval of a call that was allowed counts for this policy, too.
    pub(crate) fn evaluate_beside<'d, A: View, I: View>(
        &'d self,
        target: Target<'d>,
        call: &Call<'_, A, I>,
        was_allowed: bool,
    ) -> Evaluation<'d> {
        let evaluated = approving(call.approval.filter(|_| was_allowed), |key, ask| {
            self.0.evaluate_approved(call, key.as_ref().or(call.approval.as_ref()), &mut Silent, ask)
        });
        self.evaluation(target, evaluated)
    }

    /// The same for raw JSON arguments.
    pub(crate) fn evaluate_json_beside<'d, I: View>(
        &'d self,
        target: Target<'d>,
        call: &Call<'_, &str, I>,
        was_allowed: bool,
    ) -> Evaluation<'d> {
        let evaluated = approving(call.approval.filter(|_| was_allowed), |key, ask| {
            self.0.evaluate_json_approved(call, key.as_ref().or(call.approval.as_ref()), &mut Silent, ask)
        });
        self.evaluation(target, evaluated)
    }
}

/// Evaluates, and once more with an approval of the right key if one is asked for: a key is of one policy (spec 7.1).
fn approving<'d>(
    accepted: Option<Approval<'_>>,
    evaluate: impl Fn(Option<Approval<'_>>, &mut dyn Charger<'d>) -> Option<Ruling>,
) -> Evaluated<'d> {
    let evaluated = deferred(|ask| evaluate(None, ask));
    let (Some(accepted), Evaluated::Decided(ruling)) = (accepted, &evaluated) else { return evaluated };
    let asking = ruling.more().and_then(|more| more.asking.as_ref());
    let Some(asking) = asking.filter(|_| ruling.code() == Code::ApprovalRequired) else { return evaluated };
    let own = Approval::new(&asking.key, accepted.id);
    deferred(|ask| evaluate(Some(own), ask))
}
