//! Runs decision cases: each step is decided, and compared with what must be decided.
//!
//! In: a case, and the form in which arguments reach the engine. Out: the decisions, or what differs.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use callgate::__binding::{BindEngine as _, BindPolicy as _, Target, call_of};
use callgate::time::ManualClock;
use callgate::value::{RawView, View};
use callgate::{
    Actual, Amount, Approval, ArgsCheck, Call, Decision, Engine, Identity, InputSchema, MemoryStore, Policy,
    Reservation, SettleError,
};
use callgate_host::{Candidate, Observed, Observer};
use serde::Deserialize as _;
use serde_json::Value;

use super::{Amounts, Case, Check, Finish, Requested, Seen, Settle, Step, timestamp};
use crate::caller::Caller;
use crate::plain::plain;

/// What decides, and what decides beside it.
struct Deciding {
    engine: Engine,
    observer: Observer,
    /// What the candidate said last.
    observed: RefCell<Option<Observed>>,
}

impl Deciding {
    fn observe<A: View, I: View>(&self, call: &Call<'_, A, I>, decision: Decision<'_>) -> Decision<'static> {
        *self.observed.borrow_mut() = self.observer.decided(call, Some(&decision));
        decision.into_owned()
    }

    fn observe_json<I: View>(&self, call: &Call<'_, &str, I>, decision: Decision<'_>) -> Decision<'static> {
        *self.observed.borrow_mut() = self.observer.decided_json(call, Some(&decision));
        decision.into_owned()
    }
}

impl Seen {
    /// What differs, of an identity as text and as a value.
    fn differences(&self, engine: &Engine) -> Vec<String> {
        let caller = Caller::read(self.identity.as_deref()).unwrap();
        let value: Option<Value> = self.identity.as_deref().map(|text| serde_json::from_str(text).unwrap());
        let identity = match &value {
            None => Identity::Absent,
            Some(Value::String(id)) => Identity::Id(id.as_str()),
            Some(claims) => Identity::claims(claims),
        };
        let mut differences = self.differing(engine, caller.identity());
        differences.extend(self.differing(engine, identity));
        differences
    }

    fn differing<I: View + Copy>(&self, engine: &Engine, identity: Identity<'_, I>) -> Vec<String> {
        let policy = engine.policy();
        let sees = |tool: &String| {
            let call = Call::without_args(tool).identity(identity);
            match &self.server {
                Some(server) => [engine.shows(&call.server(server)), policy.shows(&call.server(server))],
                None => [engine.visible(tool, &identity), policy.shows(&call)],
            }
        };
        let all: Vec<&String> = self.shown.iter().chain(&self.left_out).collect();
        let mut differences = Vec::new();
        for (index, tool) in all.iter().enumerate() {
            let shown = sees(tool);
            if shown != [index < self.shown.len(); 2] {
                differences.push(format!("{:?} on {:?}: {tool}: {shown:?}", self.identity, self.server));
            }
        }
        if self.server.is_none() && engine.filter_tools(all, &identity, |tool| tool).len() != self.shown.len()
        {
            differences.push(format!("{:?}: the list has another length", self.identity));
        }
        differences
    }
}

impl Requested {
    fn differences(&self, engine: &Engine) -> Vec<String> {
        let caller = Caller::read(self.identity.as_deref()).unwrap();
        let mut differences = Vec::new();
        for (index, text) in self.shown.iter().chain(&self.left_out).enumerate() {
            let params: Value = serde_json::from_str(text).unwrap();
            let call = Call::request(&self.method, &params).identity(caller.identity());
            let shown = [engine.shows_request(&call), engine.policy().shows_request(&call)];
            if shown != [index < self.shown.len(); 2] {
                differences.push(format!("{:?}: {} of {text}: {shown:?}", self.identity, self.method));
            }
        }
        differences
    }
}

impl Check {
    fn compiled(&self) -> ArgsCheck {
        let check = ArgsCheck::new();
        let check = match self.folding {
            Some(false) => check.without_folding(),
            _ => check,
        };
        match &self.schema {
            Some(schema) => check.schema(InputSchema::new(schema)),
            None => check,
        }
    }
}

/// How the arguments reach the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As raw JSON text.
    Raw,
    /// As host values.
    Value,
    /// As host values whose view does no more than it must, to a tool that was found before.
    Plain,
    /// As raw JSON text, to the policy alone, whose answer the engine completes.
    Halves,
}

const START: &str = "2026-11-21T10:00:00.000Z";

impl Case {
    /// Runs the case; returns the decisions' JSON, or what differs.
    pub fn run(&self, form: Form) -> Result<Vec<String>, Vec<String>> {
        let candidate = self.candidate.as_ref().map(|lines| {
            let policy = lines.join("\n").parse::<Policy>();
            Candidate::new(policy.unwrap_or_else(|error| panic!("{}: the candidate: {error}", self.name)))
        });
        self.run_with(form, candidate, true)
    }

    /// [`Case::run`] with this candidate, if any. What it says is not compared.
    pub fn run_beside(&self, form: Form, candidate: Option<Candidate>) -> Result<Vec<String>, Vec<String>> {
        self.run_with(form, candidate, false)
    }

    fn run_with(
        &self,
        form: Form,
        candidate: Option<Candidate>,
        is_own: bool,
    ) -> Result<Vec<String>, Vec<String>> {
        let clock = Arc::new(ManualClock::new(timestamp(START)));
        let engine =
            Engine::builder(self.load()).clock(clock.clone()).store(Arc::new(MemoryStore::new())).build();
        let observer = Observer::new();
        observer.observe(&engine, candidate.map(|candidate| candidate.clock(clock.clone()))).unwrap();
        let deciding = Deciding { engine, observer, observed: RefCell::new(None) };
        let engine = &deciding.engine;
        let mut decisions: Vec<String> = Vec::new();
        let mut reservations: Vec<(Option<Reservation>, Option<Observed>)> = Vec::new();
        let mut differences: Vec<String> =
            self.visible.iter().flat_map(|seen| seen.differences(engine)).collect();
        differences.extend(self.requests.iter().flat_map(|seen| seen.differences(engine)));
        for (index, step) in self.steps.iter().enumerate() {
            if let Some(at) = &step.at {
                clock.set(timestamp(at));
            }
            if let Some(reload) = &step.reload {
                engine.replace(self.reloaded(reload));
            }
            if let (Some(of), Some(finish)) = (step.finish_of, &step.finish) {
                finish.apply(engine, &mut reservations[of], step.finish_error.as_deref());
            }
            let mut note = |difference: String| differences.push(format!("step {index}: {difference}"));
            let mut last = None;
            for turn in 0..step.repeat.unwrap_or(1) {
                let form = if step.raw_only.is_some() { Form::Raw } else { form };
                let decision = step.decide(&deciding, form, &decisions);
                if turn + 1 < step.repeat.unwrap_or(1) && !decision.allowed() {
                    note(format!("turn {turn} of {:?} was not allowed: {decision:?}", step.repeat));
                }
                last = Some(decision);
            }
            let decision = last.expect("at least one turn");
            let json = decision.to_json();
            let mut shown: Value = serde_json::from_str(&json).unwrap();
            shown["mcp_result"] = mcp_result(&decision);
            for difference in compare(&step.expect, &shown) {
                note(format!("{difference}\n      in {json}"));
            }
            decisions.push(json);
            let observed = deciding.observed.take();
            if let (Some(wanted), true) = (&step.observed, is_own) {
                let found = observed.as_ref().and_then(Observed::to_json).map(|json| json.parse::<Value>());
                let mut found = found.unwrap_or(Ok(Value::Null)).unwrap();
                found["rule"] = found["rule"].get("pointer").cloned().unwrap_or_default();
                if found != *wanted {
                    note(format!("observed: expected {wanted}, found {found}"));
                }
            }
            reservations.push((decision.take_reservation(), observed));
            if let (None, Some(finish)) = (step.finish_of, &step.finish) {
                if reservations[index].0.is_none() {
                    note("there is no reservation to finish".to_owned());
                }
                finish.apply(engine, &mut reservations[index], step.finish_error.as_deref());
            }
        }
        if differences.is_empty() { Ok(decisions) } else { Err(differences) }
    }
}

impl Finish {
    /// Finishes a reservation, which is gone then, unless that fails as `error` says. What is gone is not finished again.
    fn apply(
        &self,
        engine: &Engine,
        (held, observed): &mut (Option<Reservation>, Option<Observed>),
        error: Option<&str>,
    ) {
        let Some(reservation) = held else { return };
        let amount = |text: &String| text.parse::<Amount>().unwrap();
        let actual = match self {
            Self::Ended(_) => None,
            Self::Settled(Settle { settle: Amounts::Only(text) }) => Some(Actual::Only(amount(text))),
            Self::Settled(Settle { settle: Amounts::ByCounter(texts) }) => {
                let amounts = texts.iter().map(|(counter, text)| (counter.clone(), amount(text)));
                Some(Actual::ByCounter(amounts.collect()))
            }
        };
        let outcome = || match self {
            Self::Ended(outcome) => outcome.parse().unwrap(),
            Self::Settled(_) => unreachable!(),
        };
        let finished = match &actual {
            None => engine.finish(reservation, outcome()),
            Some(actual) => engine.settle(reservation, actual.clone()),
        };
        assert_eq!(finished.as_ref().err().map(SettleError::code), error, "{finished:?}");
        assert_eq!(reservation.is_open(), error.is_some());
        if error.is_none() {
            *held = None;
            match (observed, actual) {
                (None, _) => {}
                (Some(observed), None) => observed.finish(outcome()),
                (Some(observed), Some(actual)) => observed.settle(actual),
            }
        }
    }
}

impl Step {
    fn decide(&self, deciding: &Deciding, form: Form, before: &[String]) -> Decision<'static> {
        let Some(approve) = &self.approve else { return self.call(deciding, form, None, self.explain) };
        let key = match (&approve.key, approve.key_of) {
            (Some(key), None) => key.clone(),
            (None, Some(step)) => {
                let before: Value = serde_json::from_str(&before[step]).unwrap();
                before["approval"]["key"].as_str().expect("that step asked for approval").to_owned()
            }
            // The key of this very call; where it needs none, any will do.
            _ => self
                .call(deciding, form, None, true)
                .approval()
                .map(|approval| approval.key())
                .unwrap_or("ak1:none")
                .to_owned(),
        };
        let approval = Approval::new(&key, &approve.id);
        let approval = match &approve.given_at {
            Some(at) => approval.given_at(timestamp(at)),
            None => approval,
        };
        self.call(deciding, form, Some(approval), self.explain)
    }

    fn call(
        &self,
        deciding: &Deciding,
        form: Form,
        approval: Option<Approval<'_>>,
        explain: bool,
    ) -> Decision<'static> {
        let engine = &deciding.engine;
        match form {
            Form::Raw | Form::Halves if explain => {
                self.raw(approval, |call| engine.explain_json(call).decision.into_owned())
            }
            Form::Raw => self.raw(approval, |call| deciding.observe_json(call, engine.decide_json(call))),
            Form::Halves => self.raw(approval, |call| {
                let policy = engine.policy();
                assert!(engine.is_in_force(&policy));
                deciding.observe_json(call, engine.complete(policy.evaluate_json(call)))
            }),
            Form::Value | Form::Plain => {
                let value = |text: &str| {
                    let mut reader = serde_json::Deserializer::from_str(text);
                    reader.disable_recursion_limit();
                    Value::deserialize(&mut reader)
                        .unwrap_or_else(|error| panic!("{error}: mark it raw_only: {text}"))
                };
                let (args, identity) = (self.called().1.map(value), self.identity.as_deref().map(value));
                let values = [args.as_ref(), identity.as_ref()];
                match form {
                    Form::Plain => self.values(deciding, (form, explain), approval, values, plain),
                    _ => self.values(deciding, (form, explain), approval, values, |value| value),
                }
            }
        }
    }

    fn raw(
        &self,
        approval: Option<Approval<'_>>,
        decide: impl FnOnce(&Call<'_, &str, RawView<'_>>) -> Decision<'static>,
    ) -> Decision<'static> {
        let caller = Caller::read(self.identity.as_deref()).unwrap();
        let (target, args) = self.called();
        let check = self.check.as_ref().map(Check::compiled);
        let call = call_of(target, args.unwrap_or("{}")).identity(caller.identity());
        decide(&self.beside(call, approval, check.as_ref()))
    }

    fn values<'v, V: View>(
        &self,
        deciding: &Deciding,
        form: (Form, bool),
        approval: Option<Approval<'_>>,
        [args, identity]: [Option<&'v Value>; 2],
        view: impl Fn(&'v Value) -> V,
    ) -> Decision<'static> {
        let identity = match identity {
            None => Identity::Absent,
            Some(Value::String(id)) => Identity::Id(id.as_str()),
            Some(claims) => Identity::claims(view(claims)),
        };
        let check = self.check.as_ref().map(Check::compiled);
        let nothing = Value::Object(serde_json::Map::new());
        match (self.called().0, args) {
            (Target::Tool(tool), None) => {
                let call = Call::without_args(tool).identity(identity);
                self.value(deciding, form, &self.beside(call, approval, check.as_ref()))
            }
            (target, Some(args)) => {
                let call = call_of(target, view(args)).identity(identity);
                self.value(deciding, form, &self.beside(call, approval, check.as_ref()))
            }
            (target, None) => {
                let call = call_of(target, &nothing).identity(identity);
                self.value(deciding, form, &self.beside(call, approval, check.as_ref()))
            }
        }
    }

    /// The call with what the host gives beside its arguments and its identity.
    fn beside<'c, A, I>(
        &'c self,
        call: Call<'c, A, I>,
        approval: Option<Approval<'c>>,
        check: Option<&'c ArgsCheck>,
    ) -> Call<'c, A, I> {
        let call = checked(approved(call, approval), check);
        match &self.server {
            Some(server) => call.server(server),
            None => call,
        }
    }

    fn value<A: View, I: View>(
        &self,
        deciding: &Deciding,
        (form, explain): (Form, bool),
        call: &Call<'_, A, I>,
    ) -> Decision<'static> {
        let engine = &deciding.engine;
        if explain {
            return engine.explain(call).decision.into_owned();
        }
        if form == Form::Plain {
            // A request is of no tool, whichever was found before.
            let tool = engine.policy().tool(self.tool.as_deref().unwrap_or("pay"));
            return deciding.observe(call, engine.decide_by_tool(&tool, call).decision());
        }
        deciding.observe(call, engine.decide(call))
    }
}

fn approved<'c, A, I>(call: Call<'c, A, I>, approval: Option<Approval<'c>>) -> Call<'c, A, I> {
    match approval {
        Some(approval) => call.approved(approval),
        None => call,
    }
}

fn checked<'c, A, I>(call: Call<'c, A, I>, check: Option<&'c ArgsCheck>) -> Call<'c, A, I> {
    match check {
        Some(check) => call.checked(check),
        None => call,
    }
}

/// The answer to an MCP client, whose `_meta` is what the library gives alone (spec 10.6).
fn mcp_result(decision: &Decision<'_>) -> Value {
    let read = |text: Option<String>| text.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap());
    let (result, meta) = (read(decision.to_mcp_result()), read(decision.to_mcp_meta()));
    assert_eq!(result.is_null(), decision.allowed());
    assert_eq!(result.get("_meta").unwrap_or(&Value::Null), &meta);
    result
}

fn compare(expect: &BTreeMap<String, Value>, decision: &Value) -> Vec<String> {
    assert!(
        expect.contains_key("effect") && expect.contains_key("code"),
        "a step must expect effect and code"
    );
    let mut differences = Vec::new();
    let mut check = |what: &str, wanted: &Value, found: &Value| {
        if wanted != found {
            differences.push(format!("{what}: expected {wanted}, found {found}"));
        }
    };
    for (field, wanted) in expect {
        match field.as_str() {
            "rule" => check(field, wanted, decision["rule"].get("pointer").unwrap_or(&Value::Null)),
            "rule_name" => check(field, wanted, decision["rule"].get("name").unwrap_or(&Value::Null)),
            "layer" => check(field, wanted, decision["rule"].get("layer").unwrap_or(&Value::Null)),
            "line" => check(field, wanted, decision["rule"].get("line").unwrap_or(&Value::Null)),
            "approval_rules" => {
                let rules = decision["approval"]["rules"].as_array();
                let pointers = rules.map(|rules| rules.iter().map(|rule| rule["pointer"].clone()).collect());
                check(field, wanted, &pointers.map_or(Value::Null, Value::Array));
            }
            "approval" => {
                let found = &decision["approval"];
                for (field, wanted) in wanted.as_object().unwrap() {
                    let found = match field.as_str() {
                        "approvers" => {
                            let rules = found["rules"].as_array().into_iter().flatten();
                            rules.map(|rule| rule["approvers"].clone()).collect()
                        }
                        _ => found[field].clone(),
                    };
                    check(&format!("approval.{field}"), wanted, &found);
                }
            }
            "counters" => {
                let (wanted, found) = (wanted.as_array().unwrap(), decision["counters"].as_array().unwrap());
                check("number of counters", &wanted.len().into(), &found.len().into());
                for (index, (wanted, found)) in wanted.iter().zip(found).enumerate() {
                    for (field, wanted) in wanted.as_object().unwrap() {
                        let found =
                            found.get(field).unwrap_or_else(|| panic!("no field {field} in counters"));
                        check(&format!("counters[{index}].{field}"), wanted, found);
                    }
                }
            }
            "effect" | "code" | "message" | "retry_after" | "tool" | "method" | "mcp_result" | "inner" => {
                check(field, wanted, &decision[field])
            }
            other => panic!("unknown expectation {other}"),
        }
    }
    differences
}

/// A manual clock at the time at which every case starts.
pub fn start_clock() -> Arc<ManualClock> {
    let clock = ManualClock::new(timestamp(START));
    clock.advance(Duration::ZERO);
    Arc::new(clock)
}
