//! Calls inside of calls: what an engine decided on a request's way here (spec 3.11, G1.8, G9).
//!
//! In: a request and the marks in its context. Out: whether it was decided, is to be decided, or comes to one engine twice. Must not take a
//! call as decided but the one that stands in a dispatcher's arguments, once.

use std::sync::{Arc, Mutex, PoisonError};

use callgate::{Decision, Engine};
use rmcp::model::ErrorData;
use rmcp::service::{RequestContext, RoleServer};
use serde_json::Value;

use crate::call::{Called, Caller};
use crate::mistake;

/// The engines that a request was decided by on its way here.
#[derive(Clone, Default)]
struct Marks(Vec<Mark>);

/// An engine that decides a request, or has decided it.
#[derive(Clone)]
pub(crate) struct Mark {
    engine: Arc<Engine>,
    called: Called,
    inner: Arc<Mutex<Inner>>,
}

/// The call that stands in a dispatcher's arguments.
#[derive(Default)]
enum Inner {
    /// The call is none of a dispatcher, as far as that is known.
    #[default]
    None,
    Decided {
        tool: String,
        args: String,
        identity: Option<Value>,
    },
    /// It came.
    Taken,
}

/// What a request is to its engine.
pub(crate) enum Seen {
    New(Mark),
    /// It stands in a call of a dispatcher, which was decided.
    Decided,
}

/// Looks at what has decided the request before, and marks it.
///
/// # Errors
/// The same engine has decided it: it would charge it twice.
pub(crate) fn look(
    context: &mut RequestContext<RoleServer>,
    caller: &Caller,
    called: &Called,
    args: Option<&Value>,
) -> Result<Seen, ErrorData> {
    let mut marks = context.extensions.get::<Marks>().cloned().unwrap_or_default();
    // The innermost one: a dispatcher may be reached through another server.
    if let Some(mark) = marks.0.iter().rev().find(|mark| Arc::ptr_eq(&mark.engine, &caller.engine)) {
        let mut inner = mark.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if mark.called == *called || matches!(*inner, Inner::None) {
            return Err(ErrorData::internal_error("this server is guarded twice by one engine", None));
        }
        if inner.is(called, args, caller) {
            *inner = Inner::Taken;
            return Ok(Seen::Decided);
        }
    }
    let mark = Mark { engine: caller.engine.clone(), called: called.clone(), inner: Arc::default() };
    marks.0.push(mark.clone());
    context.extensions.insert(marks);
    Ok(Seen::New(mark))
}

impl Inner {
    fn is(&self, called: &Called, args: Option<&Value>, caller: &Caller) -> bool {
        let Self::Decided { tool, args: decided, identity } = self else { return false };
        let is_equal =
            mistake::is_on("inner_call_of_any_arguments") || canonical(args).as_ref() == Some(decided);
        is_equal && called.tool() == Some(tool) && *identity == caller.identity
    }
}

impl Mark {
    /// The call was allowed, with what stands in its arguments.
    pub(crate) fn decided(&self, decision: &Decision<'_>, args: Option<&Value>, caller: &Caller) {
        let (Some(tool), Some(_)) = (decision.tool(), decision.inner()) else { return };
        let args = args.map_or_else(|| "{}".to_owned(), Value::to_string);
        let inner = match callgate::__relay::inner_call(decision.policy(), tool, &args) {
            Some((tool, args)) => Inner::Decided { tool, args, identity: caller.identity.clone() },
            None => Inner::Taken,
        };
        *self.inner.lock().unwrap_or_else(PoisonError::into_inner) = inner;
    }
}

fn canonical(args: Option<&Value>) -> Option<String> {
    match args {
        None => Some("{}".to_owned()),
        Some(args) => callgate::__relay::canonical(&args.to_string()),
    }
}
