//! The native half of the npm package `callgate`.
//!
//! In: JS values, read in place. Out: what core decides, as short strings that core can read again. Must not decide anything:
//! it converts, calls core and maps errors; the TypeScript half in `ts/` gives it the shape that JS users know.

#![deny(unsafe_code)]

mod args_check;
mod asked;
mod call;
mod clock;
mod counters;
mod decide;
mod engine;
mod explain;
mod failure;
mod filing;
mod lock;
mod names;
mod observed;
mod pending;
mod plan;
mod planned;
mod policy;
mod promise;
mod raw;
mod reservation;
// Unit tests do not see what registers a function with Node.
#[cfg(not(test))]
mod risk;
mod store;
mod stream;
mod view;
mod watch;

/// The code of the JSON-RPC error that answers a denied call which has no result (spec 10.6).
#[napi_derive::napi]
pub const MCP_DENIED: i32 = callgate::MCP_DENIED;
