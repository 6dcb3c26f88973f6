//! Policy files on a real disk: reading and watching them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking, also in what they share")]

mod policy_file;
mod scratch;
mod watch;
