//! What a server offers: the definitions of its tools.
//!
//! In: how a server is reached, and how long it may take. Out: its tools, and who it says that it is. Must not call a tool, keep more than the
//! ceilings allow, or leave a process of the server behind.
//!
//! Everything that a server says is hostile until shown otherwise: it may never end, never answer, or say too much.

pub mod ceilings;
mod connection;
mod error;
mod events;
mod http;
mod message;
mod process;
mod session;
mod tools;

use std::ffi::OsString;
use std::io;
use std::time::Duration;

use serde_json::Value;

use crate::proxy::signals::Signals;
use connection::Connection;
pub use error::{OfferError, OfferFailure};
pub use tools::{Tools, ToolsError};

/// How a server is reached. It may hold secrets, so nothing prints it.
#[derive(Clone)]
pub enum Source {
    /// A process that speaks over standard input and output.
    Process {
        /// The program, and its arguments.
        command: Vec<OsString>,
        /// All of its environment.
        environment: Vec<(OsString, OsString)>,
    },
    /// Streamable HTTP.
    Url {
        /// The address.
        url: String,
        /// Headers of each request.
        headers: Vec<(String, String)>,
    },
}

/// What a server says that it is, and the tools that it lists. Nothing of it is proven.
#[derive(Debug, Clone, Default)]
pub struct Offer {
    /// The revision of the protocol in which it was asked.
    pub protocol: String,
    /// Its own name.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// The definitions, in its order.
    pub tools: Vec<Value>,
    /// Their texts, if the [`Lister`] keeps them.
    pub texts: Vec<String>,
    /// Whether there are more: of a list that was saved, and names a next page.
    pub has_more: bool,
}

/// Asks servers for their tools, one after another.
#[derive(Debug)]
pub struct Lister {
    runtime: Option<tokio::runtime::Runtime>,
    signals: Signals,
    patience: Duration,
    keeps_texts: bool,
}

impl Lister {
    /// Each server may take so long.
    ///
    /// # Errors
    /// The system gives no thread, or no signals.
    pub fn new(patience: Duration) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let signals = runtime.block_on(async { Signals::listen() })?;
        Ok(Self { runtime: Some(runtime), signals, patience, keeps_texts: false })
    }

    /// Keeps the texts of definitions, too.
    #[must_use]
    pub fn keeps_texts(mut self, keeps: bool) -> Self {
        self.keeps_texts = keeps;
        self
    }

    /// The tools of one server. Its process is ended before this returns, however it returns.
    ///
    /// # Errors
    /// The server cannot be reached, does not answer in time or as the protocol says, or says more than the ceilings allow; or this process was
    /// asked to end ([`OfferError::Signal`]).
    pub fn list(&mut self, source: &Source) -> Result<Offer, OfferFailure> {
        let Self { runtime, signals, patience, keeps_texts } = self;
        let Some(runtime) = runtime else { return Err(OfferError::Closed.into()) };
        runtime.block_on(async {
            let mut connection = Connection::new(source);
            let listed = tokio::select! {
                listed = session::list(&mut connection, *patience, *keeps_texts) => listed,
                () = tokio::time::sleep(*patience) => Err(OfferError::TimeOut(*patience)),
                signal = signals.next() => Err(OfferError::Signal(signal)),
            };
            let said = connection.end(listed.is_ok()).await;
            listed.map_err(|error| OfferFailure::new(error, &said))
        })
    }
}

impl Drop for Lister {
    fn drop(&mut self) {
        // A pipe that somebody else holds open must not hold this up.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
