//! One connection to a server, for one thread at a time.
//!
//! In: an address, commands, a deadline for all that has to be done. Out: replies. Must not wait longer than the deadline,
//! connecting and every check included.

use std::io::Write as _;
use std::time::Instant;

use redis::{Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, Parser, RedisError, RedisResult, Value};

use crate::failure::{self, Failure};
use crate::key::Keys;
use crate::options::Access;
use crate::request::Request;
use crate::stream::{Deadline, Stream, Timed};
use crate::trust::{Trial, Trust};

/// A connection, and where it leads.
pub(crate) struct Link {
    stream: Stream,
    parser: Parser,
    pub(crate) server: ConnectionInfo,
    /// Made for one call only, whose keys are on their way to that node.
    pub(crate) is_guest: bool,
    /// When it was used last.
    pub(crate) used: Instant,
    trust: Trust,
}

impl Link {
    /// Connects, and examines the server for a namespace.
    pub(crate) fn open(
        server: &ConnectionInfo,
        access: &Access,
        keys: &Keys,
        deadline: Deadline,
    ) -> Result<Box<Self>, Failure> {
        let stream = connect(server.addr(), access, deadline).map_err(|error| failure::of(&error))?;
        let (server, parser, now) = (server.clone(), Parser::new(), deadline.begun);
        let mut link = Self { stream, parser, server, is_guest: false, used: now, trust: Trust::default() };
        link.introduce()?;
        link.examine(keys, now)?;
        Ok(Box::new(link))
    }

    /// Authenticates, and selects the database.
    fn introduce(&mut self) -> Result<(), Failure> {
        let settings = self.server.redis_settings().clone();
        if let Some(password) = settings.password() {
            let mut auth = redis::cmd("AUTH");
            auth.arg(settings.username()).arg(password);
            self.query(&auth).map_err(|error| failure::of_auth(&error))?;
        }
        if settings.db() != 0 {
            let mut select = redis::cmd("SELECT");
            self.query(select.arg(settings.db())).map_err(|error| failure::of(&error))?;
        }
        Ok(())
    }

    /// Examines the server for a namespace.
    fn examine(&mut self, keys: &Keys, now: Instant) -> Result<(), Failure> {
        let mut trial = Trial::new();
        while let Some(command) = trial.next(keys) {
            let reply = self.query(&command);
            trial.learn(reply)?;
        }
        self.trust.note(keys, now);
        Ok(())
    }

    /// Takes the connection for a call of a namespace. Examines the server if it was not, or if the last time is too long ago.
    pub(crate) fn begin(&mut self, keys: &Keys, deadline: Deadline) -> Result<(), Failure> {
        self.used = deadline.begun;
        self.stream.set_deadline(deadline);
        if self.trust.holds(keys, deadline.begun) {
            return Ok(());
        }
        self.examine(keys, deadline.begun)
    }

    /// Asks one question.
    pub(crate) fn send(&mut self, request: &Request) -> RedisResult<Value> {
        if self.is_guest {
            self.query(&redis::cmd("ASKING"))?;
        }
        self.ask(request.as_bytes())
    }

    /// Runs a command of the client library's.
    pub(crate) fn query(&mut self, command: &Cmd) -> RedisResult<Value> {
        self.ask(&command.get_packed_command())
    }

    fn ask(&mut self, command: &[u8]) -> RedisResult<Value> {
        self.stream.write_all(command)?;
        self.stream.flush()?;
        self.parser.parse_value(&mut self.stream).and_then(Value::extract_error)
    }
}

fn connect(address: &ConnectionAddr, access: &Access, deadline: Deadline) -> RedisResult<Stream> {
    #[cfg(not(feature = "tls"))]
    let _ = access;
    Ok(match address {
        ConnectionAddr::Tcp(host, port) => Stream::Plain(Timed::tcp(host, *port, deadline)?),
        ConnectionAddr::Unix(path) => Stream::Plain(Timed::unix(path, deadline)?),
        #[cfg(feature = "tls")]
        ConnectionAddr::TcpTls { host, port, insecure: false, .. } => {
            let name =
                rustls::pki_types::ServerName::try_from(host.as_str()).map_err(std::io::Error::other)?;
            let session = rustls::ClientConnection::new(access.tls()?, name.to_owned());
            let session =
                session.map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error))?;
            let socket = Timed::tcp(host, *port, deadline)?;
            Stream::Tls(Box::new(rustls::StreamOwned::new(session, socket)))
        }
        _ => {
            let error = (ErrorKind::InvalidClientConfig, "an address of a kind that is not supported");
            return Err(RedisError::from(error));
        }
    })
}
