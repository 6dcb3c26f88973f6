use callgate::{Call, Code, Engine, Policy};
use serde_json::{Value, json};

use super::*;
use crate::risk::{Options, classify};

fn risks(server: &str, names: &[&str]) -> Vec<Risk> {
    let tools: Vec<Value> = names.iter().map(|name| json!({"name": name, "description": name})).collect();
    classify(server, &tools, &Options::new())
}

#[test]
fn all_three_are_needed_and_may_be_on_different_servers() {
    let web = risks("web", &["fetch_page"]);
    let files = risks("files", &["read_document"]);
    let mail = risks("mail", &["send_message", "send_report"]);
    let all = || web.iter().chain(&files).chain(&mail);
    let flow = toxic(all()).unwrap();
    assert_eq!(flow.servers, ["files", "mail", "web"]);
    let brief: Vec<_> = flow.legs.iter().map(|leg| (leg.label.name(), leg.count)).collect();
    assert_eq!(brief, [("untrusted_input", 1), ("private_data", 1), ("outbound", 2)]);
    assert_eq!(flow.legs[0].tools, [("web".to_owned(), "fetch_page".to_owned())]);
    for left_out in ["web", "files", "mail"] {
        assert_eq!(toxic(all().filter(|risk| risk.server != left_out)), None, "{left_out}");
    }
}

#[test]
fn what_only_writes_brings_nothing_in_and_reads_nothing() {
    let mail = risks("mail", &["send_message", "create_comment", "update_document"]);
    assert_eq!(toxic(&mail), None);
}

#[test]
fn a_hundred_tools_are_counted_and_five_named() {
    let names: Vec<String> = (0..100).map(|index| format!("send_message_{index}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).chain(["fetch_page", "read_document"]).collect();
    let flow = toxic(&risks("one", &names)).unwrap();
    assert_eq!((flow.legs[2].count, flow.legs[2].tools.len()), (100, 5));
    assert_eq!(flow.policy.lines().count(), 102);
}

/// Whatever a tool is called: the policy loads, and asks about this tool and no other.
#[test]
fn the_policy_cuts_the_flow_whatever_the_tools_are_called() {
    let odd = [
        "no",
        "null",
        "1e3",
        "send",
        "~",
        "*",
        "a*b",
        "{a,b}",
        "[a]",
        "?",
        "a: b",
        "\"",
        "\\",
        "- a",
        "# a",
        "all_tools",
        "_global",
        "a\nb",
        "\u{202e}a",
        "\u{e0041}",
        "é",
        "\u{fffe}",
        "\u{85}",
        "'",
        "&a",
        "!a",
        "%a",
        "<<",
        "=",
        ",",
        "}",
        "]",
        " a ",
        "a b",
    ];
    let mut all = risks("one", &["fetch_page", "read_document"]);
    for name in odd {
        let mut sends = risks("one", &["send_message"]).remove(0);
        sends.name = name.to_owned();
        all.push(sends);
    }
    let mut long = risks("one", &["send_message"]).remove(0);
    long.name = "x".repeat(129);
    all.push(long);
    let flow = toxic(&all).unwrap();
    assert!(!flow.policy.chars().any(|c| c != '\n' && is_invisible(c)), "{}", flow.policy);
    assert!(flow.policy.contains("too long: 1."), "{}", flow.policy);
    let text = format!("version: \"1\"\ndefault: allow\n{}", flow.policy);
    let policy = Policy::from_yaml(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let engine = Engine::new(policy);
    let args = json!({});
    for name in odd {
        assert_eq!(engine.decide(&Call::new(name, &args)).code(), Code::ApprovalRequired, "{name:?}");
    }
    for name in ["fetch_page", "a", "b", "axb", "all_tool", "sendx"] {
        assert_eq!(engine.decide(&Call::new(name, &args)).code(), Code::Allowed, "{name:?}");
    }
}
