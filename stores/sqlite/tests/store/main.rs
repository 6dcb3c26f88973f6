//! The store as its users meet it: the contract, files, and what happens when something fails.

#![expect(clippy::unwrap_used, reason = "a test tells by panicking")]

mod contract;
mod scratch;
