//! A message of the server. It is not judged, so only what is needed to find its request is read; the rest may be anything.

use crate::answer::SUBSCRIPTION;
use crate::id::Id;
use crate::members::{Members, string};

/// A message of the server.
#[derive(Debug)]
pub(crate) enum ServerFrame<'l> {
    Request { id: Id, method: String },
    Notification { method: String },
    Response { id: Id, answer: Answer<'l> },
}

/// The answer to a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer<'l> {
    /// The text of `result`.
    Result(&'l str),
    /// The text of `error`.
    Error(&'l str),
}

/// Reads a line. `Err` says why it cannot be passed on, and whose answer it would have been.
pub(crate) fn read(line: &[u8]) -> Result<ServerFrame<'_>, (&'static str, Option<Id>)> {
    let text = std::str::from_utf8(line).map_err(|_| ("it is not UTF-8", None))?;
    let members = Members::read(text).ok_or(("it is not a JSON object", None))?;
    let id = members.only("id").and_then(Id::from_json);
    if members.repeats(&["id", "method", "result", "error"]) {
        return Err(("a member of the envelope stands twice", id));
    }
    let method = members.only("method");
    match (method, members.only("result"), members.only("error")) {
        (Some(method), None, None) => {
            let method = string(method).ok_or(("`method` is not a string", None))?;
            match id {
                Some(id) => Ok(ServerFrame::Request { id, method }),
                None if members.has("id") => Err(("the id is neither a string nor a whole number", None)),
                None => Ok(ServerFrame::Notification { method }),
            }
        }
        (None, Some(result), None) => {
            let id = id.ok_or(("the id is neither a string nor a whole number", None))?;
            Ok(ServerFrame::Response { id, answer: Answer::Result(result) })
        }
        (None, None, Some(error)) => {
            let id = id.ok_or(("the id is neither a string nor a whole number", None))?;
            Ok(ServerFrame::Response { id, answer: Answer::Error(error) })
        }
        _ => Err(("it is neither a request nor a response", id)),
    }
}

/// The request that a cancellation gives up.
pub(crate) fn cancelled(line: &[u8]) -> Option<Id> {
    let message = Members::read(std::str::from_utf8(line).ok()?)?;
    Id::from_json(Members::read(message.only("params")?)?.only("requestId")?)
}

/// The request to hear of changes whose server tells of those of its list of tools.
pub(crate) fn acknowledged(line: &[u8]) -> Option<Id> {
    let message = Members::read(std::str::from_utf8(line).ok()?)?;
    let params = Members::read(message.only("params")?)?;
    let tells = Members::read(params.only("notifications")?)?.only("toolsListChanged")? == "true";
    let id = Members::read(params.only("_meta")?)?.only(SUBSCRIPTION)?;
    Id::from_json(id).filter(|_| tells)
}

/// How the answer to a call says that it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Done,
    ToolError,
    /// The server took it on as a task.
    Accepted,
    /// The server needs input first. The call goes on with `requestState`.
    InputRequired(Option<String>),
}

/// Reads a call's result. What is no result is taken for one: the tool ran. `task` says that the call asked for a task, which
/// revisions before 2026-07-28 have in `task`.
pub(crate) fn ended(result: &str, task: bool) -> Ended {
    let Some(members) = Members::read(result) else { return Ended::Done };
    match members.only("resultType") {
        Some("\"input_required\"") => {
            return Ended::InputRequired(members.only("requestState").and_then(string));
        }
        Some("\"task\"") => return Ended::Accepted,
        _ if task && members.only("task").is_some_and(|task| task.starts_with('{')) => {
            return Ended::Accepted;
        }
        _ => {}
    }
    if members.all().any(|(name, value)| name == "isError" && value == "true") {
        Ended::ToolError
    } else {
        Ended::Done
    }
}
