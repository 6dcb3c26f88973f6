//! The batches of a call and of the one in it, as one (spec 3.11).
//!
//! In: two batches that were prepared. Out: one. Must not charge a counter twice for one scope value.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use smallvec::SmallVec;

use super::PendingBatch;
use crate::amount::Amount;
use crate::ruling::JOINED;

impl<'p> PendingBatch<'p> {
    /// Adds the batch of an inner call behind this one's (spec 3.11). What both charge for one scope value is charged once, the larger
    /// amount, with the payments that it consists of.
    pub(crate) fn join(&mut self, other: Self) {
        let Self { batch, declared, paid, states, rules, .. } = other;
        let offset = u32::try_from(self.rules.len()).unwrap_or(u32::MAX);
        // A batch has one slot for each declared counter.
        let own: HashMap<u32, usize, RandomState> =
            self.declared.iter().enumerate().map(|(slot, declared)| (*declared, slot)).collect();
        let mut places: SmallVec<[usize; 4]> = SmallVec::new();
        // Slots of this batch whose payments the other's replace, and whether the payments of each slot of the other stand.
        let mut replaced: SmallVec<[usize; 4]> = SmallVec::new();
        let mut stands: SmallVec<[bool; 4]> = SmallVec::new();
        // Slots that both charge.
        let mut joined: SmallVec<[usize; 4]> = SmallVec::new();
        for (mut slot, index) in batch.slots.into_iter().zip(declared) {
            slot.order = slot.order.saturating_add(offset);
            let at = own.get(&index).copied();
            let known =
                at.and_then(|at| self.batch.slots.get_mut(at)).filter(|known| known.scope == slot.scope);
            let (Some(known), Some(at)) = (known, at) else {
                places.push(self.batch.slots.len());
                stands.push(true);
                self.batch.slots.push(slot);
                self.declared.push(index);
                continue;
            };
            places.push(at);
            stands.push(slot.charge > known.charge);
            if known.charge.is_some() && slot.charge.is_some() {
                joined.push(at);
            }
            match (known.charge, slot.charge) {
                (None, Some(_)) => {
                    (known.charge, known.max, known.order) = (slot.charge, slot.max, slot.order)
                }
                (Some(held), Some(charge)) if charge > held => {
                    known.charge = Some(charge);
                    replaced.push(at);
                }
                (_, None) | (Some(_), Some(_)) => {}
            }
        }
        replaced.sort_unstable();
        self.paid.retain(|(slot, ..)| replaced.binary_search(slot).is_err());
        for (slot, payment, amount) in paid {
            if let (Some(place), Some(true)) = (places.get(slot), stands.get(slot)) {
                self.paid.push((*place, payment, amount));
            }
        }
        self.paid.extend(joined.into_iter().map(|slot| (slot, JOINED, Amount::ZERO)));
        for mut guard in batch.guards {
            guard.order = guard.order.saturating_add(offset);
            for test in &mut guard.tests {
                // INVARIANT: a test's slot is one of its batch.
                test.slot = places.get(test.slot).copied().unwrap_or(usize::MAX);
            }
            self.batch.guards.push(guard);
        }
        self.states.extend(states);
        self.rules.extend(rules);
        // Nothing is looked up any more.
        self.slots = None;
    }
}
