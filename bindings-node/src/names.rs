//! The names that lead to what a tool's checks may read, as a tree; and the values that were fetched by them.
//!
//! In: what core names, and the values that the TypeScript half found there. Out: members without another call of JS. A
//! hint and no more: what is not here is read when it is asked for.

use callgate::__binding::{BindPolicy as _, Target};
use callgate::Policy;
use napi::Unknown;

use crate::raw::Arguments;

/// The nodes of the arguments and of the identity themselves. The same numbers stand in `ts/plan.ts`.
pub(crate) const ARGS: usize = 0;
pub(crate) const IDENTITY: usize = 1;
/// Nodes of one tree: the kind of each is two bits of an integer that JS holds without allocating.
pub(crate) const NODES: usize = 15;

/// Every node has a parent before it; the first two stand for themselves.
pub(crate) struct Names(Vec<Name>);

pub(crate) struct Name {
    pub(crate) parent: usize,
    pub(crate) name: String,
}

/// What stood at the nodes when a call was made.
#[derive(Clone, Copy)]
pub(crate) struct Fetched<'e> {
    pub(crate) names: &'e Names,
    /// Two bits for each node, from the lowest: a kind of the probe, or 0 where the value is not an object.
    pub(crate) kinds: u32,
    pub(crate) given: Arguments<'e>,
}

/// What is given before the values: the probe, the time, and the kinds.
pub(crate) const BEFORE: usize = 3;

impl Names {
    /// The names that the checks of a tool read by; the first that there is room for. No check reads another method's.
    pub(crate) fn of(policy: &Policy, target: Target<'_>) -> Self {
        let root = |parent| Name { parent, name: String::new() };
        let mut names = Self(vec![root(ARGS), root(IDENTITY)]);
        let Target::Tool(tool) = target else { return names };
        let reads = policy.reads(tool);
        let args = reads.args().iter().map(|path| (ARGS, path));
        for (root, path) in args.chain(reads.identity().iter().map(|path| (IDENTITY, path))) {
            let mut node = root;
            for name in path {
                let Some(child) = names.child_or_new(node, name) else { break };
                node = child;
            }
        }
        names
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Name> {
        self.0.iter()
    }

    fn child(&self, parent: usize, name: &str) -> Option<usize> {
        let child = |node: &Name| node.parent == parent && node.name == name;
        // The roots have no parent but themselves.
        self.0.iter().skip(IDENTITY + 1).position(child).map(|found| found.saturating_add(IDENTITY + 1))
    }

    fn child_or_new(&mut self, parent: usize, name: &str) -> Option<usize> {
        self.child(parent, name).or_else(|| {
            let node = self.0.len();
            (node < NODES).then(|| self.0.push(Name { parent, name: name.to_owned() }))?;
            Some(node)
        })
    }
}

impl<'e> Fetched<'e> {
    /// The node of a member, and what stood there, if it was fetched.
    pub(crate) fn member(&self, parent: usize, name: &str) -> Option<(usize, Unknown<'e>)> {
        let node = self.names.child(parent, name)?;
        self.value(node).map(|value| (node, value))
    }

    /// What stood at a node.
    pub(crate) fn value(&self, node: usize) -> Option<Unknown<'e>> {
        self.given.get(node.saturating_add(BEFORE))
    }

    /// The kind that the probe gave the value, 0 where it is not an object.
    pub(crate) fn kind(&self, node: usize) -> u32 {
        u32::try_from(node).ok().and_then(|node| self.kinds.checked_shr(node.saturating_mul(2))).unwrap_or(0)
            & 3
    }
}
