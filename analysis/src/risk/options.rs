//! What an operator knows better than a definition says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::Class;

/// Which servers are trusted, and classes that somebody gave. Clauses R3.1 and R7.3.
#[derive(Clone, Debug, Default)]
pub struct Options {
    trusted: BTreeSet<String>,
    overrides: BTreeMap<(Option<String>, String), Override>,
}

/// A class that somebody gave a tool, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    pub(super) class: Class,
    pub(super) reason: String,
}

impl Override {
    /// # Errors
    ///
    /// A reason without a letter or a digit.
    pub fn new(class: Class, reason: impl Into<String>) -> Result<Self, OverrideError> {
        let reason = reason.into();
        if reason.contains(char::is_alphanumeric) {
            Ok(Self { class, reason })
        } else {
            Err(OverrideError::NoReason)
        }
    }

    /// An override by the class's name, as a file or another language has it.
    ///
    /// # Errors
    ///
    /// As [`Override::new`], or there is no class of this name.
    pub fn named(class: &str, reason: impl Into<String>) -> Result<Self, OverrideError> {
        Self::new(Class::from_name(class).ok_or(OverrideError::NoClass)?, reason)
    }
}

/// Why an override is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OverrideError {
    /// It has no reason.
    NoReason,
    /// It names no class.
    NoClass,
}

impl fmt::Display for OverrideError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NoReason => "an override needs a reason",
            Self::NoClass => {
                "an override needs a class: Read, Write, Execute, Destructive, Financial or Unknown"
            }
        })
    }
}

impl std::error::Error for OverrideError {}

impl Options {
    /// No server is trusted, and no class is given.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets descriptions and hints of this server lower a class, too.
    #[must_use]
    pub fn trust(mut self, server: impl Into<String>) -> Self {
        self.trusted.insert(server.into());
        self
    }

    /// Gives a tool of one server its class; of every server, if `server` is `None`. The one of a server wins.
    #[must_use]
    pub fn override_class(mut self, server: Option<&str>, tool: impl Into<String>, class: Override) -> Self {
        self.overrides.insert((server.map(str::to_owned), tool.into()), class);
        self
    }

    pub(super) fn trusts(&self, server: &str) -> bool {
        self.trusted.contains(server)
    }

    pub(super) fn class_of(&self, server: &str, tool: &str) -> Option<&Override> {
        if self.overrides.is_empty() {
            return None;
        }
        self.overrides
            .get(&(Some(server.to_owned()), tool.to_owned()))
            .or_else(|| self.overrides.get(&(None, tool.to_owned())))
    }
}
