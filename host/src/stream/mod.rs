//! A guard of a stream of MCP messages for other languages: the relay, and who calls.
//!
//! In: messages as text, identities as JSON with their engines, decisions. Out: steps of plain values, to be done in their order. Must not
//! decide: the language's own engine does, so that its clock, hooks and records see every call.
//!
//! ```
//! use std::sync::Arc;
//! use callgate::{Call, Engine, Policy};
//! use callgate_host::stream::{Options, Step, Stream};
//!
//! let policy = Policy::from_yaml("{version: '1', default: deny, tools: {pay: {}}}")?;
//! let engine = Arc::new(Engine::new(policy));
//! let mut stream = Stream::new(Some(engine.clone()), Options::new());
//! let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"drop"}}"#;
//! let steps = stream.from_client(call, 7, 0);
//! let Some(Step::Identify { call, tag: 7, .. }) = steps.last() else { panic!("{steps:?}") };
//! let steps = stream.identified(*call, Some(r#""alice""#), &engine, 0);
//! let [Step::Decide(ask)] = &steps[..] else { panic!("{steps:?}") };
//! let tool = ask.tool.as_deref().unwrap_or_default();
//! let decision = engine.decide_json(&Call::new(tool, "{}").checked(&ask.check));
//! let steps = stream.decided(ask.call, Some(&decision), None, 0);
//! assert!(matches!(&steps[..], [Step::Finish { .. }, Step::ToClient { tag: 7, .. }]));
//! # Ok::<(), callgate::PolicyError>(())
//! ```

mod callers;
mod step;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use callgate::__relay::inner_call;
use callgate::lock::{OnDrift, Pins};
use callgate::{Decision, Policy};
use callgate_relay::{Action, CallId, Relay, Verdict};

pub use callers::Policed;
pub use callgate_relay::{Listed, Note, Refusal, WithoutSchema};
pub use step::{Decide, Step};

use callers::Callers;

/// The member of a denial's data that names the record of a call which waits for a person.
const APPROVAL_ID: &str = "callgate/approval_id";

/// The most bytes of requests that wait for an identity, the server's list or a decision. An approval may take a person's time: meanwhile
/// the driver reads on, so that cancellations and answers come through.
const MAX_WAITING: usize = 32 << 20;

/// How a stream behaves.
#[derive(Debug, Clone)]
pub struct Options {
    server: Option<String>,
    max_message: Option<usize>,
    list_timeout: Option<u64>,
    without_schema: WithoutSchema,
    check_args: bool,
    lock: Option<(Pins, OnDrift)>,
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

impl Options {
    /// The defaults.
    pub fn new() -> Self {
        let without_schema = WithoutSchema::AllowUnlisted;
        Self {
            server: None,
            max_message: None,
            list_timeout: None,
            without_schema,
            check_args: true,
            lock: None,
        }
    }

    /// The server's name, as policies read it.
    pub fn server(mut self, name: &str) -> Self {
        self.server = Some(name.to_owned());
        self
    }

    /// The most bytes of a message.
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.max_message = Some(bytes);
        self
    }

    /// How long a call waits for the server's list of tools, in milliseconds.
    pub fn list_timeout(mut self, millis: u64) -> Self {
        self.list_timeout = Some(millis);
        self
    }

    /// What to do with a call of a tool that the server's list does not name: by default it is decided by its arguments as they are
    /// written, where the list is whole.
    pub fn without_schema(mut self, choice: WithoutSchema) -> Self {
        self.without_schema = choice;
        self
    }

    /// Lets no tool through whose definition is not the one that was approved. Each call waits for the server's list.
    pub fn lock(mut self, pins: Pins, on_drift: OnDrift) -> Self {
        self.lock = Some((pins, on_drift));
        self
    }

    /// Whether arguments are checked by the server's list: if not, no call waits for it, and [`Decide::check`] is for nobody.
    pub fn check_args(mut self, check: bool) -> Self {
        self.check_args = check;
        self
    }
}

/// Guards one stream between a client and a server. `E` is what the language calls an engine.
pub struct Stream<E> {
    relay: Relay,
    callers: Arc<Mutex<Callers<E>>>,
    /// Calls of dispatchers that are being decided: the inner call as this policy reads it.
    inner: HashMap<u64, ([u8; 32], String, String)>,
}

impl<E: Policed> Stream<E> {
    /// A stream whose callers have this engine; without one, each has the engine that it is [identified](Stream::identified) with.
    pub fn new(engine: Option<Arc<E>>, options: Options) -> Self {
        let callers = Arc::new(Mutex::new(Callers::new(engine, options.server)));
        let mut relay = callers::ask(callgate_relay::Options::new(&nonce()).identifies(true), &callers)
            .without_schema(options.without_schema)
            .max_waiting(MAX_WAITING);
        if !options.check_args {
            relay = relay.reads_args(|_, _| false);
        }
        if let Some((pins, on_drift)) = options.lock {
            relay = relay.lock(pins, on_drift);
        }
        if let Some(bytes) = options.max_message {
            relay = relay.max_message(bytes);
        }
        if let Some(millis) = options.list_timeout {
            relay = relay.list_timeout(millis);
        }
        Self { relay: Relay::new(relay), callers, inner: HashMap::new() }
    }

    /// A message of the client. `tag` is a number of the driver's, not 0, by which it finds the message again; `now` is in milliseconds
    /// from any start, as everywhere here.
    pub fn from_client(&mut self, message: &str, tag: u64, now: u64) -> Vec<Step> {
        let actions = self.relay.from_client(message.as_bytes(), tag, now);
        self.steps(actions)
    }

    /// The same of a message that the server itself sends, as a client, while it runs `outer`: what that call was decided with passes
    /// once (spec 3.11). The driver must know it by other means than what a client can set.
    pub fn from_within(&mut self, message: &str, tag: u64, outer: u64, now: u64) -> Vec<Step> {
        let actions = self.relay.from_within(message.as_bytes(), tag, CallId::of(outer), now);
        self.steps(actions)
    }

    /// A message of the server.
    pub fn from_server(&mut self, message: &str, tag: u64, now: u64) -> Vec<Step> {
        let actions = self.relay.from_server(message.as_bytes(), tag, now);
        self.steps(actions)
    }

    /// For whom a request is: the identity as JSON, a string for an id, an object for claims, `None` or null for nobody; and the engine
    /// that decides.
    pub fn identified(&mut self, call: u64, identity: Option<&str>, engine: &Arc<E>, now: u64) -> Vec<Step> {
        let caller = self.callers().intern(identity, engine, &self.relay);
        let actions = self.relay.identified(CallId::of(call), caller, now);
        self.steps(actions)
    }

    /// A call was decided; `None` says that nothing could be decided, so that it does not run. `said` are words behind the message of a
    /// decision that does not allow, such as where its approval stands, and the id of the record of it.
    pub fn decided(
        &mut self,
        call: u64,
        decision: Option<&Decision<'_>>,
        said: Option<(&str, Option<&str>)>,
        now: u64,
    ) -> Vec<Step> {
        let inner = self.inner.remove(&call);
        let verdict = match decision {
            Some(decision) if decision.allowed() => match inner {
                Some((policy, tool, args)) if policy == *decision.policy().digest() => {
                    Verdict::AllowWith { tool, args }
                }
                _ => Verdict::Allow,
            },
            Some(decision) => {
                let refusal = Refusal::from(decision);
                Verdict::Refuse(match said {
                    None => refusal,
                    Some((words, None)) => refusal.and(words, &[]),
                    Some((words, Some(id))) => refusal.and(words, &[(APPROVAL_ID, id)]),
                })
            }
            None => Verdict::Refuse(Refusal::unchecked()),
        };
        let actions = self.relay.decided(CallId::of(call), verdict, now);
        self.steps(actions)
    }

    /// A call was denied, and its caller is told more than the decision says.
    pub fn deny(&mut self, call: u64, refusal: Refusal, now: u64) -> Vec<Step> {
        self.inner.remove(&call);
        let actions = self.relay.decided(CallId::of(call), Verdict::Refuse(refusal), now);
        self.steps(actions)
    }

    /// A request does not run, whether it is being identified or decided: its caller gets this text, in the form of a denial.
    pub fn refuse(&mut self, call: u64, text: &str, now: u64) -> Vec<Step> {
        self.inner.remove(&call);
        let actions = self.relay.refuse(CallId::of(call), Refusal::new(text), now);
        self.steps(actions)
    }

    /// A call that is being decided does not run now: its caller gets this result, a JSON object, such as one that asks for input.
    pub fn answer(&mut self, call: u64, result: String, now: u64) -> Vec<Step> {
        self.inner.remove(&call);
        let actions = self.relay.decided(CallId::of(call), Verdict::Answer(result), now);
        self.steps(actions)
    }

    /// The message that a call begins with could not be written.
    pub fn unsent(&mut self, call: u64) -> Vec<Step> {
        let actions = self.relay.unsent(CallId::of(call));
        self.steps(actions)
    }

    /// The time of a [`Step::WakeAt`] has come.
    pub fn wake(&mut self, now: u64) -> Vec<Step> {
        let actions = self.relay.wake(now);
        self.steps(actions)
    }

    /// The client is gone.
    pub fn client_closed(&mut self) -> Vec<Step> {
        let actions = self.relay.client_closed();
        self.steps(actions)
    }

    /// The server is gone, for this reason.
    pub fn server_closed(&mut self, reason: &str) -> Vec<Step> {
        let actions = self.relay.server_closed(reason);
        self.steps(actions)
    }

    /// The policy of some engine was [replaced](callgate::Engine::subscribe). Tells the client that the list of tools changed if it did for
    /// some known caller (spec 10.9).
    pub fn reloaded(&mut self) -> Vec<Step> {
        let changes = self.callers().reloaded();
        let actions = self.relay.reloaded(|caller| changes.concern(caller), |tool| changes.change(tool));
        self.steps(actions)
    }

    /// Takes out the calls whose servers asked for input, where another stream gets their next round: this one, closed, would end them.
    pub fn leave(&mut self) -> Vec<Round<E>> {
        let rounds = self.relay.leave();
        let callers = self.callers();
        let known = rounds.into_iter().filter_map(|round| {
            let (identity, engine) = callers.known(round.caller())?;
            Some(Round { round, identity, engine })
        });
        known.collect()
    }

    /// Takes such a call in, and gives its number here; `None` where it cannot go on. The time of both streams has to have one start.
    pub fn join(&mut self, round: Round<E>) -> Option<u64> {
        let Round { round, identity, engine } = round;
        let caller = self.callers().intern(identity.as_deref(), &engine, &self.relay);
        self.relay.join(round, caller).map(CallId::number)
    }

    /// Bytes of the server's messages that wait for a decision.
    pub fn deciding_bytes(&self) -> usize {
        self.relay.deciding_bytes()
    }

    fn callers(&self) -> MutexGuard<'_, Callers<E>> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn steps(&mut self, actions: Vec<Action>) -> Vec<Step> {
        let steps: Vec<Step> = actions.into_iter().map(Step::from).collect();
        for step in &steps {
            match step {
                Step::Decide(ask) => self.note_inner(ask),
                Step::Finish { call, .. } | Step::GivenUp { call } => {
                    self.inner.remove(call);
                }
                _ => {}
            }
        }
        steps
    }

    /// Keeps the call in the arguments of a dispatcher, until the outer one is decided.
    fn note_inner(&mut self, ask: &Decide) {
        let Some(tool) = &ask.tool else { return };
        let policy: Option<Policy> = self.callers().policy(ask.caller);
        let found = policy.and_then(|policy| {
            let (tool, args) = inner_call(&policy, tool, ask.args.as_deref().unwrap_or("{}"))?;
            Some((*policy.digest(), tool, args))
        });
        if let Some(inner) = found {
            self.inner.insert(ask.call, inner);
        }
    }
}

/// A call in rounds, between two streams.
pub struct Round<E> {
    round: callgate_relay::Round,
    identity: Option<Arc<str>>,
    engine: Arc<E>,
}

impl<E> Round<E> {
    /// Its number in the stream that it left.
    pub fn call(&self) -> u64 {
        self.round.call().number()
    }

    /// The SHA-256 of the `requestState` that goes on with it.
    pub fn state(&self) -> &[u8; 32] {
        self.round.state()
    }
}

/// Random text, by which the relay's own requests differ from the client's.
fn nonce() -> String {
    use std::hash::{BuildHasher as _, Hasher as _, RandomState};
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}

#[cfg(test)]
mod tests;
