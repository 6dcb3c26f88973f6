//! A byte stream with one deadline for a whole call.
//!
//! In: an address, a deadline. Out: bytes, or an error of kind `TimedOut` once the deadline has passed, however slowly bytes
//! come. Must not know what they mean.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

#[cfg(feature = "tls")]
use rustls::{ClientConnection, StreamOwned};

/// How far a step may outlast the deadline. A socket's time-out that is this close is not set again, so the usual call makes
/// no system call for it.
const SLACK: Duration = Duration::from_millis(1);

/// When a call has to have its answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    pub(crate) begun: Instant,
    timeout: Duration,
}

impl Deadline {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { begun: Instant::now(), timeout }
    }

    /// What is left.
    pub(crate) fn left(&self) -> io::Result<Duration> {
        let left = self.timeout.saturating_sub(self.begun.elapsed());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }

    /// One of `waiting` equal parts of what is left: a silent address leaves time for those behind it.
    pub(crate) fn share(&self, waiting: usize) -> io::Result<Self> {
        let parts = u32::try_from(waiting.max(1)).unwrap_or(u32::MAX);
        Ok(Self::new(self.left()?.checked_div(parts).unwrap_or_default()))
    }
}

enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// Which of a socket's two time-outs.
#[derive(Clone, Copy)]
enum Way {
    Read,
    Write,
}

/// A socket whose reads and writes all end with one deadline.
///
/// A socket's own time-out begins anew with each read, so a peer that sends a byte at a time would never meet it.
pub(crate) struct Timed {
    socket: Socket,
    deadline: Deadline,
    /// Whether nothing was done for this call yet.
    is_first: bool,
    /// The socket's own time-outs.
    read_timeout: Duration,
    write_timeout: Duration,
}

impl Timed {
    pub(crate) fn tcp(host: &str, port: u16, deadline: Deadline) -> io::Result<Self> {
        let addresses: Vec<_> = (host, port).to_socket_addrs()?.collect();
        let mut failure = io::ErrorKind::NotFound.into();
        for (index, address) in addresses.iter().enumerate() {
            let within = deadline.share(addresses.len().saturating_sub(index))?.left()?;
            match TcpStream::connect_timeout(address, within) {
                Ok(socket) => return Ok(Self::new(Socket::Tcp(socket), deadline)),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// The standard library connects to a socket's path without a time-out, and waits where the server takes no connections.
    #[cfg(unix)]
    pub(crate) fn unix(path: &Path, deadline: Deadline) -> io::Result<Self> {
        let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
        socket.connect_timeout(&socket2::SockAddr::unix(path)?, deadline.left()?)?;
        Ok(Self::new(Socket::Unix(socket.into()), deadline))
    }

    #[cfg(not(unix))]
    pub(crate) fn unix(_path: &Path, _deadline: Deadline) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn new(socket: Socket, deadline: Deadline) -> Self {
        let never = Duration::MAX;
        Self { socket, deadline, is_first: false, read_timeout: never, write_timeout: never }
    }

    /// Every step from here on has to be done by this deadline.
    fn begin(&mut self, deadline: Deadline) {
        self.deadline = deadline;
        self.is_first = true;
    }

    /// Does one step, and again where the socket's own time-out ended it too early.
    fn in_time(
        &mut self,
        way: Way,
        mut step: impl FnMut(&mut Socket) -> io::Result<usize>,
    ) -> io::Result<usize> {
        // A call begins with its first step, for which the time-out of the calls before will do.
        let timeout = self.deadline.timeout;
        let will_do = std::mem::take(&mut self.is_first) && *self.own_timeout(way) <= timeout;
        if !will_do {
            let left = self.deadline.left()?;
            if *self.own_timeout(way) > left.saturating_add(SLACK) {
                self.set_timeout(way, left)?;
            }
        }
        loop {
            match step(&mut self.socket) {
                Err(error) if is_timeout(&error) => self.set_timeout(way, self.deadline.left()?)?,
                // A process that was stopped and goes on finds what it waited for interrupted. It is not lost.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    self.set_timeout(way, self.deadline.left()?)?;
                }
                done => return done,
            }
        }
    }

    fn own_timeout(&mut self, way: Way) -> &mut Duration {
        match way {
            Way::Read => &mut self.read_timeout,
            Way::Write => &mut self.write_timeout,
        }
    }

    fn set_timeout(&mut self, way: Way, timeout: Duration) -> io::Result<()> {
        *self.own_timeout(way) = timeout;
        match (&self.socket, way) {
            (Socket::Tcp(socket), Way::Read) => socket.set_read_timeout(Some(timeout)),
            (Socket::Tcp(socket), Way::Write) => socket.set_write_timeout(Some(timeout)),
            #[cfg(unix)]
            (Socket::Unix(socket), Way::Read) => socket.set_read_timeout(Some(timeout)),
            #[cfg(unix)]
            (Socket::Unix(socket), Way::Write) => socket.set_write_timeout(Some(timeout)),
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.in_time(Way::Read, |socket| match socket {
            Socket::Tcp(socket) => socket.read(buffer),
            #[cfg(unix)]
            Socket::Unix(socket) => socket.read(buffer),
        })
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.in_time(Way::Write, |socket| match socket {
            Socket::Tcp(socket) => socket.write(bytes),
            #[cfg(unix)]
            Socket::Unix(socket) => socket.write(bytes),
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A connection, in clear or not.
pub(crate) enum Stream {
    Plain(Timed),
    #[cfg(feature = "tls")]
    Tls(Box<StreamOwned<ClientConnection, Timed>>),
}

impl Stream {
    /// Sets the deadline for every step from here on.
    pub(crate) fn set_deadline(&mut self, deadline: Deadline) {
        match self {
            Self::Plain(timed) => timed.begin(deadline),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.sock.begin(deadline),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(timed) => timed.read(buffer),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(timed) => timed.write(bytes),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(timed) => timed.flush(),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.flush(),
        }
    }
}
