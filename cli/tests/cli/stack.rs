//! Several policies as one stack: `--policy` more than once, and `check --stack`.

use std::fs;

use crate::{Run, callgate, file, json};

const BASE: &str = "\
version: '1'
name: base
default: deny
hide: [drop_table]
tools:
  pay: {rules: [{name: small, conditions: [{path: args.amount, op: lte, value: 100}]}]}
  drop_table: {}
";
const TEAM: &str = "\
version: '1'
name: team
default: deny
tools:
  pay: {limits: [{counter: paid, window: day, max: 1}]}
  drop_table: {}
  refund: {}
";

/// The two files, of this test's own.
fn stack(test: &str) -> (String, String) {
    (file(&format!("stack-{test}-base.yaml"), BASE), file(&format!("stack-{test}-team.yaml"), TEAM))
}

fn eval(policies: &[&str], tool: &str, amount: u32) -> Run {
    let args = format!("{{\"amount\": {amount}}}");
    let policies = policies.iter().flat_map(|policy| ["--policy", *policy]);
    let mut all = vec!["eval", "--tool", tool, "--args", &args, "--format", "json"];
    all.extend(policies);
    callgate(&all)
}

#[test]
fn a_call_runs_where_every_policy_lets_it() {
    let (base, team) = stack("eval");
    let both = [&*base, &*team];
    for (tool, amount, code, layer) in [
        ("pay", 5, "allowed", None),
        ("pay", 500, "condition_failed", Some("base")),
        ("drop_table", 5, "hidden", Some("base")),
        ("refund", 5, "not_listed", None),
    ] {
        let run = eval(&both, tool, amount);
        assert_eq!((run.status, &*run.err), (i32::from(code != "allowed"), ""));
        let decision = json(&run.out);
        assert_eq!(decision["code"], code, "{}", run.out);
        assert_eq!(decision["rule"]["layer"].as_str(), layer, "{}", run.out);
    }
    // Their order is that of the flags, and a stack of one is that file.
    let digest = |policies: &[&str]| json(&eval(policies, "pay", 5).out)["policy"].clone();
    assert_ne!(digest(&both), digest(&[&team, &base]));
    assert_eq!(json(&eval(&[&team], "refund", 5).out)["code"], "allowed");
}

#[test]
fn the_counters_of_a_stack_live_as_long_as_those_of_a_file() {
    let (base, team) = stack("stream");
    let calls = file("stack-calls.jsonl", "{\"tool\": \"pay\", \"args\": {\"amount\": 5}}\n".repeat(2));
    let run = callgate(&["eval", "-p", &base, "-p", &team, "--calls", &calls, "--format", "json"]);
    let (first, second) = run.out.trim_end().split_once('\n').unwrap();
    assert_eq!((&json(first)["code"], &json(second)["code"]), (&"allowed".into(), &"limit_exceeded".into()));
    assert_eq!(json(second)["rule"]["layer"], "team");
}

#[test]
fn an_explanation_says_whose_each_rule_is() {
    let (base, team) = stack("explain");
    let args =
        ["explain", "--policy", &base, "--policy", &team, "--tool", "pay", "--args", "{\"amount\": 500}"];
    let run = callgate(&args);
    assert_eq!(run.status, 0, "{}", run.err);
    assert!(run.out.contains("permit \"small\" in layer \"base\"  denies"), "{}", run.out);
    assert!(
        run.out.contains("rule          small, /tools/pay/rules/0, line 6 of layer base\n"),
        "{}",
        run.out
    );
}

#[test]
fn every_file_that_does_not_load_is_shown_and_one_that_does_not_fit_is_named() {
    let (base, team) = stack("broken");
    let bad = file("stack-bad.yaml", "version: '1'\nname: bad\ndefualt: deny\n");
    let worse = file("stack-worse.yaml", "version: '1'\nname: worse\ntolls: {}\n");
    let run = eval(&[&base, &bad, &worse], "pay", 5);
    assert_eq!(run.status, 2);
    for part in ["stack-bad.yaml:3:1", "stack-worse.yaml:3:1"] {
        assert!(run.err.contains(part), "{}", run.err);
    }
    let unnamed = file("stack-unnamed.yaml", TEAM.replace("name: team\n", ""));
    for (files, wanted) in [
        ([&base, &unnamed], format!("error: {unnamed}: policy 2 of the stack has no name")),
        ([&team, &team], format!("error: {team}: policies 1 and 2 of the stack are both named \"team\"")),
    ] {
        let run = eval(&files.map(String::as_str), "pay", 5);
        assert_eq!(run.status, 2);
        assert!(run.err.starts_with(&wanted), "{}", run.err);
    }
}

#[test]
fn check_looks_at_each_file_and_with_stack_whether_they_go_together() {
    let (base, team) = stack("check");
    let unnamed = file("stack-check-unnamed.yaml", TEAM.replace("name: team\n", ""));
    let run = callgate(&["check", &base, &unnamed]);
    assert_eq!((run.status, &*run.out), (0, "2 files: no errors, no warnings\n"));
    let run = callgate(&["check", "--stack", &base, &team]);
    assert_eq!((run.status, &*run.out), (0, "2 files: no errors, no warnings\n"));

    let run = callgate(&["check", "--stack", &base, &unnamed]);
    assert_eq!(run.status, 1);
    assert!(
        run.out.contains("error[unnamed_layer]") && run.out.contains("check-unnamed.yaml:1:1"),
        "{}",
        run.out
    );
    let run = callgate(&["check", "--stack", "--format", "json", &base, &team, &base]);
    assert_eq!(run.status, 1);
    let found = json(&run.out);
    assert_eq!(found["errors"], 1);
    let oks: Vec<_> = found["files"].as_array().unwrap().iter().map(|file| file["ok"].clone()).collect();
    // The one that comes last is at fault.
    assert_eq!(oks, [true, true, false]);
    assert_eq!(found["files"][2]["diagnostics"][0]["code"], "duplicate_layer");
    let run = callgate(&["check", "--stack", "--format", "sarif", &base, &unnamed]);
    let result = json(&run.out)["runs"][0]["results"][0].clone();
    assert_eq!((&result["ruleId"], &result["level"]), (&"unnamed_layer".into(), &"error".into()));

    let of = |inner: &str| format!("dispatchers: {{call: {{tool: {inner}.name, args: {inner}.args}}}}\n");
    let one = file("stack-dispatch-one.yaml", format!("{BASE}{}", of("args")));
    let other = file("stack-dispatch-other.yaml", format!("{TEAM}{}", of("args.inner")));
    let run = callgate(&["check", "--stack", &one, &other]);
    assert_eq!(run.status, 1, "{}", run.out);
    assert!(
        run.out.contains("error[conflicting_dispatchers]") && run.out.contains("dispatch-other"),
        "{}",
        run.out
    );
}

/// `--tools` compares every file of a stack with the server's list.
#[test]
fn the_lints_of_a_servers_tools_are_those_of_each_file() {
    let (base, team) = stack("lint");
    let tools = file("stack-tools.json", "{\"tools\": [{\"name\": \"pay\"}, {\"name\": \"drop_table\"}]}");
    let run = callgate(&["check", "--stack", "--tools", &tools, &base, &team]);
    assert_eq!(run.status, 0, "{}", run.out);
    assert!(run.out.contains("lint-team.yaml") && run.out.contains("refund"), "{}", run.out);
    assert!(!run.out.contains("lint-base.yaml"), "{}", run.out);
}

#[test]
fn wrap_writes_every_policy_in_order_and_replaces_all_of_them() {
    let (base, team) = stack("wrap");
    let configuration =
        file("stack-mcp.json", r#"{"mcpServers": {"files": {"command": "npx", "args": ["x"]}}}"#);
    let wrap = |policies: &[&str]| {
        let flags = policies.iter().flat_map(|policy| ["--policy", *policy]);
        let mut args = vec!["proxy", "wrap", &*configuration, "--command", "callgate", "--format", "json"];
        args.extend(flags);
        let run = callgate(&args);
        assert_eq!(run.status, 0, "{}", run.err);
        let written = json(&fs::read_to_string(&configuration).unwrap());
        (written["mcpServers"]["files"]["args"].clone(), json(&run.out)["servers"][0]["policy"].clone())
    };
    let words = |policies: &[&str]| {
        let mut words = vec!["proxy", "--name", "files"];
        words.extend(policies.iter().flat_map(|policy| ["-p", *policy]));
        words.extend(["--", "npx", "x"]);
        serde_json::json!(words)
    };
    let both = [&*base, &*team];
    assert_eq!(wrap(&both), (words(&both), serde_json::json!(both)));
    // None asked for takes none away.
    assert_eq!(wrap(&[]), (words(&both), serde_json::json!(both)));
    assert_eq!(wrap(&[&team, &base]).0, words(&[&team, &base]));
    assert_eq!(wrap(&[&team]), (words(&[&team]), serde_json::json!(team)));
    assert_eq!(wrap(&both).0, words(&both));
    let unnamed = file("stack-wrap-unnamed.yaml", TEAM.replace("name: team\n", ""));
    let run = callgate(&["proxy", "wrap", &configuration, "-p", &base, "-p", &unnamed]);
    assert!(run.status == 2 && run.err.contains("has no name"), "{}", run.err);
}

/// Counters of one name in two policies are two, and each is found by its policy.
#[test]
fn counters_are_listed_and_reset_by_their_policy() {
    let limit = "limits: [{counter: paid, window: month, max: 5}]";
    let one = |name: &str| {
        let text = format!("version: '1'\nname: {name}\ndefault: deny\ntools: {{pay: {{{limit}}}}}\n");
        file(&format!("stack-counters-{name}.yaml"), text)
    };
    let (base, team) = (one("base"), one("team"));
    let counters = std::path::Path::new(&base).with_extension("db");
    let _ = fs::remove_file(&counters);
    let url = format!("sqlite://{}", counters.display());
    let run = callgate(&["eval", "-p", &base, "-p", &team, "--tool", "pay", "--store", &url]);
    assert_eq!(run.status, 0, "{}{}", run.out, run.err);
    let list = |more: &[&str]| {
        let run = callgate(&[&["counters", "list", "--store", &url, "--format", "json"], more].concat());
        let mut layers: Vec<_> =
            run.out.lines().map(|line| json(line)["layer"].as_str().unwrap().to_owned()).collect();
        layers.sort();
        layers
    };
    assert_eq!(list(&[]), ["base", "team"]);
    assert_eq!(list(&["--layer", "team"]), ["team"]);
    let run = callgate(&["counters", "list", "--store", &url, "--layer", "base"]);
    assert!(run.out.contains("  pay.paid of base, fixed month, global -\n"), "{}", run.out);
    let run = callgate(&["counters", "reset", "--store", &url, "--layer", "team"]);
    assert_eq!(run.status, 0, "{}", run.err);
    assert_eq!(list(&[]), ["base"]);
}
