//! Hosts' views of a value: one that does no more than it must, so that [`View`] answers whatever it can by itself; and one that
//! tells members at once, as hosts do whose values are costly to hand on.

use std::ops::ControlFlow;

use callgate::value::{Kind, Plain, Unreadable, View};
use callgate::{Decision, Policy};
use serde_json::Value;

/// A value as a host reads it, which may tell the whole numbers and texts of its members at once.
#[derive(Debug, Clone, Copy)]
pub struct HostValue<'v, const TELLS: bool>(pub &'v Value);

/// A value, read in the plainest way.
pub fn plain(value: &Value) -> HostValue<'_, false> {
    HostValue(value)
}

/// A value that tells members at once.
pub fn telling(value: &Value) -> HostValue<'_, true> {
    HostValue(value)
}

/// The text that no such view can read: hosts have values that cannot be read without running code.
pub const UNREADABLE: &str = "cannot be read";

impl<const TELLS: bool> View for HostValue<'_, TELLS> {
    fn kind(&self) -> Result<Kind<'_>, Unreadable> {
        match self.0.as_str() {
            Some(UNREADABLE) => Err(Unreadable::Host),
            _ => self.0.kind(),
        }
    }

    fn as_i64(&self) -> Option<i64> {
        self.0.as_i64().filter(|_| TELLS)
    }

    fn as_str(&self) -> Option<&str> {
        self.0.as_str().filter(|text| TELLS && *text != UNREADABLE)
    }

    fn plain_member(&self, name: &str) -> Option<Plain<'_>> {
        let member = self.0.as_object().filter(|_| TELLS)?.get(name)?;
        let text = member.as_str().filter(|text| *text != UNREADABLE);
        member.as_i64().map(Plain::Whole).or(text.map(Plain::Text))
    }

    fn member(&self, name: &str) -> Result<Option<Self>, Unreadable> {
        Ok(self.0.get(name).map(HostValue))
    }

    fn element(&self, index: usize) -> Result<Option<Self>, Unreadable> {
        Ok(self.0.get(index).map(HostValue))
    }

    fn size(&self) -> Result<usize, Unreadable> {
        View::size(&self.0)
    }

    fn elements(&self, mut each: impl FnMut(Self) -> ControlFlow<()>) -> Result<(), Unreadable> {
        View::elements(&self.0, |element| each(HostValue(element)))
    }

    fn members(&self, mut each: impl FnMut(&str, Self) -> ControlFlow<()>) -> Result<(), Unreadable> {
        View::members(&self.0, |name, member| each(name, HostValue(member)))
    }
}

/// What is told at once of a call with these arguments and such an identity is what was decided about it.
///
/// # Panics
/// If it is not.
pub fn told_is_so(
    policy: &Policy,
    tool: &str,
    args: &Value,
    identity: Option<&Value>,
    decision: &Decision<'_>,
) {
    if matches!(identity, None | Some(Value::String(_) | Value::Object(_)))
        && let Some(told) = policy.tool(tool).at_once(&telling(args))
    {
        assert_eq!(Some(told), decision.likeness(), "told at once of {tool} with {args}: {decision:?}");
    }
}
