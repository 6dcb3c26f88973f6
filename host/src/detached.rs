//! A store that is asked in a way of the host's, such as without a lock that other threads wait for.
//!
//! In: a store, and how to wait for it. Out: the same store. Must pass every question on as it is: one that falls back to another
//! would lose what the store does better.

use std::sync::Arc;

use callgate::StoreError;
use callgate::store::{Batch, BatchOutcome, Settlement, Slot, Store, StoreId};
use callgate::time::Timestamp;

/// How a host waits for a store.
pub trait Wait: Send + Sync {
    /// Runs `ask`, which may take as long as the store's time-out, and returns its answer.
    ///
    /// # Errors
    /// That of `ask`, or why it could not run.
    fn wait<T: Send>(&self, ask: impl FnOnce() -> Result<T, StoreError> + Send) -> Result<T, StoreError>;
}

/// A store that `W` waits for.
pub struct DetachedStore<W> {
    store: Arc<dyn Store>,
    wait: W,
}

impl<W: Wait> DetachedStore<W> {
    /// The store, waited for by `wait`.
    pub fn new(store: Arc<dyn Store>, wait: W) -> Self {
        Self { store, wait }
    }
}

impl<W: Wait> Store for DetachedStore<W> {
    fn id(&self) -> StoreId {
        self.store.id()
    }

    fn is_in_memory(&self) -> bool {
        self.store.is_in_memory()
    }

    fn reserve(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        self.wait.wait(|| self.store.reserve(batch, now))
    }

    fn charge_one(&self, slot: &Slot<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        self.wait.wait(|| self.store.charge_one(slot, now))
    }

    fn peek(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        self.wait.wait(|| self.store.peek(batch, now))
    }

    fn settle(&self, settlements: &[Settlement<'_>], now: Timestamp) -> Result<(), StoreError> {
        self.wait.wait(|| self.store.settle(settlements, now))
    }

    fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.wait.wait(|| self.store.purge(now))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use callgate::Amount;
    use callgate::store::{Algorithm, Counter, Owner, ScopeValue, Verdict, Window};

    use super::*;

    /// Notes each question. Its answers are those of nobody.
    #[derive(Default)]
    struct Asked(Mutex<Vec<&'static str>>);

    impl Asked {
        fn note(&self, question: &'static str, now: Timestamp) -> Result<BatchOutcome, StoreError> {
            self.0.lock().unwrap().push(question);
            Ok(BatchOutcome { verdict: Verdict::Reserved, usage: Default::default(), now })
        }
    }

    impl Store for Asked {
        fn id(&self) -> StoreId {
            StoreId::named(b"asked")
        }

        fn reserve(&self, _: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
            self.note("reserve", now)
        }

        fn charge_one(&self, _: &Slot<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
            self.note("charge_one", now)
        }

        fn peek(&self, _: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
            self.note("peek", now)
        }

        fn settle(&self, _: &[Settlement<'_>], now: Timestamp) -> Result<(), StoreError> {
            self.note("settle", now).map(drop)
        }

        fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
            self.note("purge", now).map(|_| 3)
        }
    }

    /// Notes that it waited.
    impl Wait for Arc<Asked> {
        fn wait<T: Send>(&self, ask: impl FnOnce() -> Result<T, StoreError> + Send) -> Result<T, StoreError> {
            self.0.lock().unwrap().push("waits to");
            ask()
        }
    }

    #[test]
    fn every_question_is_passed_on_as_it_is() {
        let (asked, now) = (Arc::new(Asked::default()), Timestamp::MIN);
        let store = DetachedStore::new(asked.clone(), asked.clone());
        let counter = Counter::new(Owner::AllTools, "n", Window::Day, Algorithm::Fixed, "global");
        let (scope, batch) = (ScopeValue::default(), Batch::default());
        let slot = Slot { counter: &counter, scope, charge: Some(Amount::ZERO), max: Amount::MAX, order: 0 };
        assert_eq!(store.id(), asked.id());
        store.reserve(&batch, now).unwrap();
        store.charge_one(&slot, now).unwrap();
        store.peek(&batch, now).unwrap();
        store.settle(&[], now).unwrap();
        assert_eq!(store.purge(now).unwrap(), 3);
        let told = "waits to reserve waits to charge_one waits to peek waits to settle waits to purge";
        assert_eq!(asked.0.lock().unwrap().join(" "), told);
    }
}
