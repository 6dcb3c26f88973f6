//! Files of overrides: what is wrong in one is told at its place, and nothing passes by matching nothing.

#[path = "overrides/cases.rs"]
mod cases;

use callgate::Diagnostic;
use callgate_analysis::overrides::Overrides;
use callgate_analysis::risk::{Class, Options, classify};
use serde_json::json;

#[test]
fn each_fault_has_its_code() {
    for (text, code, _) in cases::CASES {
        let found = Overrides::read(text).err().map(|errors| errors[0].code());
        assert_eq!(found, *code, "{text}");
    }
}

fn told(errors: &[Diagnostic]) -> Vec<String> {
    errors.iter().map(|error| format!("{} {} {:?}", error.pointer(), error.code(), error.help())).collect()
}

#[test]
fn what_matches_nothing_is_told() {
    let text = "
classes:
  - {tool: pay, server: bank, class: Financial, reason: it pays}
  - {tool: pya, class: Financial, reason: it pays}
  - {tool: pay, server: bnk, class: Financial, reason: it pays}
  - {tool: read, server: shop, class: Write, reason: it notes who read}
ignore:
  - {tool: pay, code: look_alike, reason: both are ours}
  - {tool: pay, code: same_name, server: bank, reason: both are ours}
  - {tool: nothing, code: same_name, reason: both are ours}
";
    let overrides = Overrides::read(text).unwrap();
    let mut applied = overrides.apply();
    applied.server("bank", ["pay", "read"].into_iter());
    applied.server("shop", ["buy"].into_iter());
    assert!(applied.ignores("bank", "pay", "look_alike"));
    assert!(!applied.ignores("bank", "pay", "bad_name"));
    assert!(!applied.ignores("shop", "buy", "look_alike"));
    assert_eq!(
        told(&applied.finish()),
        [
            r#"/classes/1 unknown_tool Some("did you mean `pay`?")"#,
            r#"/classes/2 unknown_server Some("did you mean `bank`?")"#,
            "/classes/3 unknown_tool None",
            r#"/ignore/1 unknown_finding Some("remove the item: there is nothing to leave out")"#,
            "/ignore/2 unknown_tool None",
        ]
    );
    // Of a server that was not asked, nothing is known.
    let mut applied = overrides.apply();
    applied.failed("bank");
    applied.server("shop", ["read"].into_iter());
    assert_eq!(told(&applied.finish()), [r#"/classes/2 unknown_server Some("did you mean `bank`?")"#]);
}

#[test]
fn a_class_for_a_server_wins() {
    let text = "classes:\n  - {tool: x, class: Write, reason: here and there}\n  - {tool: x, server: s, class: Read, reason: it reads}\n";
    let overrides = Overrides::read(text).unwrap();
    let options = overrides.options(Options::new());
    let class = |server: &str| classify(server, &[json!({"name": "x"})], &options)[0].class;
    assert_eq!((class("s"), class("t")), (Class::Read, Class::Write));
}
