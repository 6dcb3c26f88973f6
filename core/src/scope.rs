//! Scopes: for whom a counter counts (spec 9.2, 9.3).
//!
//! In: a scope as declared and what the call gives to be read. Out: the encoded scope value, or that it is missing.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, LazyLock};

use crate::budget::Budget;
use crate::ceilings::SCOPE_BYTES;
use crate::condition::{CallContext, Leaf, Visitor};
use crate::identity::Identity;
use crate::path::{Path, Root, Segment};
use crate::store::ScopeValue;
use crate::view::{Kind, Unreadable, View};

/// What a counter counts by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    Global,
    /// The first of the sources that has a value, each a claim. With `or_shared`, one shared value where none has.
    First {
        name: &'static str,
        sources: Arc<[(u8, Path)]>,
        or_shared: bool,
        /// The source that is the caller's id.
        id: Option<u8>,
    },
    /// The values of all paths together.
    Each(Box<[Path]>),
}

fn identity_path(claim: &str) -> Path {
    Path::new(Root::Identity, [Segment::Name(claim.into())].into(), format!("identity.{claim}").into())
}

impl Scope {
    /// The scope called `name`, as a policy may write it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let first = |name, sources: &[(u8, &str)]| {
            Self::first(
                name,
                sources.iter().map(|(tag, claim)| (*tag, identity_path(claim))).collect(),
                false,
            )
        };
        Some(match name {
            "global" => Self::Global,
            "grant" => first("grant", &[(b'g', "grant"), (b'i', "id")]),
            "session" => first("session", &[(b's', "session")]),
            "identity" => first("identity", &[(b'i', "id")]),
            _ => return None,
        })
    }

    /// What `rate_limit` counts by where the policy does not say: the agent's session.
    pub(crate) fn agent() -> Self {
        // A policy has one for each of its rates, so all share the paths.
        static SOURCES: LazyLock<Arc<[(u8, Path)]>> =
            LazyLock::new(|| [(b's', identity_path("session")), (b'i', identity_path("id"))].into());
        Self::first("agent", Arc::clone(&SOURCES), true)
    }

    fn first(name: &'static str, sources: Arc<[(u8, Path)]>, or_shared: bool) -> Self {
        let id = sources.iter().find(|(_, path)| &*path.text == "identity.id").map(|(tag, _)| *tag);
        Self::First { name, sources, or_shared, id }
    }

    /// The paths that it may look at.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        let (sources, paths) = match self {
            Self::Global => (&[][..], &[][..]),
            Self::First { sources, .. } => (&**sources, &[][..]),
            Self::Each(paths) => (&[][..], &**paths),
        };
        sources.iter().map(|(_, path)| path).chain(paths)
    }

    /// Encodes the scope value of a call into `encoded`, which is empty; false where it is missing (spec 9.4).
    ///
    /// Each part is its source, its type, its length and its text, so no two values have one encoding (spec 8.6).
    #[inline(always)]
    pub(crate) fn encode<A: View, I: View>(
        &self,
        facts: &CallContext<'_, A, I>,
        encoded: &mut ScopeValue,
    ) -> Result<bool, Unreadable> {
        match (self, facts.identity) {
            // Nearly all callers are known by an id alone, which has no other claim.
            (Self::First { id: Some(tag), or_shared, .. }, Identity::Id(id)) => {
                Ok(push(encoded, *tag, b's', id) || *or_shared)
            }
            _ => self.encode_any(facts, encoded),
        }
    }

    fn encode_any<A: View, I: View>(
        &self,
        facts: &CallContext<'_, A, I>,
        encoded: &mut ScopeValue,
    ) -> Result<bool, Unreadable> {
        match self {
            Self::Global => {}
            Self::First { sources, or_shared, .. } => {
                let mut found = false;
                for (tag, path) in sources.iter() {
                    found = append(facts, *tag, path, encoded)?;
                    if found {
                        break;
                    }
                }
                return Ok(found || *or_shared);
            }
            Self::Each(paths) => {
                for path in paths {
                    if !append(facts, b'p', path, encoded)? {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }
}

/// The name in keys, decisions and messages (spec 10.4).
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Global => f.write_str("global"),
            Self::First { name, .. } => f.write_str(name),
            Self::Each(paths) => {
                for (index, path) in paths.iter().enumerate() {
                    if index > 0 {
                        f.write_str(",")?;
                    }
                    write!(f, "{path}")?;
                }
                Ok(())
            }
        }
    }
}

/// For people, and to be typed again: `id "alice"`, `grant 7`, or the values of a list of paths, `"eu", 42`. Different values
/// of one scope print differently. `-` where all share one counter; bytes that are not a scope value are hexadecimal digits.
impl fmt::Display for ScopeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("-");
        }
        match decode(&self.0) {
            Some(parts) => f.write_str(&parts.join(", ")),
            None => self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

/// The parts of an encoded scope value, as they print.
fn decode(mut encoded: &[u8]) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    while let [tag, kind, high, low, rest @ ..] = encoded {
        let (text, rest) = rest.split_at_checked(u16::from_be_bytes([*high, *low]).into())?;
        let text = std::str::from_utf8(text).ok()?;
        let source = match tag {
            b'g' => "grant ",
            b'i' => "id ",
            b's' => "session ",
            b'p' => "",
            _ => return None,
        };
        parts.push(match kind {
            b'n' => format!("{source}{text}"),
            b's' => format!("{source}{}", serde_json::Value::from(text)),
            _ => return None,
        });
        encoded = rest;
    }
    encoded.is_empty().then_some(parts)
}

fn append<A: View, I: View>(
    facts: &CallContext<'_, A, I>,
    tag: u8,
    path: &Path,
    encoded: &mut ScopeValue,
) -> Result<bool, Unreadable> {
    let mut part = Part { tag, encoded, steps: &facts.steps, found: false };
    facts.reach(path, &mut part)?;
    Ok(part.found)
}

/// Appends a part; false if its text cannot be one.
#[inline]
fn push(encoded: &mut ScopeValue, tag: u8, kind: u8, text: &str) -> bool {
    if text.is_empty() || text.len() > SCOPE_BYTES {
        return false;
    }
    // At most SCOPE_BYTES, so two bytes hold the length. A number, because what is written byte by byte takes long to be read whole.
    let head = (u32::from(tag) << 24) | (u32::from(kind) << 16) | (text.len() as u32 & 0xffff);
    encoded.0.append(&head.to_be_bytes());
    encoded.0.append(text.as_bytes());
    true
}

struct Part<'e> {
    tag: u8,
    encoded: &'e mut ScopeValue,
    steps: &'e Budget,
    found: bool,
}

impl Part<'_> {
    fn push(&mut self, kind: u8, text: &str) {
        self.found = push(self.encoded, self.tag, kind, text);
    }
}

impl Visitor for Part<'_> {
    fn leaf<V: View>(&mut self, leaf: Leaf<'_, V>) -> Result<ControlFlow<()>, Unreadable> {
        if let Leaf::Value(value, reading) = leaf {
            match value.kind()? {
                // What is too long cannot be one, whatever its readings are.
                Kind::String(text) if text.len() <= SCOPE_BYTES && !reading.has_two(&text, self.steps)? => {
                    self.push(b's', &text);
                }
                Kind::Number(number) => {
                    let mut text = String::new();
                    let _ = number.write_canonical(&mut text);
                    // Canonical text has a point exactly where the number is not an integer.
                    if !text.contains('.') {
                        self.push(b'n', &text);
                    }
                }
                _ => {}
            }
        }
        Ok(ControlFlow::Break(()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::call::{Beside, Target};

    fn encoded(scope: &Scope, identity: &Identity<'_, &Value>) -> Option<ScopeValue> {
        let mut value = ScopeValue::default();
        let beside = Beside::default();
        let facts = CallContext::<&Value, &Value>::new(Target::Tool("t"), None, identity, &beside);
        let found = scope.encode(&facts, &mut value).unwrap();
        found.then_some(value)
    }

    /// An id alone goes another way than claims, and counts by the same (spec 3.3).
    #[test]
    fn an_id_alone_is_the_claim_of_it() {
        let each = Scope::Each([identity_path("id"), identity_path("id")].into());
        let named = ["global", "grant", "session", "identity"].map(|name| Scope::named(name).unwrap());
        let long = ["x".repeat(42), "x".repeat(43), "x".repeat(SCOPE_BYTES), "x".repeat(SCOPE_BYTES + 1)];
        let mut found = Vec::new();
        for scope in named.into_iter().chain([Scope::agent(), each]) {
            for id in ["", "a", "7", "alice", "名"].into_iter().chain(long.iter().map(|id| &**id)) {
                let value = encoded(&scope, &Identity::Id(id));
                assert_eq!(value, encoded(&scope, &Identity::Claims(&json!({"id": id}))), "{scope} {id}");
                found.push(value.is_some_and(|value| !value.as_bytes().is_empty()));
            }
        }
        // None for all callers or a session alone; of the others, all but the empty id and the one that is too long.
        let by_id = [false, true, true, true, true, true, true, true, false];
        assert_eq!(found, [[false; 9], by_id, [false; 9], by_id, by_id, by_id].concat());
    }
}
