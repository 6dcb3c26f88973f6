//! Whether a mistake of the reference would be noticed.

use callgate_reference::mistake::{self, ALL, Mistake};

use super::{Compared, compare};
use crate::generate::{GeneratedCase, Generator, Ways};

/// The first generated case, within so many calls, that is decided differently where the reference makes a mistake, and the number
/// of calls up to its end. The mistake is made until another one is.
pub fn noticed(of: Mistake, seed: u64, calls: u64) -> Option<(u64, GeneratedCase)> {
    let needed = ALL.iter().find(|(mistake, _)| *mistake == of).map_or("", |(_, needed)| needed);
    mistake::make(Some(of));
    let mut generator = Generator::new(seed);
    let mut done = 0;
    while done < calls {
        // However the engine is asked, it says the same.
        let case = GeneratedCase { ways: Ways::default(), ..generator.case() };
        done += case.steps.len() as u64;
        // Under another policy nothing would be noticed.
        let texts = case.steps.iter().filter_map(|step| step.reload.as_ref()).chain([&case.policy]);
        if texts.into_iter().any(|text| text.contains(needed))
            && matches!(compare(&case), Compared::Different { .. })
        {
            return Some((done, case));
        }
    }
    None
}
