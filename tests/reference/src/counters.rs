//! Counters as logs of every charge (section 8): nothing is summed up, dropped or forgotten.

use std::collections::BTreeSet;

use crate::decimal::LARGEST;
use crate::json::Json;
use crate::policy::{Charge, Counter, Item};
use crate::state;

/// Live charges that one sliding window keeps (clause 11).
const LIVE: usize = 10_000;

/// A counter of a batch.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) counter: Counter,
    pub(crate) scope: Vec<String>,
    pub(crate) charge: Option<i128>,
}

/// Clause 8.1: what a call charges and what must hold.
pub(crate) struct Batch {
    pub(crate) slots: Vec<Slot>,
    pub(crate) bounds: Vec<Bound>,
}

/// One thing that must hold, and the rule that says so.
pub(crate) struct Bound {
    pub(crate) item: Item,
    pub(crate) kind: Kind,
}

pub(crate) enum Kind {
    /// The charge must fit.
    Max(usize),
    /// A state condition of a permit place must hold.
    Needs(usize, Json),
    /// The state conditions of a block place must not all hold.
    Blocks(Vec<(usize, Json)>),
}

/// A charge that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    key: Vec<String>,
    sliding: bool,
    window: crate::time::Window,
    /// Its place in the log; a charge of 0 has none.
    index: Option<usize>,
    pub(crate) amount: i128,
    pub(crate) from_args: bool,
}

impl Taken {
    /// The name of its counter.
    pub(crate) fn counter(&self) -> &str {
        self.key.get(1).map_or("", String::as_str)
    }
}

/// A charge in the log: its time, or the start of its fixed window; and what is left of it.
#[derive(Debug, Clone)]
struct Entry {
    at: i64,
    amount: i128,
}

/// What a counter holds at a time.
pub(crate) struct Standing {
    pub(crate) used: i128,
    pub(crate) resets_at: i64,
    /// The time or the window that a charge would get.
    at: i64,
    /// Times with live charges.
    live: usize,
}

/// Every counter's log.
#[derive(Default)]
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
            format!("{:?}", counter.entry),
            counter.name.clone(),
            format!("{:?}", counter.window),
            counter.sliding.to_string(),
            format!("{:?}", counter.scope),
        ];
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

    /// How a counter stands.
    pub(crate) fn standing(&self, slot: &Slot, now: i64) -> Standing {
        let log = self.log(&slot.key());
        let window = &slot.counter.window;
        // Clause 8.4: time does not run back.
        let at = now.max(self.latest);
        if slot.counter.sliding {
            // Clause 8.3: the half-open interval of the window's length that ends now; clause 8.10: without what was taken back whole.
            let is_live = |entry: &&Entry| entry.at > at - window.length() && entry.amount > 0;
            let live: Vec<&Entry> = log.iter().filter(is_live).collect();
            let last = live.iter().map(|entry| entry.at).max();
            Standing {
                used: live.iter().map(|entry| entry.amount).sum(),
                resets_at: last.map_or(at, |last| last + window.length()),
                at,
                live: live
                    .iter()
                    .map(|entry| entry.at)
                    .filter(|time| *time != at)
                    .collect::<BTreeSet<_>>()
                    .len(),
            }
        } else {
            let start = window.start(at);
            Standing {
                used: log.iter().filter(|entry| entry.at == start).map(|entry| entry.amount).sum(),
                resets_at: window.end(start),
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
        log.extend(index.map(|_| Entry { at, amount }));
        Some(Taken {
            key: slot.key(),
            sliding: slot.counter.sliding,
            window: slot.counter.window.clone(),
            index,
            amount,
            from_args: matches!(slot.counter.charge, Charge::From(_)),
        })
    }

    /// Clause 8.10: takes some of a charge back, only in the window that was charged.
    pub(crate) fn refund(&mut self, taken: &Taken, amount: i128, now: i64) {
        let now = now.max(self.latest);
        let log = self.log_mut(&taken.key);
        let Some(index) = taken.index else { return };
        let at = log[index].at;
        let is_current =
            if taken.sliding { at > now - taken.window.length() } else { at == taken.window.start(now) };
        if is_current {
            log[index].amount -= amount;
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
            changes.insert(self.standing(slot, now).resets_at);
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

impl Bound {
    /// Clauses 8.5 and 8.8: what a condition reads: with the charge, if the call charges the counter.
    fn reads(batch: &Batch, slot: usize, logs: &Logs, now: i64) -> i128 {
        let slot = &batch.slots[slot];
        logs.standing(slot, now).used + slot.charge.unwrap_or(0)
    }

    /// The maximum of the policy that the charge would exceed.
    pub(crate) fn exceeded(batch: &Batch, slot: usize, logs: &Logs, now: i64) -> Option<i128> {
        let max = batch.slots[slot].counter.max.filter(|max| *max < LARGEST)?;
        (Self::reads(batch, slot, logs, now) > max).then_some(max)
    }

    /// Whether it lets the call through.
    pub(crate) fn holds(&self, batch: &Batch, logs: &Logs, now: i64) -> bool {
        match &self.kind {
            Kind::Max(index) => {
                let slot = &batch.slots[*index];
                let charge = slot.charge.unwrap_or(0);
                let full = slot.counter.sliding && charge > 0 && logs.standing(slot, now).live >= LIVE;
                !full && Self::reads(batch, *index, logs, now) <= slot.counter.max.unwrap_or(LARGEST)
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
            Kind::Max(_) => "limit_exceeded",
            Kind::Needs(slot, condition) if is_above(*slot, condition, true) => "limit_exceeded",
            Kind::Needs(..) => "condition_failed",
            Kind::Blocks(tests) if tests.iter().any(|(slot, test)| is_above(*slot, test, false)) => {
                "limit_exceeded"
            }
            Kind::Blocks(_) => "denied",
        }
    }
}
