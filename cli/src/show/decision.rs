//! One decision as a block of text.

use std::io::{self, Write};

use super::{Decided, called, paint_of, words_of};
use crate::terminal::{Paint, shown, spell_seconds};

/// Writes a decision: what, why, by which rule, what was counted, and when to come back.
pub(crate) fn write_decision(out: &mut dyn Write, decided: &Decided<'_>, coloured: bool) -> io::Result<()> {
    let decision = decided.decision;
    let effect = paint_of(decision.effect()).on(coloured, words_of(decision.effect()));
    write!(out, "{effect}  {}", Paint::Bold.on(coloured, &shown(called(decision))))?;
    if let Some(identity) = decided.identity {
        write!(out, "  by {}", shown(identity))?;
    }
    writeln!(out, "  {}", Paint::Dim.on(coloured, &decided.at.to_string()))?;
    let mut line = |name: &str, text: &str| writeln!(out, "  {name:<13} {}", shown(text));
    line("code", decision.code().as_str())?;
    if let Some(message) = decision.message() {
        line("message", &message)?;
    }
    if let Some(rule) = decision.rule() {
        let name = rule.name().map(|name| format!("{name}, ")).unwrap_or_default();
        let layer = rule.layer().map(|layer| format!(" of layer {layer}")).unwrap_or_default();
        line("rule", &format!("{name}{}, line {}{layer}", rule.pointer(), rule.line()))?;
    }
    for counter in decision.counters() {
        let shared = if counter.budget().is_some() { "budget" } else { "all_tools" };
        let owner = counter.entry().unwrap_or(shared);
        let max = counter.max().map(|max| format!(" of {max}")).unwrap_or_default();
        let charged =
            counter.charged().map(|charged| format!(", {charged} by this call")).unwrap_or_default();
        let until = counter.resets_at().map_or_else(|| "for good".to_owned(), |at| format!("until {at}"));
        let text =
            format!("{owner}.{}: {}{max} used{charged}, {until}", counter.counter().name(), counter.used(),);
        line("counter", &text)?;
    }
    if let Some(seconds) = decision.retry_after() {
        line("retry after", &spell_seconds(seconds))?;
    }
    if let Some(key) = decision.approval().map(|approval| approval.key()) {
        line("approval key", key)?;
    }
    Ok(())
}
