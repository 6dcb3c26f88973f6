//! Who calls, read from JSON text.

use callgate::Identity;
use callgate::value::{Kind, RawError, RawJson, RawView, View};

/// An identity that owns what it is read from.
pub enum Caller<'t> {
    /// Nobody is known.
    Nobody,
    /// A string.
    Id(String),
    /// Any other value; what it is worth is core's to say.
    Claims(Box<RawJson<'t>>),
}

impl<'t> Caller<'t> {
    /// Reads an identity; no text is nobody.
    pub fn read(text: Option<&'t str>) -> Result<Self, RawError> {
        let Some(text) = text else { return Ok(Self::Nobody) };
        let raw = RawJson::parse(text)?;
        let id = match raw.root().kind() {
            Ok(Kind::String(id)) => Some(id.into_owned()),
            _ => None,
        };
        Ok(id.map_or_else(|| Self::Claims(Box::new(raw)), Self::Id))
    }

    /// The identity, for core.
    pub fn identity(&self) -> Identity<'_, RawView<'_>> {
        match self {
            Self::Nobody => Identity::Absent,
            Self::Id(id) => Identity::Id(id),
            Self::Claims(claims) => Identity::claims(claims.root()),
        }
    }
}
