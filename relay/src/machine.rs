//! The machine: what it is told, what it asks for, and what it remembers between messages.

use std::collections::{HashMap, HashSet};

use callgate::lock::OnDrift;
use callgate::{ArgsCheck, MCP_DENIED, Outcome};

use crate::answer;
use crate::id::Id;
use crate::list::Listed;
use crate::mistake::{Mistake::*, is_made};
use crate::options::Options;
use crate::pinned::Pinned;
pub(crate) use crate::state::{
    Answering, Asked, AskedByServer, Called, Digest, InFlight, Inner, Inquiry, Resumable, RoundKey, Running,
    State, digest,
};
use crate::tools::Tools;

/// One side of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// Who calls tools.
    Client,
    /// Who has them.
    Server,
}

/// A call, from its message to its end. Unique in a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub(crate) u64);

impl CallId {
    /// As a number, for a driver in another language.
    pub fn number(self) -> u64 {
        self.0
    }

    /// Of that number. One that no call has names none.
    pub fn of(number: u64) -> Self {
        Self(number)
    }
}

/// For whom a request is decided: equal for equal identities under one engine. A relay that [does not ask](Options::identifies) has the
/// default one alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Caller(pub u64);

/// What to do.
#[derive(Debug)]
pub enum Action {
    /// Write this message. It has no line feed in it and none at its end.
    Send {
        /// To whom.
        to: Peer,
        /// The tag of the message that caused it; 0 for none.
        tag: u64,
        /// The call that this message begins or goes on with. If it cannot be written, say so by [`Relay::unsent`].
        call: Option<CallId>,
        /// The message's bytes.
        message: Vec<u8>,
    },
    /// Say by [`Relay::identified`] for whom this request is, or [refuse](Relay::refuse) it. Until then, other messages go on.
    Identify {
        /// Which.
        call: CallId,
        /// The tag of its message. For a request for input inside of an answer, that of the request that was answered.
        tag: u64,
        /// Who asks.
        from: Peer,
    },
    /// Decide this call, and say so by [`Relay::decided`]. Until then, other messages go on.
    Decide(Ask),
    /// The call ended so: finish its charges. Comes before the message that tells its caller, so that what was given back is there when it
    /// calls again. A call that was never to decide has nothing to finish.
    Finish {
        /// The call.
        call: CallId,
        /// How it ended.
        outcome: Outcome,
    },
    /// A request that is being identified or decided, or that waits for the server's list, was given up: nobody waits for its decision.
    /// A decision that is made all the same is still told.
    GivenUp {
        /// Which.
        call: CallId,
    },
    /// The server took the call on as a task, which goes on: its charges stand. Nothing here tells when the task has ended, so a call
    /// in flight counts until its lease is over (spec 8.13).
    Accepted {
        /// The call.
        call: CallId,
    },
    /// Call [`Relay::wake`] at this time, in the milliseconds that the caller counts, or soon after.
    WakeAt(u64),
    /// Something happened that belongs in a record.
    Note(Note),
}

/// A call to decide.
#[derive(Debug)]
pub struct Ask {
    /// Which.
    pub call: CallId,
    /// The tag of its message, as in [`Action::Identify`].
    pub tag: u64,
    /// For whom.
    pub caller: Caller,
    /// The id of its request, as its JSON text.
    pub request: String,
    /// The revision of the protocol in which it is made, where it is known.
    pub protocol: Option<String>,
    /// Who asks: the client, or for a request such as `sampling/createMessage` the server.
    pub from: Peer,
    /// The method: `tools/call`, or another one (spec 3.10).
    pub method: String,
    /// The tool's name; `None` for another method.
    pub tool: Option<String>,
    /// The text of `arguments`, as it stands in the message; `None` for absent ones. Of another method, that of the params without
    /// `_meta`, `inputResponses` and `requestState`.
    pub args: Option<String>,
    /// How its arguments are to be checked: by the server's list of tools, as far as that is known.
    pub check: ArgsCheck,
    /// Whether the caller asks for a task.
    pub task: bool,
}

/// What was decided.
#[derive(Debug)]
pub enum Verdict {
    /// The call may run.
    Allow,
    /// It may run, and calls this tool with these arguments, as canonical JSON: once, that inner call [is decided with
    /// it](Relay::from_within).
    AllowWith {
        /// The inner tool.
        tool: String,
        /// Its arguments.
        args: String,
    },
    /// It may not.
    Refuse(Refusal),
    /// It does not run now: the caller gets this result, a JSON object with whatever it needs to say what kind of result it is.
    Answer(String),
}

/// What a caller is told whose call does not run: of a [`callgate::Decision`], `Refusal::from(&decision)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The result, a JSON object (spec 10.6).
    pub result: String,
    /// The message, for a call that asked for a task: its answer is an error with the code [`callgate::MCP_DENIED`].
    pub message: String,
    /// The error's `data`, a JSON object; `None` for none.
    pub data: Option<String>,
}

/// Something for a record. Carries no argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A message was not passed on.
    FrameRefused {
        /// Who sent it.
        from: Peer,
        /// Why.
        reason: &'static str,
    },
    /// A call was refused without a decision: the server's list says nothing of its tool, whose rules read arguments.
    Unchecked {
        /// The id of its request, as its JSON text.
        request: String,
        /// The tool.
        tool: String,
    },
    /// A call was refused without a decision: its tool is not as it was approved.
    Changed {
        /// Which.
        call: CallId,
        /// The id of its request, as its JSON text.
        request: String,
        /// The tool.
        tool: String,
    },
    /// A call ended before it was decided: its client gave it up, or a connection ended.
    Withdrawn {
        /// The id of its request, as its JSON text.
        request: String,
        /// The tool.
        tool: String,
    },
    /// Tools, resources or prompts were left out of a list.
    ListFiltered {
        /// The method that asked for it.
        method: &'static str,
        /// How many.
        hidden: usize,
    },
    /// The server's tools are known now.
    Listed(Vec<Listed>),
    /// The server's tools are not known, for this reason.
    ListFailed(&'static str),
}

/// Guards one stream between a client and a server.
pub struct Relay {
    pub(crate) options: Options,
    /// Requests of the client that have no answer yet.
    pub(crate) in_flight: HashMap<Id, InFlight>,
    /// Lists and calls that the client gave up and that the server may answer all the same, by the digests of their ids: no such answer
    /// may be taken for that of another request.
    pub(crate) cancelled: HashSet<Digest>,
    /// Requests of the server that have no answer yet.
    pub(crate) asked_by_server: HashMap<Id, Asked>,
    /// Calls that are being decided or run, by which a decision finds its request.
    pub(crate) calls: HashMap<CallId, Id>,
    /// The same of requests of the server.
    pub(crate) server_calls: HashMap<CallId, Id>,
    /// Requests for input that are being decided.
    pub(crate) inputs: HashMap<CallId, Inquiry>,
    /// Calls of which no decision was told yet.
    pub(crate) asked: HashSet<CallId>,
    /// Bytes of messages of the server that are being decided.
    pub(crate) deciding: usize,
    /// Calls whose server waits for input, by the digest of their `requestState`.
    pub(crate) resumable: HashMap<RoundKey, Resumable>,
    pub(crate) tools: Tools,
    /// What was approved, where the host has a lock.
    pub(crate) pinned: Option<Pinned>,
    pub(crate) next_call: u64,
    /// Whether the client began with `initialize`.
    pub(crate) has_initialize: bool,
    /// The revision of the protocol that the server chose in its answer to `initialize`.
    pub(crate) protocol: Option<String>,
    /// Whether the server said at `initialize` that it tells of changes of its list of tools.
    pub(crate) tells_of_tools: bool,
    /// Bytes of messages that are held or decided.
    pub(crate) waiting: usize,
}

impl Relay {
    /// A relay for one client and one server.
    pub fn new(mut options: Options) -> Self {
        Self {
            pinned: options.lock.take().map(|(pins, on_drift)| Pinned::new(pins, on_drift)),
            tools: Tools::new(&options.nonce),
            options,
            in_flight: HashMap::new(),
            cancelled: HashSet::new(),
            asked_by_server: HashMap::new(),
            calls: HashMap::new(),
            server_calls: HashMap::new(),
            inputs: HashMap::new(),
            asked: HashSet::new(),
            deciding: 0,
            resumable: HashMap::new(),
            next_call: 0,
            has_initialize: false,
            protocol: None,
            tells_of_tools: false,
            waiting: 0,
        }
    }

    /// Bytes of calls that wait for the server's list or for a decision. Who drives the relay reads no more of the client while there are
    /// many, or has the relay [refuse](crate::Options::max_waiting) what is too much.
    pub fn waiting_bytes(&self) -> usize {
        self.waiting
    }

    /// A policy was replaced, that of the callers of whom `whose` is true. What they were allowed in rounds is decided anew when it comes
    /// again. If `changed` is true of a tool in the list, because somebody sees it now who did not, or no longer, the client hears that
    /// the list changed, where the server tells of that, too.
    pub fn reloaded(
        &mut self,
        whose: impl Fn(Caller) -> bool,
        changed: impl Fn(&str) -> bool,
    ) -> Vec<Action> {
        let ended = self
            .resumable
            .extract_if(|key, _| !is_made(RoundsOutliveReload) && key.caller.is_none_or(&whose));
        let mut actions: Vec<Action> =
            ended.map(|(_, known)| Action::Finish { call: known.call, outcome: Outcome::Done }).collect();
        // What is left out of every list is of no interest.
        let hides = self.pinned.as_ref().is_some_and(|pinned| pinned.on_drift == OnDrift::Hide);
        let mut names = self.tools.names().filter(|(_, is_changed)| !(hides && *is_changed));
        if names.any(|(name, _)| changed(name)) && !is_made(ReloadSilent) {
            if self.tells_of_tools || is_made(ReloadToldToAll) {
                actions.push(to_client(0, answer::list_changed(None)));
            }
            actions.extend(self.in_flight.values().filter_map(|request| match request {
                InFlight::Other(listens) if listens.hears_of_tools => {
                    Some(to_client(listens.tag, answer::list_changed(Some(&listens.id_text))))
                }
                _ => None,
            }));
        }
        actions
    }

    /// The callers of requests that have not ended.
    pub fn callers(&self) -> impl Iterator<Item = Caller> {
        let of_client = self.in_flight.values().filter_map(|request| match request {
            InFlight::List(list) => Some(list.caller),
            InFlight::Call(running) => running.caller,
            InFlight::Other(passed) => passed.caller,
            InFlight::Initialize { .. } => None,
        });
        of_client.chain(self.resumable.keys().filter_map(|key| key.caller))
    }

    /// Bytes of the server's messages that wait for a decision. Who drives the relay reads no more of the server while there are many.
    pub fn deciding_bytes(&self) -> usize {
        self.deciding
    }

    /// It is known for whom a request is. `now` is as for messages.
    pub fn identified(&mut self, call: CallId, caller: Caller, now: u64) -> Vec<Action> {
        if let Some(id) = self.server_calls.get(&call).cloned() {
            return self.server_request_identified(call, &id, caller);
        }
        if self.inputs.contains_key(&call) {
            return self.input_identified(call, caller, now);
        }
        let mut actions = Vec::new();
        // Given up meanwhile, if it is not known.
        let Some(id) = self.calls.get(&call).cloned() else { return actions };
        match self.in_flight.get_mut(&id) {
            Some(InFlight::List(list)) => {
                if let Some((_, message)) = list.waits.take() {
                    list.caller = caller;
                    self.calls.remove(&call);
                    self.waiting = self.waiting.saturating_sub(message.len());
                    actions.push(Action::Send { to: Peer::Server, tag: list.tag, call: None, message });
                }
            }
            Some(InFlight::Call(_)) => self.go_on(&id, caller, now, &mut actions),
            _ => {}
        }
        actions
    }

    /// A request is not to run, whether it is being identified or decided. One that was to be decided ends with `not_run`.
    pub fn refuse(&mut self, call: CallId, refusal: Refusal, now: u64) -> Vec<Action> {
        let waits = self.calls.get(&call).and_then(|id| self.in_flight.get(id));
        let answer = match waits {
            Some(InFlight::List(_)) if is_made(RefusedIdentityPasses) => {
                return self.identified(call, Caller::default(), now);
            }
            Some(InFlight::List(list)) if list.waits.is_some() => {
                let data = refusal.data.as_deref();
                (list.tag, answer::error(Some(&list.id_text), MCP_DENIED, &refusal.message, data))
            }
            Some(InFlight::Call(running)) if matches!(running.state, State::Identifying(_)) => {
                (running.tag, answer::refusal(running, &refusal))
            }
            _ if self.asked.remove(&call)
                || self.server_calls.contains_key(&call)
                || self.inputs.contains_key(&call) =>
            {
                return self.conclude(call, Verdict::Refuse(refusal), now);
            }
            _ => return Vec::new(),
        };
        self.forget(call);
        vec![to_client(answer.0, answer.1)]
    }

    /// A call was decided. `now` is as for messages. What [`Action::Decide`] did not ask for changes nothing, nor does a second decision.
    pub fn decided(&mut self, call: CallId, verdict: Verdict, now: u64) -> Vec<Action> {
        if self.asked.remove(&call) || is_made(DecidedTwice) {
            self.conclude(call, verdict, now)
        } else {
            Vec::new()
        }
    }

    /// Asks for a decision.
    pub(crate) fn ask_for(&mut self, ask: Ask) -> Action {
        self.asked.insert(ask.call);
        Action::Decide(ask)
    }

    fn conclude(&mut self, call: CallId, verdict: Verdict, now: u64) -> Vec<Action> {
        if let Some(id) = self.server_calls.get(&call).cloned() {
            return self.server_request_decided(call, &id, verdict);
        }
        if self.inputs.contains_key(&call) {
            return self.input_decided(call, verdict, now);
        }
        let finish = |outcome| Action::Finish { call, outcome };
        let request = self.calls.get(&call).and_then(|id| self.in_flight.get_mut(id));
        let Some(InFlight::Call(running)) = request else {
            // Its client cancelled it meanwhile, or is gone.
            return vec![finish(Outcome::NotRun)];
        };
        // A decision for nobody is none.
        let State::Deciding(message) = &mut running.state else { return Vec::new() };
        let tag = running.tag;
        let message = match verdict {
            Verdict::Allow | Verdict::AllowWith { .. } => {
                let message = std::mem::take(message);
                self.waiting = self.waiting.saturating_sub(message.len());
                running.state = State::Sent;
                if let Verdict::AllowWith { tool, args } = verdict {
                    running.inner = Some(Inner { tool, args: digest(&args) });
                }
                return vec![Action::Send { to: Peer::Server, tag, call: Some(call), message }];
            }
            Verdict::Refuse(refusal) => answer::refusal(running, &refusal),
            Verdict::Answer(result) => answer::result(&running.id_text, &result),
        };
        self.forget(call);
        let outcome = if is_made(RefusedIsDone) { Outcome::Done } else { Outcome::NotRun };
        vec![finish(outcome), to_client(tag, message)]
    }

    /// The message that a call begins or goes on with could not be written: its client hears so. It did not run, unless this is not its
    /// first round: then the server may have done a part of it.
    pub fn unsent(&mut self, call: CallId) -> Vec<Action> {
        const REASON: &str = "the message could not be sent";
        let error = |id: &str| answer::error(Some(id), crate::frame::INTERNAL_ERROR, REASON, None);
        if let Some(id) = self.server_calls.remove(&call) {
            let Some(Asked::Sent(_, id_text)) = self.asked_by_server.remove(&id) else { return Vec::new() };
            let message = error(&id_text).into_bytes();
            let told = Action::Send { to: Peer::Server, tag: 0, call: None, message };
            return vec![Action::Finish { call, outcome: Outcome::NotRun }, told];
        }
        let request = self.calls.get(&call).and_then(|id| self.in_flight.get(id));
        let Some(InFlight::Call(running)) = request else { return Vec::new() };
        if !matches!(running.state, State::Sent) {
            return Vec::new();
        }
        let outcome = if (running.rounds > 1 && !is_made(UnsentRoundIsFree)) || is_made(UnsentIsLost) {
            Outcome::Lost
        } else {
            Outcome::NotRun
        };
        let told = to_client(running.tag, error(&running.id_text));
        self.forget(call);
        vec![Action::Finish { call, outcome }, told]
    }

    /// Time has passed: what waited too long goes on.
    pub fn wake(&mut self, now: u64) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.tools.is_late(now) {
            self.tools.give_up();
            actions = self.list_failed("the server did not answer in time");
        }
        let late = self.resumable.extract_if(|_, resumable| resumable.until <= now);
        actions.extend(late.map(|(_, late)| Action::Finish { call: late.call, outcome: Outcome::TimedOut }));
        actions
    }

    /// The server's list is not to be had: calls that wait for it go on without.
    pub(crate) fn list_failed(&mut self, why: &'static str) -> Vec<Action> {
        let mut actions = vec![Action::Note(Note::ListFailed(why))];
        self.release(&mut actions);
        actions
    }

    /// The client is gone: what was not passed on did not run, what was may have.
    pub fn client_closed(&mut self) -> Vec<Action> {
        self.end_calls(None)
    }

    /// The server is gone, for this reason: every request that waits gets an error that says so.
    pub fn server_closed(&mut self, reason: &str) -> Vec<Action> {
        self.end_calls(Some(reason))
    }

    fn end_calls(&mut self, reason: Option<&str>) -> Vec<Action> {
        let mut actions = Vec::new();
        for (_, request) in self.in_flight.drain() {
            let (tag, id_text) = match request {
                InFlight::List(list) => {
                    actions.extend(list.waits.map(|(call, _)| Action::GivenUp { call }));
                    (list.tag, list.id_text)
                }
                InFlight::Initialize { id_text, tag } => (tag, id_text),
                InFlight::Other(passed) => (passed.tag, passed.id_text),
                InFlight::Call(running) => {
                    let Running { call, tag, id_text, called, state, .. } = *running;
                    match state {
                        State::Identifying(_) | State::Held(..) => {
                            let (request, tool) = (id_text.clone(), called.tool().unwrap_or_default());
                            actions.push(Action::GivenUp { call });
                            actions.push(Action::Note(Note::Withdrawn { request, tool }));
                        }
                        State::Answering(Answering { allowed, open, ends, .. }) => {
                            actions.extend(given_up(open));
                            actions.extend(not_run(allowed));
                            actions.extend(ends.then_some(Action::Finish { call, outcome: Outcome::Lost }));
                        }
                        State::Sent => actions.push(Action::Finish { call, outcome: Outcome::Lost }),
                        // What is being decided is not known here any more: `decided` says that it did not run.
                        State::Deciding(_) => actions.push(Action::GivenUp { call }),
                    }
                    (tag, id_text)
                }
            };
            actions.extend(reason.map(|reason| {
                to_client(tag, answer::error(Some(&id_text), crate::frame::INTERNAL_ERROR, reason, None))
            }));
        }
        for (_, asked) in self.asked_by_server.drain() {
            match asked {
                Asked::Passed => {}
                Asked::Deciding(asked) => actions.push(Action::GivenUp { call: asked.call }),
                Asked::Sent(call, _) => actions.push(Action::Finish { call, outcome: Outcome::Lost }),
            }
        }
        self.calls.clear();
        self.server_calls.clear();
        self.inputs.clear();
        (self.waiting, self.deciding) = (0, 0);
        for (_, resumable) in self.resumable.drain() {
            actions.push(Action::Finish { call: resumable.call, outcome: Outcome::Lost });
        }
        actions
    }

    /// Forgets a call or a list that has ended.
    pub(crate) fn forget(&mut self, call: CallId) {
        let waited = match self.calls.remove(&call).and_then(|id| self.in_flight.remove(&id)) {
            Some(InFlight::Call(running)) => running.state.waiting(),
            Some(InFlight::List(list)) => list.waits.map_or(0, |(_, message)| message.len()),
            _ => 0,
        };
        self.waiting = self.waiting.saturating_sub(waited);
    }
}

/// These never ran.
pub(crate) fn not_run(calls: Vec<CallId>) -> impl Iterator<Item = Action> {
    calls.into_iter().map(|call| Action::Finish { call, outcome: Outcome::NotRun })
}

/// Nobody waits for these.
pub(crate) fn given_up(calls: impl IntoIterator<Item = CallId>) -> impl Iterator<Item = Action> {
    calls.into_iter().map(|call| Action::GivenUp { call })
}

/// A message of the relay's own.
pub(crate) fn to_client(tag: u64, message: String) -> Action {
    Action::Send { to: Peer::Client, tag, call: None, message: message.into_bytes() }
}
