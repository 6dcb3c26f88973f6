//! Paths as policies write them: which numbers of arguments they lead to, and which counter they name.
//!
//! In: a path of a policy that loads, and arguments. Out: the numbers there; the names of a path to a counter. What cannot be read gives
//! none.

use std::ops::ControlFlow;

use callgate::value::{Kind, Number, RawView, Reached, View as _};

/// A path into the arguments.
#[derive(Debug, Clone)]
pub(super) struct ArgsPath(Vec<Segment>);

#[derive(Debug, Clone)]
enum Segment {
    Name(String),
    Quoted(String),
    Index(usize),
    Each,
}

impl ArgsPath {
    /// Reads a path; `None` where it does not read the arguments, or reads them as text.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let segments = segments(path.strip_prefix("args")?)?;
        let is_view = |segment: &Segment| matches!(segment, Segment::Name(name) if name.starts_with('@'));
        (!segments.iter().any(is_view)).then_some(Self(segments))
    }

    /// Calls `each` for every number that the path leads to.
    pub(super) fn numbers(&self, args: RawView<'_>, each: &mut dyn FnMut(Number<'_>)) {
        walk(args, &self.0, each);
    }
}

/// The names of a path to a counter, and whether the first is in brackets, which makes it an entry's key.
pub(super) fn state_names(path: &str) -> Option<(bool, Vec<String>)> {
    let segments = segments(path.strip_prefix("state")?)?;
    let is_exact = matches!(segments.first(), Some(Segment::Quoted(_)));
    let names = segments.into_iter().map(|segment| match segment {
        Segment::Name(name) | Segment::Quoted(name) => Some(name),
        Segment::Index(_) | Segment::Each => None,
    });
    names.collect::<Option<_>>().map(|names| (is_exact, names))
}

/// The segments behind a path's root (spec 4.2).
fn segments(mut rest: &str) -> Option<Vec<Segment>> {
    let mut segments = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let (name, left) = after.split_at_checked(end)?;
            segments.push(Segment::Name(name.to_owned()));
            rest = left;
        } else if let Some(left) = rest.strip_prefix("[*]") {
            segments.push(Segment::Each);
            rest = left;
        } else {
            let after = rest.strip_prefix('[')?;
            let mut bracketed = serde_json::Deserializer::from_str(after).into_iter::<serde_json::Value>();
            segments.push(match bracketed.next()?.ok()? {
                serde_json::Value::String(name) => Segment::Quoted(name),
                other => Segment::Index(usize::try_from(other.as_u64()?).ok()?),
            });
            rest = after.get(bracketed.byte_offset()..)?.trim_start().strip_prefix(']')?;
        }
    }
    Some(segments)
}

/// Recursion is as deep as the path has segments, of which there are few.
fn walk(value: RawView<'_>, segments: &[Segment], each: &mut dyn FnMut(Number<'_>)) {
    match segments.split_first() {
        None => {
            if let Ok(Kind::Number(number)) = value.kind() {
                each(number);
            }
        }
        Some((Segment::Name(name) | Segment::Quoted(name), rest)) => {
            if let Ok(Reached::Value(next)) = value.step(name) {
                walk(next, rest, each);
            }
        }
        Some((Segment::Index(index), rest)) => {
            if matches!(value.kind(), Ok(Kind::Array))
                && let Ok(Some(next)) = value.element(*index)
            {
                walk(next, rest, each);
            }
        }
        Some((Segment::Each, rest)) => {
            if matches!(value.kind(), Ok(Kind::Array)) {
                // Unreadable elements have no numbers.
                let _ = value.elements(|next| {
                    walk(next, rest, each);
                    ControlFlow::Continue(())
                });
            }
        }
    }
}
