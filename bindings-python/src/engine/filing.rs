//! Calls that wait for a person's approval, filed in the engine's store (spec 7.7 to 7.12).
//!
//! In: a decision that asks for approval, and who calls. Out: where the filed call stands. Must not decide: a grant is an approval, which
//! the engine is shown.

use callgate::store::{
    Answered, ApprovalAnswer, ApprovalArgs, ApprovalCall, ApprovalRecord, ApprovalRequest, Filed,
};
use callgate::time::Timestamp;
use pyo3::prelude::*;

use crate::decision::Decision;
use crate::error;
use crate::store::Handle;

/// The state, the record's id, the id of a grant, when it was answered in seconds, and by whom.
pub(super) type FiledCall = (&'static str, String, Option<String>, Option<f64>, Option<String>);

/// Files the call, or finds it. `None` where the decision asks for no approval.
pub(super) fn file(
    py: Python<'_>,
    store: &Handle,
    decision: &Decision,
    (server, caller): (&str, Option<&str>),
    (text, keys): (Option<&str>, Option<Vec<String>>),
    now: Timestamp,
) -> PyResult<Option<FiledCall>> {
    let Some(call) = ApprovalCall::new(decision.inner(), server, caller) else { return Ok(None) };
    let args = match (text, keys) {
        (Some(text), _) => ApprovalArgs::full(text),
        (None, Some(keys)) => ApprovalArgs::keys(&keys),
        (None, None) => ApprovalArgs::Omitted,
    };
    let request = ApprovalRequest { call, args };
    let filed = py.detach(|| store.shared().approvals().file(&request, now));
    Ok(Some(match filed.map_err(|error| error::store(py, &error))? {
        Filed::New(record) | Filed::Found(record) => found(*record),
        Filed::Full => ("full", String::new(), None, None, None),
    }))
}

/// A person's answer: where the call stands from now on, or `unknown` where none of this id waits.
pub(super) fn answer(
    py: Python<'_>,
    store: &Handle,
    id: &str,
    answer: &ApprovalAnswer,
    now: Timestamp,
) -> PyResult<&'static str> {
    let answered = py.detach(|| store.shared().approvals().answer(id, answer, now));
    Ok(match answered.map_err(|error| error::store(py, &error))? {
        Answered::Done(record) => record.state.as_str(),
        Answered::Used(_) => "used",
        Answered::Unknown => "unknown",
    })
}

fn found(record: ApprovalRecord) -> FiledCall {
    let grant = record.approval_id();
    let given_at = record.given_at().map(|at| at.as_millis() as f64 / 1000.0);
    (record.state.as_str(), record.id, grant, given_at, record.answer.map(|(by, _)| by))
}
