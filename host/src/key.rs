//! The key of a counter: one text for a counter and a scope value, in every process and language.
//!
//! In: a counter that a store listed. Out: a key, and from a key the counter again. Must not take part of a key for a whole one.

use callgate::__binding::counter_id;
use callgate::store::{CounterId, LiveCounter, ScopeValue};

/// Hexadecimal digits of a counter's id.
const ID_DIGITS: usize = 32;

/// The key of a counter and its scope value.
pub fn counter_key(LiveCounter { counter, scope, .. }: &LiveCounter) -> String {
    let id = counter.id();
    id.as_bytes().iter().chain(scope.as_bytes()).map(|byte| format!("{byte:02x}")).collect()
}

/// The counter and the scope value that a key names; none where it is no key.
pub fn counter_of_key(key: &str) -> Option<(CounterId, ScopeValue)> {
    let (id, scope) = key.split_at_checked(ID_DIGITS)?;
    let id = <[u8; ID_DIGITS / 2]>::try_from(bytes(id)?).ok()?;
    Some((counter_id(id), ScopeValue::from(&*bytes(scope)?)))
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<_>> = hex.chars().map(|digit| digit.to_digit(16)).collect();
    digits?
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from((high << 4) | low).ok(),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use callgate::Amount;
    use callgate::store::{Algorithm, Counter, Owner, Window};
    use callgate::time::Timestamp;

    use super::*;

    #[test]
    fn a_key_names_its_counter_again() {
        let counter = Counter::new(Owner::AllTools, "n", Window::Day, Algorithm::Fixed, "grant");
        for scope in [&b""[..], b"alice", b"\0\xff"] {
            let scope = ScopeValue::from(scope);
            let (used, resets_at) = (Amount::ZERO, Timestamp::MIN);
            let key =
                counter_key(&LiveCounter { counter: counter.clone(), scope: scope.clone(), used, resets_at });
            assert_eq!(counter_of_key(&key), Some((counter.id(), scope)));
            for wrong in [
                String::new(),
                key.chars().skip(1).collect(),
                key.chars().take(31).collect(),
                format!("{key}0"),
                format!("{key}0g"),
            ] {
                assert_eq!(counter_of_key(&wrong), None, "{wrong}");
            }
        }
    }
}
