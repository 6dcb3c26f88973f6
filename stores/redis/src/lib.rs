#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
//!
//! # How it is made
//!
//! In: a batch and options. Out: an outcome. `request` and `reply` are pure and define all that goes over the wire;
//! `blocking` and `nonblocking` carry it; `lua/` runs on the server. Must not hold policy
//! logic, and must not judge bounds twice: the script says whether a batch fits, [`callgate::store::judge`] which bound
//! refused and until when.

#[cfg(feature = "async")]
mod async_store;
mod blocking;
mod declaration;
mod failure;
mod filed;
mod inspect;
mod key;
mod kind;
mod link;
mod memory;
#[cfg(feature = "async")]
mod nonblocking;
mod numbers;
mod options;
mod permissions;
mod protocol;
mod reply;
mod request;
mod route;
mod script;
mod settlement;
mod store;
mod stream;
#[cfg(feature = "tls")]
mod tls;
mod trust;
mod wire;

#[cfg(feature = "async")]
pub use async_store::AsyncRedisStore;
pub use options::RedisOptions;
pub use store::RedisStore;
