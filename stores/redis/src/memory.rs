//! Whether a server may evict counters (pure).
//!
//! In: what it says about its memory. Out: an error if it may: an evicted counter would begin anew (trap 28).

use callgate::StoreError;

/// The command that [`check`] reads.
pub(crate) fn command() -> redis::Cmd {
    let mut command = redis::cmd("INFO");
    command.arg("memory");
    command
}

/// An error unless the server keeps what it has: it evicts nothing, or its memory has no ceiling.
pub(crate) fn check(info: &str) -> Result<(), StoreError> {
    let field = |name: &str| {
        info.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    };
    match (field("maxmemory"), field("maxmemory_policy")) {
        (Some("0"), _) | (_, Some("noeviction")) => Ok(()),
        (_, Some(_)) => Err(StoreError::permanent(
            "the Redis server evicts keys when its memory is full, and with them counters that are live: set its `maxmemory-policy` to `noeviction`",
        )),
        (_, None) => Err(StoreError::permanent(
            "the Redis server does not tell whether it evicts keys: `INFO memory` lacks `maxmemory_policy`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_that_keeps_everything_will_do() {
        let info = |max, policy| {
            format!("# Memory\r\nused_memory:1\r\nmaxmemory:{max}\r\nmaxmemory_policy:{policy}\r\n")
        };
        for good in [info(0, "allkeys-lru"), info(5, "noeviction"), "maxmemory_policy:noeviction".to_owned()]
        {
            assert_eq!(check(&good), Ok(()));
        }
        let evicting =
            ["allkeys-lru", "volatile-ttl", "volatile-lru", "something-new"].map(|policy| info(5, policy));
        for bad in evicting.iter().map(String::as_str).chain(["", "maxmemory:5", "maxmemory_human:0B"]) {
            assert!(check(bad).is_err_and(|error| !error.is_transient()), "{bad}");
        }
    }
}
