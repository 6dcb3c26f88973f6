//! Text that gives the model orders, against its user or about other tools (clause R8.4).
//!
//! In: a definition. Out: a finding for each kind of order, at the first text that has it. Must not find what only says how its own tool is used.

mod rules;
mod table;
mod words;

use std::ops::ControlFlow;

use callgate::__text::is_invisible;
use serde_json::Value;

use super::quote::quote;
use super::{Code, Finding};
use crate::texts::{self, Text, is_plain};
use rules::rules;
use table::Kind;
use words::Hidden;

/// Orders are longer than this.
const SHORTEST: usize = 8;

impl Kind {
    const fn says(self) -> &'static str {
        match self {
            Self::Conceal => "tells the model to keep something from its user",
            Self::Override => "tells the model what not to heed",
            Self::Precede => "tells the model to prefer this tool to others",
            Self::HandOver => "tells the model to hand over what it has or can read",
            Self::Pretend => "speaks as if it were not the tool's",
        }
    }
}

/// The findings, one of a kind at most.
pub(super) fn find(definition: &Value) -> Vec<Finding> {
    let mut found: Vec<(Kind, Finding)> = Vec::new();
    texts::each(definition, &mut |text, way| {
        let mut see = |text: &str, hidden| {
            for (kind, at) in orders(text, hidden) {
                if found.iter().all(|(other, _)| *other != kind) {
                    let said = quote(text.get(at..).unwrap_or_default());
                    let text = format!("{}: `{said}`", kind.says());
                    let finding = Finding { code: Code::PromptInjection, text, place: texts::pointer(way) };
                    found.push((kind, finding));
                }
            }
        };
        match text {
            // A name of a member is read word by word, and one word is no order.
            Text::Name(name) if name.contains(['_', ' ']) || !is_plain(name) => {
                see(&name.replace('_', " "), Hidden::Shown)
            }
            Text::Name(_) => {}
            Text::String(text) => {
                see(text, Hidden::Nothing);
                // Blanks between words may be hidden, too, or the words themselves.
                if !is_plain(text) && text.chars().any(|c| is_invisible(c) && !c.is_whitespace()) {
                    see(text, Hidden::Shown);
                }
            }
        }
        ControlFlow::Continue(())
    });
    found.sort_by_key(|(kind, _)| *kind);
    found.into_iter().map(|(_, finding)| finding).collect()
}

/// Words in front of an order that are quoted with it.
const LEAD: usize = 3;

/// The kinds of orders in a text, each with the byte where it begins, or some words before.
fn orders(text: &str, hidden: Hidden) -> Vec<(Kind, usize)> {
    if text.len() < SHORTEST {
        return Vec::new();
    }
    let rules = rules();
    let tokens = words::tokens(text, hidden, &rules.vocabulary);
    let begin = |index: usize| {
        let from = index.saturating_sub(LEAD);
        let lead = tokens.get(from..index)?.iter().rposition(|token| token.word == words::END);
        Some(tokens.get(lead.map_or(from, |end| from.saturating_add(end).saturating_add(1)))?.at)
    };
    let found = rules.find(&tokens);
    found.into_iter().filter_map(|(kind, index)| Some((kind, begin(index)?))).collect()
}
