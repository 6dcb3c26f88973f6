//! What a policy needs to know of callers (spec 9.1, 9.2).
//!
//! In: a policy. Out: the rules and items that read an identity or a session, each with its place, what it reads, and what to write where
//! there is none. Decides nothing about calls.

use std::fmt;

use super::names::Place;
use crate::document::Charge;
use crate::engine::Engine;
use crate::path::{Path, Root, Segment};
use crate::policy::{Compiled, Policy, Step, each_path};
use crate::scope::Scope;

/// A rule or item that needs to know who calls. One that reads an identity and a session is told as two.
///
/// It prints as one sentence: ``line 5: `identity.role` needs an identity``.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IdentityNeed {
    /// Its `name`, where it has one.
    pub name: Option<String>,
    /// JSON Pointer to it, such as `/tools/pay/rules/0`.
    pub pointer: String,
    /// Its line, from 1.
    pub line: u32,
    /// The name of the policy layer that has it; `None` where that has no name.
    pub layer: Option<String>,
    /// What it reads, as a policy writes it: `identity.role`, `scope: identity`, or `rate_limit` for one without a scope.
    pub reads: Vec<String>,
    /// What that needs.
    pub needs: CallerNeed,
}

/// What a rule needs to know of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CallerNeed {
    /// An identity: without one its conditions are unknown (spec 9.1), and its scopes deny (spec 9.4).
    Identity,
    /// `identity.session`: without one the same.
    Session,
    /// One of both: without them all callers share one counter (spec 9.2).
    SessionOrIdentity,
}

impl CallerNeed {
    /// `identity`, `session` or `session_or_identity`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Session => "session",
            Self::SessionOrIdentity => "session_or_identity",
        }
    }

    /// What to write, or to give the guard, where callers have none.
    pub const fn help(self) -> &'static str {
        match self {
            Self::Identity => {
                "verify tokens, or give the guard an identity callback; a counter for all callers has `scope: global`"
            }
            Self::Session => {
                "where the protocol has no sessions, count by `scope: identity`, or by `scope: global` for all callers together"
            }
            Self::SessionOrIdentity => {
                "without a session and an identity all callers share this counter: write `scope: identity`, or `scope: global` if that is meant"
            }
        }
    }
}

impl fmt::Display for IdentityNeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Place { line: self.line, layer: self.layer.as_deref() })?;
        for (index, read) in self.reads.iter().enumerate() {
            write!(f, "{}`{read}`", if index > 0 { ", " } else { "" })?;
        }
        let needs = if self.reads.len() == 1 { "needs" } else { "need" };
        let what = match self.needs {
            CallerNeed::Identity => "an identity",
            CallerNeed::Session => "a session",
            CallerNeed::SessionOrIdentity => "a session or an identity",
        };
        write!(f, " {needs} {what}")
    }
}

/// What a step reads, by what that needs.
#[derive(Default)]
struct Needs(Vec<(CallerNeed, Vec<String>)>);

impl Needs {
    fn add(&mut self, need: CallerNeed, read: String) {
        let known = self.0.iter().position(|(known, _)| *known == need);
        let at = known.unwrap_or_else(|| {
            self.0.push((need, Vec::new()));
            self.0.len().saturating_sub(1)
        });
        if let Some((_, reads)) = self.0.get_mut(at).filter(|(_, reads)| !reads.contains(&read)) {
            reads.push(read);
        }
    }

    fn path(&mut self, path: &Path, field: &str) {
        if path.root != Root::Identity {
            return;
        }
        let is_session = path.segments.first().and_then(Segment::name) == Some("session");
        let need = if is_session { CallerNeed::Session } else { CallerNeed::Identity };
        self.add(need, format!("{field}{path}"));
    }

    fn scope(&mut self, scope: &Scope) {
        match scope {
            Scope::Global => {}
            Scope::First { or_shared: true, .. } => {
                self.add(CallerNeed::SessionOrIdentity, "rate_limit".to_owned());
            }
            Scope::First { name: "session", .. } => self.add(CallerNeed::Session, format!("scope: {scope}")),
            Scope::First { .. } => self.add(CallerNeed::Identity, format!("scope: {scope}")),
            Scope::Each(paths) => paths.iter().for_each(|path| self.path(path, "scope: ")),
        }
    }

    fn of(step: &Step, policy: &Compiled) -> Self {
        let mut needs = Self::default();
        for clause in &step.conditions {
            each_path(&clause.condition, &mut |path, _| needs.path(path, ""));
        }
        let payment = step.charge.and_then(|index| policy.payment(index));
        if let Some(Charge::From(path)) = payment.map(|payment| &payment.amount) {
            needs.path(path, "");
        }
        let charged = payment.and_then(|payment| policy.declared(payment.declared));
        let tested = step.states.iter().filter_map(|state| policy.declared(state.declared));
        for declared in charged.into_iter().chain(tested) {
            needs.scope(&declared.scope);
            declared.max_from.iter().for_each(|path| needs.path(path, ""));
        }
        needs
    }
}

impl Policy {
    /// The rules and items that need to know who calls, in the order of the policy: for a host that starts without identities, or where the
    /// protocol has no sessions.
    ///
    /// ```
    /// use callgate::Policy;
    /// let policy = Policy::from_yaml("
    /// version: \"1\"
    /// default: deny
    /// tools:
    ///   pay: {require: [{path: identity.role, op: eq, value: clerk}], rules: [{rate_limit: 5/day}]}
    /// ")?;
    /// let told: Vec<_> = policy.identity_needs().iter().map(ToString::to_string).collect();
    /// assert_eq!(told, ["line 5: `identity.role` needs an identity", "line 5: `rate_limit` needs a session or an identity"]);
    /// # Ok::<(), callgate::PolicyError>(())
    /// ```
    pub fn identity_needs(&self) -> Vec<IdentityNeed> {
        let policy = &*self.0;
        let mut found = Vec::new();
        for step in policy.entries.iter().flat_map(|entry| &entry.steps) {
            let Some(rule) = policy.rule(step.rule) else { continue };
            for (needs, reads) in Needs::of(step, policy).0 {
                let need = IdentityNeed {
                    name: rule.name().map(str::to_owned),
                    pointer: rule.pointer().to_owned(),
                    line: rule.line(),
                    layer: policy.layer_of_rule(step.rule).map(str::to_owned),
                    reads,
                    needs,
                };
                found.push((policy.layer_index_of_rule(step.rule), rule.span(), need));
            }
        }
        found.sort_by_key(|(layer, span, need)| (*layer, *span, need.needs));
        found.into_iter().map(|(.., need)| need).collect()
    }
}

impl Engine {
    /// [`Policy::identity_needs`] by the policy in force.
    pub fn identity_needs(&self) -> Vec<IdentityNeed> {
        self.policy().identity_needs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_that_reads_a_caller_is_told() {
        let policy: Policy = "
version: '1'
default: deny
budgets: {daily: {window: day, max_from: identity.most, scope: grant}}
all_tools: {deny_if: [{not: {any: [{path: identity.roles, op: includes, value: a}, {path: args.a, op: eq, value: 1}]}}]}
requests: {default: deny, methods: {resources/read: {require: [{path: args.uri, op: eq, value_from: identity.home}]}}}
tools:
  pay:
    limits:
      - {counter: a, window: day, max: 9, increment_from: args.amount, scope: identity}
      - {counter: b, window: day, max: 9, scope: global}
      - {counter: c, window: day, max: 9, scope: [args.a, identity.team, identity.session]}
      - {counter: d, window: day, max: 9, scope: session, when: [{path: identity.session, op: exists, value: true}]}
      - {budget: daily}
    rules:
      - {name: rate, rate_limit: 1/day}
      - {rate_limit: 1/hour, scope: global}
      - {action: deny, conditions: [{path: state.pay.a, op: gt, value: 1}, {path: tool, op: eq, value: x}]}
"
        .parse()
        .unwrap();
        let told = |need: &IdentityNeed| {
            format!("{} {} {}", need.pointer, need.needs.as_str(), need.reads.join(" + "))
        };
        assert_eq!(
            policy.identity_needs().iter().map(told).collect::<Vec<_>>(),
            [
                "/all_tools/deny_if/0 identity identity.roles",
                "/requests/methods/resources~1read/require/0 identity identity.home",
                "/tools/pay/limits/0 identity scope: identity",
                "/tools/pay/limits/2 identity scope: identity.team",
                "/tools/pay/limits/2 session scope: identity.session",
                "/tools/pay/limits/3 session identity.session + scope: session",
                "/tools/pay/limits/4 identity scope: grant + identity.most",
                "/tools/pay/rules/0 session_or_identity rate_limit",
                "/tools/pay/rules/2 identity scope: identity",
            ]
        );
        assert_eq!(policy.identity_needs()[7].name.as_deref(), Some("rate"));
        let line = policy.identity_needs()[5].to_string();
        assert_eq!(line, "line 13: `identity.session`, `scope: session` need a session");
    }

    #[test]
    fn layers_are_told_in_their_order() {
        let layer = |name: &str| -> Policy {
            format!("{{version: '1', name: {name}, default: allow,\ntools: {{t: {{require: [{{path: identity.r, op: eq, value: 1}}]}}}}}}").parse().unwrap()
        };
        let engine = Engine::new(Policy::stack([layer("base"), layer("team")]).unwrap());
        let told: Vec<_> = engine.identity_needs().iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "line 2 of layer `base`: `identity.r` needs an identity",
                "line 2 of layer `team`: `identity.r` needs an identity"
            ]
        );
        for need in [CallerNeed::Identity, CallerNeed::Session, CallerNeed::SessionOrIdentity] {
            assert!(need.help().contains("scope: global"));
        }
    }
}
