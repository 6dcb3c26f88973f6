//! Diagnostics of long wrong policies: bounded in number and text, and what is not reported costs nothing.

#[path = "../../core/tests/counting/mod.rs"]
mod counting;

use callgate::ceilings::DIAGNOSTICS;
use callgate::{Diagnostic, Format, Policy, Severity};
use callgate_tests::wrong;
use counting::allocations;

/// What loading gives, and its allocations.
fn load(text: &str) -> (Vec<Diagnostic>, u64) {
    let (allocated, found) = allocations(|| match Policy::from_text(text, Format::Detect) {
        Ok(policy) => policy.warnings().to_vec(),
        Err(error) => error.diagnostics().to_vec(),
    });
    (found, allocated)
}

#[test]
fn what_is_wrong_with_a_policy_takes_linear_work() {
    for (what, entry) in wrong::ENTRIES {
        let (found, few) = load(&wrong::policy(entry, 1_200));
        assert_eq!(found.len(), DIAGNOSTICS, "{what}");
        let (again, many) = load(&wrong::policy(entry, 3_600));
        assert!(many <= 4 * few, "{what}: {few} allocations for 1,200 entries, {many} for 3,600");
        let kinds = |found: &[Diagnostic]| found.iter().map(Diagnostic::code).collect::<Vec<_>>();
        assert_eq!(kinds(&found), kinds(&again), "{what}");
    }
}

/// A long name or text that is wrong in many places stands in none of their diagnostics whole.
#[test]
fn long_texts_are_cut() {
    let longest = "x".repeat(200_000);
    let long = "x".repeat(4_000);
    let digits = "0".repeat(4_000);
    let items = |item: &str| [item; 1_500].join(",");
    let entry = |entry: &str| format!(r#"{{"tools":{{"t":{entry}}}}}"#);
    let yaml = |text: &str, entry: &str| format!("x-a: &a {text}\ntools: {{t: {entry}}}");
    let require = |item: &str| format!("{{require: [{}]}}", items(item));
    for (what, text) in [
        ("a tool", format!(r#"{{"tools":{{"{longest}":{{"rules":[{}]}}}}}}"#, items(r#"{"action":"no"}"#))),
        (
            "a member of an operand",
            entry(&format!(
                r#"{{"deny_if":[{{"path":"args.a","op":"eq","value":{{"{longest}":[{}]}}}}]}}"#,
                items("1e400")
            )),
        ),
        (
            "a counter",
            entry(&format!(
                r#"{{"limits":[{{"counter":"{longest}.a","window":"hour","max":1}}],"require":[{}]}}"#,
                items(r#"{"path":"state.u.a","op":"lt","value":1}"#)
            )),
        ),
        ("a word that readers take differently", yaml(&format!("1_{digits}"), &require("*a"))),
        ("an operator", yaml(&long, &require("{path: args.a, op: *a, value: 1}"))),
        ("a number", yaml(&format!("1{digits}"), &format!("{{limits: [{}]}}", items("{counter: *a}")))),
        ("a hidden name", format!("x-a: &a \u{e9}{long}\nhide: [{}]", items("*a"))),
    ] {
        let (found, _) = load(&text);
        assert_eq!(found.len(), DIAGNOSTICS, "{what}: {:?}", found.first());
        let length = |found: &Diagnostic| {
            found.message().len() + found.pointer().len() + found.help().unwrap_or_default().len()
        };
        let longest = found.iter().map(length).max();
        assert!(longest < Some(1 << 10), "{what}: {longest:?} bytes");
    }
}

/// However many warnings come first, a policy that does not load says why.
#[test]
fn an_error_is_reported_behind_any_number_of_warnings() {
    let zero = r#"{"rules":[{"state":{"counter":"c","window":"hour","increment":0}}]}"#;
    let text = wrong::policy(zero, 2 * DIAGNOSTICS).replace("\n}}\n", ",\"t\":[]}}");
    let (found, _) = load(&text);
    assert_eq!(found.len(), DIAGNOSTICS);
    let errors: Vec<_> = found.iter().filter(|found| found.severity() == Severity::Error).collect();
    assert_eq!(errors.iter().map(|error| error.code()).collect::<Vec<_>>(), ["wrong_type"]);
}
