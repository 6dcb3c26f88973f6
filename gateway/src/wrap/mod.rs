//! Puts `callgate proxy` in front of the servers of an MCP client's configuration, and takes it away again.
//!
//! In: a configuration file of Claude Code, Claude Desktop, Cursor or VS Code, and a policy. Out: the same file, in which each server that is a
//! process of this machine is started behind callgate. Must not change a byte of anything else, print an argument, or leave half a file.
//!
//! [`Configuration::read`] reads the file, [`Configuration::wrap`] and [`Configuration::undo`] say what would change, and [`Change::write`]
//! writes it.
//!
//! ```no_run
//! use std::path::Path;
//! use callgate_gateway::wrap::{Configuration, Wrapping};
//!
//! let configuration = Configuration::read(Path::new(".mcp.json"))?;
//! let wrapping = Wrapping::new("/usr/local/bin/callgate").policy("/etc/callgate/policy.yaml");
//! let change = configuration.wrap(&wrapping)?;
//! for server in change.servers() {
//!     println!("{}: {:?}", server.name, server.state);
//! }
//! change.write()?;
//! # Ok::<(), callgate_gateway::wrap::WrapError>(())
//! ```

mod change;
mod configuration;
mod document;
mod edit;
mod error;
mod file;
mod launch;
mod servers;

pub use change::{Backup, Change, Server, ServerState};
pub use configuration::{Configuration, Wrapping};
pub use error::WrapError;
pub use servers::{Reached, ReachedServer};
