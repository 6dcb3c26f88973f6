//! Random policies, and calls that aim at their boundaries.
//!
//! In: a seed, or bytes that a fuzzer makes. Out: policies that load, calls, and cases of both. The same seed gives the
//! same sequence everywhere. Must not know what the decisions are.

mod addition;
mod alphabet;
mod calendar;
mod call;
mod charging;
mod choice;
mod condition;
mod counter;
mod deep;
mod feature;
mod nested;
mod nested_call;
mod policy;
mod reach;
mod schema;
mod terms;

pub use feature::{Feature, KNOWN, has_features};

use std::collections::VecDeque;

use callgate::__binding::Target;
use callgate::Outcome;

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
    /// The budgets that entries may pay into.
    budgets: Vec<&'static str>,
    /// What a case with more than one policy, method or level is about.
    nested: Option<nested::Nested>,
    /// A time around which calls are made, where clocks change.
    changes: Option<i64>,
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
    /// A call of a tool that nobody known makes.
    fn plain(name: &str, args: String) -> Self {
        let name = name.to_owned();
        Self { name, is_request: false, args, identity: None, server: None, raw_only: false, check: None }
    }

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
    /// The approval that it carries.
    pub approve: Option<GeneratedApproval>,
    /// Before the call: the step that is finished, and how.
    pub finish: Option<(usize, Finish)>,
    /// Before the call, and after what is finished: the policy that replaces the one in force, as JSON text.
    pub reload: Option<String>,
}

/// An approval of a [`GeneratedStep`].
#[derive(Debug, Clone)]
pub struct GeneratedApproval {
    /// Its own id.
    pub id: String,
    /// The step whose approval key it carries; none for the key that the call itself needs.
    pub of: Option<usize>,
    /// When it was given, in milliseconds since the epoch.
    pub given_at: Option<i64>,
}

/// How a call is finished.
#[derive(Debug, Clone)]
pub enum Finish {
    /// It ended so.
    Ended(Outcome),
    /// It is settled to these amounts, in steps of 0.000001.
    Settled(Vec<(Settled, i64)>),
}

/// Which charge is settled.
#[derive(Debug, Clone)]
pub enum Settled {
    /// The only one that may be.
    Only,
    /// That of the counter that stands there in the decision.
    Nth(usize),
    /// That of this name.
    Named(String),
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
    /// The policy, as JSON text; a list of policies is a stack.
    pub policy: String,
    /// The calls.
    pub steps: Vec<GeneratedStep>,
    /// How the engine is asked.
    pub ways: Ways,
}

/// The time of the first call: 2026-11-21T10:00:00.000Z.
pub const START: i64 = 1_795_255_200_000;
