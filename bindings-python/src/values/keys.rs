//! The keys of a dict, looked at without taking a reference to any of them.
//!
//! In: a dict. Out: whether all its keys are exact strings, and the values at a few of them. Must not run Python code. All
//! unsafe code of the package is here: this is done for every call, and pyo3's own iterators count a reference to each key and
//! each value up and down.

use std::cell::OnceCell;
use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::critical_section::with_critical_section;
use pyo3::types::{PyDict, PyString};

use super::classes::exact;
use super::integer;
use super::names::PICKS;

/// A value that was picked from a dict.
pub(super) enum Pick<'py> {
    /// An `int` of up to 64 bits, of which nothing else is kept.
    Int(i64),
    Text(Bound<'py, PyString>),
    Other(Bound<'py, PyAny>),
}

impl<'py> Pick<'py> {
    #[inline(always)]
    pub(super) fn new(value: Borrowed<'_, 'py, PyAny>) -> Self {
        if let Some(text) = exact(&value) {
            return Self::Text(text.clone());
        }
        match exact(&value).and_then(integer::small) {
            Some(whole) => Self::Int(whole),
            None => Self::Other(value.to_owned()),
        }
    }
}

/// Whether every key, of which there are `len`, is a `str` and no instance of a subclass, so that comparing it runs no code of the caller. On the way, each
/// value whose key stands at one of `places`, which is where a living string is or 0, is picked; where the answer is no, some
/// may not be.
#[inline(never)]
#[expect(
    unsafe_code,
    reason = "safe iterators take a reference to each key and value, which costs more than the check"
)]
pub(super) fn are_exact_strings<'py>(
    dict: &Bound<'py, PyDict>,
    len: usize,
    places: &[usize; PICKS],
    picks: &[OnceCell<Pick<'py>>; PICKS],
) -> bool {
    let [first, second, third, fourth] = *places;
    // Without a GIL, this keeps other threads from the dict.
    with_critical_section(dict, || {
        let (mut position, mut key, mut value) = (0, ptr::null_mut(), ptr::null_mut());
        // One step for each key: learning that there are no more would take another.
        for _ in 0..len {
            // SAFETY: `dict` is a live dict, and `position` begins at 0 and is written by this function alone. Nothing between
            // two steps can change the dict: comparing pointers and counting a reference up runs no code.
            let found =
                unsafe { ffi::PyDict_Next(dict.as_ptr(), &raw mut position, &raw mut key, &raw mut value) }
                    != 0;
            // SAFETY: the step succeeded where this is asked, so `key` is a live object, which the unchanged dict holds.
            if !found || unsafe { ffi::PyUnicode_CheckExact(key) } == 0 {
                return false;
            }
            // Places are filled in order, and most tools need one or two.
            let position = match key.addr() {
                place if place == first => 0,
                place if place == second => 1,
                _ if third == 0 => continue,
                place if place == third => 2,
                place if place == fourth => 3,
                _ => continue,
            };
            if let Some(pick) = picks.get(position) {
                // SAFETY: the step succeeded, so `value` is a live object, which the unchanged dict holds. Reading an exact
                // `int` runs no code.
                let _ = pick.set(Pick::new(unsafe { Borrowed::from_ptr(dict.py(), value) }));
            }
        }
        true
    })
}
