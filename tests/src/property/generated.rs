//! The engine against the reference interpreter, on cases that a fuzzer chooses.

use crate::differ::{Compared, compare, minimise, written};
use crate::generate::Generator;

/// A case that these choices make is decided alike by both.
pub fn the_reference_decides_alike(choices: &[u8]) {
    let case = Generator::from_bytes(choices).case();
    match compare(&case) {
        Compared::Same(_) => {}
        // No host could have such a schema.
        Compared::Skipped(why) if why.starts_with("a host cannot read the schema") => {}
        Compared::Skipped(why) => panic!("{why}\n{}", case.policy),
        Compared::Different { .. } => panic!("{}", written(&minimise(&case), "found by fuzzing")),
    }
}
