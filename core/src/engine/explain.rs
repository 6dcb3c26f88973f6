//! What an engine would decide, and every check that leads to it. Charges nothing.

use smallvec::SmallVec;

use super::{Engine, Explanation};
use crate::call::{Call, Target};
use crate::decision::Decision;
use crate::evaluate::{Evaluated, PendingBatch, deferred};
use crate::policy::{Compiled, Policy};
use crate::ruling::Ruling;
use crate::store::error::StoreError;
use crate::store::{AsyncStore, Batch, BatchOutcome, Usage, Verdict};
use crate::time::Timestamp;
use crate::trace::Sink as _;
use crate::trace::{Recorder, Step};
use crate::view::View;

/// What the store would answer to a batch, and how its counters stand without it.
type Looked = Result<(BatchOutcome, SmallVec<[Usage; 2]>), StoreError>;

/// An explanation, as far as it goes without counters. Every way to explain goes through it.
pub enum Explaining<'p, 't> {
    /// No counter has a part in it.
    Explained(Explanation<'t>),
    /// Counters have to be looked at.
    Pending(PendingExplanation<'p, 't>),
}

/// An explanation whose call was read, and whose counters are still to be looked at.
pub struct PendingExplanation<'p, 't> {
    policy: &'p Policy,
    target: Target<'t>,
    prepared: Box<PendingBatch<'p>>,
    recorder: Recorder,
}

impl<'p, 't> Explaining<'p, 't> {
    pub(crate) fn value<A: View, I: View>(policy: &'p Policy, call: &Call<'t, A, I>) -> Self {
        Self::new(policy, call.target, |compiled, recorder| {
            deferred(|ask| compiled.evaluate(call, recorder, ask))
        })
    }

    pub(crate) fn text<I: View>(policy: &'p Policy, call: &Call<'t, &str, I>) -> Self {
        Self::new(policy, call.target, |compiled, recorder| {
            deferred(|ask| compiled.evaluate_json(call, recorder, ask))
        })
    }

    fn new(
        policy: &'p Policy,
        target: Target<'t>,
        evaluate: impl FnOnce(&'p Compiled, &mut Recorder) -> Evaluated<'p>,
    ) -> Self {
        let mut recorder = Recorder::default();
        match evaluate(&policy.0, &mut recorder) {
            Evaluated::Decided(ruling) => Self::Explained(explanation(policy, target, ruling, recorder)),
            Evaluated::Pending(prepared) => {
                Self::Pending(PendingExplanation { policy, target, prepared, recorder })
            }
        }
    }

    fn looked(self, engine: &Engine) -> Explanation<'t> {
        match self {
            Self::Explained(explanation) => explanation,
            Self::Pending(pending) => {
                let looked = engine.look(&pending.prepared.batch);
                pending.shown(engine, looked)
            }
        }
    }
}

impl<'t> PendingExplanation<'_, 't> {
    /// The explanation, with the counters as `store` has them.
    pub async fn look(self, engine: &Engine, store: &dyn AsyncStore, now: Timestamp) -> Explanation<'t> {
        let looked = look_without_blocking(store, &self.prepared.batch, now).await;
        self.shown(engine, looked)
    }

    fn shown(self, engine: &Engine, looked: Looked) -> Explanation<'t> {
        let Self { policy, target, mut prepared, mut recorder } = self;
        let ruling = match looked {
            Ok((outcome, standing)) => {
                prepared.explain(&policy.0, &outcome, &mut recorder);
                prepared.rule(&outcome).uncharged(&standing)
            }
            Err(error) => {
                recorder.open(Step::Root(""), || "counters".to_owned());
                recorder.close("unavailable", Some(&error.to_string()));
                prepared.unanswered(engine.on_store_error)
            }
        };
        explanation(policy, target, ruling, recorder)
    }
}

fn explanation<'t>(
    policy: &Policy,
    target: Target<'t>,
    ruling: Ruling,
    recorder: Recorder,
) -> Explanation<'t> {
    Explanation { decision: Decision::sharing(policy.clone(), target, ruling), checks: recorder.finish() }
}

impl Engine {
    /// What the engine would decide now and every check that leads to it. Charges nothing.
    pub fn explain<'t, A: View, I: View>(&self, call: &Call<'t, A, I>) -> Explanation<'t> {
        Explaining::value(&self.policy(), call).looked(self)
    }

    /// [`Engine::explain`] for raw JSON arguments.
    pub fn explain_json<'t, I: View>(&self, call: &Call<'t, &str, I>) -> Explanation<'t> {
        Explaining::text(&self.policy(), call).looked(self)
    }

    /// [`Engine::explain`], but asks the store without blocking.
    pub async fn explain_async<'t, A: View, I: View>(&self, call: &Call<'t, A, I>) -> Explanation<'t> {
        let policy = self.policy();
        match (Explaining::value(&policy, call), &self.async_store) {
            (Explaining::Pending(pending), Some(store)) => {
                pending.look(self, &**store, self.clock.now()).await
            }
            (explaining, _) => explaining.looked(self),
        }
    }

    fn look(&self, batch: &Batch<'_>) -> Looked {
        let now = self.clock.now();
        let outcome = self.store.peek(batch, now)?;
        let standing = match outcome.verdict {
            Verdict::Reserved if !batch.only_looks() => self.store.peek(&batch.only_read(), now)?.usage,
            _ => outcome.usage.clone(),
        };
        Ok((outcome, standing))
    }
}

async fn look_without_blocking(store: &dyn AsyncStore, batch: &Batch<'_>, now: Timestamp) -> Looked {
    let outcome = store.peek(batch, now).await?;
    let standing = match outcome.verdict {
        Verdict::Reserved if !batch.only_looks() => store.peek(&batch.only_read(), now).await?.usage,
        _ => outcome.usage.clone(),
    };
    Ok((outcome, standing))
}
