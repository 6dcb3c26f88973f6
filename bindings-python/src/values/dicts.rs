//! Reading dicts: the one in which the paths of a call begin, and any other.
//!
//! In: a dict and the names that a tool's checks read. Out: the values at these names. Must not answer before all keys were
//! checked: one of another class could claim to be equal to a name.

use std::cell::{Cell, OnceCell};

use callgate::value::Unreadable;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::classes::string_key;
use super::keys::{self, Pick};
use super::names::{self, ArgNames, PICKS};

/// For dicts of which nothing is picked.
static NO_NAMES: ArgNames = ArgNames::none();

/// A dict that is read again and again: its keys are looked at once.
pub(crate) struct RootDict<'r, 'py> {
    dict: &'r Bound<'py, PyDict>,
    checked: Cell<bool>,
    /// Whether it was told how many keys were passed by, as long as they are not told again.
    counted: Cell<bool>,
    /// What the tool's checks name, if that is known.
    names: &'r ArgNames,
    /// The values at these names, picked while the keys were looked at. What is not here may still be in the dict.
    picks: [OnceCell<Pick<'py>>; PICKS],
}

impl<'r, 'py> RootDict<'r, 'py> {
    #[inline(always)]
    pub(super) fn new(dict: &'r Bound<'py, PyDict>, names: Option<&'r ArgNames>) -> Self {
        Self {
            dict,
            checked: Cell::new(false),
            counted: Cell::new(false),
            names: names.unwrap_or(&NO_NAMES),
            picks: [const { OnceCell::new() }; PICKS],
        }
    }

    pub(super) fn dict(&self) -> &'r Bound<'py, PyDict> {
        self.dict
    }

    /// How many keys are looked at before the first look-up: told once.
    #[inline(always)]
    pub(super) fn unchecked(&self) -> usize {
        if self.counted.replace(true) { 0 } else { self.dict.len() }
    }

    /// The value at a name from the policy, if it is one of those that are picked and the keys are few and exact strings. What is
    /// not is left for `member`, which says why.
    #[inline(always)]
    pub(super) fn picked(&self, name: &str) -> Option<&Pick<'py>> {
        // INVARIANT: nothing is read before all keys were looked at.
        if !self.checked.get() {
            const FEW: usize = 32;
            let len = self.dict.len();
            let few = len <= FEW;
            self.checked.set(few && keys::are_exact_strings(self.dict, len, self.names.keys(), &self.picks));
            if !self.checked.get() {
                return None;
            }
        }
        let position = self.names.position(name)?;
        match self.picks.get(position)?.get() {
            Some(pick) => Some(pick),
            None => self.pick(position),
        }
    }

    /// The value at a name whose key is another object than the name's string, as those are that no program names.
    #[inline(never)]
    fn pick(&self, position: usize) -> Option<&Pick<'py>> {
        let string = self.names.string(position)?;
        let value = self.dict.get_item(string.bind(self.dict.py())).ok()??;
        Some(self.picks.get(position)?.get_or_init(|| Pick::new(value.as_borrowed())))
    }

    /// The value at a name from the policy.
    pub(super) fn member(&'r self, name: &str) -> Result<Option<Member<'r, 'py>>, Unreadable> {
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

    #[inline(never)]
    fn check(&self) -> Result<(), Unreadable> {
        check_keys(self.dict, self.names, &self.picks)?;
        self.checked.set(true);
        self.counted.set(true);
        Ok(())
    }
}

/// A value in a [`RootDict`].
pub(super) enum Member<'a, 'py> {
    Picked(&'a Pick<'py>),
    Found(Bound<'py, PyAny>),
}

/// The value at a name in a dict that is read once.
pub(super) fn member<'py>(
    dict: &Bound<'py, PyDict>,
    name: &str,
) -> Result<Option<Bound<'py, PyAny>>, Unreadable> {
    check(dict)?;
    look_up(dict, name)
}

/// Makes sure that all keys are strings whose comparison runs no code.
pub(super) fn check(dict: &Bound<'_, PyDict>) -> Result<(), Unreadable> {
    check_keys(dict, &NO_NAMES, &[const { OnceCell::new() }; PICKS])
}

#[inline(never)]
fn check_keys<'py>(
    dict: &Bound<'py, PyDict>,
    names: &ArgNames,
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
pub(super) fn look_up<'py>(
    dict: &Bound<'py, PyDict>,
    name: &str,
) -> Result<Option<Bound<'py, PyAny>>, Unreadable> {
    names::look_up(dict, name).map_err(|_| Unreadable::Host)
}
