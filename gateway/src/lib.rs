//! A gateway in front of an MCP server that cannot be changed: it enforces a policy on every tool call, and writes down what happened.
//!
//! In: a policy, the server's command, and the client on standard input and output. Out: the server's answers, denials, and records.
//! Must not decide anything itself: [`callgate_relay`] reads messages, [`callgate::Engine`] decides calls.

#![forbid(unsafe_code)]

pub mod audit;
pub mod offer;
pub mod proxy;
mod say;
mod size;
pub mod state;
pub mod wrap;

pub use size::{Size, SizeError};
