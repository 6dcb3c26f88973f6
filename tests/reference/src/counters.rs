//! Counters as logs of every charge (section 8): nothing is summed up, dropped or forgotten.

use std::collections::BTreeSet;

use crate::decimal::LARGEST;
use crate::json::Json;
use crate::mistake::{Mistake::*, is_made};
use crate::payment::{Counter, Refund};
use crate::policy::Item;
use crate::state;

/// Live charges that one sliding window keeps (clause 11).
const LIVE: usize = 10_000;

/// A counter of a batch.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) counter: Counter,
    pub(crate) scope: Vec<String>,
    /// What the call and the one inside of it pay, each for itself (clause 3.11).
    pub(crate) paid: Vec<Paid>,
    /// What is charged.
    pub(crate) charge: Option<i128>,
    /// Each item's part of it.
    pub(crate) parts: Vec<Part>,
    /// The maximum that holds for the call.
    pub(crate) max: Option<i128>,
    /// The tool, and the entry that pays.
    pub(crate) payer: (Option<Json>, Option<String>),
}

/// What one level of a call pays.
#[derive(Debug, Clone)]
pub(crate) struct Paid {
    pub(crate) level: usize,
    pub(crate) sum: i128,
    pub(crate) parts: Vec<Part>,
}

/// What one item pays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) amount: i128,
    pub(crate) settles: bool,
    pub(crate) refund: Refund,
}

/// Clause 8.1: what a call charges and what must hold.
pub(crate) struct Batch {
    pub(crate) slots: Vec<Slot>,
    pub(crate) bounds: Vec<Bound>,
    /// The state conditions of each rule that may ask for approval, by its number among those that count.
    pub(crate) asking: Vec<(usize, Vec<(usize, Json)>)>,
}

impl Batch {
    /// The state conditions of a rule that may ask.
    pub(crate) fn tests_of(&self, number: usize) -> Option<&[(usize, Json)]> {
        self.asking.iter().find(|(of, _)| *of == number).map(|(_, tests)| tests.as_slice())
    }
}

/// One thing that must hold, and the rule that says so.
pub(crate) struct Bound {
    pub(crate) item: Item,
    pub(crate) kind: Kind,
}

pub(crate) enum Kind {
    /// The charge must fit; with an amount that alone.
    Max(usize, Option<i128>),
    /// A state condition of a permit place must hold.
    Needs(usize, Json),
    /// The state conditions of a block place must not all hold.
    Blocks(Vec<(usize, Json)>),
}

/// A charge that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    key: Vec<String>,
    counter: TakenFrom,
    /// Its place in the log; a charge of 0 has none.
    index: Option<usize>,
    pub(crate) amount: i128,
    pub(crate) parts: Vec<Part>,
}

/// What was charged.
#[derive(Debug, Clone, PartialEq, Eq)]
struct TakenFrom {
    name: String,
    sliding: bool,
    window: crate::time::Window,
    calendar: crate::calendar::Calendar,
    max: Option<i128>,
}

impl Taken {
    /// The name of its counter or budget.
    pub(crate) fn counter(&self) -> &str {
        &self.counter.name
    }

    /// Clause 8.14: whether the host may say what it really was.
    pub(crate) fn settles(&self) -> bool {
        self.parts.iter().any(|part| part.settles)
    }

    /// What of it goes by this.
    pub(crate) fn sum_of(&self, of: impl Fn(&Part) -> bool) -> i128 {
        self.parts.iter().filter(|part| of(part)).map(|part| part.amount).sum()
    }
}

/// A charge in the log: its time, or the start of its fixed window; and what is left of it.
#[derive(Debug, Clone)]
struct Entry {
    at: i64,
    /// When it was made. It counts from later where what another call cost has joined it (clause 8.14).
    made_at: i64,
    amount: i128,
}

/// What a counter holds at a time.
pub(crate) struct Standing {
    pub(crate) used: i128,
    /// None where it never does (clause 8.18).
    pub(crate) resets_at: Option<i64>,
    /// The time or the window that a charge would get.
    at: i64,
    /// Times with live charges.
    live: usize,
}

/// Every counter's log.
#[derive(Clone, Default)]
pub(crate) struct Logs {
    logs: Vec<(Vec<String>, Vec<Entry>)>,
    /// Clause 8.4: the latest time at which a batch was decided.
    latest: i64,
}

impl Slot {
    /// Clause 8.6: the identity of a counter.
    fn key(&self) -> Vec<String> {
        let counter = &self.counter;
        let mut key = vec![
            format!("{} {} {:?}", counter.is_budget, counter.of_method, counter.entry),
            format!("{:?}", counter.layer.as_ref().filter(|_| !is_made(LayersShareCounters))),
            counter.name.clone(),
            format!("{:?}", counter.window),
            counter.sliding.to_string(),
            format!("{:?}", counter.scope),
            format!("{:?}", counter.calendar),
        ];
        if counter.is_budget && is_made(BudgetOfTool) {
            key.push(format!("{:?}", self.payer.0));
        }
        if counter.is_budget && is_made(BudgetOfEntry) {
            key.push(format!("{:?}", self.payer.1));
        }
        key.extend(self.scope.clone());
        key
    }
}

impl Logs {
    fn log(&self, key: &[String]) -> &[Entry] {
        self.logs.iter().find(|(of, _)| of == key).map_or(&[], |(_, log)| log)
    }

    fn log_mut(&mut self, key: &[String]) -> &mut Vec<Entry> {
        if !self.logs.iter().any(|(of, _)| of == key) {
            self.logs.push((key.to_vec(), vec![]));
        }
        &mut self.logs.iter_mut().find(|(of, _)| of == key).expect("it was just made").1
    }

    /// Notes that a batch is decided.
    pub(crate) fn decide_at(&mut self, now: i64) {
        self.latest = self.latest.max(now);
    }

    /// The time of what is decided now (clause 8.4: time does not run back).
    pub(crate) fn time(&self, now: i64) -> i64 {
        now.max(self.latest)
    }

    /// How a counter stands.
    pub(crate) fn standing(&self, slot: &Slot, now: i64) -> Standing {
        self.stands(&slot.key(), &TakenFrom::of(slot), now)
    }

    fn stands(&self, key: &[String], counter: &TakenFrom, now: i64) -> Standing {
        let log = self.log(key);
        let window = &counter.window;
        let now = self.time(now);
        if counter.sliding {
            // Clause 8.3: the half-open interval of the window's length that ends now; clause 8.10: without what was taken back whole.
            let is_live = |entry: &&Entry| entry.at > now - window.length() && entry.amount > 0;
            let live: Vec<&Entry> = log.iter().filter(is_live).collect();
            let last = live.iter().map(|entry| entry.at).max();
            let at = window.charged_at(now);
            Standing {
                used: live.iter().map(|entry| entry.amount).sum(),
                resets_at: Some(last.map_or(now, |last| last + window.length())),
                at,
                live: live
                    .iter()
                    .map(|entry| entry.at)
                    .filter(|time| *time != at)
                    .collect::<BTreeSet<_>>()
                    .len(),
            }
        } else {
            let (start, end) = counter.calendar.window_at(window, now);
            Standing {
                used: log.iter().filter(|entry| entry.at == start).map(|entry| entry.amount).sum(),
                resets_at: end,
                at: start,
                live: 0,
            }
        }
    }

    /// Writes a charge down; one of 0 leaves no trace (clause 8.2).
    pub(crate) fn charge(&mut self, slot: &Slot, now: i64) -> Option<Taken> {
        let amount = slot.charge?;
        let at = self.standing(slot, now).at;
        let log = self.log_mut(&slot.key());
        let index = (amount > 0).then_some(log.len());
        log.extend(index.map(|_| Entry { at, made_at: at, amount }));
        Some(Taken {
            key: slot.key(),
            counter: TakenFrom::of(slot),
            index,
            amount,
            parts: slot.parts.clone(),
        })
    }

    /// Clause 8.14: a charge becomes this amount.
    pub(crate) fn become_of(&mut self, taken: &Taken, actual: i128, now: i64) {
        if actual <= taken.amount {
            self.refund(taken, taken.amount - actual, now);
        } else {
            self.surcharge(taken, actual - taken.amount, now);
        }
    }

    /// Clause 8.10: takes some of a charge back, only in the window that was charged.
    fn refund(&mut self, taken: &Taken, amount: i128, now: i64) {
        let now = self.time(now);
        let Some(index) = taken.index else { return };
        let Entry { at, made_at, .. } = self.log_mut(&taken.key)[index];
        let is_current = if taken.counter.sliding {
            at > now - taken.counter.window.length()
        } else {
            at == taken.counter.calendar.window_at(&taken.counter.window, now).0
        };
        if is_current && at == made_at {
            self.log_mut(&taken.key)[index].amount -= amount;
        }
    }

    /// Clause 8.14: what a call cost beyond its charge is a charge of its own, which nothing refuses.
    fn surcharge(&mut self, taken: &Taken, more: i128, now: i64) {
        self.decide_at(now);
        let standing = self.stands(&taken.key, &taken.counter, now);
        if is_made(SurchargeRefused) && taken.counter.max.is_some_and(|max| standing.used + more > max) {
            return;
        }
        let amount = more.min(LARGEST - standing.used);
        let at = match taken.index {
            Some(index) if is_made(SurchargeInOldWindow) => self.log(&taken.key)[index].at,
            _ => standing.at,
        };
        let log = self.log_mut(&taken.key);
        if taken.counter.sliding && standing.live >= LIVE {
            // It joins the newest charge, which then counts from now.
            let newest = log.iter().map(|entry| entry.at).max();
            log.iter_mut().filter(|entry| Some(entry.at) == newest).for_each(|entry| entry.at = at);
        }
        if amount > 0 {
            log.push(Entry { at, made_at: at, amount });
        }
    }

    /// Clause 8.9: the least whole number of seconds from which on every bound that refused would hold for good.
    pub(crate) fn retry_after(&self, batch: &Batch, refused: &[&Bound], now: i64) -> Option<i64> {
        let moments: Option<Vec<i64>> =
            refused.iter().map(|bound| bound.holds_for_good(batch, self, now)).collect();
        moments?.into_iter().max().map(|moment| (moment - now + 999) / 1_000)
    }

    /// When something changes: a window ends, or a charge leaves one.
    fn changes(&self, batch: &Batch, now: i64) -> BTreeSet<i64> {
        let mut changes = BTreeSet::new();
        for slot in &batch.slots {
            changes.extend(self.standing(slot, now).resets_at);
            if slot.counter.sliding {
                let log = self.log(&slot.key());
                changes.extend(log.iter().map(|entry| entry.at + slot.counter.window.length()));
            }
        }
        changes.retain(|change| *change > now);
        changes
    }
}

/// The earliest of these moments from which on something is true at all of them.
fn for_good(moments: &BTreeSet<i64>, is_true: impl Fn(i64) -> bool) -> Option<i64> {
    moments.iter().copied().find(|from| moments.range(from..).all(|moment| is_true(*moment)))
}

impl TakenFrom {
    fn of(slot: &Slot) -> TakenFrom {
        TakenFrom {
            name: slot.counter.name.clone(),
            sliding: slot.counter.sliding,
            window: slot.counter.window.clone(),
            calendar: slot.counter.calendar.clone(),
            max: slot.max,
        }
    }
}

/// Clause 6.7: whether a rule that may ask does: all of its state conditions hold, with the charge added.
pub(crate) fn asks(batch: &Batch, tests: &[(usize, Json)], logs: &Logs, now: i64) -> bool {
    tests.iter().all(|(slot, condition)| {
        let charge = batch.slots[*slot].charge.filter(|_| is_made(AskWithoutCharge));
        state::holds(condition, Bound::reads(batch, *slot, logs, now) - charge.unwrap_or(0))
    })
}

impl Bound {
    /// Clauses 8.5 and 8.8: what a condition reads: with the charge, if the call charges the counter.
    fn reads(batch: &Batch, slot: usize, logs: &Logs, now: i64) -> i128 {
        let slot = &batch.slots[slot];
        logs.standing(slot, now).used + slot.charge.unwrap_or(0)
    }

    /// The maximum of the policy that the charge would exceed.
    pub(crate) fn exceeded(batch: &Batch, slot: usize, logs: &Logs, now: i64) -> Option<i128> {
        let max = batch.slots[slot].max.filter(|max| *max < LARGEST)?;
        (Self::reads(batch, slot, logs, now) > max).then_some(max)
    }

    /// Clause 8.8: whether the sum would be too large.
    pub(crate) fn overflows(batch: &Batch, slot: usize, logs: &Logs, now: i64) -> bool {
        Self::reads(batch, slot, logs, now) > LARGEST
    }

    /// Whether it lets the call through.
    pub(crate) fn holds(&self, batch: &Batch, logs: &Logs, now: i64) -> bool {
        match &self.kind {
            Kind::Max(index, alone) => {
                let slot = &batch.slots[*index];
                let standing = logs.standing(slot, now);
                let charge = alone.or(slot.charge).unwrap_or(0);
                let full = slot.counter.sliding && charge > 0 && standing.live >= LIVE;
                !full && standing.used + charge <= slot.max.unwrap_or(LARGEST)
            }
            Kind::Needs(slot, condition) => state::holds(condition, Self::reads(batch, *slot, logs, now)),
            Kind::Blocks(tests) => !tests
                .iter()
                .all(|(slot, condition)| state::holds(condition, Self::reads(batch, *slot, logs, now))),
        }
    }

    /// Clause 8.9: from when on it holds for good.
    fn holds_for_good(&self, batch: &Batch, logs: &Logs, now: i64) -> Option<i64> {
        let moments = logs.changes(batch, now);
        match &self.kind {
            Kind::Blocks(tests) => {
                let fails_for_good = |(slot, condition): &(usize, Json)| {
                    for_good(&moments, |moment| {
                        !state::holds(condition, Self::reads(batch, *slot, logs, moment))
                    })
                };
                tests.iter().filter_map(fails_for_good).min()
            }
            _ => for_good(&moments, |moment| self.holds(batch, logs, moment)),
        }
    }

    /// Clause 8.8: the code of a refusal.
    pub(crate) fn code(&self, batch: &Batch, logs: &Logs, now: i64) -> &'static str {
        // Whether no amount from what is read upwards is admitted.
        let is_above = |slot: usize, condition: &Json, admits: bool| {
            let reads = Self::reads(batch, slot, logs, now).min(LARGEST);
            let mut amounts = state::borders(condition);
            amounts.extend([0, reads, LARGEST]);
            let admits_from = |least: i128| {
                let mut amounts = amounts.iter().filter(|amount| (least..=LARGEST).contains(amount));
                amounts.any(|amount| state::holds(condition, *amount) == admits)
            };
            admits_from(0) && !admits_from(reads)
        };
        match &self.kind {
            Kind::Max(..) => "limit_exceeded",
            Kind::Needs(slot, condition) if is_above(*slot, condition, true) => "limit_exceeded",
            Kind::Needs(..) => "condition_failed",
            Kind::Blocks(tests) if tests.iter().any(|(slot, test)| is_above(*slot, test, false)) => {
                "limit_exceeded"
            }
            Kind::Blocks(_) => "denied",
        }
    }
}
