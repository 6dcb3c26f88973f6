//! The summary of a stream of decisions.
//!
//! In: decisions. Out: counts. Must not grow with the stream: names beyond [`NAMES`] are counted together.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use callgate::Effect;

use super::{Decided, called, rule_of};
use crate::terminal::{grouped, shown};

/// Different names that are counted one by one.
const NAMES: usize = 10_000;
/// Names that are shown of each kind.
const SHOWN: usize = 10;

/// Counts decisions.
#[derive(Default)]
pub(crate) struct Summary {
    allowed: u64,
    denied: u64,
    to_approve: u64,
    not_valid: u64,
    codes: Counts,
    tools: Counts,
    rules: Counts,
}

#[derive(Default)]
struct Counts {
    by_name: HashMap<String, u64>,
    others: u64,
}

impl Counts {
    fn add(&mut self, name: &str) {
        let known = self.by_name.contains_key(name) || self.by_name.len() < NAMES;
        let count = if known { self.by_name.entry(name.to_owned()).or_default() } else { &mut self.others };
        *count = count.saturating_add(1);
    }

    /// The most frequent first, those that are equal by name.
    fn line(&self) -> String {
        let mut sorted: Vec<_> = self.by_name.iter().collect();
        sorted.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        let rest = sorted.iter().skip(SHOWN).fold(self.others, |sum, (_, count)| sum.saturating_add(**count));
        let mut out = String::new();
        for (name, count) in sorted.into_iter().take(SHOWN) {
            let separator = if out.is_empty() { "" } else { ", " };
            // Writing to a String cannot fail.
            let _ = write!(out, "{separator}{} {}", shown(name), grouped(*count));
        }
        if rest > 0 {
            let _ = write!(out, ", others {}", grouped(rest));
        }
        out
    }
}

impl Summary {
    /// Counts a decision.
    pub(crate) fn add(&mut self, decided: &Decided<'_>) {
        let effect = match decided.decision.effect() {
            Effect::Allow => &mut self.allowed,
            Effect::RequireApproval => &mut self.to_approve,
            _ => &mut self.denied,
        };
        *effect = effect.saturating_add(1);
        self.codes.add(decided.decision.code().as_str());
        self.tools.add(called(decided.decision));
        if let Some(rule) = rule_of(decided.decision) {
            self.rules.add(rule);
        }
    }

    /// Counts a line that is not a call.
    pub(crate) fn add_not_valid(&mut self) {
        self.not_valid = self.not_valid.saturating_add(1);
    }

    /// Lines that were not calls.
    pub(crate) fn not_valid(&self) -> u64 {
        self.not_valid
    }

    /// Calls that were decided.
    pub(crate) fn decided(&self) -> u64 {
        self.allowed.saturating_add(self.denied).saturating_add(self.to_approve)
    }

    /// `1,000 calls: 30 allowed, 970 denied`.
    pub(crate) fn total(&self) -> String {
        let s = if self.decided() == 1 { "" } else { "s" };
        let mut out = format!(
            "{} call{s}: {} allowed, {} denied",
            grouped(self.decided()),
            grouped(self.allowed),
            grouped(self.denied)
        );
        for (count, what) in [(self.to_approve, "to be approved"), (self.not_valid, "not valid")] {
            if count > 0 {
                let _ = write!(out, ", {} {what}", grouped(count));
            }
        }
        out
    }

    /// The total, and what it consists of.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", self.total())?;
        for (name, counts) in [("by code", &self.codes), ("by tool", &self.tools), ("by rule", &self.rules)] {
            let line = counts.line();
            if !line.is_empty() {
                writeln!(out, "  {name}  {line}")?;
            }
        }
        Ok(())
    }
}
