//! What callgate's command line and language packages share and core must not do: opening counter stores by URL, and reading
//! and watching policy files.
//!
//! ```no_run
//! use std::sync::Arc;
//! use callgate::Engine;
//! use callgate_host::{StoreOptions, load_policy, open_store, watch_engine};
//!
//! let options = StoreOptions::new();
//! let engine = Engine::builder(load_policy("policy.yaml")?)
//!     .store(open_store("memory", &options)?.blocking())
//!     .on_store_error(options.on_error())
//!     .build();
//! let engine = Arc::new(engine);
//! let _watcher = watch_engine(engine.clone(), "policy.yaml", |reload| match reload {
//!     Ok(policy) => policy.warnings().iter().for_each(|warning| eprintln!("policy.yaml:{warning}")),
//!     Err(error) => eprintln!("{error}"),
//! });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `load_policy(["base.yaml", "team.yaml"])` and `watch_engine` with the same paths take a stack of policies (spec 6.10).
//!
//! Holds no policy logic: core alone decides what a policy means.

#![forbid(unsafe_code)]

mod detached;
mod filing;
mod fork;
mod key;
mod lock_file;
mod observe;
mod open;
mod options;
mod per_process;
mod policy_file;
mod policy_files;
mod shared;
mod source;
#[cfg(feature = "async")]
mod spawn_io;
pub mod stream;
mod url;
mod watch;
mod watch_thread;
mod watched;

/// What a guard says when it starts, as plain data: names that no tool has, and rules that need to know who calls.
pub use callgate::{CallerNeed, IdentityNeed, UnmatchedName};
pub use detached::{DetachedStore, Wait};
pub use filing::{NotAnApprover, Standing, grant};
pub use fork::{after_fork_in_child, after_fork_in_parent, before_fork};
pub use key::{counter_key, counter_of_key};
pub use lock_file::{LockFileError, load_pins, read_lock};
pub use observe::{
    Begun, Candidate, DecisionSummary, Flip, NoVerdict, Observation, Observations, Observed, Observer,
    RuleSummary, SameCounters,
};
pub use open::open_store;
pub use options::StoreOptions;
pub use policy_file::{InvalidPolicy, LoadError, PolicyFile, ReadError, load_policy};
pub use policy_files::{InvalidStack, PolicyFiles, PolicyPaths};
pub use shared::SharedStore;
#[cfg(feature = "async")]
pub use spawn_io::spawn_io;
pub use url::{MissingStore, OpenError, STORES, UnknownUrl};
pub use watch::{PolicyWatcher, WatchOptions, watch_engine};
