//! What stands between the two sides: the relay, the decisions, and the records.
//!
//! In: lines of both, decisions that are made, time. Out: messages in two queues. Must not wait: what asks a store is a task.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use callgate::lock::CHANGED;
use callgate::{Engine, Outcome, Policy};
use callgate_relay::{Action, Ask, CallId, Note, Peer, Refusal, Relay, Verdict};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::beside;
use super::calls::{Ongoing, Records};
use super::decide::{Asked, Judge, Judged};
use super::line::Line;
use super::policy::{Loaded, Names, Policies, reload};
use super::queue::Queue;
use super::{Caller, Options};
use crate::audit::{Approval, ApprovalOutcome, Charge, Event, Log, Principal, Target};
use crate::say;

/// What a caller is told whose call cannot be recorded.
const UNRECORDED: &str = "The call cannot be recorded, so it does not run";
/// How long stores may take for what is under way at the end.
const LAST_TASKS: Duration = Duration::from_secs(2);
/// How many messages that are refused for one reason are recorded each. Of more, every one whose number is a power of two is.
const EACH_REFUSED: u64 = 100;
/// How often counters that hold nothing any more are thrown away.
const PURGE: Duration = Duration::from_secs(600);

/// The end of a task.
pub(super) enum Done {
    Decided { call: CallId, judged: Box<Judged> },
    Finished { call: CallId, charge: Charge },
}

pub(super) struct Guard {
    relay: Relay,
    judge: Arc<Judge>,
    caller: Arc<Caller>,
    records: Records,
    calls: HashMap<CallId, Ongoing>,
    pub(super) to_client: Queue,
    pub(super) to_server: Queue,
    pub(super) tasks: JoinSet<Done>,
    wakes: BTreeSet<u64>,
    began: Instant,
    names: Option<Names>,
    /// How many messages were refused: whether of the client, and why.
    refused: HashMap<(bool, String), u64>,
    /// Whether it was said that the server writes what is no message.
    banner: bool,
}

impl Guard {
    pub(super) fn new(options: &Options, policies: &Policies, log: Log) -> Self {
        let engine = policies.engine.clone();
        let caller = Arc::new(options.caller.clone());
        let policy = options.policy.as_ref();
        let name: Arc<str> = options.name.as_str().into();
        let mut relay = callgate_relay::Options::new(&nonce())
            .max_message(options.max_message)
            .without_schema(options.without_schema)
            .reads_args(reads_args(engine.clone()))
            .visible(visible(engine.clone(), caller.clone(), name.clone()))
            .decides({
                let engine = engine.clone();
                move |_, method| engine.as_ref().is_some_and(|engine| engine.policy().decides_request(method))
            })
            .shows(shows(engine.clone(), caller.clone(), name.clone()))
            .by_caller({
                let engine = engine.clone();
                move |_| engine.as_ref().is_some_and(|engine| engine.policy().lists_by_caller())
            });
        if let Some((pins, on_drift)) = &options.lock {
            relay = relay.lock(pins.clone(), *on_drift);
        }
        if let Some(engine) = engine.clone() {
            tokio::spawn(purge(engine));
        }
        let judge = Judge {
            engine,
            beside: policies.beside.clone(),
            in_memory: options.store.is_in_memory(),
            caller: caller.clone(),
            name,
            server: options.approved_server(),
            approvals: options.store.approvals_nonblocking(),
            shown: options.approval_args,
        };
        let names = policy.map(|policy| Names::new(&policy.files));
        if let (Some(names), Some(engine)) = (&names, &judge.engine) {
            names.of_memory(engine).iter().for_each(|warning| say::line(warning));
        }
        Self {
            relay: Relay::new(relay),
            judge: Arc::new(judge),
            records: Records { log, mode: options.mode(), principal: principal(&caller) },
            caller,
            calls: HashMap::new(),
            to_client: Queue::default(),
            to_server: Queue::default(),
            tasks: JoinSet::new(),
            wakes: BTreeSet::new(),
            began: Instant::now(),
            names,
            refused: HashMap::new(),
            banner: false,
        }
    }

    /// Bytes of the server's requests that wait for a decision.
    pub(super) fn deciding_bytes(&self) -> usize {
        self.relay.deciding_bytes()
    }

    /// Bytes of calls that wait for a decision.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.relay.waiting_bytes()
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn client_wrote(&mut self, line: Line) {
        let now = self.now();
        let actions = match line {
            // It may be the answer to a request of the server.
            Line::Whole(line) => {
                let actions = self.relay.from_client(&line, 0, now);
                return self.take(actions, Some(&line));
            }
            Line::TooLong { head, tail } => self.relay.too_long(Peer::Client, &head, &tail, 0),
        };
        self.take(actions, None);
    }

    pub(super) fn server_wrote(&mut self, line: Line) {
        let now = self.now();
        match line {
            Line::Whole(line) => {
                let actions = self.relay.from_server(&line, 0, now);
                self.take(actions, Some(&line));
            }
            Line::TooLong { head, tail } => {
                let actions = self.relay.too_long(Peer::Server, &head, &tail, 0);
                self.take(actions, None);
            }
        }
    }

    pub(super) fn client_closed(&mut self) {
        let actions = self.relay.client_closed();
        self.take(actions, None);
    }

    pub(super) fn server_closed(&mut self, reason: &str) {
        let actions = self.relay.server_closed(reason);
        self.take(actions, None);
    }

    /// When something is due.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.began.checked_add(Duration::from_millis(*self.wakes.first()?))
    }

    pub(super) fn wake(&mut self) {
        let now = self.now();
        self.wakes.retain(|at| *at > now);
        let actions = self.relay.wake(now);
        self.take(actions, None);
    }

    /// Does what the relay asks for. `answer` is the server's message that led to it.
    fn take(&mut self, actions: Vec<Action>, answer: Option<&[u8]>) {
        let mut actions = VecDeque::from(actions);
        while let Some(action) = actions.pop_front() {
            match action {
                Action::Send { to: Peer::Client, message, .. } => self.to_client.push(message),
                Action::Send { to: Peer::Server, message, .. } => self.to_server.push(message),
                Action::Decide(ask) => actions.extend(self.decide(ask)),
                Action::Finish { call, outcome } => self.finished(call, outcome, answer),
                // It knows who calls, and nobody waits for a decision that no one needs any more.
                Action::Identify { .. } | Action::GivenUp { .. } => {}
                Action::Accepted { call } => self.accepted(call, answer),
                Action::WakeAt(at) => {
                    self.wakes.insert(at);
                }
                Action::Note(note) => self.note(&note),
            }
        }
    }

    fn decide(&mut self, ask: Ask) -> Vec<Action> {
        let call = ask.call;
        let mut ongoing = self.records.begin(&ask);
        let refused = self.records.log.ready().is_err();
        if refused {
            ongoing.refused("audit_unavailable");
        }
        self.calls.insert(call, ongoing);
        if refused {
            return self.verdict(call, Verdict::Refuse(unrecorded()));
        }
        if let Some(judged) = self.judge.at_once(&ask) {
            return self.decided(call, judged);
        }
        let judge = self.judge.clone();
        self.tasks.spawn(async move { Done::Decided { call, judged: Box::new(judge.judge(&ask).await) } });
        Vec::new()
    }

    fn decided(&mut self, call: CallId, judged: Judged) -> Vec<Action> {
        if let Some(event) = approval(&judged.asked) {
            self.records.log.record(event);
        }
        let verdict = judged.verdict();
        if let Some(ongoing) = self.calls.get_mut(&call) {
            ongoing.decided(judged.decision, judged.observed);
        }
        self.verdict(call, verdict)
    }

    fn verdict(&mut self, call: CallId, verdict: Verdict) -> Vec<Action> {
        let is_allowed = matches!(verdict, Verdict::Allow);
        let actions = self.relay.decided(call, verdict, self.now());
        let message = actions.iter().find_map(|action| match action {
            Action::Send { message, .. } if is_allowed => Some(message.len()),
            _ => None,
        });
        if let (Some(bytes), Some(ongoing)) = (message, self.calls.get_mut(&call)) {
            ongoing.sent(bytes);
        }
        actions
    }

    fn finished(&mut self, call: CallId, outcome: Outcome, answer: Option<&[u8]>) {
        let Some(ongoing) = self.calls.get_mut(&call) else { return };
        // Who gives a request up does not answer it.
        let answer = answer.filter(|_| outcome != Outcome::Cancelled && outcome != Outcome::NotRun);
        let (reservation, observed) = (ongoing.ended(outcome, answer), ongoing.observed());
        let stands = if reservation.is_some() { Charge::Kept } else { Charge::None };
        let mut reservation = reservation.filter(|reservation| reservation.gives_back(outcome));
        if reservation.is_none() && observed.is_none() {
            return self.record(call, stands);
        }
        let engine = self.judge.engine.clone();
        let keeps = reservation.as_ref().is_some_and(|reservation| reservation.keeps(outcome));
        let charged =
            move |is_finished: bool| if is_finished && !keeps { Charge::Released } else { Charge::Kept };
        if self.judge.in_memory
            && observed.is_none()
            && let (Some(engine), Some(reservation)) = (&engine, &mut reservation)
        {
            // At once: the answer goes out behind it, and its client may call again.
            let charge = charged(engine.finish(reservation, outcome).is_ok());
            return self.record(call, charge);
        }
        self.tasks.spawn(async move {
            let charge = match (engine, reservation) {
                (Some(engine), Some(mut reservation)) => {
                    charged(engine.finish_async(&mut reservation, outcome).await.is_ok())
                }
                _ => stands,
            };
            if let Some(observed) = observed {
                beside::verdict(&observed).await;
            }
            Done::Finished { call, charge }
        });
    }

    /// The server answered by a task. What the call charged stands, also with a candidate.
    fn accepted(&mut self, call: CallId, answer: Option<&[u8]>) {
        let Some(ongoing) = self.calls.get_mut(&call) else { return };
        let charge = ongoing.accepted(answer);
        let Some(observed) = ongoing.observed() else { return self.record(call, charge) };
        self.tasks.spawn(async move {
            beside::verdict(&observed).await;
            Done::Finished { call, charge }
        });
    }

    fn record(&mut self, call: CallId, charge: Charge) {
        if let Some(ongoing) = self.calls.remove(&call) {
            self.records.end(ongoing, charge);
        }
    }

    pub(super) fn done(&mut self, done: Done) {
        match done {
            Done::Decided { call, judged } => {
                let actions = self.decided(call, *judged);
                self.take(actions, None);
            }
            Done::Finished { call, charge } => self.record(call, charge),
        }
    }

    fn note(&mut self, note: &Note) {
        match note {
            Note::Unchecked { request, tool } => self.records.refused(request, tool, "unchecked"),
            Note::Changed { request, tool, .. } => self.records.refused(request, tool, CHANGED),
            Note::Withdrawn { request, tool } => self.records.refused(request, tool, "withdrawn"),
            Note::Listed(tools) => {
                for tool in tools.iter().filter(|tool| tool.is_changed) {
                    say::line(&format!("tool `{}` is not as it was approved: no call of it runs", tool.name));
                }
                for warning in self.names.iter_mut().flat_map(|names| names.listed(tools)) {
                    say::line(&warning);
                }
            }
            Note::ListFailed(reason) => say::line(&format!("the server's tools are not known: {reason}")),
            Note::FrameRefused { from: Peer::Server, reason } if !self.banner => {
                self.banner = true;
                say::line(&format!("the server wrote a line that is not passed on: {reason}"));
            }
            Note::FrameRefused { .. } | Note::ListFiltered { .. } => {}
        }
        match Event::of_note(note) {
            Some(Event::FrameRefused { from, reason, .. }) => self.frame_refused(from, reason),
            Some(event) => self.records.log.record(event),
            None => {}
        }
    }

    /// A client that sends very much of what is refused must not fill the log, and push out of it what it did before.
    fn frame_refused(&mut self, from: Peer, reason: String) {
        let count = self.refused.entry((from == Peer::Client, reason.clone())).or_default();
        *count = count.saturating_add(1);
        if *count <= EACH_REFUSED || count.is_power_of_two() {
            self.records.log.record(Event::FrameRefused { from, reason, times: *count });
        }
    }

    /// A policy's file changed. The policy in force is another for calls and lists from here on.
    pub(super) fn reloaded(&mut self, (target, loaded): (Target, Loaded)) {
        let before = match target {
            Target::Policy => self.judge.engine.as_ref().map(|engine| engine.policy()),
            Target::Candidate => self.judge.beside.as_ref().and_then(|beside| beside.candidate()),
        };
        let Some(before) = before else { return };
        self.records.log.record(Event::Reload(reload(target, &before, &loaded)));
        let what = match target {
            Target::Policy => "policy",
            Target::Candidate => "candidate",
        };
        match loaded {
            Ok(policy) => {
                say::line(&format!("the {what} was read again, and has taken effect"));
                self.replace(target, policy);
                if let (Target::Policy, Some(names), Some(engine)) = (target, &self.names, &self.judge.engine)
                {
                    names.of_memory(engine).iter().for_each(|warning| say::line(warning));
                }
                for warning in self.names.iter_mut().flat_map(Names::warnings) {
                    say::line(&warning);
                }
            }
            Err(error) => {
                for line in error.to_string().lines() {
                    say::line(line);
                }
                say::line(&format!("the {what} before stays"));
            }
        }
    }

    fn replace(&mut self, target: Target, policy: Policy) {
        match (target, &self.judge.engine, &self.judge.beside) {
            (Target::Policy, Some(engine), _) => {
                let before = engine.policy();
                engine.replace(policy.clone());
                let changed = |tool: &str| {
                    let call = callgate::Call::without_args(tool).identity(self.caller.identity());
                    let call = call.server(&self.judge.name);
                    before.shows(&call) != policy.shows(&call)
                };
                let actions = self.relay.reloaded(|_| true, changed);
                self.take(actions, None);
            }
            (Target::Candidate, _, Some(beside)) => {
                if let Err(error) = beside.replace(policy) {
                    say::line(&format!("the candidate before stays: {error}"));
                }
            }
            _ => {}
        }
    }

    /// Waits a moment for decisions and charges that are under way, and records what ends without them.
    pub(super) async fn end(&mut self) {
        let _ = timeout(LAST_TASKS, async {
            while let Some(done) = self.tasks.join_next().await {
                if let Ok(done) = done {
                    self.done(done);
                }
            }
        })
        .await;
        for (_, mut ongoing) in self.calls.drain() {
            let charge = ongoing.abandoned();
            self.records.end(ongoing, charge);
        }
    }
}

async fn purge(engine: Arc<Engine>) {
    loop {
        tokio::time::sleep(PURGE).await;
        // A store that cannot be reached is asked again.
        let _ = engine.purge_async().await;
    }
}

/// The record of what became of a call that a rule asks to approve.
fn approval(asked: &Asked) -> Option<Event> {
    let (key, who, outcome) = match asked {
        Asked::Waits { key, is_new: true, .. } => (key, None, ApprovalOutcome::Asked),
        Asked::Denied { key, who, .. } => (key, who.clone(), ApprovalOutcome::Denied),
        Asked::Used { key, who, .. } => (key, who.clone(), ApprovalOutcome::Used),
        Asked::Waits { .. } | Asked::Nobody | Asked::Full | Asked::Unavailable => return None,
    };
    Some(Event::Approval(Approval { key: key.clone(), who, outcome }))
}

fn principal(caller: &Caller) -> Principal {
    let claim = |claims: &serde_json::Value, name: &str| claims.get(name)?.as_str().map(str::to_owned);
    match caller {
        Caller::Id(id) => Principal { id: Some(id.clone()), grant: None },
        Caller::Claims(claims) => Principal { id: claim(claims, "id"), grant: claim(claims, "grant") },
    }
}

fn reads_args(engine: Option<Arc<Engine>>) -> impl Fn(callgate_relay::Caller, &str) -> bool + Send + 'static {
    move |_, tool| engine.as_ref().is_some_and(|engine| engine.policy().reads_args(tool))
}

fn visible(
    engine: Option<Arc<Engine>>,
    caller: Arc<Caller>,
    server: Arc<str>,
) -> impl Fn(callgate_relay::Caller, &str) -> bool + Send + 'static {
    move |_, tool| {
        let call = callgate::Call::without_args(tool).identity(caller.identity()).server(&server);
        engine.as_ref().is_none_or(|engine| engine.shows(&call))
    }
}

/// Whether the caller may see a resource or a prompt, by the request that it would be got with.
fn shows(
    engine: Option<Arc<Engine>>,
    caller: Arc<Caller>,
    server: Arc<str>,
) -> impl Fn(callgate_relay::Caller, &str, &str) -> bool + Send + 'static {
    move |_, method, params| {
        let Some(engine) = &engine else { return true };
        let Ok(params) = serde_json::from_str::<serde_json::Value>(params) else { return false };
        let call = callgate::Call::request(method, &params).identity(caller.identity()).server(&server);
        engine.policy().shows_request(&call)
    }
}

fn unrecorded() -> Refusal {
    let code = json!({"callgate/code": "audit_unavailable"});
    let result = json!({"content": [{"type": "text", "text": UNRECORDED}], "isError": true, "_meta": code});
    Refusal { result: result.to_string(), message: UNRECORDED.to_owned(), data: Some(code.to_string()) }
}

/// Random text, by which the relay's own requests differ from the client's.
fn nonce() -> String {
    use std::hash::{BuildHasher as _, Hasher as _, RandomState};
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}
