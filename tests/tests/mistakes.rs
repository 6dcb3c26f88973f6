//! The comparison with the reference notices each mistake that the reference can be told to make.

use callgate_reference::mistake::{self, ALL};
use callgate_tests::differ::noticed;

/// Calls within which a mistake is noticed.
const CALLS: u64 = 200_000;
/// The seed of the generated calls.
const SEED: u64 = 5;

#[test]
fn every_mistake_is_noticed() {
    let mut left = Vec::new();
    for (mistake, _) in ALL {
        match noticed(mistake, SEED, CALLS) {
            Some((calls, _)) => println!("{mistake:?}: {calls} calls"),
            None => left.push(mistake),
        }
    }
    mistake::make(None);
    assert!(left.is_empty(), "not noticed in {CALLS} calls: {left:?}");
}
