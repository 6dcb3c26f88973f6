//! Whether anything depends on what is covered: an outcome that can go without a change of any decision is covered and not tested.
//!
//! In: a policy, what tests cover of it, and the tests. Out: for each covered point on which nothing depends, what keeps the decisions as
//! they are. Every decision is core's: the policy without the outcome decides the same calls once more.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use callgate::{Amount, Code, Decision, Effect};

use super::kinds::{Branch, Kind};
use super::part::part;
use super::points::Points;
use super::removal::{Removed, attempts};
use super::report::CoverageReport;
use super::same;
use crate::document::Json;
use crate::run::{Change, Options, Rerun};
use crate::subject::Subject;

/// A test file, as it was run.
pub struct TestFile<'t> {
    /// Its path.
    pub path: &'t str,
    /// Its text.
    pub text: &'t str,
    /// How it was run.
    pub options: &'t Options<'t>,
}

/// Names, for each covered point on which no decision depends, what keeps decisions as they are. Runs the tests again that had it.
///
/// # Errors
/// Why nothing was tried, in a sentence.
pub fn dependence(
    report: &mut CoverageReport,
    subject: &Subject,
    files: &[TestFile<'_>],
) -> Result<(), String> {
    let trial = Trial::new(subject, files)?;
    for index in 0..report.points.len() {
        let Some(point) = report.points.get(index).filter(|point| point.count > 0) else { continue };
        let runs = trial.runs_of(&point.tests);
        let (mut same, mut untried) = (None, None);
        match trial.changes(point.group, point.branch, &runs) {
            Ok(true) => {}
            Ok(false) => same = Some(trial.same(point.group, point.branch, &runs)),
            Err(why) => untried = Some(why),
        }
        if let Some(point) = report.points.get_mut(index) {
            (point.same, point.untried) = (same, untried);
        }
    }
    Ok(())
}

/// A run by its file and its index there.
pub type RunAt = (usize, usize);

/// A policy and its tests, to try what changes without an outcome.
pub struct Trial {
    /// The policy's own digest.
    digest: [u8; 32],
    document: Json,
    /// The policy as JSON: what all others are compared with, because digests are part of approval keys.
    base: Subject,
    points: Arc<Points>,
    files: Vec<Rerun>,
    /// The runs of each test, which is known by its file and its name.
    runs: HashMap<(String, String), Vec<RunAt>>,
    /// The decisions of each run of each file.
    decided: Vec<Vec<Vec<Seen>>>,
}

/// What is compared of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    effect: Effect,
    code: Code,
    rule: Option<Box<str>>,
    /// What the agent is told.
    message: Option<Box<str>>,
    retry_after: Option<u64>,
    /// The rules that ask for approval, by pointer.
    asking: Vec<Box<str>>,
    /// What the call charged, counter by counter.
    charged: Vec<Amount>,
}

impl Seen {
    fn of(decision: &Decision<'_>) -> Self {
        let charged = decision.counters().filter_map(|counter| counter.charged());
        Self {
            effect: decision.effect(),
            code: decision.code(),
            rule: decision.rule().map(|rule| rule.pointer().into()),
            message: decision.message().map(|message| message.as_ref().into()),
            retry_after: decision.retry_after(),
            asking: asking(decision),
            charged: charged.filter(|charged| *charged > Amount::ZERO).collect(),
        }
    }

    /// Whether one of these rules denied because no claim says its maximum.
    fn is_unclaimed(&self, rules: &[String]) -> bool {
        matches!(self.code, Code::IdentityRequired | Code::InvalidAmount)
            && self.rule.as_deref().is_some_and(|denied| rules.iter().any(|rule| rule == denied))
    }

    /// Whether a decision is the same, as far as what was removed can show. An approval key is never compared: it has the digest of
    /// the policy.
    fn is(&self, decision: &Decision<'_>, with_charges: bool, removed: &Removed) -> bool {
        if self.is_unclaimed(&removed.unclaimed) {
            return true;
        }
        let of_counters = |code| matches!(code, Code::LimitExceeded | Code::ConditionFailed | Code::Denied);
        let code = decision.code();
        let either = removed.code_may_differ && of_counters(self.code) && of_counters(code);
        let same_words = || {
            self.code == code
                && self.retry_after == decision.retry_after()
                && self.message.as_deref() == decision.message().as_deref()
        };
        let same_charges = || {
            let charged = decision.counters().filter_map(|counter| counter.charged());
            charged.filter(|charged| *charged > Amount::ZERO).eq(self.charged.iter().copied())
        };
        self.effect == decision.effect()
            && (either || same_words())
            && self.rule.as_deref() == decision.rule().as_ref().map(|rule| rule.pointer())
            && self.asking == asking(decision)
            && (!with_charges || same_charges())
    }
}

/// The rules that ask for approval, by pointer.
fn asking(decision: &Decision<'_>) -> Vec<Box<str>> {
    let approval = decision.approval();
    approval.iter().flat_map(|approval| approval.rules()).map(|rule| rule.pointer().into()).collect()
}

impl Trial {
    /// Runs all tests once.
    ///
    /// # Errors
    /// Why the policy or a test file cannot be run, in a sentence.
    pub fn new(subject: &Subject, files: &[TestFile<'_>]) -> Result<Self, String> {
        let document = Json::parse(&subject.text);
        let base =
            document.as_ref().and_then(|document| Subject::new(&subject.path, &document.to_text()).ok());
        let (Some(document), Some(base)) = (document, base) else {
            return Err(format!("`{}` cannot be written as JSON", subject.path));
        };
        let read = |file: &TestFile<'_>| {
            let rerun = Rerun::read(file.path, file.text, file.options);
            rerun.ok_or_else(|| format!("`{}` cannot be run", file.path))
        };
        let files = files.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let points = Arc::new(Points::of(&base));
        let digest = *subject.policy.digest();
        let mut runs: HashMap<_, Vec<RunAt>> = HashMap::new();
        for (at, file) in files.iter().enumerate() {
            for (run, name) in file.names().enumerate() {
                runs.entry((file.path().to_owned(), name.to_owned())).or_default().push((at, run));
            }
        }
        let mut trial = Self { digest, document, base, points, files, runs, decided: Vec::new() };
        let change = trial.change(&trial.base, None);
        let decide = |file: &Rerun| {
            let runs = 0..file.names().len();
            let decide = |run| {
                let mut decisions = Vec::new();
                file.decide(run, &change, &mut |decision| {
                    decisions.push(Seen::of(decision));
                    ControlFlow::Continue(())
                });
                decisions
            };
            runs.map(decide).collect()
        };
        trial.decided = trial.files.iter().map(decide).collect();
        Ok(trial)
    }

    /// All runs.
    pub fn runs(&self) -> Vec<RunAt> {
        let of = |(file, rerun): (usize, &Rerun)| (0..rerun.names().len()).map(move |run| (file, run));
        self.files.iter().enumerate().flat_map(of).collect()
    }

    /// The runs of these tests, each by its file and its name.
    fn runs_of(&self, tests: &[(String, String)]) -> Vec<RunAt> {
        tests.iter().filter_map(|test| self.runs.get(test)).flatten().copied().collect()
    }

    fn change<'c>(&'c self, subject: &'c Subject, withheld: Option<&'c str>) -> Change<'c> {
        Change { digest: &self.digest, subject, withheld }
    }

    /// The policy without a branch of a group, as far as it decides the calls of these runs.
    fn removed(&self, group: usize, branch: Branch, runs: &[RunAt]) -> Result<(Removed, Subject), String> {
        let group = self.points.groups.get(group).ok_or("there is no such point")?;
        let tools =
            runs.iter().filter_map(|(file, run)| Some(self.files.get(*file)?.tools_of(*run))).flatten();
        let document = part(&self.document, &self.base, &self.points, group.entry, tools);
        let taken = |name: &str| self.files.iter().any(|file| file.tools().any(|tool| tool == name));
        let mut why = "it cannot be written without this outcome".to_owned();
        for removed in attempts(&document, &self.points, group, branch, &taken) {
            match Subject::new(&self.base.path, &removed.document.to_text()) {
                Ok(subject) => return Ok((removed, subject)),
                Err(error) => {
                    let first = error.diagnostics().first().map(callgate::Diagnostic::message);
                    why = format!("without it, the policy does not load: {}", first.unwrap_or_default());
                }
            }
        }
        Err(why)
    }

    /// Whether any decision of these runs changes without a branch of a group.
    ///
    /// # Errors
    /// Why it cannot be tried, in a sentence.
    pub fn changes(&self, group: usize, branch: Branch, runs: &[RunAt]) -> Result<bool, String> {
        let (removed, subject) = self.removed(group, branch, runs)?;
        let change = self.change(&subject, removed.withheld.as_deref());
        // Charges are all that some entries do.
        let is_entry = self.points.groups.get(group).is_some_and(|group| group.kind == Kind::Entry);
        let with_charges = is_entry || branch == Branch::Charged;
        Ok(runs.iter().any(|(file, run)| {
            let (Some(rerun), Some(before)) =
                (self.files.get(*file), self.decided.get(*file).and_then(|runs| runs.get(*run)))
            else {
                return false;
            };
            let mut before = before.iter();
            let mut differs = false;
            rerun.decide(*run, &change, &mut |decision| {
                let known = before.next();
                differs = !known.is_some_and(|known| known.is(decision, with_charges, &removed));
                if differs { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            differs
        }))
    }

    /// What keeps decisions as they are without a branch: looked for in the first call that had it.
    fn same(&self, group: usize, branch: Branch, runs: &[RunAt]) -> String {
        let own = self.points.groups.get(group).map(|group| group.rule.clone()).unwrap_or_default();
        let Ok((removed, subject)) = self.removed(group, branch, runs) else { return own };
        for (file, run) in runs {
            let Some(rerun) = self.files.get(*file) else { continue };
            let mut with = same::With::new(&self.base, &self.points, group, branch);
            rerun.explain(*run, &self.change(&self.base, None), &mut |observed| with.observe(observed));
            let Some(with) = with.found() else { continue };
            let mut call = 0_usize;
            let mut found = None;
            let change = self.change(&subject, removed.withheld.as_deref());
            rerun.explain(*run, &change, &mut |observed| {
                if call == with.call {
                    found = Some(same::decider(&self.points, group, &with, &observed.explanation.checks));
                }
                call = call.saturating_add(1);
            });
            if let Some(found) = found {
                return found;
            }
        }
        own
    }
}
