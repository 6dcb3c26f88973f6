//! What goes out: for people, as JSON, as JUnit XML, as Markdown. Colours, and what must not be in it.

use std::collections::HashSet;

use super::Folder;
use crate::{callgate, json};

const FORMATS: [&str; 4] = ["human", "json", "junit", "markdown"];

/// A test of every outcome, with characters that XML and Markdown take for their own.
const MIXED: &str = "\
policy: p.yaml
tests:
  - {name: \"a <b> & \\\"c\\\" ]]> \\u0007 ä\", each: [{tool: list, expect: allow}, {tool: list, expect: allow}]}
  - {name: \"a / #1\", each: [{tool: list, expect: allow}]}
  - {name: x, each: [{name: \"#2\", tool: list, expect: allow}, {tool: list, expect: allow}]}
  - {name: fails, each: [{name: \"<f> & |`*\", tool: pay, args: {amount: 7}, expect: deny, rule: cap}]}
  - {name: skipped, skip: \"not <yet>\", each: [{tool: list, expect: allow}]}
  - {name: todo, todo: \"& later\", each: [{tool: list, expect: deny}]}
  - {name: done, todo: \"now\", each: [{tool: list, expect: allow}]}
";

#[test]
fn json_has_a_stable_form() {
    let folder = Folder::new("json");
    let path = folder.suite(MIXED);
    let run = callgate(&["test", "--format", "json", &path]);
    assert_eq!(run.status, 1, "{}", run.out);
    let found = json(&run.out);
    assert_eq!(found["version"], 1);
    assert_eq!(
        found["totals"],
        json(
            r#"{"passed": 5, "failed": 2, "skipped": 1, "todo": 1, "filtered": 0, "problems": 0, "calls": 8}"#
        )
    );
    let file = &found["files"][0];
    assert_eq!(file["path"], *path);
    let test = &file["tests"][5];
    assert_eq!((&test["name"], &test["test"]), (&"fails / <f> & |`*".into(), &"fails".into()));
    let failure = &test["failures"][0];
    assert_eq!((&failure["pointer"], &failure["tool"]), (&"/tests/3/each/0".into(), &"pay".into()));
    assert_eq!(
        failure["differences"],
        json(
            r#"[{"what": "decision", "expected": "deny", "actual": "allow (allowed)"},
                {"what": "rule", "expected": "cap", "actual": "no rule"}]"#
        )
    );
    assert_eq!(failure["decision"]["effect"], "allow");
    assert_eq!(failure["checks"][0]["pointer"], "/tools/pay/rules/0");
    let statuses: Vec<_> =
        file["tests"].as_array().unwrap().iter().map(|test| test["status"].as_str().unwrap()).collect();
    assert_eq!(
        statuses,
        ["passed", "passed", "passed", "passed", "passed", "failed", "skipped", "todo", "done"]
    );
}

/// An element of an XML text.
#[derive(Default, Debug)]
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    children: Vec<Element>,
    text: String,
}

/// Reads XML of elements, attributes and text, and nothing else; panics at what is not well formed.
fn parse(text: &str) -> Element {
    let mut rest = text.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n").unwrap();
    let mut open = vec![Element::default()];
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        open.last_mut().unwrap().text.push_str(&decoded(before));
        let (tag, after) = tag[1..].split_once('>').unwrap();
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            let closed = open.pop().unwrap();
            assert_eq!(closed.name, name);
            open.last_mut().unwrap().children.push(closed);
            continue;
        }
        let alone = tag.ends_with('/');
        let tag = tag.strip_suffix('/').unwrap_or(tag);
        let (name, mut fields) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut element = Element { name: name.to_owned(), ..Element::default() };
        while !fields.is_empty() {
            let (name, value) = fields.trim_start().split_once("=\"").unwrap();
            let (value, after) = value.split_once('"').unwrap();
            assert!(!element.attributes.iter().any(|(known, _)| known == name), "{name} stands twice");
            element.attributes.push((name.to_owned(), decoded(value)));
            fields = after;
        }
        if alone { open.last_mut().unwrap().children.push(element) } else { open.push(element) }
    }
    assert_eq!((open.len(), rest.trim()), (1, ""));
    let mut top = open.pop().unwrap();
    assert_eq!((top.children.len(), top.text.trim()), (1, ""));
    top.children.pop().unwrap()
}

/// Text with the entities of XML 1.0 in their places; panics at a character that XML 1.0 has not.
fn decoded(text: &str) -> String {
    assert!(!text.contains(['<', '>', '"']), "{text}");
    let allowed =
        |c: char| matches!(c, '\t' | '\n' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    assert!(text.chars().all(allowed), "{text:?}");
    let mut parts = text.split('&');
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        let (entity, after) = part.split_once(';').unwrap();
        out.push_str(match entity {
            "amp" => "&",
            "lt" => "<",
            "gt" => ">",
            "quot" => "\"",
            "#10" => "\n",
            "#9" => "\t",
            other => panic!("&{other};"),
        });
        out.push_str(after);
    }
    out
}

impl Element {
    fn attribute(&self, name: &str) -> &str {
        &self.attributes.iter().find(|(known, _)| known == name).unwrap().1
    }

    fn count(&self, name: &str) -> usize {
        self.attribute(name).parse().unwrap()
    }
}

/// What the schema of JUnit reports that Jenkins reads says of an element: its attributes and children.
fn allowed(name: &str) -> (&'static [&'static str], &'static [&'static str]) {
    match name {
        "testsuites" => (&["name", "time", "tests", "failures", "disabled", "errors"], &["testsuite"]),
        "testsuite" => (
            &[
                "name",
                "tests",
                "failures",
                "errors",
                "time",
                "disabled",
                "skipped",
                "timestamp",
                "hostname",
                "id",
                "package",
            ],
            &["properties", "testcase", "system-out", "system-err"],
        ),
        "testcase" => (
            &["name", "assertions", "time", "classname", "status"],
            &["skipped", "error", "failure", "system-out", "system-err"],
        ),
        "skipped" | "error" | "failure" => (&["message", "type"], &[]),
        other => panic!("<{other}>"),
    }
}

fn check_shape(element: &Element) {
    let (attributes, children) = allowed(&element.name);
    for (name, _) in &element.attributes {
        assert!(attributes.contains(&&**name), "{name} of <{}>", element.name);
    }
    for child in &element.children {
        assert!(children.contains(&&*child.name), "<{}> in <{}>", child.name, element.name);
        check_shape(child);
    }
    if !children.is_empty() {
        assert_eq!(element.text.trim(), "", "text in <{}>", element.name);
    }
    if let Some((_, time)) = element.attributes.iter().find(|(name, _)| name == "time") {
        assert!(time.parse::<f64>().unwrap() >= 0.0 && !time.contains('e'), "{time}");
    }
}

/// Checks a report: its shape, its numbers, and that no two cases have one name.
fn check_junit(text: &str) -> Element {
    let top = parse(text);
    check_shape(&top);
    let mut names = HashSet::new();
    let mut sums = [0; 3];
    for suite in &top.children {
        let with = |name: &str| {
            suite.children.iter().filter(|case| case.children.iter().any(|child| child.name == name)).count()
        };
        assert_eq!(suite.count("tests"), suite.children.len());
        for (attribute, element) in [("failures", "failure"), ("errors", "error"), ("skipped", "skipped")] {
            assert_eq!(suite.count(attribute), with(element), "{attribute}");
        }
        for case in &suite.children {
            assert_eq!(case.attribute("classname"), suite.attribute("name"));
            assert!(
                names.insert((case.attribute("classname"), case.attribute("name"))),
                "{case:?} is there twice"
            );
            assert!(case.children.len() <= 1, "{case:?}");
        }
        for (sum, attribute) in sums.iter_mut().zip(["tests", "failures", "errors"]) {
            *sum += suite.count(attribute);
        }
    }
    assert_eq!(sums, ["tests", "failures", "errors"].map(|name| top.count(name)));
    top
}

#[test]
fn junit_is_what_build_servers_read() {
    let folder = Folder::new("junit");
    let path = folder.suite(MIXED);
    let other = folder.write("b_test.yaml", MIXED);
    let broken = folder.write("c_test.yaml", "policy: p.yaml\nx: <1>\ny: \"&\"\ntests: []\n");
    let run = callgate(&["test", "--format", "junit", &path, &other, &broken]);
    assert_eq!(run.status, 2, "{}", run.out);
    let top = check_junit(&run.out);
    assert_eq!(top.children.len(), 3);
    let [first, _, third] = &*top.children else { panic!() };
    let names: Vec<_> = first.children.iter().map(|case| case.attribute("name")).collect();
    assert_eq!(names[0], "a <b> & \"c\" ]]> \u{fffd} ä / #1");
    let failed = &first.children[5];
    assert_eq!(failed.children[0].attribute("message"), "decision: expected deny, actual allow (allowed)");
    assert!(
        failed.children[0].text.contains(&format!("{path}:6:26: pay\n  decision: expected deny\n")),
        "{failed:?}"
    );
    assert_eq!(first.children[6].children[0].attribute("message"), "not <yet>");
    assert_eq!(first.children[7].children[0].attribute("message"), "todo: & later");
    assert!(first.children[8].children[0].attribute("message").contains("remove `todo: now`"));
    assert_eq!(third.count("errors"), 3);
    assert!(third.children[0].children[0].attribute("message").starts_with(&format!("{broken}:2:1: ")));
    // Nothing but what a filter leaves out.
    let run = callgate(&["test", "--format", "junit", "--filter", "nowhere", &path]);
    assert_eq!(check_junit(&run.out).count("tests"), 0);
}

/// Names that read the same once their parts are put together stay apart.
#[test]
fn names_of_junit_are_unique() {
    let folder = Folder::new("junit-names");
    folder.write("q.yaml", super::POLICY);
    let path = folder.suite(
        "policies: [p.yaml, q.yaml]\ntests:\n  - {name: a, each: [{tool: list, expect: allow}, {name: '#1', tool: list, expect: allow}, {name: b, tool: list, expect: allow}]}\n  - {name: a / b, each: [{tool: list, expect: allow}]}\n  - {name: a / b / p.yaml, each: [{tool: list, expect: allow}]}\n  - {name: 'a / b (2)', each: [{tool: list, expect: allow}]}\n",
    );
    let run = callgate(&["test", "--format", "junit", &path]);
    assert_eq!(run.status, 0, "{}", run.out);
    assert_eq!(check_junit(&run.out).count("tests"), 12);
}

#[test]
fn markdown_fits_a_comment() {
    let folder = Folder::new("markdown");
    let path = folder.suite(MIXED);
    let run = callgate(&["test", "--format", "markdown", &path]);
    assert_eq!(run.status, 1, "{}", run.out);
    assert!(
        run.out.starts_with("### ❌ Policy tests: 5 passed, 2 failed, 1 skipped, 1 todo\n"),
        "{}",
        run.out
    );
    // As code, in which nothing is markup, a link, or a mention.
    assert!(run.out.contains("\n- `` fails / <f> & \\|`* `` failed at ` "), "{}", run.out);
    let many: String = (0..3_000)
        .map(|at| {
            format!(
                "  - {{name: \"{at} {}\", each: [{{tool: list, expect: deny, rule: cap}}]}}\n",
                "漢\u{1f600}".repeat(20)
            )
        })
        .collect();
    let path = folder.suite(&format!("policy: p.yaml\ntests:\n{many}"));
    let run = callgate(&["test", "--format", "markdown", &path]);
    assert_eq!(run.status, 1);
    // Code hosts may count UTF-16.
    assert!(run.out.encode_utf16().count() < 65_536, "{}", run.out.encode_utf16().count());
    let shown = run.out.matches(" failed at ").count();
    assert!(
        shown > 50
            && run.out.ends_with(&format!("… and {} more: run `callgate test` to see all.\n", 3_000 - shown)),
        "{shown}"
    );
}

#[test]
fn colours_are_for_terminals() {
    let folder = Folder::new("colours");
    let path = folder.suite(MIXED);
    for format in FORMATS {
        let run = callgate(&["test", "--format", format, &path]);
        assert!(!run.out.contains('\u{1b}') && !run.err.contains('\u{1b}'), "{format}");
    }
}

/// The same where standard output is a terminal, as `script` of util-linux makes one.
#[test]
#[cfg(target_os = "linux")]
fn a_terminal_has_colours_unless_it_is_told_otherwise() {
    let folder = Folder::new("terminal");
    folder.suite(MIXED);
    let run = |name: &str, value: &str| {
        let run = std::process::Command::new("script")
            .args(["--quiet", "--return", "--command", "\"$CALLGATE\" test a_test.yaml", "/dev/null"])
            .env("CALLGATE", env!("CARGO_BIN_EXE_callgate"))
            .env_remove("NO_COLOR")
            .env("TERM", "xterm")
            .env(name, value)
            .stdin(std::process::Stdio::null())
            .current_dir(folder.path(""))
            .output()
            .unwrap();
        assert_eq!(run.status.code(), Some(1), "{run:?}");
        String::from_utf8(run.stdout).unwrap()
    };
    assert!(run("NO_COLOR", "").contains("\u{1b}[31m5 passed, 2 failed"));
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let out = run(name, value);
        assert!(!out.contains('\u{1b}') && out.contains("5 passed, 2 failed"), "{name}: {out}");
    }
}

/// What is in an argument may be a secret. It is shown where the author's own file shows it, and with `--verbose`.
#[test]
fn argument_values_stay_in_the_test_file() {
    let folder = Folder::new("values");
    let path = folder.suite(
        "policy: p.yaml\nidentities: {al: {id: s3cret-id, key: s3cret-claim}}\ncalls:\n  c: {tool: pay, args: {amount: 7, card: s3cret-card, \"s3cret-key\": 1}, as: al}\ntests:\n  - name: a\n    each:\n      - {call: c, expect: deny}\n      - {call: c, without: [amount], expect: allow}\n      - {tool: read_x, identity: s3cret-id, expect: deny}\n  - name: b\n    matrix: {as: [al], call: [c]}\n    expect: {al: {c: deny}}\n",
    );
    for format in FORMATS {
        let run = callgate(&["test", "--format", format, &path]);
        assert_eq!(run.status, 1, "{}", run.err);
        let excerpt = "      - {tool: read_x, identity: s3cret-id, expect: deny}\n";
        let out = run.out.replace(excerpt.trim(), "");
        assert!(!out.contains("s3cret"), "{format}: {out}");
        let verbose = callgate(&["test", "--verbose", "--format", format, &path]);
        // For people alone.
        assert_eq!(verbose.out.contains("s3cret-card"), format == "human", "{format}: {}", verbose.out);
        assert_eq!(verbose.out.contains("s3cret-claim"), format == "human", "{format}: {}", verbose.out);
    }
}
