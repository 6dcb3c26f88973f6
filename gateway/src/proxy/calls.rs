//! Calls from their decision to their record.
//!
//! In: what was decided, sent and answered. Out: a record of each, once. Must not hold an argument's value.

use std::time::Instant;

use callgate::{Decision, Outcome, Reservation};
use callgate_host::Observed;
use callgate_relay::Ask;
use serde::Deserialize;

use crate::audit::{Call, Candidate, Charge, Event, Log, Mode, Principal, Upstream};

/// A call that has not ended.
pub(super) struct Ongoing {
    record: Call,
    reservation: Option<Reservation>,
    observed: Option<Observed>,
    sent: Option<Instant>,
    /// Once it has ended, whether charges of it are to be finished.
    ended: Option<bool>,
}

/// What the records of a connection have in common.
pub(super) struct Records {
    pub(super) log: Log,
    pub(super) mode: Mode,
    pub(super) principal: Principal,
}

impl Records {
    /// A call that is to be decided.
    pub(super) fn begin(&self, ask: &Ask) -> Ongoing {
        let record = Call {
            request: Some(ask.request.clone()),
            protocol: ask.protocol.clone(),
            args: self.log.args(ask.args.as_deref()),
            method: ask.method.clone(),
            name: ask.tool.clone(),
            ..self.call()
        };
        Ongoing { record, reservation: None, observed: None, sent: None, ended: None }
    }

    /// A call that the relay itself refused, or that its client gave up.
    pub(super) fn refused(&self, request: &str, tool: &str, refusal: &str) {
        let (request, refusal) = (Some(request.to_owned()), Some(refusal.to_owned()));
        self.log.record(Event::Call(Box::new(Call {
            request,
            refusal,
            name: Some(tool.to_owned()),
            ..self.call()
        })));
    }

    fn call(&self) -> Call {
        Call {
            principal: self.principal.clone(),
            method: "tools/call".to_owned(),
            mode: self.mode,
            ..Call::default()
        }
    }

    /// Writes the record of a call that has ended.
    pub(super) fn end(&self, ongoing: Ongoing, charge: Charge) {
        let candidate = ongoing.observed.map(|observed| Candidate {
            decision: observed.decision().map(Decision::to_json),
            error: observed.error().map(|error| error.as_str().to_owned()),
        });
        self.log.record(Event::Call(Box::new(Call { charge, candidate, ..ongoing.record })));
    }
}

impl Ongoing {
    pub(super) fn decided(&mut self, decision: Option<Decision<'_>>, observed: Option<Observed>) {
        self.record.decision = decision.as_ref().map(Decision::to_json);
        self.reservation = decision.and_then(|decision| decision.take_reservation());
        self.observed = observed;
    }

    /// The gateway refuses it.
    pub(super) fn refused(&mut self, why: &str) {
        self.record.refusal = Some(why.to_owned());
    }

    /// Its message goes to the server.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.sent = Some(Instant::now());
        self.record.upstream.bytes_out = length(bytes);
    }

    /// What the candidate says of it.
    pub(super) fn observed(&self) -> Option<Observed> {
        self.observed.clone()
    }

    /// It ended so, with this answer of the server. What it charged is to be finished.
    pub(super) fn ended(&mut self, outcome: Outcome, answer: Option<&[u8]>) -> Option<Reservation> {
        if let Some(observed) = &self.observed {
            observed.finish(outcome);
        }
        self.answered(outcome, answer)
    }

    /// The server took it on as a task, by this answer: nothing is finished.
    pub(super) fn accepted(&mut self, answer: Option<&[u8]>) -> Charge {
        if self.answered(Outcome::Done, answer).is_some() { Charge::Kept } else { Charge::None }
    }

    fn answered(&mut self, outcome: Outcome, answer: Option<&[u8]>) -> Option<Reservation> {
        self.ended = Some(self.reservation.is_some());
        let upstream = &mut self.record.upstream;
        *upstream = Upstream {
            outcome,
            code: answer.filter(|_| outcome == Outcome::Error).and_then(error_code),
            latency: self.sent.map(|sent| sent.elapsed()),
            bytes_out: upstream.bytes_out,
            bytes_in: answer.map_or(0, |answer| length(answer.len())),
        };
        self.reservation.take()
    }

    /// The gateway ends before the call is decided, or before its charges are finished: they stand.
    pub(super) fn abandoned(&mut self) -> Charge {
        let is_charged = match self.ended {
            Some(is_charged) => is_charged,
            None => self.ended(Outcome::NotRun, None).is_some(),
        };
        if is_charged { Charge::Kept } else { Charge::None }
    }
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// The code of a protocol error.
fn error_code(answer: &[u8]) -> Option<i64> {
    #[derive(Deserialize)]
    struct Answer {
        error: Error,
    }
    #[derive(Deserialize)]
    struct Error {
        code: i64,
    }
    serde_json::from_slice::<Answer>(answer).ok().map(|answer| answer.error.code)
}
