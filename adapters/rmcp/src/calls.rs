//! The life of a call: decided, run, ended once.
//!
//! In: a `tools/call`, or a request that the policy decides. Out: the server's answer, or why it did not run. Must not change what was
//! judged, and must not let a call pass that was not decided.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use callgate::Outcome;
use callgate::lock::CHANGED;
use rmcp::model::{CallToolRequestParams, ClientRequest, ErrorData, ServerResult};
use rmcp::service::{RequestContext, RoleServer, Service};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::approval::is_yes;
use crate::call::{Asked, Called, Caller, id_of};
use crate::connection::over;
use crate::ending::{Charges, outcome_of};
use crate::guard::Guard;
use crate::locked;
use crate::nested::{self, Seen};
use crate::records;
use crate::refusal::{Unchecked, is_modern, refusal, unchecked};
use crate::requests::{judge_inputs, params, round_of};
use crate::rounds::{Key, QUESTION, Round, is_own};
use crate::ruling::{Failed, Request, Ruled};
use crate::running::Running;

/// What becomes of a request.
enum Next {
    /// The server gets it.
    Runs(Box<Running>),
    /// The same without a decision: it stands in a call that was decided.
    WasDecided,
    Answer(Box<Result<ServerResult, ErrorData>>),
}

/// What a request calls.
fn called(request: &ClientRequest) -> Called {
    match request {
        ClientRequest::CallToolRequest(request) => Called::Tool(request.params.name.clone().into_owned()),
        request => Called::Method(request.method().to_owned()),
    }
}

/// Takes a tool's arguments out, or reads the params of another method.
fn take_args(request: &mut ClientRequest) -> Result<Option<Value>, Unchecked> {
    match request {
        // Moved out and back: the server gets the very arguments that were decided upon.
        ClientRequest::CallToolRequest(request) => Ok(request.params.arguments.take().map(Value::Object)),
        request => match params(request) {
            Some(params) => Ok(Some(params)),
            None => Err(Unchecked("the params cannot be read".to_owned())),
        },
    }
}

fn put_back(request: &mut ClientRequest, args: Option<Value>) {
    if let (ClientRequest::CallToolRequest(request), Some(Value::Object(args))) = (request, args) {
        request.params.arguments = Some(args);
    }
}

impl<S: Service<RoleServer>> Guard<S> {
    /// A call, or a request that the policy decides.
    pub(crate) async fn call(
        &self,
        mut request: ClientRequest,
        mut context: RequestContext<RoleServer>,
        caller: Caller,
    ) -> Result<ServerResult, ErrorData> {
        let called = called(&request);
        let mut likeness = None;
        let preparing = self.prepare(&mut request, &mut context, &caller, &called, &mut likeness);
        let next = Box::pin(preparing).await;
        let running = match next {
            Ok(Next::WasDecided) => return self.server.handle_request(request, context).await,
            Ok(Next::Runs(running)) => running,
            Ok(Next::Answer(answer)) => return *answer,
            Err(Failed::Over) => return Err(over()),
            Err(Failed::Unchecked(Unchecked(why))) => {
                tracing::error!(target: "callgate", "a call of {:?} was refused: {why}", called.tool().unwrap_or(called.method()));
                return unchecked(&called, &context);
            }
        };
        self.run(running, likeness, request, context).await
    }

    async fn prepare(
        &self,
        request: &mut ClientRequest,
        context: &mut RequestContext<RoleServer>,
        caller: &Caller,
        called: &Called,
        likeness: &mut Option<String>,
    ) -> Result<Next, Failed> {
        let mut asked = Asked {
            called: called.clone(),
            args: take_args(request)?,
            identity: caller.identity.clone(),
            server: self.options.server_name.clone(),
            check: None,
        };
        if let (Some(tool), Some((pins, _))) = (called.tool(), &self.options.lock) {
            let approved = locked::is_approved(tool, pins, &self.server, context).await;
            if !matches!(approved, Ok(true)) {
                let mut record = self.options.audit.begin(&asked, context);
                let told = approved.map(|_| locked::refusal(tool, context));
                record.refused(if told.is_ok() { CHANGED } else { "unchecked" });
                return match told? {
                    Some(told) => Ok(Next::Answer(Box::new(Ok(told)))),
                    None => Err(Failed::Unchecked(Unchecked("the refusal cannot be written".to_owned()))),
                };
            }
        }
        let mark = match nested::look(context, caller, called, asked.args.as_ref()) {
            Ok(Seen::New(mark)) => mark,
            Ok(Seen::Decided) => {
                put_back(request, asked.args);
                return Ok(Next::WasDecided);
            }
            Err(error) => return Ok(Next::Answer(Box::new(Err(error)))),
        };
        let context = &*context;
        // Before 2026-07-28 no call has rounds.
        if is_modern(context) && round_of(request).is_some() {
            *likeness = asked.likeness();
        }
        let mut record = self.options.audit.begin(&asked, context);
        let answered = match self.goes_on(request, likeness.as_deref(), caller) {
            Some(Round::Call(running)) => {
                mark.decided(&running.decision, asked.args.as_ref(), caller);
                put_back(request, asked.args);
                return Ok(Next::Runs(running));
            }
            Some(Round::Question { key, _place }) => Some(key),
            None => None,
        };
        let answered = match round_of(request) {
            Some((state, inputs)) if state.as_deref().is_some_and(is_own) => {
                // The server never sees the guard's question.
                *state = None;
                let inputs = inputs.take();
                answered.map(|key| (key, is_yes(inputs.as_ref().and_then(|inputs| inputs.get(QUESTION)))))
            }
            _ => None,
        };
        let request_of = Request { caller, called, context, likeness: likeness.as_deref() };
        let (asked, ruled) = match self.ruled(&request_of, asked, answered).await {
            Ok(ruled) => ruled,
            Err(failed) => {
                record.refused(failed.word());
                return Err(failed);
            }
        };
        let (decision, told) = match ruled {
            Ruled::Decided(decision, told) => (decision, told),
            Ruled::Asks(round) => return Ok(Next::Answer(Box::new(Ok(*round)))),
        };
        record.decided(&decision);
        let charges = Charges::new(&caller.engine, decision.take_reservation());
        let on_result = self.options.on_result.clone();
        let called = called.clone();
        let caller = caller.clone();
        let mut running =
            Box::new(Running { caller, called, decision, charges, rounds: 1, on_result, record });
        if !running.decision.allowed() {
            let answer = refusal(&running.decision, &told, &running.called, context);
            records::span(&running.decision);
            running.ends(Outcome::NotRun, Some(answer.as_ref())).await;
            return Ok(Next::Answer(Box::new(answer)));
        }
        if self.is_over(context) {
            // It never reached the server.
            running.ends(Outcome::NotRun, None).await;
            return Err(Failed::Over);
        }
        mark.decided(&running.decision, asked.args.as_ref(), &running.caller);
        // INVARIANT: the deciding thread has dropped it.
        let args = Arc::try_unwrap(asked).map_or_else(|asked| asked.args.clone(), |asked| asked.args);
        put_back(request, args);
        Ok(Next::Runs(running))
    }

    /// The round that the client brings, if it is one of this call.
    fn goes_on(&self, request: &mut ClientRequest, likeness: Option<&str>, caller: &Caller) -> Option<Round> {
        let (state, _) = round_of(request)?;
        let key = Key::new(state.as_deref()?, likeness, self.connection.id)?;
        match self.shared.rounds.take(&key)? {
            Round::Call(mut running) if Arc::ptr_eq(&running.caller.engine, &caller.engine) => {
                running.rounds = running.rounds.saturating_add(1);
                Some(Round::Call(running))
            }
            Round::Call(running) => {
                running.ends_unanswered(Outcome::Done);
                None
            }
            question @ Round::Question { .. } => Some(question),
        }
    }

    async fn run(
        &self,
        mut running: Box<Running>,
        likeness: Option<String>,
        request: ClientRequest,
        mut context: RequestContext<RoleServer>,
    ) -> Result<ServerResult, ErrorData> {
        context.extensions.insert(running.charges.current());
        let known = match (&self.options.refund_on_error, &request) {
            (Some(refund), ClientRequest::CallToolRequest(request)) => {
                Some((refund.clone(), CallToolRequestParams::clone(&request.params)))
            }
            _ => None,
        };
        running.record.sent();
        let cancelled = context.ct.clone();
        let handled =
            self.server.handle_request(request, context).instrument(records::span(&running.decision));
        let mut result = self.handled(handled, &cancelled, &mut running.charges).await;
        let mut outcome = match (&result, known) {
            // Nobody gets this answer, so it says nothing.
            _ if cancelled.is_cancelled() => Some(Outcome::Cancelled),
            (Err(error), Some((refund, params))) if refund(&params, error) => Some(Outcome::NotRun),
            _ => outcome_of(&result),
        };
        if let (Some(Outcome::Done), Ok(ServerResult::InputRequiredResult(asks))) = (outcome, &result) {
            let inputs = asks.input_requests.clone().unwrap_or_default();
            match judge_inputs(&inputs, &running.caller, self.options.server_name.as_ref()).await {
                // The server began with it, so what it charged stands.
                Err(error) => result = Err(error),
                Ok(()) if cancelled.is_cancelled() => outcome = Some(Outcome::Cancelled),
                Ok(()) => match self.keeps(running, asks.request_state.as_deref(), likeness.as_deref()) {
                    None => return result,
                    // It is a new call when it comes again.
                    Some(back) => running = back,
                },
            }
        }
        match outcome {
            Some(outcome) => running.ends(outcome, Some(result.as_ref())).await,
            None => running.stands().await,
        }
        result
    }

    /// Keeps a call until its client brings the input; gives it back where it cannot go on.
    fn keeps(
        &self,
        running: Box<Running>,
        state: Option<&str>,
        likeness: Option<&str>,
    ) -> Option<Box<Running>> {
        let key = state.and_then(|state| Key::new(state, likeness, self.connection.id));
        let Some(key) = key else { return Some(running) };
        let caller = id_of(running.caller.identity.as_ref()).map(str::to_owned);
        match self.shared.rounds.keep(key, Round::Call(running), caller.as_deref(), None) {
            Ok(()) | Err(Round::Question { .. }) => None,
            Err(Round::Call(running)) => Some(running),
        }
    }

    /// The server's answer. A call in flight ends before it where its client gives it up or is gone: the handler may go on for ever.
    async fn handled<T>(
        &self,
        handled: impl Future<Output = T>,
        cancelled: &CancellationToken,
        charges: &mut Charges,
    ) -> T {
        if !charges.may_give_back(Outcome::Cancelled) {
            return handled.await;
        }
        let mut handled = pin!(handled);
        let outcome = tokio::select! {
            result = &mut handled => return result,
            () = cancelled.cancelled() => Outcome::Cancelled,
            () = self.connection.closed.cancelled() => Outcome::Lost,
        };
        charges.finish(outcome).await;
        handled.await
    }
}
