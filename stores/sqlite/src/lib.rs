//! Counters for [`callgate`] in a SQLite file. They outlive the process, and the processes of one machine share them.
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
//! - *No reported charge is lost* when a process is killed at any moment. A power cut may lose the last commits, unless
//!   [`Durability::Power`] is chosen.
//! - *Every call gets an answer* within [`SqliteOptions::with_timeout`] and the time of a transaction, as long as the file
//!   system answers. What cannot be written (a full disk, a read-only file) is an error, so the engine denies. Service
//!   resumes when the cause is gone.
//! - *Time* is the callers'. A clock up to a minute behind the newest window or charge of a counter counts there. One that is
//!   further behind counts in the window of its own time. Rows expire by the file's own clock, not by one caller's. A clock
//!   up to an hour behind the end of a deleted window does not count in that (spec 8.4).
//! - *Windows of a time zone* follow one another, whatever release of the zone's rules each process has. The end that is stored
//!   decides. Until then every caller counts in that window, however far it is behind. So a clock that is far ahead moves all to
//!   the window that it began, and to those after it, until an operator resets the counter. Each is forgotten once as much time
//!   has passed as it had left (spec 8.17).
//! - *A window that does not end* is kept until somebody removes the file (spec 8.18).
//! - *Approvals* hold by the caller's clock, and so do filed calls: no counter says what time it is for them (spec 7.2).
//!
//! - *One file for many servers or tenants.* [`SqliteStore::namespaced`] gives handles that share the open file and its commits, and
//!   no counter (spec 8.15). So does [`SqliteStore::nonblocking`], for the same counters without blocking.
//!
//! # What it needs
//!
//! - A local disk: the write-ahead log needs shared memory, which network file systems do not have.
//! - That `-wal` and `-shm` stay beside the file. If the file is removed or replaced while it is open, a call notices within
//!   ten milliseconds and opens or creates the one at its path: counters begin anew.
//! - Notice of a fork, by [`before_fork`] and the two functions after it. Python's package gives that notice.

#![forbid(unsafe_code)]

mod approval;
mod async_store;
mod clock;
mod counter;
mod declaration;
mod error;
mod expire;
mod file;
mod filed;
mod group_commit;
mod handle;
mod job;
mod ledger;
mod listing;
mod namespace;
mod options;
mod pause;
mod place;
mod process;
mod row_cache;
mod rows;
mod sliding;
mod store;
mod tables;
mod ticket;

pub use async_store::AsyncSqliteStore;
pub use options::{Durability, SqliteOptions};
pub use process::{after_fork_in_child, after_fork_in_parent, before_fork};
pub use store::SqliteStore;
