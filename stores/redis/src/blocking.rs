//! Carries commands and waits for the replies, on one connection a thread (a pool).
//!
//! In: a command. Out: its reply. Connections are made when needed and kept for the next call. Must not repeat a command that
//! the server may have acted upon.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use callgate::StoreError;
use callgate::store::Transport;
use redis::{ConnectionInfo, Value};

use crate::failure::{self, After, Failure, Next, SENDS};
use crate::link::Link;
use crate::options::{Access, RedisOptions, Servers, at_node};
use crate::protocol::Scripts;
use crate::request::Request;
use crate::stream::Deadline;

/// The most idle connections. More are made where more threads call at once, and closed after the call.
const IDLE: usize = 64;
/// How long a connection stays idle: less than firewalls and servers allow.
const IDLE_TIME: Duration = Duration::from_secs(60);

/// Connections to the server that has the counters.
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
    /// The node that had the counters last, where a cluster said so.
    last: Option<ConnectionInfo>,
}

impl Connections {
    /// An empty pool.
    pub(crate) fn new(options: &RedisOptions) -> Result<Self, StoreError> {
        let (servers, access) = (options.servers()?, options.access()?);
        Ok(Self { servers, access, timeout: options.timeout(), pool: Mutex::default() })
    }

    /// Connects now, so that a failure shows at the start.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let link = self.connect(Deadline::new(self.timeout)).map_err(|failure| failure.error)?;
        self.keep(link);
        Ok(())
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connect(&self, deadline: Deadline) -> Result<Box<Link>, Failure> {
        let last = self.pool().last.clone();
        let candidates = self.servers.candidates(last.as_ref());
        let mut failure = failure::timed_out();
        for (index, server) in candidates.iter().enumerate() {
            let waiting = candidates.len().saturating_sub(index);
            let within = deadline.share(waiting).map_err(|_| failure::timed_out())?;
            match Link::open(server, &self.access, within) {
                Ok(link) => return Ok(link),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// An idle connection.
    fn idle(&self, deadline: Deadline) -> Option<Box<Link>> {
        let mut pool = self.pool();
        let link = pool.idle.pop()?;
        if deadline.begun.saturating_duration_since(link.used) > IDLE_TIME {
            // The others have been idle for longer.
            pool.idle.clear();
            return None;
        }
        Some(link)
    }

    fn keep(&self, link: Box<Link>) {
        let mut pool = self.pool();
        if !link.is_guest && pool.idle.len() < IDLE {
            pool.idle.push(link);
        }
    }

    /// Closes every connection: what broke one has likely broken all. `last` is the address to try first from now on.
    fn forget(&self, last: Option<ConnectionInfo>) {
        *self.pool() = Pool { idle: Vec::new(), last };
    }

    fn try_carry(&self, request: &Request) -> Result<Value, Failure> {
        let deadline = Deadline::new(self.timeout);
        let mut link = match self.idle(deadline) {
            Some(link) => link,
            None => self.connect(deadline).map_err(Failure::undone)?,
        };
        match self.exchange(&mut link, request, deadline) {
            Ok(reply) => {
                self.keep(link);
                Ok(reply)
            }
            Err(failure) => {
                match failure.after {
                    After::Keep => self.keep(link),
                    After::Reopen => {}
                    After::ReopenAll => self.forget(None),
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
            link.begin(&self.access, deadline).map_err(Failure::undone)?;
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
                    if !node.asking {
                        self.forget(Some(server.clone()));
                    }
                    let mut next = Link::open(&server, &self.access, deadline).map_err(Failure::undone)?;
                    next.is_guest = node.asking;
                    let left = std::mem::replace(link, next);
                    if node.asking {
                        self.keep(left);
                    }
                }
                Next::Fail(failure) => return Err(failure),
            }
        }
        Err(failure::astray().undone())
    }
}

impl Transport<Scripts> for Connections {
    fn carry(&self, request: Request) -> Result<Value, StoreError> {
        self.try_carry(&request).map_err(|failure| failure.error)
    }
}
