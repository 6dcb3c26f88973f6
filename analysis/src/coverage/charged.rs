//! Counts what calls charge to limits and budgets, and what refuses them.
//!
//! In: a call as it was decided, and what its checks say. Out: counts for the points of limits and budgets. A budget tells the sum that
//! a call paid: which limits are in it follows from their checks.

use callgate::value::RawJson;
use callgate::{Amount, CounterUse};

use super::group::{Form, LimitShape, Shape};
use super::kinds::Branch;
use super::record::{Coverage, Reading};
use crate::run::Observed;

/// Whether a call charged a counter with more than nothing.
fn is_charged(counter: &CounterUse<'_>) -> bool {
    counter.charged().is_some_and(|charged| charged > Amount::ZERO)
}

impl Coverage {
    pub(super) fn count_limits(&mut self, observed: &Observed<'_>, reading: &Reading<'_>) {
        for pointer in &reading.refused {
            let limit = self.points.rules.get(*pointer).and_then(|groups| groups.limit);
            let refused = limit.and_then(|limit| match &self.points.groups.get(limit)?.shape {
                Shape::Limit(LimitShape { form: Form::Budget { .. }, counter, .. }) => {
                    self.points.budgets.get(counter).copied()
                }
                _ => Some(limit),
            });
            if let Some(refused) = refused {
                self.hit(refused, Branch::Refused, false);
            }
        }
        self.count_payments(observed, reading);
        for counter in observed.decision.counters() {
            let group = match counter.budget() {
                Some(name) => self.points.budgets.get(name).copied(),
                None => {
                    let key = (counter.entry().map(str::to_owned), counter.counter().name().to_owned());
                    let limit = self.points.limits.get(&key).copied();
                    limit.map(|limit| self.in_flight(limit, counter.counter().scope()))
                }
            };
            let Some(group) = group else { continue };
            match (is_charged(&counter), counter.budget()) {
                (true, None) => self.hit(group, Branch::Charged, false),
                (true, Some(_)) => {
                    if let Some(counts) = self.counts.get_mut(group) {
                        counts.paid = counts.paid.saturating_add(1);
                    }
                }
                (false, _) => {}
            }
            if let (Some(max), Some(counts)) = (counter.max(), self.counts.get_mut(group)) {
                counts.margin.used(counter.used(), max);
            }
        }
    }

    /// Counts what limits paid into budgets. A budget shows the sum alone: which limits are in it, their checks and the arguments say.
    fn count_payments(&mut self, observed: &Observed<'_>, reading: &Reading<'_>) {
        let charged = |name: &str| {
            let mut counters = observed.decision.counters();
            counters.any(|counter| counter.budget() == Some(name) && is_charged(&counter))
        };
        let points = self.points.clone();
        for (pointer, _) in reading.rules.iter().filter(|(_, word)| **word == "counts") {
            let Some(limit) = points.rules.get(*pointer).and_then(|groups| groups.limit) else { continue };
            let shape = points.groups.get(limit).map(|group| &group.shape);
            let Some(Shape::Limit(LimitShape { form: Form::Budget { from }, counter, .. })) = shape else {
                continue;
            };
            let pays = from.as_ref().is_none_or(|from| {
                let args = RawJson::parse(observed.args.unwrap_or("{}"));
                args.is_ok_and(|args| from.leads_above_zero(args.root()))
            });
            if pays && charged(counter) {
                self.hit(limit, Branch::Charged, false);
            }
        }
    }

    /// The limit that counts the calls in flight of a scope, where `limit` is one of its entry that does; else `limit`.
    fn in_flight(&self, limit: usize, scope: &str) -> usize {
        let shape = |at: usize| match self.points.groups.get(at).map(|group| &group.shape) {
            Some(Shape::Limit(LimitShape { form: Form::InFlight { scope }, .. })) => Some(scope.as_str()),
            _ => None,
        };
        let Some(own) = shape(limit) else { return limit };
        let entry = self.points.groups.get(limit).and_then(|group| group.entry);
        let groups = entry.and_then(|entry| self.points.of_entry.get(entry)).into_iter().flatten().copied();
        let mut of_scope = groups.filter(|at| shape(*at) == Some(scope));
        if own == scope { limit } else { of_scope.next().unwrap_or(limit) }
    }
}
