//! Several policies that decide as one (spec 6.10).
//!
//! In: policies that load. Out: one policy, of one tree, which is evaluated as any other. Must not parse a text again, and must not
//! change what a policy says alone.

use std::ops::Range;

use super::compile::{Parts, TooManyEntries, assemble};
use super::{Compiled, Entry, Origin, Policy};
use crate::canonical::sha256;
use crate::ceilings::LAYERS;
use crate::diagnostic::Diagnostic;
use crate::document::{Dispatcher, Payment};
use crate::glob::Glob;
use crate::store::Owner;

/// What is known of a document of a tree.
#[derive(Debug, Clone)]
pub(crate) struct LayerParts {
    pub(super) name: Option<Box<str>>,
    pub(super) digest: [u8; 32],
    /// Whether it denies what it does not list.
    pub(super) denies: bool,
    /// The same of requests; `None` where it says nothing of them.
    pub(super) requests_deny: Option<bool>,
    /// Where its entries begin, which end where those of the next begin.
    pub(super) first_entry: u32,
    /// Where its rules begin.
    pub(super) first_rule: u32,
    /// Its part of all warnings.
    pub(super) warnings: Range<usize>,
    /// Its part of those that an engine adds whose counters are in memory.
    pub(super) memory_warnings: Range<usize>,
}

/// The bit of the layer with this index. There are no more than [`u16`] has.
pub(super) fn layer_bit(index: usize) -> u16 {
    u32::try_from(index).ok().and_then(|index| 1_u16.checked_shl(index)).unwrap_or(0)
}

/// A document that a policy was made of: the only one, or one of a stack.
#[derive(Debug, Clone, Copy)]
pub struct Layer<'p> {
    policy: &'p Policy,
    parts: &'p LayerParts,
}

impl<'p> Layer<'p> {
    /// Its name; `None` where it has none (spec 2.33).
    pub fn name(&self) -> Option<&'p str> {
        self.parts.name.as_deref()
    }

    /// SHA-256 of its text.
    pub fn digest(&self) -> &'p [u8; 32] {
        &self.parts.digest
    }

    /// What may not mean what its author thinks (spec 12).
    pub fn warnings(&self) -> &'p [Diagnostic] {
        self.policy.warnings().get(self.parts.warnings.clone()).unwrap_or_default()
    }

    /// What an engine adds to them whose counters are in memory (spec 12.3).
    pub fn memory_warnings(&self) -> &'p [Diagnostic] {
        self.policy.memory_warnings().get(self.parts.memory_warnings.clone()).unwrap_or_default()
    }
}

/// Why policies are no stack (spec 6.10).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StackError {
    /// There is none, or there are too many.
    #[error("a stack has 1 to {LAYERS} policies, not {count}")]
    Count {
        /// How many were given.
        count: usize,
    },
    /// A policy has no name.
    #[error("policy {position} of the stack has no name; write `name: NAME` into it")]
    Unnamed {
        /// Its place in the stack, from 1.
        position: usize,
    },
    /// Two policies have one name.
    #[error(
        "policies {first} and {second} of the stack are both named {name:?}; give one of them another name"
    )]
    Duplicate {
        /// The name.
        name: String,
        /// The place of one in the stack, from 1.
        first: usize,
        /// The place of the other.
        second: usize,
    },
    /// Two policies say of one tool that its inner calls stand in different places.
    #[error(
        "policies {first:?} and {second:?} of the stack have different dispatchers for {tool:?}; write the same `tool` and `args` in both"
    )]
    ConflictingDispatchers {
        /// The tool.
        tool: String,
        /// The name of one policy.
        first: String,
        /// The name of the other.
        second: String,
    },
    /// The names and globs of all policies make too many pairs.
    #[error("the policies do not go together: {message}; use fewer globs, or fewer names")]
    TooManyEntries {
        /// What is too much.
        message: String,
    },
}

impl StackError {
    /// The error's code: `layer_count`, `unnamed_layer`, `duplicate_layer`, `conflicting_dispatchers` or
    /// `too_many_entries`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Count { .. } => "layer_count",
            Self::Unnamed { .. } => "unnamed_layer",
            Self::Duplicate { .. } => "duplicate_layer",
            Self::ConflictingDispatchers { .. } => "conflicting_dispatchers",
            Self::TooManyEntries { .. } => "too_many_entries",
        }
    }
}

impl Policy {
    /// Several policies as one: what one of them stops is stopped, whatever the others say (spec 6.10). A stack of one is that policy
    /// itself. A stack among them stands for its policies.
    ///
    /// ```
    /// use callgate::{Call, Policy};
    /// let company: Policy = "{version: '1', name: company, default: allow, hide: [drop_table]}".parse()?;
    /// let team: Policy = "{version: '1', name: team, default: deny, tools: {'*_table': {}}}".parse()?;
    /// let both = Policy::stack([company, team])?;
    /// let allows = |tool| both.evaluate(&Call::without_args(tool)).decided().unwrap().allowed();
    /// assert!(allows("create_table") && !allows("drop_table") && !allows("create_user"));
    /// assert_eq!(both.layers().filter_map(|layer| layer.name()).collect::<Vec<_>>(), ["company", "team"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`StackError`]: none or more than 16 policies, one without a name or with that of another beside others, dispatchers of one name
    /// that differ, and more names and globs than can be compared.
    pub fn stack(policies: impl IntoIterator<Item = Self>) -> Result<Self, StackError> {
        let policies: Vec<Self> = policies.into_iter().collect();
        let layers = || policies.iter().flat_map(|policy| &policy.0.layers);
        let count = layers().count();
        if !(1..=LAYERS).contains(&count) {
            return Err(StackError::Count { count });
        }
        if let [only] = policies.as_slice() {
            return Ok(only.clone());
        }
        let mut names: Vec<&str> = Vec::with_capacity(count);
        for (layer, position) in layers().zip(1..) {
            let Some(name) = layer.name.as_deref() else { return Err(StackError::Unnamed { position }) };
            if let Some(first) = names.iter().position(|known| *known == name) {
                let (name, first) = (name.to_owned(), first.saturating_add(1));
                return Err(StackError::Duplicate { name, first, second: position });
            }
            names.push(name);
        }
        if let Some(conflict) = conflicting(&policies) {
            return Err(conflict);
        }
        let (mut parts, mut warnings, mut of_memory) = (Parts::default(), Vec::new(), Vec::new());
        for policy in &policies {
            parts.add(&policy.0, warnings.len(), of_memory.len());
            warnings.extend_from_slice(policy.warnings());
            of_memory.extend_from_slice(policy.memory_warnings());
        }
        let digests: Vec<u8> = layers().flat_map(|layer| layer.digest).collect();
        parts.digest = sha256(&digests);
        let mut compiled =
            assemble(parts).map_err(|TooManyEntries(message)| StackError::TooManyEntries { message })?;
        compiled.warnings = warnings.into();
        compiled.memory_warnings = of_memory.into();
        Ok(Self(compiled.into()))
    }

    /// The documents that it was made of, in their order.
    pub fn layers(&self) -> impl Iterator<Item = Layer<'_>> {
        self.0.layers.iter().map(|parts| Layer { policy: self, parts })
    }
}

impl Compiled {
    /// The bits of the layers that have these entries.
    #[cold]
    pub(super) fn layers_of(&self, entries: &[u32]) -> u16 {
        entries.iter().fold(0, |layers, entry| layers | layer_bit(self.layer_of_entry(*entry).0))
    }

    /// The name of the layer that has a rule, where that has one.
    pub(crate) fn layer_of_rule(&self, rule: u32) -> Option<&str> {
        self.layers.get(self.layer_index_of_rule(rule))?.name.as_deref()
    }

    /// Where a rule stands, for explanations: nothing where there is only one policy.
    pub(crate) fn in_layer(&self, rule: u32) -> String {
        match self.layer_of_rule(rule).filter(|_| self.is_stack()) {
            Some(layer) => format!(" in layer \"{layer}\""),
            None => String::new(),
        }
    }

    /// The index of the layer that has a rule.
    pub(crate) fn layer_index_of_rule(&self, rule: u32) -> usize {
        self.layers.partition_point(|layer| layer.first_rule <= rule).saturating_sub(1)
    }

    /// The index of the layer that has an entry, and its name, where it has one.
    pub(crate) fn layer_of_entry(&self, entry: u32) -> (usize, Option<&str>) {
        let index = self.layers.partition_point(|layer| layer.first_entry <= entry).saturating_sub(1);
        (index, self.layers.get(index).and_then(|layer| layer.name.as_deref()))
    }

    /// Whether it is made of several policies.
    pub(crate) fn is_stack(&self) -> bool {
        self.layers.len() > 1
    }
}

/// The first dispatcher that two policies have, and that differs. A stack among them is named by its first policy.
fn conflicting(policies: &[Policy]) -> Option<StackError> {
    let mut known: Vec<(&str, &str, &Dispatcher)> = Vec::new();
    for policy in policies {
        let name = policy.0.layers.first().and_then(|layer| layer.name.as_deref()).unwrap_or_default();
        for (tool, dispatcher) in policy.0.nesting.iter().flat_map(|nesting| nesting.dispatchers()) {
            match known.iter().find(|(known, ..)| *known == &**tool) {
                Some((_, first, other)) if !dispatcher.is_like(other) => {
                    let [tool, first, second] = [&**tool, first, name].map(str::to_owned);
                    return Some(StackError::ConflictingDispatchers { tool, first, second });
                }
                Some(_) => {}
                None => known.push((tool, name, dispatcher)),
            }
        }
    }
    None
}

/// Which entries of a policy come first where several apply to a tool (spec 6.1).
fn rank(owner: &Owner) -> u8 {
    match owner {
        Owner::Tool(key) if &**key == "*" => 2,
        Owner::Tool(key) if Glob::is_glob(key) => 1,
        Owner::Tool(_) | Owner::Budget => 0,
        Owner::AllTools => 3,
        Owner::Request(_) => 4,
    }
}

fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl Parts {
    /// Adds those of a tree, with its warnings, and those of memory, behind so many of others.
    fn add(&mut self, tree: &Compiled, warnings: usize, memory_warnings: usize) {
        let behind = |range: &Range<usize>, others: usize| {
            range.start.saturating_add(others)..range.end.saturating_add(others)
        };
        let first_rule = self.rules.count();
        let first_entry = narrow(self.entries.len());
        let first_declared = narrow(self.declared.len());
        let first_payment = narrow(self.payments.len());
        self.lists_callable |= tree.lists_callable;
        let dispatchers = tree.nesting.iter().flat_map(|nesting| nesting.dispatchers().cloned());
        self.dispatchers.extend(dispatchers.map(|(name, dispatcher)| {
            let rule = dispatcher.rule.saturating_add(first_rule);
            (name, Dispatcher { rule, ..dispatcher })
        }));
        self.layers.extend(tree.layers.iter().map(|layer| LayerParts {
            first_entry: layer.first_entry.saturating_add(first_entry),
            first_rule: layer.first_rule.saturating_add(first_rule),
            warnings: behind(&layer.warnings, warnings),
            memory_warnings: behind(&layer.memory_warnings, memory_warnings),
            ..layer.clone()
        }));
        self.hide
            .extend(tree.hide.iter().map(|(name, rule)| (name.clone(), rule.saturating_add(first_rule))));
        self.rules.append(&tree.rules);
        self.declared.extend(tree.declared.iter().cloned());
        self.payments.extend(tree.payments.iter().map(|payment| Payment {
            declared: payment.declared.saturating_add(first_declared),
            ..payment.clone()
        }));
        self.terms
            .extend(tree.terms.iter().map(|(rule, terms)| (rule.saturating_add(first_rule), terms.clone())));
        let mut entries: Vec<(&Origin, &Entry)> = tree.origins.iter().zip(&tree.entries).collect();
        if !tree.is_stack() {
            entries.sort_by_key(|(origin, _)| rank(&origin.owner));
        }
        for (origin, entry) in entries {
            let mut steps = entry.steps.clone();
            for step in &mut steps {
                step.rule = step.rule.saturating_add(first_rule);
                step.charge = step.charge.map(|payment| payment.saturating_add(first_payment));
                for state in &mut step.states {
                    state.declared = state.declared.saturating_add(first_declared);
                }
            }
            let mut only_args = entry.only_args.clone();
            if let Some(only) = &mut only_args {
                only.rule = only.rule.saturating_add(first_rule);
            }
            self.origins.push(origin.clone());
            self.entries.push(Entry::new(steps, only_args));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Call, Diagnostic, Engine, Identity};

    fn policy(text: &str) -> Policy {
        text.parse().unwrap()
    }

    fn named(name: &str, rest: &str) -> Policy {
        policy(&format!("{{version: '1', name: {name}, default: allow{rest}}}"))
    }

    /// A stack of one is that policy, also without a name: the same tree, so the same digest, keys and counters.
    #[test]
    fn a_stack_of_one_is_that_policy() {
        for text in ["{version: '1', default: deny}", "{version: '1', name: a, default: deny}"] {
            let one = policy(text);
            let stack = Policy::stack([one.clone()]).unwrap();
            assert!(std::sync::Arc::ptr_eq(&one.0, &stack.0));
            assert_eq!(stack.digest(), &sha256(text.as_bytes()));
        }
    }

    #[test]
    fn a_stack_needs_names_that_differ_and_dispatchers_that_do_not() {
        let unnamed = || policy("{version: '1', default: allow}");
        let with = |name: &str, place: &str| {
            named(name, &format!(", dispatchers: {{call: {{tool: args.name, args: '{place}'}}}}"))
        };
        let code = |policies: Vec<Policy>| {
            Policy::stack(policies).map_err(|error| (error.code(), error.to_string()))
        };
        let (code_of, told) = code(vec![named("a", ""), unnamed()]).unwrap_err();
        assert_eq!(
            (code_of, &*told),
            ("unnamed_layer", "policy 2 of the stack has no name; write `name: NAME` into it")
        );
        let (code_of, told) = code(vec![named("a", ""), named("b", ""), named("a", "")]).unwrap_err();
        assert_eq!(code_of, "duplicate_layer");
        assert!(told.starts_with("policies 1 and 3 of the stack are both named \"a\""), "{told}");
        let (code_of, told) = code(vec![with("a", "args.x"), with("b", "args.y")]).unwrap_err();
        assert_eq!(code_of, "conflicting_dispatchers");
        assert!(
            told.starts_with("policies \"a\" and \"b\" of the stack have different dispatchers for \"call\""),
            "{told}"
        );
        // The same place, written in two ways.
        assert!(code(vec![with("a", "args.x"), with("b", "args[\"x\"]")]).is_ok());
        assert_eq!(code(vec![]).unwrap_err().0, "layer_count");
        let many = |count: usize| (0..count).map(|n| named(&format!("n{n}"), "")).collect::<Vec<_>>();
        assert!(code(many(16)).is_ok());
        assert_eq!(code(many(17)).unwrap_err().0, "layer_count");
        // A stack in a stack stands for its policies.
        let inner = Policy::stack(many(15)).unwrap();
        assert!(code(vec![inner.clone(), named("a", "")]).is_ok());
        assert_eq!(code(vec![inner.clone(), named("n3", "")]).unwrap_err().0, "duplicate_layer");
        assert_eq!(code(vec![inner, named("a", ""), named("b", "")]).unwrap_err().0, "layer_count");
    }

    #[test]
    fn a_stack_has_the_digests_and_warnings_of_its_policies_in_order() {
        let (one, other) = (policy("{name: one, default: allow}"), policy("{name: other, tools: {a: }}"));
        let stack = Policy::stack([one.clone(), other.clone()]).unwrap();
        assert_eq!(stack.digest(), &sha256(&[*one.digest(), *other.digest()].concat()));
        assert_ne!(stack.digest(), Policy::stack([other.clone(), one.clone()]).unwrap().digest());
        let codes = |warnings: &[Diagnostic]| warnings.iter().map(Diagnostic::code).collect::<Vec<_>>();
        let layers: Vec<_> = stack.layers().collect();
        assert_eq!(layers[0].warnings(), one.warnings());
        assert_eq!(layers[1].warnings(), other.warnings());
        assert_eq!(codes(stack.warnings()), [codes(one.warnings()), codes(other.warnings())].concat());
        assert_eq!([layers[0].digest(), layers[1].digest()], [one.digest(), other.digest()]);
        let flat = Policy::stack([one.clone(), other.clone(), named("c", "")]).unwrap();
        let nested = Policy::stack([stack, named("c", "")]).unwrap();
        assert_eq!(flat.digest(), nested.digest());
    }

    /// Half a file is known by its marks, whichever policy of the stack it is (spec 1.8).
    #[test]
    fn half_of_one_policy_replaces_none() {
        let whole =
            |name: &str| policy(&format!("version: '1'\nname: {name}\ndefault: deny\ntools:\n  a: {{}}\n"));
        let half = |name: &str| policy(&format!("version: '1'\nname: {name}\ndefault: deny\ntools:\n  a:\n"));
        let stack = |one: Policy, other: Policy| Policy::stack([one, other]).unwrap();
        let in_force = stack(whole("a"), half("b"));
        assert!(stack(whole("a"), half("b")).replacing(&in_force).is_ok());
        assert!(stack(half("b"), whole("a")).replacing(&in_force).is_ok(), "the order is another");
        assert!(stack(half("a"), half("b")).replacing(&in_force).is_err());
        assert!(stack(half("c"), half("b")).replacing(&in_force).is_err(), "nothing to go by");
        assert!(half("x").replacing(&half("y")).is_ok(), "renamed");
        assert!(half("x").replacing(&whole("y")).is_err());
    }

    /// Explanations tell whose a rule is, where there are several policies.
    #[test]
    fn an_explanation_names_the_layer() {
        let rest = ", tools: {pay: {rules: [{name: small, conditions: [{path: args.a, op: eq, value: 1}]}, {rate_limit: 5/hour}]}}";
        let args = serde_json::json!({"a": 1});
        let call = Call::new("pay", &args).identity(Identity::<&serde_json::Value>::Id("alice"));
        let told = |policy: Policy| {
            let checks = Engine::new(policy).explain(&call).checks;
            checks.into_iter().map(|check| check.what).collect::<Vec<_>>()
        };
        let alone = told(named("one", rest));
        assert_eq!(alone, ["permit \"small\"", "permit", "counter pay._rate_hour"]);
        let both = told(Policy::stack([named("one", rest), named("two", rest)]).unwrap());
        assert_eq!(both[0], "permit \"small\" in layer \"one\"");
        assert_eq!(both[3], "permit in layer \"two\"");
        assert_eq!(both[5], "counter pay._rate_hour in layer \"two\"");
    }
}
