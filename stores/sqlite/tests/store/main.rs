//! The store as its users meet it: the contract, files, and what happens when something fails.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test tells by panicking"
)]

mod async_calls;
mod charges;
mod contract;
mod filed;
mod files;
mod forking;
mod full;
mod growth;
mod kill;
mod leases;
mod namespaces;
mod older;
mod read_only;
mod row_cache;
mod scratch;
mod settled;
mod shared;
mod started;
mod zones;
