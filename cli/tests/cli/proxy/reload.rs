//! A policy's file that changes while the gateway runs.

use super::*;

/// Puts a file in another's place, as editors and deployments do.
fn replace(file: &str, text: &str) {
    let new = format!("{file}.new");
    fs::write(&new, text).unwrap();
    fs::rename(&new, file).unwrap();
}

fn reloads(setup: &Setup) -> Vec<Value> {
    setup.records().into_iter().filter(|record| record["kind"] == "reload").collect()
}

const FIRST: &str = "\
version: '1'
default: allow
tools: {pay: {limits: [{counter: paid, window: month, max: 3}]}}
";
const SECOND: &str = "\
version: '1'
default: allow
hide: [go]
tools: {pay: {limits: [{counter: paid, window: month, max: 2}]}, echo: {rules: [{action: deny}]}}
";

fn is_denied(answer: &Value) -> bool {
    answer["result"]["isError"] == true
}

fn lists(proxy: &mut Proxy, id: u64, tool: &str) -> bool {
    proxy.send(&request(id, "tools/list", "{}"));
    let list = proxy.answer(id);
    list["result"]["tools"].as_array().unwrap().iter().any(|listed| listed["name"] == tool)
}

/// A file that is replaced, broken, and replaced again.
#[test]
fn the_next_call_is_decided_by_the_file_as_it_is() {
    let mut proxy = Setup::new("reload").policy(FIRST).open();
    let file = proxy.setup.path("policy.yaml");
    assert!(!is_denied(&proxy.call(1, "echo", "{}")) && lists(&mut proxy, 2, "go"));
    assert!(!is_denied(&proxy.call(3, "pay", "{}")) && !is_denied(&proxy.call(4, "pay", "{}")));
    replace(&file, SECOND);
    // What is seen has changed: the client is told, and calls are decided by the new policy.
    proxy.find(|message| message["method"] == "notifications/tools/list_changed");
    assert!(is_denied(&proxy.call(5, "echo", "{}")) && !lists(&mut proxy, 6, "go"));
    assert_eq!(proxy.call(7, "go", "{}")["result"]["_meta"]["callgate/code"], "hidden");
    // What was charged stays charged.
    assert_eq!(proxy.call(8, "pay", "{}")["result"]["_meta"]["callgate/code"], "limit_exceeded");
    // Broken in several ways, one after the other: the policy before stays.
    for (count, broken) in
        [(2, "version: '1'\ndefualt: allow\n"), (3, "version: '1'\ndefault: [\n"), (4, "- 1\n")]
    {
        replace(&file, broken);
        until("the fault is recorded", || reloads(&proxy.setup).len() == count);
        assert!(is_denied(&proxy.call(10 + count as u64, "echo", "{}")));
    }
    // Replaced twice.
    replace(&file, "{version: '1', default: deny}");
    until("it is in force", || reloads(&proxy.setup).len() == 5);
    replace(&file, FIRST);
    until("it is in force", || reloads(&proxy.setup).len() == 6);
    assert!(!is_denied(&proxy.call(20, "echo", "{}")) && !is_denied(&proxy.call(21, "pay", "{}")));
    assert!(is_denied(&proxy.call(22, "pay", "{}")));
    let ended = proxy.close();
    let reloads = reloads(&ended.setup);
    let digest = |at: usize, name: &str| reloads[at][name].as_str().map(str::to_owned);
    assert_eq!(reloads.len(), 6);
    for (at, reload) in reloads.iter().enumerate() {
        assert_eq!(reload["target"], "policy");
        assert_eq!(reload["new"].is_null(), reload["error"].is_string(), "{reload}");
        assert_eq!(reload["error"].is_string(), (1..4).contains(&at), "{reload}");
    }
    assert_eq!(ended.setup.records()[0]["policy"].as_str().map(str::to_owned), digest(0, "old"));
    assert_eq!((digest(0, "new"), digest(0, "old")), (digest(1, "old"), digest(5, "new")));
    assert_eq!(digest(1, "error").unwrap(), "1:1: missing_default; 2:1: unknown_field");
    assert_eq!(ended.said.matches("the policy before stays").count(), 3, "{}", ended.said);
    assert_eq!(ended.said.matches("the policy was read again").count(), 3, "{}", ended.said);
}

#[test]
fn a_file_that_nobody_watches_changes_nothing() {
    let mut proxy = Setup::new("unwatched").policy(FIRST).flags(&["--no-watch"]).open();
    assert!(!is_denied(&proxy.call(1, "echo", "{}")));
    replace(&proxy.setup.path("policy.yaml"), SECOND);
    // As long as a change takes that is watched, and longer.
    thread::sleep(Duration::from_secs(1));
    assert!(!is_denied(&proxy.call(2, "echo", "{}")));
    assert!(reloads(&proxy.close().setup).is_empty());
}

/// Who looks whether a policy is in force sees that its file is not.
#[test]
fn status_says_what_is_wrong_with_a_file_that_cannot_be_used() {
    let proxy = Setup::new("reload-status").policy(FIRST).open();
    let file = proxy.setup.path("policy.yaml");
    let status = || crate::callgate(&["status", "--dir", &proxy.setup.path("state/audit")]).out;
    assert!(!status().contains("cannot be used"));
    replace(&file, "version: '1'\ndefualt: allow\n");
    until("the fault is recorded", || status().contains("2:1: unknown_field"));
    replace(&file, SECOND);
    until("it is mended", || !status().contains("cannot be used"));
    proxy.close();
}

/// A name that nothing has is most often misspelt: at the start, and in a policy that takes its place.
#[test]
fn names_that_the_server_does_not_have_are_warned_of() {
    let list = r#"{"tools":[{"name":"pay","inputSchema":{"type":"object","properties":{"amount":{}},"additionalProperties":false}}]}"#;
    let policy =
        "{version: '1', default: allow, tools: {pay: {deny_if: [{path: args.amuont, op: gt, value: 1}]}}}";
    let mut proxy = Setup::new("reload-names").policy(policy).served(&["--list", list]).open();
    proxy.call(1, "pay", r#"{"amount":1}"#);
    replace(&proxy.setup.path("policy.yaml"), "{version: '1', default: allow, tools: {pya: {}}}");
    until("it is in force", || reloads(&proxy.setup).len() == 1);
    proxy.call(2, "pay", r#"{"amount":1}"#);
    let said = proxy.close().said;
    assert!(said.contains("unknown_argument") && said.contains("args.amuont"), "{said}");
    assert!(said.contains("unmatched_entry") && said.contains("`pya`"), "{said}");
}

/// The team's file breaks, and the whole stack stays in force until it is mended.
#[test]
fn a_stack_outlives_a_file_that_breaks() {
    let base = "version: '1'\nname: base\ndefault: allow\nhide: [go]\n";
    let team = "version: '1'\nname: team\ndefault: allow\ntools: {echo: {rules: [{action: deny}]}}\n";
    let setup = Setup::new("reload-stack");
    let (base_file, team_file) = (setup.path("base.yaml"), setup.path("team.yaml"));
    fs::write(&base_file, base).unwrap();
    fs::write(&team_file, team).unwrap();
    let mut proxy = setup.flags(&["-p", &base_file, "-p", &team_file]).open();
    let denial =
        |proxy: &mut Proxy, id: u64, tool: &str| proxy.call(id, tool, "{}")["result"]["isError"] == true;
    assert!(denial(&mut proxy, 1, "go") && denial(&mut proxy, 2, "echo") && !denial(&mut proxy, 3, "pay"));
    replace(&team_file, "version: '1'\nname: team\ndefualt: allow\n");
    until("the fault is recorded", || reloads(&proxy.setup).len() == 1);
    assert!(denial(&mut proxy, 4, "go") && denial(&mut proxy, 5, "echo"));
    // A name that is taken breaks the stack, though the file loads.
    replace(&team_file, &team.replace("name: team", "name: base"));
    until("the fault is recorded", || reloads(&proxy.setup).len() == 2);
    assert!(denial(&mut proxy, 6, "echo"));
    replace(&team_file, &team.replace("echo", "pay"));
    until("it is in force", || reloads(&proxy.setup).len() == 3);
    assert!(denial(&mut proxy, 7, "go") && !denial(&mut proxy, 8, "echo") && denial(&mut proxy, 9, "pay"));
    let ended = proxy.close();
    let reloads = reloads(&ended.setup);
    assert_eq!(reloads[0]["error"], "team.yaml: 1:1: missing_default; 3:1: unknown_field");
    assert_eq!(reloads[1]["error"], "team.yaml: duplicate_layer");
    let records = ended.setup.records();
    assert_eq!(records[0]["policy_file"], format!("{base_file}, {team_file}"));
    assert_eq!(records[0]["policy"], reloads[2]["old"]);
    let refused: Vec<_> = records.iter().filter(|record| record["decision"]["effect"] == "deny").collect();
    assert_eq!(refused[0]["decision"]["rule"]["layer"], "base");
    assert_eq!(refused[1]["decision"]["rule"]["layer"], "team");
    assert_eq!(refused[0]["decision"]["policy"], records[0]["policy"]);
    assert!(ended.said.contains(&format!("{team_file}:3:1: error[unknown_field]")), "{}", ended.said);
}
