//! What a guard is to do, in values that any language has.

use callgate::{ArgsCheck, Outcome};
use callgate_relay::{Action, Note, Peer};

/// What to do. Steps are done in their order. `tag` is that of the message which caused it, 0 for none.
#[derive(Debug)]
pub enum Step {
    /// Give this message to the client.
    ToClient {
        /// Of the message that caused it.
        tag: u64,
        /// The request of the server that it is, where it was decided.
        call: Option<u64>,
        /// JSON.
        message: String,
    },
    /// Give this message to the server.
    ToServer {
        /// Of the message that caused it.
        tag: u64,
        /// The call that begins or goes on with it: say [`unsent`](super::Stream::unsent) if it cannot be written.
        call: Option<u64>,
        /// JSON.
        message: String,
    },
    /// Say by [`identified`](super::Stream::identified) for whom this request is, or [refuse](super::Stream::refuse) it.
    Identify {
        /// Which.
        call: u64,
        /// Of its message.
        tag: u64,
        /// Whether the client asks; else the server does.
        from_client: bool,
    },
    /// Decide this call, and say so by [`decided`](super::Stream::decided), [`refuse`](super::Stream::refuse) or
    /// [`answer`](super::Stream::answer). One [`Step::Finish`] or [`Step::Accepted`] follows.
    Decide(Box<Decide>),
    /// It ended so: finish its charges, before the message that tells its caller goes out. A call that was never to decide has nothing to
    /// finish.
    Finish {
        /// Which.
        call: u64,
        /// How it ended.
        outcome: Outcome,
    },
    /// The server took it on as a task: its charges stand, and nothing follows.
    Accepted {
        /// Which.
        call: u64,
    },
    /// Nobody waits for this call any more: no person need be asked. One that is to decide is decided all the same, and then ends with
    /// `not_run`.
    GivenUp {
        /// Which.
        call: u64,
    },
    /// Call [`wake`](super::Stream::wake) at this time, or soon after.
    WakeAt(u64),
    /// Something happened that belongs in a record.
    Note(Note),
}

/// A call to decide.
#[derive(Debug)]
pub struct Decide {
    /// Which.
    pub call: u64,
    /// Of its message.
    pub tag: u64,
    /// For whom, a number that is equal for equal identities under one engine.
    pub caller: u64,
    /// The id of its request, as its JSON text.
    pub request: String,
    /// The revision of the protocol in which it is made, where it is known.
    pub protocol: Option<String>,
    /// Whether the client asks; else the server does.
    pub from_client: bool,
    /// The method: `tools/call`, or another one (spec 3.10).
    pub method: String,
    /// The tool's name; `None` for another method.
    pub tool: Option<String>,
    /// The JSON text of its arguments, or of its params; `None` for absent ones.
    pub args: Option<String>,
    /// How its arguments are to be checked.
    pub check: ArgsCheck,
    /// Whether the caller asks for a task.
    pub task: bool,
}

impl From<Action> for Step {
    fn from(action: Action) -> Self {
        match action {
            Action::Send { to, tag, call, message } => {
                // Messages came as text.
                let message = String::from_utf8(message)
                    .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
                let call = call.map(callgate_relay::CallId::number);
                match to {
                    Peer::Client => Self::ToClient { tag, call, message },
                    Peer::Server => Self::ToServer { tag, call, message },
                }
            }
            Action::Identify { call, tag, from } => {
                Self::Identify { call: call.number(), tag, from_client: from == Peer::Client }
            }
            Action::Decide(ask) => Self::Decide(Box::new(Decide {
                call: ask.call.number(),
                tag: ask.tag,
                caller: ask.caller.0,
                request: ask.request,
                protocol: ask.protocol,
                from_client: ask.from == Peer::Client,
                method: ask.method,
                tool: ask.tool,
                args: ask.args,
                check: ask.check,
                task: ask.task,
            })),
            Action::Finish { call, outcome } => Self::Finish { call: call.number(), outcome },
            Action::Accepted { call } => Self::Accepted { call: call.number() },
            Action::GivenUp { call } => Self::GivenUp { call: call.number() },
            Action::WakeAt(at) => Self::WakeAt(at),
            Action::Note(note) => Self::Note(note),
        }
    }
}
