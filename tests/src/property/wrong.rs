//! Long policies that are wrong in one way everywhere say so, and no more than fits (spec 12).

use callgate::ceilings::DIAGNOSTICS;
use callgate::{Format, Policy};

use super::diagnostics;
use crate::wrong;

/// Bytes of the policies that are made of an entry.
const BYTES: usize = 48 << 10;

/// A policy of as many of these entries as fit loads, or every diagnostic has its place; and longer policies have no more to say of
/// their first entries.
pub fn long_wrong_policies_say_where(entry: &str) {
    let most = (BYTES / (entry.len() + 16)).clamp(1, 2 * DIAGNOSTICS);
    let [few, many] = [most.div_ceil(4), most].map(|count| {
        let text = wrong::policy(entry, count);
        let found = match Policy::from_text(&text, Format::Json) {
            Ok(policy) => {
                diagnostics::check_warnings(&text, policy.warnings());
                policy.warnings().to_vec()
            }
            Err(error) => {
                diagnostics::check_errors(&text, error.diagnostics());
                error.diagnostics().to_vec()
            }
        };
        assert!(found.len() <= DIAGNOSTICS, "{} diagnostics", found.len());
        found
    });
    assert!(
        few.len() <= many.len(),
        "{} diagnostics, of four times as many entries {}",
        few.len(),
        many.len()
    );
}
