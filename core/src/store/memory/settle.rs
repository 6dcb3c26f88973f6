//! Charges that become what the call really cost (spec 8.10, 8.14).
//!
//! In: the settlements of one call, and the time. Out: nothing. Must hold the locks of all shards that it touches until the last is
//! written, so that no batch sees a call half settled, and take them in ascending order.

use smallvec::SmallVec;

use super::shard::{Shard, hash_key};
use super::sync::MutexGuard;
use super::{MemoryStore, shard_of};
use crate::store::Settlement;
use crate::time::Timestamp;

impl MemoryStore {
    /// All of them, in one step. What is added is decided at the store's time, and moves it on; what is taken back does not.
    pub(super) fn settle_all(&self, settlements: &[Settlement<'_>], now: Timestamp) {
        if settlements.iter().any(|settlement| settlement.actual > settlement.charged) {
            self.advance(now);
        }
        let hash = |settlement: &Settlement<'_>| {
            hash_key(&self.seed, settlement.counter.id, settlement.scope.as_bytes())
        };
        let mut shards: SmallVec<[usize; 4]> =
            settlements.iter().map(|settlement| shard_of(hash(settlement))).collect();
        shards.sort_unstable();
        shards.dedup();
        let mut held: SmallVec<[MutexGuard<'_, Shard>; 4]> =
            shards.iter().map(|shard| self.lock(*shard)).collect();
        let now = self.time(now);
        for settlement in settlements {
            let (hash, scope) = (hash(settlement), settlement.scope.as_bytes());
            let place = shards.binary_search(&shard_of(hash));
            let Some(shard) = place.ok().and_then(|place| held.get_mut(place)) else { continue };
            let Settlement { counter, stamp, charged, actual, .. } = *settlement;
            let more = actual.as_micros().saturating_sub(charged.as_micros());
            if more < 0 {
                shard.refund(counter.id, hash, scope, stamp, more.saturating_neg(), now);
            } else if more > 0 {
                shard.add(counter, hash, scope, more, now);
            }
        }
    }
}
