//! Counts the outcomes that calls have.
//!
//! In: calls as they were decided, each with its checks. Out: counts for each point, and why groups had no outcome. Reads outcomes by
//! the words of explanations; a word that it does not know is kept and reported, never passed over.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use callgate::value::RawJson;
use callgate::{Check, Code};

use super::behind::Behind;
use super::group::Shape;
use super::kinds::Branch;
use super::margins::Tally;
use super::points::Points;
use super::report::CoverageReport;
use crate::run::Observed;
use crate::subject::{Admission, Subject};

/// What calls covered of a policy so far.
#[derive(Debug)]
pub struct Coverage {
    pub(super) path: String,
    pub(super) text: String,
    digest: [u8; 32],
    pub(super) points: Arc<Points>,
    /// Of each group, what it had.
    pub(super) counts: Vec<Counts>,
    /// What applies to the tools that were called.
    tools: HashMap<String, Admission>,
    /// Calls of tools that are hidden.
    hidden: BTreeMap<String, u64>,
    pub(super) calls: u64,
    /// Calls of each entry.
    pub(super) calls_of: Vec<u64>,
    /// The tests so far, each by its file and its name.
    pub(super) tests: Vec<(String, String)>,
    pub(super) unrecognised: BTreeSet<String>,
}

/// What a group had.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    /// By the order of its branches.
    pub(super) branches: Vec<BranchCount>,
    /// Calls of its entry in which it had no outcome, by what decided them.
    pub(super) decided: BTreeMap<String, u64>,
    /// Calls that an earlier condition of the same rule settled.
    pub(super) settled: u64,
    /// Calls that reached it and charged nothing.
    pub(super) uncharged: u64,
    /// Of a budget: calls that paid into it.
    pub(super) paid: u64,
    pub(super) margin: Tally,
    /// The number of the last call in which it had an outcome.
    last: u64,
}

#[derive(Debug, Clone, Default)]
pub(super) struct BranchCount {
    pub(super) count: u64,
    /// How many of these were unknown.
    pub(super) unknown: u64,
    /// Tests that had it, by their index.
    pub(super) tests: Vec<usize>,
}

/// What the checks of a call say of its rules.
#[derive(Default)]
pub(super) struct Reading<'c> {
    /// The word of each rule or item.
    pub(super) rules: HashMap<&'c str, &'c str>,
    /// Rules that a condition on counters made act.
    guards: Vec<&'c str>,
    /// Maxima that refused.
    pub(super) refused: Vec<&'c str>,
    /// Conditions, each with its outcome.
    conditions: Vec<(usize, &'c str)>,
    /// Whether counters were looked at.
    counters: bool,
}

impl Coverage {
    /// Nothing of `subject` is covered yet.
    pub fn new(subject: &Subject) -> Self {
        Self::with(subject, Arc::new(Points::of(subject)))
    }

    /// As `new`, with the points of `subject`.
    pub(super) fn with(subject: &Subject, points: Arc<Points>) -> Self {
        let counts = points.groups.iter().map(|group| Counts {
            branches: vec![BranchCount::default(); group.branches.len()],
            ..Counts::default()
        });
        let counts = counts.collect();
        Self {
            path: subject.path.clone(),
            text: subject.text.clone(),
            digest: *subject.policy.digest(),
            counts,
            tools: HashMap::new(),
            hidden: BTreeMap::new(),
            calls: 0,
            calls_of: vec![0; subject.entries.len()],
            tests: Vec::new(),
            unrecognised: BTreeSet::new(),
            points,
        }
    }

    /// Counts a call. A call that a policy of another text decided says nothing of this one: false.
    pub fn observe(&mut self, observed: &Observed<'_>) -> bool {
        if *observed.subject.policy.digest() != self.digest {
            return false;
        }
        self.calls = self.calls.saturating_add(1);
        let is_last = |(file, test): &(String, String)| file == observed.file && test == observed.test;
        if !self.tests.last().is_some_and(is_last) {
            self.tests.push((observed.file.to_owned(), observed.test.to_owned()));
        }
        match self.admission(observed) {
            Admission::Invalid => {}
            Admission::Hidden(pointer) => {
                let calls = self.hidden.entry(observed.tool.to_owned()).or_default();
                *calls = calls.saturating_add(1);
                self.hit_place(&pointer);
            }
            Admission::NotListed => self.hit_place("/default"),
            Admission::Entries { entries, listed } => {
                let reading = self.read(&observed.explanation.checks);
                // A call that could not be read came to no entry. What one of its rules could not read did.
                let code = observed.decision.code();
                let unread = matches!(code, Code::InvalidArgs | Code::InvalidIdentity | Code::InvalidTool)
                    && reading.rules.is_empty();
                match self.points.by_pointer.get("/default").copied() {
                    Some(default) if !listed && unread => self.note(default, code.as_str(), 1),
                    Some(default) if !listed => self.hit(default, Branch::Hit, false),
                    _ => {}
                }
                self.count(observed, &reading);
                for entry in entries {
                    self.count_gaps(entry, observed, &reading, unread);
                }
            }
        }
        true
    }

    /// What was covered.
    pub fn finish(mut self) -> CoverageReport {
        if !self.hidden.is_empty() {
            self.note_hidden();
        }
        CoverageReport::of(self)
    }

    /// Notes what calls of hidden tools would have come to: other names of `hide`, the default, entries.
    fn note_hidden(&mut self) {
        let behind = Behind::of(&self.text, &self.points);
        for (tool, calls) in std::mem::take(&mut self.hidden) {
            let Some(Admission::Hidden(by)) = self.tools.get(&tool).cloned() else { continue };
            let (groups, entries) = behind.what(&tool);
            for group in groups {
                self.note(group, &by, calls);
            }
            for entry in entries {
                if let Some(all) = self.calls_of.get_mut(entry) {
                    *all = all.saturating_add(calls);
                }
                for group in self.points.of_entry.get(entry).cloned().unwrap_or_default() {
                    self.note(group, &by, calls);
                }
            }
        }
    }

    /// Notes for a group what decided calls before it.
    fn note(&mut self, group: usize, by: &str, calls: u64) {
        if let Some(counts) = self.counts.get_mut(group) {
            let times = counts.decided.entry(by.to_owned()).or_default();
            *times = times.saturating_add(calls);
        }
    }

    /// How many calls had a branch of a group so far.
    pub(super) fn count_of(&self, group: usize, branch: Branch) -> u64 {
        let at = self.points.groups.get(group).and_then(|group| {
            let mut branches = group.branches.iter();
            branches.position(|known| *known == branch)
        });
        let count = at.and_then(|at| self.counts.get(group)?.branches.get(at));
        count.map_or(0, |count| count.count)
    }

    /// The pointers of the entries that apply to a tool which was called.
    pub(super) fn entries_of(&self, tool: &str) -> Vec<String> {
        let Some(Admission::Entries { entries, .. }) = self.tools.get(tool) else { return Vec::new() };
        let groups = entries.iter().filter_map(|entry| self.points.of_entry.get(*entry)?.first());
        groups.filter_map(|group| Some(self.points.groups.get(*group)?.pointer.clone())).collect()
    }

    fn admission(&mut self, observed: &Observed<'_>) -> Admission {
        let tool = observed.tool;
        if let Some(known) = self.tools.get(tool) {
            return known.clone();
        }
        let admission = observed.subject.admission(tool);
        self.tools.insert(tool.to_owned(), admission.clone());
        admission
    }

    /// Reads checks by the words for their outcomes, which belong to one kind of check each.
    fn read<'c>(&mut self, checks: &'c [Check]) -> Reading<'c> {
        let mut reading = Reading::default();
        for check in checks {
            let pointer = check.pointer.as_str();
            match check.outcome.as_str() {
                // Of arguments as a whole.
                "passes" | "denies" if pointer.is_empty() => {}
                "denies" if reading.counters => reading.guards.push(pointer),
                word @ ("denies"
                | "counts"
                | "passes"
                | "does not act"
                | "does not apply"
                | "asks for approval"
                | "asks for approval if its counters say so"
                | "acts if its counters say so"
                | "broken off") => {
                    reading.rules.insert(pointer, word);
                    self.read_conditions(&check.checks, &mut reading);
                }
                "charged" | "looked at" | "read" => reading.counters = true,
                "holds" | "fails" => self.read_condition(check, &mut reading),
                "refuses" => reading.refused.push(pointer),
                "full" => {}
                other => _ = self.unrecognised.insert(other.to_owned()),
            }
        }
        reading
    }

    /// Recursion is as deep as conditions, which the document's depth bounds.
    fn read_conditions<'c>(&mut self, checks: &'c [Check], reading: &mut Reading<'c>) {
        for check in checks {
            if check.checks.is_empty() {
                self.read_condition(check, reading);
            } else {
                self.read_conditions(&check.checks, reading);
            }
        }
    }

    fn read_condition<'c>(&mut self, check: &'c Check, reading: &mut Reading<'c>) {
        match (check.outcome.as_str(), self.points.conditions.get(&check.pointer)) {
            (word @ ("holds" | "fails" | "unknown"), Some(group)) => reading.conditions.push((*group, word)),
            // A combinator whose first condition could not be read.
            ("broken off", _) => {}
            (other, _) => _ = self.unrecognised.insert(format!("{other} at {}", check.pointer)),
        }
    }

    fn count(&mut self, observed: &Observed<'_>, reading: &Reading<'_>) {
        for (group, word) in &reading.conditions {
            let Some(Shape::Condition(shape)) = self.points.groups.get(*group).map(|group| &group.shape)
            else {
                continue;
            };
            let holds = *word == "holds" || *word == "unknown" && shape.unknown_holds;
            let branch = if holds { Branch::Holds } else { Branch::Fails };
            if let (Some((path, bound)), Some(counts)) = (&shape.number, self.counts.get_mut(*group))
                && let Ok(args) = RawJson::parse(observed.args.unwrap_or("{}"))
            {
                path.numbers(args.root(), &mut |number| counts.margin.add(&number, bound));
            }
            self.hit(*group, branch, *word == "unknown");
        }
        for (pointer, word) in &reading.rules {
            let Some(groups) = self.points.rules.get(*pointer).cloned() else { continue };
            let Some(rule) = groups.rule else { continue };
            let state = groups.states.first();
            let consulted = reading.conditions.iter().any(|(group, _)| Some(group) == state);
            match self.points.groups.get(rule).map(|group| &group.shape) {
                Some(Shape::Approval) => {
                    self.count_approval(rule, (pointer, word), consulted, observed, reading);
                }
                Some(Shape::Rule { blocks, reads_counters }) => {
                    let branch = match *word {
                        "denies" => Some(Branch::Acted),
                        "passes" | "does not act" => Some(Branch::Passed),
                        "counts" if !reads_counters && !blocks => Some(Branch::Passed),
                        _ if reading.guards.contains(pointer) => Some(Branch::Acted),
                        "counts" | "acts if its counters say so" if consulted => Some(Branch::Passed),
                        _ => None,
                    };
                    if let Some(branch) = branch {
                        self.hit(rule, branch, false);
                    }
                }
                _ => {}
            }
        }
        self.count_limits(observed, reading);
    }

    fn count_approval(
        &mut self,
        rule: usize,
        (pointer, word): (&str, &str),
        consulted: bool,
        observed: &Observed<'_>,
        reading: &Reading<'_>,
    ) {
        let may_ask = word == "asks for approval if its counters say so";
        if word == "does not act" {
            return self.hit(rule, Branch::Passed, false);
        }
        if word != "asks for approval" && !may_ask {
            return;
        }
        let decision = observed.decision;
        let asks = decision.approval().is_some_and(|asks| asks.rules().any(|rule| rule.pointer() == pointer));
        // What has no canonical form cannot be approved: to ask for approval denies it (spec 7.1).
        let denies = |word: &&str| matches!(*word, "denies" | "broken off");
        let unapprovable = decision.code() == Code::InvalidArgs && !reading.rules.values().any(denies);
        if asks || unapprovable {
            self.hit(rule, Branch::Asked, false);
        } else if may_ask {
            // Its counters did not say so.
            if consulted {
                self.hit(rule, Branch::Passed, false);
            }
            return;
        }
        // Only an approval that let the call through was given: one that is spent, or beside which a maximum refuses, was not used.
        if observed.approved && decision.allowed() {
            self.hit(rule, Branch::Given, false);
        }
    }

    fn hit_place(&mut self, pointer: &str) {
        if let Some(group) = self.points.by_pointer.get(pointer).copied() {
            self.hit(group, Branch::Hit, false);
        }
    }

    pub(super) fn hit(&mut self, group: usize, branch: Branch, unknown: bool) {
        let test = self.tests.len().saturating_sub(1);
        let at = self.points.groups.get(group).and_then(|group| {
            let mut branches = group.branches.iter();
            branches.position(|known| *known == branch)
        });
        let Some(counts) = self.counts.get_mut(group) else { return };
        counts.last = self.calls;
        let Some(count) = at.and_then(|at| counts.branches.get_mut(at)) else { return };
        count.count = count.count.saturating_add(1);
        count.unknown = count.unknown.saturating_add(u64::from(unknown));
        if count.tests.last() != Some(&test) {
            count.tests.push(test);
        }
    }

    /// Notes for each group of an entry that had no outcome why that is.
    fn count_gaps(&mut self, entry: usize, observed: &Observed<'_>, reading: &Reading<'_>, unread: bool) {
        if let Some(calls) = self.calls_of.get_mut(entry) {
            *calls = calls.saturating_add(1);
        }
        let rule = observed.decision.rule();
        let code = observed.decision.code();
        let groups = self.points.of_entry.get(entry).cloned().unwrap_or_default();
        for index in groups {
            let Some(group) = self.points.groups.get(index) else { continue };
            if matches!(group.shape, Shape::Entry) && !unread {
                self.hit(index, Branch::Hit, false);
                continue;
            }
            let Some(counts) = self.counts.get_mut(index).filter(|counts| counts.last != self.calls) else {
                continue;
            };
            let reached = reading.rules.get(group.rule.as_str());
            let reads_counter = matches!(&group.shape, Shape::Condition(shape) if shape.reads_counter());
            match (&group.shape, reached) {
                (Shape::Condition(_), Some(_)) if !reads_counter => {
                    counts.settled = counts.settled.saturating_add(1);
                }
                // A block place that its other conditions settled.
                (Shape::Condition(_), Some(&"does not act" | &"denies")) => {
                    counts.settled = counts.settled.saturating_add(1);
                }
                (Shape::Limit(_), Some(_)) if code == Code::Allowed => {
                    counts.uncharged = counts.uncharged.saturating_add(1);
                }
                _ => {
                    let by = match &rule {
                        Some(rule) if rule.pointer() != group.rule => rule.pointer(),
                        _ => code.as_str(),
                    };
                    let times = counts.decided.entry(by.to_owned()).or_default();
                    *times = times.saturating_add(1);
                }
            }
        }
    }
}
