//! Results in the words that all reports for people share.

use super::{Failure, FileReport, Problem, Status, TestReport, Totals};

impl Totals {
    /// `3 passed, 1 failed`; what is zero is left out.
    pub fn summary(&self) -> String {
        let parts = [
            (self.passed, "passed"),
            (self.failed, "failed"),
            (self.skipped, "skipped"),
            (self.todo, "todo"),
            (self.filtered, "left out by the filter"),
        ];
        let mut shown: Vec<String> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        match self.problems {
            0 => {}
            1 => shown.push("1 problem".to_owned()),
            count => shown.push(format!("{count} problems")),
        }
        if shown.is_empty() { "no tests".to_owned() } else { shown.join(", ") }
    }
}

impl Failure {
    /// What differs, in lines.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let told = serde_json::from_str::<serde_json::Value>(&self.decision).ok();
        if let Some(told) = told.as_ref().and_then(|decision| decision.get("message")?.as_str()) {
            lines.push(format!("the caller is told: {told}"));
        }
        if let Some((turn, of)) = self.turn {
            lines.push(format!("call {turn} of {of}"));
        }
        for one in &self.differences {
            lines.push(format!("{}: expected {}", one.what, one.expected));
            lines.push(format!("{}: actual   {}", one.what, one.actual));
        }
        lines
    }
}

impl TestReport {
    /// Why the test has failed where no call did: it was marked to fail, and passes.
    pub fn done(&self) -> Option<String> {
        match &self.status {
            Status::Done(reason) => Some(format!("it passes: remove `todo: {reason}`")),
            _ => None,
        }
    }
}

impl Problem {
    /// `FILE:LINE:COLUMN: what is wrong`.
    pub fn line(&self) -> String {
        match &self.diagnostic {
            Some(one) => {
                let help = one.help().map_or_else(String::new, |help| format!(" ({help})"));
                format!("{}:{}:{}: {}{help}", self.path, one.line(), one.column(), self.message)
            }
            None => format!("{}: {}", self.path, self.message),
        }
    }
}

impl FileReport {
    /// A report of a file that cannot be read.
    pub fn unreadable(path: &str, message: &str) -> Self {
        let problem =
            Problem { path: path.to_owned(), text: "".into(), diagnostic: None, message: message.to_owned() };
        Self { path: path.to_owned(), problems: vec![problem], ..Self::default() }
    }
}
