//! A message of the client, read as strictly as arguments are: what two parsers could read as two messages is refused.
//!
//! In: a line. Out: what it is and the parts that matter, or why it is refused. Must not change a byte of it.

use std::fmt::Write as _;
use std::ops::ControlFlow;

use callgate::__relay::{folded, parse};
use callgate::value::{Kind, RawErrorKind, RawView, View as _};

use crate::answer::quoted;
use crate::id::Id;
use crate::members::Members;
use crate::mistake::{Mistake::*, is_made};

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

/// The most bytes of a name that folds to one of them: a letter folds to one of at most four bytes.
const LONGEST_FOLDED: usize = 64;

/// A message of the client.
#[derive(Debug)]
pub(crate) enum Frame {
    Request { id: Id, id_text: String, method: String, params: Params },
    Notification { method: String, params: Params },
    Response { id: Id, is_error: bool },
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
    /// Of a request that is decided: the params as its arguments (spec 3.10).
    pub(crate) whole: Option<String>,
    /// Of a request to hear of resources that are decided: their addresses.
    pub(crate) resources: Vec<String>,
}

/// The request of 2026-07-28 to hear of what changes, resources among it.
pub(crate) const LISTEN: &str = "subscriptions/listen";
/// The request of before, for one resource.
pub(crate) const SUBSCRIBE: &str = "resources/subscribe";
/// The request that is decided as what it completes, too.
const COMPLETE: &str = "completion/complete";

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

/// Reads a line of at most so many bytes. `decides` says of which methods the params are arguments.
pub(crate) fn read(line: &[u8], most: usize, decides: &dyn Fn(&str) -> bool) -> Result<Frame, Refused> {
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
    if text.contains('\r') && !is_made(LinesInLines) {
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
    if envelope.folds && !is_made(EnvelopeFolds) {
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
            (Some(id), true) => Ok(Frame::Response { id, is_error: has_error }),
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
    // Tools are decided by their names and their arguments.
    let is_decided = method != "tools/call" && decides(&method);
    let whole = is_decided.then(|| envelope.get("params").map_or("{}".to_owned(), arguments));
    let view = envelope.get("params");
    if is_decided && !is_made(CompletionFolds) && method == COMPLETE && view.is_some_and(completes_unclearly)
    {
        return Err(invalid("a member's name in `ref` or `context` reads like another in some parsers"));
    }
    let resources = match view {
        Some(view) if method == LISTEN && decides(SUBSCRIBE) && !is_made(ListenPasses) => {
            resources(view).map_err(|reason| Refused::new(INVALID_PARAMS, answerable.clone(), reason))?
        }
        _ => Vec::new(),
    };
    let params = Params { whole, resources, ..params };
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
    if parts.folds && !is_made(ParamsFold) {
        return Err("a member's name in `params` reads like another in some parsers");
    }
    let text = |name| parts.get(name).map(|view| view.text().to_owned());
    Ok(Params {
        is_other: false,
        name: parts.get("name").and_then(string),
        arguments: text("arguments").filter(|text| text != "null" || is_made(NullIsAValue)),
        meta: text("_meta"),
        task: parts.get("task").is_some(),
        request_state: parts.get("requestState").and_then(string),
        request_id: parts.get("requestId").and_then(|view| Id::from_json(view.text())),
        whole: None,
        resources: Vec::new(),
    })
}

/// Whether the params of a completion have a member that some reader takes for one by which it is decided.
fn completes_unclearly(params: RawView<'_>) -> bool {
    const WITHIN: [(&str, &[&str]); 2] = [("ref", &["type", "name", "uri"]), ("context", &["arguments"])];
    folds(params, &["ref", "context"])
        || WITHIN.iter().any(|(name, known)| {
            params.member(name).ok().flatten().is_some_and(|member| folds(member, known))
        })
}

/// Whether an object has a member that some reader takes for one of these.
pub(crate) fn folds(object: RawView<'_>, known: &[&str]) -> bool {
    let mut found = false;
    // What is no object has no members.
    let _ = object.members(|name, _| {
        found = folds_to(name, known);
        if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    found
}

/// The most resources that one request names.
const MOST_RESOURCES: usize = 1_000;

/// The resources that a client wants to hear of.
fn resources(params: RawView<'_>) -> Result<Vec<String>, &'static str> {
    const UNREAD: &str = "the resources that it names cannot be read";
    let mut at = params;
    for name in ["notifications", "resourceSubscriptions"] {
        match at.kind() {
            Ok(Kind::Object) if !folds(at, &[name]) => {}
            Ok(Kind::Null) => return Ok(Vec::new()),
            _ => return Err(UNREAD),
        }
        match at.member(name) {
            Ok(Some(member)) => at = member,
            Ok(None) => return Ok(Vec::new()),
            Err(_) => return Err(UNREAD),
        }
    }
    match at.kind() {
        Ok(Kind::Array) => {}
        Ok(Kind::Null) => return Ok(Vec::new()),
        _ => return Err(UNREAD),
    }
    let mut found = Some(Vec::new());
    let _ = at.elements(|uri| {
        found = found.take().zip(string(uri)).and_then(|(mut found, uri)| {
            found.push(uri);
            (found.len() <= MOST_RESOURCES).then_some(found)
        });
        if found.is_some() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    found.ok_or(UNREAD)
}

/// Members of `params` that are the protocol's, not the method's.
const OF_PROTOCOL: [&str; 3] = ["_meta", "inputResponses", "requestState"];

/// The text of params as arguments: without what is the protocol's. What is no object stays as it is, and is denied for that.
fn arguments(params: RawView<'_>) -> String {
    if !matches!(params.kind(), Ok(Kind::Object)) {
        return params.text().to_owned();
    }
    let mut text = String::from("{");
    // An object that was read whole has members that can be read.
    let _ = params.members(|name, value| {
        if !OF_PROTOCOL.contains(&name) {
            if text.len() > 1 {
                text.push(',');
            }
            // Writing to a String cannot fail.
            let _ = write!(text, "{}:{}", quoted(name), value.text());
        }
        ControlFlow::Continue(())
    });
    text.push('}');
    text
}

/// A request for input in an answer (spec 3.10).
pub(crate) struct Input {
    pub(crate) method: String,
    /// The text of its arguments.
    pub(crate) args: String,
}

/// The most requests for input of one answer.
const MOST_INPUTS: usize = 100;

/// Reads `inputRequests`, an object of requests, as strictly as a message of the client.
pub(crate) fn inputs(text: &str, most: usize) -> Result<Vec<Input>, &'static str> {
    const UNREAD: &str = "its `inputRequests` cannot be read";
    let raw = parse(text, most).map_err(|_| UNREAD)?;
    let mut found = Some(Vec::new());
    if matches!(raw.root().kind(), Ok(Kind::Null)) {
        return Ok(Vec::new());
    }
    if !matches!(raw.root().kind(), Ok(Kind::Object)) {
        return Err(UNREAD);
    }
    let _ = raw.root().members(|_, request| {
        let input = input(request);
        found = found.take().zip(input).and_then(|(mut found, input)| {
            found.push(input);
            (found.len() <= MOST_INPUTS).then_some(found)
        });
        if found.is_some() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    found.ok_or(UNREAD)
}

/// Reads the list of elicitations of an error, each as the params of a request.
pub(crate) fn elicitations(text: &str, most: usize) -> Result<Vec<Input>, &'static str> {
    const UNREAD: &str = "its elicitations cannot be read";
    let raw = parse(text, most).map_err(|_| UNREAD)?;
    let mut found = Some(Vec::new());
    match raw.root().kind() {
        Ok(Kind::Null) => return Ok(Vec::new()),
        Ok(Kind::Array) => {}
        _ => return Err(UNREAD),
    }
    let _ = raw.root().elements(|params| {
        let is_read = matches!(params.kind(), Ok(Kind::Object)) && read_params(params).is_ok();
        found = found.take().filter(|_| is_read).and_then(|mut found| {
            found.push(Input { method: "elicitation/create".to_owned(), args: arguments(params) });
            (found.len() <= MOST_INPUTS).then_some(found)
        });
        if found.is_some() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    found.ok_or(UNREAD)
}

fn input(request: RawView<'_>) -> Option<Input> {
    if !matches!(request.kind(), Ok(Kind::Object)) {
        return None;
    }
    let parts = Parts::read(request);
    let method = parts.get("method").and_then(string).filter(|_| !parts.folds)?;
    let params = parts.get("params");
    if params.is_some_and(|params| read_params(params).is_err()) {
        return None;
    }
    Some(Input { method, args: params.map_or("{}".to_owned(), arguments) })
}

/// Whether a name is one of these to a reader that ignores case or ends it at NUL, and not to others. They are ASCII.
pub(crate) fn folds_to(name: &str, known: &[&str]) -> bool {
    let read = name.split('\0').next().unwrap_or_default();
    // A longer name folds to none of these.
    if read.len() > LONGEST_FOLDED || known.contains(&name) {
        return false;
    }
    if read.is_ascii() {
        return known.iter().any(|known| known.eq_ignore_ascii_case(read));
    }
    let folds = folded(read);
    known.iter().any(|known| known.eq_ignore_ascii_case(&folds))
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
        let folds = members.iter().any(|(name, _)| folds_to(name, &KNOWN));
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
