//! Which policy may take the place of another when its file is read again (spec 1.8).
//!
//! In: a policy that loads, and the one in force. Out: the new one, or its marks of half a file as errors. Must not refuse
//! for any other warning: a later version may warn of more, and a reload must go on as before.

use super::{Policy, PolicyError};
use crate::diagnostic::{Diagnostic, Severity};

/// Warnings that a file has which is being written, or was cut off.
const MARKS: [&str; 4] = ["missing_version", "missing_default", "null_entry", "null_rules"];

impl Policy {
    /// This policy, if it may replace `in_force` at a reload: half a file, which may allow what the whole one denies, is
    /// known by warnings that the policy in force has not at the same place (spec 1.8).
    ///
    /// # Errors
    /// Those warnings, as errors among the other warnings.
    pub fn replacing(self, in_force: &Self) -> Result<Self, PolicyError> {
        // The place counts: a policy whose other entries are empty is cut off behind an entry's name no less than any.
        let is_new = |mark: &Diagnostic| {
            let has = |old: &Diagnostic| old.code() == mark.code() && old.pointer() == mark.pointer();
            MARKS.contains(&mark.code()) && !in_force.warnings().iter().any(has)
        };
        if !self.warnings().iter().any(is_new) {
            return Ok(self);
        }
        let mut diagnostics = self.warnings().to_vec();
        for mark in diagnostics.iter_mut().filter(|warning| is_new(warning)) {
            mark.severity = Severity::Error;
            mark.message
                .push_str("; the policy in force has no such warning there, so this may be half a file");
        }
        Err(PolicyError::new(diagnostics))
    }
}
