//! What a host chooses of a guard.
//!
//! In: callbacks and numbers. Out: who calls, and whose policy decides. Must not take an identity from what a client sets.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use callgate::lock::{OnDrift, Pins};
use callgate::{Decision, Engine, Outcome};
use rmcp::model::{CallToolRequestParams, ErrorData, ServerResult};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::Value;

use crate::approval::{Approver, caught_now};
use crate::audit::Audit;
use crate::call::Caller;
use crate::names::Unmatched;
use crate::refusal::Unchecked;
use crate::reservation::CurrentReservation;

pub(crate) type IdentityOf = dyn Fn(&RequestContext<RoleServer>) -> Option<Value> + Send + Sync;
pub(crate) type EngineOf = dyn Fn(&RequestContext<RoleServer>) -> Option<Arc<Engine>> + Send + Sync;
pub(crate) type RefundOnError = dyn Fn(&CallToolRequestParams, &ErrorData) -> bool + Send + Sync;
pub(crate) type OnResult = dyn for<'a> Fn(CallEnded<'a>) -> Done<'a> + Send + Sync;

/// A future of [`Guard::on_result`](crate::Guard::on_result).
pub type Done<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// A decided call that has ended, before its answer goes out.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct CallEnded<'a> {
    /// What was decided.
    pub decision: &'a Decision<'a>,
    /// How it ended (spec 8.13): `not_run` for a call that was refused.
    pub outcome: Outcome,
    /// The answer; `None` where nobody gets one.
    pub result: Option<Result<&'a ServerResult, &'a ErrorData>>,
    /// What it charged: may be settled here.
    pub reservation: &'a CurrentReservation,
}

/// Whose policy decides.
#[derive(Clone)]
pub(crate) enum Engines {
    One(Arc<Engine>),
    ByCaller(Arc<EngineOf>),
}

#[derive(Clone)]
pub(crate) struct Options {
    pub(crate) engines: Engines,
    /// `None` where the host names nobody.
    pub(crate) identity: Option<Arc<IdentityOf>>,
    pub(crate) server_name: Option<Arc<str>>,
    pub(crate) approver: Option<Approver>,
    pub(crate) max_waiting: usize,
    pub(crate) refund_on_error: Option<Arc<RefundOnError>>,
    pub(crate) on_result: Option<Arc<OnResult>>,
    pub(crate) check_args: bool,
    pub(crate) unmatched: Unmatched,
    pub(crate) lock: Option<(Pins, OnDrift)>,
    pub(crate) audit: Audit,
}

impl Engines {
    /// The engine, where there is one for all callers.
    pub(crate) fn only(&self) -> Option<Arc<Engine>> {
        match self {
            Self::One(engine) => Some(engine.clone()),
            Self::ByCaller(_) => None,
        }
    }
}

impl Options {
    pub(crate) fn new(engines: Engines) -> Self {
        Self {
            engines,
            identity: None,
            server_name: None,
            approver: None,
            max_waiting: 100,
            refund_on_error: None,
            on_result: None,
            check_args: true,
            unmatched: Unmatched::default(),
            lock: None,
            audit: Audit::default(),
        }
    }

    /// Who calls, and whose policy decides.
    pub(crate) fn caller(&self, context: &RequestContext<RoleServer>) -> Result<Caller, Unchecked> {
        let identity = match &self.identity {
            Some(identity) => caught_now(|| identity(context))?,
            None => None,
        };
        let engine = match &self.engines {
            Engines::One(engine) => engine.clone(),
            Engines::ByCaller(engine) => caught_now(|| engine(context))?
                .ok_or_else(|| Unchecked("there is no engine for this caller".to_owned()))?,
        };
        Ok(Caller { engine, identity })
    }
}
