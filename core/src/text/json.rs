//! The policy document from JSON, through the scanner of raw arguments: one grammar of JSON in the project.
//!
//! In: policy text. Out: its [`Tree`], or diagnostics that say what was expected where. Every duplicate key is
//! reported, and the tree then keeps all members, so that what else is wrong in them is found as well. Must not accept
//! anything that is not JSON, but for a byte order mark at the beginning.

mod syntax;
#[cfg(test)]
mod tests;

use super::Tree;
use crate::ceilings::{DIAGNOSTICS, DOCUMENT_BYTES, DOCUMENT_DEPTH, DOCUMENT_NODES};
use crate::diagnostic::{Diagnostics, Span, push_segment};
use crate::raw::{Duplicate, Limits, RawJson, RawView};

const LIMITS: Limits = Limits { bytes: DOCUMENT_BYTES, depth: DOCUMENT_DEPTH };
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Reads a policy document; `None` where there is no tree to go on with. Spans of strings include their quotes.
pub(crate) fn parse_json<'t>(text: &'t str, diagnostics: &mut Diagnostics<'_>) -> Option<Tree<'t>> {
    // Editors on Windows write one; it belongs to the file, not to the document.
    let from = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len_utf8() } else { 0 };
    let mut duplicates = Vec::new();
    match RawJson::parse_listing(text, from, LIMITS, &mut duplicates) {
        Ok(raw) => {
            if !duplicates.is_empty() {
                report_duplicates(&raw, duplicates, diagnostics);
            }
            if raw.len() > DOCUMENT_NODES {
                let message = format!("the document has more than {DOCUMENT_NODES} nodes");
                diagnostics.error(
                    "too_large",
                    Span::default(),
                    "",
                    message,
                    Some("split the policy".to_owned()),
                );
                return None;
            }
            let (nodes, texts) = raw.into_nodes();
            Some(Tree::new(text, nodes, texts))
        }
        Err(error) => {
            syntax::report(text, error, diagnostics);
            None
        }
    }
}

fn report_duplicates(raw: &RawJson<'_>, mut duplicates: Vec<Duplicate>, diagnostics: &mut Diagnostics<'_>) {
    duplicates.sort_unstable();
    // More are not kept, so they need no text either.
    duplicates.truncate(DIAGNOSTICS);
    let mut finder = Finder { raw, left: duplicates.iter().copied().peekable(), pointer: String::new() };
    finder.visit(raw.root(), diagnostics);
}

/// Walks to duplicate keys in document order, so that all their pointers cost one walk.
struct Finder<'r, I: Iterator<Item = Duplicate>> {
    raw: &'r RawJson<'r>,
    left: std::iter::Peekable<I>,
    pointer: String,
}

impl<I: Iterator<Item = Duplicate>> Finder<'_, I> {
    fn visit(&mut self, view: RawView<'_>, diagnostics: &mut Diagnostics<'_>) {
        for (index, item) in view.items().enumerate() {
            self.step(&index.to_string(), item, diagnostics);
        }
        for (key, value) in view.entries() {
            if !self.is_before(value.end_index()) {
                continue;
            }
            let name = key.string_of(self.raw);
            if let Some(duplicate) = self.left.next_if(|duplicate| duplicate.second == key.index()) {
                let length = self.push(&name);
                let first = diagnostics.lines().line(self.raw.view(duplicate.first).span().start);
                diagnostics.error(
                    "duplicate_key",
                    key.span(),
                    self.pointer.clone(),
                    format!("duplicate key `{}`, first on line {first}", syntax::abbreviate(&name)),
                    Some("keep one of the two: parsers differ in which one they read".to_owned()),
                );
                self.pointer.truncate(length);
            }
            self.step(&name, value, diagnostics);
        }
    }

    fn step(&mut self, name: &str, value: RawView<'_>, diagnostics: &mut Diagnostics<'_>) {
        if self.is_before(value.end_index()) {
            let length = self.push(name);
            self.visit(value, diagnostics);
            self.pointer.truncate(length);
        }
    }

    /// Whether a duplicate stands before the node with this index.
    fn is_before(&mut self, index: u32) -> bool {
        self.left.peek().is_some_and(|duplicate| duplicate.second < index)
    }

    /// Appends a segment to the pointer; returns the length without it. What does not fit is left out.
    fn push(&mut self, name: &str) -> usize {
        let length = self.pointer.len();
        push_segment(&mut self.pointer, 0, name);
        length
    }
}
