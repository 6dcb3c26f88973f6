//! Traces: every check of an evaluation, its place, its outcome and why. The same evaluator makes them, with a sink that
//! compiles away otherwise.

use std::fmt::Write as _;

/// One check that an evaluation made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// JSON Pointer to its place in the policy; empty where it has none.
    pub pointer: String,
    /// What was checked, as text for people: not stable.
    pub what: String,
    /// The outcome: `holds`, `fails`, `unknown`, `passes`, `denies`, `charged`, `refuses`, …
    pub outcome: String,
    /// Why, where there is more to say. Carries no argument values.
    pub why: Option<String>,
    /// The checks that it consisted of. Those after the one that settled it were not made.
    pub checks: Vec<Check>,
}

/// How a check's pointer follows from its parent's.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step<'s> {
    Here,
    Field(&'static str),
    Item(&'static str, usize),
    Root(&'s str),
}

/// Where the evaluator reports its checks.
pub(crate) trait Sink {
    /// Whether anybody looks at the checks.
    const REPORTS: bool = true;

    /// Goes deeper in the document.
    fn enter(&mut self, step: Step<'_>);
    /// Comes back from [`Sink::enter`].
    fn leave(&mut self);
    /// Begins a check.
    fn open(&mut self, step: Step<'_>, what: impl FnOnce() -> String);
    /// Ends the check begun last.
    fn close(&mut self, outcome: &str, why: Option<&str>);
}

/// Reports nothing and costs nothing.
pub(crate) struct Silent;

impl Sink for Silent {
    const REPORTS: bool = false;

    #[inline]
    fn enter(&mut self, _step: Step<'_>) {}
    #[inline]
    fn leave(&mut self) {}
    #[inline]
    fn open(&mut self, _step: Step<'_>, _what: impl FnOnce() -> String) {}
    #[inline]
    fn close(&mut self, _outcome: &str, _why: Option<&str>) {}
}

/// Builds the tree of checks.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    done: Vec<Check>,
    open: Vec<Check>,
    pointer: String,
    lengths: Vec<usize>,
}

impl Recorder {
    /// The checks in the order in which they were made. A check that an unreadable value broke off says so.
    pub(crate) fn finish(mut self) -> Vec<Check> {
        while !self.open.is_empty() {
            self.close("broken off", Some("a value cannot be read"));
        }
        self.done
    }
}

impl Sink for Recorder {
    fn enter(&mut self, step: Step<'_>) {
        self.lengths.push(self.pointer.len());
        match step {
            Step::Here => {}
            Step::Field(name) => {
                let _ = write!(self.pointer, "/{name}");
            }
            Step::Item(name, index) => {
                let _ = write!(self.pointer, "/{name}/{index}");
            }
            Step::Root(pointer) => {
                self.pointer.clear();
                self.pointer.push_str(pointer);
            }
        }
    }

    fn leave(&mut self) {
        if let Some(length) = self.lengths.pop() {
            self.pointer.truncate(length);
        }
    }

    fn open(&mut self, step: Step<'_>, what: impl FnOnce() -> String) {
        self.enter(step);
        self.open.push(Check {
            pointer: self.pointer.clone(),
            what: what(),
            outcome: String::new(),
            why: None,
            checks: Vec::new(),
        });
    }

    fn close(&mut self, outcome: &str, why: Option<&str>) {
        self.leave();
        if let Some(mut check) = self.open.pop() {
            check.outcome = outcome.to_owned();
            check.why = why.map(str::to_owned);
            match self.open.last_mut() {
                Some(parent) => parent.checks.push(check),
                None => self.done.push(check),
            }
        }
    }
}
