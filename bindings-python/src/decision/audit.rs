//! Audit records: the decision with who called and which arguments, but never their values (spec 10.8).
//!
//! In: a decision and the call it is about. Out: the record. Must not keep the arguments.

use callgate::value::View;
use callgate::{ArgsHash, Call};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};

use super::object::Decision;

/// What to log of a call.
#[pyclass(module = "callgate", frozen)]
pub(crate) struct AuditRecord {
    decision: Py<Decision>,
    about: About,
}

/// How arguments are identified in records.
pub(crate) enum Hash {
    None,
    Sha256,
    Hmac(Vec<u8>),
}

/// What a record says beside the decision.
pub(crate) struct About {
    identity: Option<String>,
    keys: Vec<String>,
    hash: Option<String>,
    /// The record's JSON from behind the decision.
    tail: String,
}

impl Hash {
    /// `"none"`, `"sha256"`, or the bytes of an HMAC key.
    pub(crate) fn new(hash: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        const EXPECTED: &str = "args_hash must be 'none', 'sha256' or the bytes of an HMAC key";
        let Some(hash) = hash else { return Ok(Self::None) };
        if let Ok(key) = hash.cast::<PyBytes>() {
            return Ok(Self::Hmac(key.as_bytes().to_vec()));
        }
        match hash.cast::<PyString>() {
            Ok(name) if name == "none" => Ok(Self::None),
            Ok(name) if name == "sha256" => Ok(Self::Sha256),
            Ok(_) => Err(PyValueError::new_err(EXPECTED)),
            Err(_) => Err(PyTypeError::new_err(EXPECTED)),
        }
    }

    fn method(&self) -> ArgsHash<'_> {
        match self {
            Self::None => ArgsHash::None,
            Self::Sha256 => ArgsHash::Sha256,
            Self::Hmac(key) => ArgsHash::HmacSha256(key),
        }
    }
}

impl About {
    /// What a record says of `call` beside `decision`.
    pub(crate) fn new<A: View, I: View>(
        decision: &callgate::Decision<'_>,
        call: &Call<'_, A, I>,
        hash: &Hash,
    ) -> Self {
        let record = decision.audit(call, hash.method());
        let json = record.to_json();
        let start = "{\"decision\":".len().saturating_add(decision.to_json().len());
        Self {
            identity: record.identity().map(str::to_owned),
            keys: record.keys().to_vec(),
            hash: record.hash().map(str::to_owned),
            tail: json.get(start..).unwrap_or_default().to_owned(),
        }
    }
}

impl AuditRecord {
    pub(crate) fn new(decision: Py<Decision>, about: About) -> Self {
        Self { decision, about }
    }
}

#[pymethods]
impl AuditRecord {
    /// The decision.
    #[getter]
    fn decision(&self, py: Python<'_>) -> Py<Decision> {
        self.decision.clone_ref(py)
    }

    /// The identity's id, if it has one.
    #[getter]
    fn identity(&self) -> Option<&str> {
        self.about.identity.as_deref()
    }

    /// The names of the arguments, sorted.
    #[getter]
    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.about.keys)
    }

    /// The digest of the arguments, if the engine was told to make it.
    #[getter]
    fn hash(&self) -> Option<&str> {
        self.about.hash.as_deref()
    }

    /// The record as JSON, the same in every language.
    fn to_json(&self) -> String {
        format!("{{\"decision\":{}{}", self.decision.get().to_json(), self.about.tail)
    }

    fn __repr__(&self) -> String {
        format!("<AuditRecord {}>", self.decision.get().code())
    }
}
