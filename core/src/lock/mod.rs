//! `callgate.lock`: the definitions of tools that somebody has approved (spec L1 to L4).
//!
//! In: the text of a lock, and definitions as `tools/list` gives them. Out: whether a definition is the one that was approved, and the text of a
//! lock. Must not read a file, nor judge a change: only sameness is decided here.
//!
//! A server can change what a tool says and takes after somebody has read it. A lock holds each definition whole, with its digests:
//!
//! ```
//! use callgate::lock::{Definition, Entry, Lock, Origin};
//!
//! let read = |text| Definition::read(text).unwrap();
//! let mut lock = Lock::new();
//! lock.put_server("files", Origin { protocol: "2025-11-25".to_owned(), date: "2026-11-30".to_owned() })?;
//! let approved = read(r#"{"name": "read", "inputSchema": {"type": "object", "maxProperties": 1}}"#);
//! lock.put("files", Entry { class: "Read".to_owned(), severity: "low".to_owned(), definition: approved })?;
//!
//! let pins = Lock::parse(&lock.to_string())?.pins(Some("files"))?;
//! assert!(pins.admits(r#"{"inputSchema": {"maxProperties": 1.0, "type": "object"}, "name": "read"}"#));
//! assert!(!pins.admits(r#"{"name": "read", "inputSchema": {"type": "object"}}"#));
//! assert!(!pins.admits(r#"{"name": "write", "inputSchema": {"type": "object", "maxProperties": 1}}"#));
//! # Ok::<(), callgate::lock::LockError>(())
//! ```

mod definition;
mod error;
mod pins;
mod read;
mod refusal;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeMap;

pub use definition::{Definition, DefinitionError, Digest, Field};
pub use error::LockError;
pub use pins::{OnDrift, Pins};
pub use refusal::{changed_message, changed_meta, changed_result};

/// The code of a refusal because of a lock. No policy decides it, so that it is none of clause 10.2.
pub const CHANGED: &str = "definition_changed";

/// The version of the form that is written, and the only one that is read.
pub const VERSION: &str = "1";

/// Approved definitions, of one server or several (spec L2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    servers: BTreeMap<String, Origin>,
    /// By server and name.
    tools: BTreeMap<(String, String), Entry>,
}

/// Where the definitions of a server come from: always from a list of which every page was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The revision of the protocol in which it was asked; empty for a list from a file.
    pub protocol: String,
    /// The day on which it was approved, in UTC: `2026-11-30`.
    pub date: String,
}

/// An approved tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its class when it was approved (spec R1.1): for readers. Nothing is decided by it.
    pub class: String,
    /// Its severity, likewise (spec R5.1).
    pub severity: String,
    /// What was approved.
    pub definition: Definition,
}

impl Lock {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the text of a lock.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line (spec L2.4).
    pub fn parse(text: &str) -> Result<Self, LockError> {
        read::read(text)
    }

    /// The servers, by name.
    pub fn servers(&self) -> impl Iterator<Item = (&str, &Origin)> {
        self.servers.iter().map(|(name, origin)| (&**name, origin))
    }

    /// Where the definitions of a server come from; `None` for one that is not in the lock.
    pub fn origin(&self, server: &str) -> Option<&Origin> {
        self.servers.get(server)
    }

    /// The tools of a server, by name.
    pub fn tools(&self, server: &str) -> impl Iterator<Item = &Entry> {
        let of = (server.to_owned(), String::new())..;
        let server = server.to_owned();
        self.tools.range(of).take_while(move |((of, _), _)| *of == server).map(|(_, entry)| entry)
    }

    /// A tool of a server.
    pub fn get(&self, server: &str, tool: &str) -> Option<&Entry> {
        self.tools.get(&(server.to_owned(), tool.to_owned()))
    }

    /// Notes where the definitions of a server come from.
    ///
    /// # Errors
    /// The date is none.
    pub fn put_server(&mut self, server: &str, origin: Origin) -> Result<(), LockError> {
        if !read::is_date(&origin.date) {
            return Err(LockError::new(0, "the date is not of the form `2026-11-30`"));
        }
        self.servers.insert(server.to_owned(), origin);
        Ok(())
    }

    /// Approves a definition, instead of the one of that name.
    ///
    /// # Errors
    /// The server is not in the lock.
    pub fn put(&mut self, server: &str, entry: Entry) -> Result<(), LockError> {
        if !self.servers.contains_key(server) {
            return Err(LockError::new(0, format!("the lock has no server `{server}`")));
        }
        self.tools.insert((server.to_owned(), entry.definition.name().to_owned()), entry);
        Ok(())
    }

    /// Takes an approval back.
    pub fn remove(&mut self, server: &str, tool: &str) {
        self.tools.remove(&(server.to_owned(), tool.to_owned()));
    }

    /// What a guard of a server needs: of this one, or of the only one (spec L4.1).
    ///
    /// # Errors
    /// The lock does not hold that server, or holds several and none was named.
    pub fn pins(&self, server: Option<&str>) -> Result<Pins, LockError> {
        let name = match server {
            Some(name) if self.servers.contains_key(name) => name,
            Some(name) => return Err(LockError::new(0, format!("the lock has no server `{name}`"))),
            None => match self.servers.keys().collect::<Vec<_>>()[..] {
                [name] => name,
                [] => return Err(LockError::new(0, "the lock has no server")),
                _ => {
                    let names: Vec<_> = self.servers.keys().map(|name| format!("`{name}`")).collect();
                    let names = names.join(", ");
                    let text = format!("the lock has several servers: name one of {names}");
                    return Err(LockError::new(0, text));
                }
            },
        };
        Ok(self.tools(name).map(|entry| &entry.definition).collect())
    }
}
