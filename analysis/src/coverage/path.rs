//! Numbers of arguments that a path leads to, for margins.
//!
//! In: a path of a policy that loads, and arguments as JSON text. Out: the numbers there. What cannot be read gives none.

use std::ops::ControlFlow;

use callgate::value::{Kind, Number, RawView, Reached, View as _};

/// A path into the arguments.
#[derive(Debug, Clone)]
pub(super) struct ArgsPath(Vec<Segment>);

#[derive(Debug, Clone)]
enum Segment {
    Name(String),
    Index(usize),
    Each,
}

impl ArgsPath {
    /// Reads a path; `None` where it does not read the arguments, or reads them as text.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let mut rest = path.strip_prefix("args")?;
        let mut segments = Vec::new();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                let (name, left) = after.split_at_checked(end)?;
                if name.starts_with('@') {
                    return None;
                }
                segments.push(Segment::Name(name.to_owned()));
                rest = left;
            } else if let Some(left) = rest.strip_prefix("[*]") {
                segments.push(Segment::Each);
                rest = left;
            } else if let Some(after) = rest.strip_prefix('[') {
                let mut quoted = serde_json::Deserializer::from_str(after).into_iter::<serde_json::Value>();
                segments.push(match quoted.next()?.ok()? {
                    serde_json::Value::String(name) => Segment::Name(name),
                    other => Segment::Index(usize::try_from(other.as_u64()?).ok()?),
                });
                rest = after.get(quoted.byte_offset()..)?.trim_start().strip_prefix(']')?;
            } else {
                return None;
            }
        }
        Some(Self(segments))
    }

    /// Calls `each` for every number that the path leads to.
    pub(super) fn numbers(&self, args: RawView<'_>, each: &mut dyn FnMut(Number<'_>)) {
        walk(args, &self.0, each);
    }
}

/// Recursion is as deep as the path has segments, of which there are few.
fn walk(value: RawView<'_>, segments: &[Segment], each: &mut dyn FnMut(Number<'_>)) {
    match segments.split_first() {
        None => {
            if let Ok(Kind::Number(number)) = value.kind() {
                each(number);
            }
        }
        Some((Segment::Name(name), rest)) => {
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
