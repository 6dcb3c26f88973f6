//! The error of a policy that does not load: all its diagnostics at once.

use std::fmt;

use crate::diagnostic::{Diagnostic, Severity};

/// A policy that does not load, or may not replace another, with every reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyError {
    diagnostics: Box<[Diagnostic]>,
}

impl PolicyError {
    pub(crate) fn new(diagnostics: Vec<Diagnostic>) -> Self {
        Self { diagnostics: diagnostics.into() }
    }

    /// Errors and warnings, in document order; at least one error.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }
}

/// One diagnostic a paragraph, errors only: `3:5: error[unknown_field]: …`.
impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors = self.diagnostics.iter().filter(|diagnostic| diagnostic.severity() == Severity::Error);
        for (index, diagnostic) in errors.enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for PolicyError {}
