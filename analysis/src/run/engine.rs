//! One run: an engine with counters of its own, and its calls in order.
//!
//! In: a run and its policies. Out: what was not decided as expected. Must not decide anything itself.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use callgate::time::{Clock as _, ManualClock, Timestamp};
use callgate::{
    Actual, Amount, Approval, ArgsCheck, Call, Decision, Engine, Explanation, MemoryStore, Reservation,
    SettleError, Severity,
};

use super::subjects::Subjects;
use super::{Observed, Observer, compare};
use crate::caller::Caller;
use crate::lines::Lines;
use crate::report::{Difference, Failure};
use crate::subject::Subject;
use crate::suite::{ApprovalKey, Ending, Finish, Given, Run, Step, Suite};

/// Who looks at the calls of a run.
pub(super) enum Watch<'w, 'o> {
    /// Nobody.
    Nobody,
    /// Each call is explained first.
    Explained(&'w mut Observer<'o>),
    /// Decisions alone, until it breaks. They are not compared with what the test expects.
    Decided(&'w mut Decided<'o>),
}

/// Looks at decisions.
pub(crate) type Decided<'o> = dyn FnMut(&Decision<'_>) -> ControlFlow<()> + 'o;

/// What is other than the test file says.
pub(crate) struct Change<'c> {
    /// The digest of the policy that is replaced, wherever the test puts it in force.
    pub(crate) digest: &'c [u8; 32],
    /// By what.
    pub(crate) subject: &'c Subject,
    /// A rule: calls that it asks to approve come without approval.
    pub(crate) withheld: Option<&'c str>,
}

/// What a run needs.
pub(super) struct Execution<'e> {
    pub(super) suite: &'e Suite,
    pub(super) subjects: &'e Subjects,
    pub(super) policy: &'e str,
    pub(super) run: &'e Run,
    pub(super) file: &'e str,
    pub(super) test: &'e str,
    pub(super) lines: &'e Lines<'e>,
    pub(super) calls: u64,
    pub(super) change: Option<&'e Change<'e>>,
}

/// What is left of a step for later ones.
#[derive(Default)]
struct Done {
    approval_key: Option<String>,
    reservation: Option<Reservation>,
}

impl<'e> Execution<'e> {
    /// The policy that is in force where the test names this file.
    fn subject(&self, file: &str) -> Option<&'e Subject> {
        let named = self.subjects.policy(file)?;
        let changed = self.change.filter(|change| change.digest == named.policy.digest());
        Some(changed.map_or(named, |change| change.subject))
    }

    /// Makes the calls.
    pub(super) fn run(&mut self, mut watch: Watch<'_, '_>) -> Vec<Failure> {
        let Some(mut subject) = self.subject(self.policy) else { return Vec::new() };
        let clock = Arc::new(ManualClock::new(self.suite.at));
        let engine = Engine::builder(subject.policy.clone())
            .clock(clock.clone())
            .store(Arc::new(MemoryStore::new()))
            .build();
        let mut before: Vec<Done> = Vec::new();
        // An approval is given when a call brings its id first.
        let mut given: BTreeMap<&str, Timestamp> = BTreeMap::new();
        let mut failures = Vec::new();
        for step in &self.run.steps {
            if let Some(at) = step.at {
                clock.set(at);
            }
            if let Some(millis) = step.after {
                let step = u64::try_from(millis).unwrap_or(0);
                clock.advance(Duration::from_millis(step));
            }
            let mut differences = Vec::new();
            if let Some(file) = &step.reload
                && let Some(next) = self.subject(file.value.name())
            {
                // A host that watches the file does not take up what may be half of one (spec 1.8).
                match next.policy.clone().replacing(&engine.policy()) {
                    Ok(policy) => {
                        subject = next;
                        engine.replace(policy);
                    }
                    Err(error) => {
                        let why = error.diagnostics().iter().find(|one| one.severity() == Severity::Error);
                        let why =
                            why.map_or_else(String::new, |one| format!("{}: {}", one.code(), one.message()));
                        differences.push(Difference::new("reload", "a policy that is taken up", &why));
                    }
                }
            }
            if let Some(finish @ Finish { of: Some(of), .. }) = &step.finish {
                let held = before.get_mut(*of).and_then(|done| done.reservation.as_mut());
                differences.extend(end(&engine, finish, held));
            }
            let mut done = Done::default();
            for turn in 1..=step.repeat {
                let check = step
                    .check
                    .as_ref()
                    .or_else(|| self.subjects.tools.as_ref().and_then(|tools| tools.get(&step.tool.value)));
                let given_at = step.approve.as_ref().and_then(|approve| match approve.given {
                    Given::First => Some(*given.entry(&approve.id).or_insert_with(|| clock.now())),
                    Given::At(at) => at,
                });
                let made = Made { engine: &engine, step, check, given_at };
                let mut key = made.approval_key(&before);
                if let (Some(_), Some(rule)) = (&key, self.change.and_then(|change| change.withheld)) {
                    key = key.filter(|_| !made.asks(rule));
                }
                let explains = step.explain || matches!(watch, Watch::Explained(_));
                let explanation = explains.then(|| made.explain(key.as_deref()));
                let decision = match &explanation {
                    Some(explanation) if step.explain => explanation.decision.clone(),
                    _ => made.decide(key.as_deref()),
                };
                // No entry is about a request, so that it covers nothing.
                if let (Watch::Explained(observer), Some(explanation), false) =
                    (&mut watch, &explanation, step.request)
                {
                    observer(&Observed {
                        subject,
                        file: self.file,
                        test: self.test,
                        tool: &step.tool.value,
                        args: step.args.as_deref(),
                        approved: step.approve.is_some(),
                        explained: step.explain,
                        explanation,
                        decision: &decision,
                    });
                }
                let checks = explanation.map(|explanation| explanation.checks).unwrap_or_default();
                self.calls = self.calls.saturating_add(1);
                done.approval_key = decision.approval().map(|approval| approval.key().to_owned());
                if let Watch::Decided(seen) = &mut watch {
                    if seen(&decision).is_break() {
                        return failures;
                    }
                } else {
                    compare::compare(&step.expect, step, &decision, turn == step.repeat, &mut differences);
                    differences.extend(unused_approval(step, key.as_deref(), &decision));
                }
                let json = if differences.is_empty() { String::new() } else { decision.to_json() };
                done.reservation = decision.take_reservation();
                if let (Some(finish @ Finish { of: None, .. }), true) = (&step.finish, turn == step.repeat) {
                    differences.extend(end(&engine, finish, done.reservation.as_mut()));
                }
                if !differences.is_empty() && !matches!(watch, Watch::Decided(_)) {
                    let differences = std::mem::take(&mut differences);
                    failures.push(self.failure(step, turn, differences, json, checks));
                    break;
                }
            }
            before.push(done);
        }
        failures
    }

    fn failure(
        &self,
        step: &Step,
        turn: u32,
        differences: Vec<Difference>,
        decision: String,
        checks: Vec<callgate::Check>,
    ) -> Failure {
        let (line, column) = self.lines.place(step.place.start);
        Failure {
            range: step.place.start..step.place.end,
            line,
            column,
            pointer: step.place.pointer.clone(),
            tool: step.tool.value.clone(),
            args: step.args.clone(),
            identity: step.identity.clone(),
            turn: (step.repeat > 1).then_some((turn, step.repeat)),
            differences,
            decision,
            checks,
        }
    }
}

/// The key of an approval for a call that asks for none.
const NONE: &str = "ak1:none";

/// A step's call on an engine.
struct Made<'m> {
    engine: &'m Engine,
    step: &'m Step,
    check: Option<&'m ArgsCheck>,
    /// When its approval was given.
    given_at: Option<Timestamp>,
}

impl Made<'_> {
    /// The key that the step's approval is for.
    fn approval_key(&self, before: &[Done]) -> Option<String> {
        let key = match &self.step.approve.as_ref()?.key {
            ApprovalKey::Text(key) => Some(key.clone()),
            ApprovalKey::Of(step) => before.get(*step).and_then(|done| done.approval_key.clone()),
            ApprovalKey::Same => {
                let explanation = self.explain(None);
                explanation.decision.approval().map(|approval| approval.key().to_owned())
            }
        };
        Some(key.unwrap_or_else(|| NONE.to_owned()))
    }

    /// Whether this rule asks for approval of the call.
    fn asks(&self, rule: &str) -> bool {
        let checks = self.explain(None).checks;
        checks.iter().any(|check| check.pointer == rule && check.outcome == "asks for approval")
    }

    fn decide(&self, key: Option<&str>) -> Decision<'static> {
        self.with_call(key, |call| self.engine.decide_json(call).into_owned())
    }

    fn explain(&self, key: Option<&str>) -> Explanation<'static> {
        self.with_call(key, |call| {
            let Explanation { decision, checks, .. } = self.engine.explain_json(call);
            Explanation { decision: decision.into_owned(), checks }
        })
    }

    fn with_call<R>(
        &self,
        key: Option<&str>,
        make: impl FnOnce(&Call<'_, &str, callgate::value::RawView<'_>>) -> R,
    ) -> R {
        // Invalid JSON was refused when the file was read.
        let caller = Caller::read(self.step.identity.as_deref()).unwrap_or(Caller::Nobody);
        let args = self.step.args.as_deref().unwrap_or("{}");
        let name = &self.step.tool.value;
        let call = if self.step.request { Call::request(name, args) } else { Call::new(name, args) };
        let mut call = call.identity(caller.identity());
        if let (Some(approve), Some(key)) = (&self.step.approve, key) {
            let approval = Approval::new(key, &approve.id);
            call = call.approved(self.given_at.map_or(approval, |at| approval.given_at(at)));
        }
        if let Some(check) = self.check {
            call = call.checked(check);
        }
        if let Some(server) = &self.step.server {
            call = call.server(server);
        }
        make(&call)
    }
}

/// An approval that nothing asks for: the call would be allowed without it, so that it shows nothing.
fn unused_approval(step: &Step, key: Option<&str>, decision: &Decision<'_>) -> Option<Difference> {
    let approve = step.approve.as_ref()?;
    let unused = match approve.key {
        ApprovalKey::Same => key == Some(NONE) && decision.allowed(),
        ApprovalKey::Of(_) => key == Some(NONE),
        ApprovalKey::Text(_) => false,
    };
    unused.then(|| Difference::new("approve", "a call that asks for approval", "one that does not"))
}

/// Ends a call, and says what differs from what the step expects of that.
fn end(engine: &Engine, finish: &Finish, held: Option<&mut Reservation>) -> Option<Difference> {
    let Some(reservation) = held else {
        return Some(Difference::new("finish", "charges to finish", "none"));
    };
    // Amounts were parsed when the file was read.
    let amount = |text: &String| text.parse::<Amount>().unwrap_or(Amount::ZERO);
    let ended = match &finish.how {
        Ending::Outcome(outcome) => engine.finish(reservation, *outcome),
        Ending::Settle(text) => engine.settle(reservation, amount(text)),
        Ending::SettleEach(amounts) => {
            let amounts = amounts.iter().map(|(counter, text)| (counter.as_str().into(), amount(text)));
            engine.settle(reservation, Actual::ByCounter(amounts.collect()))
        }
    };
    let error = ended.as_ref().err().map(SettleError::code);
    let shown = |code: Option<&str>| code.map_or_else(|| "no error".to_owned(), str::to_owned);
    let differs = error != finish.error.as_deref();
    differs.then(|| Difference::new("finish_error", &shown(finish.error.as_deref()), &shown(error)))
}
