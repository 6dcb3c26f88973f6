//! Enforces a [callgate] policy on an MCP server built with [rmcp], in one line.
//!
//! In: the requests of a client. Out: those that the policy lets through, untouched, to the server; to the others, the MCP
//! result that tells the agent why not. Holds no policy logic, and takes no identity from anything that the client sets.
//!
//! ```no_run
//! # use rmcp::{ServerHandler, ServiceExt};
//! # #[derive(Clone)] struct MyServer;
//! # impl ServerHandler for MyServer {}
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use callgate::{Engine, Policy};
//! use callgate_rmcp::Guard;
//!
//! let engine = Engine::new(Policy::from_yaml(&std::fs::read_to_string("policy.yaml")?)?);
//! let server = Guard::new(MyServer, engine);                    // the one line
//! server.serve(rmcp::transport::stdio()).await?.waiting().await?;
//! # Ok(()) }
//! ```
//!
//! What it does:
//!
//! - drops from `tools/list` what the policy hides (spec 10.9); everything else of the result stays;
//! - decides each `tools/call` before the handler sees it; a denied one gets `isError: true` with the message (spec 10.6);
//! - takes charges back only if the server answers with a JSON-RPC error of its own: an `isError` result, a time-out, a
//!   cancellation or a lost client keeps them, or else a loop of failing calls would never be limited;
//! - refuses a `tools/call` that cannot be parsed; passes every other request on as it is.

#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use callgate::{Approval, Call, Decision, Effect, Engine, Identity};
use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientRequest, ContentBlock, ErrorData, MetaObject,
    ProtocolVersion, ServerConfig, ServerResult,
};
use rmcp::service::{NotificationContext, RequestContext, RoleServer, Service, ServiceRole};
use serde_json::Value;

/// Where in a result's `_meta` the approval key of a call stands that waits for approval.
pub const APPROVAL_KEY: &str = "callgate/approval_key";

type IdentityOf = dyn Fn(&RequestContext<RoleServer>) -> Option<Value> + Send + Sync;
type Answer<'a> = Pin<Box<dyn Future<Output = Option<String>> + Send + 'a>>;
type OnApproval = dyn for<'a> Fn(ApprovalRequest<'a>) -> Answer<'a> + Send + Sync;

/// A call that waits for somebody's approval.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ApprovalRequest<'a> {
    /// The decision: its approval key is bound to this very call, its message says why it waits.
    pub decision: &'a Decision<'a>,
    /// The arguments, if there are any.
    pub args: Option<&'a Value>,
    /// Who calls, if that is known.
    pub identity: Option<&'a Value>,
}

/// A server behind a policy. Serve it instead of the server itself.
pub struct Guard<S> {
    server: S,
    engine: Arc<Engine>,
    identity: Arc<IdentityOf>,
    on_approval: Option<Arc<OnApproval>>,
}

impl<S> Guard<S> {
    /// Puts `engine` in front of `server`. Nobody is known until [`Guard::identity`] tells who calls.
    pub fn new(server: S, engine: impl Into<Arc<Engine>>) -> Self {
        Self { server, engine: engine.into(), identity: Arc::new(|_| None), on_approval: None }
    }

    /// Who calls: a string, or an object of claims (spec 9). Take it from what the transport has verified, such as the
    /// token in the HTTP request's extensions; never from `_meta` or the client's own information, which it sets itself.
    #[must_use]
    pub fn identity(
        mut self,
        identity: impl Fn(&RequestContext<RoleServer>) -> Option<Value> + Send + Sync + 'static,
    ) -> Self {
        self.identity = Arc::new(identity);
        self
    }

    /// Asks somebody when a rule needs approval. The answer is the approval's own id, never used before, or `None`. The call
    /// is then decided again. Without this the agent gets the approval key in a result with `isError: true`.
    #[must_use]
    pub fn on_approval(
        mut self,
        ask: impl for<'a> Fn(ApprovalRequest<'a>) -> Answer<'a> + Send + Sync + 'static,
    ) -> Self {
        self.on_approval = Some(Arc::new(ask));
        self
    }

    /// The engine, to replace its policy or to explain a call.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Decides a call.
    async fn decide(&self, tool: &str, args: Option<&Value>, identity: Option<&Value>) -> Decision<'static> {
        let who = match identity {
            None => Identity::Absent,
            Some(Value::String(id)) => Identity::Id(id.as_str()),
            Some(claims) => Identity::claims(claims),
        };
        let call = match args {
            Some(args) => Call::new(tool, args),
            None => Call::without_args(tool),
        };
        let call = call.identity(who);
        let decision = self.engine.decide(&call);
        if let (Effect::RequireApproval, Some(ask)) = (decision.effect(), &self.on_approval) {
            let answer = ask(ApprovalRequest { decision: &decision, args, identity }).await;
            if let (Some(id), Some(key)) = (answer, decision.approval_key()) {
                // Decided again: the policy or a counter may have changed while somebody thought.
                return self.engine.decide(&call.approved(Approval::new(key, &id))).into_owned();
            }
        }
        decision.into_owned()
    }
}

impl<S: Service<RoleServer>> Guard<S> {
    async fn call(
        &self,
        mut request: rmcp::model::CallToolRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<ServerResult, ErrorData> {
        let params: &mut CallToolRequestParams = &mut request.params;
        let identity = (self.identity)(&context);
        // Moved out and back: the server gets the very arguments that were decided upon.
        let args = params.arguments.take().map(Value::Object);
        let decision = self.decide(&params.name, args.as_ref(), identity.as_ref()).await;
        if let Some(Value::Object(arguments)) = args {
            params.arguments = Some(arguments);
        }
        if !decision.allowed() {
            return Ok(refusal(&decision, &context));
        }
        let reservation = decision.take_reservation();
        let result = self.server.handle_request(ClientRequest::CallToolRequest(request), context).await;
        if let (Err(_), Some(mut reservation)) = (&result, reservation) {
            // Where the store cannot be reached the charge stands, which is the safe side.
            let _ = self.engine.release(&mut reservation);
        }
        result
    }
}

/// The result that tells the agent why the call does not run.
fn refusal(decision: &Decision<'_>, context: &RequestContext<RoleServer>) -> ServerResult {
    let mut text = decision.message().map(Cow::into_owned).unwrap_or_default();
    let key = decision.approval_key();
    if let Some(key) = key {
        text.push_str("\nApproval key: ");
        text.push_str(key);
    }
    let mut result = CallToolResult::error(vec![ContentBlock::text(text)]);
    if let Some(key) = key {
        let mut meta = MetaObject::new();
        meta.0.insert(APPROVAL_KEY.to_owned(), Value::String(key.to_owned()));
        result.meta = Some(meta);
    }
    let mut result = ServerResult::CallToolResult(result);
    let is_legacy = context
        .protocol_version()
        .is_none_or(|version| version.as_str() < ProtocolVersion::V_2026_07_28.as_str());
    if is_legacy {
        result.strip_result_type_for_legacy_peer();
    }
    result
}

impl<S: Service<RoleServer>> Service<RoleServer> for Guard<S> {
    async fn handle_request(
        &self,
        request: <RoleServer as ServiceRole>::PeerReq,
        context: RequestContext<RoleServer>,
    ) -> Result<<RoleServer as ServiceRole>::Resp, ErrorData> {
        match request {
            ClientRequest::CallToolRequest(request) => self.call(request, context).await,
            // What the SDK could not read as a call or a list may still be read as one further on.
            ClientRequest::CustomRequest(request)
                if matches!(request.method.as_str(), "tools/call" | "tools/list") =>
            {
                Err(ErrorData::invalid_params("the parameters cannot be read", None))
            }
            request => {
                let mut result = self.server.handle_request(request, context).await?;
                if let ServerResult::ListToolsResult(list) = &mut result {
                    let policy = self.engine.policy();
                    list.tools.retain(|tool| policy.visible(&tool.name));
                }
                Ok(result)
            }
        }
    }

    async fn handle_notification(
        &self,
        notification: <RoleServer as ServiceRole>::PeerNot,
        context: NotificationContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.server.handle_notification(notification, context).await
    }

    fn get_info(&self) -> ServerConfig {
        self.server.get_info()
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        self.server.supported_protocol_versions()
    }
}

impl<S: fmt::Debug> fmt::Debug for Guard<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("server", &self.server)
            .field("engine", &self.engine)
            .field("on_approval", &self.on_approval.is_some())
            .finish_non_exhaustive()
    }
}
