//! Tests of policies for MCP tool calls.
//!
//! A test file names a policy, calls, and what must be decided of each:
//!
//! ```yaml
//! policy: payments.yaml
//! calls:
//!   charge: {tool: create_charge, args: {amount: 4200, currency: usd}}
//! tests:
//!   - name: caps one charge
//!     each:
//!       - {call: charge, expect: allow}
//!       - {call: charge, with: {amount: 50001}, expect: condition_failed, rule: max single charge}
//! ```
//!
//! [`run()`] runs one. Every decision is that of [`callgate`], with counters in memory and a clock that stands still until a test moves it.
//!
//! [`coverage`] says which outcomes of a policy's rules, conditions and limits such tests have seen, and on which of them a decision
//! depends.
//!
//! [`risk`] says which class of risk each tool of a server has, [`flow`] what tools of several servers can do together, and [`listing`] what is odd
//! about lists of tools. [`drift`] says how tools differ from those that were approved. [`overrides`] has what somebody knows better, and [`recommend`]
//! writes a policy by all of it.
//!
//! This crate is pure: it reads no file, no clock and no environment. Who runs tests gives it texts.

#![forbid(unsafe_code)]

pub mod caller;
pub mod coverage;
mod document;
mod drawn;
pub mod drift;
pub mod flow;
mod lines;
pub mod listing;
pub mod overrides;
pub mod page;
pub mod recommend;
pub mod report;
pub mod risk;
mod run;
pub mod subject;
pub mod suite;
mod texts;

pub use run::{Observed, Observer, Options, run, run_observed};
