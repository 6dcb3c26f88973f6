//! Counters for [`callgate`] in a SQLite file: they outlive the process, and the processes of one machine share them.
//!
//! ```no_run
//! use callgate::{Engine, Policy};
//! use callgate_sqlite::{SqliteOptions, SqliteStore};
//!
//! let store = SqliteStore::open("/var/lib/agent/counters.db", &SqliteOptions::new())?;
//! # let policy: Policy = unimplemented!();
//! let engine = Engine::builder(policy).store(std::sync::Arc::new(store)).build();
//! # Ok::<(), callgate::StoreError>(())
//! ```
//!
//! ```text
//! callers ──turns──> one of them leads: everything that waits, in one transaction ──ledger──> counter, approval rows
//!                    the others get their answers once it is committed
//! ```
//!
//! # What it guarantees
//!
//! - *Never more than a maximum*, over all threads and processes: each transaction takes the file's write lock before it
//!   reads (spec 8.1).
//! - *Nothing that was reported is lost* when a process is killed at any moment. When the machine loses power, the last
//!   commits may be lost, unless [`Durability::Power`] is chosen.
//! - *Every call gets an answer* within [`SqliteOptions::with_timeout`] and the time of a transaction, as long as the file
//!   system answers. What cannot be written (a full disk, a file that may only be read) is an error, so the engine denies; service resumes by
//!   itself when the cause is gone.
//! - *Time* is the callers'. A clock that is up to a minute behind the newest window of a counter, or charge, counts there;
//!   one that is further behind is believed, and counts in the window of its own time. What may be forgotten, only the time
//!   tells that all calls have seen pass, not one caller's clock; the latest end of what was forgotten is noted, and a clock
//!   up to an hour behind that counts in no ended window (spec 8.4).
//!
//! # What it asks for
//!
//! - A local disk: the write-ahead log needs shared memory, which network file systems do not have.
//! - That `-wal` and `-shm` stay beside the file. A file that was removed or replaced while it is open is noticed within ten
//!   milliseconds by a call, which opens, or makes, the one that its path leads to now: counters begin anew.
//! - On a fork: that it is told of it, by [`before_fork`] and the two that follow. Python's package does that by itself.

#![forbid(unsafe_code)]

mod approval;
mod async_store;
mod clock;
mod counter;
mod error;
mod file;
mod forget;
mod job;
mod known;
mod ledger;
mod listing;
mod options;
mod pause;
mod place;
mod process;
mod rows;
mod sliding;
mod store;
mod ticket;
mod turns;

pub use async_store::AsyncSqliteStore;
pub use options::{Durability, SqliteOptions};
pub use process::{after_fork_in_child, after_fork_in_parent, before_fork};
pub use store::SqliteStore;
