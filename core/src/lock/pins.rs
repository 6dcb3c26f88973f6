//! Which definitions of one server were approved, as a guard asks.

use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::{Definition, Digest};

/// What becomes of a tool whose definition is not the approved one (spec L4, guards G13). A call of it is refused either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDrift {
    /// It is not listed.
    #[default]
    Hide,
    /// It is listed.
    Deny,
}

/// The approved definitions of one server, by their digests. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Pins(Arc<HashMap<String, Digest, RandomState>>);

impl Pins {
    /// Whether this is the definition that was approved under its name (spec L4.2). One that cannot be read is not.
    pub fn admits(&self, definition: &str) -> bool {
        Definition::read(definition)
            .is_ok_and(|definition| self.0.get(definition.name()) == Some(&definition.digest()))
    }

    /// Whether any definition was approved under this name.
    pub fn has(&self, tool: &str) -> bool {
        self.0.contains_key(tool)
    }
}

impl<'d> FromIterator<&'d Definition> for Pins {
    fn from_iter<T: IntoIterator<Item = &'d Definition>>(definitions: T) -> Self {
        let each = definitions.into_iter();
        Self(Arc::new(each.map(|one| (one.name().to_owned(), one.digest())).collect()))
    }
}
