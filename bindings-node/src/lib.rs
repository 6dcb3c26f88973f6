//! The native half of the npm package `callgate`.
//!
//! In: JS values, read in place. Out: what core decides, as JSON text and a few plain values. Must not decide anything:
//! it converts, calls core and maps errors; the TypeScript half in `ts/` gives it the shape that JS users know.

#![deny(unsafe_code)]

mod clock;
mod decide;
mod engine;
mod explain;
mod pending;
mod policy;
mod reservation;
mod snapshot;
mod view;
mod watch;
