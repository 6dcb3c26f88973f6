//! The classifier of tools beside the labels of `analysis/tests/risk`.
//!
//! In: the servers of one part, `tuning` or `held-out`, and what two passes said of their tools. Out: a [`Table`] for the part. Names of tools
//! come out for the tuning part only: to see the errors of the held-out one is to tune on it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use callgate_analysis::flow;
use callgate_analysis::risk::{Class, Code, Label as Mark, Options, Risk, classify};
use serde_json::Value;

use crate::project;

/// A part of the labelled tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What the classifier may be tuned on.
    Tuning,
    /// What it must not.
    HeldOut,
    /// The servers of the held-out part that came last: the version that they were first measured on knew nothing of them.
    New,
}

impl Part {
    /// The name of its list.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tuning => "tuning",
            Self::HeldOut => "held-out",
            Self::New => "held-out-new",
        }
    }
}

/// What both passes said of a tool.
struct Label {
    passes: [Class; 2],
    sure: bool,
}

impl Label {
    fn fits(&self, class: Class) -> bool {
        if self.sure { self.passes[0] == class } else { self.passes.contains(&class) }
    }
}

/// The labels of clause R6 that both passes gave a tool.
type Marks = [BTreeSet<Mark>; 2];

/// How many of one class were sure, and how many of these were found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Found {
    /// Tools of which both passes were sure that they have the class.
    pub sure: u32,
    /// Those of them that got it.
    pub found: u32,
}

/// How often a label of clause R6 was found, and how often it was right.
#[derive(Clone, Copy, Debug, Default)]
pub struct Marked {
    /// Tools to which both passes gave it.
    pub both: u32,
    /// Those of them that got it.
    pub found: u32,
    /// Tools that got it.
    pub said: u32,
    /// Those of them to which a pass gave it.
    pub right: u32,
}

/// A part, added up.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// All tools.
    pub tools: u32,
    /// Tools of which both passes were sure.
    pub sure: u32,
    /// Those of them that got their class.
    pub right: u32,
    /// Tools without a class.
    pub unknown: u32,
    /// Tools with a confidence of 90 or more.
    pub confident: u32,
    /// Those of them with a class that a pass gave; if both were sure, with theirs.
    pub confident_right: u32,
    /// Tools that both passes took for Execute, Destructive or Financial, and that were classed Read.
    pub harmless: u32,
    /// By class.
    pub classes: BTreeMap<&'static str, Found>,
    /// By label of clause R6, of the tools that have these.
    pub marks: BTreeMap<&'static str, Marked>,
    /// Of the tuning part: labels that a tool lacks or has otherwise than both passes, each as `server tool: label missing`.
    pub wrong_marks: Vec<String>,
    /// Of the tuning part: sure tools with another class, each as `server tool: label, got class confidence`.
    pub wrong: Vec<String>,
}

fn read(path: &str) -> String {
    std::fs::read_to_string(project().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The servers of a part.
fn servers(part: Part) -> BTreeSet<String> {
    let list = read(&format!("analysis/tests/risk/{}.txt", part.name()));
    list.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn labels(servers: &BTreeSet<String>) -> BTreeMap<(String, String), Label> {
    let class = |name: &str| Class::from_name(name).unwrap_or_else(|| panic!("no class: {name}"));
    read("analysis/tests/risk/labels.tsv")
        .lines()
        .skip(1)
        .map(|line| line.split('\t').collect::<Vec<_>>())
        .filter(|fields| servers.contains(fields[0]))
        .map(|fields| {
            let label = Label { passes: [class(fields[2]), class(fields[4])], sure: fields[6] == "yes" };
            ((fields[0].to_owned(), fields[1].to_owned()), label)
        })
        .collect()
}

/// What both passes gave the tools of `marks.tsv`, of which there are fewer than of the classes.
fn marks(servers: &BTreeSet<String>) -> BTreeMap<(String, String), Marks> {
    let pass = |field: &str| {
        let mark = |name| {
            let found = Mark::ALL.into_iter().find(|mark| mark.name() == name);
            found.unwrap_or_else(|| panic!("no label: {name}"))
        };
        field.split(',').filter(|name| !name.is_empty()).map(mark).collect::<BTreeSet<_>>()
    };
    read("analysis/tests/risk/marks.tsv")
        .lines()
        .skip(1)
        .map(|line| line.split('\t').collect::<Vec<_>>())
        .filter(|fields| servers.contains(fields[0]))
        .map(|fields| ((fields[0].to_owned(), fields[1].to_owned()), [pass(fields[2]), pass(fields[3])]))
        .collect()
}

/// The tools that a server lists.
fn tools(server: &str) -> Vec<Value> {
    let path =
        [format!("analysis/tests/risk/servers/{server}.json"), format!("catalogue/{server}/tools.json")]
            .into_iter()
            .find(|path| project().join(path).is_file())
            .unwrap_or_else(|| panic!("no tools of {server}"));
    let mut file: Value =
        serde_json::from_str(&read(&path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    match file["tools"].take() {
        Value::Array(tools) => tools,
        _ => panic!("{path} lists no tools"),
    }
}

/// Classifies the tools of a part.
pub fn measure(part: Part) -> Table {
    let servers = servers(part);
    let labels = labels(&servers);
    let marks = marks(&servers);
    let mut table = Table::default();
    for server in &servers {
        for risk in classify(server, &tools(server), &Options::new()) {
            let key = (server.clone(), risk.name.clone());
            let label = labels.get(&key).unwrap_or_else(|| panic!("a tool of {} has no label", part.name()));
            table.add(part, &risk, label);
            if let Some(marks) = marks.get(&key) {
                table.add_marks(part, &risk, marks);
            }
        }
    }
    assert_eq!(table.tools as usize, labels.len(), "labels of {} without a tool", part.name());
    table
}

/// How many tools of a part have text that gives the model orders, and how many tools there are.
pub fn injected(part: Part) -> (usize, usize) {
    let risks =
        servers(part).into_iter().flat_map(|server| classify(&server, &tools(&server), &Options::new()));
    let has = |risk: &Risk| risk.findings.iter().any(|finding| finding.code == Code::PromptInjection);
    risks.fold((0, 0), |(found, all), risk| (found + usize::from(has(&risk)), all + 1))
}

/// The servers of a part that have a toxic flow of their own, and how many servers there are.
pub fn toxic(part: Part) -> (Vec<String>, usize) {
    let servers = servers(part);
    let has = |server: &&String| flow::toxic(&classify(server, &tools(server), &Options::new())).is_some();
    (servers.iter().filter(has).cloned().collect(), servers.len())
}

impl Table {
    fn add(&mut self, part: Part, risk: &Risk, label: &Label) {
        let fits = label.fits(risk.class);
        let [said, other] = label.passes;
        self.tools += 1;
        self.unknown += u32::from(risk.class == Class::Unknown);
        self.confident += u32::from(risk.confidence >= 90);
        self.confident_right += u32::from(risk.confidence >= 90 && fits);
        let strong = said == other && matches!(said, Class::Execute | Class::Destructive | Class::Financial);
        self.harmless += u32::from(strong && risk.class == Class::Read);
        if label.sure {
            let class = self.classes.entry(said.name()).or_default();
            self.sure += 1;
            self.right += u32::from(fits);
            class.sure += 1;
            class.found += u32::from(fits);
            if !fits && part == Part::Tuning {
                let Risk { server, name, class, confidence, .. } = risk;
                self.wrong.push(format!(
                    "{server} {name}: {}, got {} {confidence}",
                    said.name(),
                    class.name()
                ));
            }
        }
    }

    fn add_marks(&mut self, part: Part, risk: &Risk, [first, second]: &Marks) {
        for mark in Mark::ALL {
            let (both, some) = (
                first.contains(&mark) && second.contains(&mark),
                first.contains(&mark) || second.contains(&mark),
            );
            let said = risk.labels.contains(&mark);
            let marked = self.marks.entry(mark.name()).or_default();
            marked.both += u32::from(both);
            marked.found += u32::from(both && said);
            marked.said += u32::from(said);
            marked.right += u32::from(some && said);
            if part == Part::Tuning && (both && !said || said && !some) {
                let what = if said { "too much" } else { "missing" };
                self.wrong_marks.push(format!("{} {}: {} {what}", risk.server, risk.name, mark.name()));
            }
        }
    }

    /// What the part misses of the targets, in words.
    pub fn misses(&self) -> Vec<String> {
        let mut missed = Vec::new();
        let mut least = |what: &str, some: u32, of: u32, percent: u32| {
            if some * 100 < of * percent {
                missed.push(format!("{what}: {some} of {of}, less than {percent} %"));
            }
        };
        least("right", self.right, self.sure, 92);
        least("with a class", self.tools - self.unknown, self.tools, 92);
        least("confident", self.confident, self.tools, 50);
        least("right where confident", self.confident_right, self.confident, 97);
        for (class, percent) in [("Write", 85), ("Destructive", 90), ("Financial", 90), ("Execute", 90)] {
            let found = self.classes.get(class).copied().unwrap_or_default();
            least(class, found.found, found.sure, percent);
        }
        if self.harmless > 0 {
            missed.push(format!("{} that run, destroy or pay are classed Read", self.harmless));
        }
        missed
    }
}

fn share(some: u32, of: u32) -> String {
    format!("{some} of {of} ({:.1} %)", f64::from(some) * 100.0 / f64::from(of.max(1)))
}

/// The labels of clause R6 in both parts, as a Markdown table.
pub fn marks_markdown(parts: &[(Part, &Table)]) -> String {
    let mut text = String::from("| label |");
    for (part, _) in parts {
        let _ = write!(text, " {0}: found | {0}: right |", part.name());
    }
    text.push_str("\n| --- |");
    text.push_str(&" --- |".repeat(parts.len() * 2));
    for mark in Mark::ALL {
        let _ = write!(text, "\n| `{}` |", mark.name());
        for (_, table) in parts {
            let marked = table.marks.get(mark.name()).copied().unwrap_or_default();
            let _ = write!(
                text,
                " {} | {} |",
                share(marked.found, marked.both),
                share(marked.right, marked.said)
            );
        }
    }
    text + "\n"
}

/// Both parts as a Markdown table.
pub fn markdown(parts: &[(Part, &Table)]) -> String {
    let mut text = String::from("| |");
    let mut row = |what: &str, cell: &dyn Fn(&Table) -> String| {
        let _ = write!(text, "\n| {what} |");
        for (_, table) in parts {
            let _ = write!(text, " {} |", cell(table));
        }
    };
    row("---", &|_| "---".to_owned());
    row("right, of the sure", &|table| share(table.right, table.sure));
    for class in [Class::Read, Class::Write, Class::Execute, Class::Destructive, Class::Financial] {
        row(&format!("{} found, of the sure", class.name()), &|table| {
            let found = table.classes.get(class.name()).copied().unwrap_or_default();
            share(found.found, found.sure)
        });
    }
    row("Execute, Destructive or Financial classed Read", &|table| table.harmless.to_string());
    row("Unknown, of all", &|table| share(table.unknown, table.tools));
    row("confidence of 90 or more, of all", &|table| share(table.confident, table.tools));
    row("right, of these", &|table| share(table.confident_right, table.confident));
    let names: String = parts.iter().map(|(part, _)| format!(" {} |", part.name())).collect();
    text.replacen("| |", &format!("| |{names}"), 1) + "\n"
}
