//! Options of the Redis store.
//!
//! In: a URL and choices. Out: addresses and settings. Must never print a URL or a part of it: it may hold a password
//! (trap 34).

use std::fmt;
#[cfg(feature = "tls")]
use std::sync::Arc;
use std::time::Duration;

use callgate::StoreError;
use callgate::store::StoreId;
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, RedisError};

use crate::failure;
use crate::key::Keys;
use crate::protocol::{Scripts, TimeSource};
#[cfg(feature = "tls")]
use crate::tls::Certificates;

/// The default namespace.
const NAMESPACE: &str = "callgate";
/// The default time-out of a call.
const TIMEOUT: Duration = Duration::from_secs(1);
/// The shortest time-out. A shorter one is taken for a mistake.
const SHORTEST: Duration = Duration::from_millis(1);

/// How counters in Redis are reached and kept.
///
/// `Debug` shows neither addresses nor credentials.
#[derive(Clone)]
pub struct RedisOptions {
    servers: Vec<ConnectionInfo>,
    namespace: String,
    timeout: Duration,
    time: TimeSource,
    /// Shared, because each namespaced handle has the options.
    #[cfg(feature = "tls")]
    certificates: Arc<Certificates>,
}

impl RedisOptions {
    /// Reads a URL:
    /// - `redis://user:password@host:port/database`, every part but the host optional, or `unix:///path/to/socket`;
    /// - `rediss://…` for TLS (feature `tls`);
    /// - `redis+cluster://user:password@host:port,host:port`, `rediss+cluster://…`: some nodes of a cluster, at least one of
    ///   which has to be there.
    ///
    /// # Errors
    /// Permanent, where the URL has none of these forms. The error does not repeat it.
    pub fn from_url(url: &str) -> Result<Self, StoreError> {
        let servers: Result<Vec<_>, _> = match url.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("redis+cluster") => nodes("redis", rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("rediss+cluster") => nodes("rediss", rest),
            _ => url.into_connection_info().map(|server| vec![server]),
        };
        let servers = servers.map_err(|_: RedisError| {
            StoreError::permanent(
                "the URL is none of Redis: use `redis://user:password@host:port`, `rediss://…` or `redis+cluster://host:port,host:port`",
            )
        })?;
        Ok(Self {
            servers,
            namespace: NAMESPACE.to_owned(),
            timeout: TIMEOUT,
            time: TimeSource::Server,
            #[cfg(feature = "tls")]
            certificates: Arc::default(),
        })
    }

    /// Counters of another namespace are other counters: one for each server that shares a Redis (trap 27). 1 to 128
    /// printable ASCII characters, without spaces and braces. Default: `callgate`. An open store gives handles of others by
    /// [`RedisStore::namespaced`](crate::RedisStore::namespaced).
    #[must_use]
    pub fn with_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// How long a call waits for its answer, connecting included; at least a millisecond. Looking a host name up is the
    /// system's, and not bounded by it. Default: a second.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.max(SHORTEST);
        self
    }

    /// Takes the time that each call gives instead of the server's. For tests, and for replaying a log of calls: callers whose
    /// clocks disagree then share windows as spec 8.4 says.
    #[must_use]
    pub fn with_callers_time(mut self) -> Self {
        self.time = TimeSource::Caller;
        self
    }

    /// Trusts the certificates of this PEM text, and no others. Default: those that the system trusts.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        Arc::make_mut(&mut self.certificates).root = Some(pem.into());
        self
    }

    /// Shows a certificate of its own to the server, both as PEM text.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_client_certificate(
        mut self,
        certificate: impl Into<Vec<u8>>,
        key: impl Into<Vec<u8>>,
    ) -> Self {
        Arc::make_mut(&mut self.certificates).client = Some((certificate.into(), key.into()));
        self
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(crate) fn scripts(&self) -> Result<Scripts, StoreError> {
        Ok(Scripts::new(self.keys()?, self.id(), self.time))
    }

    pub(crate) fn keys(&self) -> Result<Keys, StoreError> {
        Keys::new(&self.namespace)
    }

    pub(crate) fn access(&self) -> Result<Access, StoreError> {
        #[cfg(feature = "tls")]
        let tls = if self.servers.iter().any(|server| matches!(server.addr(), ConnectionAddr::TcpTls { .. }))
        {
            Some(self.certificates.config().map_err(|error| failure::of(&error).error)?)
        } else {
            None
        };
        Ok(Access {
            #[cfg(feature = "tls")]
            tls,
        })
    }

    /// The identity of these counters: the servers, the database and the namespace, without credentials.
    fn id(&self) -> StoreId {
        let mut named = self.namespace.clone();
        for server in &self.servers {
            let database = server.redis_settings().db();
            // No address and no namespace holds a line feed.
            named.push_str(&format!("\n{}\n{database}", server.addr()));
        }
        StoreId::named(named.as_bytes())
    }

    /// The addresses, with all that is needed to connect to each.
    pub(crate) fn servers(&self) -> Result<Servers, StoreError> {
        let prepared = self.servers.iter().map(|server| {
            // Fewer commands to be allowed, and to wait for.
            let settings = server.redis_settings().clone().set_skip_set_lib_name();
            let server = server.clone().set_redis_settings(settings);
            #[cfg(feature = "tls")]
            let server = self.certificates.apply(server).map_err(|error| failure::of(&error).error)?;
            Ok(server)
        });
        Ok(Servers { known: prepared.collect::<Result<_, StoreError>>()? })
    }
}

/// What is needed to connect to a server.
pub(crate) struct Access {
    #[cfg(feature = "tls")]
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl Access {
    /// What a TLS connection is made with.
    #[cfg(feature = "tls")]
    pub(crate) fn tls(&self) -> Result<Arc<rustls::ClientConfig>, RedisError> {
        // INVARIANT: there is one if any server has an address for TLS, and a node has that of the server that named it.
        let missing = || (redis::ErrorKind::InvalidClientConfig, "an address for TLS that no URL named");
        self.tls.clone().ok_or_else(|| RedisError::from(missing()))
    }
}

/// Prints what is neither an address nor a secret.
impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("namespace", &self.namespace)
            .field("timeout", &self.timeout)
            .field("time", &self.time)
            .finish_non_exhaustive()
    }
}

/// The nodes of a cluster's URL: credentials and database are the same for all.
fn nodes(scheme: &str, rest: &str) -> Result<Vec<ConnectionInfo>, RedisError> {
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (credentials, hosts) = match authority.rsplit_once('@') {
        Some((credentials, hosts)) => (format!("{credentials}@"), hosts),
        None => (String::new(), authority),
    };
    hosts
        .split(',')
        .map(|host| format!("{scheme}://{credentials}{host}/{path}").into_connection_info())
        .collect()
}

/// The servers that are known at first.
pub(crate) struct Servers {
    /// Never empty.
    known: Vec<ConnectionInfo>,
}

impl Servers {
    /// Those of the URL.
    pub(crate) fn known(&self) -> &[ConnectionInfo] {
        &self.known
    }
}

/// The same server settings at another address.
pub(crate) fn at_node(server: &ConnectionInfo, node: &failure::Node) -> ConnectionInfo {
    let named = |host: &String| node.host.clone().unwrap_or_else(|| host.clone());
    let address = match server.addr() {
        ConnectionAddr::TcpTls { host, insecure, tls_params, .. } => ConnectionAddr::TcpTls {
            host: named(host),
            port: node.port,
            insecure: *insecure,
            tls_params: tls_params.clone(),
        },
        ConnectionAddr::Tcp(host, _) => ConnectionAddr::Tcp(named(host), node.port),
        // A node that is reached by a socket says where others are by their hosts.
        _ => ConnectionAddr::Tcp(node.host.clone().unwrap_or_else(|| "localhost".to_owned()), node.port),
    };
    server.clone().set_addr(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(url: &str) -> Vec<String> {
        let servers = RedisOptions::from_url(url).unwrap().servers().unwrap();
        servers.known().iter().map(|server| server.addr().to_string()).collect()
    }

    #[test]
    fn urls_name_servers() {
        assert_eq!(addresses("redis://localhost"), ["localhost:6379"]);
        assert_eq!(addresses("redis+cluster://u:p@a:1,b,[::1]:3"), ["a:1", "b:6379", "::1:3"]);
        assert_eq!(addresses("REDIS+CLUSTER://a:1"), ["a:1"]);
        let options = RedisOptions::from_url("redis+cluster://al%40ice:hun%2Fter2@a:1,b:2").unwrap();
        for server in &options.servers {
            let settings = server.redis_settings();
            assert_eq!((settings.username(), settings.password()), (Some("al@ice"), Some("hun/ter2")));
        }
    }

    /// Trap 34.
    #[test]
    fn nothing_shows_a_secret() {
        let options = RedisOptions::from_url("redis://alice:hunter2@db.internal").unwrap();
        let shown = format!("{options:?}");
        let wrong = [
            "http://alice:hunter2@db.internal",
            "redis://alice:hunter2@db.internal:port",
            "alice:hunter2@internal",
        ];
        let errors = wrong.map(|url| format!("{:?}", RedisOptions::from_url(url).unwrap_err())).concat();
        for secret in ["alice", "hunter2", "internal"] {
            assert!(!shown.contains(secret) && !errors.contains(secret), "{shown} {errors}");
        }
    }

    #[test]
    fn a_namespace_stays_within_itself() {
        let open = |namespace: &str| {
            RedisOptions::from_url("redis://x").unwrap().with_namespace(namespace).scripts()
        };
        assert!(open("prod-eu.1:billing").is_ok());
        for bad in ["", "a}b", "{a", "a b", "é", &"x".repeat(129)] {
            assert!(open(bad).is_err(), "{bad}");
        }
    }
}
