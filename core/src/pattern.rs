//! Regular expressions with RE2's meaning.
//!
//! In: a pattern, and texts. Out: whether some part of a text matches, in time linear in the text, and how heavy the
//! pattern is. The `regex` crate runs them; what it reads differently from RE2 is rewritten, or refused where RE2
//! has no such thing. It must not accept a pattern that means something else to other readers of RE2.

mod classes;
mod cost;
mod dialect;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Class, Hir, HirKind};

use self::dialect::rewrite;
use crate::ceilings::{REGEX_BYTES, REGEX_DEPTH, REGEX_TEXT_BYTES};

/// Bytes of the states that a search keeps for one pattern and thread, in each direction; they are computed as texts
/// need them. Ordinary patterns take a tenth of it; a pattern that wants more falls back to a slower search.
const STATES_BYTES: usize = 256 << 10;
/// Levels that a rewritten pattern may have: `\d` in a class becomes a class of its own.
const REWRITTEN_DEPTH: u32 = REGEX_DEPTH + 2;

/// Why a text is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct PatternError {
    pub(crate) message: String,
    pub(crate) help: String,
}

/// A regular expression that is ready to search. Clones share what a search keeps, which a clone of a [`Regex`] would not.
#[derive(Debug, Clone)]
pub(crate) struct Pattern(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    /// As the author wrote it.
    text: Box<str>,
    regex: Regex,
    weight: u64,
}

impl Pattern {
    /// Compiles a pattern.
    pub(crate) fn compile(text: &str) -> Result<Self, PatternError> {
        if text.len() > REGEX_TEXT_BYTES {
            return Err(PatternError {
                message: format!("the pattern is longer than {REGEX_TEXT_BYTES} bytes"),
                help: "shorten it, or split it into several conditions".to_owned(),
            });
        }
        let rewritten = rewrite(text)?;
        let hir = regex_syntax::ParserBuilder::new()
            .nest_limit(REWRITTEN_DEPTH)
            .build()
            .parse(&rewritten)
            .map_err(|error| dialect::untranslatable(&rewritten, &error))?;
        let regex = RegexBuilder::new(&rewritten)
            .nest_limit(REWRITTEN_DEPTH)
            .size_limit(REGEX_BYTES)
            .dfa_size_limit(STATES_BYTES)
            .build()
            .map_err(|error| PatternError {
                message: match error {
                    regex::Error::CompiledTooBig(_) => {
                        format!("the pattern takes more than {REGEX_BYTES} bytes")
                    }
                    _ => "the pattern does not compile".to_owned(),
                },
                help: "use smaller repetition counts, and `[a-z]` or `\\w` instead of Unicode classes"
                    .to_owned(),
            })?;
        // Half, because a search keeps its starts and its bookkeeping there too.
        let weight = if cost::is_cheap(&hir, STATES_BYTES / 2) { 1 } else { states(&hir).max(2) };
        Ok(Self(Arc::new(Compiled { text: text.into(), regex, weight })))
    }

    /// Whether some part of `text` matches.
    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.0.regex.is_match(text)
    }

    #[cfg(test)]
    pub(crate) fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The pattern as the author wrote it.
    pub(crate) fn text(&self) -> &str {
        &self.0.text
    }

    /// The steps (spec 11) that searching a text of `length` bytes takes: with twice the bytes, an ordinary pattern
    /// may look at half a megabyte in one call, and the heaviest stays within milliseconds.
    pub(crate) fn steps(&self, length: usize) -> u64 {
        (length as u64).saturating_mul(2).saturating_mul(self.0.weight)
    }

    /// What one byte of a text costs at worst: 1 where each byte takes one look-up whatever the text is, else the
    /// places of the pattern, because a search may be at all of them at once. A unit is at most 20 ns, 2 ns as a rule.
    #[cfg(test)]
    pub(crate) fn weight(&self) -> u64 {
        self.0.weight
    }
}

/// Places of the pattern, repetition written out. Recursion ends at [`REWRITTEN_DEPTH`].
fn states(hir: &Hir) -> u64 {
    match hir.kind() {
        HirKind::Empty => 0,
        HirKind::Look(_) | HirKind::Class(Class::Bytes(_)) => 1,
        HirKind::Literal(literal) => length(literal.0.len()),
        // A search follows one encoding of a character at a time.
        HirKind::Class(Class::Unicode(class)) => {
            length(class.ranges().last().map_or(1, |range| range.end().len_utf8()))
        }
        HirKind::Capture(capture) => states(&capture.sub),
        HirKind::Repetition(repetition) => {
            let copies = repetition.max.unwrap_or_else(|| repetition.min.saturating_add(1));
            states(&repetition.sub).saturating_add(1).saturating_mul(u64::from(copies))
        }
        HirKind::Concat(parts) => parts.iter().map(states).fold(0, u64::saturating_add),
        HirKind::Alternation(parts) => {
            parts.iter().map(states).fold(length(parts.len()), u64::saturating_add)
        }
    }
}

fn length(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
