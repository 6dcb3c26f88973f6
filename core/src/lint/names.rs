//! Names of a policy that no tool of a server has (spec 12.2).
//!
//! In: a policy and the names of all tools. Out: the names that match none, each with its place and the nearest tool. Must not take a name for
//! missing where it may be that of an inner tool.

use std::collections::HashSet;
use std::fmt;

use foldhash::fast::RandomState;

use crate::ceilings::NAME_BYTES;
use crate::diagnostic::{Span, push_segment};
use crate::engine::Engine;
use crate::glob::Glob;
use crate::policy::Policy;
use crate::store::Owner;
use crate::suggest::Suggestions;

/// A name or glob in a policy that matches none of a server's tools.
///
/// It prints as one sentence: ``line 5: `create_charges` matches no tool of the server; did you mean `create_charge`?``.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnmatchedName {
    /// As the policy has it.
    pub name: String,
    /// JSON Pointer to it, such as `/tools/create_charges`.
    pub pointer: String,
    /// Its line, from 1.
    pub line: u32,
    /// The name of the policy layer that has it; `None` where that has no name.
    pub layer: Option<String>,
    /// The tool that was probably meant.
    pub nearest: Option<String>,
    pub(super) span: Span,
}

impl UnmatchedName {
    pub(super) fn message(&self) -> String {
        format!("`{}` matches no tool of the server", self.name)
    }
}

impl fmt::Display for UnmatchedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Place { line: self.line, layer: self.layer.as_deref() }, self.message())?;
        self.nearest.as_ref().map_or(Ok(()), |near| write!(f, "; did you mean `{near}`?"))
    }
}

/// Where something stands in a policy, before a sentence about it.
pub(super) struct Place<'p> {
    pub(super) line: u32,
    pub(super) layer: Option<&'p str>,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.layer {
            Some(layer) => write!(f, "line {} of layer `{layer}`: ", self.line),
            None => write!(f, "line {}: ", self.line),
        }
    }
}

impl Policy {
    /// The names and globs of `tools`, `hide` and `dispatchers` that match none of these tools: all that a server has, hidden ones included.
    /// Where a dispatcher of the policy is among them, other names may be those of inner tools, and only dispatchers are told (spec 12.2).
    /// In the order of the policy.
    ///
    /// ```
    /// use callgate::Policy;
    /// let policy = Policy::from_yaml("{version: \"1\", default: deny, tools: {list_user: {}, 'get_*': {}}}")?;
    /// let unmatched = policy.unmatched(["list_users", "get_user"]);
    /// assert_eq!(unmatched[0].to_string(), "line 1: `list_user` matches no tool of the server; did you mean `list_users`?");
    /// assert_eq!(unmatched.len(), 1);
    /// # Ok::<(), callgate::PolicyError>(())
    /// ```
    pub fn unmatched<'t>(&self, tools: impl IntoIterator<Item = &'t str>) -> Vec<UnmatchedName> {
        let policy = &*self.0;
        let tools: HashSet<&str, RandomState> = tools.into_iter().collect();
        let mut entries: HashSet<u32, RandomState> = HashSet::default();
        let mut rules: HashSet<u32, RandomState> = HashSet::default();
        for tool in tools.iter().filter(|tool| tool.len() <= NAME_BYTES) {
            policy.each_glob_of(
                tool,
                |entry| {
                    entries.insert(entry);
                },
                |rule| {
                    rules.insert(rule);
                },
            );
        }
        let is_missing = |name: &str, is_matched: bool| match name {
            "*" => tools.is_empty(),
            name if Glob::is_glob(name) => !is_matched,
            name => !tools.contains(name),
        };
        // Each by its layer and place, for their order.
        let mut found = Vec::new();
        let mut push = |name: &str, rule: u32, pointer: Option<&str>| {
            let (Some(at), layer) = (policy.rule(rule), policy.layer_of_rule(rule)) else { return };
            let pointer = pointer.unwrap_or(at.pointer()).to_owned();
            found.push((
                policy.layer_index_of_rule(rule),
                missing(name, pointer, at.line(), at.span(), layer),
            ));
        };
        let dispatchers = || policy.nesting.iter().flat_map(|nesting| nesting.dispatchers());
        for (name, dispatcher) in dispatchers().filter(|(name, _)| is_missing(name, false)) {
            push(name, dispatcher.rule, None);
        }
        if !dispatchers().any(|(name, _)| tools.contains(&**name)) {
            for (name, rule) in &policy.hide {
                if is_missing(name, rules.contains(rule)) {
                    push(name, *rule, None);
                }
            }
            for (entry, origin) in (0_u32..).zip(&policy.origins) {
                let Owner::Tool(name) = &origin.owner else { continue };
                if is_missing(name, entries.contains(&entry)) {
                    let mut pointer = "/tools".to_owned();
                    push_segment(&mut pointer, 0, name);
                    let (at, layer) = policy.layer_of_entry(entry);
                    found.push((at, missing(name, pointer, origin.line, origin.span, layer)));
                }
            }
        }
        found.sort_by_key(|(layer, name)| (*layer, name.span));
        let mut suggestions = Suggestions::new();
        let with_nearest = |(_, name): (usize, UnmatchedName)| {
            let nearest = suggestions.nearest(&name.name, tools.iter().copied());
            UnmatchedName { nearest: nearest.map(str::to_owned), ..name }
        };
        found.into_iter().map(with_nearest).collect()
    }
}

fn missing(name: &str, pointer: String, line: u32, span: Span, layer: Option<&str>) -> UnmatchedName {
    let layer = layer.map(str::to_owned);
    UnmatchedName { name: name.to_owned(), pointer, line, layer, nearest: None, span }
}

impl Engine {
    /// [`Policy::unmatched`] by the policy in force.
    pub fn unmatched<'t>(&self, tools: impl IntoIterator<Item = &'t str>) -> Vec<UnmatchedName> {
        self.policy().unmatched(tools)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(policy: &Policy, tools: &[&str]) -> Vec<String> {
        let told = |name: UnmatchedName| format!("{} {name}", name.pointer);
        policy.unmatched(tools.iter().copied()).into_iter().map(told).collect()
    }

    #[test]
    fn each_name_has_its_place_and_the_nearest_tool() {
        let policy: Policy = "
version: '1'
default: deny
hide: [drop_tabel, 'admin_*', listed, 'hid*']
all_tools: {rules: [{rate_limit: 5/day}]}
requests: {default: allow, methods: {resources/read: {}}}
tools:
  '*': {}
  a/b~c: {}
  listed: {}
  'get_*': {}
  'put_*': {}
  '{list,lost}*': {}
"
        .parse()
        .unwrap();
        assert_eq!(
            told(&policy, &["listed", "get_user", "drop_table", "hidden"]),
            [
                "/hide/0 line 4: `drop_tabel` matches no tool of the server; did you mean `drop_table`?",
                "/hide/1 line 4: `admin_*` matches no tool of the server",
                "/tools/a~1b~0c line 9: `a/b~c` matches no tool of the server",
                "/tools/put_* line 12: `put_*` matches no tool of the server",
            ]
        );
        assert_eq!(told(&policy, &[]).len(), 10);
    }

    /// Of a stack each name is told with its layer, in the order of the layers.
    #[test]
    fn layers_are_told() {
        let base: Policy = "{version: '1', name: base, default: allow, hide: [x], tools: {y: {}, 'z*': {}}}"
            .parse()
            .unwrap();
        let team: Policy = "{version: '1', name: team, default: allow,\nhide: [x2], dispatchers: {run: {tool: args.a, args: args.b}},\n tools: {y2: {}}}".parse().unwrap();
        let stack = Policy::stack([base, team]).unwrap();
        let lines = told(&stack, &["other"]);
        let places: Vec<_> = lines.iter().map(|line| line.split(": ").next().unwrap()).collect();
        assert_eq!(
            places,
            [
                "/hide/0 line 1 of layer `base`",
                "/tools/y line 1 of layer `base`",
                "/tools/z* line 1 of layer `base`",
                "/hide/0 line 2 of layer `team`",
                "/dispatchers/run line 2 of layer `team`",
                "/tools/y2 line 3 of layer `team`",
            ]
        );
        assert_eq!(Engine::new(stack).unmatched(["x", "x2", "y", "y2", "zz", "run"]), []);
    }

    /// The inner tools of a dispatcher need not be listed.
    #[test]
    fn beside_a_dispatcher_names_may_be_those_of_inner_tools() {
        let policy: Policy = "{version: '1', default: deny, dispatchers: {call: {tool: args.a, args: args.b}, cal: {tool: args.a, args: args.b}}, hide: [i], tools: {call: {}, inner: {}}}".parse().unwrap();
        assert_eq!(
            told(&policy, &["call"]),
            ["/dispatchers/cal line 1: `cal` matches no tool of the server; did you mean `call`?"]
        );
        assert_eq!(told(&policy, &["other"]).len(), 5);
    }

    /// Names of a server are not trusted: one that takes long to be compared matches nothing, as no call of it passes.
    #[test]
    fn a_name_that_no_call_can_have_matches_nothing() {
        let policy: Policy = "{version: '1', default: deny, tools: {'a*': {}}}".parse().unwrap();
        let long = "a".repeat(NAME_BYTES + 1);
        assert_eq!(told(&policy, &[&long]).len(), 1);
        assert_eq!(told(&policy, &[&long[1..]]).len(), 0);
    }
}
