//! What the checks of a tool may read: for hosts that fetch many values at once more cheaply than one by one.
//!
//! In: the compiled policy and a tool's name. Out: the names that lead to each value. Must not be needed for a right
//! decision: evaluation reads through [`View`](crate::value::View) whatever it needs, named here or not.

use super::nested::{Dispatches, Nested, Nesting};
use super::{Compiled, Found, OnlyArgs, Policy};
use crate::call::Target;
use crate::condition::{Condition, Operator};
use crate::document::Charge;
use crate::path::{Path, Root, Segment};

/// The values that deciding a call of one tool may read, each by the names that lead to it.
///
/// A path that goes on with `[3]`, a wildcard or a view ends before it. Approvals and audit records read arguments whole; that is not
/// named here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reads<'p> {
    args: Vec<Vec<&'p str>>,
    identity: Vec<Vec<&'p str>>,
}

impl<'p> Reads<'p> {
    /// What may be read of the arguments, in the order of the checks.
    pub fn args(&self) -> &[Vec<&'p str>] {
        &self.args
    }

    /// What may be read of the identity's claims, in the order of the checks.
    pub fn identity(&self) -> &[Vec<&'p str>] {
        &self.identity
    }

    fn path(&mut self, path: &'p Path) {
        let paths = match path.root {
            Root::Args => &mut self.args,
            Root::Identity => &mut self.identity,
            Root::State | Root::Budget | Root::Tool | Root::Server => return,
        };
        let names: Vec<_> = match &path.member {
            // The very text that a view is asked for, so that a host may tell it by where it stands.
            Some(name) => vec![&**name],
            None => path.segments.iter().map_while(Segment::name).collect(),
        };
        if !names.is_empty() && !paths.contains(&names) {
            paths.push(names);
        }
    }
}

/// Shows every path of a condition, each with what is asked of its value. Recursion is as deep as the condition, which the document's depth bounds.
pub(crate) fn each_path<'p>(condition: &'p Condition, see: &mut impl FnMut(&'p Path, Option<&'p Operator>)) {
    match condition {
        Condition::Test(test) => {
            see(&test.path, Some(&test.operator));
            if let Some(operand) = test.more.as_ref().and_then(|more| more.operand.as_ref()) {
                see(operand, None);
            }
        }
        Condition::Any(conditions) | Condition::All(conditions) => {
            conditions.iter().for_each(|condition| each_path(condition, see));
        }
        Condition::Not(condition) => each_path(condition, see),
    }
}

impl Policy {
    /// What the checks of `tool` may read of a call. A hint for hosts that fetch values ahead.
    ///
    /// ```
    /// let policy = callgate::Policy::from_yaml("
    /// version: \"1\"
    /// default: deny
    /// tools:
    ///   pay: {require: [{path: \"args.items[*].price\", op: lte, value: 5}, {path: args.to.iban, op: exists, value: true}]}
    /// ")?;
    /// use callgate::__binding::BindPolicy as _;
    /// assert_eq!(policy.reads("pay").args(), [vec!["items"], vec!["to", "iban"]]);
    /// # Ok::<(), callgate::PolicyError>(())
    /// ```
    pub(crate) fn reads(&self, tool: &str) -> Reads<'_> {
        self.0.reads(tool)
    }

    /// Whether a call of `tool` is admitted and a check of it reads the arguments. Where none does, an
    /// [`ArgsCheck`](crate::ArgsCheck) has nothing to look at, and a guard need not ask for the tool's schema.
    pub fn reads_args(&self, tool: &str) -> bool {
        let (mut found, mut reads) = (Found::new(), false);
        for entry in self.0.admit(Target::Tool(tool), &mut found).unwrap_or_default() {
            reads |= self.0.dispatches(*entry).is_some();
            self.0.paths_of(*entry, &mut |_, path, _| reads |= path.root == Root::Args);
        }
        reads
    }
}

impl Compiled {
    fn reads(&self, tool: &str) -> Reads<'_> {
        let mut reads = Reads::default();
        let mut found = Found::new();
        for entry in self.admit(Target::Tool(tool), &mut found).unwrap_or_default() {
            // Which of the inner arguments are read is known once a call names the inner tool.
            if let Some(dispatches) = self.dispatches(*entry) {
                reads.path(&dispatches.dispatcher().tool);
                reads.path(&dispatches.dispatcher().args);
            }
            self.paths_of(*entry, &mut |_, path, _| reads.path(path));
        }
        reads
    }

    /// Where the inner call stands, if this is the mark of a dispatcher.
    fn dispatches(&self, mark: u32) -> Option<&Dispatches> {
        match Nesting::nested(mark, self.nesting.as_deref()) {
            Some(Nested::Dispatcher(dispatches)) => Some(dispatches),
            Some(Nested::Completion) | None => None,
        }
    }

    /// The names that an entry lets the arguments have, where it lists them.
    pub(super) fn only_args(&self, entry: u32) -> Option<&OnlyArgs> {
        self.entries.get(entry as usize)?.only_args.as_deref()
    }

    /// Shows every path that an entry's conditions, amounts and scopes read, in order, each with its rule, and
    /// with what a condition asks of the value.
    pub(crate) fn paths_of<'p>(
        &'p self,
        entry: u32,
        see: &mut impl FnMut(u32, &'p Path, Option<&'p Operator>),
    ) {
        let steps = self.entries.get(entry as usize).map_or(&[][..], |entry| &entry.steps);
        for step in steps {
            for clause in &step.conditions {
                each_path(&clause.condition, &mut |path, operator| see(step.rule, path, operator));
            }
            let mut see = |path| see(step.rule, path, None);
            let payment = step.charge.and_then(|index| self.payment(index));
            if let Some(Charge::From(path)) = payment.map(|payment| &payment.amount) {
                see(path);
            }
            let charged = payment.and_then(|payment| self.declared(payment.declared));
            let tested = step.states.iter().filter_map(|state| self.declared(state.declared));
            for declared in charged.into_iter().chain(tested) {
                declared.scope.paths().for_each(&mut see);
                declared.max_from.iter().for_each(|path| see(path));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_every_kind_of_check_reads() {
        let policy = Policy::from_yaml(
            "
version: \"1\"
default: deny
hide: [hidden]
all_tools: {deny_if: [{not: {any: [{path: identity.roles, op: contains, value: a}, {path: args.a, op: eq, value: 1}]}}]}
tools:
  pay:
    limits:
      - {counter: spend, window: day, max: 9, increment_from: args.amount, scope: identity}
      - {counter: all, window: day, max: 9, scope: global}
      - {counter: some, window: day, max: 9, scope: [args.a, args.region.name]}
    rules:
      - {action: evaluate, conditions: [{path: args.a.b, op: eq, value: 1}, {path: args.a, op: eq, value: 1}]}
      - {rate_limit: 1/day}
      - {action: deny, conditions: [{path: 'args.list[0].x', op: eq, value: 1}, {path: 'args[0]', op: eq, value: 1}, {path: tool, op: eq, value: x}]}
      - {action: deny, conditions: [{path: state.pay.spend, op: gt, value: 1}]}
  hidden: {require: [{path: args.x, op: eq, value: 1}]}
",
        )
        .unwrap();
        let mut args = policy.reads("pay").args().to_vec();
        args.sort();
        assert_eq!(args, [vec!["a"], vec!["a", "b"], vec!["amount"], vec!["list"], vec!["region", "name"]]);
        let mut identity = policy.reads("pay").identity().to_vec();
        identity.sort();
        assert_eq!(identity, [vec!["id"], vec!["roles"], vec!["session"]]);
        assert_eq!(policy.reads("hidden"), Reads::default(), "it is decided by its name");
        assert_eq!(policy.reads("other"), Reads::default());
        for (tool, reads) in [("pay", true), ("other", false), ("hidden", false)] {
            assert_eq!(policy.reads_args(tool), reads, "{tool}");
        }
    }
}
