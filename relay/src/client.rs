//! Messages of the client.

use callgate::Outcome;

use crate::answer;
use crate::frame::{self, Frame, INVALID_PARAMS, INVALID_REQUEST, Params, Refused};
use crate::id::Id;
use crate::machine::{
    Action, Ask, CallId, InFlight, Note, Peer, Refusal, Relay, Resumable, Running, State, WithoutSchema,
    digest, to_client,
};
use crate::members::{self, Members};
use crate::server::LONGEST_VERSION;

/// The most bytes of an id's text: the relay keeps it until the answer is here.
pub(crate) const LONGEST_ID: usize = 1 << 10;
/// The most lists and calls that are known to be given up. A server need not answer them, so they may be known for ever.
const MOST_CANCELLED: usize = 100_000;
/// The most bytes of a tool's name, for the same reason. The longest that a policy admits is shorter.
const LONGEST_NAME: usize = 4 << 10;

/// The member of `_meta` that names the revision of the protocol, from 2026-07-28 on.
const PROTOCOL: &str = "io.modelcontextprotocol/protocolVersion";

impl Relay {
    /// A message of the client, without its line feed. `now` is in milliseconds from any start.
    pub fn from_client(&mut self, line: &[u8], now: u64) -> Vec<Action> {
        match frame::read(line, self.options.max_message) {
            Ok(Frame::Request { id, id_text, method, params }) => {
                self.request(line, id, id_text, &method, params, now)
            }
            Ok(Frame::Notification { method, params }) => self.notification(line, &method, &params, now),
            Ok(Frame::Response { id }) => match self.asked_by_server.remove(&id) {
                Some(()) => vec![pass(line)],
                None => vec![refused("an answer that nobody asked for")],
            },
            Err(why) => refuse(why),
        }
    }

    fn request(
        &mut self,
        line: &[u8],
        id: Id,
        id_text: String,
        method: &str,
        params: Params,
        now: u64,
    ) -> Vec<Action> {
        let reject = |code, reason| refuse(Refused { code, id: Some(id_text.clone()), reason, answer: true });
        if id_text.len() > LONGEST_ID {
            // Not told by its id: that is long.
            return refuse(Refused {
                code: INVALID_REQUEST,
                id: None,
                reason: "the id is too long",
                answer: true,
            });
        }
        let twin = id.twin();
        if [Some(&id), twin.as_ref()].into_iter().flatten().any(|id| self.in_flight.contains_key(id))
            || self.tools.is_own(&id)
        {
            return reject(INVALID_REQUEST, "a request with this id is in flight");
        }
        if [Some(&id), twin.as_ref()].into_iter().flatten().any(|id| self.cancelled.contains(&id.digest())) {
            return reject(INVALID_REQUEST, "a request with this id was cancelled, and has no answer yet");
        }
        if self.in_flight.len() >= self.options.max_in_flight {
            return reject(INVALID_REQUEST, "too many requests are in flight");
        }
        self.has_initialize |= method == "initialize";
        if method != "tools/call" {
            let request = match method {
                "tools/list" => InFlight::List { id_text },
                "initialize" => InFlight::Initialize { id_text },
                _ => InFlight::Other { id_text },
            };
            self.in_flight.insert(id, request);
            let mut actions = vec![pass(line)];
            if !self.has_initialize && method != "ping" {
                // Without a handshake: the generation of 2026-07-28, in which each request says its version.
                self.ask_for_tools(params.meta.as_deref(), now, &mut actions);
            }
            return actions;
        }
        let (Some(tool), false) = (params.name, params.is_other) else {
            return reject(INVALID_PARAMS, "`params.name` is not a string");
        };
        if tool.len() > LONGEST_NAME {
            return reject(INVALID_PARAMS, "`params.name` is too long");
        }
        let mut actions = Vec::new();
        let meta = params.meta.as_deref().filter(|_| !self.has_initialize);
        if self.tools.is_wanted() && (self.options.reads_args)(&tool) {
            // Nobody asked yet, though the client calls already; or the server could not answer, and may now.
            self.ask_again(meta, now, &mut actions);
        } else if !self.has_initialize {
            self.ask_for_tools(meta, now, &mut actions);
        }
        let args = params.arguments.as_deref().map(digest);
        let resumed = params.request_state.as_deref().map(digest).and_then(|state| {
            let known = self.resumable.get(&state)?;
            let same = known.tool == tool && known.args == args && known.until > now;
            if same && known.rounds < self.options.max_rounds { self.resumable.remove(&state) } else { None }
        });
        let (call, rounds, state) = match resumed {
            // It rides on its first charge and its first approval.
            Some(Resumable { call, rounds, .. }) => (call, rounds.saturating_add(1), State::Sent),
            None => {
                self.next_call = self.next_call.saturating_add(1);
                (CallId(self.next_call), 1, State::Held(line.to_vec(), params.arguments))
            }
        };
        self.waiting = self.waiting.saturating_add(state.waiting());
        let protocol = params.meta.as_deref().and_then(Members::read);
        let protocol = protocol.and_then(|meta| meta.only(PROTOCOL).and_then(members::string));
        let protocol = protocol.filter(|version| version.len() <= LONGEST_VERSION);
        let running = Running {
            call,
            id_text,
            tool,
            args,
            protocol: protocol.or_else(|| self.protocol.clone()),
            task: params.task,
            modern: !self.has_initialize,
            rounds,
            state,
        };
        let goes_on = matches!(running.state, State::Sent);
        self.calls.insert(call, id.clone());
        self.in_flight.insert(id.clone(), InFlight::Call(Box::new(running)));
        if goes_on {
            actions.push(pass(line));
        } else {
            self.decide(&id, &mut actions);
        }
        actions
    }

    /// Has a call decided that is held, unless it waits for the server's list.
    fn decide(&mut self, id: &Id, actions: &mut Vec<Action>) {
        let Some(InFlight::Call(running)) = self.in_flight.get_mut(id) else { return };
        let State::Held(message, args) = &mut running.state else { return };
        let check = self.tools.check(&running.tool).cloned();
        let needs_check = (self.options.reads_args)(&running.tool);
        if needs_check && self.tools.is_asking() {
            return;
        }
        if needs_check && check.is_none() && self.options.without_schema == WithoutSchema::Deny {
            actions.push(to_client(answer::refusal(running, &Refusal::unchecked())));
            let (request, tool) = (running.id_text.clone(), running.tool.clone());
            actions.push(Action::Note(Note::Unchecked { request, tool }));
            let call = running.call;
            self.forget(call);
            return;
        }
        let (message, args) = (std::mem::take(message), args.take());
        running.state = State::Deciding(message);
        actions.push(Action::Decide(Ask {
            call: running.call,
            request: running.id_text.clone(),
            protocol: running.protocol.clone(),
            tool: running.tool.clone(),
            args,
            check: check.unwrap_or_default(),
            task: running.task,
        }));
    }

    /// Has all calls decided that waited for the server's list.
    pub(crate) fn release(&mut self, actions: &mut Vec<Action>) {
        let mut held: Vec<(CallId, Id)> = self
            .in_flight
            .iter()
            .filter_map(|(id, request)| match request {
                InFlight::Call(running) if matches!(running.state, State::Held(..)) => {
                    Some((running.call, id.clone()))
                }
                _ => None,
            })
            .collect();
        // In the order in which they came.
        held.sort_by_key(|(call, _)| *call);
        for (_, id) in held {
            self.decide(&id, actions);
        }
    }

    /// Asks the server for its tools, unless that was done; a change of the list asks again.
    pub(crate) fn ask_for_tools(&mut self, meta: Option<&str>, now: u64, actions: &mut Vec<Action>) {
        if self.tools.was_asked() {
            return;
        }
        self.ask_again(meta, now, actions);
    }

    pub(crate) fn ask_again(&mut self, meta: Option<&str>, now: u64, actions: &mut Vec<Action>) {
        let until = now.saturating_add(self.options.list_timeout);
        if let Some(message) = self.tools.ask(meta, until) {
            actions.push(Action::Send { to: Peer::Server, message: message.into_bytes() });
            actions.push(Action::WakeAt(until));
        }
    }

    fn notification(&mut self, line: &[u8], method: &str, params: &Params, now: u64) -> Vec<Action> {
        match method {
            "tools/call" => vec![refused("a call without an id")],
            "notifications/initialized" => {
                let mut actions = vec![pass(line)];
                self.ask_for_tools(None, now, &mut actions);
                actions
            }
            "notifications/cancelled" => self.cancelled(line, params.request_id.as_ref()),
            _ => vec![pass(line)],
        }
    }

    /// The client gives a request up: a server need not answer it any more, and an answer that comes all the same is nobody's.
    fn cancelled(&mut self, line: &[u8], id: Option<&Id>) -> Vec<Action> {
        let Some((id, request)) = id.and_then(|id| self.in_flight.remove_entry(id)) else {
            return vec![pass(line)];
        };
        // Of others, an answer that comes late shows and ends nothing.
        let may_be_answered = match &request {
            InFlight::Call(running) => matches!(running.state, State::Sent),
            InFlight::List { .. } => true,
            InFlight::Initialize { .. } | InFlight::Other { .. } => false,
        };
        if may_be_answered {
            if self.cancelled.len() >= MOST_CANCELLED {
                // No more can be told apart from others: this one stays in flight until it is answered.
                self.in_flight.insert(id, request);
                return vec![pass(line)];
            }
            self.cancelled.insert(id.digest());
        }
        let InFlight::Call(running) = request else { return vec![pass(line)] };
        let call = running.call;
        self.calls.remove(&call);
        self.waiting = self.waiting.saturating_sub(running.state.waiting());
        match running.state {
            // The server knows nothing of it.
            State::Held(..) => {
                vec![Action::Note(Note::Withdrawn { request: running.id_text, tool: running.tool })]
            }
            // `decided` says that it did not run.
            State::Deciding(_) => Vec::new(),
            State::Sent => vec![pass(line), Action::Finish { call, outcome: Outcome::Cancelled }],
        }
    }
}

fn pass(line: &[u8]) -> Action {
    Action::Send { to: Peer::Server, message: line.to_vec() }
}

fn refused(reason: &'static str) -> Action {
    Action::Note(Note::FrameRefused { from: Peer::Client, reason })
}

/// Answers a message that is not passed on.
fn refuse(why: Refused) -> Vec<Action> {
    let mut actions = Vec::new();
    if why.answer {
        actions.push(to_client(answer::error(why.id.as_deref(), why.code, why.reason, None)));
    }
    actions.push(refused(why.reason));
    actions
}
