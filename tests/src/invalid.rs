//! Invalid documents and the diagnostics that they must get.

use callgate::{Diagnostic, Format, Policy, Severity};
use serde::Deserialize;

/// A document and what is wrong with it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Unique within the file.
    pub name: String,
    /// Clauses of the language that it proves.
    pub clauses: Vec<String>,
    /// Traps that it shows to be ruled out.
    #[serde(default)]
    pub traps: Vec<u32>,
    /// Whether the JSON Schema refuses it too.
    #[serde(default)]
    pub shape: bool,
    #[serde(default)]
    warnings: bool,
    policy: Option<Vec<String>>,
    generate: Option<Generate>,
    expect: Vec<Expected>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Generate {
    repeat: String,
    times: usize,
    #[serde(default)]
    before: String,
    #[serde(default)]
    after: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    code: String,
    severity: Option<String>,
    line: Option<u32>,
    column: Option<u32>,
    pointer: Option<String>,
    help: Option<String>,
    message: Option<String>,
}

impl Case {
    /// The document.
    pub fn text(&self) -> String {
        match (&self.policy, &self.generate) {
            (Some(lines), None) => lines.join("\n"),
            (None, Some(generate)) => {
                format!("{}{}{}", generate.before, generate.repeat.repeat(generate.times), generate.after)
            }
            _ => panic!("{}: give `policy` or `generate`", self.name),
        }
    }

    /// Whether the document loads, with or without warnings.
    pub fn is_valid(&self) -> bool {
        self.expect.iter().all(|expected| expected.severity.as_deref() == Some("warning"))
    }

    /// Checks the document; returns what differs.
    pub fn run(&self) -> Vec<String> {
        let text = self.text();
        let found: Vec<Diagnostic> = match Policy::from_text(&text, Format::Detect) {
            Ok(policy) => policy.warnings().to_vec(),
            Err(error) => error.diagnostics().to_vec(),
        };
        let shown: Vec<&Diagnostic> =
            found.iter().filter(|found| self.warnings || found.severity() == Severity::Error).collect();
        let mut differences = Vec::new();
        if shown.len() != self.expect.len() {
            differences.push(format!("expected {} diagnostics, found {}", self.expect.len(), shown.len()));
        }
        for (index, (expected, found)) in self.expect.iter().zip(&shown).enumerate() {
            for difference in expected.differs(found) {
                differences.push(format!("diagnostic {index}: {difference}"));
            }
        }
        if !differences.is_empty() {
            differences.extend(shown.iter().map(|found| format!("   found {found}")));
        }
        differences
    }
}

impl Expected {
    fn differs(&self, found: &Diagnostic) -> Vec<String> {
        let mut differences = Vec::new();
        let mut check = |what: &str, wanted: Option<String>, found: String| {
            if let Some(wanted) = wanted.filter(|wanted| *wanted != found) {
                differences.push(format!("{what}: expected {wanted}, found {found}"));
            }
        };
        check("code", Some(self.code.clone()), found.code().to_owned());
        let severity = if found.severity() == Severity::Error { "error" } else { "warning" };
        check("severity", self.severity.clone(), severity.to_owned());
        check("line", self.line.map(|line| line.to_string()), found.line().to_string());
        check("column", self.column.map(|column| column.to_string()), found.column().to_string());
        check("pointer", self.pointer.clone(), found.pointer().to_owned());
        for (what, part, text) in [
            ("help", &self.help, found.help().unwrap_or_default()),
            ("message", &self.message, found.message()),
        ] {
            if let Some(part) = part.as_ref().filter(|part| !text.contains(part.as_str())) {
                differences.push(format!("{what}: expected `{part}` in `{text}`"));
            }
        }
        differences
    }
}

/// All files of invalid documents.
pub fn files() -> Vec<(String, Vec<Case>)> {
    let parse = |(name, text): (String, String)| {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum File {
            Cases { cases: Vec<Case> },
            Bare(Vec<Case>),
        }
        let file: File = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        match file {
            File::Cases { cases } | File::Bare(cases) => (name, cases),
        }
    };
    crate::case_files("invalid").into_iter().map(parse).collect()
}
