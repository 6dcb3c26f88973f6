//! The engine and the reference interpreter decide alike: generated cases, and the cases of `spec/cases`.

use callgate_reference::json::Json;
use callgate_tests::differ::{Compared, compare, written};
use callgate_tests::generate::{
    Finish, GeneratedApproval, GeneratedCall, GeneratedCase, GeneratedCheck, GeneratedStep, Generator,
    Settled, Ways,
};
use callgate_tests::{case_files, project};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// Calls of the generated comparison: a few seconds without optimisation. `differ` makes more.
const CALLS: usize = 20_000;
/// The seed of the generated calls.
const SEED: u64 = 11;

#[test]
fn the_engine_and_the_reference_decide_generated_cases_alike() {
    let mut generator = Generator::new(SEED);
    let mut done = 0;
    let mut codes = std::collections::BTreeSet::new();
    while done < CALLS {
        let case = generator.case();
        match compare(&case) {
            Compared::Same(decided) => {
                done += decided.len();
                codes.extend(decided);
            }
            Compared::Skipped(why) => panic!("{why}\n{}", case.policy),
            Compared::Different { .. } => {
                panic!("{}", written(&callgate_tests::differ::minimise(&case), "found"));
            }
        }
    }
    // A generator that only ever denied early would prove nothing.
    for code in [
        "allowed",
        "approval_required",
        "approval_spent",
        "condition_failed",
        "denied",
        "hidden",
        "identity_required",
        "invalid_amount",
        "invalid_args",
        "invalid_identity",
        "limit_exceeded",
        "not_listed",
    ] {
        assert!(codes.contains(code), "no generated call was decided with {code}");
    }
}

/// The cases were written by hand from the language, so this checks the reference as much as the engine.
#[test]
fn the_reference_decides_the_cases_of_the_language() {
    let (mut compared, mut left) = (0, Vec::new());
    let mut different = Vec::new();
    for (file, text) in case_files("decisions") {
        let cases: Value = serde_json::from_str(&text).unwrap();
        for case in cases["cases"].as_array().unwrap() {
            let name = format!("{file}: {}", case["name"]);
            let Some(case) = as_generated(case) else {
                left.push(name);
                continue;
            };
            match compare(&case) {
                Compared::Same(_) => {
                    compared += 1;
                    // Every other way to ask gives the same.
                    let ways = Ways { yaml: true, values: true, explained: true, remote: true };
                    let case = GeneratedCase { ways, ..case };
                    if !matches!(compare(&case), Compared::Same(_)) {
                        different.push(written(&case, &name));
                    }
                }
                Compared::Skipped(why) => left.push(format!("{name}: {why}")),
                Compared::Different { .. } => different.push(written(&case, &name)),
            }
        }
    }
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
    assert!(compared >= 850, "only {compared} cases were compared; left out:\n{}", left.join("\n"));
}

/// A case of `spec/cases` with its policies as JSON; none for what a generated case cannot say (approvals with a key of
/// their own).
fn as_generated(case: &Value) -> Option<GeneratedCase> {
    let text = match case["policy_file"].as_str() {
        Some(file) => std::fs::read_to_string(project().join("spec/policies").join(file)).unwrap(),
        None => {
            let lines = case.get("layers").unwrap_or(&case["policy"]);
            return as_steps(case, as_policy(lines)?);
        }
    };
    as_steps(case, as_json(text)?)
}

/// Lines of a policy, or those of each policy of a stack, as the text of a generated case.
fn as_policy(lines: &Value) -> Option<String> {
    let joined = |lines: &Value| {
        let lines: Vec<&str> = lines.as_array()?.iter().filter_map(Value::as_str).collect();
        as_json(lines.join("\n"))
    };
    let lists = lines.as_array()?;
    if !lists.iter().all(Value::is_array) {
        return joined(lines);
    }
    let layers: Option<Vec<String>> = lists.iter().map(joined).collect();
    Some(format!("[{}]", layers?.join(",")))
}

/// The steps of a case under a policy.
fn as_steps(case: &Value, policy: String) -> Option<GeneratedCase> {
    let mut at = callgate_tests::generate::START;
    let mut steps: Vec<GeneratedStep> = Vec::new();
    for step in case["steps"].as_array()? {
        // What is explained is compared with what is then decided, in a way of its own.
        if step.get("explain").is_some() {
            return None;
        }
        let mut reload = match step.get("reload") {
            None => None,
            Some(lines) => Some(as_policy(lines)?),
        };
        if let Some(time) = step["at"].as_str() {
            at = callgate_tests::decisions::timestamp(time).as_millis();
        }
        let index = steps.len();
        let call = GeneratedCall {
            name: step.get("tool").unwrap_or(&step["method"]).as_str()?.to_owned(),
            is_request: step.get("method").is_some(),
            args: step.get("args").unwrap_or(&step["params"]).as_str().unwrap_or("{}").to_owned(),
            identity: step["identity"].as_str().map(str::to_owned),
            server: step["server"].as_str().map(str::to_owned),
            raw_only: step.get("raw_only").is_some(),
            check: step.get("check").map(|check| GeneratedCheck {
                schema: check.get("schema").map(Value::to_string),
                folding: check["folding"].as_bool().unwrap_or(true),
            }),
        };
        let approve = match step.get("approve") {
            None => None,
            Some(approve) if approve.get("key").is_some() => return None,
            Some(approve) => Some(GeneratedApproval {
                id: approve["id"].as_str()?.to_owned(),
                of: approve["key_of"].as_u64().map(|of| of as usize),
                given_at: approve["given_at"]
                    .as_str()
                    .map(|at| callgate_tests::decisions::timestamp(at).as_millis()),
            }),
        };
        let finish = finished(&step["finish"]);
        let finish_of = |of: usize| finish.clone().map(|finish| (of, finish));
        let before = step["finish_of"].as_u64().and_then(|of| finish_of(of as usize));
        for _ in 0..step["repeat"].as_u64().unwrap_or(1) {
            let (call, approve, finish) = (call.clone(), approve.clone(), before.clone());
            steps.push(GeneratedStep { at, call, approve, finish, reload: reload.take() });
        }
        // Steps that are named by number must keep their numbers.
        if steps.len() > index + 1 && case.to_string().contains("_of\"") {
            return None;
        }
        if step.get("finish").is_some() && before.is_none() {
            // What is finished after the step is finished before a call that touches nothing.
            let of = steps.len() - 1;
            let call = GeneratedCall { name: "no such tool".to_owned(), is_request: false, ..call };
            if case.to_string().contains("_of\"") {
                return None;
            }
            steps.push(GeneratedStep { at, call, approve: None, finish: finish_of(of), reload: None });
        }
    }
    Some(GeneratedCase { policy, steps, ways: Ways::default() })
}

/// How a case finishes a call. Whether that comes to something is compared, too.
fn finished(written: &Value) -> Option<Finish> {
    let micros = |amount: &Value| (amount.as_str().unwrap().parse::<f64>().unwrap() * 1e6).round() as i64;
    match written {
        Value::String(outcome) => Some(Finish::Ended(outcome.parse().unwrap())),
        Value::Object(settle) => Some(Finish::Settled(match &settle["settle"] {
            Value::Object(named) => {
                let one = |(name, amount): (&String, &Value)| (Settled::Named(name.clone()), micros(amount));
                named.iter().map(one).collect()
            }
            amount => vec![(Settled::Only, micros(amount))],
        })),
        _ => None,
    }
}

/// A policy as JSON text.
fn as_json(text: String) -> Option<String> {
    if text.trim_start().starts_with('{') && serde_json::from_str::<Value>(&text).is_ok() {
        return Some(text);
    }
    // A number that this reading of the text changes would make another policy.
    if text.split(|c: char| !c.is_ascii_digit() && c != '.').any(|digits| digits.len() > 15) {
        return None;
    }
    json_in_order(&text)
}

/// A YAML document as JSON text whose members keep their order, which matters (clause 6.1).
fn json_in_order(text: &str) -> Option<String> {
    let options = serde_saphyr::options! { strict_booleans: true };
    let ordered: Ordered = serde_saphyr::from_str_with_options(text, options).ok()?;
    Some(ordered.0.write())
}

struct Ordered(Json);

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reading)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Ordered;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Ordered, E> {
        Ok(Ordered(Json::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Ordered, E> {
        Ok(Ordered(Json::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Ordered, E> {
        Ok(Ordered(Json::Number(value.to_string())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Ordered, E> {
        Ok(Ordered(Json::Number(value.to_string())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Ordered, E> {
        Ok(Ordered(Json::Number(value.to_string())))
    }

    fn visit_str<E>(self, value: &str) -> Result<Ordered, E> {
        Ok(Ordered(Json::String(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Ordered, A::Error> {
        let mut all = Vec::new();
        while let Some(Ordered(element)) = elements.next_element()? {
            all.push(element);
        }
        Ok(Ordered(Json::Array(all)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Ordered, A::Error> {
        let mut all = Vec::new();
        while let Some((key, Ordered(value))) = members.next_entry::<String, Ordered>()? {
            all.push((key, value));
        }
        Ok(Ordered(Json::Object(all)))
    }
}
