//! A tool's definition in its canonical form, with digests of the whole and of each field (spec L1).

use std::fmt;

use crate::budget::Budget;
use crate::canonical::{canonical, canonical_without, sha256};
use crate::json_text::hex;
use crate::raw::{RawError, RawJson};
use crate::view::{Kind, View as _};

/// A part of a definition that has a digest of its own (spec L1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// `annotations`
    Annotations,
    /// `description`
    Description,
    /// `inputSchema`
    InputSchema,
    /// All members but the name and those that have a digest of their own, as one object.
    Other,
    /// `outputSchema`
    OutputSchema,
    /// `title`
    Title,
}

impl Field {
    /// All of them, in the order of their names.
    pub const ALL: [Self; 6] = [
        Self::Annotations,
        Self::Description,
        Self::InputSchema,
        Self::Other,
        Self::OutputSchema,
        Self::Title,
    ];

    /// Its name in a lock. That of [`Field::Other`] is `other`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Annotations => "annotations",
            Self::Description => "description",
            Self::InputSchema => "inputSchema",
            Self::Other => "other",
            Self::OutputSchema => "outputSchema",
            Self::Title => "title",
        }
    }

    /// The field of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }
}

/// The SHA-256 of a canonical text; shown as `sha256:` and 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub(super) [u8; 32]);

impl Digest {
    fn of(canonical: &str) -> Self {
        Self(sha256(canonical.as_bytes()))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", hex(&self.0))
    }
}

/// Why a text is no definition of a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DefinitionError {
    /// It is not JSON as spec 3.5 wants it: it is broken, too deep or too long, or has a member twice.
    #[error("{0}")]
    Json(RawError),
    /// It is no object.
    #[error("a definition is an object")]
    NoObject,
    /// It has no name, or one that is no string.
    #[error("a definition has a name, a string")]
    NoName,
    /// It has no canonical form of at most [4 MiB](crate::ceilings::ARGUMENT_BYTES).
    #[error("its canonical form is too long")]
    TooLong,
}

/// A tool's definition, by what it means: the order of its members and the spelling of its numbers are gone (spec L1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    name: String,
    canonical: String,
    digest: Digest,
    fields: [Option<Digest>; Field::ALL.len()],
}

impl Definition {
    /// Reads a definition as `tools/list` gives it.
    ///
    /// # Errors
    /// It can be read in two ways, or is no definition.
    pub fn read(text: &str) -> Result<Self, DefinitionError> {
        let raw = RawJson::parse(text).map_err(DefinitionError::Json)?;
        let root = raw.root();
        if !matches!(root.kind(), Ok(Kind::Object)) {
            return Err(DefinitionError::NoObject);
        }
        let member = |name: &str| root.member(name).ok().flatten();
        let name = match member("name").as_ref().map(|name| name.kind()) {
            Some(Ok(Kind::String(name))) => name.into_owned(),
            _ => return Err(DefinitionError::NoName),
        };
        let whole = canonical(&root, &Budget::without_end()).map_err(|_| DefinitionError::TooLong)?;
        let own = Field::ALL.iter().filter(|field| **field != Field::Other).map(|field| vec![field.name()]);
        let without: Vec<Vec<&str>> = own.chain([vec!["name"]]).collect();
        let mut fields = [None; Field::ALL.len()];
        for (digest, field) in fields.iter_mut().zip(Field::ALL) {
            let text = match field {
                Field::Other => canonical_without(&root, &without, &Budget::without_end()).map(Some),
                field => {
                    member(field.name()).map(|value| canonical(&value, &Budget::without_end())).transpose()
                }
            };
            let text = text.map_err(|_| DefinitionError::TooLong)?;
            let is_there = |text: &String| field != Field::Other || text != "{}";
            *digest = text.filter(is_there).map(|text| Digest::of(&text));
        }
        Ok(Self { name, digest: Digest::of(&whole), canonical: whole, fields })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All of it as canonical JSON (spec 10.7).
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The digest of all of it.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The digest of a field; `None` where it is absent. A null is there.
    pub fn field(&self, field: Field) -> Option<Digest> {
        let index = Field::ALL.iter().position(|one| *one == field)?;
        self.fields.get(index).copied().flatten()
    }

    /// Whether another one is the same but for its name (spec L3.4).
    pub fn is_alike(&self, other: &Self) -> bool {
        self.fields == other.fields
    }
}
