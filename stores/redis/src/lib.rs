//! Counters for callgate in Redis.
mod blocking;
mod declaration;
mod failure;
mod inspect;
mod key;
mod memory;
mod numbers;
mod options;
mod protocol;
mod reply;
mod request;
mod script;
mod store;

pub use options::RedisOptions;
pub use store::RedisStore;
