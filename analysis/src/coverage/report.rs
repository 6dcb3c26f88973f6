//! What tests cover of a policy.
//!
//! In: counts of outcomes. Out: every point with its count, or with the reason why it is not covered.

use std::ops::Range;

use super::gaps::Gap;
use super::group::{LimitShape, Shape};
use super::kinds::{Branch, Kind};
use super::margins::Margin;
use super::record::Coverage;
use crate::lines::Lines;

/// What tests cover of a policy.
#[derive(Debug)]
pub struct CoverageReport {
    /// The policy's file.
    pub path: String,
    /// Covered points.
    pub hit: usize,
    /// All points.
    pub total: usize,
    /// How many calls were looked at.
    pub calls: u64,
    /// All points in the order of the policy: `default`, `hide`, budgets, then entries with their rules and conditions.
    pub points: Vec<PointReport>,
    /// How near tests come to bounds.
    pub margins: Vec<Margin>,
    /// Words of explanations that this version does not know: a defect of it.
    pub unrecognised: Vec<String>,
}

/// A point.
#[derive(Debug)]
pub struct PointReport {
    /// JSON Pointer to its place.
    pub pointer: String,
    /// JSON Pointer to its rule or item; the place's own where it is in none.
    pub rule: String,
    /// The name of the rule, if it has one.
    pub name: Option<String>,
    /// What has the outcome.
    pub kind: Kind,
    /// The outcome.
    pub branch: Branch,
    /// What the place is, for people, such as `args.amount lte 500`.
    pub text: String,
    /// Bytes of the policy's text.
    pub range: Range<usize>,
    /// The line, from 1.
    pub line: u32,
    /// Code points from the start of the line, from 1.
    pub column: u32,
    /// How many calls had it.
    pub count: u64,
    /// How many of these were unknown, which counts as the outcome that refuses here.
    pub unknown: u64,
    /// Why it is not covered; `None` where it is.
    pub gap: Option<Gap>,
    /// What keeps every decision as it is where this outcome is removed: nothing depends on it. `None` where some decision
    /// does, or nobody asked.
    pub same: Option<String>,
    /// Why its removal could not be tried, where somebody asked and it could not.
    pub untried: Option<String>,
    /// Its place, for [`Trial::changes`](super::Trial::changes).
    pub group: usize,
    /// Tests that had it, each by its file and its name.
    pub tests: Vec<(String, String)>,
}

impl CoverageReport {
    pub(super) fn of(coverage: Coverage) -> Self {
        let mut report = Self {
            path: coverage.path,
            hit: 0,
            total: 0,
            calls: coverage.calls,
            points: Vec::new(),
            margins: Vec::new(),
            unrecognised: coverage.unrecognised.into_iter().collect(),
        };
        let lines = Lines::new(&coverage.text);
        for (index, (group, counts)) in coverage.points.groups.iter().zip(&coverage.counts).enumerate() {
            let (line, column) = lines.place(group.range.start);
            let calls = match group.entry {
                Some(entry) => coverage.calls_of.get(entry).copied().unwrap_or_default(),
                None => counts.decided.values().fold(0, |sum: u64, times| sum.saturating_add(*times)),
            };
            for (branch, count) in group.branches.iter().zip(&counts.branches) {
                let tests = count.tests.iter().filter_map(|test| coverage.tests.get(*test).cloned());
                report.points.push(PointReport {
                    pointer: group.pointer.clone(),
                    rule: group.rule.clone(),
                    name: group.name.clone(),
                    kind: group.kind,
                    branch: *branch,
                    text: group.text.clone(),
                    range: group.range.clone(),
                    line,
                    column,
                    count: count.count,
                    unknown: count.unknown,
                    gap: (count.count == 0).then(|| Gap::of(group, counts, calls)),
                    same: None,
                    untried: None,
                    group: index,
                    tests: tests.collect(),
                });
            }
            let bound = match &group.shape {
                Shape::Condition(shape) => shape.number.as_ref().map(|(_, bound)| bound.as_str()),
                Shape::Limit(LimitShape { max, .. }) | Shape::Budget { max, .. } => max.as_deref(),
                _ => None,
            };
            report.margins.extend(counts.margin.margin(&group.pointer, &group.text, bound));
        }
        report.total = report.points.len();
        report.hit = report.points.iter().filter(|point| point.gap.is_none()).count();
        report
    }

    /// Whether at least `min` percent of the points are covered, by whole points. Nothing reaches anything where there are none.
    pub fn reaches(&self, min: u32) -> bool {
        let wide = |count: usize| u128::try_from(count).unwrap_or(u128::MAX);
        let covered = wide(self.hit).saturating_mul(100);
        self.total > 0 && covered >= u128::from(min).saturating_mul(wide(self.total))
    }

    /// Points that no test covers.
    pub fn gaps(&self) -> impl Iterator<Item = &PointReport> {
        self.points.iter().filter(|point| point.gap.is_some())
    }
}
