//! Whether a schema admits what stands at the places that rules read.
//!
//! In: a compiled schema, arguments and the places. Out: the first place whose value is of a JSON type that the schema does not
//! admit there. Looks at nothing else in the arguments. Every look takes steps.

use std::ops::ControlFlow;

use super::{ANYTHING, InputSchema, Node, NodeId, Types};
use crate::admission::Place;
use crate::budget::Budget;
use crate::ceilings::ARGUMENT_DEPTH;
use crate::view::{Access, Kind, Reached, Unreadable, View};

/// Subschemas that may apply to one value one inside another. What goes beyond is a reference that leads back to itself.
const NESTED: u8 = 32;
/// Subschemas that may apply one inside another, over all levels of the arguments. Bounds the recursion, so a call beyond is
/// denied.
const LEVELS: u16 = 512;

impl Types {
    pub(super) fn of(kind: &Kind<'_>) -> Self {
        match kind {
            Kind::Null => Self::NULL,
            Kind::Bool(_) => Self::BOOLEAN,
            Kind::Number(number) if number.is_integer() => Self::INTEGER,
            Kind::Number(_) => Self::FRACTION,
            Kind::String(_) => Self::STRING,
            Kind::Array => Self::ARRAY,
            Kind::Object => Self::OBJECT,
            Kind::Foreign => Self::FOREIGN,
        }
    }
}

/// Where a walk is: how deep in the arguments and in the schema.
#[derive(Debug, Clone, Copy, Default)]
struct Depth {
    value: usize,
    nested: u8,
    levels: u16,
}

impl Depth {
    /// Into a part of the value.
    fn part(self) -> Result<Self, Unreadable> {
        let value = self.value.saturating_add(1);
        if value >= ARGUMENT_DEPTH {
            return Err(Unreadable::TooDeep);
        }
        Ok(Self { value, nested: 0, ..self })
    }

    /// Into a subschema of the same value; `None` where that leads nowhere.
    fn nested(self) -> Option<Self> {
        let nested = self.nested.saturating_add(1);
        (nested <= NESTED).then_some(Self { nested, ..self })
    }

    fn entered(self) -> Result<Self, Unreadable> {
        let levels = self.levels.saturating_add(1);
        if levels > LEVELS { Err(Unreadable::TooDeep) } else { Ok(Self { levels, ..self }) }
    }
}

/// A walk of arguments by a schema.
pub(crate) struct Walk<'w> {
    schema: &'w InputSchema,
    steps: &'w Budget,
}

/// The place that is not admitted, if there is one.
type Refused<'p> = Result<Option<&'p Place>, Unreadable>;

impl<'w> Walk<'w> {
    pub(crate) fn new(schema: &'w InputSchema, steps: &'w Budget) -> Self {
        Self { schema, steps }
    }

    /// The first place of `args` whose value the schema does not admit by its type.
    pub(crate) fn refused<'p, V: View>(&self, args: &V, places: &'p Place) -> Refused<'p> {
        self.at(0, args, places, places.is_read(), Depth::default())
    }

    fn at<'p, V: View>(
        &self,
        id: NodeId,
        value: &V,
        place: &'p Place,
        whole: bool,
        depth: Depth,
    ) -> Refused<'p> {
        let Some(node) = self.schema.0.get(id) else { return Ok(None) };
        self.steps.take_value(value)?;
        let kind = Types::of(&value.kind()?);
        self.node(node, value, kind, place, whole, depth)
    }

    /// Checks a value of type `kind` by a subschema: the value whole if `whole`, else the places in it.
    fn node<'p, V: View>(
        &self,
        node: &Node,
        value: &V,
        kind: Types,
        place: &'p Place,
        whole: bool,
        depth: Depth,
    ) -> Refused<'p> {
        self.steps.take(1)?;
        let depth = depth.entered()?;
        if !node.types.has(kind) {
            return Ok(Some(place));
        }
        if let Some(nested) = depth.nested() {
            for id in &node.all {
                let Some(node) = self.schema.0.get(*id) else { continue };
                if let Some(refused) = self.node(node, value, kind, place, whole, nested)? {
                    return Ok(Some(refused));
                }
            }
            for alternatives in &node.any {
                if let Some(refused) = self.none_of(alternatives, value, kind, place, whole, nested)? {
                    return Ok(Some(refused));
                }
            }
        }
        match kind {
            Types::OBJECT => self.members(node, value, place, whole, depth),
            Types::ARRAY => self.elements(node, value, place, whole, depth),
            _ => Ok(None),
        }
    }

    /// The place that no alternative admits: the deepest that all but the type of the value itself lead to, else this one.
    fn none_of<'p, V: View>(
        &self,
        alternatives: &[NodeId],
        value: &V,
        kind: Types,
        place: &'p Place,
        whole: bool,
        depth: Depth,
    ) -> Refused<'p> {
        let mut deepest = place;
        for id in alternatives {
            let Some(node) = self.schema.0.get(*id) else { return Ok(None) };
            match self.node(node, value, kind, place, whole, depth)? {
                None => return Ok(None),
                Some(refused) if !std::ptr::eq(refused, place) => deepest = refused,
                Some(_) => {}
            }
        }
        Ok(Some(deepest))
    }

    fn members<'p, V: View>(
        &self,
        node: &Node,
        value: &V,
        place: &'p Place,
        whole: bool,
        depth: Depth,
    ) -> Refused<'p> {
        let of = |name: &str| node.members.get(name).copied().unwrap_or(node.others);
        if node.members.is_empty() && node.says_nothing_of_members() {
            return Ok(None);
        }
        if !whole {
            for (name, member) in place.members() {
                if of(name) == ANYTHING {
                    continue;
                }
                self.steps.take(1)?;
                self.steps.take_look_up(value)?;
                if let Reached::Value(value) = value.step(name)?
                    && let Some(refused) =
                        self.at(of(name), &value, member, member.is_read(), depth.part()?)?
                {
                    return Ok(Some(refused));
                }
            }
        }
        let (place, whole) = match (whole, place.every()) {
            (true, _) => (place, true),
            (false, Some(every)) => (every, every.is_read()),
            (false, None) => return Ok(None),
        };
        let depth = depth.part()?;
        let mut result = Ok(None);
        value.members(|name, value| {
            result = self
                .steps
                .take(1)
                .and_then(|()| self.steps.take_text(name))
                .and_then(|()| self.at(of(name), &value, place, whole, depth));
            more(&result)
        })?;
        result
    }

    fn elements<'p, V: View>(
        &self,
        node: &Node,
        value: &V,
        place: &'p Place,
        whole: bool,
        depth: Depth,
    ) -> Refused<'p> {
        let of = |index: usize| node.first.get(index).copied().unwrap_or(node.rest);
        if node.first.is_empty() && node.rest == ANYTHING {
            return Ok(None);
        }
        let indexes = (!whole).then(|| place.indexes());
        for (index, element) in indexes.into_iter().flatten() {
            self.steps.take(value.cost(Access::Element(*index)))?;
            if let Some(value) = value.element(*index)?
                && let Some(refused) =
                    self.at(of(*index), &value, element, element.is_read(), depth.part()?)?
            {
                return Ok(Some(refused));
            }
        }
        let (place, whole) = match (whole, place.elements()) {
            (true, _) => (place, true),
            (false, Some(each)) => (each, each.is_read()),
            (false, None) => return Ok(None),
        };
        let depth = depth.part()?;
        let (mut result, mut index) = (Ok(None), 0_usize);
        value.elements(|value| {
            result = self.steps.take(2).and_then(|()| self.at(of(index), &value, place, whole, depth));
            index = index.saturating_add(1);
            more(&result)
        })?;
        result
    }
}

fn more(result: &Refused<'_>) -> ControlFlow<()> {
    if matches!(result, Ok(None)) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
}
