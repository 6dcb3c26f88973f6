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
//!     .store(open_store("memory", &options)?)
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
//! Holds no policy logic: core alone decides what a policy means.

#![forbid(unsafe_code)]

mod fork;
mod open;
mod policy_file;
#[cfg(feature = "async")]
mod spawn_io;
mod watch;
mod watched;

pub use fork::{after_fork_in_child, after_fork_in_parent, before_fork};
#[cfg(feature = "async")]
pub use open::open_async_store;
pub use open::{MissingStore, OpenError, STORES, StoreOptions, UnknownUrl, open_store, survives_fork};
pub use policy_file::{InvalidPolicy, LoadError, PolicyFile, ReadError, load_policy};
#[cfg(feature = "async")]
pub use spawn_io::spawn_io;
pub use watch::{PolicyWatcher, WatchOptions, watch_engine};
