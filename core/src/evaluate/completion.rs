//! A completion as a request of what it completes (spec 3.10).
//!
//! In: the params of `completion/complete`. Out: the method that its `ref` stands for, and the params of that. Must not copy a value.

use std::ops::ControlFlow;

use crate::budget::Budget;
use crate::view::{Access, Kind, Reached, Unreadable, View};

/// The params of the other method: an object of members of the completion's, or one of these.
pub(super) enum Completed<'c, A> {
    Params { params: &'c A, key: &'static str },
    Value(A),
}

impl<'c, A: View> Completed<'c, A> {
    /// The method, and its params; `None` for a `ref` that is neither that of a prompt nor that of a resource, and
    /// for a `context` of a prompt that is no object.
    pub(super) fn of(params: &'c A, steps: &Budget) -> Result<Option<(&'static str, Self)>, Unreadable> {
        steps.take_look_up(params)?;
        let Reached::Value(reference) = params.step("ref")? else { return Ok(None) };
        steps.take_look_up(&reference)?;
        let Reached::Value(kind) = reference.step("type")? else { return Ok(None) };
        steps.take_value(&kind)?;
        let (method, key) = match kind.kind()? {
            Kind::String(text) if text == "ref/prompt" => ("prompts/get", "name"),
            Kind::String(text) if text == "ref/resource" => ("resources/read", "uri"),
            _ => return Ok(None),
        };
        steps.take_look_up(&reference)?;
        let Reached::Value(named) = reference.step(key)? else { return Ok(None) };
        steps.take_value(&named)?;
        let is_text = matches!(named.kind()?, Kind::String(_));
        // What a prompt was given so far must be readable.
        let context = if key == "name" { params.step("context")? } else { Reached::Absent };
        if let Reached::Value(context) = context {
            steps.take_value(&context)?;
            if !matches!(context.kind()?, Kind::Object | Kind::Null) {
                return Ok(None);
            }
        }
        Ok(is_text.then_some((method, Self::Params { params, key })))
    }
}

/// The member of a member, where both are objects.
fn within<A: View>(params: &A, outer: &str, name: &str) -> Result<Option<A>, Unreadable> {
    Ok(match params.step(outer)? {
        Reached::Value(value) => match value.step(name)? {
            Reached::Value(value) => Some(value),
            Reached::Absent | Reached::WrongType => None,
        },
        Reached::Absent | Reached::WrongType => None,
    })
}

/// The member of `params` that is called so in the other request.
fn member<A: View>(params: &A, key: &str, name: &str) -> Result<Option<A>, Unreadable> {
    match name {
        _ if name == key => within(params, "ref", key),
        // Those that a prompt was given so far. A resource has none.
        "arguments" if key == "name" => within(params, "context", "arguments"),
        _ => Ok(None),
    }
}

impl<A: View> View for Completed<'_, A> {
    fn kind(&self) -> Result<Kind<'_>, Unreadable> {
        match self {
            Self::Params { .. } => Ok(Kind::Object),
            Self::Value(value) => value.kind(),
        }
    }

    fn member(&self, name: &str) -> Result<Option<Self>, Unreadable> {
        let member = match self {
            Self::Params { params, key } => member(*params, key, name)?,
            Self::Value(value) => value.member(name)?,
        };
        Ok(member.map(Self::Value))
    }

    fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Params { .. } => None,
            Self::Value(value) => value.as_i64(),
        }
    }

    fn as_str(&self) -> Option<&str> {
        match self {
            Self::Params { .. } => None,
            Self::Value(value) => value.as_str(),
        }
    }

    fn step(&self, name: &str) -> Result<Reached<Self>, Unreadable> {
        Ok(match self {
            Self::Params { params, key } => member(*params, key, name)?
                .map_or(Reached::Absent, |value| Reached::Value(Self::Value(value))),
            Self::Value(value) => match value.step(name)? {
                Reached::Value(value) => Reached::Value(Self::Value(value)),
                Reached::Absent => Reached::Absent,
                Reached::WrongType => Reached::WrongType,
            },
        })
    }

    fn element(&self, index: usize) -> Result<Option<Self>, Unreadable> {
        match self {
            Self::Params { .. } => Ok(None),
            Self::Value(value) => Ok(value.element(index)?.map(Self::Value)),
        }
    }

    fn cost(&self, access: Access) -> u64 {
        match self {
            // Two look-ups for one.
            Self::Params { params, .. } => params.cost(access).saturating_mul(2),
            Self::Value(value) => value.cost(access),
        }
    }

    fn size(&self) -> Result<usize, Unreadable> {
        match self {
            Self::Params { params, key } => {
                Ok(1_usize.saturating_add(member(*params, key, "arguments")?.map_or(0, |_| 1)))
            }
            Self::Value(value) => value.size(),
        }
    }

    fn elements(&self, mut each: impl FnMut(Self) -> ControlFlow<()>) -> Result<(), Unreadable> {
        match self {
            Self::Params { .. } => Ok(()),
            Self::Value(value) => value.elements(|element| each(Self::Value(element))),
        }
    }

    fn members(&self, mut each: impl FnMut(&str, Self) -> ControlFlow<()>) -> Result<(), Unreadable> {
        match self {
            Self::Params { params, key } => {
                for name in ["arguments", *key] {
                    if let Some(value) = member(*params, key, name)?
                        && each(name, Self::Value(value)).is_break()
                    {
                        break;
                    }
                }
                Ok(())
            }
            Self::Value(value) => value.members(|name, member| each(name, Self::Value(member))),
        }
    }
}
