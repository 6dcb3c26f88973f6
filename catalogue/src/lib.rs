//! Policies for the tools of published MCP servers.
//!
//! In: a server's name. Out: what is known of it, and its files: a policy for each profile with its tests, the lock of the definitions that they were
//! written for, classes that somebody gave by hand, and a page. The files are compressed in the program, so nothing is fetched or read. Decides nothing.
//!
//! ```
//! # fn main() -> Result<(), callgate_catalogue::Corrupt> {
//! let Some(server) = callgate_catalogue::server("filesystem") else { return Ok(()) };
//! assert_eq!(server.package(), "@modelcontextprotocol/server-filesystem");
//! let policy = server.files()?.into_iter().find(|file| file.name == "recommended.yaml");
//! assert!(policy.is_some_and(|policy| policy.text.contains("default: deny")));
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

use std::fmt;

use miniz_oxide::inflate::decompress_to_vec_with_limit;

/// The profiles, each with the name of its policy without `.yaml`, from the strictest to the loosest.
pub const PROFILES: [&str; 3] = ["read-only", "recommended", "permissive"];

static SERVERS: &[Server] = &include!(concat!(env!("OUT_DIR"), "/servers.rs"));

/// A published server, at one version of its package.
#[derive(Debug)]
pub struct Server {
    name: &'static str,
    registry: &'static str,
    package: &'static str,
    version: &'static str,
    date: &'static str,
    collected: &'static str,
    licence: &'static str,
    holder: &'static str,
    source: &'static str,
    tools: usize,
    /// Names and lengths, in the order in which the texts follow each other.
    files: &'static [(&'static str, usize)],
    data: &'static [u8],
}

/// A file of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Such as `recommended.yaml`.
    pub name: &'static str,
    /// All of it.
    pub text: String,
}

/// The program's own data cannot be read: it was changed after it was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corrupt(&'static str);

impl fmt::Display for Corrupt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the catalogue's files of `{}` are damaged", self.0)
    }
}

impl std::error::Error for Corrupt {}

/// All servers, sorted by name.
pub fn servers() -> &'static [Server] {
    SERVERS
}

/// The server of this name.
pub fn server(name: &str) -> Option<&'static Server> {
    SERVERS.iter().find(|server| server.name == name)
}

impl Server {
    /// What the catalogue calls it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Where its package is published: `npm` or `pypi`.
    pub fn registry(&self) -> &'static str {
        self.registry
    }

    /// The package's name.
    pub fn package(&self) -> &'static str {
        self.package
    }

    /// The version whose definitions the files are about.
    pub fn version(&self) -> &'static str {
        self.version
    }

    /// The day, or the month, of that version.
    pub fn date(&self) -> &'static str {
        self.date
    }

    /// The day on which the server was asked for its tools.
    pub fn collected(&self) -> &'static str {
        self.collected
    }

    /// The licence of the package, and so of the definitions.
    pub fn licence(&self) -> &'static str {
        self.licence
    }

    /// Who holds the copyright of the definitions.
    pub fn holder(&self) -> &'static str {
        self.holder
    }

    /// Where its source is; empty where nobody said.
    pub fn source(&self) -> &'static str {
        self.source
    }

    /// How many tools it listed.
    pub fn tools(&self) -> usize {
        self.tools
    }

    /// Its files, sorted by name.
    ///
    /// # Errors
    /// The data of this program was changed.
    pub fn files(&self) -> Result<Vec<File>, Corrupt> {
        let whole = self.files.iter().try_fold(0_usize, |sum, (_, length)| sum.checked_add(*length));
        let bytes = whole.and_then(|whole| decompress_to_vec_with_limit(self.data, whole).ok());
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let mut rest = text.as_deref().ok_or(Corrupt(self.name))?;
        let mut files = Vec::with_capacity(self.files.len());
        for (name, length) in self.files {
            let (text, after) = rest.split_at_checked(*length).ok_or(Corrupt(self.name))?;
            files.push(File { name, text: text.to_owned() });
            rest = after;
        }
        Ok(files)
    }
}

#[cfg(test)]
mod tests;
