//! Carries commands and waits for the replies, on one connection a thread (a pool).
//!
//! In: a command. Out: its reply. Connections are made when needed and kept for the next call. Must not repeat a command that
//! the server may have acted upon.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use callgate::StoreError;
use callgate::store::Transport;
use redis::{ConnectionInfo, Value};

use crate::failure::{self, After, Failure, Next, SENDS};
use crate::key::Keys;
use crate::link::Link;
use crate::options::{Access, RedisOptions, Servers, at_node};
use crate::protocol::Scripts;
use crate::request::Request;
use crate::route::Route;
use crate::stream::Deadline;

/// The most idle connections. More are made where more threads call at once, and closed after the call.
const IDLE: usize = 64;
/// How long a connection stays idle: less than firewalls and servers allow.
const IDLE_TIME: Duration = Duration::from_secs(60);

/// Connections to the servers that have the counters, for any number of namespaces.
pub(crate) struct Connections {
    servers: Servers,
    access: Access,
    timeout: Duration,
    pool: Mutex<Pool>,
}

#[derive(Default)]
struct Pool {
    /// The one that was used last is used next.
    #[expect(clippy::vec_box, reason = "a connection is large, and moved several times for each call")]
    idle: Vec<Box<Link>>,
    is_closed: bool,
}

/// The connections as one namespace uses them.
pub(crate) struct Channel {
    connections: Arc<Connections>,
    route: Route,
}

impl Connections {
    /// An empty pool.
    pub(crate) fn new(options: &RedisOptions) -> Result<Self, StoreError> {
        let (servers, access) = (options.servers()?, options.access()?);
        Ok(Self { servers, access, timeout: options.timeout(), pool: Mutex::default() })
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An idle connection that may lead to the counters.
    fn idle(&self, route: &Route, deadline: Deadline) -> Option<Box<Link>> {
        let mut pool = self.pool();
        let index = pool.idle.iter().rposition(|link| route.admits(&link.server))?;
        let is_old = |link: &Link| deadline.begun.saturating_duration_since(link.used) > IDLE_TIME;
        if pool.idle.get(index).is_some_and(|link| is_old(link)) {
            // Those before it have been idle for longer.
            pool.idle.drain(..=index);
            return None;
        }
        Some(pool.idle.remove(index))
    }

    fn keep(&self, link: Box<Link>) {
        let mut pool = self.pool();
        if !link.is_guest && !pool.is_closed && pool.idle.len() < IDLE {
            pool.idle.push(link);
        }
    }

    /// Closes every connection to a server: what broke one has likely broken all.
    fn forget(&self, server: &ConnectionInfo) {
        self.pool().idle.retain(|link| link.server.addr() != server.addr());
    }
}

impl Channel {
    pub(crate) fn new(connections: Arc<Connections>, keys: Keys) -> Self {
        Self { connections, route: Route::new(keys) }
    }

    /// The same connections for another namespace.
    pub(crate) fn for_keys(&self, keys: Keys) -> Self {
        Self::new(self.connections.clone(), keys)
    }

    /// Connects now, so that a failure shows at the start.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let link = self.connect(Deadline::new(self.connections.timeout)).map_err(|failure| failure.error)?;
        self.connections.keep(link);
        Ok(())
    }

    /// Closes the connections, those in use after their calls. No other call begins.
    pub(crate) fn close(&self) {
        *self.connections.pool() = Pool { idle: Vec::new(), is_closed: true };
    }

    fn connect(&self, deadline: Deadline) -> Result<Box<Link>, Failure> {
        let Connections { servers, access, .. } = &*self.connections;
        let candidates = self.route.candidates(servers);
        let mut failure = failure::timed_out();
        for (index, server) in candidates.iter().enumerate() {
            let waiting = candidates.len().saturating_sub(index);
            let within = deadline.share(waiting).map_err(|_| failure::timed_out())?;
            match Link::open(server, access, &self.route.keys, within) {
                Ok(link) => {
                    self.route.settled(server, servers);
                    return Ok(link);
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    fn try_carry(&self, request: &Request) -> Result<Value, Failure> {
        if self.connections.pool().is_closed {
            return Err(failure::closed().undone());
        }
        let deadline = Deadline::new(self.connections.timeout);
        let mut link = match self.connections.idle(&self.route, deadline) {
            Some(link) => link,
            None => self.connect(deadline).map_err(Failure::undone)?,
        };
        match self.exchange(&mut link, request, deadline) {
            Ok(reply) => {
                self.connections.keep(link);
                Ok(reply)
            }
            Err(failure) => {
                match failure.after {
                    After::Keep => self.connections.keep(link),
                    After::Reopen => {}
                    After::ReopenAll => {
                        self.route.lost();
                        self.connections.forget(&link.server);
                    }
                }
                Err(failure)
            }
        }
    }

    /// Asks over a connection, and follows redirections to other servers: `link` is the last one then.
    ///
    /// A failure of anything but the question itself has changed nothing: it was not sent, or the server did not run it.
    fn exchange(
        &self,
        link: &mut Box<Link>,
        request: &Request,
        deadline: Deadline,
    ) -> Result<Value, Failure> {
        for _ in 0..SENDS {
            link.begin(&self.route.keys, deadline).map_err(Failure::undone)?;
            let error = match link.send(request) {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            match failure::next(&error) {
                Next::Load => {
                    link.query(&request.script.load()).map_err(|error| failure::of(&error).undone())?;
                }
                Next::Follow(node) => {
                    let server = at_node(&link.server, &node);
                    let next = self.follow(&server, node.asking, deadline).map_err(Failure::undone)?;
                    self.connections.keep(std::mem::replace(link, next));
                }
                Next::Fail(failure) => return Err(failure),
            }
        }
        Err(failure::astray().undone())
    }

    /// A connection to the server that another one named, for this call only if the keys are on their way there.
    fn follow(
        &self,
        server: &ConnectionInfo,
        is_guest: bool,
        deadline: Deadline,
    ) -> Result<Box<Link>, Failure> {
        let Connections { access, .. } = &*self.connections;
        if !is_guest {
            self.route.moved(server);
            if let Some(link) = self.connections.idle(&self.route, deadline) {
                return Ok(link);
            }
        }
        let mut link = Link::open(server, access, &self.route.keys, deadline)?;
        link.is_guest = is_guest;
        Ok(link)
    }
}

impl Transport<Scripts> for Channel {
    fn carry(&self, request: Request) -> Result<Value, StoreError> {
        self.try_carry(&request).map_err(|failure| failure.error)
    }
}
