//! Characters that end a line to some readers only.
//!
//! In: the text, and where its double-quoted scalars are. Out: an error for each such character outside of them. A reviewer whose
//! editor begins a new line there sees a rule that is part of a comment. It must not look at ordinary texts twice.

use crate::diagnostic::{Diagnostics, Span};

const BYTE_ORDER_MARK: char = '\u{feff}';

/// Goes through the text once.
pub(super) struct Breaks<'t> {
    text: &'t str,
    /// The first such character that was not judged yet; none once there is no more.
    next: Option<(usize, char)>,
}

impl<'t> Breaks<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let mut breaks = Self { text, next: None };
        // A byte order mark at the very beginning belongs to the file.
        let from = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        if !from.is_ascii() || from.contains('\r') {
            breaks.find(text.len().saturating_sub(from.len()));
        }
        breaks
    }

    fn find(&mut self, from: usize) {
        let rest = self.text.get(from..).unwrap_or_default();
        let found = rest.char_indices().find(|(at, c)| match *c {
            // At the very end it ends the line to all.
            '\r' => rest
                .get(at.saturating_add(1)..)
                .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('\n')),
            '\u{85}' | '\u{2028}' | '\u{2029}' | BYTE_ORDER_MARK => true,
            _ => false,
        });
        self.next = found.map(|(at, c)| (from.saturating_add(at), c));
    }

    /// Reports all before a place.
    pub(super) fn report(&mut self, before: usize, diagnostics: &mut Diagnostics<'_>) {
        while let Some((at, c)) = self.next.filter(|(at, _)| *at < before && !diagnostics.is_full()) {
            let end = at.saturating_add(c.len_utf8());
            let (message, help) = match c {
                '\r' => (
                    "a carriage return alone ends a line to some readers only".to_owned(),
                    "end lines with a line feed, or with both; in double quotes write `\\r`".to_owned(),
                ),
                BYTE_ORDER_MARK => (
                    "a byte order mark stands only at the very beginning".to_owned(),
                    "remove it; in double quotes write `\\uFEFF`".to_owned(),
                ),
                c => {
                    let code = u32::from(c);
                    let message = format!("the character U+{code:04X} ends a line to some readers only");
                    (message, format!("remove it; in double quotes write `\\u{code:04X}`"))
                }
            };
            diagnostics.error("syntax", Span::new(at, end), "", message, Some(help));
            self.find(end);
        }
    }

    /// Passes by a scalar in double quotes, where every reader sees where it ends.
    pub(super) fn pass(&mut self, scalar: Span, diagnostics: &mut Diagnostics<'_>) {
        self.report(scalar.start as usize, diagnostics);
        if self.next.is_some_and(|(at, _)| at < scalar.end as usize) {
            self.find(scalar.end as usize);
        }
    }
}
