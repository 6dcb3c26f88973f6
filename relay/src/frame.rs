//! A message of the client, read as strictly as arguments are: what two parsers could read as two messages is refused.
//!
//! In: a line. Out: what it is and the parts that matter, or why it is refused. Must not change a byte of it.

use std::ops::ControlFlow;
use std::sync::LazyLock;

use callgate::__relay::{folded, parse};
use callgate::value::{Kind, RawErrorKind, RawView, View as _};

use crate::id::Id;
use crate::members::Members;

/// JSON-RPC's codes.
pub(crate) const PARSE_ERROR: i32 = -32700;
pub(crate) const INVALID_REQUEST: i32 = -32600;
pub(crate) const INVALID_PARAMS: i32 = -32602;
pub(crate) const INTERNAL_ERROR: i32 = -32603;

/// Members that mean something here: a name that folds to one of them without being it may be read as it by another parser.
const KNOWN: [&str; 13] = [
    "jsonrpc",
    "id",
    "method",
    "params",
    "result",
    "error",
    "name",
    "arguments",
    "uri",
    "_meta",
    "task",
    "inputResponses",
    "requestState",
];

/// The known names as they fold.
static FOLDED: LazyLock<Vec<String>> = LazyLock::new(|| KNOWN.iter().map(|name| folded(name)).collect());
/// The most bytes of a name that folds to one of them: a letter folds to one of at most four bytes.
const LONGEST_FOLDED: usize = 64;

/// A message of the client.
#[derive(Debug)]
pub(crate) enum Frame {
    Request { id: Id, id_text: String, method: String, params: Params },
    Notification { method: String, params: Params },
    Response { id: Id },
}

/// What matters of `params`.
#[derive(Debug, Default)]
pub(crate) struct Params {
    /// Whether they are there and no object.
    pub(crate) is_other: bool,
    /// `name`, if it is a string.
    pub(crate) name: Option<String>,
    /// The text of `arguments`; `None` for absent ones, and for null.
    pub(crate) arguments: Option<String>,
    /// The text of `_meta`.
    pub(crate) meta: Option<String>,
    /// Whether the caller asks for a task.
    pub(crate) task: bool,
    /// `requestState`, if it is a string: the call goes on from an earlier one. Either side may write it with other escapes.
    pub(crate) request_state: Option<String>,
    /// `requestId` of a cancellation.
    pub(crate) request_id: Option<Id>,
}

/// Why a message is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) code: i32,
    /// The text of the id; `None` where there is none to answer to.
    pub(crate) id: Option<String>,
    pub(crate) reason: &'static str,
    /// Whether an answer is due: not to what has no id because it is a notification.
    pub(crate) answer: bool,
}

impl Refused {
    fn new(code: i32, id: Option<String>, reason: &'static str) -> Self {
        Self { code, id, reason, answer: true }
    }
}

/// Reads a line of at most so many bytes.
pub(crate) fn read(line: &[u8], most: usize) -> Result<Frame, Refused> {
    let unread = |reason| Refused::new(PARSE_ERROR, None, reason);
    let text = std::str::from_utf8(line).map_err(|_| unread("the message is not UTF-8"))?;
    let raw = parse(text, most).map_err(|error| match error.kind() {
        RawErrorKind::DuplicateKey => {
            Refused::new(INVALID_REQUEST, lone_id(text), "a member of the message stands twice")
        }
        RawErrorKind::TooDeep => {
            Refused::new(INVALID_REQUEST, lone_id(text), "the message is nested too deeply")
        }
        RawErrorKind::TooLong => unread("the message is too long"),
        _ => unread("the message is not JSON"),
    })?;
    // White space in JSON, and the end of a line for some servers, which would read what stands behind it as a message. (Other ends of
    // lines stand in strings alone, where no message can: its quotes are escaped.)
    if text.contains('\r') {
        return Err(Refused::new(
            INVALID_REQUEST,
            lone_id(text),
            "a carriage return ends the line in some servers",
        ));
    }
    let root = raw.root();
    if !matches!(root.kind(), Ok(Kind::Object)) {
        let reason = match root.kind() {
            Ok(Kind::Array) => "batches are not accepted",
            _ => "the message is not an object",
        };
        return Err(Refused::new(INVALID_REQUEST, None, reason));
    }
    let envelope = Parts::read(root);
    let id_text = envelope.get("id").map(RawView::text);
    let id = id_text.and_then(Id::from_json);
    let answerable = id.as_ref().and(id_text).map(str::to_owned);
    let invalid = |reason| Refused::new(INVALID_REQUEST, answerable.clone(), reason);
    if envelope.folds {
        return Err(invalid("a member's name reads like another in some parsers"));
    }
    if id_text.is_some() && id.is_none() {
        return Err(invalid("the id is neither a string nor a whole number"));
    }
    if envelope.get("jsonrpc").is_none_or(|version| version.text() != "\"2.0\"") {
        return Err(invalid("`jsonrpc` is not \"2.0\""));
    }
    let (has_result, has_error) = (envelope.get("result").is_some(), envelope.get("error").is_some());
    let Some(method) = envelope.get("method") else {
        return match (id, has_result ^ has_error) {
            (Some(id), true) => Ok(Frame::Response { id }),
            _ => Err(invalid("the message is neither a request nor a response")),
        };
    };
    let Some(method) = string(method) else { return Err(invalid("`method` is not a string")) };
    if has_result || has_error {
        return Err(invalid("the message is a request and a response"));
    }
    let params = match envelope.get("params") {
        None => Params::default(),
        Some(view) => read_params(view).map_err(invalid)?,
    };
    match (id, id_text) {
        (Some(id), Some(text)) => Ok(Frame::Request { id, id_text: text.to_owned(), method, params }),
        _ => Ok(Frame::Notification { method, params }),
    }
}

fn read_params(view: RawView<'_>) -> Result<Params, &'static str> {
    if !matches!(view.kind(), Ok(Kind::Object)) {
        return Ok(Params { is_other: true, ..Params::default() });
    }
    let parts = Parts::read(view);
    if parts.folds {
        return Err("a member's name in `params` reads like another in some parsers");
    }
    let text = |name| parts.get(name).map(|view| view.text().to_owned());
    Ok(Params {
        is_other: false,
        name: parts.get("name").and_then(string),
        arguments: text("arguments").filter(|text| text != "null"),
        meta: text("_meta"),
        task: parts.get("task").is_some(),
        request_state: parts.get("requestState").and_then(string),
        request_id: parts.get("requestId").and_then(|view| Id::from_json(view.text())),
    })
}

/// The members of an object.
struct Parts<'t> {
    members: Vec<(String, RawView<'t>)>,
    /// Whether a name folds to a known one without being it.
    folds: bool,
}

impl<'t> Parts<'t> {
    fn read(object: RawView<'t>) -> Self {
        let mut members = Vec::new();
        // An object that was read whole has members that can be read.
        let _ = object.members(|name, value| {
            members.push((name.to_owned(), value));
            ControlFlow::Continue(())
        });
        let folds = members.iter().any(|(name, _)| {
            // A longer name folds to none of these.
            let is_short = name.split('\0').next().is_some_and(|name| name.len() <= LONGEST_FOLDED);
            is_short && !KNOWN.contains(&&**name) && FOLDED.contains(&folded(name))
        });
        Self { members, folds }
    }

    fn get(&self, name: &str) -> Option<RawView<'t>> {
        self.members.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }
}

/// What a JSON string means; `None` for anything else.
pub(crate) fn string(view: RawView<'_>) -> Option<String> {
    match view.kind() {
        Ok(Kind::String(text)) => Some(text.into_owned()),
        _ => None,
    }
}

/// The text of the id of a message that is refused, if it stands in it once.
fn lone_id(text: &str) -> Option<String> {
    let id = Members::read(text)?.only("id")?;
    Id::from_json(id).map(|_| id.to_owned())
}
