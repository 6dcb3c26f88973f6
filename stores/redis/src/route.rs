//! Where a namespace's counters are: the node that had them last, as a cluster said.
//!
//! In: addresses that answered. Out: which to ask next. Namespaces of one store may be on different nodes, so each has its own. Must
//! not name a node that no server named.

use std::sync::{Mutex, MutexGuard, PoisonError};

use redis::ConnectionInfo;

use crate::key::Keys;
use crate::options::Servers;

/// A namespace, and its way to the servers.
pub(crate) struct Route {
    pub(crate) keys: Keys,
    /// Nothing as long as every server in the URL will do.
    home: Mutex<Option<ConnectionInfo>>,
}

impl Route {
    pub(crate) fn new(keys: Keys) -> Self {
        Self { keys, home: Mutex::new(None) }
    }

    fn home(&self) -> MutexGuard<'_, Option<ConnectionInfo>> {
        self.home.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The addresses to try in turn: the one that last had the counters, then all in the URL.
    pub(crate) fn candidates(&self, servers: &Servers) -> Vec<ConnectionInfo> {
        self.home().iter().chain(servers.known()).cloned().collect()
    }

    /// Whether a connection to this server may have the counters.
    pub(crate) fn admits(&self, server: &ConnectionInfo) -> bool {
        self.home().as_ref().is_none_or(|home| home.addr() == server.addr())
    }

    /// The counters are there, as another server said.
    pub(crate) fn moved(&self, server: &ConnectionInfo) {
        *self.home() = Some(server.clone());
    }

    /// This one of the candidates answered. Where another was expected, it is the one to begin with from now on.
    pub(crate) fn settled(&self, server: &ConnectionInfo, servers: &Servers) {
        let mut home = self.home();
        if home.is_some() || servers.known().len() > 1 {
            *home = Some(server.clone());
        }
    }

    /// Nobody is known to have the counters: what had them has failed.
    pub(crate) fn lost(&self) {
        *self.home() = None;
    }
}
