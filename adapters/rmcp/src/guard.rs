//! The guard: a server behind a policy.
//!
//! In: the requests of a client. Out: those that the policy lets through, untouched, to the server; to the others, why not.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use callgate::Engine;
use callgate::lock::{OnDrift, Pins};
use rmcp::model::{
    CallToolRequestParams, ClientRequest, ErrorData, ProtocolVersion, RequestId, ServerConfig, ServerResult,
};
use rmcp::service::{
    NotificationContext, RequestContext, RoleServer, RunningService, ServerInitializeError, Service,
    ServiceRole, serve_server_with_ct,
};
use rmcp::transport::IntoTransport;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::approval::{ASKS_FOR, Answer, ApprovalRequest, Approver};
use crate::call::Caller;
use crate::connection::{Connection, Watched};
use crate::definitions::Definitions;
use crate::filing::ApprovalStore;
use crate::handler::GuardHandler;
use crate::lists;
use crate::locked;
use crate::names::{Told, Unmatched};
use crate::options::{CallEnded, Done, Engines, Options};
use crate::refusal::{Unchecked, is_modern, unchecked_error};
use crate::rounds::Rounds;
use crate::seen::For;
use crate::waiting::Waiting;

/// A server behind a policy. Serve it instead of the server itself: by [`Guard::serve`], or as [`Guard::handler`] over HTTP.
///
/// A clone guards a clone of the server by the same engine: one for each connection or session.
#[derive(Clone)]
pub struct Guard<S> {
    pub(crate) server: S,
    pub(crate) options: Options,
    pub(crate) shared: Shared,
    pub(crate) connection: Connection,
}

/// What clones have together.
#[derive(Clone, Default)]
pub(crate) struct Shared {
    pub(crate) rounds: Arc<Rounds>,
    pub(crate) waiting: Arc<Waiting>,
    pub(crate) told: Arc<Told>,
}

impl<S> Guard<S> {
    /// Puts `engine` in front of `server`. Nobody is known until [`Guard::identity`] tells who calls. The warnings of the
    /// engine's policy are logged.
    pub fn new(server: S, engine: impl Into<Arc<Engine>>) -> Self {
        let engine = engine.into();
        for warning in engine.warnings() {
            tracing::warn!(target: "callgate", "policy:{warning}");
        }
        Self::with(server, Engines::One(engine))
    }

    /// Puts an engine of each caller's own in front of `server`, as for tenants (G8.5). Where `engine` gives none, the request is refused.
    pub fn by_caller(
        server: S,
        engine: impl Fn(&RequestContext<RoleServer>) -> Option<Arc<Engine>> + Send + Sync + 'static,
    ) -> Self {
        Self::with(server, Engines::ByCaller(Arc::new(engine)))
    }

    fn with(server: S, engines: Engines) -> Self {
        Self {
            server,
            options: Options::new(engines),
            shared: Shared::default(),
            connection: Connection::default(),
        }
    }

    /// Who calls: a string, or an object of claims (spec 9). Take it from what the transport has verified, such as the
    /// token in the HTTP request's extensions; never from `_meta` or the client's own information, which it sets itself.
    #[must_use]
    pub fn identity(
        mut self,
        identity: impl Fn(&RequestContext<RoleServer>) -> Option<Value> + Send + Sync + 'static,
    ) -> Self {
        self.options.identity = Some(Arc::new(identity));
        self
    }

    /// The name of the server, which policies read as `server` (spec 9.5). Absent unless given.
    #[must_use]
    pub fn server_name(mut self, name: &str) -> Self {
        self.options.server_name = Some(name.into());
        self
    }

    /// Asks somebody when a rule needs approval. The call is decided again after a yes. Without this the agent gets the approval key in
    /// a result with `isError: true`.
    ///
    /// The future is dropped as soon as the call ends for its client (spec 7.6). While it waits, a client that asked for progress hears
    /// of it each second. A panic refuses the call.
    #[must_use]
    pub fn on_approval(
        mut self,
        ask: impl for<'a> Fn(ApprovalRequest<'a>) -> Answer<'a> + Send + Sync + 'static,
    ) -> Self {
        self.options.approver = Some(Approver::Host(Arc::new(ask)));
        self
    }

    /// Asks the client that calls, by an elicitation: in the generation of 2026-07-28 by a round of the call. A client that cannot be asked gets
    /// the approval key. Where the rules name who approves, nobody is asked: an answer has no name.
    ///
    /// It proves that somebody at the client answered. Where the client is the agent alone, that is the agent.
    #[must_use]
    pub fn approve_by_elicitation(self) -> Self {
        self.approve_by_elicitation_with(None, ASKS_FOR)
    }

    /// [`Guard::approve_by_elicitation`] with these words, and for so long: an answer that comes later is none.
    #[must_use]
    pub fn approve_by_elicitation_with(mut self, message: Option<&str>, valid_for: Duration) -> Self {
        let message = message.map(Arc::from);
        self.options.approver = Some(Approver::Client { message, valid_for });
        self
    }

    /// Files calls at a store, where people answer them by `callgate approve` (spec 7.7 to 7.9). A call waits so long for its answer, and is
    /// then refused with the record's id. Repeated, it finds the answer that came meanwhile.
    #[must_use]
    pub fn approve_by_store(mut self, store: impl Into<ApprovalStore>, wait: Duration) -> Self {
        self.options.approver = Some(Approver::Store { store: store.into(), wait });
        self
    }

    /// The most calls that wait for a person, of one `identity.id` and of all unknown callers together: 100, unless said otherwise. One more
    /// is answered as if nobody could be asked.
    #[must_use]
    pub const fn max_waiting(mut self, calls: usize) -> Self {
        self.options.max_waiting = calls;
        self
    }

    /// Hears how each decided call ended, before its answer goes out, and may settle its charges. A panic is logged, and changes nothing.
    #[must_use]
    pub fn on_result(
        mut self,
        hear: impl for<'a> Fn(CallEnded<'a>) -> Done<'a> + Send + Sync + 'static,
    ) -> Self {
        self.options.on_result = Some(Arc::new(hear));
        self
    }

    /// Gives a call's charges back where the server answers it with an error for which `refund` is true.
    ///
    /// By default none does but what the policy says (spec 8.13): a client can cause an error after the tool ran, and would have a limit
    /// without end (spec 8.10).
    /// Say `true` only for errors that the server gives before the tool does anything.
    #[must_use]
    pub fn refund_on_error(
        mut self,
        refund: impl Fn(&CallToolRequestParams, &ErrorData) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.options.refund_on_error = Some(Arc::new(refund));
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
        self.options.check_args = check;
        self
    }

    /// What becomes of a policy with names that the server does not have: a typing error in a name may leave a tool without its rules. Known
    /// from the first complete list of the server on.
    #[must_use]
    pub const fn unmatched(mut self, unmatched: Unmatched) -> Self {
        self.options.unmatched = unmatched;
        self
    }

    /// Lets no tool through whose definition is not the one that was approved (G13). `pins` are those of this server in a `callgate.lock`.
    ///
    /// The guard asks the server for `tools/list` at each call, with the context of the call: what this caller would be shown now is
    /// compared.
    ///
    /// ```no_run
    /// # use callgate_rmcp::Guard;
    /// # fn guarded<S>(guard: Guard<S>) -> Result<Guard<S>, Box<dyn std::error::Error>> {
    /// use callgate::lock::{Lock, OnDrift};
    ///
    /// let lock = Lock::parse(&std::fs::read_to_string("callgate.lock")?)?;
    /// # Ok(
    /// guard.lock(lock.pins(Some("notes"))?, OnDrift::Hide)
    /// # ) }
    /// ```
    #[must_use]
    pub fn lock(mut self, pins: Pins, on_drift: OnDrift) -> Self {
        self.options.lock = Some((pins, on_drift));
        self
    }

    /// Writes a record of each decided call when it has ended, as `callgate proxy` does (spec/audit.schema.json). Where the log's records are
    /// required and cannot be written, no call runs. Close the log when the server has ended.
    #[cfg(feature = "audit")]
    #[must_use]
    pub fn audit(mut self, log: callgate_gateway::audit::Log) -> Self {
        self.options.audit.log = Some(log);
        self
    }

    /// The engine, to replace its policy or to explain a call; `None` where each caller has one.
    pub fn engine(&self) -> Option<Arc<Engine>> {
        self.options.engines.only()
    }
}

impl<S: rmcp::ServerHandler> Guard<S> {
    /// The guard as a `ServerHandler`, which rmcp's server for streamable HTTP takes.
    ///
    /// Make it in the server's factory, from a clone of one guard: calls of several rounds and waiting calls are known to all clones.
    ///
    /// ```no_run
    /// # use callgate_rmcp::Guard;
    /// # use rmcp::ServerHandler;
    /// # use rmcp::transport::streamable_http_server::{StreamableHttpService, session::local::LocalSessionManager};
    /// # fn serve<S: ServerHandler + Clone>(guard: Guard<S>) {
    /// let service: StreamableHttpService<_, LocalSessionManager> =
    ///     StreamableHttpService::new(move || Ok(guard.clone().handler()), Default::default(), Default::default());
    /// # }
    /// ```
    pub fn handler(mut self) -> GuardHandler<S> {
        self.connection = Connection { over_http: true, ..Connection::default() };
        GuardHandler::new(self)
    }
}

impl<S: Service<RoleServer>> Guard<S> {
    /// Serves one connection, as rmcp's `ServiceExt::serve` does, and notices its end at once: a call that waits for approval
    /// ends with it. By any other way to serve it, such a call ends up to five seconds after the client's input did, and requests of
    /// the server pass undecided.
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
        self.connection = Connection::watched(Definitions::watched(&self.server.get_info()));
        let (options, rounds) = (self.options.clone(), self.shared.rounds.clone());
        let transport = Watched::new(transport.into_transport(), self.connection.clone(), options, rounds);
        serve_server_with_ct(self, transport, ct).await
    }

    /// Whether nobody waits for the answer any more.
    pub(crate) fn is_over(&self, context: &RequestContext<RoleServer>) -> bool {
        self.connection.closed.is_cancelled() || context.ct.is_cancelled()
    }

    /// A list, without what the caller may not see.
    async fn list(
        &self,
        request: ClientRequest,
        context: RequestContext<RoleServer>,
        caller: &Caller,
    ) -> Result<ServerResult, ErrorData> {
        let (peer, modern) = (context.peer.clone(), is_modern(&context));
        let is_first = match &request {
            ClientRequest::ListToolsRequest(request) => {
                request.params.as_ref().is_none_or(|params| params.cursor.is_none())
            }
            _ => false,
        };
        let mut result = self.server.handle_request(request, context).await?;
        let server = self.options.server_name.as_ref();
        if let ServerResult::ListToolsResult(list) = &result {
            // The client may know of a change that nobody announced.
            self.connection.definitions.changed();
            let names = list.tools.iter().map(|tool| &*tool.name);
            self.connection.definitions.page(names, is_first, list.next_cursor.is_none());
            self.warns_of_names(caller);
        }
        let left_out = self.options.lock.as_ref().is_some_and(|lock| locked::filter(&mut result, lock));
        if let ServerResult::ListToolsResult(list) = &result {
            // A session without `initialize` hears of changes by what it subscribed to.
            if self.announces() && !modern {
                let to = For { caller, server, peer: &peer, subscription: None };
                let names = list.tools.iter().map(|tool| &*tool.name);
                self.connection.seen.page(&to, names, is_first);
            }
        }
        lists::filter(&mut result, caller, server, modern, left_out);
        Ok(result)
    }

    /// Whether the server says that it tells of changes of its tools.
    fn announces(&self) -> bool {
        self.server.get_info().capabilities.tools.and_then(|tools| tools.list_changed) == Some(true)
    }

    /// A client that listens for changes of the list hears of a reload, too. Gives the request that listens.
    pub(crate) async fn subscribes(&self, context: &RequestContext<RoleServer>) -> Option<RequestId> {
        if !self.announces() {
            return None;
        }
        let caller = self.options.caller(context).ok()?;
        let names = self.connection.definitions.names(&self.server, context).await.ok()?;
        let (server, subscription) = (self.options.server_name.as_ref(), Some(&context.id));
        let to = For { caller: &caller, server, peer: &context.peer, subscription };
        let names = names.iter().map(String::as_str);
        self.connection.seen.page(&to, names, true);
        Some(context.id.clone())
    }

    /// A client listens for changes.
    async fn listens(
        &self,
        request: ClientRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<ServerResult, ErrorData> {
        let listens = self.subscribes(&context).await;
        let ended = self.server.handle_request(request, context).await;
        if let Some(id) = listens {
            self.connection.seen.forget(&id);
        }
        ended
    }

    async fn decided(
        &self,
        request: ClientRequest,
        context: RequestContext<RoleServer>,
        caller: Caller,
    ) -> Result<ServerResult, ErrorData> {
        let is_http = self.connection.over_http;
        let nobody = is_http && self.options.identity.is_none();
        self.shared.told.called(&caller, nobody, is_modern(&context));
        let _running = self.connection.running.enter(&context.id, &caller);
        let listens_to_tools = |request: &ClientRequest| match request {
            ClientRequest::SubscriptionsListenRequest(request) => {
                request.params.notifications.tools_list_changed == Some(true)
            }
            _ => false,
        };
        match request {
            // On the heap: servers nest, and each guard's part is large.
            request @ ClientRequest::CallToolRequest(_) => {
                Box::pin(self.call(request, context, caller)).await
            }
            request if caller.engine.policy().decides_request(request.method()) => {
                Box::pin(self.call(request, context, caller)).await
            }
            request if lists::is_list(&request) => self.list(request, context, &caller).await,
            request if listens_to_tools(&request) => self.listens(request, context).await,
            request => self.server.handle_request(request, context).await,
        }
    }
}

impl<S: Service<RoleServer>> Service<RoleServer> for Guard<S> {
    async fn handle_request(
        &self,
        request: <RoleServer as ServiceRole>::PeerReq,
        context: RequestContext<RoleServer>,
    ) -> Result<<RoleServer as ServiceRole>::Resp, ErrorData> {
        match request {
            // What the SDK could not read as a call or a list may still be read as one further on.
            ClientRequest::CustomRequest(request) if request.method.starts_with("tools/") => {
                Err(ErrorData::invalid_params("the parameters cannot be read", None))
            }
            // A session cannot do without it, and nobody is known yet.
            request @ (ClientRequest::InitializeRequest(_)
            | ClientRequest::DiscoverRequest(_)
            | ClientRequest::PingRequest(_)) => self.server.handle_request(request, context).await,
            request => match self.options.caller(&context) {
                Ok(caller) => self.decided(request, context, caller).await,
                Err(Unchecked(why)) => {
                    tracing::error!(target: "callgate", "a request was refused: {why}");
                    match request {
                        ClientRequest::CallToolRequest(request) => {
                            let called = crate::call::Called::Tool(request.params.name.into_owned());
                            crate::refusal::unchecked(&called, &context)
                        }
                        _ => Err(unchecked_error()),
                    }
                }
            },
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
            .field("engine", &self.options.engines.only())
            .field("approves", &self.options.approver.is_some())
            .finish_non_exhaustive()
    }
}
