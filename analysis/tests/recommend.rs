//! Written policies: they load, give no warning with the tools that they are for, and pass their tests, which cover them whole.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail by panicking")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use callgate::{Engine, Format, Identity, Policy};
use callgate_analysis::coverage::Coverage;
use callgate_analysis::recommend::{Options, Profile, Recommended, Scope, recommend};
use callgate_analysis::report::Status;
use callgate_analysis::risk::{self, classify};
use callgate_analysis::subject::Subject;
use callgate_analysis::{Observed, Options as RunOptions, run_observed};
use serde_json::{Map, Value, json};

const PROFILES: [Profile; 3] = [Profile::ReadOnly, Profile::Recommended, Profile::Permissive];
const SCOPES: [Scope; 5] = [Scope::Caller, Scope::Global, Scope::Grant, Scope::Session, Scope::Identity];
const FILE: &str = "written.yaml";

/// What the crate writes for a list, after all that holds for every list was seen to hold.
fn written(server: &str, tools: &[Value], profile: Profile, scope: Scope) -> Recommended {
    let known = risk::Options::new();
    let risks = classify(server, tools, &known);
    let options = Options { profile, scope, risk: &known };
    let written = recommend(server, tools, &risks, &options, FILE).unwrap();
    check(server, tools, &written);
    written
}

fn check(server: &str, tools: &[Value], written: &Recommended) {
    let policy = Policy::from_text(&written.policy, Format::Yaml).unwrap();
    assert!(policy.warnings().is_empty(), "{server}: {:?}\n{}", policy.warnings(), written.policy);
    let warnings = callgate::lint(&written.policy, Format::Yaml, &&json!(tools)).unwrap();
    assert!(warnings.is_empty(), "{server}: {warnings:?}\n{}", written.policy);
    let subject = Subject::new(FILE, &written.policy).unwrap();
    let mut coverage = Coverage::new(&subject);
    let mut observer = |observed: &Observed<'_>| assert!(coverage.observe(observed));
    let options = RunOptions {
        filter: None,
        read: &|file| if file == FILE { Ok(written.policy.clone()) } else { Err(file.to_owned()) },
        elapsed: &|| Duration::ZERO,
    };
    let report = run_observed("written_test.yaml", &written.tests, &options, Some(&mut observer));
    let shown = || format!("{server}\n{}\n{}", written.policy, written.tests);
    assert!(report.problems.is_empty(), "{:?}\n{}", report.problems, shown());
    assert!(report.warnings.is_empty(), "{:?}\n{}", report.warnings, shown());
    for test in &report.tests {
        assert!(matches!(test.status, Status::Passed), "{test:?}\n{}", shown());
    }
    let report = coverage.finish();
    let gaps: Vec<_> = report.points.iter().filter(|point| point.gap.is_some()).collect();
    assert!(gaps.is_empty(), "{gaps:?}\n{}", shown());
}

/// The lists of real servers, each with its name.
fn servers() -> Vec<(String, Vec<Value>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folder = |path: &str| fs::read_dir(root.join(path)).unwrap().map(|entry| entry.unwrap().path());
    let catalogue = folder("catalogue").map(|path| path.join("tools.json")).filter(|path| path.is_file());
    let mut files: Vec<_> = catalogue.chain(folder("analysis/tests/risk/servers")).collect();
    files.sort();
    assert!(files.len() > 90, "{}", files.len());
    files
        .iter()
        .map(|file| {
            let list: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
            (list["server"].as_str().unwrap().to_owned(), list["tools"].as_array().unwrap().clone())
        })
        .collect()
}

#[test]
fn policies_of_real_servers_are_whole() {
    for (server, tools) in servers() {
        for profile in PROFILES {
            let written = written(&server, &tools, profile, Scope::Caller);
            assert!(written.left_out.is_empty(), "{server}: {:?}", written.left_out);
            assert!(!written.policy.contains("rules cannot have"), "{server}");
        }
    }
}

#[test]
fn a_list_in_another_order_gives_the_same_text() {
    for (server, mut tools) in servers() {
        let first = written(&server, &tools, Profile::Recommended, Scope::Grant);
        tools.reverse();
        assert_eq!(written(&server, &tools, Profile::Recommended, Scope::Grant), first, "{server}");
    }
}

/// The comments of a policy that hold rules, as rules.
fn filled_in(policy: &str) -> String {
    let mut out = String::new();
    let mut open = false;
    for line in policy.lines() {
        let (indent, text) = line.split_at(line.len().saturating_sub(line.trim_start().len()));
        open = text.starts_with("# FILL IN, and take") || open && text.starts_with("# ");
        match text.strip_prefix("# ").filter(|rest| open && !rest.starts_with("FILL IN")) {
            Some(rest) => out.push_str(&format!("{indent}{rest}\n")),
            None => out.push_str(&format!("{line}\n")),
        }
    }
    out
}

#[test]
fn what_is_to_be_filled_in_loads_as_it_stands() {
    let mut stubs = 0;
    for (server, tools) in servers() {
        let filled = filled_in(&written(&server, &tools, Profile::Recommended, Scope::Caller).policy);
        let policy = Policy::from_text(&filled, Format::Yaml)
            .unwrap_or_else(|error| panic!("{server}: {error}\n{filled}"));
        assert!(policy.warnings().is_empty(), "{server}: {:?}", policy.warnings());
        assert!(callgate::lint(&filled, Format::Yaml, &&json!(tools)).unwrap().is_empty(), "{server}");
        stubs += filled.matches("op: within, value: /srv/data").count();
    }
    assert!(stubs > 50, "{stubs}");
}

/// Text that tries to leave its line, its quotes or its name.
const HOSTILE: [&str; 26] = [
    "",
    " ",
    "a\nb: {}\n",
    "a\r\ntools: {\"*\": {}}",
    "x\u{85}default: allow",
    "x\u{2028}default: allow",
    "x\u{2029}default: allow\u{b}\u{c}",
    "\u{feff}\u{202e}\u{2066}pay\u{200b}\u{e0041}",
    "\0\u{1}\u{7f}\u{9b}\u{fffe}\u{ffff}\u{1fffe}\u{fdd0}",
    "\"}, \"*\": {",
    "'}\n\"*\": {}",
    "# --- ... %YAML !!str &a *a <<: ~",
    "*",
    "delete_*",
    "[a-z]",
    "{a,b}",
    "a{b",
    "a}b",
    "get?",
    "all_tools",
    "_global",
    "\\u0041\\",
    "get.x[0][\"y\"].@count.**",
    "@json",
    "null",
    "删除_é_\u{1f600}",
];

fn hostile_schema(text: &str) -> Value {
    let array = json!({"type": "array", "items": {"type": "string"}, "description": text});
    let mut properties = Map::new();
    for (name, property) in [
        ("url", json!({"type": "string", "description": text})),
        ("ids", array.clone()),
        ("path", json!({"type": ["string", "null"]})),
        ("amount", json!({"type": "number", "default": text})),
        ("force", json!({"type": "boolean", "default": true})),
        ("action", json!({"type": "string", "enum": ["get", "list", text, "delete"]})),
    ] {
        properties.insert(format!("{name}{text}"), property.clone());
        properties.insert(format!("{text}_{name}"), property.clone());
        properties.insert(name.to_owned(), property);
    }
    json!({"type": "object", "properties": properties, "required": [text, "ids"]})
}

/// Whatever a server sends, its policy lets through only tools that it lists, each under its own name.
#[test]
fn no_text_of_a_server_becomes_a_rule() {
    let verbs = ["", "get_", "create_", "delete_", "refund_", "manage_"];
    let mut all = Vec::new();
    for (text, profile) in HOSTILE.into_iter().zip(PROFILES.into_iter().cycle()) {
        let mut tools = Vec::new();
        for verb in verbs {
            tools.push(json!({
                "name": format!("{verb}{text}"), "title": text, "description": format!("{text} Deletes. {text}"),
                "inputSchema": hostile_schema(text), "annotations": {"readOnlyHint": true, "title": text},
            }));
        }
        let written = written(text, &tools, profile, Scope::Identity);
        let policy = Policy::from_text(&written.policy, Format::Yaml).unwrap();
        let engine = Engine::new(policy);
        for other in
            ["anything", "delete_it", "get_ab", "a", "b", "x", "get", "z", "tools", "default", "pay", "getx"]
        {
            let decided = engine.evaluate(other, &json!({}), &Identity::new("ann"));
            assert_eq!(decided.code().as_str(), "not_listed", "{other} by\n{}", written.policy);
        }
        assert!(written.left_out.len() <= 2, "{:?}", written.left_out);
        for (name, _) in &written.left_out {
            let decided = engine.evaluate(name, &json!({}), &Identity::new("ann"));
            assert!(!decided.allowed(), "{name:?}");
        }
        all.extend(tools);
    }
    for (scope, profile) in SCOPES.into_iter().zip(PROFILES.into_iter().cycle()) {
        written("all", &all, profile, scope);
    }
}

#[test]
fn a_list_of_anything_gives_a_policy() {
    let twice = json!({"name": "pay", "inputSchema": {"properties": {"amount": {"type": "number"}}}});
    for tools in [
        json!([]),
        json!([null, 7, "pay", [], {}, {"name": 7}, {"name": "a", "inputSchema": []}]),
        json!([twice, twice, {"name": "Pay"}, {"name": "PAY"}]),
        json!([{"name": "x".repeat(5_000)}, {"name": "\u{1}".repeat(1_000)}, {"name": "get_x", "inputSchema": {"properties": {"y".repeat(2_000) + "_url": {"type": "string"}}}}]),
        json!([{"name": "get_it", "inputSchema": {"properties": {"url": {"type": "string"}, "URL": {"type": "string"}, "Ids": {"type": "array"}, "ids": {"type": "array"}}}}]),
    ] {
        for profile in PROFILES {
            written("odd", tools.as_array().unwrap(), profile, Scope::Caller);
        }
    }
    let twice = written("odd", &[twice.clone(), twice], Profile::Permissive, Scope::Caller);
    assert_eq!(twice.left_out.len(), 2);
}

/// Each profile's entry of one tool.
fn entries(definition: &Value) -> [String; 3] {
    PROFILES.map(|profile| {
        let text = written("s", std::slice::from_ref(definition), profile, Scope::Caller).policy;
        text.split_once("\ntools:\n").unwrap().1.to_owned()
    })
}

#[test]
fn an_argument_that_makes_a_tool_another_one_has_a_rule() {
    let schema = |properties: Value| json!({"type": "object", "properties": properties});
    let permanent = schema(json!({"id": {"type": "string"}, "permanent": {"type": "boolean"}}));
    let [only_reads, recommended, permissive] =
        entries(&json!({"name": "update_node", "inputSchema": permanent}));
    assert!(only_reads.contains("action: deny") && !only_reads.contains("args.permanent"), "{only_reads}");
    let denies = "deny_if:\n      - name: \"`permanent`\"\n        conditions: [{path: args.permanent, op: eq, value: true}]";
    assert!(recommended.contains(denies) && recommended.contains("rate_limit: 30/minute"), "{recommended}");
    assert!(
        permissive.contains("require_approval") && permissive.contains("rate_limit: 30/minute"),
        "{permissive}"
    );

    // Where it is meant if it is left out, it has to be said.
    let by_default = schema(json!({"permanent": {"type": "boolean", "default": true}}));
    let [_, recommended, _] = entries(&json!({"name": "update_node", "inputSchema": by_default}));
    assert!(recommended.contains("{path: args.permanent, op: neq, value: false}"), "{recommended}");

    let action = |values: Value| schema(json!({"action": {"type": "string", "enum": values}}));
    let manage = |description: &str, values: Value| {
        entries(&json!({"name": "manage_items", "description": description, "inputSchema": action(values)}))
    };
    let all = json!(["list", "create", "delete"]);
    let [only_reads, recommended, _] = manage("Lists, creates or deletes items.", all.clone());
    assert!(only_reads.contains("{path: args.action, op: not_in, value: [\"list\"]}"), "{only_reads}");
    assert!(
        recommended.contains("{path: args.action, op: not_in, value: [\"list\", \"create\"]}"),
        "{recommended}"
    );

    // A value that cannot be read is a strong one.
    let [only_reads, ..] = manage("", json!(["list", "frobnicate", "delete"]));
    assert!(only_reads.contains("value: [\"list\"]"), "{only_reads}");

    // What the text speaks of, and no value is, stays.
    for text in ["Lists items. Executes arbitrary code.", "Runs a shell command. Deletes items."] {
        let [only_reads, recommended, _] = manage(text, all.clone());
        assert!(
            only_reads.contains("action: deny") && !only_reads.contains("args.action"),
            "{text}: {only_reads}"
        );
        assert!(!recommended.contains("rate_limit: 30/minute"), "{text}: {recommended}");
    }
}

#[test]
fn money_does_not_move_before_an_author_writes_numbers() {
    let schema = json!({"type": "object", "properties": {"amount": {"type": "integer"}, "currency": {"type": "string"}}});
    let tool = json!({"name": "create_refund", "description": "Refunds a charge.", "inputSchema": schema});
    for (profile, most) in
        [(Profile::Recommended, "denied"), (Profile::Permissive, "asked"), (Profile::ReadOnly, "denied")]
    {
        let written = written("s", std::slice::from_ref(&tool), profile, Scope::Caller);
        let engine = Engine::new(Policy::from_text(&written.policy, Format::Yaml).unwrap());
        for (args, code) in [
            (json!({"amount": 1}), if most == "asked" { "approval_required" } else { "" }),
            (json!({"amount": 0}), ""),
            (json!({"amount": -1}), ""),
            (json!({"amount": "1"}), ""),
            (json!({"amount": null}), ""),
            (json!({}), ""),
        ] {
            let decision = engine.evaluate("create_refund", &args, &Identity::new("ann"));
            assert!(!decision.allowed(), "{args}");
            if !code.is_empty() {
                assert_eq!(decision.code().as_str(), code, "{args}");
            }
        }
    }
}

#[test]
fn an_address_is_one_of_a_host_with_a_name() {
    let schema = json!({"type": "object", "properties": {"url": {"type": "string"}}, "required": ["url"]});
    let tool = json!({"name": "fetch_page", "description": "Fetches a page.", "inputSchema": schema});
    let written = written("s", std::slice::from_ref(&tool), Profile::Recommended, Scope::Caller);
    let engine = Engine::new(Policy::from_text(&written.policy, Format::Yaml).unwrap());
    let passes =
        |url: &str| engine.evaluate("fetch_page", &json!({"url": url}), &Identity::new("ann")).allowed();
    for url in [
        "https://example.com",
        "https://a.b-c.example:443/x?y#z",
        "https://xn--e1afmkfd.xn--p1ai/",
        "https://EXAMPLE.com?q",
    ] {
        assert!(passes(url), "{url}");
    }
    for url in [
        "http://example.com/",
        "https://169.254.169.254/",
        "https://[::1]/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://localhost/",
        "https://example.com@10.0.0.1/",
        "https://example.com:8080/",
        "https://example.com\\@10.0.0.1/",
        "https://example.com.\u{3002}x/",
        "https://exa\nmple.com/",
        " https://example.com/",
        "https://127.0.0.1.1/",
        "file:///etc/passwd",
        "https://example.com\t.evil.test/",
        "https://a.0x1/",
    ] {
        assert!(!passes(url), "{url}");
    }
}
