//! Diagnostics: what is wrong with a policy document, where, and what to do about it (spec 12).

use std::fmt;

use crate::ceilings::DIAGNOSTICS;
use crate::suggest::Suggestions;

/// Bytes of a pointer. Names within their ceiling, 64 levels deep, fit; beyond it the nearest place around is named, so that
/// one long key does not stand in a thousand diagnostics.
const POINTER_BYTES: usize = 4_096;

/// Appends the member `name` to the JSON Pointer (RFC 6901) that begins at `start`. False where it does not fit.
pub(crate) fn push_segment(pointer: &mut String, start: usize, name: &str) -> bool {
    if pointer.len().saturating_sub(start).saturating_add(name.len()) >= POINTER_BYTES {
        return false;
    }
    pointer.push('/');
    if !name.bytes().any(|byte| matches!(byte, b'~' | b'/')) {
        pointer.push_str(name);
        return true;
    }
    for c in name.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
    true
}

/// A range of bytes of the source text. `u32` is enough: a document is at most 32 MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// Behind the last byte.
    pub end: u32,
}

impl Span {
    /// The bytes from `start` up to `end`.
    pub fn new(start: usize, end: usize) -> Self {
        let clamp = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { start: clamp(start), end: clamp(end.max(start)) }
    }
}

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// The policy does not load.
    Error,
    /// The policy loads, but may not mean what its author thinks.
    Warning,
}

/// One finding in a policy document.
///
/// Lines and columns count from 1; a column counts Unicode code points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub(crate) severity: Severity,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    pub(crate) pointer: String,
    pub(crate) span: Span,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Diagnostic {
    /// Not located yet.
    fn new(
        severity: Severity,
        code: &'static str,
        span: Span,
        pointer: String,
        message: String,
        help: Option<String>,
    ) -> Self {
        Self { severity, code, message, help, pointer, span, line: 1, column: 1 }
    }

    /// Error or warning.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// The stable code, such as `unknown_field` (spec 12).
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// What is wrong: one sentence, lowercase, the author's text in backticks.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it, where there is something to say.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// JSON Pointer (RFC 6901) to the place in the document; empty for the whole document.
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// Line, from 1.
    pub fn line(&self) -> u32 {
        self.line
    }

    /// Column in Unicode code points, from 1.
    pub fn column(&self) -> u32 {
        self.column
    }

    /// The range of bytes in the source text.
    pub fn byte_range(&self) -> std::ops::Range<usize> {
        self.span.start as usize..self.span.end as usize
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{}:{}: {severity}[{}]: {}", self.line, self.column, self.code, self.message)?;
        if !self.pointer.is_empty() {
            write!(f, " (at {})", self.pointer)?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

/// Bytes whose line feeds are counted at once: a byte holds their number.
const BLOCK: usize = 128;

fn line_feeds(text: &[u8]) -> u32 {
    text.chunks(BLOCK).fold(0, |feeds: u32, block| {
        let count = block.iter().fold(0_u8, |count, byte| count.wrapping_add(u8::from(*byte == b'\n')));
        feeds.saturating_add(count.into())
    })
}

/// Turns an offset into its line: few are asked for, so no line is looked at, but how many are before each block.
#[derive(Debug)]
pub(crate) struct LineIndex<'t> {
    text: &'t str,
    /// Line feeds before each [`BLOCK`] of the text, and before its end.
    before: Vec<u32>,
}

impl<'t> LineIndex<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        let mut before = Vec::with_capacity((text.len() / BLOCK).saturating_add(2));
        let mut feeds = 0_u32;
        for block in text.as_bytes().chunks(BLOCK) {
            before.push(feeds);
            feeds = feeds.saturating_add(line_feeds(block));
        }
        before.push(feeds);
        Self { text, before }
    }

    /// The text of a span.
    pub(crate) fn written(&self, span: Span) -> &'t str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// Line from 1.
    pub(crate) fn line(&self, offset: u32) -> u32 {
        let offset = (offset as usize).min(self.text.len());
        let block = offset / BLOCK;
        let inside = self.text.as_bytes().get(block.saturating_mul(BLOCK)..offset).unwrap_or_default();
        let before = self.before.get(block).copied().unwrap_or(0);
        before.saturating_add(line_feeds(inside)).saturating_add(1)
    }

    /// Gives diagnostics that are sorted by place their lines and columns, in one pass over the text: a minified document
    /// is one long line, and counting from its start for each diagnostic would take quadratic time.
    fn locate(&self, diagnostics: &mut [Diagnostic]) {
        let (mut line, mut offset, mut column) = (0, 0, 0);
        for diagnostic in diagnostics {
            let target = diagnostic.span.start as usize;
            diagnostic.line = self.line(diagnostic.span.start);
            let mut between =
                self.text.as_bytes().get(offset..target.min(self.text.len())).unwrap_or_default();
            if diagnostic.line != line {
                line = diagnostic.line;
                column = 1_u32;
                if let Some(feed) = between.iter().rposition(|byte| *byte == b'\n') {
                    offset = offset.saturating_add(feed).saturating_add(1);
                    between = between.get(feed.saturating_add(1)..).unwrap_or_default();
                }
            }
            // Every byte but those that continue a code point; a byte order mark at the very start has no width.
            let points = between.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
            let mark = usize::from(offset == 0 && between.starts_with(&[0xef, 0xbb, 0xbf]));
            column = column.saturating_add(u32::try_from(points.saturating_sub(mark)).unwrap_or(u32::MAX));
            offset = offset.max(target);
            diagnostic.column = column;
        }
    }
}

/// Warnings that a file has which is being written, or was cut off (spec 1.8). No author can drop them (spec 12.3).
pub(crate) const MARKS: [&str; 4] = ["missing_version", "missing_default", "null_entry", "null_rules"];

/// Collects the diagnostics of one document, up to a ceiling. Errors come before warnings: a policy that does not load has at
/// least one.
#[derive(Debug)]
pub struct Diagnostics<'t> {
    lines: LineIndex<'t>,
    /// Each with its place in the order in which all were found.
    errors: Vec<(usize, Diagnostic)>,
    warnings: Vec<(usize, Diagnostic)>,
    /// Warnings that are [`MARKS`]. They have room of their own: others must not hide them.
    marks: Vec<(usize, Diagnostic)>,
    pub(crate) suggestions: Suggestions,
}

impl<'t> Diagnostics<'t> {
    /// None yet, of this text.
    pub fn new(text: &'t str) -> Self {
        Self {
            lines: LineIndex::new(text),
            errors: Vec::new(),
            warnings: Vec::new(),
            marks: Vec::new(),
            suggestions: Suggestions::new(),
        }
    }

    pub(crate) fn lines(&self) -> &LineIndex<'t> {
        &self.lines
    }

    /// The line at which a place begins, from 1.
    pub fn line(&self, span: Span) -> u32 {
        self.lines.line(span.start)
    }

    /// The candidate that was probably meant by `text`, if one is near enough.
    pub fn nearest<'c>(
        &mut self,
        text: &str,
        candidates: impl IntoIterator<Item = &'c str>,
    ) -> Option<&'c str> {
        self.suggestions.nearest(text, candidates)
    }

    /// Whether there is an error.
    pub fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// Whether further errors change nothing: then there is no need to look for them.
    pub fn is_full(&self) -> bool {
        self.errors.len() >= DIAGNOSTICS
    }

    /// Whether further warnings change nothing.
    pub(crate) fn is_full_of_warnings(&self) -> bool {
        self.errors.len().saturating_add(self.warnings.len()) >= DIAGNOSTICS
    }

    pub(crate) fn has_errors_other_than(&self, code: &str) -> bool {
        self.errors.iter().any(|(_, diagnostic)| diagnostic.code != code)
    }

    /// Adds an error.
    pub fn error(
        &mut self,
        code: &'static str,
        span: Span,
        pointer: impl Into<String>,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        if !self.is_full() {
            let diagnostic =
                Diagnostic::new(Severity::Error, code, span, pointer.into(), message.into(), help);
            self.errors.push((self.found(), diagnostic));
        }
    }

    /// Adds a warning.
    pub fn warning(
        &mut self,
        code: &'static str,
        span: Span,
        pointer: impl Into<String>,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let is_mark = MARKS.contains(&code);
        let is_full = if is_mark { self.marks.len() >= DIAGNOSTICS } else { self.is_full_of_warnings() };
        if !is_full {
            let diagnostic =
                Diagnostic::new(Severity::Warning, code, span, pointer.into(), message.into(), help);
            let found = self.found();
            if is_mark { &mut self.marks } else { &mut self.warnings }.push((found, diagnostic));
        }
    }

    pub(crate) fn has_warnings(&self) -> bool {
        !self.warnings.is_empty()
    }

    /// Drops the warnings of which `keep` is false, but no marks.
    pub(crate) fn keep_warnings(&mut self, keep: impl Fn(&Diagnostic) -> bool) {
        self.warnings.retain(|(_, warning)| keep(warning));
    }

    fn found(&self) -> usize {
        let warnings = self.warnings.len().saturating_add(self.marks.len());
        self.errors.len().saturating_add(warnings)
    }

    /// In document order, errors and warnings together.
    pub fn finish(self) -> Vec<Diagnostic> {
        let mut list = self.errors;
        let room = DIAGNOSTICS.saturating_sub(list.len());
        list.extend(self.marks.into_iter().chain(self.warnings).take(room));
        list.sort_by_key(|(found, diagnostic)| (diagnostic.span, *found));
        let mut list: Vec<Diagnostic> = list.into_iter().map(|(_, diagnostic)| diagnostic).collect();
        self.lines.locate(&mut list);
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_across_blocks() {
        for length in (BLOCK - 2..BLOCK + 2).chain(2 * BLOCK - 1..2 * BLOCK + 2).chain([9 * BLOCK]) {
            for every in [1, 2, 7, BLOCK, 3 * BLOCK] {
                let text: String = (1..=length).map(|at| if at % every == 0 { '\n' } else { 'a' }).collect();
                let lines = LineIndex::new(&text);
                for offset in 0..=length {
                    assert_eq!(
                        lines.line(offset as u32) as usize,
                        offset / every + 1,
                        "{every}, {offset} of {length}"
                    );
                }
                assert_eq!(lines.line(u32::MAX) as usize, length / every + 1);
            }
        }
    }

    #[test]
    fn lines_begin_behind_every_line_feed() {
        for length in 0..20 {
            for filler in ['a', '\t', '\u{b}', '\r'] {
                for at in 0..length {
                    for other in 0..length {
                        let mut text = vec![filler as u8; length];
                        (text[at], text[other]) = (b'\n', b'\n');
                        let text = String::from_utf8(text).unwrap();
                        let lines = LineIndex::new(&text);
                        for offset in 0..=length {
                            let before = text[..offset].matches('\n').count();
                            assert_eq!(
                                lines.line(offset as u32) as usize,
                                before + 1,
                                "{text:?} at {offset}"
                            );
                        }
                    }
                }
            }
        }
    }
}
