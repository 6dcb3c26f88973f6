//! A value that was read whole, for a decision on another thread.
//!
//! In: a view. Out: the same value on its own. What could not be read, or has no type, stays so in its place: it matters
//! only where a check meets it, as it would have in place (spec 3.4).

use std::borrow::Cow;
use std::ops::ControlFlow;

use callgate::ceilings::ARGUMENT_DEPTH;
use callgate::{Kind, Number, Unreadable, View};

/// A JSON-like value that owns all of itself.
pub(crate) enum Snapshot {
    Null,
    Bool(bool),
    Number(Number<'static>),
    String(String),
    Array(Vec<Snapshot>),
    Object(Vec<(String, Snapshot)>),
    Foreign,
    Unreadable(Unreadable),
}

impl Snapshot {
    /// Reads a value whole.
    pub(crate) fn of(value: &impl View) -> Self {
        Self::at(value, 0)
    }

    /// Recursion is bounded by the ceiling on depth.
    fn at(value: &impl View, depth: usize) -> Self {
        Self::read(value, depth).unwrap_or_else(Self::Unreadable)
    }

    fn read(value: &impl View, depth: usize) -> Result<Self, Unreadable> {
        if depth > ARGUMENT_DEPTH {
            return Err(Unreadable::TooDeep);
        }
        let deeper = depth.saturating_add(1);
        Ok(match value.kind()? {
            Kind::Null => Self::Null,
            Kind::Bool(value) => Self::Bool(value),
            Kind::Number(number) => Self::Number(number.into_owned()),
            Kind::String(text) => Self::String(text.into_owned()),
            Kind::Array => {
                let mut elements = Vec::new();
                value.elements(|element| {
                    elements.push(Self::at(&element, deeper));
                    ControlFlow::Continue(())
                })?;
                Self::Array(elements)
            }
            Kind::Object => {
                let mut members = Vec::new();
                value.members(|name, member| {
                    members.push((name.to_owned(), Self::at(&member, deeper)));
                    ControlFlow::Continue(())
                })?;
                Self::Object(members)
            }
            _ => Self::Foreign,
        })
    }
}

impl View for &Snapshot {
    fn kind(&self) -> Result<Kind<'_>, Unreadable> {
        Ok(match self {
            Snapshot::Null => Kind::Null,
            Snapshot::Bool(value) => Kind::Bool(*value),
            Snapshot::Number(number) => Kind::Number(number.clone()),
            Snapshot::String(text) => Kind::String(Cow::Borrowed(text)),
            Snapshot::Array(_) => Kind::Array,
            Snapshot::Object(_) => Kind::Object,
            Snapshot::Foreign => Kind::Foreign,
            Snapshot::Unreadable(why) => return Err(*why),
        })
    }

    fn member(&self, name: &str) -> Result<Option<Self>, Unreadable> {
        let Snapshot::Object(members) = self else { return Ok(None) };
        Ok(members.iter().find(|(own, _)| own == name).map(|(_, value)| value))
    }

    fn element(&self, index: usize) -> Result<Option<Self>, Unreadable> {
        let Snapshot::Array(elements) = self else { return Ok(None) };
        Ok(elements.get(index))
    }

    fn size(&self) -> Result<usize, Unreadable> {
        Ok(match self {
            Snapshot::Array(elements) => elements.len(),
            Snapshot::Object(members) => members.len(),
            _ => 0,
        })
    }

    fn elements(&self, each: impl FnMut(Self) -> ControlFlow<()>) -> Result<(), Unreadable> {
        if let Snapshot::Array(elements) = self {
            // Breaking is the caller's way to stop early, not a failure.
            let _ = elements.iter().try_for_each(each);
        }
        Ok(())
    }

    fn members(&self, mut each: impl FnMut(&str, Self) -> ControlFlow<()>) -> Result<(), Unreadable> {
        if let Snapshot::Object(members) = self {
            let _ = members.iter().try_for_each(|(name, value)| each(name, value));
        }
        Ok(())
    }
}
