//! Carries commands and waits for the replies, on a connection for each thread that waits.
//!
//! In: a command. Out: its reply. Connections are made when they are needed and kept for the next call. Must not send a
//! command again that may have been acted upon.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use callgate::{StoreError, Transport};
use redis::{Connection, ConnectionInfo, ConnectionLike as _, Value};

use crate::failure::{self, Failure, Next, SENDS};
use crate::memory;
use crate::options::{RedisOptions, Servers, at_node};
use crate::protocol::Scripts;
use crate::request::Request;

/// Connections that wait for the next call. More are made where more threads call at once, and closed after it.
const IDLE: usize = 64;
/// For how long a connection waits for the next call: less than firewalls and servers let it wait.
const IDLE_TIME: Duration = Duration::from_secs(60);

/// Connections to the server that has the counters.
pub(crate) struct Connections {
    servers: Servers,
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

/// A connection, and where it leads.
struct Link {
    connection: Connection,
    server: ConnectionInfo,
    /// Made for one call only, whose keys are on their way to that node.
    is_guest: bool,
    /// Whether its time-outs are what was left of a call.
    is_hurried: bool,
    used: Instant,
}

/// When a call has to have its answer.
#[derive(Clone, Copy)]
struct Deadline {
    begun: Instant,
    timeout: Duration,
}

impl Deadline {
    fn new(timeout: Duration) -> Self {
        Self { begun: Instant::now(), timeout }
    }

    fn left(&self) -> Result<Duration, Failure> {
        let left = self.timeout.saturating_sub(self.begun.elapsed());
        if left.is_zero() { Err(failure::timed_out()) } else { Ok(left) }
    }
}

impl Link {
    fn open(server: &ConnectionInfo, deadline: Deadline) -> Result<Box<Self>, Failure> {
        let client = redis::Client::open(server.clone()).map_err(|error| failure::of(&error))?;
        let connected = client.get_connection_with_timeout(deadline.left()?);
        let connection = connected.map_err(|error| failure::of(&error))?;
        let server = server.clone();
        let mut link = Self { connection, server, is_guest: false, is_hurried: true, used: deadline.begun };
        link.hurry(deadline)?;
        let info: String =
            memory::command().query(&mut link.connection).map_err(|error| failure::of(&error))?;
        memory::check(&info).map_err(|error| Failure { error, is_broken: true })?;
        Ok(Box::new(link))
    }

    fn set_timeout(&self, timeout: Duration) -> redis::RedisResult<()> {
        self.connection.set_read_timeout(Some(timeout))?;
        self.connection.set_write_timeout(Some(timeout))
    }

    /// What comes next has to be done in what is left of the call.
    fn hurry(&mut self, deadline: Deadline) -> Result<(), Failure> {
        self.is_hurried = true;
        self.set_timeout(deadline.left()?).map_err(|error| failure::of(&error))
    }

    fn send(&mut self, request: &Request) -> redis::RedisResult<Value> {
        if self.is_guest {
            redis::cmd("ASKING").exec(&mut self.connection)?;
        }
        self.connection.req_packed_command(request.as_bytes()).and_then(Value::extract_error)
    }
}

impl Connections {
    /// None yet.
    pub(crate) fn new(options: &RedisOptions) -> Result<Self, StoreError> {
        Ok(Self { servers: options.servers()?, timeout: options.timeout(), pool: Mutex::default() })
    }

    /// Makes a connection, to see whether that can be done.
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
            // One that is silent must leave time for those behind it.
            let waiting = u32::try_from(candidates.len().saturating_sub(index)).unwrap_or(u32::MAX);
            let timeout = deadline.left()?.checked_div(waiting).unwrap_or_default();
            match Link::open(server, Deadline::new(timeout)) {
                Ok(link) => return Ok(link),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// A connection that waits for a call.
    fn idle(&self, deadline: Deadline) -> Option<Box<Link>> {
        let mut pool = self.pool();
        let link = pool.idle.pop()?;
        if deadline.begun.saturating_duration_since(link.used) > IDLE_TIME {
            // The others have waited longer.
            pool.idle.clear();
            return None;
        }
        Some(link)
    }

    fn keep(&self, mut link: Box<Link>) {
        if link.is_guest || (link.is_hurried && link.set_timeout(self.timeout).is_err()) {
            return;
        }
        link.is_hurried = false;
        let mut pool = self.pool();
        if pool.idle.len() < IDLE {
            pool.idle.push(link);
        }
    }

    /// Gives every connection up: what broke one has likely broken all. `last` is where to connect first from here on.
    fn forget(&self, last: Option<ConnectionInfo>) {
        *self.pool() = Pool { idle: Vec::new(), last };
    }

    fn try_carry(&self, request: &Request) -> Result<Value, Failure> {
        let deadline = Deadline::new(self.timeout);
        let mut link = match self.idle(deadline) {
            Some(link) => link,
            None => self.connect(deadline)?,
        };
        link.used = deadline.begun;
        for _ in 0..SENDS {
            if link.is_hurried {
                link.hurry(deadline)?;
            }
            let error = match link.send(request) {
                Ok(reply) => {
                    self.keep(link);
                    return Ok(reply);
                }
                Err(error) => error,
            };
            match failure::next(&error) {
                Next::Load => {
                    link.hurry(deadline)?;
                    request.script.load().exec(&mut link.connection).map_err(|error| failure::of(&error))?;
                }
                Next::Follow(node) => {
                    let server = at_node(&link.server, &node);
                    if !node.asking {
                        self.forget(Some(server.clone()));
                    } else {
                        self.keep(link);
                    }
                    link = Link::open(&server, deadline)?;
                    link.is_guest = node.asking;
                }
                Next::Fail(failure) => {
                    if failure.is_broken {
                        self.forget(None);
                    } else {
                        self.keep(link);
                    }
                    return Err(failure);
                }
            }
        }
        Err(failure::astray())
    }
}

impl Transport<Scripts> for Connections {
    fn carry(&self, request: Request) -> Result<Value, StoreError> {
        self.try_carry(&request).map_err(|failure| failure.error)
    }
}
