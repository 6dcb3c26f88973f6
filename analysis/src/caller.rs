//! Who calls, read from JSON text.

use callgate::Identity;
use callgate::value::{Kind, RawError, RawJson, RawView, View as _};

/// An identity that owns what it is read from.
#[derive(Debug)]
pub enum Caller<'t> {
    /// Nobody is known.
    Nobody,
    /// A string.
    Id(String),
    /// Any other value; what it is worth is core's to say.
    Claims(Box<RawJson<'t>>),
}

impl<'t> Caller<'t> {
    /// Reads an identity; no text is nobody. As strict as arguments are: a key that stands twice could be two identities.
    ///
    /// # Errors
    /// The text is not JSON that could be arguments (spec 3.5).
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
