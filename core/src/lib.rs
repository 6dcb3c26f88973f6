//! A policy engine for MCP tool calls.
//!
//! An AI agent calls tools on MCP servers. A policy, in YAML or JSON, says which calls may run, with which arguments, how
//! often, for whom, and which need a human's approval. This crate compiles the policy once and decides each call
//! in-process:
//!
//! ```text
//! text ──parse──> nodes with spans ──document──> what the author wrote ──compile──> tree
//!                                                                                    │
//! call (tool, args, identity) ──────────────── evaluate(tree, call) ─────────────────┴─> Decision, or a batch of charges
//!                                                                                          │ store.reserve, all or none
//!                                                                                          └─> Decision (+ Reservation)
//! ```
//!
//! # Example
//!
//! ```
//! use callgate::{Code, Engine, Identity, Policy};
//! use serde_json::json;
//!
//! let policy = Policy::from_yaml(r#"
//! version: "1"
//! default: deny
//! tools:
//!   create_charge:
//!     rules:
//!       - name: max single charge
//!         conditions: [{path: args.amount, op: lte, value: 50000}]
//!         on_deny: Single charge cannot exceed $500.00
//!       - rate_limit: 30/minute
//! "#)?;
//! let engine = Engine::new(policy);                                    // in-memory counters
//! let alice = Identity::new("alice");
//!
//! let decision = engine.evaluate("create_charge", &json!({"amount": 4200}), &alice);
//! assert!(decision.allowed());
//!
//! let decision = engine.evaluate("create_charge", &json!({"amount": 99999}), &alice);
//! assert_eq!(decision.code(), Code::ConditionFailed);
//! assert_eq!(decision.message().as_deref(), Some("Single charge cannot exceed $500.00"));
//! # Ok::<(), callgate::PolicyError>(())
//! ```
//!
//! # The parts
//!
//! - [`Policy`] is the compiled policy: immutable, shared, cheap to clone. [`Policy::evaluate`] is pure: it gives a
//!   [`Decision`], or the [`Pending`] batch that a [store](store::Store) must take for the call to be allowed.
//! - [`Engine`] does both steps, with any [store](store::Store) and [clock](time::Clock), and lets the policy be replaced while it runs.
//! - [`value::View`] is how arguments are read in place; `&serde_json::Value` has it, and raw JSON text goes through
//!   [`Engine::evaluate_json`].
//!
//! The language is defined in the project's `spec/language.md`; "spec 5.4" in these pages is one of its clauses. Core does no
//! I/O, starts no threads and has no unsafe code.

#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    expect(clippy::arithmetic_side_effects, clippy::string_slice, reason = "a test may fail by panicking")
)]

#[doc(hidden)]
pub mod __analysis;
#[doc(hidden)]
pub mod __binding;
#[doc(hidden)]
pub mod __relay;
#[doc(hidden)]
pub mod __text;
mod admission;
mod amount;
mod args_check;
mod budget;
mod bytes;
mod calendar;
mod call;
mod canonical;
pub mod ceilings;
mod condition;
mod decision;
mod diagnostic;
mod document;
mod engine;
mod evaluate;
mod glob;
mod identity;
mod json_text;
mod lint;
pub mod lock;
mod number;
mod outcome;
mod parse;
mod path;
mod pattern;
mod policy;
mod raw;
mod ruling;
mod schema;
mod scope;
pub mod store;
mod suggest;
mod text;
pub mod time;
mod trace;
mod view;
mod window;

pub use amount::Amount;
pub use args_check::ArgsCheck;
pub use call::{Approval, Call};
pub use canonical::ArgsHash;
pub use decision::{
    Actual, ApprovalNeeded, AuditRecord, AuditedCall, CounterUse, Decision, MCP_DENIED, Reservation, RuleRef,
    SettleError,
};
pub use diagnostic::{Diagnostic, Severity};
pub use engine::{Engine, EngineBuilder, Explanation, Subscription};
pub use evaluate::{Evaluation, OnStoreError, Pending};
pub use identity::Identity;
pub use lint::{CallerNeed, IdentityNeed, UnmatchedName, lint};
pub use outcome::Outcome;
pub use parse::ParseError;
pub use policy::{Format, Layer, Policy, PolicyError, StackError};
pub use ruling::{Code, Effect};
pub use schema::InputSchema;
pub use store::error::StoreError;
pub use store::memory::MemoryStore;
pub use trace::Check;

/// Values: how arguments and claims are read in place, of any host's types, and raw JSON text (spec 3.5, 5.2).
pub mod value {
    pub use crate::number::Number;
    pub use crate::raw::{RawError, RawErrorKind, RawJson, RawView};
    pub use crate::view::{Access, Kind, Reached, Unreadable, View};
}
