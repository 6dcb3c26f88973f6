//! Which policy may take the place of another when its file is read again (spec 1.8).
//!
//! In: a policy that loads, and the one in force. Out: the new one, or its marks of half a file as errors. Must not refuse
//! for any other warning: a later version may warn of more, and a reload must go on as before.

use super::{Policy, PolicyError};
use crate::diagnostic::{Diagnostic, MARKS, Severity};

impl Policy {
    /// This policy, if it may replace `in_force` at a reload: half a file, which may allow what the whole one denies, is
    /// known by warnings that the policy in force has not at the same place (spec 1.8). In a stack, a policy is compared with the one
    /// of its name.
    ///
    /// # Errors
    /// Those warnings, as errors among the other warnings.
    pub fn replacing(self, in_force: &Self) -> Result<Self, PolicyError> {
        let is_alone = self.layers().count() == 1 && in_force.layers().count() == 1;
        let (mut diagnostics, mut is_half) = (Vec::new(), false);
        for layer in self.layers() {
            // A policy that was renamed is the same if there is no other. Any other that comes new has nothing to go by.
            let before = in_force.layers().find(|before| is_alone || before.name() == layer.name());
            let known = before.map_or(&[][..], |before| before.warnings());
            // The place counts: a policy whose other entries are empty is cut off behind an entry's name no less than any.
            let is_new = |mark: &Diagnostic| {
                let has = |old: &Diagnostic| old.code() == mark.code() && old.pointer() == mark.pointer();
                MARKS.contains(&mark.code()) && !known.iter().any(has)
            };
            for warning in layer.warnings() {
                let mut warning = warning.clone();
                if is_new(&warning) {
                    is_half = true;
                    warning.severity = Severity::Error;
                    warning.message.push_str(
                        "; the policy in force has no such warning there, so this may be half a file",
                    );
                }
                diagnostics.push(warning);
            }
        }
        if is_half { Err(PolicyError::new(diagnostics)) } else { Ok(self) }
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
