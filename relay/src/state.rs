//! What the relay remembers of requests that have no answer yet, of either side.
//!
//! In: requests as they come. Out: where each stands. Must not keep arguments for longer than they are needed: they may be long.

use std::collections::HashSet;

use sha2::{Digest as _, Sha256};

use crate::frame;
use crate::id::Id;
use crate::list::Listing;
use crate::machine::{Ask, CallId, Caller, Peer};
use crate::mistake::{Mistake::*, is_made};

/// A request of the client.
pub(crate) enum InFlight {
    List(Box<AskedList>),
    Call(Box<Running>),
    /// `initialize`: its answer names the revision of the protocol.
    Initialize {
        id_text: String,
        tag: u64,
    },
    /// Passed undecided.
    Other(Box<Passed>),
}

/// A request that passed undecided.
pub(crate) struct Passed {
    pub(crate) id_text: String,
    pub(crate) tag: u64,
    pub(crate) method: String,
    /// For whom, if that was known before it passed.
    pub(crate) caller: Option<Caller>,
    /// Whether the server tells on it that the list of tools changed.
    pub(crate) hears_of_tools: bool,
}

/// A list of which the answer is filtered.
pub(crate) struct AskedList {
    pub(crate) id_text: String,
    pub(crate) tag: u64,
    pub(crate) kind: Listing,
    pub(crate) caller: Caller,
    /// Whether it asks for the first page.
    pub(crate) begins: bool,
    /// Its message, until it is known who asks.
    pub(crate) waits: Option<(CallId, Vec<u8>)>,
}

/// A call in flight.
pub(crate) struct Running {
    pub(crate) call: CallId,
    pub(crate) tag: u64,
    /// `None` until it is known.
    pub(crate) caller: Option<Caller>,
    pub(crate) id_text: String,
    pub(crate) called: Called,
    /// The digest of its arguments: the same call may come again, and arguments may be long.
    pub(crate) args: Option<Digest>,
    pub(crate) protocol: Option<String>,
    pub(crate) task: bool,
    /// Whether its answer says what kind of result it is: the generation of 2026-07-28.
    pub(crate) modern: bool,
    pub(crate) rounds: u32,
    /// The call in its arguments that was decided with it, until that one came.
    pub(crate) inner: Option<Inner>,
    pub(crate) state: State,
}

pub(crate) enum State {
    /// It is not known for whom it is.
    Identifying(Unidentified),
    /// Waits for the server's list of tools, with its message and its arguments.
    Held(Vec<u8>, Option<String>),
    /// Is being decided, with its message.
    Deciding(Vec<u8>),
    /// Was passed on.
    Sent,
    /// Was answered by a request for input, which is being decided, or names resources that are.
    Answering(Answering),
}

/// What a call needs once it is known for whom it is.
pub(crate) struct Unidentified {
    pub(crate) message: Vec<u8>,
    pub(crate) args: Option<String>,
    /// The digest of its `requestState`.
    pub(crate) resumes: Option<Digest>,
    /// The text of its `_meta`, where the relay's own questions need one.
    pub(crate) meta: Option<String>,
    /// The call that the server runs when it makes this one.
    pub(crate) within: Option<CallId>,
}

/// A call that stands in the arguments of another.
#[derive(PartialEq, Eq)]
pub(crate) struct Inner {
    pub(crate) tool: String,
    /// The digest of its canonical arguments.
    pub(crate) args: Digest,
}

/// What is called.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Called {
    Tool(String),
    /// Another method.
    Method(String),
    /// `subscriptions/listen` of these resources.
    Listen(Vec<String>),
}

impl Called {
    pub(crate) fn method(&self) -> String {
        match self {
            Self::Tool(_) => "tools/call".to_owned(),
            Self::Method(method) => method.clone(),
            Self::Listen(_) => frame::LISTEN.to_owned(),
        }
    }

    pub(crate) fn tool(&self) -> Option<String> {
        match self {
            Self::Tool(tool) => Some(tool.clone()),
            Self::Method(_) | Self::Listen(_) => None,
        }
    }
}

/// A request of the server.
pub(crate) enum Asked {
    /// Was passed on without a decision.
    Passed,
    /// Is being decided.
    Deciding(Box<AskedByServer>),
    /// Was allowed, and passed on, with the text of its id.
    Sent(CallId, String),
}

/// A request of the server that is being decided.
pub(crate) struct AskedByServer {
    pub(crate) call: CallId,
    pub(crate) tag: u64,
    pub(crate) id_text: String,
    pub(crate) message: Vec<u8>,
    /// What is to decide, until it is known for whom it is.
    pub(crate) ask: Option<Ask>,
}

/// A request for input, or for a resource to hear of, that is being decided.
pub(crate) struct Inquiry {
    /// The request that it stands in, or whose answer holds it.
    pub(crate) of: Id,
    /// What is to decide, until it is known for whom it is.
    pub(crate) ask: Option<Box<Ask>>,
}

/// A message that waits until all that it asks for is decided: an answer with requests for input, or a request to hear of resources.
pub(crate) struct Answering {
    pub(crate) message: Vec<u8>,
    /// The tag of that message.
    pub(crate) tag: u64,
    /// To whom it is.
    pub(crate) to: Peer,
    /// Of which no decision is here yet.
    pub(crate) open: HashSet<CallId>,
    pub(crate) allowed: Vec<CallId>,
    /// Whether the request itself was decided, so that it ends.
    pub(crate) ends: bool,
}

impl State {
    /// Bytes of the message that waits.
    pub(crate) fn waiting(&self) -> usize {
        match self {
            Self::Identifying(Unidentified { message, .. })
            | Self::Held(message, _)
            | Self::Deciding(message) => message.len(),
            Self::Answering(answering) if answering.to == Peer::Server => answering.message.len(),
            Self::Sent | Self::Answering(_) => 0,
        }
    }
}

/// SHA-256.
pub(crate) type Digest = [u8; 32];

pub(crate) fn digest(text: &str) -> Digest {
    Sha256::digest(text).into()
}

/// What a later round has to be like to go on with a call (spec 8.16): a state alone may be another call's, too.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct RoundKey {
    pub(crate) state: Digest,
    pub(crate) caller: Option<Caller>,
    pub(crate) called: Called,
    pub(crate) args: Option<Digest>,
}

impl RoundKey {
    pub(crate) fn of(running: &Running, state: Digest) -> Self {
        let any_tool = || Called::Tool(String::new());
        Self {
            state,
            caller: running.caller.filter(|_| !is_made(RoundsOfAll)),
            called: if is_made(RoundsOfTools) { any_tool() } else { running.called.clone() },
            args: running.args.filter(|_| !is_made(RoundsOfArguments)),
        }
    }
}

/// A call that goes on once its input is there.
pub(crate) struct Resumable {
    pub(crate) call: CallId,
    pub(crate) rounds: u32,
    pub(crate) until: u64,
}
