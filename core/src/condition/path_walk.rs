//! Reaching the values that a path names (spec 4.3, 4.4, 5.6).
//!
//! In: a view and segments. Out: each value reached, or that it is absent or of the wrong type on the way. Own members
//! and elements only; nothing is converted.

use std::borrow::Cow;
use std::ops::ControlFlow;

use crate::budget::Budget;
use crate::call::Target;
use crate::identity::Identity;
use crate::path::{Path, Root, Segment};
use crate::view::{Access, Kind, Reached, Unreadable, View};

/// What stands at the end of a path.
pub(crate) enum Leaf<'v, V> {
    Value(&'v V),
    Absent,
    WrongType,
}

/// The values of a call that paths read.
pub(crate) struct CallContext<'c, A, I> {
    /// The tool's, or the other method's.
    name: &'c str,
    is_tool: bool,
    pub(crate) args: Option<&'c A>,
    pub(crate) identity: &'c Identity<'c, I>,
    pub(crate) steps: Budget,
}

impl<'c, A, I> CallContext<'c, A, I> {
    pub(crate) fn new(target: Target<'c>, args: Option<&'c A>, identity: &'c Identity<'c, I>) -> Self {
        let (Target::Tool(name) | Target::Method(name)) = target;
        Self { name, is_tool: matches!(target, Target::Tool(_)), args, identity, steps: Budget::new() }
    }

    /// What is called.
    pub(crate) fn target(&self) -> Target<'c> {
        if self.is_tool { Target::Tool(self.name) } else { Target::Method(self.name) }
    }
}

/// Receives leaves, of the view type of the path's root. `Break` ends the walk.
pub(crate) trait Visitor {
    fn leaf<V: View>(&mut self, leaf: Leaf<'_, V>) -> Result<ControlFlow<()>, Unreadable>;
}

impl<A: View, I: View> CallContext<'_, A, I> {
    /// Shows every value that `path` names to `visitor`, in order.
    #[inline]
    pub(crate) fn reach(&self, path: &Path, visitor: &mut impl Visitor) -> Result<(), Unreadable> {
        // The visitor knows whether it broke off.
        let _flow = match (path.root, self.identity) {
            (Root::Args, _) => match self.args {
                Some(args) => walk(args, &path.segments, &self.steps, visitor)?,
                None => in_empty_object::<A>(&path.segments, visitor)?,
            },
            (Root::Identity, Identity::Claims(claims)) => walk(claims, &path.segments, &self.steps, visitor)?,
            (Root::Identity, Identity::Id(id)) => match path.segments.split_first() {
                Some((Segment::Name(name) | Segment::Quoted(name), rest)) if &**name == "id" => {
                    walk(&Text(id), rest, &self.steps, visitor)?
                }
                _ => in_empty_object::<A>(&path.segments, visitor)?,
            },
            (Root::Tool, _) => self.reach_tool(visitor)?,
            // State paths are compiled into tests of counters and never reached here.
            (Root::Identity | Root::State, _) => visitor.leaf::<A>(Leaf::Absent)?,
        };
        Ok(())
    }

    /// Shows the tool's name. A function of its own: nearly no path reads it, and it would take registers of those that do not.
    #[inline(never)]
    fn reach_tool(&self, visitor: &mut impl Visitor) -> Result<ControlFlow<()>, Unreadable> {
        match self.target() {
            Target::Tool(tool) => visitor.leaf(Leaf::Value(&Text(tool))),
            Target::Method(_) => visitor.leaf::<A>(Leaf::Absent),
        }
    }
}

/// What a path finds in `{}`.
fn in_empty_object<V: View>(
    segments: &[Segment],
    visitor: &mut impl Visitor,
) -> Result<ControlFlow<()>, Unreadable> {
    visitor.leaf::<V>(match segments.first() {
        Some(Segment::Index(_) | Segment::Each) => Leaf::WrongType,
        _ => Leaf::Absent,
    })
}

/// Recursion is as deep as the path has `[*]`, which its ceiling bounds.
#[inline]
fn walk<V: View>(
    root: &V,
    segments: &[Segment],
    steps: &Budget,
    visitor: &mut impl Visitor,
) -> Result<ControlFlow<()>, Unreadable> {
    let mut held: V;
    let mut value = root;
    let mut rest = segments;
    while let Some((segment, after)) = rest.split_first() {
        if matches!(segment, Segment::Each) && kind_of(value, steps)? == Kind::Array {
            return each(value, after, steps, visitor);
        }
        match step(value, segment, steps)? {
            Reached::Value(next) => held = next,
            Reached::Absent => return visitor.leaf::<V>(Leaf::Absent),
            Reached::WrongType => return visitor.leaf::<V>(Leaf::WrongType),
        }
        value = &held;
        rest = after;
    }
    steps.take_value(value)?;
    visitor.leaf(Leaf::Value(value))
}

/// Where one segment leads. The walk itself follows `[*]`; on anything but an array, `[*]` leads where an index does.
#[inline]
fn step<V: View>(value: &V, segment: &Segment, steps: &Budget) -> Result<Reached<V>, Unreadable> {
    let index = match segment {
        Segment::Name(name) | Segment::Quoted(name) => {
            steps.take_look_up(value)?;
            return value.step(name);
        }
        Segment::Index(index) => Some(*index),
        Segment::Each => None,
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

/// What a path without `[*]` leads to from `root`, which is at least one step away. For nearly all paths, which are not worth a
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
fn kind_of<'v, V: View>(value: &'v V, steps: &Budget) -> Result<Kind<'v>, Unreadable> {
    steps.take_value(value)?;
    value.kind()
}

#[inline(never)]
fn each<V: View>(
    array: &V,
    rest: &[Segment],
    steps: &Budget,
    visitor: &mut impl Visitor,
) -> Result<ControlFlow<()>, Unreadable> {
    let mut result = Ok(ControlFlow::Continue(()));
    array.elements(|element| {
        // One to come to it, and one to set out from there.
        result = steps.take(2).and_then(|()| {
            // Otherwise taken where the walk ends.
            if !rest.is_empty() {
                steps.take_value(&element)?;
            }
            walk(&element, rest, steps, visitor)
        });
        if matches!(result, Ok(ControlFlow::Continue(()))) {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    })?;
    result
}

/// A string outside any object: the tool's name, or an identity that is only an id.
struct Text<'t>(&'t str);

impl View for Text<'_> {
    fn kind(&self) -> Result<Kind<'_>, Unreadable> {
        Ok(Kind::String(Cow::Borrowed(self.0)))
    }

    fn as_str(&self) -> Option<&str> {
        Some(self.0)
    }

    fn member(&self, _name: &str) -> Result<Option<Self>, Unreadable> {
        Ok(None)
    }

    fn element(&self, _index: usize) -> Result<Option<Self>, Unreadable> {
        Ok(None)
    }

    fn size(&self) -> Result<usize, Unreadable> {
        Ok(0)
    }

    fn elements(&self, _each: impl FnMut(Self) -> ControlFlow<()>) -> Result<(), Unreadable> {
        Ok(())
    }

    fn members(&self, _each: impl FnMut(&str, Self) -> ControlFlow<()>) -> Result<(), Unreadable> {
        Ok(())
    }
}
