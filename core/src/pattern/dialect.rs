//! Where the syntax of the `regex` crate and RE2's part.
//!
//! In: a pattern. Out: the same pattern in the `regex` crate's syntax, or why RE2 has no such pattern. Only what is
//! read differently is touched: `\d \w \s \b` become ASCII, and groups no longer capture, which would cost memory.

use std::fmt::Write as _;

use regex_syntax::ast::parse::ParserBuilder;
use regex_syntax::ast::{
    AssertionKind, Ast, ClassPerl, ClassPerlKind, ClassSetBinaryOp, ClassSetItem, ClassUnicode,
    ClassUnicodeKind, ErrorKind, Flag, Flags, FlagsItemKind, GroupKind, HexLiteralKind, Literal, LiteralKind,
    RepetitionKind, RepetitionRange, Span, Visitor, visit,
};

use super::PatternError;
use super::classes::is_class;
use crate::ceilings::REGEX_DEPTH;

/// RE2's bound for a repetition count, and for the product of nested ones.
const REPETITIONS: u32 = 1_000;
/// Code points of a pattern in a message.
const EXCERPT_CHARS: usize = 40;

/// Rewrites a pattern for the `regex` crate.
pub(super) fn rewrite(text: &str) -> Result<String, PatternError> {
    let ast = ParserBuilder::new()
        .nest_limit(REGEX_DEPTH)
        .build()
        .parse(text)
        .map_err(|error| error_at(text, error.span(), &reason(error.kind()), help(error.kind())))?;
    visit(&ast, Dialect { text, edits: Vec::new(), repetitions: vec![REPETITIONS] })
}

/// An error that only the meaning of a pattern shows, such as an unknown Unicode class.
pub(super) fn untranslatable(rewritten: &str, error: &regex_syntax::Error) -> PatternError {
    let (span, reason) = match error {
        regex_syntax::Error::Translate(error) => (Some(error.span()), error.kind().to_string()),
        regex_syntax::Error::Parse(error) => (Some(error.span()), error.kind().to_string()),
        _ => (None, "the pattern does not compile".to_owned()),
    };
    let piece = span.and_then(|span| rewritten.get(span.start.offset..span.end.offset)).unwrap_or(rewritten);
    let mut excerpt = String::new();
    push_excerpt(&mut excerpt, piece);
    PatternError { message: format!("`{excerpt}` in the pattern: {reason}"), help: RE2.to_owned() }
}

const COUNT: &str = "write `{n}`, `{n,}` or `{n,m}`, or `\\{` for a brace itself";

/// Whether RE2 takes it for a repetition count: no blanks, no leading zeros, and the least is given.
fn is_count(written: &str) -> bool {
    let inner = written
        .strip_suffix('?')
        .unwrap_or(written)
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    let is_number = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'))
    };
    inner.is_some_and(|inner| match inner.split_once(',') {
        None => is_number(inner),
        Some((least, most)) => is_number(least) && (most.is_empty() || is_number(most)),
    })
}

const RE2: &str = "write the pattern in RE2's syntax";

/// Collects what is to be replaced, in order.
struct Dialect<'p> {
    text: &'p str,
    edits: Vec<(std::ops::Range<usize>, &'static str)>,
    /// How often what is being visited may be repeated still; one entry for each counted repetition around it.
    repetitions: Vec<u32>,
}

impl Dialect<'_> {
    fn edit(&mut self, start: usize, end: usize, replacement: &'static str) {
        self.edits.push((start..end, replacement));
    }

    fn refuse(&self, span: &Span, reason: &str, help: &str) -> Result<(), PatternError> {
        Err(error_at(self.text, span, reason, help))
    }

    fn perl(&mut self, class: &ClassPerl) {
        let ascii = match (&class.kind, class.negated) {
            (ClassPerlKind::Digit, false) => "[0-9]",
            (ClassPerlKind::Digit, true) => "[^0-9]",
            // No vertical tab: RE2 follows Perl 5.
            (ClassPerlKind::Space, false) => r"[\t\n\f\r ]",
            (ClassPerlKind::Space, true) => r"[^\t\n\f\r ]",
            (ClassPerlKind::Word, false) => "[0-9A-Za-z_]",
            (ClassPerlKind::Word, true) => "[^0-9A-Za-z_]",
        };
        self.edit(class.span.start.offset, class.span.end.offset, ascii);
    }

    fn unicode(&self, class: &ClassUnicode) -> Result<(), PatternError> {
        let is_known = match &class.kind {
            ClassUnicodeKind::OneLetter(letter) => is_class(letter.encode_utf8(&mut [0; 4])),
            ClassUnicodeKind::Named(name) => is_class(name),
            ClassUnicodeKind::NamedValue { .. } => false,
        };
        if is_known {
            return Ok(());
        }
        let help =
            "name a script or a general category as RE2 spells it, such as `\\p{Greek}`, `\\p{Lu}` or `\\pL`";
        self.refuse(&class.span, "RE2 has no such class", help)
    }

    fn literal(&self, literal: &Literal) -> Result<(), PatternError> {
        match &literal.kind {
            LiteralKind::HexFixed(kind) | LiteralKind::HexBrace(kind) if *kind != HexLiteralKind::X => self
                .refuse(
                    &literal.span,
                    "RE2 has no such escape",
                    "write `\\x{...}` with the code point in hexadecimal",
                ),
            _ => Ok(()),
        }
    }

    fn flags(&self, flags: &Flags) -> Result<(), PatternError> {
        for item in &flags.items {
            if let FlagsItemKind::Flag(Flag::IgnoreWhitespace | Flag::Unicode | Flag::CRLF) = item.kind {
                let help = "RE2's flags are `i`, `m`, `s` and `U`";
                return self.refuse(&item.span, "RE2 has no such flag", help);
            }
        }
        Ok(())
    }

    fn group(&mut self, span: &Span, kind: &GroupKind) -> Result<(), PatternError> {
        let start = span.start.offset;
        match kind {
            GroupKind::CaptureIndex(_) => self.edit(start, start.saturating_add(1), "(?:"),
            GroupKind::CaptureName { name, .. } => {
                self.edit(start, name.span.end.offset.saturating_add(1), "(?:")
            }
            GroupKind::NonCapturing(flags) => self.flags(flags)?,
        }
        Ok(())
    }

    fn count(&mut self, span: &Span, range: &RepetitionRange) -> Result<(), PatternError> {
        let written = self.text.get(span.start.offset..span.end.offset).unwrap_or_default();
        if !is_count(written) {
            return self.refuse(span, "RE2 reads this as text", COUNT);
        }
        let (RepetitionRange::Exactly(most)
        | RepetitionRange::AtLeast(most)
        | RepetitionRange::Bounded(_, most)) = range;
        let left = self.repetitions.last().copied().unwrap_or(REPETITIONS);
        if *most > left {
            let reason = format!("repeats more than {REPETITIONS} times, nested counts multiplied");
            return self.refuse(span, &reason, "use smaller counts");
        }
        self.repetitions.push(left.checked_div(*most).unwrap_or(left));
        Ok(())
    }
}

impl Visitor for Dialect<'_> {
    type Output = String;
    type Err = PatternError;

    fn finish(self) -> Result<String, PatternError> {
        let mut rewritten = String::with_capacity(self.text.len());
        let mut copied = 0;
        for (range, replacement) in self.edits {
            rewritten.push_str(self.text.get(copied..range.start).unwrap_or_default());
            rewritten.push_str(replacement);
            copied = range.end;
        }
        rewritten.push_str(self.text.get(copied..).unwrap_or_default());
        Ok(rewritten)
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), PatternError> {
        match ast {
            Ast::Literal(literal) => self.literal(literal),
            Ast::ClassPerl(class) => {
                self.perl(class);
                Ok(())
            }
            Ast::ClassUnicode(class) => self.unicode(class),
            Ast::Flags(flags) => self.flags(&flags.flags),
            Ast::Group(group) => self.group(&group.span, &group.kind),
            Ast::Assertion(assertion) => {
                let (start, end) = (assertion.span.start.offset, assertion.span.end.offset);
                match assertion.kind {
                    AssertionKind::WordBoundary => self.edit(start, end, r"(?-u:\b)"),
                    AssertionKind::NotWordBoundary => self.edit(start, end, r"(?-u:\B)"),
                    AssertionKind::StartLine
                    | AssertionKind::EndLine
                    | AssertionKind::StartText
                    | AssertionKind::EndText => {}
                    AssertionKind::WordBoundaryStartAngle | AssertionKind::WordBoundaryEndAngle => {
                        let help = "write `<` or `>` without a backslash, or `\\b` for the edge of a word";
                        return self.refuse(&assertion.span, "not the same to all readers of RE2", help);
                    }
                    _ => return self.refuse(&assertion.span, "RE2 has no such assertion", "use `\\b`"),
                }
                Ok(())
            }
            Ast::Repetition(repetition) => {
                if let Ast::Repetition(_) = &*repetition.ast {
                    let help = "put what is repeated in a group; RE2 has no possessive repetition";
                    return self.refuse(&repetition.op.span, "repeats a repetition", help);
                }
                match &repetition.op.kind {
                    RepetitionKind::Range(range) => self.count(&repetition.op.span, range),
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    fn visit_post(&mut self, ast: &Ast) -> Result<(), PatternError> {
        if let Ast::Repetition(repetition) = ast
            && let RepetitionKind::Range(_) = repetition.op.kind
        {
            self.repetitions.pop();
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), PatternError> {
        match item {
            ClassSetItem::Literal(literal) => self.literal(literal),
            ClassSetItem::Range(range) => {
                self.literal(&range.start)?;
                self.literal(&range.end)
            }
            ClassSetItem::Perl(class) => {
                self.perl(class);
                Ok(())
            }
            ClassSetItem::Unicode(class) => self.unicode(class),
            ClassSetItem::Bracketed(class) => {
                let help = "write `\\[` for a bracket itself; classes do not nest";
                self.refuse(&class.span, "a class inside of a class", help)
            }
            _ => Ok(()),
        }
    }

    fn visit_class_set_binary_op_pre(&mut self, op: &ClassSetBinaryOp) -> Result<(), PatternError> {
        let help = "RE2 has no operations on classes; put a backslash before `&`, `-` or `~` for the character itself";
        self.refuse(&op.span, "an operation on classes", help)
    }
}

fn error_at(text: &str, span: &Span, reason: &str, help: &str) -> PatternError {
    let (start, end) = (span.start.offset, span.end.offset);
    let place = text.get(..start).map_or(1, |before| before.chars().count().saturating_add(1));
    let piece = match text.get(start..end) {
        Some("") | None => text.get(start..).and_then(|rest| rest.split_inclusive(|_| true).next()),
        piece => piece,
    };
    let mut message = String::new();
    match piece {
        Some(piece) => {
            message.push('`');
            push_excerpt(&mut message, piece);
            let _ = write!(message, "` at character {place} of the pattern: {reason}");
        }
        None => {
            let _ = write!(message, "at the end of the pattern: {reason}");
        }
    }
    PatternError { message, help: help.to_owned() }
}

/// The author's text on one line, cut where it is long.
fn push_excerpt(message: &mut String, piece: &str) {
    for (count, char) in piece.chars().enumerate() {
        if count >= EXCERPT_CHARS {
            message.push('…');
            break;
        }
        if char.is_control() {
            message.extend(char.escape_default());
        } else {
            message.push(char);
        }
    }
}

/// What is wrong, where the `regex` crate's words would not help.
fn reason(kind: &ErrorKind) -> String {
    match kind {
        ErrorKind::UnsupportedLookAround => "look-around is not supported".to_owned(),
        ErrorKind::NestLimitExceeded(_) => format!("nested more than {REGEX_DEPTH} levels deep"),
        ErrorKind::RepetitionMissing => "nothing to repeat".to_owned(),
        ErrorKind::ClassRangeLiteral => "a range of other than single characters".to_owned(),
        ErrorKind::RepetitionCountDecimalEmpty | ErrorKind::RepetitionCountUnclosed => {
            "a repetition count that is none".to_owned()
        }
        kind => kind.to_string(),
    }
}

fn help(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::UnsupportedLookAround => {
            "look-around takes more than linear time; combine conditions with `regex` and `not_regex` instead"
        }
        ErrorKind::UnsupportedBackreference => {
            "backreferences take more than linear time; write the text out"
        }
        ErrorKind::ClassUnclosed => {
            "close the class with `]`; inside of a class write `\\[` for a bracket itself"
        }
        ErrorKind::GroupUnclosed => "close the group with `)`, or write `\\(` for a parenthesis itself",
        ErrorKind::GroupUnopened => "open the group with `(`, or write `\\)` for a parenthesis itself",
        ErrorKind::RepetitionMissing => {
            "put a backslash before `*`, `+`, `?` or `{` for the character itself"
        }
        ErrorKind::RepetitionCountDecimalEmpty | ErrorKind::RepetitionCountUnclosed => COUNT,
        ErrorKind::ClassRangeLiteral => "write `\\-` for a hyphen itself",
        ErrorKind::EscapeUnrecognized | ErrorKind::EscapeUnexpectedEof | ErrorKind::ClassEscapeInvalid => {
            "write `\\\\` for a backslash itself"
        }
        ErrorKind::NestLimitExceeded(_) => "flatten the pattern",
        _ => RE2,
    }
}
