//! Paths: how a condition names a value (spec 4).
//!
//! In: the text of a path. Out: a root and segments, or what is wrong with it. Reading the value is `condition`'s work.

use std::borrow::Cow;
use std::fmt;

use crate::ceilings::{PATH_BYTES, PATH_SEGMENTS};
use crate::json_text::write_string;
use crate::suggest::Suggestions;

/// Where a path starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Root {
    Args,
    Identity,
    State,
    Tool,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Segment {
    /// `.name`
    Name(Box<str>),
    /// `["any text"]`: the same as a name, but exact where a name could also be read as several.
    Quoted(Box<str>),
    /// `[3]`
    Index(usize),
    /// `[*]`
    Each,
}

impl Segment {
    /// The step to a member, in its shorter form where the name can be written so.
    pub(crate) fn member(name: &str) -> Self {
        let is_plain = !name.is_empty() && !name.starts_with('@') && !name.contains(['.', '[', ']', '*']);
        if is_plain { Self::Name(name.into()) } else { Self::Quoted(name.into()) }
    }
}

/// `.name`, `["any text"]`, `[3]` or `[*]`.
impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, ".{name}"),
            Self::Quoted(name) => {
                f.write_str("[")?;
                write_string(f, name)?;
                f.write_str("]")
            }
            Self::Index(index) => write!(f, "[{index}]"),
            Self::Each => f.write_str("[*]"),
        }
    }
}

/// How the strings are read that a path leads to (spec 5.27, 5.28).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Reading {
    /// As they are: those of identities, and the tool's name.
    Plain,
    /// Those of arguments, which a server may parse.
    Twofold,
    /// `@text`: as text; any value but a string is of the wrong type.
    Text,
}

/// A path, with its text as written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Path {
    pub(crate) root: Root,
    pub(crate) segments: Box<[Segment]>,
    /// Whether one of them is `[*]`, so that the path stands for several values.
    pub(crate) has_each: bool,
    pub(crate) reading: Reading,
    /// The name, where the path is that of a member of the arguments and nothing else, as nearly all are.
    pub(crate) member: Option<Box<str>>,
    pub(crate) text: Box<str>,
}

/// What is wrong with the text of a path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PathError {
    pub(crate) message: String,
    pub(crate) help: Cow<'static, str>,
}

const GRAMMAR: &str = "paths look like `args.a.b`, `args[\"any key\"]`, `args.items[0]`, `args.items[*].amount`, `args.note.@text`, `identity.roles`, `state.<tool>.<counter>`, `tool`";
/// The only view.
const TEXT: &str = "@text";

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
            "tool" => Root::Tool,
            _ => {
                return error(
                    format!("`{text}` does not begin with `args`, `identity`, `state` or `tool`"),
                    GRAMMAR,
                );
            }
        };
        let (mut segments, mut as_text) = (Vec::new(), false);
        while !rest.is_empty() {
            let (segment, after) = match Self::segment(rest) {
                Some(found) => found,
                None => return error(format!("`{text}` is not a path: cannot read `{rest}`"), GRAMMAR),
            };
            rest = after;
            // Names of counters are whole names, which the policy itself declares.
            match &segment {
                Segment::Name(name) if root != Root::State && **name == *TEXT && !segments.is_empty() => {
                    if !rest.is_empty() {
                        let message = format!("`{text}`: nothing can stand behind `{TEXT}`");
                        return error(message, "a text has no members and no elements");
                    }
                    as_text = true;
                    break;
                }
                Segment::Name(name)
                    if root != Root::State && (name.starts_with('@') || name.contains('*')) =>
                {
                    return Err(no_name(text, name));
                }
                _ => {}
            }
            segments.push(segment);
            if segments.len() > PATH_SEGMENTS {
                return error(
                    format!("a path of more than {PATH_SEGMENTS} segments"),
                    "arguments are never that deep",
                );
            }
        }
        match root {
            Root::Tool if !segments.is_empty() => {
                error(format!("`{text}`: `tool` has no members"), "write `tool`")
            }
            Root::Args | Root::Identity | Root::State if segments.is_empty() => {
                error(format!("`{text}` alone names no value"), GRAMMAR)
            }
            _ if as_text => {
                let path = Self::new(root, segments.into(), text.into());
                Ok(Self { reading: Reading::Text, member: None, ..path })
            }
            _ => Ok(Self::new(root, segments.into(), text.into())),
        }
    }

    /// The path of those segments, for which `text` stands.
    pub(crate) fn new(root: Root, segments: Box<[Segment]>, text: Box<str>) -> Self {
        let has_each = segments.contains(&Segment::Each);
        let member = match (root, &*segments) {
            (Root::Args, [Segment::Name(name) | Segment::Quoted(name)]) => Some(name.clone()),
            _ => None,
        };
        let reading = if root == Root::Args { Reading::Twofold } else { Reading::Plain };
        Self { root, segments, has_each, reading, member, text }
    }

    /// Whether both lead to the same value, however they are written.
    pub(crate) fn leads_where(&self, other: &Self) -> bool {
        let name = |segment: &'_ Segment| match segment {
            Segment::Name(name) | Segment::Quoted(name) => Some(name.clone()),
            Segment::Index(_) | Segment::Each => None,
        };
        let same = |(one, another): (&Segment, &Segment)| {
            one == another || name(one).is_some_and(|one| Some(one) == name(another))
        };
        self.root == other.root
            && self.reading == other.reading
            && self.segments.len() == other.segments.len()
            && self.segments.iter().zip(&other.segments).all(same)
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

/// What is wrong with a plain name that looks as if it were more than one.
fn no_name(text: &str, name: &str) -> PathError {
    let mut quoted = String::new();
    // Writing to a string cannot fail.
    let _ = write_string(&mut quoted, name);
    let member = format!("a member of that name is `[{quoted}]`");
    if name.contains('*') {
        let message = format!("`{text}`: `{name}` is not a name");
        let help = format!("every element of a list is `[*]`; {member}");
        return PathError { message, help: help.into() };
    }
    if name == TEXT {
        let message = format!("`{text}`: the view `{name}` is not at the end, behind a name");
        let help = format!("write it there, as in `args.note.{TEXT}`; {member}");
        return PathError { message, help: help.into() };
    }
    let help = match Suggestions::new().nearest(name, [TEXT]) {
        Some(view) => format!("did you mean `{view}`? It stands at the end, behind a name; {member}"),
        None => format!("the view is `{TEXT}`; {member}"),
    };
    PathError { message: format!("`{text}`: there is no view `{name}`"), help: help.into() }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form() {
        let path = Path::parse(r#"args.a-b["x.y]\"z"][0][*].é"#).unwrap();
        let name = |text: &str| Segment::Name(text.into());
        let expected =
            [name("a-b"), Segment::Quoted("x.y]\"z".into()), Segment::Index(0), Segment::Each, name("é")];
        assert_eq!(*path.segments, expected);
        assert_eq!(Path::parse("tool").unwrap().root, Root::Tool);
        assert_eq!(*Path::parse(r#"args[""]"#).unwrap().segments, [Segment::Quoted("".into())]);
        for text in [r#"args["@id"]["*"].a@b["@text"]"#, "args.a", "args[0]"] {
            let (path, view) = (Path::parse(text).unwrap(), Path::parse(&format!("{text}.@text")).unwrap());
            assert_eq!(path.reading, Reading::Twofold);
            assert_eq!((&path.segments, view.reading), (&view.segments, Reading::Text));
            assert_eq!((path.member.is_some(), view.member), (text == "args.a", None));
        }
        assert_eq!(Path::parse("identity.id").unwrap().reading, Reading::Plain);
        for text in ["state.read_*.@day", "state.@text", "state.a.@text"] {
            assert_eq!(Path::parse(text).unwrap().reading, Reading::Plain, "{text}");
        }
    }

    #[test]
    fn another_spelling_leads_to_the_same_value() {
        let path = |text: &str| Path::parse(text).unwrap();
        for (one, other, same) in [
            ("args.a.b", r#"args["a"].b"#, true),
            (r#"args["a"]["b"]"#, r#"args["\u0061"].b"#, true),
            ("args.a", "identity.a", false),
            ("args.a", "args.a.a", false),
            ("args.a", "args.b", false),
            ("args[0]", r#"args["0"]"#, false),
            ("args[0]", "args[0]", true),
            ("args[0]", "args[1]", false),
            ("tool", "tool", true),
            ("args.a", "args.a.@text", false),
            ("args.a.@text", r#"args["a"].@text"#, true),
        ] {
            assert_eq!(path(one).leads_where(&path(other)), same, "{one} {other}");
            assert_eq!(path(other).leads_where(&path(one)), same, "{other} {one}");
        }
    }

    #[test]
    fn refuses_what_it_cannot_read() {
        for text in [
            "",
            "arg.x",
            "args",
            "identity",
            "state",
            "tool.x",
            "args.",
            "args..a",
            "args.a]",
            "args[",
            "args[-1]",
            "args[01]",
            "args[1",
            "args[*",
            "args[\"a]",
            "args[\"a\"",
            "args['a']",
            "args[99999999999999999999]",
            "args.a b.",
            "Args.x",
            " args.x",
            "args.@text",
            "args.a.@text.@text",
            "args.a.@text.b",
            "args.a.@text[0]",
            "args.a.@Text",
            "args.@id",
            "args.a.@",
            "args.*",
            "args.**",
            "args.a*.b",
            "identity.@id",
            "tool.@text",
        ] {
            assert!(Path::parse(text).is_err(), "{text}");
        }
        assert!(Path::parse(&format!("args.{}", "a".repeat(PATH_BYTES))).is_err());
        assert!(Path::parse(&format!("args{}", ".a".repeat(PATH_SEGMENTS + 1))).is_err());
    }
}
