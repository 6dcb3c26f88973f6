//! For the bench: a check of a charge whose policy is a part of the program, over this package's way into Python.
//!
//! In: arguments. Out: a decision that was made before. What it costs is what a check of such arguments cannot leave out here: the language
//! border, the look at every key, the reading of two values, and the field of the decision.

use std::cell::OnceCell;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString};

use crate::decision::Decision;
use crate::keys::{Pick, are_exact_strings};
use crate::known::PICKS;
use crate::shape::exact;

/// The decision about a charge that the bench's policy allows, made once by `decide`, who also decides what is not told here.
#[inline(always)]
pub(crate) fn by_heart(
    args: Option<&Bound<'_, PyAny>>,
    decide: impl Fn() -> PyResult<Py<Decision>>,
) -> PyResult<Py<Decision>> {
    static ALLOWED: PyOnceLock<Py<Decision>> = PyOnceLock::new();
    match args.and_then(exact) {
        Some(dict) if may_charge(dict) => {
            ALLOWED.get_or_try_init(dict.py(), decide).map(|allowed| allowed.clone_ref(dict.py()))
        }
        _ => decide(),
    }
}

/// Whether a charge is allowed by the policy of the bench.
#[inline(always)]
fn may_charge(args: &Bound<'_, PyDict>) -> bool {
    static NAMES: PyOnceLock<[Py<PyString>; 2]> = PyOnceLock::new();
    let py = args.py();
    let [amount, currency] =
        NAMES.get_or_init(py, || ["amount", "currency"].map(|name| PyString::intern(py, name).unbind()));
    let places = [amount.as_ptr().addr(), currency.as_ptr().addr(), 0, 0];
    let picks = [const { OnceCell::new() }; PICKS];
    if !are_exact_strings(args, args.len(), &places, &picks) {
        return false;
    }
    match picks.each_ref().map(OnceCell::get) {
        [Some(Pick::Int(amount)), Some(Pick::Text(currency)), ..] => {
            *amount <= 50_000 && matches!(currency.to_str(), Ok("usd" | "eur" | "gbp"))
        }
        _ => false,
    }
}
