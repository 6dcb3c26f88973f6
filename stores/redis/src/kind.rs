//! How a counter is kept: under which key, and what the scripts are told of its window (pure).
//!
//! In: a counter and a time. Out: its key, and numbers. The scripts must get the same kind for a counter everywhere.

use callgate::store::judge::live_millis;
use callgate::store::{Algorithm, Counter, ScopeValue};
use callgate::time::Timestamp;

use crate::key::Keys;

/// How a counter is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A key for each window, which it names.
    Fixed,
    /// A log of charges.
    Sliding,
    /// One key for the windows of a time zone, one after the other.
    Zoned,
}

/// An algorithm that this store does not know is kept as a log, which is exact.
pub(crate) fn kind(counter: &Counter) -> Kind {
    match counter.algorithm() {
        Algorithm::Fixed if counter.zone().is_some() => Kind::Zoned,
        Algorithm::Fixed => Kind::Fixed,
        _ => Kind::Sliding,
    }
}

/// The key of a counter, as of `at`.
pub(crate) fn push_counter(
    to: &mut Vec<u8>,
    keys: &Keys,
    counter: &Counter,
    scope: &ScopeValue,
    at: Timestamp,
) {
    match kind(counter) {
        Kind::Sliding => keys.push_sliding(to, counter.id(), scope),
        Kind::Zoned => keys.push_zoned(to, counter.id(), scope),
        Kind::Fixed => keys.push_fixed(to, counter.id(), scope, counter.window_at(at).0),
    }
}

/// What `lua/slot.lua` is told of a counter's window: its kind; the length of one that slides, and the quarters that its charges count
/// from; start and end of one that does not.
pub(crate) fn window(counter: &Counter, at: Timestamp) -> [i64; 3] {
    match kind(counter) {
        Kind::Sliding => {
            // At the beginning of time a charge counts from then, or from the end of the first quarter.
            let quarter = counter.charged_at(Timestamp::MIN);
            [1, live_millis(counter.window()), quarter.as_millis()]
        }
        kind => {
            let (start, end) = counter.window_at(at);
            [if kind == Kind::Zoned { 2 } else { 0 }, start.as_millis(), end.as_millis()]
        }
    }
}
