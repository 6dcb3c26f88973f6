//! What the YAML loader says.
//!
//! In: granit-parser's errors, and pieces of the author's text. Out: messages and help of bounded length.
//! It must not let one long key or text multiply into every diagnostic.

use granit_parser::{ErrorKind, ScanError};

use crate::ceilings::DOCUMENT_DEPTH;
use crate::diagnostic::Span;
use crate::suggest::operator;

/// Code points of the author's text in a message.
const EXCERPT_CHARS: usize = 60;

/// One error of the text itself.
pub(super) struct Problem {
    pub(super) code: &'static str,
    pub(super) span: Span,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

/// The author's text on one line, cut where it is long.
pub(super) fn excerpt(text: &str) -> String {
    let mut excerpt = String::new();
    for (count, char) in text.chars().enumerate() {
        if count >= EXCERPT_CHARS {
            excerpt.push('…');
            break;
        }
        if char.is_control() {
            excerpt.extend(char.escape_default());
        } else {
            excerpt.push(char);
        }
    }
    excerpt
}

/// More levels than [`DOCUMENT_DEPTH`].
pub(super) fn too_deep(span: Span) -> Problem {
    Problem {
        code: "too_deep",
        span,
        message: format!("the document is nested more than {DOCUMENT_DEPTH} levels deep"),
        help: Some("flatten the document".to_owned()),
    }
}

/// Translates granit-parser's error for somebody who writes a policy.
pub(super) fn syntax_error(text: &str, error: &ScanError) -> Problem {
    let start = error.marker().byte_offset().unwrap_or(text.len()).min(text.len());
    // A tab that ends a text of several lines is reported where the text begins.
    let start = start.saturating_add(match error.kind() {
        ErrorKind::TabInPlainScalar | ErrorKind::TabInIndentation | ErrorKind::TabInBlockIndentation => {
            indenting_tab(text.get(start..).unwrap_or_default()).unwrap_or(0)
        }
        _ => 0,
    });
    let rest = text.get(start..).unwrap_or_default();
    let span = Span::new(start, start.saturating_add(rest.chars().next().map_or(0, char::len_utf8)));
    if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) {
        return too_deep(span);
    }
    let (message, help) = describe(rest, error.kind());
    let line_start =
        text.get(..start).and_then(|before| before.rfind('\n')).map_or(0, |at| at.saturating_add(1));
    let line = text.get(line_start..).unwrap_or_default();
    let indent_end = line.find(|char| char != ' ' && char != '\t').unwrap_or(line.len());
    let tab_indents = line.get(..indent_end).is_some_and(|indent| indent.contains('\t'));
    let help = if tab_indents { Some("indent with spaces: YAML takes no tabs there") } else { help };
    let found = slip(text, start).unwrap_or((message, help.map(str::to_owned)));
    Problem { code: "syntax", span, message: found.0, help: found.1 }
}

/// What authors often take for YAML, with what to write instead.
fn slip(text: &str, start: usize) -> Option<(String, Option<String>)> {
    let (before, rest) = text.split_at_checked(start)?;
    let line_start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
    let line_before = before.get(line_start..)?;
    // An operator that is not a word.
    let is_sign = |c: char| matches!(c, '<' | '>' | '=' | '!' | '~');
    let signs =
        before.len().saturating_sub(line_before.trim_end_matches(is_sign).len()).saturating_sub(line_start);
    let sign_start = start.saturating_sub(signs);
    let sign_end = text.get(sign_start..)?.find(|c: char| !is_sign(c)).unwrap_or(0);
    let sign = text.get(sign_start..sign_start.saturating_add(sign_end))?;
    if let Some(word) = operator(sign) {
        return Some((format!("plain text cannot begin with `{sign}`"), Some(format!("write `{word}`"))));
    }
    // A bracket in a word.
    let bracket = if rest.starts_with('*') { start.saturating_sub(1) } else { start };
    let (before_bracket, rest) = text.split_at_checked(bracket)?;
    if rest.starts_with(['[', '{'])
        && before_bracket.ends_with(|c: char| c.is_alphanumeric() || "_-.".contains(c))
    {
        let word_start = before_bracket
            .rfind(|c: char| c.is_whitespace() || ",[{".contains(c))
            .map_or(0, |at| at.saturating_add(1));
        let mut depth = 0_usize;
        let end = rest.char_indices().find(|(_, c)| {
            match c {
                '[' | '{' => depth = depth.saturating_add(1),
                ']' | '}' if depth > 0 => {
                    depth = depth.saturating_sub(1);
                    return false;
                }
                _ => {}
            }
            depth == 0 && (c.is_whitespace() || ",:]}".contains(*c))
        });
        let end = end.map_or(text.len(), |(at, _)| bracket.saturating_add(at));
        let word = text.get(word_start..end).filter(|word| !word.contains('\n'))?;
        let quote = if word.contains('"') { '\'' } else { '"' };
        let message = format!("plain text ends at `{}` here", rest.get(..1)?);
        return Some((message, Some(format!("quote it: `{quote}{}{quote}`", excerpt(word)))));
    }
    // A field without a blank behind its colon, which is reported at the next one.
    let line_above = before.get(..line_start)?.trim_end().rsplit('\n').next()?;
    let field = line_above.trim_start_matches([' ', '-']);
    let (name, value) = field.split_once(':')?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let is_glued = is_name && value.starts_with(|c: char| !c.is_whitespace() && c != ':');
    is_glued.then(|| {
        let message = format!("the line before has no blank behind the `:` of `{}`", excerpt(name));
        (message, Some(format!("write `{}: {}`", excerpt(name), excerpt(value.trim()))))
    })
}

/// The first tab in the indentation of a line of `rest`, unless it begins with one.
fn indenting_tab(rest: &str) -> Option<usize> {
    if rest.starts_with('\t') {
        return None;
    }
    rest.match_indices('\n').find_map(|(end, _)| {
        let begin = end.saturating_add(1);
        let line = rest.get(begin..)?;
        let tab = line
            .find(|char| char != ' ')
            .filter(|at| line.get(*at..).is_some_and(|line| line.starts_with('\t')))?;
        Some(begin.saturating_add(tab))
    })
}

/// `rest` is the document from the error on.
fn describe(rest: &str, kind: &ErrorKind) -> (String, Option<&'static str>) {
    let quote_star = "quote text that begins with `*` or `&`: in YAML these name aliases and anchors";
    let word = rest.split(char::is_whitespace).next().unwrap_or_default();
    match kind {
        ErrorKind::UnknownAnchor => {
            (format!("the alias `{}` names no anchor", excerpt(word)), Some(quote_star))
        }
        ErrorKind::MissingAnchorOrAliasName => {
            ("an alias or anchor without a name".to_owned(), Some(quote_star))
        }
        ErrorKind::UnclosedFlowCollection { open } => (format!("`{open}` is never closed"), None),
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
            (format!("`{open}` is closed by `{close}`"), None)
        }
        ErrorKind::MisplacedFlowCollectionEnd => (
            format!("`{}` closes nothing", excerpt(rest.get(..1).unwrap_or_default())),
            Some("quote it if it is text"),
        ),
        // Not the end of the text, which `UnclosedFlowCollection` tells: a `,` where a value must be.
        ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping => {
            ("a value is missing here".to_owned(), Some("remove the `,`, or write the value before it"))
        }
        ErrorKind::UnclosedQuotedScalar | ErrorKind::InvalidQuotedScalarIndent => (
            "quoted text is not closed, or goes on in a line that is not indented".to_owned(),
            Some("close the quote, and indent each further line of the text"),
        ),
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => (
            "text goes on behind its closing quote".to_owned(),
            Some("quote the whole text; in single quotes write `''` for a quote, in double quotes `\\\"`"),
        ),
        ErrorKind::UnknownQuotedScalarEscape => (
            "unknown escape in double-quoted text".to_owned(),
            Some("double the backslash, or use single quotes, in which it stands for itself"),
        ),
        ErrorKind::UnexpectedCharacter { character } if character.is_control() => (
            format!("unexpected character U+{:04X}", u32::from(*character)),
            Some("remove it, or escape it in double quotes"),
        ),
        ErrorKind::UnexpectedCharacter { character } => {
            (format!("plain text cannot begin with `{character}`"), Some("quote the text"))
        }
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => (
            "a `:` makes no key here".to_owned(),
            Some("check the indentation, and quote text that contains `: `"),
        ),
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => (
            "a key without `:`, or a key of more than one line".to_owned(),
            Some("write `key: value` with a space behind the `:`"),
        ),
        ErrorKind::ExpectedBlockMappingKey => (
            "expected a key of the mapping here".to_owned(),
            Some("check the indentation: the keys of a mapping begin in the same column"),
        ),
        ErrorKind::ExpectedBlockSequenceEntry => (
            "expected `- ` here".to_owned(),
            Some("check the indentation: the items of a list begin in the same column"),
        ),
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInIndentation
        | ErrorKind::TabInPlainScalar => {
            ("a tab is not allowed here".to_owned(), Some("indent with spaces: YAML takes no tabs there"))
        }
        ErrorKind::UndeclaredTagHandle => {
            ("a tag of an unknown kind".to_owned(), Some("remove the tag; quote text that begins with `!`"))
        }
        other => (other.to_string(), None),
    }
}
