//! A host's view of a value that does no more than it must: whatever [`View`] can answer by itself, it lets it answer.

use std::ops::ControlFlow;

use callgate::{Kind, Unreadable, View};
use serde_json::Value;

/// A value, read in the plainest way.
#[derive(Debug, Clone, Copy)]
pub struct Plain<'v>(pub &'v Value);

/// The text that no such view can read: hosts have values that cannot be read without running code.
pub const UNREADABLE: &str = "cannot be read";

impl View for Plain<'_> {
    fn kind(&self) -> Result<Kind<'_>, Unreadable> {
        match self.0.as_str() {
            Some(UNREADABLE) => Err(Unreadable::Host),
            _ => self.0.kind(),
        }
    }

    fn member(&self, name: &str) -> Result<Option<Self>, Unreadable> {
        Ok(self.0.get(name).map(Plain))
    }

    fn element(&self, index: usize) -> Result<Option<Self>, Unreadable> {
        Ok(self.0.get(index).map(Plain))
    }

    fn size(&self) -> Result<usize, Unreadable> {
        View::size(&self.0)
    }

    fn elements(&self, mut each: impl FnMut(Self) -> ControlFlow<()>) -> Result<(), Unreadable> {
        View::elements(&self.0, |element| each(Plain(element)))
    }

    fn members(&self, mut each: impl FnMut(&str, Self) -> ControlFlow<()>) -> Result<(), Unreadable> {
        View::members(&self.0, |name, member| each(name, Plain(member)))
    }
}
