//! Random policies, and calls that aim at their boundaries.
//!
//! In: a seed, or bytes that a fuzzer makes. Out: policies that load, calls, and cases of both. The same seed gives the
//! same sequence everywhere. Must not know what the decisions are.

mod addition;
mod alphabet;
mod call;
mod choice;
mod condition;
mod counter;
mod deep;
mod feature;
mod policy;
mod reach;
mod schema;

pub use feature::{Feature, KNOWN, has_features};

use std::collections::VecDeque;

use callgate::__binding::Target;

/// Makes policies and calls by choosing again and again.
#[derive(Debug, Clone)]
pub struct Generator {
    /// Choices that are given, first to last.
    given: VecDeque<u8>,
    /// Where the random choices stand that follow.
    state: u64,
    /// Whether the policy is mostly about counters, so that calls get as far as those.
    counts: bool,
    /// Whether the policy may have what [`KNOWN`] lists.
    extended: bool,
    /// Whether the policy has a few rules alone, which are about what [`KNOWN`] lists.
    pointed: bool,
    /// Whether conditions stand where they may be optional.
    permits: bool,
}

/// A generated call, as raw JSON texts.
#[derive(Debug, Clone)]
pub struct GeneratedCall {
    /// The tool's name, or the method of a request.
    pub name: String,
    /// Whether it is a request of another method than `tools/call`.
    pub is_request: bool,
    /// The text of the arguments, or of the params.
    pub args: String,
    /// The identity's text, if there is one.
    pub identity: Option<String>,
    /// The name of the server, if the host gives it.
    pub server: Option<String>,
    /// Whether a host value may differ from the text: broken text, duplicate keys, numbers that a double changes.
    pub raw_only: bool,
    /// What the host has checked in the arguments, if anything.
    pub check: Option<GeneratedCheck>,
}

impl GeneratedCall {
    /// What is called.
    pub fn target(&self) -> Target<'_> {
        if self.is_request { Target::Method(&self.name) } else { Target::Tool(&self.name) }
    }
}

/// What a host has checked in arguments.
#[derive(Debug, Clone)]
pub struct GeneratedCheck {
    /// The tool's input schema, as JSON text.
    pub schema: Option<String>,
    /// Whether members that fold deny.
    pub folding: bool,
}

/// A call of a [`GeneratedCase`], and what goes on around it.
#[derive(Debug, Clone)]
pub struct GeneratedStep {
    /// Milliseconds since the epoch.
    pub at: i64,
    /// The call.
    pub call: GeneratedCall,
    /// The id of an approval, and the step whose approval key it carries.
    pub approve: Option<(String, usize)>,
    /// Before the call: the step that is said not to have run, or is settled to this amount in steps of 0.000001.
    pub finish: Option<(usize, Option<i64>)>,
    /// Before the call, and after what is finished: the policy that replaces the one in force, as JSON text.
    pub reload: Option<String>,
}

/// How the engine is asked. Whatever it is, the decisions are the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ways {
    /// The policies are YAML, where they have a form in it.
    pub yaml: bool,
    /// Arguments and identities are host values, where they can be held without loss.
    pub values: bool,
    /// Every call is explained before it is decided.
    pub explained: bool,
    /// The counters are behind a wire.
    pub remote: bool,
}

/// A policy and calls under it, one after the other.
#[derive(Debug, Clone)]
pub struct GeneratedCase {
    /// The policy, as JSON text.
    pub policy: String,
    /// The calls.
    pub steps: Vec<GeneratedStep>,
    /// How the engine is asked.
    pub ways: Ways,
}

/// The time of the first call: 2026-11-21T10:00:00.000Z.
pub const START: i64 = 1_795_255_200_000;
