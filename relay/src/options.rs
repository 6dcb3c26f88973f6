//! How a relay behaves, and what it asks of the policy.

use callgate::lock::{OnDrift, Pins};

use crate::machine::Caller;

/// What to do with a call of a tool of which the server's list says nothing, where rules read arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WithoutSchema {
    /// It does not run.
    #[default]
    Deny,
    /// It is decided by its arguments as they are written.
    Allow,
    /// It is decided so if the list is whole and does not name the tool: the server has tools that it does not list. Where the list
    /// failed, it does not run.
    AllowUnlisted,
}

/// Whether something holds for a caller of a tool or a method, by its name.
type OfName = Box<dyn Fn(Caller, &str) -> bool + Send>;
/// The same of a method, also before it is known who calls.
type OfMethod = Box<dyn Fn(Option<Caller>, &str) -> bool + Send>;
/// The same of a request, by its method and its params.
type OfRequest = Box<dyn Fn(Caller, &str, &str) -> bool + Send>;

/// How a relay behaves.
pub struct Options {
    pub(crate) nonce: String,
    pub(crate) max_message: usize,
    pub(crate) max_in_flight: usize,
    pub(crate) max_waiting: usize,
    pub(crate) max_list: usize,
    pub(crate) list_timeout: u64,
    pub(crate) resume_for: u64,
    pub(crate) max_rounds: u32,
    pub(crate) without_schema: WithoutSchema,
    pub(crate) lock: Option<(Pins, OnDrift)>,
    pub(crate) identifies: bool,
    pub(crate) reads_args: OfName,
    pub(crate) visible: OfName,
    pub(crate) by_caller: Box<dyn Fn(Caller) -> bool + Send>,
    pub(crate) decides: OfMethod,
    pub(crate) shows: OfRequest,
}

impl Options {
    /// The defaults. `nonce` is random text: it tells the relay's own requests from the client's.
    pub fn new(nonce: &str) -> Self {
        Self {
            nonce: nonce.to_owned(),
            max_message: 16 << 20,
            max_in_flight: 10_000,
            max_waiting: usize::MAX,
            max_list: 32 << 20,
            list_timeout: 10_000,
            resume_for: 600_000,
            max_rounds: 8,
            without_schema: WithoutSchema::Deny,
            lock: None,
            identifies: false,
            reads_args: Box::new(|_, _| true),
            visible: Box::new(|_, _| true),
            by_caller: Box::new(|_| false),
            decides: Box::new(|_, _| false),
            shows: Box::new(|_, _, _| true),
        }
    }

    /// The most bytes of a message.
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.max_message = bytes;
        self
    }

    /// The most bytes of requests that wait for the server's list or for a decision. One more is answered with an error. Without it, who
    /// drives the relay reads no more of the client while there are [many](crate::Relay::waiting_bytes).
    pub fn max_waiting(mut self, bytes: usize) -> Self {
        self.max_waiting = bytes;
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

    /// Lets no tool through whose definition is not the one that was approved. Each call waits for the server's list.
    pub fn lock(mut self, pins: Pins, on_drift: OnDrift) -> Self {
        self.lock = Some((pins, on_drift));
        self
    }

    /// Whether the relay asks for whom each request is, by [`Action::Identify`](crate::Action::Identify): each call, each list that is
    /// filtered, and each request that is decided. If not, all have the default caller.
    pub fn identifies(mut self, identifies: bool) -> Self {
        self.identifies = identifies;
        self
    }

    /// Whether rules read arguments of a tool: a call of one that they do not waits for no list.
    pub fn reads_args(mut self, reads: impl Fn(Caller, &str) -> bool + Send + 'static) -> Self {
        self.reads_args = Box::new(reads);
        self
    }

    /// Whether the caller may see a tool in a list.
    pub fn visible(mut self, visible: impl Fn(Caller, &str) -> bool + Send + 'static) -> Self {
        self.visible = Box::new(visible);
        self
    }

    /// Whether another caller may see other tools than this one: then no list is for a cache that others share, also one of which
    /// nothing is left out.
    pub fn by_caller(mut self, by_caller: impl Fn(Caller) -> bool + Send + 'static) -> Self {
        self.by_caller = Box::new(by_caller);
        self
    }

    /// Whether requests of a method other than `tools/call` are decided, of either side. Without a caller: whether those of any caller
    /// are. Has to hold for the empty name where it holds for any: then messages of the server are read as strictly as the client's. By
    /// default none is.
    pub fn decides(mut self, decides: impl Fn(Option<Caller>, &str) -> bool + Send + 'static) -> Self {
        self.decides = Box::new(decides);
        self
    }

    /// Whether the caller may see a resource or a prompt in a list, by the method and the params that it would be got with, a JSON
    /// object. Is not asked where no requests are decided.
    pub fn shows(mut self, shows: impl Fn(Caller, &str, &str) -> bool + Send + 'static) -> Self {
        self.shows = Box::new(shows);
        self
    }
}
