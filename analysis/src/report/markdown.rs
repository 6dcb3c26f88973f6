//! Results as Markdown, for a comment on a pull request: below the 65,536 characters that code hosts take.

use std::fmt::Write as _;

use callgate::__text::is_invisible;

use super::{FileReport, Status, Totals};
use crate::coverage::CoverageReport;

/// The most characters, in UTF-16. Below the hosts' limit, so that others may add a line.
const MOST: usize = 45_000;
/// Of these, what coverage may take more.
const MOST_OF_COVERAGE: usize = 15_000;

/// A heading with the totals, a row for each file, then what failed.
pub fn to_markdown(files: &[FileReport]) -> String {
    let totals = Totals::of(files);
    let mark = if totals.exit_code() == 0 { "✅" } else { "❌" };
    let mut page = Page::new(MOST);
    page.add(&format!("### {mark} Policy tests: {}\n\n", totals.summary()));
    if !files.is_empty() {
        page.add("| file | result | calls |\n| --- | --- | ---: |\n");
    }
    for file in files {
        let totals = Totals::of(std::slice::from_ref(file));
        let row = format!("| {} | {} | {} |\n", inline(&file.path), totals.summary(), totals.calls);
        page.add(&row);
    }
    for file in files {
        for problem in &file.problems {
            page.add(&format!("\n- {}\n", inline(&problem.line())));
        }
        for test in &file.tests {
            let mut item = String::new();
            let title = inline(&test.name);
            match &test.status {
                Status::Passed => continue,
                Status::Skipped(reason) => _ = writeln!(item, "\n- {title} skipped: {}", inline(reason)),
                Status::Todo(reason) => _ = writeln!(item, "\n- {title} todo: {}", inline(reason)),
                Status::Done(_) => {
                    let why = test.done().unwrap_or_default();
                    let _ = writeln!(item, "\n- {title} failed: {}", inline(&why));
                }
                Status::Failed(failures) => {
                    for failure in failures {
                        let place = format!("{}:{}:{}", file.path, failure.line, failure.column);
                        let _ = writeln!(item, "\n- {title} failed at {}", inline(&place));
                        for line in failure.lines() {
                            let _ = writeln!(item, "  - {}", inline(&line));
                        }
                    }
                }
            }
            page.add(&item);
        }
    }
    let Page { mut text, rest, .. } = page;
    if rest > 0 {
        let _ = write!(text, "\n… and {rest} more: run `callgate test` to see all.\n");
    }
    text
}

/// Which points of policies no test covers.
pub fn coverage_to_markdown(reports: &[&CoverageReport]) -> String {
    let mut page = Page::new(MOST_OF_COVERAGE);
    page.add("\n| policy | covered | not covered |\n| --- | ---: | ---: |\n");
    for report in reports {
        let missing = report.total.saturating_sub(report.hit);
        let row = format!("| {} | {} of {} | {missing} |\n", inline(&report.path), report.hit, report.total);
        page.add(&row);
    }
    for report in reports {
        for point in report.gaps() {
            let place = format!("{}:{}", report.path, point.line);
            let what = format!("{} {}", point.text, point.branch.as_str());
            let why = point.gap.as_ref().map_or_else(String::new, ToString::to_string);
            let item =
                format!("\n- {}: {} is not covered: {}\n", inline(&place), inline(&what), inline(&why));
            page.add(&item);
        }
    }
    let Page { mut text, rest, .. } = page;
    if rest > 0 {
        let _ = write!(text, "\n… and {rest} more.\n");
    }
    text
}

/// What fits, and how much does not.
struct Page {
    text: String,
    length: usize,
    most: usize,
    rest: usize,
}

impl Page {
    /// An empty one with room for so many characters in UTF-16.
    fn new(most: usize) -> Self {
        Self { text: String::new(), length: 0, most, rest: 0 }
    }

    /// Adds a part, or counts it where it does not fit. What does not fit never hides what comes first.
    fn add(&mut self, part: &str) {
        let length = self.length.saturating_add(part.encode_utf16().count());
        if self.rest > 0 || length > self.most {
            self.rest = self.rest.saturating_add(1);
        } else {
            self.length = length;
            self.text.push_str(part);
        }
    }
}

/// Somebody's text in a line or a cell, as code: hosts make no links, mentions or pictures of what is in it. What is not drawn is escaped.
pub fn inline(text: &str) -> String {
    let mut inside = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // A cell would end, also within code.
            '|' => inside.push_str("\\|"),
            c if is_invisible(c) => _ = write!(inside, "\\u{{{:x}}}", u32::from(c)),
            c => inside.push(c),
        }
    }
    let runs = inside.split(|c| c != '`').map(str::len);
    let fence = "`".repeat(runs.max().unwrap_or_default().saturating_add(1));
    // Code may not begin or end with its own fence, and one blank on both sides is taken away.
    format!("{fence} {inside} {fence}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::TestReport;

    #[test]
    fn stays_below_what_a_comment_takes() {
        let test = |index: usize| TestReport {
            name: format!("{index} {}", "é".repeat(100)),
            test: String::new(),
            policy: String::new(),
            line: 1,
            column: 1,
            status: Status::Done("x".repeat(500)),
            calls: 1,
            seconds: 0.0,
        };
        let file = FileReport {
            path: "a_test.yaml".into(),
            tests: (0..2_000).map(test).collect(),
            ..FileReport::default()
        };
        let text = to_markdown(&[file]);
        assert!(text.encode_utf16().count() < 65_536);
        let shown = text.matches(" it passes: ").count();
        assert!(shown > 50, "{shown}");
        assert!(text.contains(&format!("and {} more", 2_000 - shown)), "{text}");
    }

    #[test]
    fn a_name_is_no_markup() {
        assert_eq!(inline("<b>|`x`"), "`` <b>\\|`x` ``");
        assert_eq!(inline("@all #1 www.x.org"), "` @all #1 www.x.org `");
        assert_eq!(inline("a\n\u{202e}b"), "` a\\u{a}\\u{202e}b `");
    }
}
