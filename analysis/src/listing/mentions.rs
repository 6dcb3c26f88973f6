//! Names in texts that could be those of tools.
//!
//! In: the definitions of one server. Out: each such name, where it was seen first. Must not keep more than a hostile server's share.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use serde_json::Value;

use super::NAME;
use crate::texts::{self, Text};

/// Names of one server that are kept. The texts of a thousand tools have some hundreds.
const MOST: usize = 20_000;

/// Where a name was seen first.
#[derive(Debug)]
pub(super) struct Mention {
    pub(super) tool: usize,
    pub(super) place: String,
}

/// The names that a server's texts have.
#[derive(Debug, Default)]
pub(super) struct Mentions(HashMap<String, Mention>);

impl Mentions {
    /// Adds those of a tool. What its own arguments are called, and what is a text of its own, names no tool.
    pub(super) fn add(&mut self, tool: usize, definition: &Value) {
        let mut members: HashSet<&str> = HashSet::new();
        texts::each(definition, &mut |text, _| {
            if let Text::Name(name) = text {
                members.insert(name);
            }
            ControlFlow::Continue(())
        });
        texts::each(definition, &mut |text, way| {
            if let Text::String(text) = text {
                for name in names(text).filter(|name| *name != text && !members.contains(name)) {
                    if self.0.len() >= MOST {
                        return ControlFlow::Break(());
                    }
                    if !self.0.contains_key(name) {
                        self.0.insert(name.to_owned(), Mention { tool, place: texts::pointer(way) });
                    }
                }
            }
            ControlFlow::Continue(())
        });
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Mention)> {
        self.0.iter().map(|(name, mention)| (&**name, mention))
    }
}

/// What stands in backticks, and words with `_` in them.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    // What is called is a name, whatever it is given.
    let quoted = text.split('`').skip(1).step_by(2).filter_map(|inside| inside.split('(').next());
    let quoted = quoted.filter(move |name| name.chars().all(is_name));
    let words = text.split(move |c| !is_name(c)).map(|word| word.trim_matches(['_', '.', '-']));
    quoted.chain(words.filter(|word| word.contains('_'))).filter(|name| (2..=NAME).contains(&name.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_backticks_or_have_an_underscore() {
        let found = |text| names(text).collect::<Vec<_>>();
        assert_eq!(
            found("Call `search` or `send_mail(to)`, then x_y."),
            ["search", "send_mail", "send_mail", "x_y"]
        );
        assert_eq!(found("search for it, `two words`, _emphasis_ or a"), [""; 0]);
    }
}
