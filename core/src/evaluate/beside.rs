//! What a candidate policy says of a call that another policy has decided (spec 10.11).
//!
//! In: the call, and whether it was allowed. Out: an evaluation that outlives the call. Must not act.

use super::{Charger, Evaluated, Evaluation, deferred};
use crate::call::{Approval, Beside, Call, Target};
use crate::policy::{Compiled, Found, Policy};
use crate::raw::RawJson;
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
        let evaluated = approving(call.beside.approval, was_allowed, |approval, ask| {
            self.0.evaluate_approved(call, call.args.as_ref(), approval, ask)
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
        let mut raw = RawJson::unread(call.args.unwrap_or_default());
        let args = match call.args.map(|_| raw.read()) {
            None => Ok(None),
            Some(Ok(())) => Ok(Some(raw.root())),
            Some(Err(error)) => Err(error),
        };
        let evaluated = approving(call.beside.approval, was_allowed, |approval, ask| match &args {
            Ok(args) => self.0.evaluate_approved(call, args.as_ref(), approval, ask),
            // Where the tool is refused before its arguments are looked at, that is the answer.
            Err(error) => {
                let refused = self.0.admit(call.target, &mut Found::new()).err();
                Some(refused.unwrap_or_else(|| Ruling::invalid_args(error.to_string())))
            }
        });
        self.evaluation(target, evaluated)
    }
}

impl Compiled {
    /// [`Compiled::evaluate`] with these arguments and this approval. Not one function with it: that costs 20 instructions there.
    fn evaluate_approved<'p, T, A: View, I: View>(
        &'p self,
        call: &Call<'_, T, I>,
        args: Option<&A>,
        approval: Option<Approval<'_>>,
        ask: &mut dyn Charger<'p>,
    ) -> Option<Ruling> {
        let Call { target, identity, beside, .. } = call;
        match self.admit(*target, &mut Found::new()) {
            Ok(entries) => self.check(
                entries,
                *target,
                args,
                identity,
                &Beside { approval, ..*beside },
                &mut Silent,
                ask,
            ),
            Err(ruling) => Some(ruling),
        }
    }
}

/// Evaluates; once more if it was allowed with an approval and one is asked for, with the key that is asked for: a key is of one
/// policy (spec 7.1).
fn approving<'d>(
    given: Option<Approval<'_>>,
    was_allowed: bool,
    evaluate: impl Fn(Option<Approval<'_>>, &mut dyn Charger<'d>) -> Option<Ruling>,
) -> Evaluated<'d> {
    let evaluated = deferred(|ask| evaluate(given, ask));
    let (Some(given), true) = (given, was_allowed) else { return evaluated };
    let asking = match &evaluated {
        Evaluated::Decided(ruling) if ruling.code() == Code::ApprovalRequired => {
            ruling.more().and_then(|more| more.asking.as_deref())
        }
        Evaluated::Decided(_) => None,
        Evaluated::Pending(prepared) => prepared.unapproved(),
    };
    let Some(asking) = asking else { return evaluated };
    let own = Approval { key: &asking.key, ..given };
    deferred(|ask| evaluate(Some(own), ask))
}
