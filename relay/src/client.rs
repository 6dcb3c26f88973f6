//! Messages of the client.

use callgate::__relay::canonical;
use callgate::{ArgsCheck, Outcome};

use crate::answer;
use crate::frame::{self, Frame, INVALID_PARAMS, INVALID_REQUEST, Params, Refused, SUBSCRIBE};
use crate::id::Id;
use crate::list::Listing;
use crate::machine::{
    Action, Ask, CallId, Called, Caller, InFlight, Note, Peer, Refusal, Relay, Resumable, RoundKey, Running,
    State, digest, to_client,
};
use crate::members::{self, Members};
use crate::mistake::{Mistake::*, is_made};
use crate::options::WithoutSchema;
use crate::pinned::Pinned;
use crate::requests::without_id;
use crate::server::LONGEST_VERSION;
use crate::state::{AskedList, Passed, Unidentified};
use crate::tools::Tools;

/// The most bytes of an id's text: the relay keeps it until the answer is here.
pub(crate) const LONGEST_ID: usize = 1 << 10;
/// The most lists and calls that are known to be given up. A server need not answer them, so they may be known for ever.
const MOST_CANCELLED: usize = 100_000;
/// The most bytes of a tool's name, for the same reason. The longest that a policy admits is shorter.
pub(crate) const LONGEST_NAME: usize = 4 << 10;

/// The member of `_meta` that names the revision of the protocol, from 2026-07-28 on.
const PROTOCOL: &str = "io.modelcontextprotocol/protocolVersion";

/// A message, and what is known beside it.
struct Message<'l> {
    line: &'l [u8],
    tag: u64,
    /// The call that its sender runs.
    within: Option<CallId>,
    now: u64,
}

impl Relay {
    /// A message of the client, without its line feed. `now` is in milliseconds from any start.
    /// `tag` is the driver's, not 0: by it, it finds the message again.
    pub fn from_client(&mut self, line: &[u8], tag: u64, now: u64) -> Vec<Action> {
        self.client_wrote(line, tag, None, now)
    }

    /// The same of a message that the server itself sends, as a client, while it runs `outer`. If that call was [allowed
    /// with](crate::Verdict::AllowWith) this one, it passes as decided, once. Must not be told by anything that a client can set.
    pub fn from_within(&mut self, line: &[u8], tag: u64, outer: CallId, now: u64) -> Vec<Action> {
        self.client_wrote(line, tag, Some(outer), now)
    }

    fn client_wrote(&mut self, line: &[u8], tag: u64, within: Option<CallId>, now: u64) -> Vec<Action> {
        match self.read(line) {
            Ok(Frame::Request { id, id_text, method, params }) => {
                let message = Message { line, tag, within, now };
                self.request(&message, id, id_text, &method, params)
            }
            Ok(Frame::Notification { method, params }) => self.notification(line, tag, &method, &params, now),
            Ok(Frame::Response { id, is_error }) => match self.client_answered(&id, is_error) {
                Some(finish) => finish.into_iter().chain([pass(line, tag)]).collect(),
                None if is_made(AnswersToServer) => vec![pass(line, tag)],
                None => vec![refused("an answer that nobody asked for")],
            },
            Err(why) => refuse(why, tag),
        }
    }

    /// Reads a message as strictly as a client's.
    pub(crate) fn read(&self, line: &[u8]) -> Result<Frame, Refused> {
        frame::read(line, self.options.max_message, &|method| (self.options.decides)(None, method))
    }

    fn request(
        &mut self,
        message: &Message<'_>,
        id: Id,
        id_text: String,
        method: &str,
        params: Params,
    ) -> Vec<Action> {
        let Message { line, tag, within, now } = *message;
        let reject =
            |code, reason| refuse(Refused { code, id: Some(id_text.clone()), reason, answer: true }, tag);
        if id_text.len() > LONGEST_ID && !is_made(IdsUnbounded) {
            // Not told by its id: that is long.
            let reason = "the id is too long";
            return refuse(Refused { code: INVALID_REQUEST, id: None, reason, answer: true }, tag);
        }
        let twin = id.twin().filter(|_| !is_made(TwinsApart));
        if ([Some(&id), twin.as_ref()].into_iter().flatten().any(|id| self.in_flight.contains_key(id))
            && !is_made(IdTwice))
            || (self.tools.is_own(&id) && !is_made(OwnIdTaken))
        {
            return reject(INVALID_REQUEST, "a request with this id is in flight");
        }
        if [Some(&id), twin.as_ref()].into_iter().flatten().any(|id| self.cancelled.contains(&id.digest())) {
            return reject(INVALID_REQUEST, "a request with this id was cancelled, and has no answer yet");
        }
        if self.in_flight.len() >= self.options.max_in_flight && !is_made(FlightUnbounded) {
            return reject(INVALID_REQUEST, "too many requests are in flight");
        }
        let waits = method == "tools/call"
            || params.whole.is_some()
            || !params.resources.is_empty()
            || Listing::of(method).is_some();
        if waits
            && self.waiting.saturating_add(line.len()) > self.options.max_waiting
            && !is_made(WaitingUnbounded)
        {
            return reject(INVALID_REQUEST, "too many requests wait for a decision");
        }
        self.has_initialize |= method == "initialize";
        if method != "tools/call" && params.whole.is_none() && params.resources.is_empty() {
            return self.undecided(message, id, id_text, method, params.meta.as_deref());
        }
        let (called, arguments) = if let Some(whole) = params.whole {
            if method.len() > LONGEST_NAME {
                return reject(INVALID_REQUEST, "`method` is too long");
            }
            (Called::Method(method.to_owned()), Some(whole))
        } else if !params.resources.is_empty() {
            (Called::Listen(params.resources), None)
        } else {
            let (Some(tool), false) = (params.name, params.is_other) else {
                return reject(INVALID_PARAMS, "`params.name` is not a string");
            };
            if tool.len() > LONGEST_NAME {
                return reject(INVALID_PARAMS, "`params.name` is too long");
            }
            (Called::Tool(tool), params.arguments)
        };
        let protocol = params.meta.as_deref().and_then(Members::read);
        let protocol = protocol.and_then(|meta| meta.only(PROTOCOL).and_then(members::string));
        let protocol = protocol.filter(|version| version.len() <= LONGEST_VERSION);
        let call = self.next_call();
        let meta = params.meta.filter(|_| !self.has_initialize);
        let mut actions = Vec::new();
        if !self.has_initialize {
            self.ask_for_tools(meta.as_deref(), tag, now, &mut actions);
        }
        let running = Running {
            call,
            tag,
            caller: None,
            id_text,
            called,
            args: arguments.as_deref().map(digest),
            protocol: protocol.or_else(|| self.protocol.clone()),
            task: params.task,
            modern: !self.has_initialize,
            rounds: 1,
            inner: None,
            state: State::Identifying(Unidentified {
                message: line.to_vec(),
                args: arguments,
                resumes: params.request_state.as_deref().map(digest),
                meta,
                within,
            }),
        };
        self.waiting = self.waiting.saturating_add(running.state.waiting());
        self.calls.insert(call, id.clone());
        self.in_flight.insert(id.clone(), InFlight::Call(Box::new(running)));
        if self.options.identifies {
            actions.push(Action::Identify { call, tag, from: Peer::Client });
        } else {
            self.go_on(&id, Caller::default(), now, &mut actions);
        }
        actions
    }

    /// A request that is not decided: a list, `initialize`, or another.
    fn undecided(
        &mut self,
        message: &Message<'_>,
        id: Id,
        id_text: String,
        method: &str,
        meta: Option<&str>,
    ) -> Vec<Action> {
        let Message { line, tag, now, .. } = *message;
        let mut actions = Vec::new();
        let request = match (Listing::of(method), method) {
            (Some(kind), _) => {
                let is_filtered = kind == Listing::Tools || self.decides_requests();
                let is_held = self.options.identifies && is_filtered && !is_made(ListNotHeld);
                let waits = is_held.then(|| {
                    let call = self.next_call();
                    self.calls.insert(call, id.clone());
                    self.waiting = self.waiting.saturating_add(line.len());
                    actions.push(Action::Identify { call, tag, from: Peer::Client });
                    (call, line.to_vec())
                });
                let begins = !has_cursor(line);
                InFlight::List(Box::new(AskedList {
                    id_text,
                    tag,
                    kind,
                    caller: Caller::default(),
                    begins,
                    waits,
                }))
            }
            (None, "initialize") => InFlight::Initialize { id_text, tag },
            (None, _) => {
                let method = if method.len() > LONGEST_NAME { "" } else { method }.to_owned();
                InFlight::Other(Box::new(Passed {
                    id_text,
                    tag,
                    method,
                    caller: None,
                    hears_of_tools: false,
                }))
            }
        };
        self.in_flight.insert(id, request);
        if actions.is_empty() {
            actions.push(pass(line, tag));
        }
        if !self.has_initialize && method != "ping" {
            // Without a handshake: the generation of 2026-07-28, in which each request says its version.
            self.ask_for_tools(meta, tag, now, &mut actions);
        }
        actions
    }

    /// Goes on with a call once it is known for whom it is.
    pub(crate) fn go_on(&mut self, id: &Id, caller: Caller, now: u64, actions: &mut Vec<Action>) {
        let Some(InFlight::Call(running)) = self.in_flight.get_mut(id) else { return };
        if !matches!(running.state, State::Identifying(_)) {
            return;
        }
        let State::Identifying(known) = std::mem::replace(&mut running.state, State::Sent) else { return };
        let Unidentified { message, args, resumes, meta, within } = known;
        let (call, tag) = (running.call, running.tag);
        running.caller = Some(caller);
        let passed = |call, message| Action::Send { to: Peer::Server, tag, call, message };
        let is_decided = match &running.called {
            Called::Tool(_) => !is_made(CallsPass),
            Called::Method(method) => (self.options.decides)(Some(caller), method) && !is_made(RequestsPass),
            Called::Listen(_) => (self.options.decides)(Some(caller), SUBSCRIBE),
        };
        if !is_decided {
            // Requests of some callers are decided, not those of this one.
            let (id_text, method) = (running.id_text.clone(), running.called.method());
            self.calls.remove(&call);
            self.waiting = self.waiting.saturating_sub(message.len());
            let passed_on = Passed { id_text, tag, method, caller: Some(caller), hears_of_tools: false };
            self.in_flight.insert(id.clone(), InFlight::Other(Box::new(passed_on)));
            actions.push(passed(None, message));
            return;
        }
        if let Called::Listen(uris) = &running.called {
            let uris = uris.clone();
            return self.listen(id, message, &uris, actions);
        }
        let tool = running.called.tool();
        let drifted = tool.as_deref().is_some_and(|tool| {
            let pinned = self.pinned.as_ref().filter(|_| !is_made(RoundsDrift));
            pinned.is_some_and(|pinned| !is_approved(pinned, &self.tools, caller, tool))
        });
        let resumed = resumes.and_then(|state| {
            let key = RoundKey::of(running, state);
            let known = self.resumable.get(&key).filter(|_| !is_made(RoundsDecided))?;
            let is_in_time = (known.until > now || is_made(RoundsForEver)) && !drifted;
            let may_come = known.rounds < self.options.max_rounds || is_made(RoundsUncounted);
            if is_in_time && may_come { self.resumable.remove(&key) } else { None }
        });
        if let Some(Resumable { call: first, rounds, .. }) = resumed {
            // It rides on its first charge and its first approval.
            (running.call, running.rounds) = (first, rounds.saturating_add(1));
            self.calls.remove(&call);
            self.calls.insert(first, id.clone());
            self.waiting = self.waiting.saturating_sub(message.len());
            actions.push(passed(Some(first), message));
            return;
        }
        let called = running.called.clone();
        if let (Some(outer), Called::Tool(tool)) =
            (within.filter(|_| !is_made(InnerDecided) && !drifted), &called)
            && self.takes_inner(outer, caller, tool, args.as_deref())
        {
            self.waiting = self.waiting.saturating_sub(message.len());
            actions.push(passed(Some(call), message));
            return;
        }
        if let Some(InFlight::Call(running)) = self.in_flight.get_mut(id) {
            running.state = State::Held(message, args);
        }
        let is_locked = tool.is_some() && self.pinned.is_some();
        let is_wanted = self.tools.is_wanted() && (is_locked || self.needs_check(caller, &called));
        if is_wanted || (is_locked && self.tools.is_stale()) {
            // Nobody asked yet, though the client calls already; or the server could not answer, and may now.
            self.ask_again(meta.as_deref(), tag, now, actions);
        }
        self.decide(id, actions);
    }

    /// Whether a call was decided with the one that it is made in. Only once (spec 3.11).
    fn takes_inner(&mut self, outer: CallId, caller: Caller, tool: &str, args: Option<&str>) -> bool {
        let outer = self.calls.get(&outer).and_then(|id| self.in_flight.get_mut(id));
        let Some(InFlight::Call(outer)) = outer else { return false };
        if (outer.caller != Some(caller) && !is_made(InnerOfAll)) || !matches!(outer.state, State::Sent) {
            return false;
        }
        let Some(args) = canonical(args.unwrap_or("{}")) else { return false };
        let same = outer.inner.as_ref().is_some_and(|inner| {
            inner.tool == tool && (inner.args == digest(&args) || is_made(InnerOfArguments))
        });
        if same && !is_made(InnerTwice) {
            outer.inner = None;
        }
        same
    }

    /// Whether a call waits for the server's list.
    fn needs_check(&self, caller: Caller, called: &Called) -> bool {
        matches!(called, Called::Tool(tool) if (self.options.reads_args)(caller, tool))
    }

    /// Has a call decided that is held, unless it waits for the server's list.
    fn decide(&mut self, id: &Id, actions: &mut Vec<Action>) {
        let Some(InFlight::Call(running)) = self.in_flight.get_mut(id) else { return };
        let State::Held(message, args) = &mut running.state else { return };
        let caller = running.caller.unwrap_or_default();
        // A server says nothing of the params of other methods, so that only members that fold are checked.
        let (check, needs_check) = match &running.called {
            Called::Tool(tool) => (self.tools.check(tool).cloned(), (self.options.reads_args)(caller, tool)),
            Called::Method(_) | Called::Listen(_) => (Some(ArgsCheck::new()), false),
        };
        let pinned = self.pinned.as_ref().filter(|_| !is_made(LockIgnored));
        let lock = pinned.and_then(|pinned| Some((pinned, running.called.tool()?)));
        if (needs_check && self.tools.is_asking() && !is_made(ListNotWaitedFor))
            || (lock.is_some() && self.tools.is_asking() && !is_made(LockNotWaitedFor))
        {
            return;
        }
        let runs_unchecked = match self.options.without_schema {
            WithoutSchema::Deny => is_made(UnlistedRuns),
            WithoutSchema::Allow => true,
            WithoutSchema::AllowUnlisted => self.tools.is_whole() || is_made(FailedListIsWhole),
        };
        let is_changed =
            lock.as_ref().is_some_and(|(pinned, tool)| !is_approved(pinned, &self.tools, caller, tool));
        let is_unknown = is_changed && !self.tools.is_whole();
        if is_changed || (needs_check && check.is_none() && !runs_unchecked) {
            let (request, tool) = (running.id_text.clone(), running.called.tool().unwrap_or_default());
            let (refusal, note) = if is_changed && !is_unknown {
                (Refusal::changed(&tool), Note::Changed { call: running.call, request, tool })
            } else {
                (Refusal::unchecked(), Note::Unchecked { request, tool })
            };
            actions.push(to_client(running.tag, answer::refusal(running, &refusal)));
            actions.push(Action::Note(note));
            let call = running.call;
            self.forget(call);
            return;
        }
        let (message, args) = (std::mem::take(message), args.take());
        running.state = State::Deciding(message);
        let ask = Ask {
            call: running.call,
            tag: running.tag,
            caller: if is_made(CallersMixed) { Caller::default() } else { caller },
            request: running.id_text.clone(),
            protocol: running.protocol.clone(),
            from: Peer::Client,
            method: running.called.method(),
            tool: running.called.tool(),
            args: args.filter(|_| !is_made(ArgumentsUnread)),
            check: check.filter(|_| !is_made(SchemaLost)).unwrap_or_default(),
            task: running.task,
        };
        actions.push(self.ask_for(ask));
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
    pub(crate) fn ask_for_tools(
        &mut self,
        meta: Option<&str>,
        tag: u64,
        now: u64,
        actions: &mut Vec<Action>,
    ) {
        if self.tools.was_asked() {
            return;
        }
        self.ask_again(meta, tag, now, actions);
    }

    pub(crate) fn ask_again(&mut self, meta: Option<&str>, tag: u64, now: u64, actions: &mut Vec<Action>) {
        let until = now.saturating_add(self.options.list_timeout);
        if let Some(message) = self.tools.ask(meta, tag, until) {
            actions.push(own_question(tag, message));
            actions.push(Action::WakeAt(until));
        }
    }

    fn notification(
        &mut self,
        line: &[u8],
        tag: u64,
        method: &str,
        params: &Params,
        now: u64,
    ) -> Vec<Action> {
        match method {
            "tools/call" if !is_made(CallsWithoutId) => vec![refused("a call without an id")],
            "notifications/initialized" => {
                let mut actions = vec![pass(line, tag)];
                self.ask_for_tools(None, tag, now, &mut actions);
                actions
            }
            "notifications/cancelled" => self.cancelled(line, tag, params.request_id.as_ref()),
            // A server may do what it asks for, and answer nothing.
            _ if params.whole.is_some() && !is_made(NotificationsPass) => vec![without_id()],
            _ => vec![pass(line, tag)],
        }
    }

    /// The client gives a request up: a server need not answer it any more, and an answer that comes all the same is nobody's.
    fn cancelled(&mut self, line: &[u8], tag: u64, id: Option<&Id>) -> Vec<Action> {
        let found = id.filter(|_| !is_made(CancelledRuns)).and_then(|id| self.in_flight.remove_entry(id));
        let Some((id, request)) = found else {
            return vec![pass(line, tag)];
        };
        // An answer that comes late must not be taken for that of a later request with the same id.
        let may_be_answered = match &request {
            // One that is held came already.
            InFlight::Call(running) => matches!(running.state, State::Sent),
            InFlight::List(list) => list.waits.is_none(),
            InFlight::Initialize { .. } | InFlight::Other(_) => true,
        };
        if may_be_answered {
            if self.cancelled.len() >= MOST_CANCELLED {
                // No more can be told apart from others: this one stays in flight until it is answered.
                self.in_flight.insert(id, request);
                return vec![pass(line, tag)];
            }
            if !is_made(CancelledIdTaken) {
                self.cancelled.insert(id.digest());
            }
        }
        let running = match request {
            InFlight::Call(running) => running,
            InFlight::List(list) => {
                let Some((call, message)) = list.waits else { return vec![pass(line, tag)] };
                // The server knows nothing of it.
                self.calls.remove(&call);
                self.waiting = self.waiting.saturating_sub(message.len());
                return vec![Action::GivenUp { call }];
            }
            InFlight::Initialize { .. } | InFlight::Other(_) => return vec![pass(line, tag)],
        };
        let call = running.call;
        self.calls.remove(&call);
        match running.state {
            // The server knows nothing of it.
            state @ (State::Identifying(_) | State::Held(..)) => {
                self.waiting = self.waiting.saturating_sub(state.waiting());
                let tool = running.called.tool().unwrap_or_default();
                let note = Note::Withdrawn { request: running.id_text, tool };
                vec![Action::GivenUp { call }, Action::Note(note)]
            }
            // `decided` says that it did not run.
            State::Deciding(message) => {
                self.waiting = self.waiting.saturating_sub(message.len());
                if is_made(GivenUpSilently) {
                    return Vec::new();
                }
                vec![Action::GivenUp { call }]
            }
            State::Answering(answering) => {
                let ends = answering.ends;
                // The server knows nothing of what was not passed on.
                let is_known = answering.to == Peer::Client;
                let mut actions: Vec<Action> = is_known.then(|| pass(line, tag)).into_iter().collect();
                actions.extend(self.drop_inputs(answering));
                actions.extend(ends.then_some(Action::Finish { call, outcome: Outcome::Cancelled }));
                actions
            }
            State::Sent if is_made(CancelledIsKept) => vec![pass(line, tag)],
            State::Sent => vec![pass(line, tag), Action::Finish { call, outcome: Outcome::Cancelled }],
        }
    }
}

/// Whether a tool is as it was approved, by the server's whole list and by what its caller saw last.
fn is_approved(pinned: &Pinned, tools: &Tools, caller: Caller, tool: &str) -> bool {
    tools.is_whole() && !tools.is_changed(tool) && !pinned.is_seen_changed(caller, tool)
}

/// Whether a request for a list asks for a later page than the first.
fn has_cursor(line: &[u8]) -> bool {
    let members = std::str::from_utf8(line).ok().and_then(Members::read);
    let params = members.as_ref().and_then(|members| members.only("params"));
    params.and_then(Members::read).is_some_and(|params| params.has("cursor"))
}

fn pass(line: &[u8], tag: u64) -> Action {
    let line = if is_made(MessagesTrimmed) { line.trim_ascii() } else { line };
    Action::Send { to: Peer::Server, tag, call: None, message: line.to_vec() }
}

/// A question of the relay's own.
pub(crate) fn own_question(tag: u64, message: String) -> Action {
    Action::Send { to: Peer::Server, tag, call: None, message: message.into_bytes() }
}

fn refused(reason: &'static str) -> Action {
    Action::Note(Note::FrameRefused { from: Peer::Client, reason })
}

/// Answers a message that is not passed on.
fn refuse(why: Refused, tag: u64) -> Vec<Action> {
    let mut actions = Vec::new();
    if why.answer {
        actions.push(to_client(tag, answer::error(why.id.as_deref(), why.code, why.reason, None)));
    }
    actions.push(refused(why.reason));
    actions
}
