//! The store against real servers: its contract, its scripts, and every fault that a network has.

#![expect(clippy::arithmetic_side_effects, reason = "an overflow fails the test")]

mod contract;
mod server;
