//! One call or request, decided without blocking the runtime.
//!
//! In: what is called, its arguments, who calls. Out: a decision. Must not hold policy logic.

use std::sync::Arc;

use callgate::time::Timestamp;
use callgate::{Approval, ArgsCheck, ArgsHash, AuditedCall, Call, Decision, Engine, Evaluation, Identity};
use serde_json::{Map, Value, json};

use crate::refusal::Unchecked;

/// What is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Called {
    Tool(String),
    /// Another method (spec 3.10).
    Method(String),
}

/// Who calls, and whose policy decides.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) engine: Arc<Engine>,
    pub(crate) identity: Option<Value>,
}

/// What is asked.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) called: Called,
    pub(crate) args: Option<Value>,
    pub(crate) identity: Option<Value>,
    pub(crate) server: Option<Arc<str>>,
    /// The checks of the arguments before any rule.
    pub(crate) check: Option<ArgsCheck>,
}

/// An approval: the key that it is bound to, its own id, and when it was given.
#[derive(Debug, Clone)]
pub(crate) struct Approved {
    pub(crate) key: String,
    pub(crate) id: String,
    pub(crate) at: Timestamp,
}

/// The caller, for core.
pub(crate) fn identity_of(claims: Option<&Value>) -> Identity<'_> {
    match claims {
        None => Identity::Absent,
        Some(Value::String(id)) => Identity::Id(id.as_str()),
        Some(claims) => Identity::claims(claims),
    }
}

/// The caller's id, if it has one.
pub(crate) fn id_of(claims: Option<&Value>) -> Option<&str> {
    match claims? {
        Value::String(id) => Some(id),
        claims => claims.get("id")?.as_str(),
    }
}

impl Called {
    pub(crate) fn tool(&self) -> Option<&str> {
        match self {
            Self::Tool(tool) => Some(tool),
            Self::Method(_) => None,
        }
    }

    pub(crate) fn method(&self) -> &str {
        match self {
            Self::Tool(_) => "tools/call",
            Self::Method(method) => method,
        }
    }
}

impl Asked {
    pub(crate) fn call<'a>(&'a self, approved: Option<&'a Approved>) -> Call<'a> {
        let call = match (&self.called, &self.args) {
            (Called::Tool(tool), Some(args)) => Call::new(tool, args),
            (Called::Tool(tool), None) => Call::without_args(tool),
            (Called::Method(method), args) => Call::request(method, args.as_ref().unwrap_or(&UNREAD)),
        };
        let call = call.identity(identity_of(self.identity.as_ref()));
        let call = match &self.server {
            Some(server) => call.server(server),
            None => call,
        };
        let call = match &self.check {
            Some(check) => call.checked(check),
            None => call,
        };
        match approved {
            Some(given) => call.approved(Approval::new(&given.key, &given.id).given_at(given.at)),
            None => call,
        }
    }

    /// What tells this call apart from others: the same tool, arguments and caller have the same. `None` where the arguments or the
    /// caller have no canonical form.
    pub(crate) fn likeness(&mut self) -> Option<String> {
        // Moved in and back: they may be large.
        let mut whole = Map::new();
        whole.insert("called".to_owned(), json!([self.called.method(), self.called.tool()]));
        let is_absent = self.args.is_none();
        whole.insert("args".to_owned(), self.args.take().unwrap_or_else(|| json!({})));
        whole.insert("identity".to_owned(), self.identity.take().unwrap_or(Value::Null));
        let mut whole = Value::Object(whole);
        let likeness = digest(&whole);
        let mut back = |name: &str| whole.get_mut(name).map(Value::take).filter(|value| !value.is_null());
        self.args = back("args").filter(|_| !is_absent);
        self.identity = back("identity");
        likeness
    }

    /// Decides it: by the engine's store that does not block, if it has one; on a thread that may block, if a store has to be asked that
    /// is not in memory.
    pub(crate) async fn decide(
        self: &Arc<Self>,
        engine: &Arc<Engine>,
        approved: Option<Approved>,
    ) -> Result<Decision<'static>, Unchecked> {
        if engine.has_async_store() {
            return Ok(engine.decide_async(&self.call(approved.as_ref())).await.into_owned());
        }
        if engine.is_in_memory() {
            return Ok(engine.decide(&self.call(approved.as_ref())).into_owned());
        }
        // A decision without counters needs no thread.
        let policy = engine.policy();
        if let Evaluation::Decided(decision) = policy.evaluate(&self.call(approved.as_ref())) {
            return Ok(decision.into_owned());
        }
        drop(policy);
        let (asked, engine) = (self.clone(), engine.clone());
        let decide = move || engine.decide(&asked.call(approved.as_ref())).into_owned();
        // Fails where the runtime is shutting down.
        tokio::task::spawn_blocking(decide)
            .await
            .map_err(|_| Unchecked("the runtime is shutting down".to_owned()))
    }
}

/// What stands for the params of a method that have not been read: no object, so that it is denied.
static UNREAD: Value = Value::Null;

/// The digest of an object's canonical form, if it has one.
pub(crate) fn digest(object: &Value) -> Option<String> {
    AuditedCall::new(&Call::new("", object), ArgsHash::Sha256).hash().map(str::to_owned)
}
