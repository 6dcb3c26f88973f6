//! Hosts' views of a value: one that does no more than it must, so that [`View`] answers whatever it can by itself; and one that
//! answers whole numbers and texts without their kind.

use std::ops::ControlFlow;

use callgate::value::{Kind, Unreadable, View};
use serde_json::Value;

/// A value as a host reads it, which may answer [`View::as_i64`] and [`View::as_str`].
#[derive(Debug, Clone, Copy)]
pub struct HostValue<'v, const TELLS: bool>(pub &'v Value);

/// A value, read in the plainest way.
pub fn plain(value: &Value) -> HostValue<'_, false> {
    HostValue(value)
}

/// A value that answers whole numbers and texts without their kind.
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
