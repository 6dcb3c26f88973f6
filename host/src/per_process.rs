//! What belongs to one process, and is made again in one that was forked.
//!
//! In: a value, and how to make another. Out: the value of this process. Must neither use nor drop what a parent made: its
//! connections are the parent's. Waits for no lock, which a thread of the parent may have held when it forked.

use std::sync::Arc;

use arc_swap::ArcSwap;

/// A value of each process.
pub(crate) struct PerProcess<T>(ArcSwap<Made<T>>);

struct Made<T> {
    process: u32,
    value: T,
}

impl<T> Made<T> {
    fn new(value: T) -> Arc<Self> {
        Arc::new(Self { process: std::process::id(), value })
    }

    fn is_own(&self) -> bool {
        self.process == std::process::id()
    }
}

impl<T> PerProcess<T> {
    /// The value of this process.
    pub(crate) fn new(value: T) -> Self {
        Self(ArcSwap::new(Made::new(value)))
    }

    /// Lends the value of this process to `work`. `make` makes it first in a process that was forked.
    pub(crate) fn with<R, E>(
        &self,
        make: impl FnOnce() -> Result<T, E>,
        work: impl FnOnce(&T) -> Result<R, E>,
    ) -> Result<R, E> {
        let before = self.0.load();
        if before.is_own() {
            return work(&before.value);
        }
        let before = arc_swap::Guard::into_inner(before);
        let made = Made::new(make()?);
        let found = self.0.compare_and_swap(&before, made.clone());
        let is_first = Arc::ptr_eq(&found, &before);
        std::mem::forget(before);
        // Where another thread was quicker, that one counts, and the connections of this one are few and idle.
        if is_first { work(&made.value) } else { work(&found.value) }
    }

    /// Lends the value to `work`, unless it is a parent's.
    #[cfg(any(test, feature = "redis"))]
    pub(crate) fn with_own(&self, work: impl FnOnce(&T)) {
        let made = self.0.load();
        if made.is_own() {
            work(&made.value);
        }
    }
}

impl<T> Drop for PerProcess<T> {
    fn drop(&mut self) {
        let made = self.0.load_full();
        if !made.is_own() {
            std::mem::forget(made);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    static DROPS: AtomicUsize = AtomicUsize::new(0);

    struct Counted(u32);

    impl Drop for Counted {
        fn drop(&mut self) {
            DROPS.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn what_another_process_made_is_neither_used_nor_dropped() {
        let values = PerProcess::new(Counted(1));
        let value = || values.with(|| Ok::<_, ()>(Counted(2)), |value| Ok(value.0)).unwrap();
        assert_eq!(value(), 1);
        // As a fork leaves it.
        let foreign = Made { process: std::process::id().wrapping_add(1), value: Counted(3) };
        let own = values.0.swap(Arc::new(foreign));
        values.with_own(|_| panic!("the parent's"));
        assert_eq!([value(), value()], [2, 2]);
        assert_eq!(DROPS.load(Ordering::SeqCst), 0);
        drop(own);
        assert_eq!(DROPS.load(Ordering::SeqCst), 1);
        let foreign = Made { process: std::process::id().wrapping_add(1), value: Counted(4) };
        drop(values.0.swap(Arc::new(foreign)));
        drop(values);
        assert_eq!(DROPS.load(Ordering::SeqCst), 2, "the own one alone");
    }
}
