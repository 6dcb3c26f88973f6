//! A cache of fixed windows that have begun, so that a question need not carry what would begin them.
//!
//! In: questions and answers. Out: a guess, which the server never relies on. Must not grow with the counters.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use callgate::Amount;
use callgate::store::{Answer, Batch, Slot};
use callgate::time::Timestamp;

use crate::numbers::INEXACT;
use crate::request::is_sliding;

/// Windows in the cache, a power of two: 128 KiB. It is direct-mapped: a new window evicts the one in its place.
const PLACES: usize = 1 << 14;
/// Spreads the starts of windows over all bits.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// A part of each window's hash, in its place.
pub(crate) struct Begun {
    seed: RandomState,
    places: Box<[AtomicU64]>,
}

impl Begun {
    /// An empty cache.
    pub(crate) fn new() -> Self {
        Self { seed: RandomState::default(), places: (0..PLACES).map(|_| AtomicU64::new(0)).collect() }
    }

    /// The hash of a slot's window at `at`, and the place of its counter and scope value. A new window evicts the one before.
    /// Two windows with one hash only cost one more question.
    fn place(&self, slot: &Slot<'_>, at: Timestamp) -> (u64, Option<&AtomicU64>) {
        // Ids are distributed evenly; scope values need not be.
        let id = slot.counter.id().as_bytes().first_chunk().copied().map_or(0, u64::from_ne_bytes);
        let scope = slot.scope.as_bytes();
        let owner = id ^ if scope.is_empty() { 0 } else { self.seed.hash_one(scope) };
        let start = slot.counter.window().start(at).as_millis().unsigned_abs();
        let index = usize::try_from(owner).unwrap_or_default() & PLACES.wrapping_sub(1);
        (owner ^ start.wrapping_mul(ODD), self.places.get(index))
    }

    /// Whether all windows of a batch that is charged at `at` are known to have begun.
    pub(crate) fn has(&self, batch: &Batch<'_>, at: Timestamp) -> bool {
        batch.slots.iter().all(|slot| {
            let (hash, place) = self.place(slot, at);
            place.is_some_and(|place| place.load(Ordering::Relaxed) == hash)
        })
    }

    /// Learns from the answer to a batch.
    pub(crate) fn learn(&self, batch: &Batch<'_>, at: Timestamp, answer: &Answer) {
        match answer {
            Answer::Elsewhen(_) => batch.slots.iter().for_each(|slot| self.set(slot, at, false)),
            Answer::Outcome(outcome) => {
                for (slot, usage) in batch.slots.iter().zip(&outcome.usage) {
                    // What `lua/counter.lua` stores as three numbers, or would after another charge, is for the long way.
                    let (used, charge) = (usage.used.as_micros(), slot.charge.map_or(0, Amount::as_micros));
                    let is_usual = !is_sliding(slot.counter)
                        && usage.stamp == slot.counter.window().start(at)
                        && used > 0
                        && used.saturating_add(charge) < INEXACT;
                    if is_usual {
                        self.set(slot, at, true);
                    }
                }
            }
            Answer::Refunded | Answer::Purged(_) => {}
        }
    }

    fn set(&self, slot: &Slot<'_>, at: Timestamp, has_begun: bool) {
        let (hash, place) = self.place(slot, at);
        if let Some(place) = place {
            place.store(if has_begun { hash } else { !hash }, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use callgate::store::{Algorithm, BatchOutcome, Counter, Owner, ScopeValue, Usage, Verdict, Window};

    use super::*;

    fn counter(algorithm: Algorithm) -> Counter {
        Counter::new(Owner::AllTools, "n", Window::Minute, algorithm, "global")
    }

    fn batch(counter: &Counter) -> Batch<'_> {
        let (charge, max) = (Amount::from_micros(2), Amount::from_micros(5).unwrap());
        let slot = Slot { counter, scope: ScopeValue::default(), charge, max, order: 0 };
        Batch { slots: [slot].into_iter().collect(), ..Batch::default() }
    }

    fn answer(stamp: i64, used: i64) -> Answer {
        let [stamp, resets_at, now] = [stamp, 120_000, 70_000].map(Timestamp::from_millis);
        let used = Amount::from_micros(used).unwrap();
        let usage = [Usage { used, resets_at, stamp }].into_iter().collect();
        Answer::Outcome(BatchOutcome { verdict: Verdict::Reserved, usage, now })
    }

    #[test]
    fn a_window_is_known_until_it_is_not_found() {
        let (counter, begun) = (counter(Algorithm::Fixed), Begun::new());
        let (batch, at, later) =
            (batch(&counter), Timestamp::from_millis(70_000), Timestamp::from_millis(120_000));
        assert!(!begun.has(&batch, at));
        begun.learn(&batch, at, &answer(60_000, 2));
        assert!(begun.has(&batch, at) && begun.has(&batch, Timestamp::from_millis(60_000)));
        assert!(!begun.has(&batch, later));
        let mut other = batch.clone();
        other.slots[0].scope = ScopeValue::from(&b"alice"[..]);
        assert!(!begun.has(&other, at));
        begun.learn(&batch, at, &Answer::Elsewhen(later));
        assert!(!begun.has(&batch, at));
    }

    #[test]
    fn only_what_is_stored_in_digits_is_known() {
        let (fixed, sliding) = (counter(Algorithm::Fixed), counter(Algorithm::Sliding));
        let at = Timestamp::from_millis(70_000);
        for (batch, answer) in [
            (batch(&fixed), answer(60_000, 0)),
            (batch(&fixed), answer(60_001, 2)),
            (batch(&fixed), answer(60_000, INEXACT - 2)),
            (batch(&sliding), answer(60_000, 2)),
        ] {
            let begun = Begun::new();
            begun.learn(&batch, at, &answer);
            assert!(!begun.has(&batch, at), "{answer:?}");
        }
    }
}
