//! What an engine would decide, and every check that leads to it. Charges nothing.

use smallvec::SmallVec;

use super::{Engine, Explanation};
use crate::call::Call;
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

/// An explanation, as far as it goes without counters.
pub enum Explaining<'d> {
    /// No counter has a part in it.
    Explained(Explanation<'d>),
    /// Counters have to be looked at.
    Pending(PendingExplanation<'d>),
}

/// An explanation whose call was read, and whose counters are still to be looked at.
pub struct PendingExplanation<'d> {
    policy: &'d Policy,
    tool: &'d str,
    prepared: Box<PendingBatch<'d>>,
    recorder: Recorder,
}

impl<'d> Explaining<'d> {
    pub(crate) fn new(
        policy: &'d Policy,
        tool: &'d str,
        evaluate: impl FnOnce(&'d Compiled, &mut Recorder) -> Evaluated<'d>,
    ) -> Self {
        let mut recorder = Recorder::default();
        match evaluate(&policy.0, &mut recorder) {
            Evaluated::Decided(ruling) => {
                let decision = Decision::sharing(policy.clone(), tool, ruling);
                Self::Explained(Explanation { decision, checks: recorder.finish() })
            }
            Evaluated::Pending(prepared) => {
                Self::Pending(PendingExplanation { policy, tool, prepared, recorder })
            }
        }
    }
}

impl<'d> PendingExplanation<'d> {
    /// The explanation, with the counters as `store` has them.
    pub async fn look(self, engine: &Engine, store: &dyn AsyncStore, now: Timestamp) -> Explanation<'d> {
        let Self { policy, tool, prepared, mut recorder } = self;
        let looked = look_without_blocking(store, &prepared.batch, now).await;
        let ruling = engine.shown(prepared, &policy.0, looked, &mut recorder);
        Explanation { decision: Decision::sharing(policy.clone(), tool, ruling), checks: recorder.finish() }
    }
}

impl Engine {
    /// What the engine would decide now and every check that leads to it. Charges nothing.
    pub fn explain<'t, A: View, I: View>(&self, call: &Call<'t, A, I>) -> Explanation<'t> {
        let (policy, recorder) = (self.policy(), Recorder::default());
        self.explained(policy, call.tool, recorder, |policy, recorder| {
            deferred(|ask| policy.evaluate(call, recorder, ask))
        })
    }

    /// [`Engine::explain`] for raw JSON arguments.
    pub fn explain_json<'t, I: View>(&self, call: &Call<'t, &str, I>) -> Explanation<'t> {
        let (policy, recorder) = (self.policy(), Recorder::default());
        self.explained(policy, call.tool, recorder, |policy, recorder| {
            deferred(|ask| policy.evaluate_json(call, recorder, ask))
        })
    }

    fn explained<'t>(
        &self,
        policy: Policy,
        tool: &'t str,
        mut recorder: Recorder,
        evaluate: impl for<'p> FnOnce(&'p Compiled, &mut Recorder) -> Evaluated<'p>,
    ) -> Explanation<'t> {
        let ruling = match evaluate(&policy.0, &mut recorder) {
            Evaluated::Decided(ruling) => ruling,
            Evaluated::Pending(prepared) => {
                let looked = self.look(&prepared.batch);
                self.shown(prepared, &policy.0, looked, &mut recorder)
            }
        };
        Explanation { decision: Decision::sharing(policy, tool, ruling), checks: recorder.finish() }
    }

    /// [`Engine::explain`], but asks the store without blocking.
    pub async fn explain_async<'t, A: View, I: View>(&self, call: &Call<'t, A, I>) -> Explanation<'t> {
        let (policy, mut recorder) = (self.policy(), Recorder::default());
        let ruling = match deferred(|ask| policy.0.evaluate(call, &mut recorder, ask)) {
            Evaluated::Decided(ruling) => ruling,
            Evaluated::Pending(prepared) => {
                let looked = self.look_async(&prepared.batch).await;
                self.shown(prepared, &policy.0, looked, &mut recorder)
            }
        };
        Explanation { decision: Decision::sharing(policy, call.tool, ruling), checks: recorder.finish() }
    }

    fn shown(
        &self,
        mut prepared: Box<PendingBatch<'_>>,
        policy: &Compiled,
        looked: Looked,
        recorder: &mut Recorder,
    ) -> Ruling {
        match looked {
            Ok((outcome, standing)) => {
                prepared.explain(policy, &outcome, recorder);
                prepared.rule(policy, &outcome).uncharged(&standing)
            }
            Err(error) => {
                recorder.open(Step::Root(""), || "counters".to_owned());
                recorder.close("unavailable", Some(&error.to_string()));
                prepared.unanswered(self.on_store_error)
            }
        }
    }

    fn look(&self, batch: &Batch<'_>) -> Looked {
        let now = self.clock.now();
        let outcome = self.store.peek(batch, now)?;
        let standing = match outcome.verdict {
            Verdict::Reserved => self.store.peek(&batch.only_read(), now)?.usage,
            Verdict::Refused(_) | Verdict::ApprovalSpent => outcome.usage.clone(),
        };
        Ok((outcome, standing))
    }

    async fn look_async(&self, batch: &Batch<'_>) -> Looked {
        let Some(store) = &self.async_store else { return self.look(batch) };
        look_without_blocking(&**store, batch, self.clock.now()).await
    }
}

async fn look_without_blocking(store: &dyn AsyncStore, batch: &Batch<'_>, now: Timestamp) -> Looked {
    let outcome = store.peek(batch, now).await?;
    let standing = match outcome.verdict {
        Verdict::Reserved => store.peek(&batch.only_read(), now).await?.usage,
        Verdict::Refused(_) | Verdict::ApprovalSpent => outcome.usage.clone(),
    };
    Ok((outcome, standing))
}
