//! What is added to a policy never lets a call through that was stopped.

use callgate_tests::generate::Generator;
use callgate_tests::stricter::with_an_addition;

/// Pairs of policies; `stricter` compares more.
const PAIRS: usize = 3_000;

#[test]
fn an_addition_lets_nothing_through() {
    let mut generator = Generator::new(3);
    let (mut pairs, mut before, mut added) = (0, 0, 0);
    while pairs < PAIRS {
        match with_an_addition(&mut generator) {
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
