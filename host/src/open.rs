//! Stores by URL.
//!
//! In: a URL and the options of a host. Out: a store that is open, or why there is none. Must never repeat a URL: it may hold a
//! password (trap 34).

use crate::options::StoreOptions;
use crate::shared::SharedStore;
use crate::source::Source;
use crate::url::{Kind, OpenError, UnknownUrl};

/// Opens the store that a URL names, once for all engines and namespaces of the host:
///
/// - `memory`: counters of this process, empty. Each opening has its own.
/// - `sqlite:///absolute/path` or `sqlite://path/from/the/current/directory`: a file that processes of one machine share, made
///   if it is not there. The path is taken as it is, up to a `?`. `?durability=power` lets charges survive a power cut, too;
///   `?durability=process`, the default, that the process is killed.
/// - `redis://user:password@host:port/database`, every part but the host optional; `rediss://…` for TLS, by the certificates
///   that the system trusts; `redis+cluster://user:password@host:port,host:port` and `rediss+cluster://…` for a cluster, of
///   which some nodes are named; `unix:///path` for the socket of a Redis server. A first connection is made, so a server that is
///   down is an error here, unless calls are to pass without it.
///
/// # Errors
/// [`OpenError`]: a store that this build leaves out, a URL that names none, or a store that cannot be opened. No error
/// repeats the URL.
pub fn open_store(url: &str, options: &StoreOptions) -> Result<SharedStore, OpenError> {
    let (kind, rest) = Kind::of(url).ok_or(UnknownUrl::ERROR)?;
    SharedStore::new(Source::open(kind, rest, options)?, options.namespace())
}

#[cfg(test)]
mod tests;
