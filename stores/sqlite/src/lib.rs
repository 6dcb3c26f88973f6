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
//! - *Every call gets an answer* within about twice [`SqliteOptions::with_timeout`], as long as the file system answers. What
//!   cannot be written (a full disk, a file that may only be read) is an error, so the engine denies; service resumes by
//!   itself when the cause is gone.
//! - *Time* is the callers'. Of each counter the file keeps the newest window, or charge, and a clock behind that counts
//!   there; when rows are forgotten, the latest end of one is noted, and time does not run back before it (spec 8.4).
//!
//! # What it asks for
//!
//! - A local disk: the write-ahead log needs shared memory, which network file systems do not have.
//! - That the file is not moved or removed while it is open, and that `-wal` and `-shm` beside it stay with it.
//! - On a fork: that no call is under way in the forking process. A store that was idle then opens the file again in the
//!   child by itself; one that was not says so in an error.

#![forbid(unsafe_code)]

mod approval;
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
mod rows;
mod store;
mod turns;

pub use options::{Durability, SqliteOptions};
pub use store::SqliteStore;
