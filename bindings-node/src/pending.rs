//! Decisions and explanations that must not block JS: a call is evaluated where it was asked, as for a store that answers at once, and only its
//! counters are waited for.
//!
//! In: a call as it was asked, and a store that answers later. Out: the promise of the decision, or of the explanation. What no check reads is not
//! read, so a store never changes a decision. Must not touch JS while it waits.

use std::future::{Future, poll_fn};
use std::pin::Pin;

use callgate::__binding::Explaining;
use callgate::time::Clock as _;
use callgate::{ArgsCheck, Evaluation, Identity};
use napi::bindgen_prelude::Either;
use napi::{Env, Unknown};
use self_cell::self_cell;

use crate::asked::{Approved, Read, ReadArgs, ReadIdentity};
use crate::call::{Args, Given, Hash};
use crate::clock::{self, HostClock};
use crate::decide::{Answer, answer, audited, decide_observed, evaluate};
use crate::explain::{Explained, begin_explaining, explain, explained};
use crate::observed::{begun, concluded};
use crate::planned::Planned;
use crate::promise::{carried, resolved};
use crate::view::Host;

/// What a call that waits borrows.
struct Owned {
    plan: Planned,
    /// The arguments, if they are raw text.
    text: Option<String>,
    id: Option<String>,
    /// Key and id.
    approval: Option<Approved>,
    check: Option<ArgsCheck>,
    server: Option<String>,
}

/// What is asked of a call.
pub(crate) enum Wanted {
    /// A decision, and a record of it that identifies the arguments so.
    Decision(Option<Hash>),
    /// What would be decided.
    Explanation,
}

/// What was asked for.
type Told = Either<Answer, Explained>;

/// The store's answer, and what follows from it.
type Asking<'q> = Pin<Box<dyn Future<Output = Told> + Send + 'q>>;

self_cell!(
    /// A call that its counters decide, together with what it borrows.
    struct Held {
        owner: Owned,
        #[not_covariant]
        dependent: Asking,
    }
);

/// The promise of what is wanted. The call is read before this returns.
pub(crate) fn promise<'e>(
    env: &'e Env,
    plan: Planned,
    (read, host): (Read<'_, '_>, &Host<'_>),
    wanted: Wanted,
) -> napi::Result<Unknown<'e>> {
    // Taken now: the store may be closed before the call is asked.
    let asked = plan.unblocking.as_ref().and_then(|waits| Some((waits.store.for_call()?, waits.on_error)));
    let Some((store, on_error)) = asked else {
        return resolved(
            env,
            match wanted {
                Wanted::Decision(audit) => {
                    Either::A(decide_observed(&plan, read.given(audit), || host.renew()))
                }
                Wanted::Explanation => Either::B(explain(&plan, &read.given(None))),
            },
        );
    };
    let Read { args, identity, approval, check, server, now } = read;
    let at = clock::at(now, || HostClock.now());
    let (value, text) = match args {
        ReadArgs::Value(value) => (Some(value), None),
        ReadArgs::Raw(text) => (None, Some(text)),
    };
    let (claims, id) = match identity {
        ReadIdentity::Absent => (None, None),
        ReadIdentity::Id(id) => (None, Some(id)),
        ReadIdentity::Claims(claims) => (Some(claims), None),
    };
    let held = Held::try_new(Owned { plan, text, id, approval, check, server }, |owned| {
        let identity = match (&owned.id, claims) {
            (Some(id), _) => Identity::Id(id.as_str()),
            (None, Some(claims)) => Identity::Claims(claims),
            (None, None) => Identity::Absent,
        };
        let args = match value {
            Some(value) => Args::Value(value),
            None => Args::Raw(owned.text.as_deref().unwrap_or_default()),
        };
        let approval = owned.approval.as_ref().map(Approved::given);
        let (check, server) = (owned.check.as_ref(), owned.server.as_deref());
        let given = Given { args, identity, approval, check, server, now, audit: None };
        let audit = match wanted {
            Wanted::Decision(audit) => audit,
            Wanted::Explanation => {
                return match begin_explaining(&owned.plan, &given) {
                    Explaining::Explained(explanation) => Err(Either::B(explained(explanation))),
                    Explaining::Pending(pending) => Ok(Box::pin(async move {
                        Either::B(explained(pending.look(&owned.plan.engine, &*store, at).await))
                    }) as Asking<'_>),
                };
            }
        };
        let evaluation = evaluate(&owned.plan, &given);
        let record = audit.map(|hash| audited(&owned.plan, &given, &hash));
        host.renew();
        let begun = begun(&owned.plan, &given);
        match evaluation {
            Evaluation::Decided(decision) => {
                let observed = concluded(begun, &decision);
                Err(Either::A(answer(&decision, record, observed)))
            }
            Evaluation::Pending(pending) => Ok(Box::pin(async move {
                let decision = match pending.ask_async(&*store, at).await {
                    Ok(outcome) => pending.resolve(&outcome),
                    Err(_) => pending.unanswered(on_error),
                };
                let observed = concluded(begun, &decision);
                Either::A(answer(&decision, record, observed))
            }) as Asking<'_>),
        }
    });
    match held {
        Err(told) => resolved(env, told),
        Ok(mut held) => {
            let asking =
                poll_fn(move |context| held.with_dependent_mut(|_, asking| asking.as_mut().poll(context)));
            carried(env, asking, |told| {
                told.ok_or_else(|| napi::Error::from_reason("the decision could not be made"))
            })
        }
    }
}
