//! Whether the user may run what the scripts run, on the keys that they run it on (pure).
//!
//! In: a namespace. Out: a question that changes nothing, and what its answer says. Redis does not roll a script back when it
//! meets a command that the user may not run, so a missing permission would leave a counter half charged.

use callgate::StoreError;
use redis::Value;

use crate::failure::{After, Failure};
use crate::key::Keys;
use crate::reply::{integer, items, mismatch};
use crate::request::{self, Request};

/// Which key a command is tried on, counted from 1: a fixed window, a sliding one, an approval, the declarations, filed calls,
/// a window of a time zone; or 0 for none.
/// The command has its name, then what follows the key.
///
/// Each does nothing, or fails by its arguments; permissions are checked before those. A command that would change the
/// declarations must not be tried on them.
const TRIED: [(i64, &str); 28] = [
    (0, "TIME"),
    (1, "GET"),
    (1, "SET 1 XX KEEPTTL"),
    (1, "INCRBY x"),
    (1, "DECRBY x"),
    (1, "PTTL"),
    (1, "DEL"),
    (2, "ZRANGE -2 -1"),
    (2, "ZRANGEBYSCORE -inf 0"),
    (2, "ZCARD"),
    (2, "ZADD XX 0 x"),
    (2, "ZREM x"),
    (2, "ZREMRANGEBYSCORE -inf 0"),
    (2, "PEXPIRE 1"),
    (2, "DEL"),
    (3, "GET"),
    (3, "SET 1 XX"),
    (4, "HGET time"),
    (4, "HSET x x x"),
    (4, "PEXPIRE x"),
    (5, "HGET x"),
    (5, "HGETALL"),
    (5, "HEXISTS x"),
    (5, "HSET x x x"),
    (5, "HDEL x"),
    (5, "PEXPIRE 1"),
    (6, "GET"),
    (6, "SET 1 XX KEEPTTL"),
];

/// The question.
pub(crate) fn request(keys: &Keys) -> Request {
    request::permissions(keys, &TRIED)
}

/// What the answer says: an error that names the commands which may not be run.
pub(crate) fn check(reply: &Value) -> Result<(), Failure> {
    let refused = items(reply).ok_or_else(misunderstood)?;
    let mut names: Vec<&str> = Vec::new();
    for number in refused {
        let index = integer(number).and_then(|number| usize::try_from(number.checked_sub(1)?).ok());
        let (_, command) = index.and_then(|index| TRIED.get(index)).ok_or_else(misunderstood)?;
        let name = command.split(' ').next().unwrap_or_default();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        return Ok(());
    }
    let error = StoreError::permanent(format!(
        "the Redis user may not run on the keys of this namespace what counters need ({}): see the README of callgate-redis for its permissions",
        names.join(", ")
    ));
    Err(Failure { error, after: After::Keep })
}

fn misunderstood() -> Failure {
    Failure { error: mismatch(), after: After::Reopen }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_not_be_run_is_named_once() {
        let told = |numbers: &[i64]| {
            let reply = Value::Array(numbers.iter().copied().map(Value::Int).collect());
            check(&reply).map_err(|failure| failure.error.to_string())
        };
        assert_eq!(told(&[]), Ok(()));
        let error = told(&[3, 17, 20]).unwrap_err();
        assert!(error.contains("(SET, PEXPIRE)"), "{error}");
        for nonsense in [&[0][..], &[29], &[-1], &[1, i64::MIN]] {
            assert!(told(nonsense).unwrap_err().contains("does not fit"), "{nonsense:?}");
        }
        assert!(check(&Value::Nil).is_err());
    }
}
