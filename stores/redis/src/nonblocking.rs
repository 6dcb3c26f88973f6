//! Carries commands without blocking, over one connection that all calls share (pipelining).
//!
//! In: a command. Out: its reply. Needs a tokio runtime with time and I/O. Must not send a command again that may have been
//! acted upon.

use std::time::{Duration, Instant};

use callgate::StoreError;
use callgate::store::{AsyncTransport, StoreFuture};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, ConnectionInfo, Value};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::failure::{self, After, Failure, Next, SENDS};
use crate::key::Keys;
use crate::options::{RedisOptions, Servers, at_node};
use crate::protocol::Scripts;
use crate::request::Request;
use crate::trust::{self, Trial};

/// The connection to the server that has the counters.
pub(crate) struct SharedConnection {
    servers: Servers,
    keys: Keys,
    timeout: Duration,
    current: Mutex<Current>,
}

#[derive(Default)]
struct Current {
    line: Option<Line>,
    /// When its server last passed the examination.
    trusted: Option<Instant>,
    /// The generation of the connection: tells a new one from the one that broke.
    count: u64,
}

/// A connection, and where it leads.
#[derive(Clone)]
struct Line {
    connection: MultiplexedConnection,
    server: ConnectionInfo,
    number: u64,
    /// Made for one call only, whose keys are on their way to that node.
    is_guest: bool,
}

impl Line {
    async fn open(server: &ConnectionInfo, keys: &Keys, within: Duration) -> Result<Self, Failure> {
        let opened = timeout(within, async {
            let connection = Self::connect(server).await.map_err(|error| failure::of(&error))?;
            let mut line = Self { connection, server: server.clone(), number: 0, is_guest: false };
            line.examine(keys).await?;
            Ok(line)
        });
        opened.await.unwrap_or_else(|_| Err(failure::timed_out()))
    }

    async fn connect(server: &ConnectionInfo) -> redis::RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        Client::open(server.clone())?.get_multiplexed_async_connection_with_config(&config).await
    }

    /// Examines the server.
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

impl Current {
    fn set(&mut self, line: Line) -> Line {
        self.count = self.count.wrapping_add(1);
        self.trusted = Some(Instant::now());
        let line = Line { number: self.count, ..line };
        self.line = Some(line.clone());
        line
    }

    fn is_trusted(&self) -> bool {
        self.trusted.is_some_and(|since| since.elapsed() <= trust::TRUSTED)
    }
}

impl SharedConnection {
    /// Without a connection.
    pub(crate) fn new(options: &RedisOptions) -> Result<Self, StoreError> {
        let (servers, keys) = (options.servers()?, options.keys()?);
        Ok(Self { servers, keys, timeout: options.timeout(), current: Mutex::default() })
    }

    /// Connects now, so that a failure shows at the start.
    pub(crate) async fn check(&self) -> Result<(), StoreError> {
        self.line().await.map(drop).map_err(|failure| failure.error)
    }

    /// The connection. The first call that finds none connects, and the others wait for it.
    async fn line(&self) -> Result<Line, Failure> {
        let mut current = self.current.lock().await;
        // The server may have changed since it was examined. A connection whose server does not pass is not kept.
        if !current.is_trusted()
            && let Some(mut line) = current.line.take()
        {
            line.examine(&self.keys).await?;
            current.trusted = Some(Instant::now());
            current.line = Some(line);
        }
        if let Some(line) = &current.line {
            return Ok(line.clone());
        }
        let candidates = self.servers.candidates(None);
        // One that is silent must leave time for those behind it.
        let share = self.timeout.checked_div(u32::try_from(candidates.len()).unwrap_or(u32::MAX));
        let mut failure = failure::timed_out();
        for server in candidates {
            match Line::open(server, &self.keys, share.unwrap_or_default()).await {
                Ok(line) => return Ok(current.set(line)),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    async fn try_carry(&self, request: &Request, used: &mut Option<u64>) -> Result<Value, Failure> {
        let mut line = self.line().await.map_err(Failure::undone)?;
        let command = request.command();
        for _ in 0..SENDS {
            *used = Some(line.number);
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
                    let opened = Line::open(&at_node(&line.server, &node), &self.keys, self.timeout).await;
                    let opened = opened.map_err(Failure::undone)?;
                    line = if node.asking {
                        Line { is_guest: true, ..opened }
                    } else {
                        self.current.lock().await.set(opened)
                    };
                }
                Next::Fail(failure) => return Err(failure),
            }
        }
        Err(failure::astray().undone())
    }

    /// Closes a broken connection, unless it was replaced already.
    fn forget(&self, number: u64) {
        // The call that holds the lock is connecting again.
        if let Ok(mut current) = self.current.try_lock()
            && current.line.as_ref().is_some_and(|line| line.number == number)
        {
            current.line = None;
        }
    }
}

impl AsyncTransport<Scripts> for SharedConnection {
    fn carry(&self, request: Request) -> StoreFuture<'_, Value> {
        Box::pin(async move {
            let mut used = None;
            let carried = timeout(self.timeout, self.try_carry(&request, &mut used)).await;
            let too_late = |_| match used {
                // It was not asked yet.
                None => Err(failure::timed_out().undone()),
                Some(_) => Err(failure::timed_out()),
            };
            carried.unwrap_or_else(too_late).map_err(|failure| {
                if let Some(number) = used.filter(|_| failure.after != After::Keep) {
                    self.forget(number);
                }
                failure.error
            })
        })
    }
}
