//! Reaching the values that a path names (spec 4.3, 4.4, 5.6).
//!
//! In: a view and segments. Out: each value reached, or that it is absent or of the wrong type on the way. Own members
//! and elements only; nothing is converted.

use std::ops::ControlFlow;

use super::made::Made;
use super::path_views::walk_far;
use crate::budget::Budget;
use crate::call::{Beside, Target};
use crate::identity::Identity;
use crate::path::{Path, Reading, Root, Segment};
use crate::view::{Access, Kind, Reached, Unreadable, View};

/// What stands at the end of a path.
pub(crate) enum Leaf<'v, V> {
    /// A value, and how its strings are read.
    Value(&'v V, Reading),
    Absent,
    WrongType(Wrong),
}

/// What makes a wrong type (spec 4.4, 4.7). It decides nothing more: only explanations tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// The value has no such parts.
    Step,
    /// `.**` leads to a value that is no text (spec 5.32).
    NoText,
    /// A view does not take the value.
    View,
    /// A view does not take null.
    NullView,
    /// `@json` does not take the text.
    Json,
    /// A view of strings does not take one with two readings (spec 5.27).
    TwoReadings,
}

/// What is left of a path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way<'w> {
    pub(super) segments: &'w [Segment],
    /// How strings are read here.
    pub(super) reading: Reading,
    pub(super) steps: &'w Budget,
}

/// The values of a call that paths read.
pub(crate) struct CallContext<'c, A, I> {
    /// The tool's, or the other method's.
    name: &'c str,
    is_tool: bool,
    pub(crate) args: Option<&'c A>,
    pub(crate) identity: &'c Identity<'c, I>,
    pub(crate) beside: &'c Beside<'c>,
    pub(crate) steps: Budget,
}

impl<'c, A, I> CallContext<'c, A, I> {
    pub(crate) fn new(
        target: Target<'c>,
        args: Option<&'c A>,
        identity: &'c Identity<'c, I>,
        beside: &'c Beside<'c>,
    ) -> Self {
        let (Target::Tool(name) | Target::Method(name)) = target;
        Self {
            name,
            is_tool: matches!(target, Target::Tool(_)),
            args,
            identity,
            beside,
            steps: Budget::new(),
        }
    }

    /// What is called.
    pub(crate) fn target(&self) -> Target<'c> {
        if self.is_tool { Target::Tool(self.name) } else { Target::Method(self.name) }
    }
}

/// Receives leaves, of the view type of the path's root. `Break` ends the walk.
pub(crate) trait Visitor {
    fn leaf<V: View>(&mut self, leaf: Leaf<'_, V>) -> Result<ControlFlow<()>, Unreadable>;

    /// Whether `.**` passes by what is no string (spec 5.32).
    fn passes_by(&self) -> bool {
        false
    }
}

impl<A: View, I: View> CallContext<'_, A, I> {
    /// Shows every value that `path` names to `visitor`, in order.
    #[inline]
    pub(crate) fn reach(&self, path: &Path, visitor: &mut impl Visitor) -> Result<(), Unreadable> {
        let way = Way { segments: &path.segments, reading: path.reading, steps: &self.steps };
        // The visitor knows whether it broke off.
        let _flow = match (path.root, self.identity) {
            (Root::Args, _) => match self.args {
                Some(args) => walk(args, way, visitor)?,
                None => walk(&Made::Nothing, way, visitor)?,
            },
            (Root::Identity, Identity::Claims(claims)) => walk(claims, way, visitor)?,
            (Root::Identity, Identity::Id(id)) => walk(&Made::Id(id), way, visitor)?,
            (Root::Tool | Root::Server, _) => self.reach_name(path.root, visitor)?,
            // Paths of counters and budgets are compiled into tests of them and never reached here.
            (Root::Identity | Root::State | Root::Budget, _) => visitor.leaf::<A>(Leaf::Absent)?,
        };
        Ok(())
    }

    /// Shows the tool's name, or the server's. A function of its own: nearly no path reads it, and it would take registers of those that do not.
    #[inline(never)]
    fn reach_name(&self, root: Root, visitor: &mut impl Visitor) -> Result<ControlFlow<()>, Unreadable> {
        let name = if root == Root::Server { self.beside.server } else { self.target().tool() };
        match name {
            Some(name) => visitor.leaf(Leaf::Value(&Made::Text(name), Reading::Plain)),
            None => visitor.leaf::<A>(Leaf::Absent),
        }
    }
}

/// Recursion is as deep as the path has segments that are more than a step, which its ceiling bounds.
#[inline]
pub(super) fn walk<V: View>(
    root: &V,
    way: Way<'_>,
    visitor: &mut impl Visitor,
) -> Result<ControlFlow<()>, Unreadable> {
    let mut held: V;
    let mut value = root;
    let mut rest = way.segments;
    while let Some((segment, segments)) = rest.split_first() {
        if !segment.is_step() {
            return walk_far(value, segment, Way { segments, ..way }, visitor);
        }
        match step(value, segment, way.steps)? {
            Reached::Value(next) => held = next,
            Reached::Absent => return visitor.leaf::<V>(Leaf::Absent),
            Reached::WrongType => return visitor.leaf::<V>(Leaf::WrongType(Wrong::Step)),
        }
        value = &held;
        rest = segments;
    }
    way.steps.take_value(value)?;
    visitor.leaf(Leaf::Value(value, way.reading))
}

/// Where a step leads. What is more than a step leads nowhere here: [`walk_far`] follows it.
#[inline]
fn step<V: View>(value: &V, segment: &Segment, steps: &Budget) -> Result<Reached<V>, Unreadable> {
    let index = match segment {
        Segment::Name(name) | Segment::Quoted(name) => {
            steps.take_look_up(value)?;
            return value.step(name);
        }
        Segment::Index(index) => Some(*index),
        Segment::Each | Segment::Members | Segment::Scalars | Segment::View(_) => None,
    };
    Ok(match (kind_of(value, steps)?, index) {
        (Kind::Array, Some(index)) => {
            steps.take(value.cost(Access::Element(index)))?;
            value.element(index)?.map_or(Reached::Absent, Reached::Value)
        }
        (Kind::Null, _) => Reached::Absent,
        _ => Reached::WrongType,
    })
}

/// What a direct path leads to from `root`, which is at least one step away. For nearly all paths, which are not worth a
/// visitor.
pub(super) fn find<V: View>(
    root: &V,
    segments: &[Segment],
    steps: &Budget,
) -> Result<Reached<V>, Unreadable> {
    let Some((first, rest)) = segments.split_first() else { return Ok(Reached::WrongType) };
    let mut reached = step(root, first, steps)?;
    for segment in rest {
        let Reached::Value(value) = &reached else { break };
        reached = step(value, segment, steps)?;
    }
    Ok(reached)
}

/// The kind of a value that a path steps into. Takes the steps of reading it.
pub(super) fn kind_of<'v, V: View>(value: &'v V, steps: &Budget) -> Result<Kind<'v>, Unreadable> {
    steps.take_value(value)?;
    value.kind()
}
