//! A connection: its end, noticed when its input ends, and the requests of the server on their way to the client.
//!
//! In: a transport. Out: the same messages, less what the policy denies of the server's requests; a token that is cancelled when no more
//! come. Must not wait: what is decided by a store is a task.
//! rmcp lets handlers go on for some seconds after the end, to deliver answers. A call that only waits for approval must not
//! start to run then.

use std::borrow::Cow;
use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use callgate::Outcome;
use rmcp::model::{
    ErrorData, GetExtensions as _, JsonRpcError, JsonRpcMessage, JsonRpcResponse, RequestId, ServerRequest,
};
use rmcp::service::{OriginatingRequestId, RoleServer, RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::approval::OfTheGuard;
use crate::call::Caller;
use crate::definitions::Definitions;
use crate::ending::Charges;
use crate::options::Options;
use crate::requests::{Judged, judge_of_server, method_of_server};
use crate::rounds::Rounds;
use crate::seen::Seen;

/// What one connection has of its own. Clones of a guard that serve no transport themselves share it.
#[derive(Clone, Default)]
pub(crate) struct Connection {
    /// Cancelled when no more messages of the client can come.
    pub(crate) closed: CancellationToken,
    pub(crate) definitions: Arc<Definitions>,
    /// `None` where the guard does not have the transport.
    pub(crate) id: Option<u64>,
    /// Whether many can reach it.
    pub(crate) over_http: bool,
    pub(crate) seen: Arc<Seen>,
    pub(crate) running: Arc<RunningRequests>,
}

/// Who sent the requests that run: the server's own requests are theirs.
#[derive(Default)]
pub(crate) struct RunningRequests(Mutex<HashMap<RequestId, Caller>>);

/// One of them, until it is dropped.
pub(crate) struct RunningRequest {
    all: Arc<RunningRequests>,
    id: RequestId,
}

impl RunningRequests {
    pub(crate) fn enter(self: &Arc<Self>, id: &RequestId, caller: &Caller) -> RunningRequest {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), caller.clone());
        RunningRequest { all: self.clone(), id: id.clone() }
    }

    fn of(&self, id: &RequestId) -> Option<Caller> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }
}

impl Drop for RunningRequest {
    fn drop(&mut self) {
        self.all.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

impl Connection {
    /// One whose transport is the guard's.
    pub(crate) fn watched(definitions: Definitions) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            definitions: Arc::new(definitions),
            id: Some(NEXT.fetch_add(1, Ordering::Relaxed)),
            ..Self::default()
        }
    }
}

/// Both ends: tasks have the one.
type Channel<T> = (mpsc::UnboundedSender<T>, mpsc::UnboundedReceiver<T>);
type Sent<E> = oneshot::Sender<Result<(), E>>;

/// A message that a task is done with.
enum Ready<E> {
    /// To the client, and who waits for that.
    Out(Box<TxJsonRpcMessage<RoleServer>>, Sent<E>),
    /// To the server.
    In(Box<RxJsonRpcMessage<RoleServer>>),
}

/// A transport whose end is noticed.
pub(crate) struct Watched<T: Transport<RoleServer>> {
    transport: T,
    connection: Connection,
    options: Options,
    rounds: Arc<Rounds>,
    /// The charges of the server's requests that the client has not answered.
    asked: HashMap<RequestId, Charges>,
    charged: Channel<(RequestId, Charges)>,
    ready: Channel<Ready<T::Error>>,
}

impl<T: Transport<RoleServer>> Watched<T> {
    pub(crate) fn new(transport: T, connection: Connection, options: Options, rounds: Arc<Rounds>) -> Self {
        let (charged, ready) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
        Self { transport, connection, options, rounds, asked: HashMap::new(), charged, ready }
    }

    /// Who the server's request is for: the caller whose request its handler serves. `None` where that is not known.
    fn caller(&self, request: &ServerRequest) -> Option<Caller> {
        let origin = request.extensions().get::<OriginatingRequestId>();
        let caller = origin.and_then(|OriginatingRequestId(id)| self.connection.running.of(id));
        caller.or_else(|| self.options.engines.only().map(|engine| Caller { engine, identity: None }))
    }

    /// Has a request of the server decided, on a task.
    fn decide(&self, request: ServerRequest, id: RequestId, sent: Sent<T::Error>) {
        let (caller, server) = (self.caller(&request), self.options.server_name.clone());
        let (ready, charged) = (self.ready.0.clone(), self.charged.0.clone());
        tokio::spawn(async move {
            let judged = match caller {
                Some(caller) => judge_of_server(&request, &caller, server).await,
                None => Judged::Denied(crate::refusal::unchecked_error()),
            };
            match judged {
                Judged::Allowed(charges) => {
                    let _ = charged.send((id.clone(), charges));
                    let message = Box::new(JsonRpcMessage::request(request, id));
                    let _ = ready.send(Ready::Out(message, sent));
                }
                Judged::Denied(error) => {
                    let _ = sent.send(Ok(()));
                    let message = Box::new(JsonRpcMessage::error(error, Some(id)));
                    let _ = ready.send(Ready::In(message));
                }
            }
        });
    }

    /// The client's answer ends what its request charged.
    fn answered(&mut self, received: &RxJsonRpcMessage<RoleServer>) {
        let (id, outcome) = match received {
            JsonRpcMessage::Response(JsonRpcResponse { id, .. }) => (Some(id), Outcome::Done),
            JsonRpcMessage::Error(JsonRpcError { id, .. }) => (id.as_ref(), Outcome::Error),
            _ => return,
        };
        while let Ok((id, charges)) = self.charged.1.try_recv() {
            self.asked.insert(id, charges);
        }
        if let Some(charges) = id.and_then(|id| self.asked.remove(id)) {
            charges.finish_detached(outcome);
        }
    }

    fn end(&self) {
        self.connection.closed.cancel();
        self.rounds.close(self.connection.id);
    }
}

impl<T: Transport<RoleServer>> Transport<RoleServer> for Watched<T> {
    type Error = T::Error;

    fn name() -> Cow<'static, str> {
        T::name()
    }

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.connection.definitions.passes(&item);
        let decides = |request: &ServerRequest| match self.caller(request) {
            _ if request.extensions().get::<OfTheGuard>().is_some() => false,
            Some(caller) => caller.engine.policy().decides_request(method_of_server(request)),
            None => true,
        };
        let (now, later) = match item {
            JsonRpcMessage::Request(asked) if decides(&asked.request) => {
                let (sent, later) = oneshot::channel();
                self.decide(asked.request, asked.id, sent);
                (None, Some(later))
            }
            item => (Some(self.transport.send(item)), None),
        };
        async move {
            if let Some(now) = now {
                return now.await;
            }
            match later {
                // Dropped where the connection has ended: nobody waits for it.
                Some(later) => later.await.unwrap_or(Ok(())),
                None => Ok(()),
            }
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            // Both may be asked again after they were dropped: nothing is lost.
            let ready = tokio::select! {
                Some(ready) = self.ready.1.recv() => ready,
                received = self.transport.receive() => {
                    match &received {
                        Some(received) => self.answered(received),
                        None => self.end(),
                    }
                    return received;
                }
            };
            match ready {
                Ready::In(message) => return Some(*message),
                Ready::Out(message, sent) => {
                    let sending = self.transport.send(*message);
                    tokio::spawn(async move {
                        let _ = sent.send(sending.await);
                    });
                }
            }
        }
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.end();
        self.transport.close().await
    }
}

impl<T: Transport<RoleServer>> Drop for Watched<T> {
    fn drop(&mut self) {
        self.end();
    }
}

/// An error that nobody at the client caused.
pub(crate) fn over() -> ErrorData {
    ErrorData::internal_error("the call ended before it was let through", None)
}
