//! Decisions by a store that does not block.

use super::Engine;
use crate::call::Call;
use crate::decision::Decision;
use crate::evaluate::{Evaluated, deferred};
use crate::ruling::Ruling;
use crate::store::error::StoreError;
use crate::store::{AsyncStore, Batch, BatchOutcome, Settlement, Store, StoreId};
use crate::time::Timestamp;
use crate::trace::Silent;
use crate::view::View;

impl Engine {
    /// Decides a call as [`Engine::decide`] does, but asks the store without blocking, where the engine has one that can
    /// ([`EngineBuilder::async_store`](super::EngineBuilder::async_store)). In-memory counters answer at once.
    pub async fn decide_async<'t, A: View, I: View>(&self, call: &Call<'t, A, I>) -> Decision<'t> {
        let Some(store) = &self.async_store else { return self.decide(call) };
        let policy = self.policy();
        let charged = self.charged(deferred(|ask| policy.0.evaluate(call, &mut Silent, ask)), &**store);
        let ruling = charged.await;
        Decision::sharing(policy, call.target, ruling)
    }

    /// [`Engine::decide_async`] for raw JSON arguments.
    pub async fn decide_json_async<'t, I: View>(&self, call: &Call<'t, &str, I>) -> Decision<'t> {
        let Some(store) = &self.async_store else { return self.decide_json(call) };
        let policy = self.policy();
        let charged = self.charged(deferred(|ask| policy.0.evaluate_json(call, &mut Silent, ask)), &**store);
        let ruling = charged.await;
        Decision::sharing(policy, call.target, ruling)
    }

    async fn charged(&self, evaluated: Evaluated<'_>, store: &dyn AsyncStore) -> Ruling {
        match evaluated {
            Evaluated::Decided(ruling) => ruling,
            Evaluated::Pending(mut prepared) => {
                match prepared.batch.ask_async(store, self.clock.now()).await {
                    Ok(outcome) => prepared.rule(&outcome).charged_in(store.id()),
                    Err(_) => prepared.unanswered(self.on_store_error),
                }
            }
        }
    }

    /// Whether the engine has a store that does not block.
    pub fn has_async_store(&self) -> bool {
        self.async_store.is_some()
    }

    /// Whether its counters are in this process's memory, so that no decision waits for anything.
    pub fn is_in_memory(&self) -> bool {
        self.store.is_in_memory()
    }

    /// [`Engine::purge`], but asks the store without blocking.
    ///
    /// # Errors
    /// [`StoreError`] where the counters cannot be reached.
    pub async fn purge_async(&self) -> Result<usize, StoreError> {
        match &self.async_store {
            Some(store) => store.purge(self.clock.now()).await,
            None => self.purge(),
        }
    }
}

/// The store of an engine whose counters can only be asked without blocking: it never answers.
pub(super) struct NonBlockingOnly(pub(super) StoreId);

impl NonBlockingOnly {
    fn unavailable<T>() -> Result<T, StoreError> {
        let why = "this engine has only a store that does not block: decide by `decide_async`";
        Err(StoreError::permanent(why).certainly_undone())
    }
}

impl Store for NonBlockingOnly {
    fn id(&self) -> StoreId {
        self.0
    }

    fn reserve(&self, _: &Batch<'_>, _: Timestamp) -> Result<BatchOutcome, StoreError> {
        Self::unavailable()
    }

    fn peek(&self, _: &Batch<'_>, _: Timestamp) -> Result<BatchOutcome, StoreError> {
        Self::unavailable()
    }

    fn settle(&self, _: &[Settlement<'_>], _: Timestamp) -> Result<(), StoreError> {
        Self::unavailable()
    }

    fn purge(&self, _: Timestamp) -> Result<usize, StoreError> {
        Self::unavailable()
    }
}
