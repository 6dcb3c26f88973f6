//! The machine: what it is told, what it asks for, and what it remembers between messages.

use std::collections::{HashMap, HashSet};

use callgate::{ArgsCheck, Outcome};
use sha2::{Digest as _, Sha256};

use crate::answer;
use crate::id::Id;
use crate::list::Listed;
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

/// What to do.
#[derive(Debug)]
pub enum Action {
    /// Write this message. It has no line feed in it and none at its end.
    Send {
        /// To whom.
        to: Peer,
        /// The message's bytes.
        message: Vec<u8>,
    },
    /// Decide this call, and say so by [`Relay::decided`]. Until then, other messages go on.
    Decide(Ask),
    /// The call ended so: finish its charges.
    Finish {
        /// The call.
        call: CallId,
        /// How it ended.
        outcome: Outcome,
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
    /// The id of its request, as its JSON text.
    pub request: String,
    /// The revision of the protocol in which it is made, where it is known.
    pub protocol: Option<String>,
    /// The tool's name.
    pub tool: String,
    /// The text of `arguments`, as it stands in the message; `None` for absent ones.
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
    /// It may not.
    Refuse(Refusal),
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
    /// A call ended before it was decided: its client gave it up, or a connection ended.
    Withdrawn {
        /// The id of its request, as its JSON text.
        request: String,
        /// The tool.
        tool: String,
    },
    /// Tools were left out of a list.
    ListFiltered {
        /// How many.
        hidden: usize,
    },
    /// The server's tools are known now.
    Listed(Vec<Listed>),
    /// The server's tools are not known, for this reason.
    ListFailed(&'static str),
}

/// What to do with a call of a tool of which the server's list says nothing, where rules read arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WithoutSchema {
    /// It does not run.
    #[default]
    Deny,
    /// It is decided by its arguments as they are written.
    Allow,
}

/// Whether something holds of a tool, by its name.
pub(crate) type OfTool = Box<dyn Fn(&str) -> bool + Send>;

/// How a relay behaves.
pub struct Options {
    pub(crate) nonce: String,
    pub(crate) max_message: usize,
    pub(crate) max_in_flight: usize,
    pub(crate) max_list: usize,
    pub(crate) list_timeout: u64,
    pub(crate) resume_for: u64,
    pub(crate) max_rounds: u32,
    pub(crate) without_schema: WithoutSchema,
    pub(crate) reads_args: OfTool,
    pub(crate) visible: OfTool,
    pub(crate) by_caller: Box<dyn Fn() -> bool + Send>,
}

impl Options {
    /// The defaults. `nonce` is random text: it tells the relay's own requests from the client's.
    pub fn new(nonce: &str) -> Self {
        Self {
            nonce: nonce.to_owned(),
            max_message: 16 << 20,
            max_in_flight: 10_000,
            max_list: 32 << 20,
            list_timeout: 10_000,
            resume_for: 600_000,
            max_rounds: 8,
            without_schema: WithoutSchema::Deny,
            reads_args: Box::new(|_| true),
            visible: Box::new(|_| true),
            by_caller: Box::new(|| false),
        }
    }

    /// The most bytes of a message.
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.max_message = bytes;
        self
    }

    /// How long a call waits for the server's list of tools, in milliseconds.
    pub fn list_timeout(mut self, millis: u64) -> Self {
        self.list_timeout = millis;
        self
    }

    /// What to do where the server's list says nothing of a tool.
    pub fn without_schema(mut self, choice: WithoutSchema) -> Self {
        self.without_schema = choice;
        self
    }

    /// Whether rules read arguments of a tool: a call of one that they do not waits for no list.
    pub fn reads_args(mut self, reads: impl Fn(&str) -> bool + Send + 'static) -> Self {
        self.reads_args = Box::new(reads);
        self
    }

    /// Whether the caller may see a tool in a list.
    pub fn visible(mut self, visible: impl Fn(&str) -> bool + Send + 'static) -> Self {
        self.visible = Box::new(visible);
        self
    }

    /// Whether another caller may see other tools: then no list is for a cache that others share, also one of which nothing is left
    /// out.
    pub fn by_caller(mut self, by_caller: impl Fn() -> bool + Send + 'static) -> Self {
        self.by_caller = Box::new(by_caller);
        self
    }
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
    pub(crate) asked_by_server: HashMap<Id, ()>,
    /// Calls that are being decided or run, by which a decision finds its request.
    pub(crate) calls: HashMap<CallId, Id>,
    /// Calls whose server waits for input, by the digest of their `requestState`.
    pub(crate) resumable: HashMap<Digest, Resumable>,
    pub(crate) tools: Tools,
    pub(crate) next_call: u64,
    /// Whether the client began with `initialize`.
    pub(crate) has_initialize: bool,
    /// The revision of the protocol that the server chose in its answer to `initialize`.
    pub(crate) protocol: Option<String>,
    /// Bytes of messages that are held or decided.
    pub(crate) waiting: usize,
}

/// A request of the client.
pub(crate) enum InFlight {
    /// `tools/list`: its answer is filtered.
    List {
        id_text: String,
    },
    Call(Box<Running>),
    /// `initialize`: its answer names the revision of the protocol.
    Initialize {
        id_text: String,
    },
    Other {
        id_text: String,
    },
}

/// A call in flight.
pub(crate) struct Running {
    pub(crate) call: CallId,
    pub(crate) id_text: String,
    pub(crate) tool: String,
    /// The digest of its arguments: the same call may come again, and arguments may be long.
    pub(crate) args: Option<Digest>,
    pub(crate) protocol: Option<String>,
    pub(crate) task: bool,
    /// Whether its answer says what kind of result it is: the generation of 2026-07-28.
    pub(crate) modern: bool,
    pub(crate) rounds: u32,
    pub(crate) state: State,
}

pub(crate) enum State {
    /// Waits for the server's list of tools, with its message and its arguments.
    Held(Vec<u8>, Option<String>),
    /// Is being decided, with its message.
    Deciding(Vec<u8>),
    /// Was passed on.
    Sent,
}

impl State {
    /// Bytes of the message that waits.
    pub(crate) fn waiting(&self) -> usize {
        match self {
            Self::Held(message, _) | Self::Deciding(message) => message.len(),
            Self::Sent => 0,
        }
    }
}

/// SHA-256.
pub(crate) type Digest = [u8; 32];

pub(crate) fn digest(text: &str) -> Digest {
    Sha256::digest(text).into()
}

/// A call that goes on once its input is there.
pub(crate) struct Resumable {
    pub(crate) call: CallId,
    pub(crate) tool: String,
    pub(crate) args: Option<Digest>,
    pub(crate) rounds: u32,
    pub(crate) until: u64,
}

impl Relay {
    /// A relay for one client and one server.
    pub fn new(options: Options) -> Self {
        Self {
            tools: Tools::new(&options.nonce),
            options,
            in_flight: HashMap::new(),
            cancelled: HashSet::new(),
            asked_by_server: HashMap::new(),
            calls: HashMap::new(),
            resumable: HashMap::new(),
            next_call: 0,
            has_initialize: false,
            protocol: None,
            waiting: 0,
        }
    }

    /// Bytes of calls that wait for the server's list or for a decision. Who drives the relay reads no more of the client while there are
    /// many.
    pub fn waiting_bytes(&self) -> usize {
        self.waiting
    }

    /// Puts other answers of the policy in force, after a reload. Tells the client that the list of tools changed.
    pub fn reloaded(
        &mut self,
        reads_args: impl Fn(&str) -> bool + Send + 'static,
        visible: impl Fn(&str) -> bool + Send + 'static,
    ) -> Vec<Action> {
        let before = std::mem::replace(&mut self.options.visible, Box::new(visible));
        self.options.reads_args = Box::new(reads_args);
        // What was allowed under another policy is decided anew when it comes again.
        let ended = self.resumable.drain().map(|(_, resumable)| resumable.call);
        let mut actions: Vec<Action> =
            ended.map(|call| Action::Finish { call, outcome: Outcome::Done }).collect();
        let changed = self.tools.names().any(|name| before(name) != (self.options.visible)(name));
        if changed {
            actions.push(to_client(answer::LIST_CHANGED.to_owned()));
        }
        actions
    }

    /// A call was decided.
    pub fn decided(&mut self, call: CallId, verdict: Verdict) -> Vec<Action> {
        let finish = |outcome| Action::Finish { call, outcome };
        let request = self.calls.get(&call).and_then(|id| self.in_flight.get_mut(id));
        let Some(InFlight::Call(running)) = request else {
            // Its client cancelled it meanwhile, or is gone.
            return vec![finish(Outcome::NotRun)];
        };
        let State::Deciding(message) = &mut running.state else { return Vec::new() };
        match verdict {
            Verdict::Allow => {
                let message = std::mem::take(message);
                self.waiting = self.waiting.saturating_sub(message.len());
                running.state = State::Sent;
                vec![Action::Send { to: Peer::Server, message }]
            }
            Verdict::Refuse(refusal) => {
                let message = answer::refusal(running, &refusal);
                self.forget(call);
                vec![to_client(message), finish(Outcome::NotRun)]
            }
        }
    }

    /// Time has passed: what waited too long goes on.
    pub fn wake(&mut self, now: u64) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.tools.is_late(now) {
            self.tools.give_up();
            actions = self.list_failed("the server did not answer in time");
        }
        let late: Vec<Digest> = self
            .resumable
            .iter()
            .filter(|(_, resumable)| resumable.until <= now)
            .map(|(state, _)| *state)
            .collect();
        for state in late {
            if let Some(resumable) = self.resumable.remove(&state) {
                actions.push(Action::Finish { call: resumable.call, outcome: Outcome::TimedOut });
            }
        }
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
            let id_text = match request {
                InFlight::List { id_text }
                | InFlight::Initialize { id_text }
                | InFlight::Other { id_text } => id_text,
                InFlight::Call(running) => {
                    let Running { call, id_text, tool, state, .. } = *running;
                    match state {
                        State::Held(..) => {
                            actions.push(Action::Note(Note::Withdrawn { request: id_text.clone(), tool }));
                        }
                        State::Sent => actions.push(Action::Finish { call, outcome: Outcome::Lost }),
                        // What is being decided is not known here any more: `decided` says that it did not run.
                        State::Deciding(_) => {}
                    }
                    id_text
                }
            };
            actions.extend(reason.map(|reason| {
                to_client(answer::error(Some(&id_text), crate::frame::INTERNAL_ERROR, reason, None))
            }));
        }
        self.calls.clear();
        self.waiting = 0;
        for (_, resumable) in self.resumable.drain() {
            actions.push(Action::Finish { call: resumable.call, outcome: Outcome::Lost });
        }
        actions
    }

    /// Forgets a call that has ended.
    pub(crate) fn forget(&mut self, call: CallId) {
        if let Some(InFlight::Call(running)) =
            self.calls.remove(&call).and_then(|id| self.in_flight.remove(&id))
        {
            self.waiting = self.waiting.saturating_sub(running.state.waiting());
        }
    }
}

pub(crate) fn to_client(message: String) -> Action {
    Action::Send { to: Peer::Client, message: message.into_bytes() }
}
