//! The store against real servers: its contract, its scripts, and every fault that a network has.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test tells by panicking"
)]

mod async_calls;
mod calendar;
mod calls;
mod cluster;
mod contract;
mod crew;
mod faults;
mod filed;
mod host;
mod namespaces;
mod processes;
mod proxy;
mod readme;
mod scripts;
mod server;
mod settling;
mod tls;
mod usual;
