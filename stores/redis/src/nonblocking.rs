//! Carries commands without blocking, over one connection to each server, which all calls share (pipelining).
//!
//! In: a command. Out: its reply. Needs a tokio runtime with time and I/O. Must not send a command again that may have been
//! acted upon.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use callgate::StoreError;
use callgate::store::{AsyncTransport, StoreFuture};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, ConnectionInfo, Value};
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::timeout;

use crate::failure::{self, After, Failure, Next, SENDS};
use crate::key::Keys;
use crate::options::{RedisOptions, Servers, at_node};
use crate::protocol::Scripts;
use crate::request::Request;
use crate::route::Route;
use crate::trust::{Trial, Trust};

/// One connection to each server that has counters, for any number of namespaces.
pub(crate) struct SharedConnections {
    servers: Servers,
    timeout: Duration,
    /// How many connections there ever were: tells a new one from the one that broke.
    count: AtomicU64,
    /// None once the host closed the store.
    nodes: Mutex<Option<Vec<Arc<Node>>>>,
}

/// A server, and the connection to it.
struct Node {
    server: Arc<ConnectionInfo>,
    /// Locked while a call connects or examines; the others wait for it.
    current: AsyncMutex<Current>,
}

#[derive(Default)]
struct Current {
    line: Option<Line>,
    trust: Trust,
}

/// A connection, and where it leads.
#[derive(Clone)]
struct Line {
    connection: MultiplexedConnection,
    server: Arc<ConnectionInfo>,
    number: u64,
    /// Made for one call only, whose keys are on their way to that node.
    is_guest: bool,
}

/// The connections as one namespace uses them.
pub(crate) struct AsyncChannel {
    connections: Arc<SharedConnections>,
    route: Route,
}

impl Line {
    /// Connects, and examines the server for a namespace.
    async fn open(
        server: &Arc<ConnectionInfo>,
        number: u64,
        keys: &Keys,
        within: Duration,
    ) -> Result<Self, Failure> {
        let opened = timeout(within, async {
            let connection = Self::connect(server).await.map_err(|error| failure::of(&error))?;
            let mut line = Self { connection, server: server.clone(), number, is_guest: false };
            line.examine(keys).await?;
            Ok(line)
        });
        opened.await.unwrap_or_else(|_| Err(failure::timed_out()))
    }

    async fn connect(server: &ConnectionInfo) -> redis::RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        Client::open(server.clone())?.get_multiplexed_async_connection_with_config(&config).await
    }

    /// Examines the server for a namespace.
    async fn examine(&mut self, keys: &Keys) -> Result<(), Failure> {
        let mut trial = Trial::new();
        while let Some(command) = trial.next(keys) {
            let reply = command.query_async(&mut self.connection).await;
            trial.learn(reply)?;
        }
        Ok(())
    }

    async fn send(&mut self, command: &Cmd) -> redis::RedisResult<Value> {
        if self.is_guest {
            redis::cmd("ASKING").exec_async(&mut self.connection).await?;
        }
        command.query_async(&mut self.connection).await
    }
}

impl Node {
    /// The connection. The first call that finds none connects, and the others wait for it.
    async fn line(&self, number: &AtomicU64, keys: &Keys, within: Duration) -> Result<Line, Failure> {
        let mut current = self.current.lock().await;
        let now = Instant::now();
        // The server may have changed since it was examined, or was not for this namespace.
        if let Some(mut line) = current.line.take() {
            if !current.trust.holds(keys, now) {
                match line.examine(keys).await {
                    Ok(()) => current.trust.note(keys, now),
                    // What is wrong with one namespace need not be with the others.
                    Err(failure) if failure.after == After::Keep => {
                        current.line = Some(line);
                        return Err(failure);
                    }
                    Err(failure) => return Err(failure),
                }
            }
            current.line = Some(line.clone());
            return Ok(line);
        }
        let number = number.fetch_add(1, Ordering::Relaxed);
        let line = Line::open(&self.server, number, keys, within).await?;
        current.trust = Trust::default();
        current.trust.note(keys, now);
        current.line = Some(line.clone());
        Ok(line)
    }
}

impl SharedConnections {
    /// Without a connection.
    pub(crate) fn new(options: &RedisOptions) -> Result<Self, StoreError> {
        let (servers, timeout) = (options.servers()?, options.timeout());
        Ok(Self { servers, timeout, count: AtomicU64::new(0), nodes: Mutex::new(Some(Vec::new())) })
    }

    /// The node of an address.
    fn node(&self, server: &ConnectionInfo) -> Result<Arc<Node>, Failure> {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let nodes = nodes.as_mut().ok_or_else(failure::closed)?;
        if let Some(node) = nodes.iter().find(|node| node.server.addr() == server.addr()) {
            return Ok(node.clone());
        }
        let node = Arc::new(Node { server: Arc::new(server.clone()), current: AsyncMutex::default() });
        nodes.push(node.clone());
        Ok(node)
    }

    /// The connection to a server.
    async fn line(&self, server: &ConnectionInfo, keys: &Keys, within: Duration) -> Result<Line, Failure> {
        self.node(server)?.line(&self.count, keys, within).await
    }

    /// Closes a broken connection, unless it was replaced already.
    fn forget(&self, line: &Line) {
        let Ok(node) = self.node(&line.server) else { return };
        // The call that holds the lock is connecting again.
        if let Ok(mut current) = node.current.try_lock()
            && current.line.as_ref().is_some_and(|current| current.number == line.number)
        {
            current.line = None;
        }
    }
}

impl AsyncChannel {
    pub(crate) fn new(connections: Arc<SharedConnections>, keys: Keys) -> Self {
        Self { connections, route: Route::new(keys) }
    }

    /// The same connections for another namespace.
    pub(crate) fn for_keys(&self, keys: Keys) -> Self {
        Self::new(self.connections.clone(), keys)
    }

    /// Connects now, so that a failure shows at the start.
    pub(crate) async fn check(&self) -> Result<(), StoreError> {
        self.line().await.map(drop).map_err(|failure| failure.error)
    }

    /// Closes the connections, each once its last call has its answer. No other call begins.
    pub(crate) fn close(&self) {
        let nodes = self.connections.nodes.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(nodes);
    }

    /// A connection that may lead to the counters.
    async fn line(&self) -> Result<Line, Failure> {
        let SharedConnections { servers, timeout, .. } = &*self.connections;
        let candidates = self.route.candidates(servers);
        // One that is silent must leave time for those behind it.
        let share = timeout.checked_div(u32::try_from(candidates.len()).unwrap_or(u32::MAX));
        let mut failure = failure::timed_out();
        for server in candidates {
            match self.connections.line(&server, &self.route.keys, share.unwrap_or_default()).await {
                Ok(line) => {
                    self.route.settled(&server, servers);
                    return Ok(line);
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    async fn try_carry(&self, request: &Request, used: &mut Option<Line>) -> Result<Value, Failure> {
        let mut line = self.line().await.map_err(Failure::undone)?;
        let command = request.command();
        for _ in 0..SENDS {
            *used = Some(line.clone());
            let error = match line.send(&command).await {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            match failure::next(&error) {
                Next::Load => {
                    let loaded = line.send(&request.script.load()).await;
                    loaded.map_err(|error| failure::of(&error).undone())?;
                }
                Next::Follow(node) => {
                    let server = at_node(&line.server, &node);
                    line = self.follow(&server, node.asking).await.map_err(Failure::undone)?;
                }
                Next::Fail(failure) => return Err(failure),
            }
        }
        Err(failure::astray().undone())
    }

    /// A connection to the server that another one named, for this call only if the keys are on their way there.
    async fn follow(&self, server: &ConnectionInfo, is_guest: bool) -> Result<Line, Failure> {
        let (keys, within) = (&self.route.keys, self.connections.timeout);
        if !is_guest {
            self.route.moved(server);
            return self.connections.line(server, keys, within).await;
        }
        let number = self.connections.count.fetch_add(1, Ordering::Relaxed);
        Ok(Line { is_guest, ..Line::open(&Arc::new(server.clone()), number, keys, within).await? })
    }
}

impl AsyncTransport<Scripts> for AsyncChannel {
    fn carry(&self, request: Request) -> StoreFuture<'_, Value> {
        Box::pin(async move {
            let mut used = None;
            let carried = timeout(self.connections.timeout, self.try_carry(&request, &mut used)).await;
            let too_late = |_| match used {
                // It was not asked yet.
                None => Err(failure::timed_out().undone()),
                Some(_) => Err(failure::timed_out()),
            };
            carried.unwrap_or_else(too_late).map_err(|failure| {
                if let Some(line) = used.filter(|_| failure.after != After::Keep) {
                    self.route.lost();
                    self.connections.forget(&line);
                }
                failure.error
            })
        })
    }
}
