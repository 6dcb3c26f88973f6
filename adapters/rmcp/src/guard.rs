//! The guard: a server behind a policy.
//!
//! In: the requests of a client. Out: those that the policy lets through, untouched, to the server; to the others, why not.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use callgate::{Decision, Effect, Engine, Outcome, Reservation};
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, ClientRequest, ErrorData, ProtocolVersion, ServerConfig,
    ServerResult,
};
use rmcp::service::{
    NotificationContext, RequestContext, RoleServer, RunningService, ServerInitializeError, Service,
    ServiceRole, serve_server_with_ct,
};
use rmcp::transport::IntoTransport;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::call::{Asked, identity_of};
use crate::connection::Watched;
use crate::definitions::Definitions;
use crate::refusal::{refusal, unchecked};

type IdentityOf = dyn Fn(&RequestContext<RoleServer>) -> Option<Value> + Send + Sync;
type Answer<'a> = Pin<Box<dyn Future<Output = Option<String>> + Send + 'a>>;
type OnApproval = dyn for<'a> Fn(ApprovalRequest<'a>) -> Answer<'a> + Send + Sync;
type RefundOnError = dyn Fn(&CallToolRequestParams, &ErrorData) -> bool + Send + Sync;

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

/// A server behind a policy. Serve it instead of the server itself, by [`Guard::serve`].
///
/// A clone guards a clone of the server by the same engine: one for each connection or session.
#[derive(Clone)]
pub struct Guard<S> {
    server: S,
    engine: Arc<Engine>,
    identity: Arc<IdentityOf>,
    server_name: Option<Arc<str>>,
    on_approval: Option<Arc<OnApproval>>,
    refund_on_error: Option<Arc<RefundOnError>>,
    check_args: bool,
    definitions: Arc<Definitions>,
    /// Cancelled when no more messages of the client can come.
    closed: CancellationToken,
}

/// The engines that a request was decided by on its way here.
#[derive(Clone, Default)]
struct GuardedBy(Vec<Arc<Engine>>);

impl<S> Guard<S> {
    /// Puts `engine` in front of `server`. Nobody is known until [`Guard::identity`] tells who calls. The warnings of the
    /// engine's policy are logged.
    pub fn new(server: S, engine: impl Into<Arc<Engine>>) -> Self {
        let engine = engine.into();
        for warning in engine.policy().warnings() {
            tracing::warn!(target: "callgate", "policy:{warning}");
        }
        Self {
            server,
            engine,
            identity: Arc::new(|_| None),
            server_name: None,
            on_approval: None,
            refund_on_error: None,
            check_args: true,
            definitions: Arc::default(),
            closed: CancellationToken::new(),
        }
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

    /// The name of the server, which policies read as `server` (spec 9.5). Absent unless given.
    #[must_use]
    pub fn server_name(mut self, name: &str) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Asks somebody when a rule needs approval. The answer is the approval's own id, never used before, or `None`. The call
    /// is then decided again. Without this the agent gets the approval key in a result with `isError: true`.
    ///
    /// The future is dropped as soon as the call ends for its client (spec 7.6).
    #[must_use]
    pub fn on_approval(
        mut self,
        ask: impl for<'a> Fn(ApprovalRequest<'a>) -> Answer<'a> + Send + Sync + 'static,
    ) -> Self {
        self.on_approval = Some(Arc::new(ask));
        self
    }

    /// Gives a call's charges back where the server answers it with an error for which `refund` is true.
    ///
    /// By default no error does: a client can cause one after the tool ran, and would have a limit without end (spec 8.10).
    /// Say `true` only for errors that the server gives before the tool does anything.
    #[must_use]
    pub fn refund_on_error(
        mut self,
        refund: impl Fn(&CallToolRequestParams, &ErrorData) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.refund_on_error = Some(Arc::new(refund));
        self
    }

    /// Whether arguments are checked before any rule, where rules read them (spec 3.7, 3.8). They are by default: a value of a
    /// type that the tool's own input schema does not admit is refused, and so is a member that some servers take for one
    /// that is read (`Amount` for `amount`).
    ///
    /// The guard asks the server for `tools/list` itself, with the context of the call. It remembers the list where it hears of
    /// each change: the server says that it tells of changes (`listChanged`), by [`Guard::serve`], in a session that begins
    /// with `initialize`. Otherwise it asks for each call. A tool that is not listed has no schema, nor has one of a server
    /// without that request: only its members are checked. Where the server fails to list its tools, no call of it runs.
    #[must_use]
    pub const fn check_args(mut self, check: bool) -> Self {
        self.check_args = check;
        self
    }

    /// The engine, to replace its policy or to explain a call.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }
}

impl<S: Service<RoleServer>> Guard<S> {
    /// Serves one connection, as rmcp's `ServiceExt::serve` does, and notices its end at once: a call that waits for approval
    /// ends with it. By any other way to serve it, such a call ends up to five seconds after the client's input did.
    ///
    /// # Errors
    /// Those of rmcp: the client does not begin as the protocol has it.
    pub async fn serve<T, E, A>(
        self,
        transport: T,
    ) -> Result<RunningService<RoleServer, Self>, ServerInitializeError>
    where
        T: IntoTransport<RoleServer, E, A>,
        E: std::error::Error + Send + Sync + 'static,
    {
        self.serve_with_ct(transport, CancellationToken::new()).await
    }

    /// [`Guard::serve`] until `ct` is cancelled, as rmcp's `ServiceExt::serve_with_ct` does.
    ///
    /// # Errors
    /// Those of [`Guard::serve`].
    pub async fn serve_with_ct<T, E, A>(
        mut self,
        transport: T,
        ct: CancellationToken,
    ) -> Result<RunningService<RoleServer, Self>, ServerInitializeError>
    where
        T: IntoTransport<RoleServer, E, A>,
        E: std::error::Error + Send + Sync + 'static,
    {
        // Clones share them, connections do not.
        self.closed = CancellationToken::new();
        self.definitions = Arc::new(Definitions::watched(&self.server.get_info()));
        let transport = Watched {
            transport: transport.into_transport(),
            closed: self.closed.clone(),
            definitions: self.definitions.clone(),
        };
        serve_server_with_ct(self, transport, ct).await
    }

    /// Whether nobody waits for the answer any more.
    fn is_over(&self, context: &RequestContext<RoleServer>) -> bool {
        self.closed.is_cancelled() || context.ct.is_cancelled()
    }

    /// Waits for something, but not for longer than the client waits for its answer.
    async fn meanwhile<T>(
        &self,
        context: &RequestContext<RoleServer>,
        waiting: impl Future<Output = T>,
    ) -> Result<T, ErrorData> {
        tokio::select! {
            // What ended is looked at first: both may have happened since.
            biased;
            () = context.ct.cancelled() => Err(over()),
            () = self.closed.cancelled() => Err(over()),
            done = waiting => Ok(done),
        }
    }

    /// Decides a call, and asks for approval where a rule wants that.
    async fn decide(
        &self,
        asked: &Arc<Asked>,
        context: &RequestContext<RoleServer>,
    ) -> Result<Decision<'static>, ErrorData> {
        let decision = asked.decide(&self.engine, None).await?;
        let (Effect::RequireApproval, Some(ask)) = (decision.effect(), &self.on_approval) else {
            return Ok(decision);
        };
        let (args, identity) = (asked.args.as_ref(), asked.identity.as_ref());
        let answer = ask(ApprovalRequest { decision: &decision, args, identity });
        let Some((id, key)) =
            self.meanwhile(context, answer).await?.zip(decision.approval().map(|approval| approval.key()))
        else {
            return Ok(decision);
        };
        // Decided again: the policy or a counter may have changed while somebody thought.
        let approved = (key.to_owned(), id);
        asked.decide(&self.engine, Some(approved)).await
    }

    async fn call(
        &self,
        mut request: CallToolRequest,
        mut context: RequestContext<RoleServer>,
    ) -> Result<ServerResult, ErrorData> {
        self.mark(&mut context)?;
        let params: &mut CallToolRequestParams = &mut request.params;
        let check = if self.check_args {
            let asked = self.definitions.of(&params.name, &self.server, &context);
            match self.meanwhile(&context, asked).await? {
                Ok(check) => Some(check),
                Err(why) => {
                    tracing::error!(target: "callgate", "a call of {:?} was refused: {why}", params.name);
                    return Ok(unchecked(&context));
                }
            }
        } else {
            None
        };
        // Moved out and back: the server gets the very arguments that were decided upon.
        let asked = Arc::new(Asked {
            tool: params.name.clone().into_owned(),
            args: params.arguments.take().map(Value::Object),
            identity: (self.identity)(&context),
            server: self.server_name.clone(),
            check,
        });
        let decision = self.decide(&asked, &context).await?;
        if !decision.allowed() {
            return Ok(refusal(&decision, &context));
        }
        let reservation = decision.take_reservation();
        if self.is_over(&context) {
            // It never reached the server.
            self.not_run(reservation).await;
            return Err(over());
        }
        params.arguments = match Arc::try_unwrap(asked).map(|asked| asked.args) {
            Ok(Some(Value::Object(arguments))) => Some(arguments),
            Ok(_) => None,
            // INVARIANT: the deciding thread has dropped it.
            Err(asked) => asked.args.as_ref().and_then(Value::as_object).cloned(),
        };
        let known = self.refund_on_error.as_ref().map(|refund| (refund.clone(), params.clone()));
        let result = self.server.handle_request(ClientRequest::CallToolRequest(request), context).await;
        if let (Err(error), Some((refund, params))) = (&result, known)
            && refund(&params, error)
        {
            self.not_run(reservation).await;
        }
        result
    }

    /// An error where this engine has decided the call already: it would charge it twice.
    fn mark(&self, context: &mut RequestContext<RoleServer>) -> Result<(), ErrorData> {
        let mut guarded = context.extensions.get::<GuardedBy>().cloned().unwrap_or_default();
        if guarded.0.iter().any(|engine| Arc::ptr_eq(engine, &self.engine)) {
            return Err(ErrorData::internal_error("this server is guarded twice by one engine", None));
        }
        guarded.0.push(self.engine.clone());
        context.extensions.insert(guarded);
        Ok(())
    }

    /// Gives charges back. Where the store cannot be reached they stand, which is the safe side.
    async fn not_run(&self, reservation: Option<Reservation>) {
        let Some(mut reservation) = reservation else { return };
        if self.engine.has_async_store() {
            let _ = self.engine.finish_async(&mut reservation, Outcome::NotRun).await;
        } else {
            let engine = self.engine.clone();
            let finish = move || engine.finish(&mut reservation, Outcome::NotRun);
            let _ = tokio::task::spawn_blocking(finish).await;
        }
    }
}

/// Nobody waits for this answer.
fn over() -> ErrorData {
    ErrorData::internal_error("the call ended before it was let through", None)
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
                let lists = matches!(request, ClientRequest::ListToolsRequest(_));
                let caller = lists.then(|| (self.identity)(&context)).flatten();
                let mut result = self.server.handle_request(request, context).await?;
                if let ServerResult::ListToolsResult(list) = &mut result {
                    // The client may know of a change that nobody announced.
                    self.definitions.changed();
                    let policy = self.engine.policy();
                    let name = self.server_name.as_deref();
                    list.tools.retain(|tool| {
                        let call =
                            callgate::Call::without_args(&tool.name).identity(identity_of(caller.as_ref()));
                        policy.shows(&match name {
                            Some(name) => call.server(name),
                            None => call,
                        })
                    });
                    // Nobody else may be given what was filtered for one caller.
                    if policy.lists_by_caller() && (list.ttl_ms.is_some() || list.cache_scope.is_some()) {
                        list.cache_scope = Some(rmcp::model::CacheScope::Private);
                    }
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
