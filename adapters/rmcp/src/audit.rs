//! Records of calls, as a gateway writes them (`spec/audit.schema.json`, G11). Without the feature `audit` there are none.
//!
//! In: a call on its way. Out: a record of it, once, when it has ended. Must not hold an argument's value.

use callgate::{Decision, Outcome};
#[cfg(feature = "audit")]
use callgate_gateway::audit as gateway;
use rmcp::model::ErrorData;
use rmcp::service::{RequestContext, RoleServer};

use crate::call::Asked;

/// What became of the charges of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charged {
    Nothing,
    Kept,
    Released,
    Settled,
}

/// Where records are written, if they are.
#[derive(Clone, Default)]
pub(crate) struct Audit {
    #[cfg(feature = "audit")]
    pub(crate) log: Option<gateway::Log>,
}

/// The record of a call that has not ended.
#[derive(Default)]
pub(crate) struct Record {
    #[cfg(feature = "audit")]
    open: Option<(gateway::Log, Box<gateway::Call>, Option<std::time::Instant>)>,
}

#[cfg(not(feature = "audit"))]
impl Audit {
    #[expect(clippy::unused_self, reason = "the feature `audit` reads it")]
    pub(crate) const fn is_ready(&self) -> bool {
        true
    }

    #[expect(clippy::unused_self, reason = "the feature `audit` reads it")]
    pub(crate) const fn begin(&self, _: &Asked, _: &RequestContext<RoleServer>) -> Record {
        Record {}
    }
}

#[cfg(not(feature = "audit"))]
#[expect(clippy::unused_self, reason = "the feature `audit` reads it")]
impl Record {
    pub(crate) const fn decided(&mut self, _: &Decision<'_>) {}

    pub(crate) const fn refused(&mut self, _: &str) {}

    pub(crate) const fn sent(&mut self) {}

    pub(crate) const fn end(&mut self, _: Outcome, _: Option<&ErrorData>, _: Charged) {}
}

#[cfg(feature = "audit")]
impl Audit {
    /// Whether a call may run as far as records go (G11.3).
    pub(crate) fn is_ready(&self) -> bool {
        self.log.as_ref().is_none_or(|log| log.ready().is_ok())
    }

    pub(crate) fn begin(&self, asked: &Asked, context: &RequestContext<RoleServer>) -> Record {
        let Some(log) = &self.log else { return Record::default() };
        let claim = |name: &str| Some(asked.identity.as_ref()?.get(name)?.as_str()?.to_owned());
        let id = crate::call::id_of(asked.identity.as_ref()).map(str::to_owned);
        let call = gateway::Call {
            request: serde_json::to_string(&context.id).ok(),
            protocol: context.protocol_version().map(|version| version.as_str().to_owned()),
            principal: gateway::Principal { id, grant: claim("grant") },
            method: asked.called.method().to_owned(),
            name: asked.called.tool().map(str::to_owned),
            args: log.args(asked.args.as_ref().map(ToString::to_string).as_deref()),
            ..gateway::Call::default()
        };
        Record { open: Some((log.clone(), Box::new(call), None)) }
    }
}

#[cfg(feature = "audit")]
impl Record {
    pub(crate) fn decided(&mut self, decision: &Decision<'_>) {
        if let Some((_, call, _)) = &mut self.open {
            call.decision = Some(decision.to_json());
        }
    }

    /// The guard refuses it without a decision.
    pub(crate) fn refused(&mut self, why: &str) {
        if let Some((_, call, _)) = &mut self.open {
            call.refusal = Some(why.to_owned());
        }
        self.end(Outcome::NotRun, None, Charged::Nothing);
    }

    /// The server gets it, or another round of it.
    pub(crate) fn sent(&mut self) {
        if let Some((_, _, sent)) = &mut self.open {
            sent.get_or_insert_with(std::time::Instant::now);
        }
    }

    pub(crate) fn end(&mut self, outcome: Outcome, error: Option<&ErrorData>, charged: Charged) {
        let Some((log, mut call, sent)) = self.open.take() else { return };
        // Nobody wrote its messages: the SDK has objects.
        call.upstream = gateway::Upstream {
            outcome,
            code: error.filter(|_| outcome == Outcome::Error).map(|error| i64::from(error.code.0)),
            latency: sent.map(|sent| sent.elapsed()),
            ..gateway::Upstream::default()
        };
        call.charge = match charged {
            Charged::Nothing => gateway::Charge::None,
            Charged::Kept => gateway::Charge::Kept,
            Charged::Released => gateway::Charge::Released,
            Charged::Settled => gateway::Charge::Settled,
        };
        log.record(gateway::Event::Call(call));
    }
}
