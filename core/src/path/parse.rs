//! Reading the text of a path (spec 4.1, 4.2, 4.7).

use std::borrow::Cow;

use super::{Gives, Path, PathView, Root, Segment};
use crate::ceilings::{PATH_BYTES, PATH_SEGMENTS};
use crate::json_text::write_string;
use crate::suggest::Suggestions;

/// What is wrong with the text of a path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PathError {
    pub(crate) message: String,
    pub(crate) help: Cow<'static, str>,
}

const GRAMMAR: &str = "paths look like `args.a.b`, `args[\"any key\"]`, `args.items[0]`, `args.items[*].amount`, `args.note.@text`, `identity.roles`, `state.<tool>.<counter>`, `budget.<name>`, `tool`, `server`";

impl Path {
    /// Parses a path of any root.
    pub(crate) fn parse(text: &str) -> Result<Self, PathError> {
        let error = |message: String, help: &'static str| Err(PathError { message, help: help.into() });
        if text.len() > PATH_BYTES {
            return error(
                format!("a path of {} bytes is longer than {PATH_BYTES}", text.len()),
                "shorten it",
            );
        }
        let root_end = text.find(['.', '[']).unwrap_or(text.len());
        let (root, mut rest) = text.split_at(root_end);
        let root = match root {
            "args" => Root::Args,
            "identity" => Root::Identity,
            "state" => Root::State,
            "budget" => Root::Budget,
            "tool" => Root::Tool,
            "server" => Root::Server,
            _ => {
                let message = format!(
                    "`{text}` does not begin with `args`, `identity`, `state`, `budget`, `tool` or `server`"
                );
                return Err(PathError { message, help: rooted(text, root) });
            }
        };
        let mut segments: Vec<Segment> = Vec::new();
        let mut gives = Gives::Anything;
        while !rest.is_empty() {
            let (segment, after) = match Self::segment(rest) {
                Some(found) => found,
                None => return error(format!("`{text}` is not a path: cannot read `{rest}`"), GRAMMAR),
            };
            rest = after;
            // Names of counters and budgets are whole names, which the policy itself declares.
            let segment = match segment {
                Segment::Name(name) if !root.counts() => more_than_name(name, text, segments.is_empty())?,
                other => other,
            };
            gives = gives.after(&segment).ok_or_else(|| misplaced(text, gives, &segments, &segment))?;
            segments.push(segment);
            if segments.len() > PATH_SEGMENTS {
                return error(
                    format!("a path of more than {PATH_SEGMENTS} segments"),
                    "arguments are never that deep",
                );
            }
        }
        match root {
            Root::Tool | Root::Server if !segments.is_empty() => {
                error(format!("`{text}`: a name has no members"), "write `tool` or `server` alone")
            }
            Root::Budget if !matches!(&*segments, [Segment::Name(_) | Segment::Quoted(_)]) => error(
                format!("`{text}` names no budget"),
                "write `budget.<name>`, or `budget[\"<name>\"]` for a name with other characters",
            ),
            Root::Args | Root::Identity | Root::State if segments.is_empty() => {
                error(format!("`{text}` alone names no value"), GRAMMAR)
            }
            _ => Ok(Self::new(root, segments.into(), text.into())),
        }
    }

    fn segment(text: &str) -> Option<(Segment, &str)> {
        if let Some(name) = text.strip_prefix('.') {
            let end = name.find(['.', '[', ']']).unwrap_or(name.len());
            let (name, rest) = name.split_at(end);
            return if name.is_empty() { None } else { Some((Segment::Name(name.into()), rest)) };
        }
        let inner = text.strip_prefix('[')?;
        if let Some(rest) = inner.strip_prefix("*]") {
            return Some((Segment::Each, rest));
        }
        if inner.starts_with('"') {
            // The end of the JSON string: the first quote that no backslash precedes.
            let mut escaped = false;
            let end = inner.char_indices().skip(1).find(|(_, c)| {
                let ends = *c == '"' && !escaped;
                escaped = *c == '\\' && !escaped;
                ends
            })?;
            let (literal, rest) = inner.split_at_checked(end.0.checked_add(1)?)?;
            let key: String = serde_json::from_str(literal).ok()?;
            return Some((Segment::Quoted(key.into()), rest.strip_prefix(']')?));
        }
        let (digits, rest) = inner.split_once(']')?;
        let canonical = digits == "0" || !digits.starts_with('0');
        if digits.is_empty() || !canonical || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Some((Segment::Index(digits.parse().ok()?), rest))
    }
}

/// Help for the text of a path that begins with no root.
fn rooted(text: &str, root: &str) -> Cow<'static, str> {
    const ROOTS: [&str; 6] = ["args", "identity", "state", "budget", "tool", "server"];
    let rest = text.get(root.len()..).unwrap_or_default();
    let slip = Suggestions::new().one_slip(root, ROOTS).map(|known| format!("{known}{rest}"));
    let other = match root {
        "$" => rest.trim_start_matches('.').to_owned(),
        "arguments" | "input" | "params" => format!("args{rest}"),
        "caller" | "claims" | "user" => format!("identity{rest}"),
        _ if root.starts_with(|first: char| first.is_ascii_alphabetic()) => format!("args.{text}"),
        _ => String::new(),
    };
    // A path that begins with no root is not parsed again.
    let has_root = |meant: &String| ROOTS.iter().any(|known| meant.starts_with(known));
    let meant = slip.into_iter().chain([other]).find(|meant| has_root(meant) && Path::parse(meant).is_ok());
    match meant {
        Some(meant) => format!("did you mean `{meant}`?").into(),
        None => GRAMMAR.into(),
    }
}

/// A plain name, or the view or wildcard that it is.
fn more_than_name(name: Box<str>, text: &str, is_first: bool) -> Result<Segment, PathError> {
    match &*name {
        "*" => return Ok(Segment::Members),
        "**" => return Ok(Segment::Scalars),
        _ => {}
    }
    let view = PathView::ALL.into_iter().find(|view| view.name() == &*name);
    match view {
        Some(view) if !is_first || view.takes_root() => Ok(Segment::View(view)),
        None if !name.starts_with('@') && !name.contains('*') => Ok(Segment::Name(name)),
        view => Err(no_name(text, &name, view)),
    }
}

/// What is wrong with a plain name that looks as if it were more than one.
fn no_name(text: &str, name: &str, view: Option<PathView>) -> PathError {
    let mut quoted = String::new();
    // Writing to a string cannot fail.
    let _ = write_string(&mut quoted, name);
    let member = format!("a member of that name is `[{quoted}]`");
    if let Some(view) = view {
        let message = format!("`{text}`: the view `{name}` does not stand behind a name");
        let help = format!("write it there, as in `args.note.{}`; {member}", view.name());
        return PathError { message, help: help.into() };
    }
    if name.contains('*') {
        let message = format!("`{text}`: `{name}` is not a name");
        let help = format!("every element of a list is `[*]`, every member of an object `.*`; {member}");
        return PathError { message, help: help.into() };
    }
    let names = PathView::ALL.map(PathView::name);
    let help = match Suggestions::new().nearest(name, names) {
        Some(view) => format!("did you mean `{view}`? Otherwise, {member}"),
        None => format!("the views are {}; {member}", names.map(|name| format!("`{name}`")).join(", ")),
    };
    PathError { message: format!("`{text}`: there is no view `{name}`"), help: help.into() }
}

/// What is wrong with a segment that cannot follow.
fn misplaced(text: &str, before: Gives, segments: &[Segment], segment: &Segment) -> PathError {
    let last = segments.last().map(ToString::to_string).unwrap_or_default();
    let message = format!("`{text}`: `{segment}` cannot stand behind `{last}`");
    let help = match before {
        Gives::Text => "a text has no members and no elements: `@lower` and `@length` can follow",
        Gives::Lower => "a text has no members and no elements: `@length` can follow",
        Gives::Name => "a name has no members and no elements: `@lower` and `@length` can follow",
        Gives::Number => "a number has no parts: nothing can follow",
        Gives::Names => "the names are a list: `@count`, `[0]` and `[*]` can follow",
        Gives::Scalars | Gives::ScalarsText => {
            "`.**` is the last segment: only `@text` and `@lower` can follow"
        }
        Gives::ScalarsLower => "`.**` is the last segment: nothing can follow `@lower` there",
        Gives::Anything => GRAMMAR,
    };
    PathError { message, help: help.into() }
}
