//! Listing and resetting counters, for operators (spec 8.12).
//!
//! In: a time. Out: each counter that holds something. Must not block the server for long: it asks for a few hundred keys at a
//! time.

use std::collections::HashSet;

use callgate::store::{CounterId, Inspect, LiveCounter, ScopeValue, Transport as _};
use callgate::time::Timestamp;
use callgate::{Amount, StoreError};
use redis::Value;

use crate::declaration;
use crate::key::{Keys, Named, hex};
use crate::numbers::micros;
use crate::reply::{integer, items, mismatch, text, time};
use crate::request;
use crate::store::RedisStore;

/// What a key holds.
enum Found {
    Counter(Box<LiveCounter>),
    /// A window other than the current one.
    Ended,
    /// A counter without a declaration.
    Unknown,
}

impl Inspect for RedisStore {
    fn each(&self, now: Timestamp, show: &mut dyn FnMut(LiveCounter)) -> Result<(), StoreError> {
        let (scripts, connections) = (self.remote.protocol(), self.remote.transport());
        let mut cursor = b"0".to_vec();
        // A scan may find a key twice while the server resizes its table.
        let mut seen = HashSet::new();
        let mut unreadable = 0_i64;
        loop {
            let reply = connections.carry(request::list(&scripts.keys, &cursor, scripts.given(now)))?;
            let [next, now, unread, rows @ ..] = items(&reply).ok_or_else(mismatch)? else {
                return Err(mismatch());
            };
            let (now, unread) = time(now).zip(integer(unread)).ok_or_else(mismatch)?;
            unreadable = unreadable.saturating_add(unread);
            for row in rows {
                match found(&scripts.keys, row, now).unwrap_or(Found::Unknown) {
                    Found::Ended => {}
                    Found::Unknown => unreadable = unreadable.saturating_add(1),
                    Found::Counter(held) => {
                        if seen.insert((held.counter.id(), held.scope.clone())) {
                            show(*held);
                        }
                    }
                }
            }
            cursor = text(next).ok_or_else(mismatch)?.to_owned();
            if cursor == b"0" {
                break;
            }
        }
        if unreadable > 0 {
            return Err(StoreError::permanent(passed_over(unreadable)));
        }
        Ok(())
    }

    fn reset(&self, counter: CounterId, scope: &ScopeValue, now: Timestamp) -> Result<bool, StoreError> {
        let (scripts, connections) = (self.remote.protocol(), self.remote.transport());
        let given = scripts.given(now);
        let reply = connections.carry(request::declared(&scripts.keys, counter, given))?;
        let Some([at, declared]) = items(&reply) else { return Err(mismatch()) };
        let (at, declared) = time(at).zip(text(declared)).ok_or_else(mismatch)?;
        // A counter without a declaration was never charged.
        let Some(counter) = declaration::read(declared).filter(|declared| declared.id() == counter) else {
            return if declared.is_empty() { Ok(false) } else { Err(mismatch()) };
        };
        let reply = connections.carry(request::reset(&scripts.keys, &counter, scope, given, at))?;
        integer(&reply).map(|held| held != 0).ok_or_else(mismatch)
    }
}

/// `None` for what this version cannot read.
fn found(keys: &Keys, row: &Value, now: Timestamp) -> Option<Found> {
    let [key, resets_at, hi, lo, declared] = items(row)? else { return None };
    let Named { id, start, scope } = keys.parse(text(key)?)?;
    let Some(counter) = declaration::read(text(declared)?).filter(|counter| hex(counter.id()) == *id) else {
        return Some(Found::Unknown);
    };
    let resets_at = match start {
        Some(start) => counter.window_at(start).1,
        None => time(resets_at)?,
    };
    if start.is_some_and(|start| now < start) || now >= resets_at && resets_at < Timestamp::MAX {
        return Some(Found::Ended);
    }
    let used = Amount::from_micros(micros(integer(hi)?, integer(lo)?)?)?;
    Some(Found::Counter(Box::new(LiveCounter { counter, scope, used, resets_at })))
}

/// What to say of keys that are no counters.
fn passed_over(keys: i64) -> String {
    let (keys, were, they) =
        if keys == 1 { ("1 key".to_owned(), "was", "it") } else { (format!("{keys} keys"), "were", "them") };
    format!(
        "{keys} of this namespace cannot be read as a counter and {were} passed over: something else wrote to {they} or deleted the declaration, or the user may not read {they}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_is_one() {
        assert!(passed_over(1).starts_with("1 key of this namespace cannot be read as a counter and was "));
        assert!(passed_over(2).starts_with("2 keys of this namespace cannot be read as a counter and were "));
    }
}
