//! What went wrong between here and the server, and what may be done about it (pure).
//!
//! In: an error of the client library. Out: the next step, or a [`StoreError`] that says what to do. Must never repeat the
//! text of the library or the server: it may name users, hosts and keys (trap 34).

use std::error::Error;
use std::io;
use std::sync::Arc;

use callgate::StoreError;
use redis::{ErrorKind, RedisError, ServerErrorKind};

/// How often one command may be sent before its call fails: a node that moved, a script to be loaded there, and again.
pub(crate) const SENDS: usize = 5;

/// What to do after a command failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// The server did not run it: it does not know the script yet.
    Load,
    /// The server did not run it: another one has the keys.
    Follow(Node),
    /// Without an answer. The server may have acted upon it, so it is not sent again.
    Fail(Failure),
}

/// Another node of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// `None`: the host that said so.
    pub(crate) host: Option<String>,
    pub(crate) port: u16,
    /// Only for this command: the keys are on their way there.
    pub(crate) asking: bool,
}

/// An error, and what happens to the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) error: StoreError,
    pub(crate) after: After,
}

/// What happens to a connection on which a command failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// It is used again.
    Keep,
    /// It is closed, so that the server is examined before the next call.
    Reopen,
    /// It is closed with all others, which have likely broken, too.
    ReopenAll,
}

impl Failure {
    fn transient(message: &'static str, after: After) -> Self {
        Self { error: StoreError::transient(message), after }
    }

    fn permanent(message: &'static str, after: After) -> Self {
        Self { error: StoreError::permanent(message), after }
    }

    /// The same, where the server did not run the command.
    pub(crate) fn undone(self) -> Self {
        Self { error: self.error.certainly_undone(), ..self }
    }
}

/// What to do after a command failed with `error`.
pub(crate) fn next(error: &RedisError) -> Next {
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::NoScript) => Next::Load,
        ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::Ask) => match redirection(error) {
            Some(node) => Next::Follow(node),
            None => Next::Fail(of(error)),
        },
        _ => Next::Fail(of(error)),
    }
}

fn redirection(error: &RedisError) -> Option<Node> {
    let (address, _) = error.redirect_node()?;
    let (host, port) = address.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Some(Node {
        host: (!host.is_empty()).then(|| host.to_owned()),
        port: port.parse().ok()?,
        asking: error.kind() == ErrorKind::Server(ServerErrorKind::Ask),
    })
}

/// Whether the user may not run the command, or use its keys.
pub(crate) fn is_permission_missing(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm)
}

/// The error, in fixed text.
pub(crate) fn of(error: &RedisError) -> Failure {
    match error.kind() {
        ErrorKind::Io => of_io(error),
        ErrorKind::AuthenticationFailed => unauthorized(),
        // The only error of its code that says nothing of the command. The server closes the connection with it.
        ErrorKind::Server(ServerErrorKind::ResponseError)
            if error.detail().is_some_and(|detail| detail.starts_with("max number of clients")) =>
        {
            Failure::transient("the Redis server has too many clients: raise `maxclients`", After::ReopenAll)
                .undone()
        }
        ErrorKind::Server(kind) => of_server(kind),
        // A script is refused as a whole for the first four: at its first write, or before it.
        ErrorKind::Extension => match error.code() {
            Some("OOM") => {
                Failure::transient("the Redis server is out of memory: raise `maxmemory`", After::Keep)
                    .undone()
            }
            Some("MISCONF") => Failure::transient(
                "the Redis server refuses writes because it cannot save to disk",
                After::Keep,
            )
            .undone(),
            Some("NOREPLICAS") => Failure::transient(
                "the Redis server refuses writes because it has too few replicas",
                After::Keep,
            )
            .undone(),
            Some("BUSY") => {
                Failure::transient("the Redis server is busy with a script of somebody else's", After::Keep)
                    .undone()
            }
            Some("NOAUTH" | "WRONGPASS") => unauthorized(),
            Some("WRONGTYPE") => foreign(),
            _ => Failure::permanent(
                "the Redis server refused the command with an error of a kind that is not known",
                After::Keep,
            ),
        },
        ErrorKind::InvalidClientConfig => Failure::permanent(
            "the Redis connection is not configured right: check the URL and the certificates",
            After::Reopen,
        ),
        // What cannot be read leaves the connection in an unknown state.
        _ => Failure {
            error: StoreError::transient("the Redis server gave a reply that cannot be read"),
            after: After::ReopenAll,
        },
    }
}

fn of_server(kind: ServerErrorKind) -> Failure {
    match kind {
        ServerErrorKind::BusyLoading => {
            Failure::transient("the Redis server is still loading its data", After::Keep).undone()
        }
        ServerErrorKind::TryAgain => {
            Failure::transient("the Redis cluster is moving the counters to another node", After::Keep)
                .undone()
        }
        // The connection leads to the wrong node.
        ServerErrorKind::ReadOnly => Failure::transient(
            "the Redis server is a replica, or became one: name the master in the URL",
            After::ReopenAll,
        )
        .undone(),
        ServerErrorKind::ClusterDown
        | ServerErrorKind::MasterDown
        | ServerErrorKind::Moved
        | ServerErrorKind::Ask => Failure::transient(
            "the Redis cluster has no node for the counters at the moment",
            After::ReopenAll,
        )
        .undone(),
        ServerErrorKind::NoPerm => Failure::permanent(
            "the Redis user may not run the commands, or use the keys, that counters need: see the README of callgate-redis for its permissions",
            After::Reopen,
        ),
        _ => foreign(),
    }
}

fn unauthorized() -> Failure {
    Failure::permanent(
        "the Redis server does not accept the user or the password, or wants one: check the URL",
        After::Reopen,
    )
    .undone()
}

fn foreign() -> Failure {
    Failure::permanent(
        "a script failed on the Redis server: its version is too old, or something else writes to the keys of this namespace",
        After::Reopen,
    )
}

/// The error of the command that authenticates. A server without a password for this user answers without an error code.
pub(crate) fn of_auth(error: &RedisError) -> Failure {
    let failure = of(error);
    if error.kind() == ErrorKind::Server(ServerErrorKind::ResponseError) && failure.after == After::Reopen {
        return unauthorized();
    }
    failure
}

fn of_io(error: &RedisError) -> Failure {
    // The library keeps its cause behind an `Arc`.
    let cause = error.source().and_then(|source| source.downcast_ref::<Arc<dyn Error + Send + Sync>>());
    let kind = cause.and_then(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    let message = match kind {
        Some(io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) => return timed_out(),
        Some(io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => {
            "no Redis server listens at the address: start it, or correct the URL"
        }
        Some(io::ErrorKind::InvalidData) => {
            "the TLS handshake with the Redis server failed: check its certificate, and whether its port is one for `rediss`"
        }
        _ => "the connection to the Redis server failed or was lost",
    };
    Failure::transient(message, After::ReopenAll)
}

/// No reply within the time-out.
pub(crate) fn timed_out() -> Failure {
    Failure::transient("the Redis server did not answer in time", After::ReopenAll)
}

/// The host closed the store.
pub(crate) fn closed() -> Failure {
    Failure::permanent("the Redis store is closed", After::Reopen)
}

/// A server that loses its scripts right after loading them, or nodes that redirect to each other.
pub(crate) fn astray() -> Failure {
    Failure::transient("the Redis server, or its cluster, changed too often for one call", After::ReopenAll)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(line: &str) -> RedisError {
        let reply = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        reply.extract_error().unwrap_err()
    }

    #[test]
    fn what_was_not_run_may_be_sent_again() {
        assert_eq!(next(&server("NOSCRIPT No matching script")), Next::Load);
        for (line, host, port, asking) in [
            ("MOVED 3999 127.0.0.1:6381", Some("127.0.0.1"), 6381, false),
            ("MOVED 3999 [::1]:6381", Some("::1"), 6381, false),
            ("MOVED 3999 ::1:6381", Some("::1"), 6381, false),
            ("MOVED 3999 :6381", None, 6381, false),
            ("ASK 3999 db:6381", Some("db"), 6381, true),
        ] {
            let node = Node { host: host.map(str::to_owned), port, asking };
            assert_eq!(next(&server(line)), Next::Follow(node), "{line}");
        }
        assert!(matches!(next(&server("MOVED nowhere")), Next::Fail(_)));
    }

    #[test]
    fn errors_know_whether_waiting_helps() {
        for line in [
            "OOM x",
            "LOADING x",
            "READONLY x",
            "CLUSTERDOWN x",
            "TRYAGAIN x",
            "MISCONF x",
            "BUSY x",
            "ERR max number of clients reached",
        ] {
            assert!(of(&server(line)).error.is_transient(), "{line}");
        }
        for line in ["WRONGPASS x", "NOAUTH x", "NOPERM x", "WRONGTYPE x", "ERR x", "WHATEVER x"] {
            assert!(!of(&server(line)).error.is_transient(), "{line}");
        }
    }

    /// What may have been acted upon must not be tried again, what was not may.
    #[test]
    fn errors_know_whether_anything_was_written() {
        for line in [
            "OOM x",
            "MISCONF x",
            "NOREPLICAS x",
            "BUSY x",
            "LOADING x",
            "READONLY x",
            "TRYAGAIN x",
            "NOAUTH x",
        ] {
            assert!(of(&server(line)).error.is_certainly_undone(), "{line}");
        }
        // A script may stop halfway.
        for line in ["NOPERM x", "WRONGTYPE x", "ERR x", "WHATEVER x"] {
            assert!(!of(&server(line)).error.is_certainly_undone(), "{line}");
        }
        for kind in [io::ErrorKind::TimedOut, io::ErrorKind::ConnectionReset, io::ErrorKind::UnexpectedEof] {
            assert!(!of(&RedisError::from(io::Error::from(kind))).error.is_certainly_undone(), "{kind}");
        }
    }

    /// Trap 34.
    #[test]
    fn no_error_repeats_what_the_server_said() {
        for code in ["OOM", "ERR", "NOPERM", "WRONGPASS", "MOVED", "ASK", "READONLY", "WHATEVER", "hunter2"] {
            let Next::Fail(failure) = next(&server(&format!("{code} hunter2 hunter2"))) else {
                panic!("{code}")
            };
            let shown = format!("{} {:?}", failure.error, failure.error);
            assert!(!shown.contains("hunter2"), "{shown}");
        }
        let io = RedisError::from(io::Error::other("hunter2"));
        assert!(!of(&io).error.to_string().contains("hunter2"));
    }
}
