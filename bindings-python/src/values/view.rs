//! Python objects as the core reads them: in place.
//!
//! In: a borrowed object and a budget. Out: a [`View`]. Must not convert what no check asks for, raise, or panic,
//! whatever the object's class does.

use std::borrow::Cow;
use std::ops::ControlFlow;

use callgate::__binding::cost_of_f64;
use callgate::value::{Access, Kind, Number, Reached, Unreadable, View};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::budget::Budget;
use super::classes::exact;
use super::dicts::{self, Member, RootDict};
use super::integer;
use super::keys::Pick;
use super::names::ArgNames;
use super::shape::Shape;

/// A Python object, read in place. The order of fields matters: an error in its place lies where the budget is, not in a word
/// that is passed on.
#[repr(C)]
pub(crate) struct PyView<'r, 'py> {
    budget: &'r Budget,
    shape: Shape<'r, 'py>,
}

impl<'r, 'py> PyView<'r, 'py> {
    #[inline]
    pub(crate) fn new(object: &Bound<'py, PyAny>, budget: &'r Budget) -> Self {
        Self::of(object.clone(), budget)
    }

    #[inline(always)]
    fn of(object: Bound<'py, PyAny>, budget: &'r Budget) -> Self {
        Self::taking(budget, || Shape::of(object, budget))
    }

    #[inline(always)]
    fn taking(budget: &'r Budget, shape: impl FnOnce() -> Shape<'r, 'py>) -> Self {
        let shape = if budget.take(1) { shape() } else { Shape::Unreadable(&Unreadable::TooLarge) };
        Self { budget, shape }
    }

    /// An `int` or text that was picked during the key walk: reading it costs no visit.
    fn of_pick(&self, pick: &'r Pick<'py>) -> Self {
        let shape = match pick {
            Pick::Int(whole) => Shape::Int(*whole),
            Pick::Text(text) => Shape::Text(text),
            Pick::Other(value) => return Self::of(value.clone(), self.budget),
        };
        Self { budget: self.budget, shape }
    }

    fn of_member(&self, member: Member<'r, 'py>) -> Self {
        match member {
            Member::Picked(pick) => self.of_pick(pick),
            Member::Found(value) => Self::of(value, self.budget),
        }
    }
}

impl PyView<'_, '_> {
    #[inline(never)]
    fn step_further(&self, name: &str) -> Result<Reached<Self>, Unreadable> {
        // An object is looked into without asking what kind of value it is.
        if let Shape::Root(_) | Shape::Dict(_) | Shape::Copy(_) = &self.shape {
            return Ok(self.member(name)?.map_or(Reached::Absent, Reached::Value));
        }
        Ok(match self.kind()? {
            Kind::Null | Kind::Object => Reached::Absent,
            _ => Reached::WrongType,
        })
    }
}

fn string<'a>(text: &'a Bound<'_, PyString>) -> Result<Kind<'a>, Unreadable> {
    // What has no UTF-8 form holds a lone surrogate.
    text.to_str().map(|text| Kind::String(Cow::Borrowed(text))).map_err(|_| Unreadable::LoneSurrogate)
}

impl View for PyView<'_, '_> {
    #[inline]
    fn kind(&self) -> Result<Kind<'_>, Unreadable> {
        Ok(match &self.shape {
            Shape::Null => Kind::Null,
            Shape::True => Kind::Bool(true),
            Shape::False => Kind::Bool(false),
            Shape::Int(whole) => Kind::Number(Number::from_i64(*whole)),
            Shape::Long(int) => Kind::Number(integer::long(int)?),
            // NaN and the infinities are not JSON values.
            Shape::Float(float) => Number::from_f64(*float).map_or(Kind::Foreign, Kind::Number),
            Shape::String(text) => string(text)?,
            Shape::Text(text) => string(text)?,
            Shape::List(_) | Shape::Tuple(_) => Kind::Array,
            Shape::Root(_) | Shape::Dict(_) | Shape::Copy(_) | Shape::Empty => Kind::Object,
            Shape::Foreign => Kind::Foreign,
            Shape::Unreadable(unreadable) => return Err(**unreadable),
        })
    }

    #[inline]
    fn is_object(&self) -> Result<bool, Unreadable> {
        match &self.shape {
            Shape::Root(_) | Shape::Dict(_) | Shape::Copy(_) | Shape::Empty => Ok(true),
            Shape::Unreadable(unreadable) => Err(**unreadable),
            _ => Ok(false),
        }
    }

    #[inline]
    fn as_i64(&self) -> Option<i64> {
        match self.shape {
            Shape::Int(whole) => Some(whole),
            _ => None,
        }
    }

    #[inline]
    fn as_str(&self) -> Option<&str> {
        match &self.shape {
            Shape::Text(text) => text.to_str().ok(),
            Shape::String(text) => text.to_str().ok(),
            _ => None,
        }
    }

    fn member(&self, name: &str) -> Result<Option<Self>, Unreadable> {
        let value = match &self.shape {
            Shape::Root(root) => return Ok(root.member(name)?.map(|member| self.of_member(member))),
            Shape::Dict(dict) => dicts::member(dict, name)?,
            Shape::Copy(dict) => dicts::look_up(dict, name)?,
            _ => None,
        };
        Ok(value.map(|value| Self::of(value, self.budget)))
    }

    /// A picked value is used in place: a view that is passed on goes through memory.
    #[inline(always)]
    fn step(&self, name: &str) -> Result<Reached<Self>, Unreadable> {
        if let Shape::Root(root) = &self.shape
            && let Some(pick) = root.picked(name)
        {
            let shape = match pick {
                Pick::Int(whole) => Shape::Int(*whole),
                Pick::Text(text) => Shape::Text(text),
                Pick::Other(_) => return self.step_further(name),
            };
            return Ok(Reached::Value(Self { budget: self.budget, shape }));
        }
        self.step_further(name)
    }

    fn element(&self, index: usize) -> Result<Option<Self>, Unreadable> {
        if index >= self.size()? {
            return Ok(None);
        }
        let element = match &self.shape {
            Shape::List(list) => list.get_item(index),
            Shape::Tuple(tuple) => tuple.get_item(index),
            _ => return Ok(None),
        };
        element.map(|element| Some(Self::of(element, self.budget))).map_err(|_| Unreadable::Host)
    }

    #[inline]
    fn cost(&self, access: Access) -> u64 {
        /// Of a key, which is looked at before the first look-up.
        const KEY: u64 = 3;
        match (access, &self.shape) {
            (Access::Read, Shape::Long(int)) => integer::cost(int),
            (Access::Read, Shape::Float(float)) => cost_of_f64(*float),
            (Access::Member, Shape::Root(root)) => (root.unchecked() as u64).saturating_mul(KEY),
            (Access::Member, Shape::Dict(dict)) => (dict.len() as u64).saturating_mul(KEY),
            _ => 0,
        }
    }

    fn size(&self) -> Result<usize, Unreadable> {
        Ok(match &self.shape {
            Shape::List(list) => list.len(),
            Shape::Tuple(tuple) => tuple.len(),
            Shape::Root(root) => root.dict().len(),
            Shape::Dict(dict) | Shape::Copy(dict) => dict.len(),
            _ => 0,
        })
    }

    fn elements(&self, mut each: impl FnMut(Self) -> ControlFlow<()>) -> Result<(), Unreadable> {
        // The length is asked for each time: code that another element runs may change the list.
        let mut index = 0_usize;
        while let Some(element) = self.element(index)? {
            if each(element).is_break() {
                break;
            }
            index = index.saturating_add(1);
        }
        Ok(())
    }

    fn members(&self, mut each: impl FnMut(&str, Self) -> ControlFlow<()>) -> Result<(), Unreadable> {
        let dict = match &self.shape {
            Shape::Root(root) => root.dict(),
            Shape::Dict(dict) | Shape::Copy(dict) => dict,
            _ => return Ok(()),
        };
        dicts::check(dict)?;
        // A copy of the references, made before anything can change the dict.
        let members: Vec<(Bound<'_, PyAny>, Bound<'_, PyAny>)> = dict.iter().collect();
        for (key, value) in members {
            let key = key.cast::<PyString>().map_err(|_| Unreadable::KeyNotString)?;
            let name = key.to_str().map_err(|_| Unreadable::LoneSurrogate)?;
            if each(name, Self::of(value, self.budget)).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// Arguments, or claims, as a host passed them.
pub(crate) enum RootValue<'r, 'py> {
    Absent,
    Dict(RootDict<'r, 'py>),
    Other(&'r Bound<'py, PyAny>),
}

impl<'r, 'py> RootValue<'r, 'py> {
    /// `names` are the members that checks read. Built in place, because it is too large to be moved.
    #[inline(always)]
    pub(crate) fn new(
        object: Option<&'r Bound<'py, PyAny>>,
        names: Option<&'r ArgNames>,
        budget: &Budget,
    ) -> Self {
        match object {
            None => Self::Absent,
            Some(object) => match exact(object) {
                Some(dict) => Self::Dict(RootDict::new(dict, names)),
                None => Self::of_other(object, names, budget),
            },
        }
    }

    #[inline(never)]
    fn of_other(object: &'r Bound<'py, PyAny>, names: Option<&'r ArgNames>, budget: &Budget) -> Self {
        match extended(object, budget) {
            Some(dict) => Self::Dict(RootDict::new(dict, names)),
            None => Self::Other(object),
        }
    }

    /// As core reads it. What is absent is an object without members.
    #[inline(always)]
    pub(crate) fn view(&'r self, budget: &'r Budget) -> PyView<'r, 'py> {
        match self {
            Self::Absent => PyView { budget, shape: Shape::Empty },
            Self::Dict(root) => PyView::taking(budget, || Shape::Root(root)),
            Self::Other(object) => PyView::new(object, budget),
        }
    }
}

/// The object as a dict, if it is one of a subclass that changes nothing about what is stored.
fn extended<'r, 'py>(object: &'r Bound<'py, PyAny>, budget: &Budget) -> Option<&'r Bound<'py, PyDict>> {
    let dict = object.cast().ok()?;
    matches!(Shape::of(object.clone(), budget), Shape::Dict(_)).then_some(dict)
}
