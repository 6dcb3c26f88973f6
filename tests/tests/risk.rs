//! The classifier of tools: every case of `spec/risk`, and the labels of `analysis/tests/risk`.

use std::collections::BTreeMap;

use callgate_analysis::risk::{Class, Code, Options, Override, Risk, classify, to_value};
use callgate_tests::risk::{Part, injected, markdown, marks_markdown, measure, toxic};
use callgate_tests::{json_files, project};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[expect(dead_code, reason = "for readers")]
    about: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    clauses: Vec<String>,
    #[serde(default = "server")]
    server: String,
    #[serde(default)]
    trusted: bool,
    #[serde(default)]
    overrides: Vec<Overridden>,
    #[serde(default)]
    tools: Vec<Value>,
    #[serde(default)]
    classes: BTreeMap<String, String>,
    #[serde(default)]
    hostile: Vec<String>,
    #[serde(default)]
    harmless: Vec<String>,
    #[serde(default)]
    expect: BTreeMap<String, Expected>,
}

fn server() -> String {
    "server".to_owned()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Overridden {
    server: Option<String>,
    tool: String,
    class: String,
    reason: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Expected {
    class: Option<String>,
    severity: Option<String>,
    labels: Option<Vec<String>>,
    has: Vec<String>,
    lacks: Vec<String>,
    findings: Option<Vec<String>>,
    least: u8,
    most: Option<u8>,
    reason: Option<Wanted>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    direction: String,
    place: String,
    text: String,
}

impl Case {
    fn options(&self) -> Options {
        let trusted = if self.trusted { Options::new().trust(&self.server) } else { Options::new() };
        self.overrides.iter().fold(trusted, |options, one| {
            let class = Class::from_name(&one.class).expect("a class");
            let said = Override::new(class, &one.reason).expect("a reason");
            options.override_class(one.server.as_deref(), &one.tool, said)
        })
    }

    fn run(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (name, class) in &self.classes {
            let tool = json!({"name": name, "description": name, "inputSchema": {"type": "object", "properties": {}}});
            let risk = classify(&self.server, &[tool], &Options::new()).remove(0);
            if risk.class.name() != class {
                wrong.push(format!("{name}: {class} expected, {:#}", to_value(&risk)));
            }
        }
        for (text, is_hostile) in
            self.hostile.iter().map(|text| (text, true)).chain(self.harmless.iter().map(|text| (text, false)))
        {
            let tool = json!({"name": "get_forecast", "description": text});
            let risk = classify(&self.server, &[tool], &Options::new()).remove(0);
            if risk.findings.iter().any(|finding| finding.code == Code::PromptInjection) != is_hostile {
                wrong.push(format!("{text:?} is {}", if is_hostile { "not found" } else { "found" }));
            }
        }
        let risks = classify(&self.server, &self.tools, &self.options());
        for (name, expected) in &self.expect {
            match risks.iter().find(|risk| risk.name == *name) {
                Some(risk) => wrong.extend(
                    expected
                        .differences(risk)
                        .into_iter()
                        .map(|what| format!("{name}: {what} expected, {:#}", to_value(risk))),
                ),
                None => wrong.push(format!("no tool {name}")),
            }
        }
        let texts = self.hostile.len() + self.harmless.len();
        if self.classes.is_empty() && self.expect.is_empty() && texts == 0 {
            wrong.push("expects nothing".to_owned());
        }
        wrong
    }
}

impl Expected {
    fn differences(&self, risk: &Risk) -> Vec<String> {
        let labels: Vec<&str> = risk.labels.iter().map(|label| label.name()).collect();
        let findings: Vec<&str> = risk.findings.iter().map(|finding| finding.code.name()).collect();
        let mut wrong = Vec::new();
        let mut hold = |holds: bool, what: String| {
            if !holds {
                wrong.push(what);
            }
        };
        hold(
            self.class.as_deref().is_none_or(|class| class == risk.class.name()),
            format!("class {:?}", self.class),
        );
        hold(
            self.severity.as_deref().is_none_or(|one| one == risk.severity.name()),
            format!("severity {:?}", self.severity),
        );
        hold(self.labels.as_ref().is_none_or(|all| *all == labels), format!("labels {:?}", self.labels));
        hold(self.has.iter().all(|one| labels.contains(&one.as_str())), format!("labels {:?}", self.has));
        hold(
            !self.lacks.iter().any(|one| labels.contains(&one.as_str())),
            format!("no labels {:?}", self.lacks),
        );
        hold(
            self.findings.as_ref().is_none_or(|all| *all == findings),
            format!("findings {:?}", self.findings),
        );
        let bounds = self.least..=self.most.unwrap_or(100);
        hold(bounds.contains(&risk.confidence), format!("confidence of {bounds:?}"));
        if let Some(wanted) = &self.reason {
            let there = risk.reasons.iter().any(|reason| {
                reason.direction.name() == wanted.direction
                    && reason.place == wanted.place
                    && reason.text.contains(&wanted.text)
            });
            hold(there, format!("reason {}", wanted.text));
        }
        wrong
    }
}

#[test]
fn every_case_of_risk_holds() {
    let clauses = std::fs::read_to_string(project().join("spec/risk.md")).expect("the clauses");
    let mut failures = Vec::new();
    let mut count = 0;
    for (path, text) in json_files("spec/risk") {
        let file: File = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
        for case in &file.cases {
            count += case.classes.len() + case.expect.len();
            failures
                .extend(case.run().into_iter().map(|wrong| format!("{path}: {}\n    {wrong}", case.name)));
            let unknown = case.clauses.iter().filter(|clause| !clauses.contains(&format!("**{clause}**")));
            failures.extend(unknown.map(|clause| format!("{path}: {}: no clause {clause}", case.name)));
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    assert!(count >= 200, "only {count} tools in cases");
}

#[test]
fn an_override_needs_a_reason() {
    for reason in ["", "  ", "\n", "–"] {
        assert!(Override::new(Class::Read, reason).is_err(), "{reason:?}");
    }
}

#[test]
fn labelled_tools_of_the_tuning_part_get_their_class() {
    let table = measure(Part::Tuning);
    assert!(table.tools >= 500, "only {} tools", table.tools);
    assert!(table.misses().is_empty(), "{:#?}\n{:#?}", table.misses(), table.wrong);
}

/// No tool of these parts is named here or in what a failure prints: to see their errors is to tune on them.
///
/// What is missed stands here and on the page, until a version that was tuned on other tools meets it.
#[test]
fn the_page_says_how_many_of_the_held_out_tools_get_their_class_and_which_targets_are_missed() {
    const MISSED: [&str; 3] = [
        "Financial: 21 of 28, less than 90 %",
        "Execute: 22 of 25, less than 90 %",
        "1 that run, destroy or pay are classed Read",
    ];
    const MISSED_BY_NEW: [&str; 4] = [
        "right: 189 of 209, less than 92 %",
        "Financial: 10 of 15, less than 90 %",
        "Execute: 9 of 12, less than 90 %",
        "1 that run, destroy or pay are classed Read",
    ];
    let (tuning, held_out, new) = (measure(Part::Tuning), measure(Part::HeldOut), measure(Part::New));
    assert!(held_out.tools >= 600, "only {} tools", held_out.tools);
    assert_eq!(held_out.misses(), MISSED);
    assert_eq!(new.misses(), MISSED_BY_NEW);
    let page = std::fs::read_to_string(project().join("tests/RESULTS.md")).expect("the page");
    let parts = [(Part::Tuning, &tuning), (Part::HeldOut, &held_out), (Part::New, &new)];
    for table in [markdown(&parts), marks_markdown(&parts)] {
        assert!(page.contains(&table), "the page says otherwise; `risk --held-out` prints its tables");
    }
}

/// Clause R8.6. Of the held-out part only the sum is said, and nowhere which tools they are.
#[test]
fn few_of_the_labelled_tools_have_text_that_gives_orders() {
    for (part, expected) in [(Part::Tuning, 4), (Part::HeldOut, 4)] {
        let (found, tools) = injected(part);
        assert!(found * 50 <= tools, "{}: {found} of {tools}, more than 2 %", part.name());
        assert_eq!(found, expected, "{}, of {tools}", part.name());
    }
}

/// Single servers whose own tools bring in what strangers wrote, read what is private, and send: these sums are on the page.
#[test]
fn the_page_says_how_many_servers_have_a_toxic_flow_of_their_own() {
    let page = std::fs::read_to_string(project().join("tests/RESULTS.md")).expect("the page");
    for part in [Part::Tuning, Part::HeldOut] {
        let (found, servers) = toxic(part);
        let row = format!("| {} | {} of {servers} |", part.name(), found.len());
        assert!(page.contains(&row), "the page says otherwise: {row}");
    }
}
