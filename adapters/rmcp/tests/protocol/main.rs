//! What a guard does around a decision (`spec/guards.md`), by rmcp's own client and server: over a pair of streams and over streamable
//! HTTP, in the generation with `initialize` and in that of 2026-07-28.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test tells by panicking"
)]

mod approvals;
mod callers;
mod endings;
mod lists;
mod nested;
mod records;
mod requests;
mod rounds;
mod support;
mod told;
