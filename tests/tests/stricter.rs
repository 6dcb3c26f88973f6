//! What is added to a policy, or stacked with it, never lets a call through that was stopped.

use callgate_tests::generate::Generator;
use callgate_tests::stricter::{
    Stopped, with_a_layer, with_an_addition, with_an_idle_layer, within_a_dispatcher,
};

/// Pairs of policies; `stricter` compares more.
const PAIRS: usize = 3_000;

fn nothing_passes(compared: fn(&mut Generator) -> Result<Stopped, String>) {
    let mut generator = Generator::new(3);
    let (mut pairs, mut before, mut added) = (0, 0, 0);
    while pairs < PAIRS {
        match compared(&mut generator) {
            Ok(stopped) => {
                pairs += usize::from(stopped.calls > 0);
                before += stopped.before;
                added += stopped.added;
            }
            Err(found) => panic!("an addition lets a call through\n{found}"),
        }
    }
    // Additions that say nothing would prove nothing.
    assert!(before > 5_000 && added > 500, "{before} stopped before, {added} by additions");
}

#[test]
fn an_addition_lets_nothing_through() {
    nothing_passes(with_an_addition);
}

#[test]
fn a_layer_lets_nothing_through() {
    nothing_passes(with_a_layer);
}

#[test]
fn a_dispatcher_lets_nothing_through() {
    nothing_passes(within_a_dispatcher);
}

/// A stack is decided as its policies are: one that says nothing changes nothing, and counters are the same.
#[test]
fn an_idle_layer_changes_nothing() {
    let mut generator = Generator::new(5);
    let mut calls = 0;
    for _ in 0..PAIRS {
        match with_an_idle_layer(&mut generator) {
            Ok(decided) => calls += decided,
            Err(found) => panic!("a layer that says nothing changes a decision\n{found}"),
        }
    }
    assert!(calls > 10_000, "only {calls} calls");
}
