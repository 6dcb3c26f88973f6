//! The open file: transactions, and the jobs within them.
//!
//! In: jobs. Out: answers, which hold once the transaction is committed. A batch is read and judged before any of it is
//! written, so a refused one has nothing to undo. Must hold the file's write lock from the first read on, or another process
//! could charge in between.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use callgate::store::judge::{Approved, Seen, judge, judge_approval};
use callgate::store::{Batch, BatchOutcome, CounterId, Settlement, Slot, Verdict};
use callgate::time::Timestamp;
use callgate::{Amount, StoreError};
use rusqlite::{Connection, Result};
use smallvec::SmallVec;

use crate::approval;
use crate::clock::{Clock, LEAP};
use crate::counter::{self, Found};
use crate::error::{Refused, is_undone, store_error};
use crate::expire::{Expired, expire};
use crate::filed;
use crate::job::{Answer, Job, Request};
use crate::listing;
use crate::namespace::{Generation, Namespace};
use crate::place::Opened;
use crate::row_cache::RowCache;
use crate::rows::{Adding, Key};
use crate::tables::{is_ours, space};

/// Expired rows that a transaction deletes for each row that it may have added, and beside them. So no backlog grows, and no
/// caller pays for much.
const FORGET_EACH: usize = 2;
const FORGET_MORE: usize = 8;
/// How long to wait before the next search for expired rows, in milliseconds, after one that found none.
const LOOK_AGAIN: i64 = LEAP;
/// How often to check that the path still leads to the open file. On some systems that takes as long as a charge.
const LOOKS_EVERY: Duration = Duration::from_millis(10);
/// Rows that one step of a purge deletes.
const PURGE_STEP: usize = 256;

/// A connection to the file.
pub(crate) struct Ledger {
    connection: Connection,
    rows: RowCache,
    /// Which opening of the file this is: the numbers of namespaces hold for it alone.
    generation: Generation,
    opened: Opened,
    /// When the path was last checked.
    looked: Instant,
    clock: Clock,
    /// When to search for expired rows next.
    look_at: Timestamp,
    /// Rows that the transaction may have added. If any, the file's clock is stored.
    added: usize,
    /// The latest time of a job in the transaction.
    now: Timestamp,
}

impl Ledger {
    pub(crate) fn new(connection: Connection, opened: Opened) -> Self {
        let (look_at, now) = (Timestamp::MIN, Timestamp::MIN);
        Self {
            connection,
            rows: RowCache::new(),
            generation: Generation::next(),
            opened,
            looked: Instant::now(),
            clock: Clock::default(),
            look_at,
            added: 0,
            now,
        }
    }

    /// Whether the path still leads to the open file. Nobody else would see charges to a file that was removed or replaced.
    pub(crate) fn is_in_place(&mut self) -> bool {
        let now = Instant::now();
        if now.saturating_duration_since(self.looked) < LOOKS_EVERY {
            return true;
        }
        self.looked = now;
        let is_in_place = self.opened.is_in_place();
        if !is_in_place {
            self.opened.clear_away();
        }
        is_in_place
    }

    /// Begins a transaction, with the file's write lock. Does not wait for other processes.
    pub(crate) fn begin(&mut self) -> std::result::Result<(), Refused> {
        self.run("BEGIN IMMEDIATE")?;
        if self.rows.confirm(&self.connection)? {
            is_ours(&self.connection)?;
            self.clock.refresh();
        }
        (self.added, self.now) = (0, Timestamp::MIN);
        Ok(())
    }

    /// Does a job within the transaction.
    pub(crate) fn execute(&mut self, job: Job<'_, '_>) -> std::result::Result<Answer, StoreError> {
        self.done(job).map_err(|error| store_error(&error))
    }

    /// Deletes some expired rows if it is time to, and commits.
    pub(crate) fn commit(&mut self) -> std::result::Result<(), StoreError> {
        self.tidy().map_err(|error| store_error(&error).certainly_undone())?;
        self.run("COMMIT").map_err(|error| {
            let told = store_error(&error);
            if is_undone(&error) { told.certainly_undone() } else { told }
        })
    }

    fn run(&self, statement: &str) -> Result<()> {
        self.connection.prepare_cached(statement)?.execute([])?;
        Ok(())
    }

    fn done(&mut self, job: Job<'_, '_>) -> Result<Answer> {
        let Job { namespace, request } = job;
        let space = self.space(namespace)?;
        match request {
            Request::Reserve(batch, now) => self.reserve(space, batch, now).map(Answer::Outcome),
            Request::Peek(batch, now) => Ok(Answer::Outcome(self.judged(space, batch, now)?.outcome)),
            Request::Settle(settlements, now) => {
                for settlement in settlements {
                    self.settle(space, settlement, now)?;
                }
                Ok(Answer::Settled)
            }
            Request::Reset(id, scope, now) => {
                let key = Key { space, id: id.as_bytes(), scope: scope.as_bytes() };
                self.rows.forget(&key);
                let passed = self.writes(now)?;
                counter::reset(&self.connection, &key, now, passed).map(Answer::Reset)
            }
            Request::Page(after, now) => listing::page(&self.connection, space, after, now).map(Answer::Page),
            Request::Sweep(now) => {
                self.clock.jump(&self.connection, now)?;
                let Expired { counters, rows } = self.expire(PURGE_STEP)?;
                Ok(Answer::Swept { counters, is_done: rows < PURGE_STEP })
            }
            Request::File(request, now) => {
                let passed = self.writes(now)?;
                filed::file(&self.connection, space, request, now, passed).map(Answer::Filed)
            }
            Request::Filed(now) => filed::standing(&self.connection, space, now).map(Answer::Records),
            Request::Find(id, now) => {
                let found = filed::find(&self.connection, space, id, now)?;
                Ok(Answer::Found(found.map(Box::new)))
            }
            Request::Answer(id, answer, now) => {
                let passed = self.writes(now)?;
                filed::answer(&self.connection, space, id, answer, now, passed).map(Answer::Answered)
            }
            Request::Namespaces => filed::namespaces(&self.connection).map(Answer::Namespaces),
        }
    }

    /// Notes a row that a caller at `now` may add, and returns the file's clock.
    fn writes(&mut self, now: Timestamp) -> Result<i64> {
        (self.now, self.added) = (self.now.max(now), self.added.saturating_add(1));
        self.clock.advance(&self.connection, now)
    }

    /// The number of the namespace in this file.
    fn space(&self, namespace: &Namespace) -> Result<i64> {
        namespace.number(self.generation, |name| space(&self.connection, name))
    }

    fn reserve(&mut self, space: i64, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome> {
        let Judged { outcome, slots, spends } = self.judged(space, batch, now)?;
        self.now = self.now.max(now);
        if outcome.verdict != Verdict::Reserved {
            return Ok(outcome);
        }
        let passed = self.clock.advance(&self.connection, now)?;
        let Self { connection, rows: known, added: rows, .. } = self;
        let mut adding = Adding::new(connection, space);
        for (slot, Looked { found, added, is_first }) in batch.slots.iter().zip(&slots) {
            // A charge of zero leaves no trace (spec 8.2).
            if *added > 0 && *is_first {
                found.charge(connection, &mut adding, known, space, slot, *added, passed)?;
                *rows = rows.saturating_add(2);
            }
        }
        if spends && let Some(grant) = &batch.approval {
            approval::spend(connection, space, &grant.id, passed)?;
            *rows = rows.saturating_add(1);
        }
        Ok(outcome)
    }

    /// Makes a charge what it really cost: takes back what was too much, or charges what was too little.
    fn settle(&mut self, space: i64, settlement: &Settlement<'_>, now: Timestamp) -> Result<()> {
        let Settlement { counter, scope, stamp, charged, actual } = *settlement;
        let difference = actual.as_micros().saturating_sub(charged.as_micros());
        if difference <= 0 {
            let id = counter.id();
            let key = Key { space, id: id.as_bytes(), scope: scope.as_bytes() };
            self.rows.forget(&key);
            return counter::take_back(&self.connection, &key, counter, stamp, difference.saturating_neg());
        }
        let slot = Slot { counter, scope: scope.clone(), charge: None, max: Amount::MAX, order: 0 };
        let found = Found::read(&self.connection, &mut self.rows, space, &slot, now)?;
        let added = difference.min(found.room());
        if added == 0 {
            return Ok(());
        }
        let passed = self.writes(now)?;
        // A charge may make two rows.
        self.added = self.added.saturating_add(1);
        let Self { connection, rows, .. } = self;
        found.charge(connection, &mut Adding::new(connection, space), rows, space, &slot, added, passed)
    }

    /// Whether the batch passes, and the state of its counters.
    fn judged(&mut self, space: i64, batch: &Batch<'_>, now: Timestamp) -> Result<Judged> {
        let (connection, known) = (&self.connection, &mut self.rows);
        let mut slots: SmallVec<[Looked; 2]> = SmallVec::with_capacity(batch.slots.len());
        let sums = (batch.slots.len() > FEW).then(|| Sums::of(batch));
        for (index, slot) in batch.slots.iter().enumerate() {
            let found = Found::read(connection, known, space, slot, now)?;
            let (added, is_first) = match &sums {
                Some(sums) => sums.added(index, slot),
                None => added(batch, index, slot),
            };
            slots.push(Looked { found, added, is_first });
        }
        let mut refusals = judge(batch, &seen(&slots));
        if !refusals.is_empty() {
            // Until when a bound refuses depends on the charges of sliding windows. A batch that passes need not read them.
            let tested: HashSet<usize> =
                batch.guards.iter().flat_map(|guard| &guard.tests).map(|test| test.slot).collect();
            for (index, (slot, looked)) in batch.slots.iter().zip(&mut slots).enumerate() {
                let enough = if tested.contains(&index) {
                    i64::MAX
                } else {
                    looked.found.excess(slot, looked.added).max(1)
                };
                looked.found.read_charges(connection, space, slot, enough)?;
            }
            refusals = judge(batch, &seen(&slots));
        }
        let mut spends = false;
        let verdict = if refusals.is_empty() {
            match approved(connection, space, batch, &seen(&slots), now)? {
                Approved::Unasked => Verdict::Reserved,
                Approved::Spends => {
                    spends = true;
                    Verdict::Reserved
                }
                Approved::Asks(guards) => Verdict::Asks(guards),
                Approved::Spent => Verdict::ApprovalSpent,
            }
        } else {
            Verdict::Refused(refusals)
        };
        let taken = verdict == Verdict::Reserved;
        let usage = seen(&slots).iter().map(|seen| batch.usage(seen, taken)).collect();
        Ok(Judged { outcome: BatchOutcome { verdict, usage, now }, slots, spends })
    }

    fn expire(&mut self, limit: usize) -> Result<Expired> {
        self.rows.forget_all();
        let passed = self.clock.note(&self.connection)?;
        expire(&self.connection, passed, limit)
    }

    fn tidy(&mut self) -> Result<()> {
        // A clock that ran back must not postpone this for ever.
        let is_due = self.now >= self.look_at || self.now.plus_millis(LOOK_AGAIN) < self.look_at;
        if self.added == 0 || !is_due {
            return Ok(());
        }
        let limit = self.added.saturating_mul(FORGET_EACH).saturating_add(FORGET_MORE);
        let Expired { rows, .. } = self.expire(limit)?;
        self.look_at = if rows < limit { self.now.plus_millis(LOOK_AGAIN) } else { self.now };
        Ok(())
    }
}

/// A batch that was judged.
struct Judged {
    outcome: BatchOutcome,
    slots: SmallVec<[Looked; 2]>,
    /// Whether it uses its approval once more.
    spends: bool,
}

/// One slot of a judged batch.
struct Looked {
    found: Found,
    /// What the batch adds to the counter, in units of 10^-6.
    added: i64,
    /// Whether no slot before names the same counter.
    is_first: bool,
}

/// Whether a batch that no bound refuses needs an approval, and has one. The time is the caller's: no counter says when an approval ends.
fn approved(
    connection: &Connection,
    space: i64,
    batch: &Batch<'_>,
    seen: &[Seen<'_>],
    now: Timestamp,
) -> Result<Approved> {
    let mut failed = None;
    let used = |id: &str| {
        approval::used(connection, space, id).unwrap_or_else(|error| {
            failed = Some(error);
            u32::MAX
        })
    };
    let approved = judge_approval(batch, seen, now, used);
    failed.map_or(Ok(approved), Err)
}

fn seen(slots: &[Looked]) -> SmallVec<[Seen<'_>; 2]> {
    slots.iter().map(|Looked { found, added, .. }| found.seen(*added)).collect()
}

/// Slots that are compared with one another. More are looked up.
const FEW: usize = 16;

/// What a batch of many slots adds to each counter for each scope value, and which slot names it first.
struct Sums<'b>(HashMap<(CounterId, &'b [u8]), (i64, usize)>);

impl<'b> Sums<'b> {
    fn of(batch: &'b Batch<'_>) -> Self {
        let mut sums = HashMap::with_capacity(batch.slots.len());
        for (index, slot) in batch.slots.iter().enumerate() {
            let (sum, _) = sums.entry((slot.counter.id(), slot.scope.as_bytes())).or_insert((0_i64, index));
            *sum = sum.saturating_add(slot.charge.map_or(0, Amount::as_micros));
        }
        Self(sums)
    }

    /// The same as [`added`].
    fn added(&self, index: usize, slot: &Slot<'_>) -> (i64, bool) {
        let sum = self.0.get(&(slot.counter.id(), slot.scope.as_bytes()));
        sum.map_or((0, false), |(sum, first)| (*sum, *first == index))
    }
}

/// What the batch adds to the slot's counter, and whether the slot is the first that names it. A batch must not name a
/// counter twice for one scope value. If it does, its charges are added together, so that the maximum still holds.
fn added(batch: &Batch<'_>, index: usize, slot: &Slot<'_>) -> (i64, bool) {
    let same = |other: &Slot<'_>| other.counter.id() == slot.counter.id() && other.scope == slot.scope;
    let charges = batch.slots.iter().filter(|other| same(other)).filter_map(|other| other.charge);
    let added = charges.map(Amount::as_micros).fold(0, i64::saturating_add);
    (added, !batch.slots.iter().take(index).any(same))
}
