//! The dict in which the paths of a call begin: arguments, or an identity's claims.
//!
//! In: a dict and the names that a tool's checks read of it. Out: values at these names. Must not answer before all keys were
//! looked at: one of another class could claim to be equal to a name.

use std::cell::{Cell, OnceCell};

use callgate::value::Unreadable;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::keys::{self, Pick};
use crate::known::{Names, PICKS};
use crate::names;
use crate::shape::{Shape, exact, string_key};
use crate::view::{Budget, PyView};

/// For dicts of which nothing is picked.
static NO_NAMES: Names = Names::none();

/// Arguments, or claims, as a host passed them.
pub(crate) enum Top<'r, 'py> {
    Dict(Root<'r, 'py>),
    Other(&'r Bound<'py, PyAny>),
}

impl<'r, 'py> Top<'r, 'py> {
    #[inline(always)]
    pub(crate) fn new(object: &'r Bound<'py, PyAny>, names: Option<&'r Names>, budget: &Budget) -> Self {
        match exact(object).or_else(|| extended(object, budget)) {
            Some(dict) => Self::Dict(Root::new(dict, names)),
            None => Self::Other(object),
        }
    }

    #[inline(always)]
    pub(crate) fn view(&'r self, budget: &'r Budget) -> PyView<'r, 'py> {
        match self {
            Self::Dict(root) => PyView::root(root, budget),
            Self::Other(object) => PyView::new(object, budget),
        }
    }
}

/// The object as a dict, if it is one of a subclass that changes nothing about what is stored.
#[inline(never)]
fn extended<'r, 'py>(object: &'r Bound<'py, PyAny>, budget: &Budget) -> Option<&'r Bound<'py, PyDict>> {
    let dict = object.cast().ok()?;
    matches!(Shape::of(object.clone(), budget), Shape::Dict(_)).then_some(dict)
}

/// A dict that is read again and again: its keys are looked at once.
pub(crate) struct Root<'r, 'py> {
    dict: &'r Bound<'py, PyDict>,
    checked: Cell<bool>,
    /// Whether it was told how many keys were passed by, as long as they are not told again.
    counted: Cell<bool>,
    /// What the tool's checks name, if that is known.
    names: &'r Names,
    /// The values at these names, picked while the keys were looked at. What is not here may still be in the dict.
    picks: [OnceCell<Pick<'py>>; PICKS],
}

impl<'r, 'py> Root<'r, 'py> {
    #[inline(always)]
    pub(crate) fn new(dict: &'r Bound<'py, PyDict>, names: Option<&'r Names>) -> Self {
        Self {
            dict,
            checked: Cell::new(false),
            counted: Cell::new(false),
            names: names.unwrap_or(&NO_NAMES),
            picks: [const { OnceCell::new() }; PICKS],
        }
    }

    pub(crate) fn dict(&self) -> &'r Bound<'py, PyDict> {
        self.dict
    }

    /// How many keys are looked at before the first look-up: told once.
    #[inline(always)]
    pub(crate) fn hops(&self) -> usize {
        if self.counted.replace(true) {
            return 0;
        }
        if !self.checked.get() {
            self.check_few_apart();
        }
        self.dict.len()
    }

    /// The value at a name from the policy.
    pub(crate) fn member(&'r self, name: &str) -> Result<Option<Member<'r, 'py>>, Unreadable> {
        if !self.checked.get() {
            self.check()?;
        }
        let position = self.names.position(name);
        match position.and_then(|position| self.picks.get(position)).and_then(OnceCell::get) {
            Some(pick) => Ok(Some(Member::Picked(pick))),
            None => Ok(self.look_up(position, name)?.map(Member::Found)),
        }
    }

    #[inline(never)]
    fn look_up(&self, position: Option<usize>, name: &str) -> Result<Option<Bound<'py, PyAny>>, Unreadable> {
        match position.and_then(|position| self.names.string(position)) {
            Some(string) => self.dict.get_item(string.bind(self.dict.py())).map_err(|_| Unreadable::Host),
            None => look_up(self.dict, name),
        }
    }

    /// Looks at the keys, if they are few and a check names one. What is no exact string is left for `check`, which says why.
    #[inline(always)]
    pub(crate) fn look_ahead(&self) {
        if !self.names.is_none() {
            self.check_few();
        }
    }

    #[inline(always)]
    fn check_few(&self) {
        const FEW: usize = 32;
        let len = self.dict.len();
        let few = len <= FEW;
        self.checked.set(few && keys::are_exact_strings(self.dict, len, self.names.keys(), &self.picks));
    }

    #[inline(never)]
    fn check_few_apart(&self) {
        self.check_few();
    }

    #[inline(never)]
    fn check(&self) -> Result<(), Unreadable> {
        check_keys(self.dict, self.names, &self.picks)?;
        self.checked.set(true);
        self.counted.set(true);
        Ok(())
    }
}

/// A value in a [`Root`].
pub(crate) enum Member<'a, 'py> {
    Picked(&'a Pick<'py>),
    Found(Bound<'py, PyAny>),
}

/// The value at a name in a dict that is read once.
pub(crate) fn member<'py>(
    dict: &Bound<'py, PyDict>,
    name: &str,
) -> Result<Option<Bound<'py, PyAny>>, Unreadable> {
    check(dict)?;
    look_up(dict, name)
}

/// Makes sure that all keys are strings whose comparison runs no code.
pub(crate) fn check(dict: &Bound<'_, PyDict>) -> Result<(), Unreadable> {
    check_keys(dict, &NO_NAMES, &[const { OnceCell::new() }; PICKS])
}

#[inline(never)]
fn check_keys<'py>(
    dict: &Bound<'py, PyDict>,
    names: &Names,
    picks: &[OnceCell<Pick<'py>>; PICKS],
) -> Result<(), Unreadable> {
    if keys::are_exact_strings(dict, dict.len(), names.keys(), picks) { Ok(()) } else { check_each(dict) }
}

#[cold]
fn check_each(dict: &Bound<'_, PyDict>) -> Result<(), Unreadable> {
    dict.keys().iter().try_for_each(|key| string_key(&key).map_err(|_| Unreadable::Host)?.map_err(|why| *why))
}

/// The value at a name in a dict whose keys were looked at.
#[inline(never)]
pub(crate) fn look_up<'py>(
    dict: &Bound<'py, PyDict>,
    name: &str,
) -> Result<Option<Bound<'py, PyAny>>, Unreadable> {
    names::look_up(dict, name).map_err(|_| Unreadable::Host)
}
