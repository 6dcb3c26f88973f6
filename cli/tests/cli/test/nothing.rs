//! A run must not pass by matching nothing: each way is an error with exit status 2, at its place.

use std::fs;
use std::path::Path;

use super::ways::{WAYS, Way};
use super::{Folder, POLICY};
use crate::{callgate, json};

/// What is wrong elsewhere, each with a part of the message.
const ELSEWHERE: [(&str, &str); 6] = [
    ("a path that is not there", "No such file or directory"),
    ("a folder without a test file", "no test file found"),
    ("a `--filter` that no test's name holds", "no test has `TEXT` in its name"),
    ("a run in which every test is skipped", "nothing ran: every test is skipped"),
    (
        "a test file that is not called one, in a folder that is searched",
        "it looks like a test file, and is not called one",
    ),
    ("a policy that does not load", "the error of the policy, at its place"),
];

fn folder(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("p.yaml", POLICY);
    folder.write("open.yaml", "version: \"1\"\ndefault: allow\ntools: {list: {}, pay: {}, \"*\": {rules: [{rate_limit: 9/hour}]}}\n");
    folder.write("empty.json", "{\"tools\": []}");
    folder.write(
        "page.json",
        "{\"tools\": [{\"name\": \"list\", \"inputSchema\": {}}], \"nextCursor\": \"2\"}",
    );
    folder.write("error.json", "{\"error\": {}, \"tools\": [{\"name\": \"list\", \"inputSchema\": {}}]}");
    folder.write("no_schema.json", "{\"tools\": [{\"name\": \"list\", \"input_schema\": {}}]}");
    folder
        .write("twice.json", "{\"tools\": [{\"name\": \"list\", \"inputSchema\": {}, \"inputSchema\": {}}]}");
    let same = "{name: same, action: deny}";
    folder.write("same.yaml", format!("default: deny\ntools: {{pay: {{rules: [{same}, {same}]}}}}\n"));
    folder.write("server.json", "{\"tools\": [{\"name\": \"pay\", \"inputSchema\": {}}]}");
    folder
}

#[test]
fn what_matches_nothing_is_an_error_at_its_place() {
    let folder = folder("nothing");
    let mut wrong = Vec::new();
    for Way { way, code, files } in WAYS {
        for (index, marked) in files.iter().enumerate() {
            let at = marked.find('¦').unwrap();
            let before = &marked[..at];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
            let path = folder.write("a_test.yaml", marked.replace('¦', ""));
            let said = format!("{way} ({index})");
            let run = callgate(&["test", "--format", "json", &path]);
            let found = json(&run.out);
            let problems = found["files"][0]["problems"].as_array().unwrap();
            let places: Vec<_> = problems
                .iter()
                .map(|one| {
                    let one = &one["diagnostic"];
                    format!("{} {}:{}", one["code"].as_str().unwrap(), one["line"], one["column"])
                })
                .collect();
            let expected = format!("{code} {line}:{column}");
            if run.status != 2 || !places.contains(&expected) || found["totals"]["calls"] != 0 {
                wrong.push(format!("{said}: status {}, {places:?}, expected {expected}", run.status));
            }
            // For people, too.
            let run = callgate(&["test", &path]);
            let place = format!("--> {path}:{line}:{column}\n");
            if run.status != 2 || !run.out.contains(&format!("error[{code}]: ")) || !run.out.contains(&place)
            {
                wrong.push(format!("{said}: {place}{}", run.out));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_path_that_leads_to_no_test_file_is_an_error() {
    let folder = folder("nowhere");
    let path = folder
        .write("a_test.yaml", "policy: p.yaml\ntests: [{name: a, each: [{tool: list, expect: allow}]}]\n");
    assert_eq!(callgate(&["test", &path]).status, 0);
    for format in ["human", "json", "junit", "markdown"] {
        let missing = folder.path("nowhere_test.yaml");
        let run = callgate(&["test", "--format", format, &path, &missing]);
        assert_eq!((run.status, &*run.out), (2, ""), "{}", run.err);
        assert!(run.err.contains(&format!("{missing}: {}", ELSEWHERE[0].1)), "{}", run.err);
        // Others hold tests, and still this one is asked for in vain.
        let empty = folder.path("empty");
        fs::create_dir_all(&empty).unwrap();
        fs::write(Path::new(&empty).join("payments.yaml"), POLICY).unwrap();
        let run = callgate(&["test", "--format", format, &path, &empty]);
        assert_eq!((run.status, &*run.out), (2, ""), "{}", run.err);
        assert!(run.err.contains(&format!("{empty}: {}", ELSEWHERE[1].1)), "{}", run.err);
        assert!(run.err.contains("NAME_test.yaml"), "{}", run.err);
    }
    let run = folder.callgate_in("empty", &["test"]);
    assert!(run.status == 2 && run.err.contains(ELSEWHERE[1].1), "{}", run.err);
}

#[test]
fn a_test_file_with_another_name_is_not_passed_over() {
    let folder = folder("misnamed");
    let text = "policy: p.yaml\ntests: [{name: a, each: [{tool: list, expect: allow}]}]\n";
    folder.write("a_test.yaml", text);
    let json =
        r#"{"policy": "p.yaml", "tests": [{"name": "a", "each": [{"tool": "list", "expect": "allow"}]}]}"#;
    for (name, text) in [
        ("pay.test.yaml", text),
        ("pay-test.yml", text),
        ("pay_tests.yaml", text),
        ("test_pay.yaml", text),
        ("PAY_TEST.YAML", text),
        ("pay.test.json", json),
    ] {
        let path = folder.write(name, text);
        let run = callgate(&["test", &folder.path("")]);
        assert_eq!((run.status, &*run.out), (2, ""), "{name}: {}", run.err);
        assert!(run.err.contains(&format!("{name}: {}", ELSEWHERE[4].1)), "{}", run.err);
        // Whoever names it means it.
        assert_eq!(callgate(&["test", &path]).status, 0, "{name}");
        fs::remove_file(path).unwrap();
    }
    // Others have such names, too.
    folder.write("tsconfig.test.json", "{\"compilerOptions\": {}}");
    folder.write("compose.test.yaml", "services:\n  tests: {}\n");
    assert_eq!(callgate(&["test", &folder.path("")]).status, 0);
}

#[test]
fn a_run_in_which_nothing_runs_is_an_error() {
    let folder = folder("unrun");
    let text =
        "policy: p.yaml\ntests:\n  - {name: pays, skip: not yet, each: [{tool: list, expect: allow}]}\n";
    let path = folder.write("skipped_test.yaml", text);
    for format in ["human", "json", "junit", "markdown"] {
        let run = callgate(&["test", "--format", format, &path]);
        assert_eq!(run.status, 2, "{}", run.out);
        assert!(run.err.contains(ELSEWHERE[3].1), "{}", run.err);
        let run = callgate(&["test", "--format", format, "--filter", "refund", &path]);
        assert_eq!(run.status, 2, "{}", run.out);
        assert!(run.err.contains(&ELSEWHERE[2].1.replace("TEXT", "refund")), "{}", run.err);
    }
    // A filter that leaves a skipped test and no other.
    let other = folder.write(
        "other_test.yaml",
        "policy: p.yaml\ntests: [{name: reads, each: [{tool: list, expect: allow}]}]\n",
    );
    assert_eq!(callgate(&["test", &path, &other]).status, 0);
    let run = callgate(&["test", "--filter", "pays", &path, &other]);
    assert!(run.status == 2 && run.err.contains(ELSEWHERE[3].1), "{}", run.err);
}

#[test]
fn a_policy_that_does_not_load_is_an_error_in_the_policy() {
    let folder = folder("broken");
    let broken = folder.write(
        "broken.yaml",
        "version: \"1\"\ndefault: deny\ntools:\n  list: {rules: [{rate_limit: often}]}\n",
    );
    for text in [
        "policy: broken.yaml\ntests: [{name: a, each: [{tool: list, expect: allow}]}]\n",
        "policies: [p.yaml, broken.yaml]\ntests: [{name: a, each: [{tool: list, expect: allow}]}]\n",
        "policy: p.yaml\ntests: [{name: a, steps: [{reload: broken.yaml, tool: list, expect: allow}]}]\n",
    ] {
        let path = folder.write("a_test.yaml", text);
        let run = callgate(&["test", &path]);
        assert_eq!(run.status, 2, "{}", run.out);
        assert!(run.out.contains("error[invalid_rate_limit]: `often` is not a rate"), "{}", run.out);
        assert!(run.out.contains(&format!("--> {broken}:4:31\n")), "{}", run.out);
        // A test that is left out does not ask for it.
    }
}

#[test]
#[cfg(unix)]
fn a_pipe_is_no_test_file_and_no_policy() {
    let folder = folder("pipes");
    let pipe = |name: &str| {
        let made = std::process::Command::new("mkfifo").arg(folder.path(name)).status().unwrap();
        assert!(made.success());
    };
    pipe("a_test.yaml");
    let run = callgate(&["test", &folder.path("")]);
    assert!(run.status == 2 && run.out.contains("it is not a regular file"), "{}{}", run.out, run.err);
    fs::remove_file(folder.path("a_test.yaml")).unwrap();
    pipe("pipe.yaml");
    let text = "policy: pipe.yaml\ntests: [{name: a, each: [{tool: list, expect: allow}]}]\n";
    let run = callgate(&["test", &folder.write("b_test.yaml", text)]);
    assert!(run.status == 2 && run.out.contains("it is not a regular file"), "{}", run.out);
}

/// The guide's table is this one.
#[test]
fn the_guide_lists_every_way() {
    let guide = include_str!("../../../../docs/guide/test.md");
    let (_, table) = guide.split_once("| what matches nothing | error |\n| --- | --- |\n").unwrap();
    let rows: Vec<&str> = table.lines().take_while(|line| line.starts_with('|')).collect();
    let here = WAYS.iter().map(|way| format!("| {} | `{}` |", way.way, way.code));
    let here: Vec<String> =
        here.chain(ELSEWHERE.iter().map(|(way, says)| format!("| {way} | {says} |"))).collect();
    for row in &here {
        assert!(rows.contains(&&**row), "the guide lacks\n{row}");
    }
    assert_eq!(rows.len(), here.len(), "the guide has more");
}
