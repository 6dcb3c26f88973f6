//! Which policy may take the place of another when its file is read again (spec 1.8).
//!
//! In: a policy that loads, and the one in force. Out: the new one, or its marks of half a file as errors. Must not refuse
//! for any other warning: a later version may warn of more, and a reload must go on as before.

use super::{Policy, PolicyError};
use crate::diagnostic::{Diagnostic, MARKS, Severity};

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

#[cfg(test)]
mod tests {
    use crate::Policy;

    /// However much else a file is warned of, and whether its author drops that or not, half of it does not replace the whole.
    #[test]
    fn other_warnings_hide_no_mark() {
        let noisy = "{deny_if: [{path: args.a, op: in, value: []}]}";
        for ignored in ["", "x-ignore: {empty_list: a template fills them}\n"] {
            let entries: String = (0..1_200).map(|n| format!("  t{n}: {noisy}\n")).collect();
            let whole =
                format!("version: \"1\"\ndefault: allow\n{ignored}tools:\n{entries}  pay: {{deny_if: []}}\n");
            let half = whole.replace(" {deny_if: []}\n", "\n");
            let (whole, half) = (Policy::from_yaml(&whole).unwrap(), Policy::from_yaml(&half).unwrap());
            assert!(half.warnings().len() <= 1_000);
            assert!(half.clone().replacing(&whole).is_err(), "{ignored}");
            assert!(whole.clone().replacing(&half).is_ok() && half.clone().replacing(&half).is_ok());
        }
    }
}
