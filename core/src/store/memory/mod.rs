//! The in-memory store: counters of this process, exact under any number of threads (spec 8).
//!
//! In: a batch and the caller's time. Out: its outcome. Every slot lives in one of [`SHARDS`] shards behind a mutex; a
//! batch holds the locks of all its shards from the first read to the last write, so no other batch sees it half done.
//! Must not do I/O, start threads or read a clock; what has expired is dropped by the calls themselves. Time does not
//! run back in it, so no call can see that something was dropped, nor when (spec 8.4).
//!
//! Locks are taken in ascending order of the shard, each once, that of the filed calls after them, and that of the approvals
//! last: no two calls can wait for each other.

mod approvals;
mod filed;
mod fixed;
mod settle;
mod shard;
mod sliding;
mod sync;

#[cfg(test)]
#[cfg(callgate_loom)]
mod interleavings;
#[cfg(test)]
#[cfg(not(callgate_loom))]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use self::approvals::Approvals as SpentIds;
use self::filed::FiledCalls;
use self::shard::{Charged, Shard, hash_key};
use self::sync::{AtomicI64, Mutex, MutexGuard, Ordering, PoisonError, RandomState};
use super::error::StoreError;
use super::judge::{Approved, Seen, judge, judge_approval};
use super::{
    Batch, BatchOutcome, CounterId, GuardMode, Inspect, LiveCounter, ScopeValue, Settlement, Slot, Store,
    Usage, Verdict,
};
use crate::amount::Amount;
use crate::time::Timestamp;

/// Number of shards, a power of two. With 64, two of eight busy threads rarely meet at one lock.
const SHARDS: usize = 64;

/// Counters in the memory of this process: nothing outlives it, and nothing live is ever evicted.
///
/// Share it between threads behind an [`Arc`](std::sync::Arc). Memory follows the counters that are live: one of a
/// million identities in a fixed window costs less than 100 bytes and its key.
///
/// Its time is the latest that it was given: a clock that once jumped far ahead keeps every counter in the window that it
/// showed then until time has caught up, or the process ends.
pub struct MemoryStore {
    seed: RandomState,
    /// The latest time at which a batch was decided or counters were purged, in milliseconds.
    latest: AtomicI64,
    shards: Box<[Padded]>,
    approvals: Mutex<SpentIds>,
    filed: Mutex<FiledCalls>,
    namespaces: Mutex<BTreeMap<Box<str>, Arc<MemoryStore>>>,
}

/// A shard on cache lines of its own, so that threads at neighbouring shards do not slow each other.
#[repr(align(128))]
struct Padded(Mutex<Shard>);

/// Whether a batch is taken or only asked about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Intent {
    Take,
    Ask,
}

/// Where a slot of a batch lives, and what the batch adds there.
struct Place {
    hash: u64,
    /// Which of the held locks is its shard's.
    held: usize,
    added: i64,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        let seed = RandomState::default();
        let shards = (0..SHARDS).map(|_| Padded(Mutex::new(Shard::new(seed.clone())))).collect();
        Self {
            seed,
            latest: AtomicI64::new(0),
            shards,
            approvals: Mutex::default(),
            filed: Mutex::default(),
            namespaces: Mutex::default(),
        }
    }

    /// The counters of a namespace within this store: the same ones for the same name, and never those of another name or of
    /// the store itself. Engines that share a store share its counters, so give each server of a process its own (spec 8.6).
    ///
    /// ```
    /// use std::sync::Arc;
    /// use callgate::{Engine, Identity, MemoryStore, Policy};
    /// let policy: Policy =
    ///     "{version: '1', default: deny, tools: {t: {rules: [{rate_limit: 1/hour, scope: global}]}}}".parse()?;
    /// let store = MemoryStore::new();
    /// let server = |name| Engine::builder(policy.clone()).store(store.namespaced(name)).build();
    /// let (mail, files, mail_again) = (server("mail"), server("files"), server("mail"));
    /// let passes = |engine: &Engine| engine.evaluate_json("t", "{}", &Identity::absent()).allowed();
    /// assert!(passes(&mail) && passes(&files) && !passes(&mail_again));
    /// # Ok::<(), callgate::PolicyError>(())
    /// ```
    pub fn namespaced(&self, name: &str) -> Arc<MemoryStore> {
        let mut namespaces = self.namespaces.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(namespace) = namespaces.get(name) {
            return namespace.clone();
        }
        let namespace = Arc::new(Self::new());
        namespaces.insert(name.into(), namespace.clone());
        namespace
    }

    /// Advances the store's time. A sweep calls this before it takes locks.
    fn advance(&self, now: Timestamp) {
        if now.as_millis() > self.latest.load(Ordering::Relaxed) {
            self.latest.fetch_max(now.as_millis(), Ordering::Relaxed);
        }
    }

    /// The time used in place of `now`. Called under the locks: a sweep of these shards advanced the time before it took the
    /// lock, so what it dropped has ended by the time that is read here.
    fn time(&self, now: Timestamp) -> Timestamp {
        now.max(Timestamp::from_millis(self.latest.load(Ordering::Relaxed)))
    }

    /// Any batch: locks its shards, judges all bounds, and applies all charges or none.
    fn decide(&self, batch: &Batch<'_>, given: Timestamp, intent: Intent) -> BatchOutcome {
        if intent == Intent::Take {
            self.advance(given);
        }
        let (places, mut held) = self.hold(batch);
        let now = self.time(given);
        if intent == Intent::Take {
            held.iter_mut().for_each(|shard| shard.tidy(now));
            if let Some(usage) = charge_all(batch, &places, &mut held, now) {
                return BatchOutcome { verdict: Verdict::Reserved, usage, now: given };
            }
        }
        let mut seen: SmallVec<[Seen<'_>; 2]> = SmallVec::with_capacity(places.len());
        for (slot, place) in batch.slots.iter().zip(&places) {
            let shard = at_held(&held, place);
            let standing = shard.standing(slot.counter, place.hash, slot.scope.as_bytes(), now);
            seen.push(Seen { standing, added: place.added });
        }
        let refusals = judge(batch, &seen);
        let verdict = if !refusals.is_empty() {
            Verdict::Refused(refusals)
        } else {
            self.approve(batch, &seen, now, intent)
        };
        let taken = verdict == Verdict::Reserved;
        let usage: SmallVec<[Usage; 2]> = seen.iter().map(|seen| batch.usage(seen, taken)).collect();
        drop(seen);
        if taken && intent == Intent::Take {
            for ((slot, place), usage) in batch.slots.iter().zip(&places).zip(&usage) {
                if let Some(charge) = slot.charge {
                    let (scope, micros) = (slot.scope.as_bytes(), charge.as_micros());
                    let charged = Charged { counter: slot.counter, scope, stamp: usage.stamp, micros };
                    at_held_mut(&mut held, place).charge(charged, place.hash, now);
                }
            }
        }
        BatchOutcome { verdict, usage, now: given }
    }

    /// Locks every shard that the batch touches, in ascending order and each once.
    fn hold(&self, batch: &Batch<'_>) -> (SmallVec<[Place; 2]>, SmallVec<[MutexGuard<'_, Shard>; 4]>) {
        let mut slots: SmallVec<[(usize, u64, usize); 4]> = SmallVec::with_capacity(batch.slots.len());
        let mut places: SmallVec<[Place; 2]> = SmallVec::with_capacity(batch.slots.len());
        for (index, slot) in batch.slots.iter().enumerate() {
            let hash = hash_key(&self.seed, slot.counter.id, slot.scope.as_bytes());
            let added = slot.charge.unwrap_or_default().as_micros();
            slots.push((shard_of(hash), hash, index));
            places.push(Place { hash, held: 0, added });
        }
        slots.sort_unstable();
        let mut held: SmallVec<[MutexGuard<'_, Shard>; 4]> = SmallVec::new();
        let mut last = None;
        for (shard, _, index) in &slots {
            if last != Some(*shard) {
                held.push(self.lock(*shard));
                last = Some(*shard);
            }
            if let Some(place) = places.get_mut(*index) {
                place.held = held.len().saturating_sub(1);
            }
        }
        merge_repeated(batch, &slots, &mut places);
        (places, held)
    }

    /// Uses the approval of a batch that needs one and that no bound refuses.
    fn approve(&self, batch: &Batch<'_>, seen: &[Seen<'_>], now: Timestamp, intent: Intent) -> Verdict {
        if !batch.asks && batch.guards.iter().all(|guard| guard.mode != GuardMode::AskAll) {
            return Verdict::Reserved;
        }
        let mut approvals = self.spent();
        match judge_approval(batch, seen, now, |id| approvals.used(id)) {
            Approved::Unasked => Verdict::Reserved,
            Approved::Asks(guards) => Verdict::Asks(guards),
            Approved::Spent => Verdict::ApprovalSpent,
            Approved::Spends => {
                if let (Intent::Take, Some(grant)) = (intent, &batch.approval) {
                    approvals.spend(&grant.id, now);
                }
                Verdict::Reserved
            }
        }
    }

    fn spent(&self) -> MutexGuard<'_, SpentIds> {
        self.approvals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn calls(&self) -> MutexGuard<'_, FiledCalls> {
        self.filed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks a shard. A poisoned lock is still taken: a shard never panics between two writes that belong together, so its
    /// state is whole, and refusing for ever would help nobody.
    #[expect(clippy::indexing_slicing, reason = "masked to the number of shards")]
    fn lock(&self, shard: usize) -> MutexGuard<'_, Shard> {
        self.shards[shard & (SHARDS - 1)].0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The shard of a key. A table within it uses the lowest and the highest seven bits of the hash; these are others, or
/// every table would be crowded in a 64th of its buckets.
fn shard_of(hash: u64) -> usize {
    (hash >> 48) as usize & (SHARDS - 1)
}

/// A batch must not name a counter twice for one scope value. If it does, its charges are added together, so that the maximum
/// still holds. `slots` is sorted, which puts equal keys side by side.
fn merge_repeated(batch: &Batch<'_>, slots: &[(usize, u64, usize)], places: &mut [Place]) {
    let same =
        |left: &(usize, u64, usize), right: &(usize, u64, usize)| {
            left.1 == right.1
                && batch.slots.get(left.2).zip(batch.slots.get(right.2)).is_some_and(|(left, right)| {
                    left.counter.id == right.counter.id && left.scope == right.scope
                })
        };
    for run in slots.chunk_by(same).filter(|run| run.len() > 1) {
        let added = |(_, _, index): &(usize, u64, usize)| places.get(*index).map_or(0, |place| place.added);
        let total = run.iter().map(added).fold(0, i64::saturating_add);
        for (_, _, index) in run {
            if let Some(place) = places.get_mut(*index) {
                place.added = total;
            }
        }
    }
}

/// Charges counters that are all fixed, live, and stay within their maxima: one look-up for each. `None` has changed nothing
/// visible; the batch is then judged.
fn charge_all(
    batch: &Batch<'_>,
    places: &[Place],
    held: &mut [MutexGuard<'_, Shard>],
    now: Timestamp,
) -> Option<SmallVec<[Usage; 2]>> {
    if !batch.guards.is_empty() || batch.asks {
        return None;
    }
    let mut usage = SmallVec::with_capacity(places.len());
    for (slot, place) in batch.slots.iter().zip(places) {
        let charge = slot.charge.map_or(0, Amount::as_micros);
        // One that is named twice is charged with both together.
        let charged = if charge == place.added {
            let shard = at_held_mut(held, place);
            shard.charge_within(slot.counter, place.hash, &slot.scope, now, charge, slot.max)
        } else {
            None
        };
        match charged {
            Some(charged) => usage.push(charged),
            None => {
                for ((slot, place), usage) in batch.slots.iter().zip(places).zip(&usage) {
                    let Usage { stamp, .. } = *usage;
                    let shard = at_held_mut(held, place);
                    shard.refund(slot.counter.id, place.hash, slot.scope.as_bytes(), stamp, place.added, now);
                }
                return None;
            }
        }
    }
    Some(usage)
}

#[expect(clippy::indexing_slicing, reason = "`hold` made the index of the lock that it pushed")]
fn at_held<'h>(held: &'h [MutexGuard<'_, Shard>], place: &Place) -> &'h Shard {
    &held[place.held]
}

#[expect(clippy::indexing_slicing, reason = "`hold` made the index of the lock that it pushed")]
fn at_held_mut<'h>(held: &'h mut [MutexGuard<'_, Shard>], place: &Place) -> &'h mut Shard {
    &mut held[place.held]
}

impl Store for MemoryStore {
    fn is_in_memory(&self) -> bool {
        true
    }

    fn reserve(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        Ok(self.decide(batch, now, Intent::Take))
    }

    /// One hash, one lock and one look-up, whether the charge passes or not.
    fn charge_one(&self, slot: &Slot<'_>, given: Timestamp) -> Result<BatchOutcome, StoreError> {
        let hash = hash_key(&self.seed, slot.counter.id, slot.scope.as_bytes());
        self.advance(given);
        let mut shard = self.lock(shard_of(hash));
        let now = self.time(given);
        shard.tidy(now);
        let (usage, refusal) = shard.charge_one(slot, hash, now);
        drop(shard);
        let verdict = refusal.map_or(Verdict::Reserved, |refusal| Verdict::Refused(smallvec![refusal]));
        Ok(BatchOutcome { verdict, usage: smallvec![usage], now: given })
    }

    fn peek(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        Ok(self.decide(batch, now, Intent::Ask))
    }

    fn settle(&self, settlements: &[Settlement<'_>], now: Timestamp) -> Result<(), StoreError> {
        self.settle_all(settlements, now);
        Ok(())
    }

    fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.advance(now);
        let mut dropped = 0_usize;
        for shard in 0..SHARDS {
            let mut shard = self.lock(shard);
            dropped = dropped.saturating_add(shard.purge(self.time(now)));
        }
        let now = self.time(now);
        self.calls().purge(now);
        self.spent().purge(now);
        Ok(dropped)
    }
}

impl Inspect for MemoryStore {
    fn each(&self, now: Timestamp, show: &mut dyn FnMut(LiveCounter)) -> Result<(), StoreError> {
        for shard in 0..SHARDS {
            // Called without the lock: the callback may be slow, or ask for a reset.
            let held = {
                let shard = self.lock(shard);
                shard.held(self.time(now))
            };
            held.into_iter().for_each(&mut *show);
        }
        Ok(())
    }

    fn reset(&self, counter: CounterId, scope: &ScopeValue, now: Timestamp) -> Result<bool, StoreError> {
        let hash = hash_key(&self.seed, counter, scope.as_bytes());
        let mut shard = self.lock(shard_of(hash));
        let now = self.time(now);
        let held = shard.reset(counter, hash, scope.as_bytes(), now);
        if held {
            // What is charged from here on has a later time than anything before, which a refund may still name.
            self.advance(now.plus_millis(1));
        }
        Ok(held)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

/// Names no counter and no scope value, and waits for no lock.
impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}
