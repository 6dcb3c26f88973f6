//! A guard of a stream of MCP messages.
//!
//! In: messages as text, identities as JSON, decisions. Out: what is to be done, as plain objects. Must not decide: the engine's plans
//! do, so that its clock, hooks and candidate see every call.

use callgate::lock::OnDrift;
use callgate_host::stream::{self, Note, Options, Step};
use callgate_relay::Peer;
use napi_derive::napi;

use crate::args_check::ArgsCheck;
use crate::engine::Engine;
use crate::failure::Failure;
use crate::lock::Pins;
use crate::plan::Plan;
use crate::raw::Bytes;

/// What to do. `tag` is that of the message which caused it, 0 for none. Times are in milliseconds from any start.
#[napi(discriminant = "kind", discriminant_case = "snake_case", object_from_js = false)]
pub enum StreamStep {
    /// Give this message to the client.
    ToClient {
        /// Of the message that caused it.
        tag: f64,
        /// JSON.
        text: String,
    },
    /// Give this message to the server.
    ToServer {
        /// Of the message that caused it.
        tag: f64,
        /// The call that begins or goes on with it: say `unsent` if it cannot be written.
        call: Option<f64>,
        /// JSON.
        text: String,
    },
    /// Say by `identified` for whom this request is, or `refuse` it.
    Identify {
        /// Which.
        call: f64,
        /// Of its message.
        tag: f64,
    },
    /// Decide this call, and say so by `decided`, `refuse` or `answer`.
    Decide {
        /// Which.
        call: f64,
        /// Of its message.
        tag: f64,
        /// The id of its request, as its JSON text.
        request: String,
        /// The revision of the protocol in which it is made, where it is known.
        protocol: Option<String>,
        /// `tools/call`, or another method.
        method: String,
        /// The tool's name; none for another method.
        tool: Option<String>,
        /// The JSON text of its arguments, or of its params; none for absent ones.
        args: Option<String>,
        /// How its arguments are to be checked.
        #[napi(ts_type = "NativeArgsCheck")]
        check: ArgsCheck,
        /// Whether the caller asks for a task.
        task: bool,
    },
    /// It ended so: finish its charges.
    Finish {
        /// Which.
        call: f64,
        /// How it ended.
        outcome: String,
    },
    /// The server took it on as a task: its charges stand, and nothing follows.
    Accepted {
        /// Which.
        call: f64,
    },
    /// Nobody waits for this call any more. One that is to decide is decided all the same, and then ends with `not_run`.
    GivenUp {
        /// Which.
        call: f64,
    },
    /// Call `wake` at this time, or soon after.
    WakeAt {
        /// When.
        at: f64,
    },
    /// The server's tools are known: their names.
    Listed {
        /// In the server's order.
        tools: Vec<String>,
        /// Those that are not as they were approved.
        changed: Vec<String>,
    },
    /// A call was refused without a decision: its tool is not as it was approved.
    Changed {
        /// Which.
        call: f64,
        /// The id of its request, as its JSON text.
        request: String,
        /// The tool.
        tool: String,
    },
    /// Something was left out of a list.
    ListFiltered {
        /// The method that asked for it.
        method: String,
        /// How many.
        hidden: u32,
    },
    /// The server's tools are not known.
    ListFailed {
        /// Why.
        reason: String,
    },
    /// Something went wrong that its host should hear of.
    Failed {
        /// What.
        reason: String,
    },
    /// Something else that belongs in a record.
    Noted,
}

/// Guards one stream between a client and a server.
#[napi(js_name = "NativeStream")]
pub struct Stream(stream::Stream<callgate::Engine>);

#[napi]
impl Stream {
    /// A stream whose callers have this engine; without one, each has the engine that it is identified with. `pins` are what was approved, and
    /// `hides` says whether other definitions are left out of lists.
    #[napi(factory, catch_unwind)]
    pub fn open(
        engine: Option<&Engine>,
        check_args: bool,
        server: Option<String>,
        pins: Option<&Pins>,
        hides: bool,
    ) -> Self {
        let mut options = Options::new().check_args(check_args);
        if let Some(Pins(pins)) = pins {
            options = options.lock(pins.clone(), if hides { OnDrift::Hide } else { OnDrift::Deny });
        }
        let options = match server {
            Some(name) => options.server(&name),
            None => options,
        };
        Self(stream::Stream::new(engine.map(Engine::shared), options))
    }

    /// A message of the client. `tag` is a number of the driver's, not 0, by which it finds the message again.
    #[napi(js_name = "fromClient", catch_unwind)]
    pub fn client_wrote(&mut self, text: String, tag: f64, now: f64) -> Vec<StreamStep> {
        plain(self.0.from_client(&text, tag as u64, now as u64))
    }

    /// The same of a message that the server itself sends, as a client, while it runs `outer`.
    #[napi(js_name = "fromWithin", catch_unwind)]
    pub fn server_wrote_within(&mut self, text: String, tag: f64, outer: f64, now: f64) -> Vec<StreamStep> {
        plain(self.0.from_within(&text, tag as u64, outer as u64, now as u64))
    }

    /// A message of the server.
    #[napi(js_name = "fromServer", catch_unwind)]
    pub fn server_wrote(&mut self, text: String, tag: f64, now: f64) -> Vec<StreamStep> {
        plain(self.0.from_server(&text, tag as u64, now as u64))
    }

    /// For whom a request is: the identity as JSON, and the engine that decides.
    #[napi(catch_unwind)]
    pub fn identified(&mut self, call: f64, identity: String, engine: &Engine, now: f64) -> Vec<StreamStep> {
        plain(self.0.identified(call as u64, Some(&identity), &engine.shared(), now as u64))
    }

    /// A call was decided. `words` are said behind the message of a decision that does not allow, with the id of its record.
    #[napi(catch_unwind)]
    pub fn decided(
        &mut self,
        call: f64,
        plan: &Plan,
        #[napi(ts_arg_type = "string")] packed: Bytes,
        now: f64,
        words: Option<String>,
        record: Option<String>,
    ) -> Result<Vec<StreamStep>, Failure> {
        let decision = plan.decision(&packed)?;
        let said = words.as_deref().map(|words| (words, record.as_deref()));
        Ok(plain(self.0.decided(call as u64, Some(&decision), said, now as u64)))
    }

    /// A call does not run now: its caller gets this result, a JSON object.
    #[napi(catch_unwind)]
    pub fn answer(&mut self, call: f64, result: String, now: f64) -> Vec<StreamStep> {
        plain(self.0.answer(call as u64, result, now as u64))
    }

    /// A request does not run, whether it is being identified or decided: its caller gets this text.
    #[napi(catch_unwind)]
    pub fn refuse(&mut self, call: f64, text: String, now: f64) -> Vec<StreamStep> {
        plain(self.0.refuse(call as u64, &text, now as u64))
    }

    /// The message that a call begins with could not be written.
    #[napi(catch_unwind)]
    pub fn unsent(&mut self, call: f64) -> Vec<StreamStep> {
        plain(self.0.unsent(call as u64))
    }

    /// The time of a step `wake_at` has come.
    #[napi(catch_unwind)]
    pub fn wake(&mut self, now: f64) -> Vec<StreamStep> {
        plain(self.0.wake(now as u64))
    }

    /// The client is gone.
    #[napi(catch_unwind)]
    pub fn client_closed(&mut self) -> Vec<StreamStep> {
        plain(self.0.client_closed())
    }

    /// Takes out the calls whose servers asked for input, where another stream gets their next round.
    #[napi(catch_unwind)]
    pub fn leave(&mut self) -> Vec<Round> {
        self.0.leave().into_iter().map(|round| Round(Some(round))).collect()
    }

    /// Takes such a call in, once, and gives its number here; none where it cannot go on.
    #[napi(catch_unwind)]
    pub fn join(&mut self, round: &mut Round) -> Option<f64> {
        self.0.join(round.0.take()?).map(|call| call as f64)
    }

    /// Another policy is in force.
    #[napi(catch_unwind)]
    pub fn reloaded(&mut self) -> Vec<StreamStep> {
        plain(self.0.reloaded())
    }
}

/// A call in rounds, between two streams.
#[napi(js_name = "NativeRound")]
pub struct Round(Option<stream::Round<callgate::Engine>>);

#[napi]
impl Round {
    /// Its number in the stream that it left.
    #[napi(getter, catch_unwind)]
    pub fn call(&self) -> Option<f64> {
        self.0.as_ref().map(|round| round.call() as f64)
    }

    /// The SHA-256, in hex, of the `requestState` that goes on with it.
    #[napi(getter, catch_unwind)]
    pub fn state(&self) -> Option<String> {
        self.0.as_ref().map(|round| round.state().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

fn plain(steps: Vec<Step>) -> Vec<StreamStep> {
    steps.into_iter().map(StreamStep::from).collect()
}

impl From<Step> for StreamStep {
    fn from(step: Step) -> Self {
        let number = |number: u64| number as f64;
        match step {
            Step::ToClient { tag, message, .. } => Self::ToClient { tag: number(tag), text: message },
            Step::ToServer { tag, call, message } => {
                Self::ToServer { tag: number(tag), call: call.map(number), text: message }
            }
            Step::Identify { call, tag, .. } => Self::Identify { call: number(call), tag: number(tag) },
            Step::Decide(ask) => Self::Decide {
                call: number(ask.call),
                tag: number(ask.tag),
                request: ask.request,
                protocol: ask.protocol,
                method: ask.method,
                tool: ask.tool,
                args: ask.args,
                check: ArgsCheck(ask.check),
                task: ask.task,
            },
            Step::Finish { call, outcome } => {
                Self::Finish { call: number(call), outcome: outcome.as_str().to_owned() }
            }
            Step::Accepted { call } => Self::Accepted { call: number(call) },
            Step::GivenUp { call } => Self::GivenUp { call: number(call) },
            Step::WakeAt(at) => Self::WakeAt { at: number(at) },
            Step::Note(note) => noted(note),
        }
    }
}

fn noted(note: Note) -> StreamStep {
    match note {
        Note::Listed(tools) => {
            let changed = tools.iter().filter(|tool| tool.is_changed).map(|tool| tool.name.clone()).collect();
            StreamStep::Listed { tools: tools.into_iter().map(|tool| tool.name).collect(), changed }
        }
        Note::Changed { call, request, tool } => {
            StreamStep::Changed { call: call.number() as f64, request, tool }
        }
        Note::ListFailed(why) => StreamStep::ListFailed { reason: why.to_string() },
        Note::FrameRefused { from: Peer::Server, reason } => {
            StreamStep::Failed { reason: format!("a message of the server was not passed on: {reason}") }
        }
        Note::FrameRefused { .. } | Note::Unchecked { .. } | Note::Withdrawn { .. } => StreamStep::Noted,
        Note::ListFiltered { method, hidden } => StreamStep::ListFiltered {
            method: method.to_owned(),
            hidden: u32::try_from(hidden).unwrap_or(u32::MAX),
        },
    }
}
