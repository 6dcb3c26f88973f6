//! Results as JUnit XML, for build servers. Names are unique, and only what every reader of the format knows is in it.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::{FileReport, Status, TestReport, Totals};

/// All files, a `testsuite` each.
pub fn to_junit(files: &[FileReport]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let all = Totals::of(files);
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "<testsuites name=\"callgate\" tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{:.6}\">",
        count(&all),
        all.failed,
        all.problems,
        files.iter().map(seconds).fold(0.0, |sum, seconds| sum + seconds),
    );
    let mut names = HashSet::new();
    for file in files {
        suite(&mut out, file, &mut names);
    }
    out.push_str("</testsuites>\n");
    out
}

fn count(totals: &Totals) -> usize {
    let parts = [totals.passed, totals.failed, totals.skipped, totals.todo, totals.problems];
    parts.into_iter().fold(0, usize::saturating_add)
}

fn seconds(file: &FileReport) -> f64 {
    // The sum of none would be -0.
    file.tests.iter().map(|test| test.seconds).fold(0.0, |sum, seconds| sum + seconds)
}

fn suite(out: &mut String, file: &FileReport, names: &mut HashSet<String>) {
    let totals = Totals::of(std::slice::from_ref(file));
    let _ = writeln!(
        out,
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.6}\">",
        escaped(&file.path),
        count(&totals),
        totals.failed,
        totals.problems,
        totals.skipped.saturating_add(totals.todo),
        seconds(file),
    );
    for (index, problem) in file.problems.iter().enumerate() {
        let _ = writeln!(
            out,
            "    <testcase classname=\"{}\" name=\"problem {}\" time=\"0\">\n      <error message=\"{}\"/>\n    </testcase>",
            escaped(&file.path),
            index.saturating_add(1),
            escaped(&problem.line()),
        );
    }
    for test in &file.tests {
        case(out, file, test, &unique(&file.path, &test.name, names));
    }
    out.push_str("  </testsuite>\n");
}

/// A name that no other test of the run has, as XML can hold it: what it cannot hold, other names may differ by.
fn unique(file: &str, name: &str, names: &mut HashSet<String>) -> String {
    let class = escaped(file);
    let name = escaped(name);
    let (mut unique, mut number) = (name.clone(), 1_usize);
    while !names.insert(format!("{class}\n{unique}")) {
        number = number.saturating_add(1);
        unique = format!("{name} ({number})");
    }
    unique
}

fn case(out: &mut String, file: &FileReport, test: &TestReport, name: &str) {
    let _ = write!(
        out,
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{:.6}\"",
        escaped(&file.path),
        name,
        test.seconds
    );
    let inside = match &test.status {
        Status::Passed => {
            out.push_str("/>\n");
            return;
        }
        Status::Skipped(reason) => format!("<skipped message=\"{}\"/>", escaped(reason)),
        Status::Todo(reason) => format!("<skipped message=\"todo: {}\"/>", escaped(reason)),
        Status::Done(_) => {
            let message = test.done().unwrap_or_default();
            format!("<failure message=\"{}\"/>", escaped(&message))
        }
        Status::Failed(failures) => {
            let mut text = String::new();
            for failure in failures {
                let _ = writeln!(text, "{}:{}:{}: {}", file.path, failure.line, failure.column, failure.tool);
                for line in failure.lines() {
                    let _ = writeln!(text, "  {line}");
                }
            }
            let first = failures.first().and_then(|failure| failure.differences.first());
            let message = first.map_or_else(String::new, |one| {
                format!("{}: expected {}, actual {}", one.what, one.expected, one.actual)
            });
            format!("<failure message=\"{}\">{}</failure>", escaped(&message), escaped(&text))
        }
    };
    let _ = writeln!(out, ">\n      {inside}\n    </testcase>");
}

/// Text for XML 1.0: what it cannot hold at all is replaced.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'.. => out.push(c),
            _ => out.push('\u{fffd}'),
        }
    }
    out
}
