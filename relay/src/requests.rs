//! Requests of the server, and requests for input in its answers: decided before the client sees them (spec 3.10).
//!
//! In: a message of the server, decisions. Out: the message as it came, or an error to who waits for it. Must not pass on a part of an
//! answer: the client gets all of it or an error.

use std::collections::HashSet;

use callgate::{ArgsCheck, MCP_DENIED, Outcome};

use crate::answer;
use crate::client::LONGEST_NAME;
use crate::frame::{self, Frame, Input};
use crate::id::Id;
use crate::machine::{
    Action, Answering, Ask, Asked, AskedByServer, CallId, Called, Caller, InFlight, Note, Peer, Refusal,
    Relay, Running, State, Verdict, given_up, not_run, to_client,
};
use crate::members::Members;
use crate::mistake::{Mistake::*, is_made};
use crate::server::{dropped, unreadable};
use crate::server_frame::Answer;
use crate::state::{Inquiry, Passed};

/// Members of the envelope.
const ENVELOPE: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];
/// Members of an answer that asks for input.
const ASKING: [&str; 2] = ["inputRequests", "resultType"];

const DENIED: &str = "a request without an id that the policy decides";

impl Relay {
    /// Whether requests are decided at all.
    pub(crate) fn decides_requests(&self) -> bool {
        (self.options.decides)(None, "")
    }

    /// Whether the client may read another message in a line of the server than the relay does.
    pub(crate) fn is_ambiguous(line: &[u8]) -> bool {
        let Ok(text) = std::str::from_utf8(line) else { return true };
        // A reader may end a line at a carriage return, so that what stands behind one in white space is a message to it.
        if text.trim_end().contains('\r') {
            return true;
        }
        let Some(members) = Members::read(text) else { return true };
        members.repeats(&ENVELOPE) || members.all().any(|(name, _)| frame::folds_to(name, &ENVELOPE))
    }

    /// A request or a notification of the server where requests are decided; `None` for one that passes undecided.
    pub(crate) fn server_asks(&mut self, line: &[u8], tag: u64, method: &str) -> Option<Vec<Action>> {
        if !self.decides_requests() || is_made(ServerAsksFreely) {
            return None;
        }
        if !(self.options.decides)(None, method) {
            // A task's state may hold requests for input. The client gets it by asking, and then it is decided.
            let message = std::str::from_utf8(line).ok().and_then(Members::read);
            let holds_input =
                message.as_ref().and_then(|message| message.only("params")).is_some_and(|text| {
                    match Members::read(text) {
                        Some(params) => params
                            .all()
                            .any(|(name, _)| name == ASKING[0] || frame::folds_to(name, &ASKING[..1])),
                        // What this reader cannot read, another may.
                        None => text.trim_start().starts_with('{'),
                    }
                });
            return holds_input.then(|| vec![dropped("a notification that asks for input")]);
        }
        let (id, id_text, params) = match self.read(line) {
            Ok(Frame::Request { id, id_text, params, .. }) => (id, id_text, params),
            Ok(_) if is_made(ServerNotificationsPass) => return None,
            Ok(_) => return Some(vec![dropped(DENIED)]),
            Err(why) => {
                let error = answer::error(why.id.as_deref(), why.code, why.reason, None);
                let error = Action::Send { to: Peer::Server, tag, call: None, message: error.into_bytes() };
                return Some(why.id.map(|_| error).into_iter().chain([dropped(why.reason)]).collect());
            }
        };
        if method.len() > LONGEST_NAME {
            return Some(vec![dropped("the server's request has a method that is too long")]);
        }
        let call = self.next_call();
        self.deciding = self.deciding.saturating_add(line.len());
        self.server_calls.insert(call, id.clone());
        let args = params.whole.unwrap_or_default();
        let ask = self.ask(call, tag, id_text.clone(), method.to_owned(), args);
        let asked = AskedByServer { call, tag, id_text, message: line.to_vec(), ask: Some(ask) };
        self.asked_by_server.insert(id.clone(), Asked::Deciding(Box::new(asked)));
        if self.options.identifies {
            return Some(vec![Action::Identify { call, tag, from: Peer::Server }]);
        }
        Some(self.server_request_identified(call, &id, Caller::default()))
    }

    /// It is known for whom a request of the server is.
    pub(crate) fn server_request_identified(&mut self, call: CallId, id: &Id, caller: Caller) -> Vec<Action> {
        let Some(Asked::Deciding(asked)) = self.asked_by_server.get_mut(id) else { return Vec::new() };
        let Some(mut ask) = asked.ask.take() else { return Vec::new() };
        if (self.options.decides)(Some(caller), &ask.method) {
            ask.caller = caller;
            return vec![self.ask_for(ask)];
        }
        // Requests of some callers are decided, not those of this one.
        let (tag, message) = (asked.tag, std::mem::take(&mut asked.message));
        self.deciding = self.deciding.saturating_sub(message.len());
        self.server_calls.remove(&call);
        self.asked_by_server.insert(id.clone(), Asked::Passed);
        vec![Action::Send { to: Peer::Client, tag, call: None, message }]
    }

    /// A request of the server, for nobody yet.
    fn ask(&self, call: CallId, tag: u64, request: String, method: String, args: String) -> Ask {
        Ask {
            call,
            tag,
            caller: Caller::default(),
            request,
            protocol: self.protocol.clone(),
            from: Peer::Server,
            method,
            tool: None,
            args: Some(args),
            check: ArgsCheck::new(),
            task: false,
        }
    }

    pub(crate) fn next_call(&mut self) -> CallId {
        self.next_call = self.next_call.saturating_add(1);
        CallId(self.next_call)
    }

    pub(crate) fn server_request_decided(&mut self, call: CallId, id: &Id, verdict: Verdict) -> Vec<Action> {
        let Some(Asked::Deciding(asked)) = self.asked_by_server.get_mut(id) else { return Vec::new() };
        let refusal = match verdict {
            // A decision for nobody is none.
            Verdict::Allow | Verdict::AllowWith { .. } if asked.ask.is_some() => return Vec::new(),
            Verdict::Allow | Verdict::AllowWith { .. } => None,
            Verdict::Refuse(refusal) => Some(refusal),
            Verdict::Answer(_) => Some(Refusal::unchecked()),
        };
        let (tag, message) = (asked.tag, std::mem::take(&mut asked.message));
        let (id_text, was_asked) = (std::mem::take(&mut asked.id_text), asked.ask.is_none());
        self.deciding = self.deciding.saturating_sub(message.len());
        let Some(refusal) = refusal.filter(|_| !is_made(DenialForClient)) else {
            self.asked_by_server.insert(id.clone(), Asked::Sent(call, id_text));
            return vec![Action::Send { to: Peer::Client, tag, call: Some(call), message }];
        };
        self.server_calls.remove(&call);
        self.asked_by_server.remove(id);
        let message = denied(&id_text, &refusal).into_bytes();
        let told = Action::Send { to: Peer::Server, tag, call: None, message };
        was_asked
            .then_some(Action::Finish { call, outcome: Outcome::NotRun })
            .into_iter()
            .chain([told])
            .collect()
    }

    /// The client's answer to a request of the server; `None` where nobody asked.
    pub(crate) fn client_answered(&mut self, id: &Id, is_error: bool) -> Option<Option<Action>> {
        let asked = self.asked_by_server.remove(id)?;
        match asked {
            Asked::Passed => Some(None),
            Asked::Sent(call, _) => {
                self.server_calls.remove(&call);
                let outcome = if is_error { Outcome::Error } else { Outcome::Done };
                Some(Some(Action::Finish { call, outcome }))
            }
            Asked::Deciding(_) => {
                // The client cannot answer what it does not know.
                self.asked_by_server.insert(id.clone(), asked);
                None
            }
        }
    }

    /// The server gives a request up. Gives whether the client knows of it.
    pub(crate) fn server_gave_up(&mut self, id: &Id) -> (bool, Option<Action>) {
        match self.asked_by_server.remove(id) {
            None | Some(Asked::Passed) => (true, None),
            Some(Asked::Sent(call, _)) => {
                self.server_calls.remove(&call);
                (true, Some(Action::Finish { call, outcome: Outcome::Cancelled }))
            }
            // `decided` says that it did not run.
            Some(Asked::Deciding(asked)) => {
                let call = asked.call;
                self.server_calls.remove(&call);
                self.deciding = self.deciding.saturating_sub(asked.message.len());
                (false, Some(Action::GivenUp { call }))
            }
        }
    }

    /// Has the requests for input in an answer decided; gives the request back where there are none.
    pub(crate) fn hold_for_inputs(
        &mut self,
        line: &[u8],
        tag: u64,
        id: &Id,
        request: InFlight,
        answer: Answer<'_>,
    ) -> Result<Vec<Action>, InFlight> {
        if !self.decides_requests() || is_made(InputPasses) {
            return Err(request);
        }
        let inputs = match answer {
            Answer::Result(result) => asked_in_result(result, self.options.max_message),
            Answer::Error(_) if is_made(ErrorsAsk) => Ok(Vec::new()),
            Answer::Error(error) => asked_in_error(error, self.options.max_message),
        };
        let inputs = match inputs {
            Ok(inputs) => inputs,
            Err(reason) => return Ok(unreadable(request, reason, tag)),
        };
        let caller = match &request {
            InFlight::Call(running) => running.caller,
            InFlight::Other(passed) => passed.caller,
            InFlight::List(_) | InFlight::Initialize { .. } => None,
        };
        let decided: Vec<_> =
            inputs.into_iter().filter(|input| (self.options.decides)(caller, &input.method)).collect();
        if decided.is_empty() {
            return Err(request);
        }
        if decided.iter().any(|input| input.method.len() > LONGEST_NAME) {
            return Ok(unreadable(request, "it asks for input by a method that is too long", tag));
        }
        let (mut running, ends) = match request {
            InFlight::Call(running) => (running, true),
            InFlight::Other(passed) => (self.plain(*passed), false),
            other @ (InFlight::List(_) | InFlight::Initialize { .. }) => {
                return Ok(unreadable(other, "it asks for input", tag));
            }
        };
        let (mut open, mut actions) = (HashSet::new(), Vec::new());
        for input in decided {
            let call = self.next_call();
            open.insert(call);
            let of = running.tag;
            let mut ask = self.ask(call, of, running.id_text.clone(), input.method, input.args);
            let ask = match caller {
                None if self.options.identifies => {
                    actions.push(Action::Identify { call, tag: of, from: Peer::Server });
                    Some(Box::new(ask))
                }
                caller => {
                    ask.caller = caller.unwrap_or_default();
                    actions.push(self.ask_for(ask));
                    None
                }
            };
            self.inputs.insert(call, Inquiry { of: id.clone(), ask });
        }
        self.deciding = self.deciding.saturating_add(line.len());
        let message = line.to_vec();
        running.state =
            State::Answering(Answering { message, tag, to: Peer::Client, open, allowed: Vec::new(), ends });
        if ends {
            self.calls.insert(running.call, id.clone());
        }
        self.in_flight.insert(id.clone(), InFlight::Call(running));
        Ok(actions)
    }

    /// Has each resource decided that a client wants to hear of, in one request (spec 3.10).
    pub(crate) fn listen(&mut self, id: &Id, message: Vec<u8>, uris: &[String], actions: &mut Vec<Action>) {
        let first = self.next_call;
        let Some(InFlight::Call(running)) = self.in_flight.get_mut(id) else { return };
        let (tag, caller) = (running.tag, running.caller.unwrap_or_default());
        let (request, protocol) = (running.id_text.clone(), running.protocol.clone());
        let calls = (1..).map(|number| CallId(first.saturating_add(number)));
        let open: HashSet<CallId> = calls.take(uris.len()).collect();
        running.state = State::Answering(Answering {
            message,
            tag,
            to: Peer::Server,
            open,
            allowed: Vec::new(),
            ends: false,
        });
        for uri in uris {
            let call = self.next_call();
            let args = format!(r#"{{"uri":{}}}"#, answer::quoted(uri));
            let ask = self.ask(call, tag, request.clone(), frame::SUBSCRIBE.to_owned(), args);
            let protocol = protocol.clone();
            actions.push(self.ask_for(Ask { caller, from: Peer::Client, protocol, ..ask }));
            self.inputs.insert(call, Inquiry { of: id.clone(), ask: None });
        }
    }

    /// A request that passed undecided, while its answer is held.
    fn plain(&mut self, passed: Passed) -> Box<Running> {
        let Passed { id_text, tag, method, caller, .. } = passed;
        Box::new(Running {
            call: self.next_call(),
            tag,
            caller,
            inner: None,
            id_text,
            called: Called::Method(method),
            args: None,
            protocol: None,
            task: false,
            modern: false,
            rounds: self.options.max_rounds,
            state: State::Sent,
        })
    }

    /// It is known for whom a request for input is.
    pub(crate) fn input_identified(&mut self, call: CallId, caller: Caller, now: u64) -> Vec<Action> {
        let Some(mut ask) = self.inputs.get_mut(&call).and_then(|input| input.ask.take()) else {
            return Vec::new();
        };
        if (self.options.decides)(Some(caller), &ask.method) {
            ask.caller = caller;
            return vec![self.ask_for(*ask)];
        }
        // Requests of some callers are decided, not those of this one.
        self.input_passes(call, false, now)
    }

    pub(crate) fn input_decided(&mut self, call: CallId, verdict: Verdict, now: u64) -> Vec<Action> {
        let was_asked = self.inputs.get(&call).is_some_and(|input| input.ask.is_none());
        let refusal = match verdict {
            // A decision for nobody is none.
            Verdict::Allow | Verdict::AllowWith { .. } if !was_asked => return Vec::new(),
            Verdict::Allow | Verdict::AllowWith { .. } => return self.input_passes(call, true, now),
            Verdict::Refuse(refusal) => refusal,
            Verdict::Answer(_) => Refusal::unchecked(),
        };
        let Some((running, answering)) = self.end_inputs(call) else { return not_run(vec![call]).collect() };
        let Answering { tag, open, mut allowed, ends, .. } = answering;
        let mut actions = Vec::new();
        for other in open.into_iter().filter(|open| *open != call) {
            // Their decisions find nobody, and say that they did not run.
            self.inputs.remove(&other);
            actions.push(Action::GivenUp { call: other });
        }
        allowed.extend(was_asked.then_some(call));
        actions.extend(not_run(allowed));
        // The server began with it: what it charged stands.
        actions.extend(ends.then_some(Action::Finish { call: running.call, outcome: Outcome::Done }));
        actions.push(to_client(tag, denied(&running.id_text, &refusal)));
        actions
    }

    /// A request for input may pass, and the answer with it if it is the last one. `decided` says that it was charged.
    fn input_passes(&mut self, call: CallId, decided: bool, now: u64) -> Vec<Action> {
        let Some(of) = self.inputs.get(&call).map(|input| input.of.clone()) else { return Vec::new() };
        if let Some(InFlight::Call(running)) = self.in_flight.get_mut(&of)
            && let State::Answering(answering) = &mut running.state
        {
            answering.open.remove(&call);
            answering.allowed.extend(decided.then_some(call));
            if !answering.open.is_empty() {
                self.inputs.remove(&call);
                return Vec::new();
            }
        }
        let Some((running, answering)) = self.end_inputs(call) else { return not_run(vec![call]).collect() };
        let Answering { message, tag, to, allowed, ends, .. } = answering;
        let mut actions: Vec<Action> =
            allowed.iter().map(|call| Action::Finish { call: *call, outcome: Outcome::Done }).collect();
        if to == Peer::Server {
            let Running { id_text, tag, called, caller, .. } = running;
            let passed = Passed { id_text, tag, method: called.method(), caller, hears_of_tools: false };
            self.in_flight.insert(of, InFlight::Other(Box::new(passed)));
            actions.push(Action::Send { to, tag, call: None, message });
        } else if ends {
            actions.extend(self.call_asks_for_input(&message, tag, running, now));
        } else {
            actions.push(Action::Send { to, tag, call: None, message });
        }
        actions
    }

    /// A message waits no longer for decisions.
    pub(crate) fn waits_no_longer(&mut self, answering: &Answering) {
        let bytes = match answering.to {
            Peer::Client => &mut self.deciding,
            Peer::Server => &mut self.waiting,
        };
        *bytes = bytes.saturating_sub(answering.message.len());
    }

    /// Takes out the request whose answer holds this request for input.
    fn end_inputs(&mut self, call: CallId) -> Option<(Running, Answering)> {
        let of = self.inputs.remove(&call)?.of;
        let Some(InFlight::Call(mut running)) = self.in_flight.remove(&of) else { return None };
        let State::Answering(answering) = std::mem::replace(&mut running.state, State::Sent) else {
            return None;
        };
        self.calls.remove(&running.call);
        self.waits_no_longer(&answering);
        Some((*running, answering))
    }

    /// Forgets an answer that is held: its client gave the request up.
    pub(crate) fn drop_inputs(&mut self, answering: Answering) -> Vec<Action> {
        self.waits_no_longer(&answering);
        for open in &answering.open {
            self.inputs.remove(open);
        }
        given_up(answering.open).chain(not_run(answering.allowed)).collect()
    }
}

/// The requests for input in a result; `Err` says why they cannot be told.
fn asked_in_result(result: &str, most: usize) -> Result<Vec<Input>, &'static str> {
    let Some(members) = Members::read(result) else {
        // What this reader cannot read, such as a name that is a lone surrogate, another may.
        let is_object = result.trim_start().starts_with('{');
        return if is_object { Err("its result cannot be read") } else { Ok(Vec::new()) };
    };
    if members.repeats(&ASKING) || members.all().any(|(name, _)| frame::folds_to(name, &ASKING)) {
        return Err("it asks for input in an unclear way");
    }
    members.only(ASKING[0]).map_or(Ok(Vec::new()), |inputs| frame::inputs(inputs, most))
}

/// The elicitations that an error asks for, whatever its code is: some readers take one number for another.
fn asked_in_error(error: &str, most: usize) -> Result<Vec<Input>, &'static str> {
    const UNREAD: &str = "its error cannot be read";
    const NAMES: [&str; 2] = ["data", "elicitations"];
    let members = |text| match Members::read(text) {
        Some(members) if members.repeats(&NAMES) => Err(UNREAD),
        Some(members) if members.all().any(|(name, _)| frame::folds_to(name, &NAMES)) => Err(UNREAD),
        None if text.trim_start().starts_with('{') => Err(UNREAD),
        members => Ok(members),
    };
    let only = |members: Option<Members<'_>>, name| Some(members?.only(name)?.to_owned());
    let Some(data) = only(members(error)?, NAMES[0]) else { return Ok(Vec::new()) };
    let Some(elicitations) = only(members(&data)?, NAMES[1]) else { return Ok(Vec::new()) };
    frame::elicitations(&elicitations, most)
}

/// The error for a request that the policy denies (spec 10.6).
fn denied(id_text: &str, refusal: &Refusal) -> String {
    answer::error(Some(id_text), MCP_DENIED, &refusal.message, refusal.data.as_deref())
}

/// A note that a notification of a decided method is not passed on.
pub(crate) fn without_id() -> Action {
    Action::Note(Note::FrameRefused { from: Peer::Client, reason: DENIED })
}
