//! What decides the same where an outcome is removed.
//!
//! In: the checks of a call, with the outcome and without it. Out: the pointer of what comes to the same, or a code where no rule does.

use std::sync::Arc;

use callgate::{Check, Code};

use super::group::{Group, Shape};
use super::kinds::{Branch, Kind};
use super::points::Points;
use super::record::Coverage;
use crate::run::Observed;
use crate::subject::Subject;

/// Looks for the first call that has a branch.
pub(super) struct With {
    coverage: Coverage,
    group: usize,
    branch: Branch,
    calls: usize,
    found: Option<Call>,
}

/// A call with its checks.
pub(super) struct Call {
    /// Which of its run, from 0.
    pub(super) call: usize,
    checks: Vec<Check>,
    rule: Option<String>,
    code: Code,
    /// Other entries that apply, by their pointer.
    entries: Vec<String>,
}

impl With {
    pub(super) fn new(subject: &Subject, points: &Arc<Points>, group: usize, branch: Branch) -> Self {
        Self { coverage: Coverage::with(subject, points.clone()), group, branch, calls: 0, found: None }
    }

    pub(super) fn observe(&mut self, observed: &Observed<'_>) {
        let before = self.coverage.count_of(self.group, self.branch);
        self.coverage.observe(observed);
        if self.found.is_none() && self.coverage.count_of(self.group, self.branch) > before {
            self.found = Some(Call {
                call: self.calls,
                checks: observed.explanation.checks.clone(),
                rule: observed.decision.rule().map(|rule| rule.pointer().to_owned()),
                code: observed.decision.code(),
                entries: self.coverage.entries_of(observed.tool),
            });
        }
        self.calls = self.calls.saturating_add(1);
    }

    pub(super) fn found(self) -> Option<Call> {
        self.found
    }
}

/// What comes to the same in a call, which had the group's outcome and now has not.
pub(super) fn decider(points: &Points, group: usize, with: &Call, without: &[Check]) -> String {
    let Some(group) = points.groups.get(group) else { return String::new() };
    if let Shape::Condition(shape) = &group.shape {
        let found = match shape.reads_counter() {
            true => other_state(points, group, &with.checks),
            false => {
                let rule = points.rules.get(&group.rule).and_then(|groups| points.groups.get(groups.rule?));
                let permits =
                    rule.is_some_and(|rule| matches!(rule.shape, Shape::Rule { blocks: false, .. }));
                other_condition(group, permits, &with.checks, without)
            }
        };
        if let Some(found) = found {
            return found;
        }
    }
    match &with.rule {
        Some(rule) if *rule != group.rule => rule.clone(),
        Some(_) => group.rule.clone(),
        None if with.code != Code::Allowed => with.code.as_str().to_owned(),
        None if group.kind == Kind::Entry => {
            let mut others = with.entries.iter().filter(|entry| **entry != group.pointer);
            others.next().cloned().unwrap_or_else(|| "/default".to_owned())
        }
        None => group.rule.clone(),
    }
}

/// Another condition on a counter, of the same rule, that fails as well.
fn other_state(points: &Points, group: &Group, checks: &[Check]) -> Option<String> {
    let states = &points.rules.get(&group.rule)?.states;
    let mut others = states.iter().filter_map(|state| points.groups.get(*state));
    let fails =
        |pointer: &str| checks.iter().any(|check| check.pointer == pointer && check.outcome == "fails");
    others
        .find(|other| other.pointer != group.pointer && fails(&other.pointer))
        .map(|other| other.pointer.clone())
}

/// Another condition that makes the outcome of the nearest combinator or rule around it which comes out the same. Where each around it
/// comes out otherwise, though to no other decision: one that makes the new outcome, or made the old one.
fn other_condition(group: &Group, permits: bool, with: &[Check], without: &[Check]) -> Option<String> {
    let around = |checks| chain(&group.pointer, &group.rule, checks);
    let (before, after) = (around(with), around(without));
    let around = || before.iter().zip(&after).rev();
    let same = around().filter(|((outer, _), (other, _))| outer.outcome == other.outcome);
    let mut same = same.filter_map(|((outer, branch), (other, _))| {
        maker(outer, branch, permits).or_else(|| maker(other, branch, permits))
    });
    let new = || around().find_map(|(_, (other, branch))| maker(other, branch, permits));
    let old = || around().find_map(|((outer, branch), _)| maker(outer, branch, permits));
    same.next().or_else(new).or_else(old)
}

/// What makes the outcome of a combinator or rule, other than this branch of it: the last that could.
fn maker(outer: &Check, branch: &str, permits: bool) -> Option<String> {
    let beside = |check: &&Check| check.pointer != branch && !is_in(&check.pointer, branch);
    let makes = |check: &&Check| match outer.outcome.as_str() {
        "holds" | "fails" | "unknown" => check.outcome == outer.outcome,
        "does not act" => check.outcome == "fails",
        "denies" if permits => check.outcome != "holds",
        // A block place acts by all of its conditions, not by one.
        _ => false,
    };
    outer.checks.iter().filter(beside).rfind(makes).map(|check| check.pointer.clone())
}

/// The checks around a condition, from the rule inwards, each with the pointer of its branch that leads there.
fn chain<'c>(pointer: &str, rule: &str, checks: &'c [Check]) -> Vec<(&'c Check, &'c str)> {
    let mut found = Vec::new();
    let mut level = checks.iter().find(|check| check.pointer == rule && !check.checks.is_empty());
    while let Some(outer) = level {
        let leads = |check: &&Check| check.pointer == pointer || is_in(pointer, &check.pointer);
        let Some(next) = outer.checks.iter().find(leads) else { break };
        found.push((outer, next.pointer.as_str()));
        if next.pointer == pointer {
            break;
        }
        level = (!next.checks.is_empty()).then_some(next);
    }
    found
}

/// Whether a pointer leads into the place of another.
fn is_in(pointer: &str, place: &str) -> bool {
    pointer.strip_prefix(place).is_some_and(|rest| rest.starts_with('/'))
}
