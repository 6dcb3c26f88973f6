//! What a store was opened as: the file, the connections or the memory behind all of its handles.
//!
//! In: a kind, the rest of a URL, and options. Out: the counters of a namespace, in both faces. Must not open anything twice, but in
//! a process that was forked: there, a connection that was inherited is the parent's.

use std::sync::Arc;

use callgate::store::{Approvals, Counters};
use callgate::{MemoryStore, StoreError};

use crate::options::StoreOptions;
#[cfg(feature = "redis")]
use crate::per_process::PerProcess;
#[cfg(not(all(feature = "redis", feature = "sqlite")))]
use crate::url::MissingStore;
use crate::url::{Kind, OpenError};

/// An open store.
pub(crate) enum Source {
    /// The counters of the namespace with this name, and within them those of the others.
    Memory(Arc<MemoryStore>, Box<str>),
    /// Goes on by itself in a process that was forked, once it is told of the fork (`before_fork`).
    #[cfg(feature = "sqlite")]
    Sqlite(callgate_sqlite::SqliteStore),
    #[cfg(feature = "redis")]
    Redis(Box<PerProcess<Clients>>, Box<callgate_redis::RedisOptions>),
}

/// The connections of one process.
#[cfg(feature = "redis")]
pub(crate) struct Clients {
    blocking: callgate_redis::RedisStore,
    #[cfg(feature = "async")]
    nonblocking: callgate_redis::AsyncRedisStore,
}

/// The counters of a namespace, blocking or not.
pub(crate) struct Faces {
    pub(crate) blocking: Arc<dyn Counters>,
    /// None where the other never waits.
    #[cfg(feature = "async")]
    pub(crate) nonblocking: Option<Arc<dyn callgate::store::AsyncStore>>,
    /// The calls that wait for approval, in the same namespace.
    pub(crate) approvals: Arc<dyn Approvals>,
    #[cfg(feature = "async")]
    pub(crate) async_approvals: Option<Arc<dyn callgate::store::AsyncApprovals>>,
}

impl Source {
    pub(crate) fn open(kind: Kind, rest: &str, options: &StoreOptions) -> Result<Self, OpenError> {
        match kind {
            Kind::Memory => Ok(Self::Memory(Arc::new(MemoryStore::new()), options.namespace().into())),
            Kind::Sqlite => sqlite(rest, options),
            Kind::Redis(scheme) => redis(scheme, rest, options),
        }
    }

    /// The kind, as it begins URLs.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Memory(..) => "memory",
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => "sqlite",
            #[cfg(feature = "redis")]
            Self::Redis(..) => "redis",
        }
    }

    /// Whether asking it never waits.
    pub(crate) fn is_in_memory(&self) -> bool {
        matches!(self, Self::Memory(..))
    }

    /// Whether faces that were made before a fork are good after it.
    pub(crate) fn survives_fork(&self) -> bool {
        match self {
            Self::Memory(..) => true,
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => true,
            #[cfg(feature = "redis")]
            Self::Redis(..) => false,
        }
    }

    /// The counters of a namespace, for this process.
    ///
    /// # Errors
    /// Permanent, where it cannot be the name of one.
    pub(crate) fn faces(&self, name: &str) -> Result<Faces, StoreError> {
        match self {
            Self::Memory(store, own) => {
                let store = if **own == *name { store.clone() } else { store.namespaced(name) };
                Ok(Faces {
                    blocking: store.clone(),
                    #[cfg(feature = "async")]
                    nonblocking: None,
                    approvals: store,
                    #[cfg(feature = "async")]
                    async_approvals: None,
                })
            }
            #[cfg(feature = "sqlite")]
            Self::Sqlite(store) => {
                let store = Arc::new(store.namespaced(name));
                #[cfg(feature = "async")]
                let nonblocking = Arc::new(store.nonblocking());
                Ok(Faces {
                    blocking: store.clone(),
                    #[cfg(feature = "async")]
                    nonblocking: Some(nonblocking.clone()),
                    approvals: store,
                    #[cfg(feature = "async")]
                    async_approvals: Some(nonblocking),
                })
            }
            #[cfg(feature = "redis")]
            Self::Redis(clients, options) => clients.with(
                || Clients::lazy(options),
                |clients| {
                    let store = Arc::new(clients.blocking.namespaced(name)?);
                    #[cfg(feature = "async")]
                    let nonblocking = Arc::new(clients.nonblocking.namespaced(name)?);
                    Ok(Faces {
                        blocking: store.clone(),
                        #[cfg(feature = "async")]
                        nonblocking: Some(nonblocking.clone()),
                        approvals: store,
                        #[cfg(feature = "async")]
                        async_approvals: Some(nonblocking),
                    })
                },
            ),
        }
    }

    /// The namespaces in which calls are filed that wait for approval; `None` where the store cannot tell.
    pub(crate) fn filed_namespaces(&self) -> Result<Option<Vec<String>>, StoreError> {
        match self {
            Self::Memory(..) => Ok(None),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(store) => store.filed_namespaces().map(Some),
            #[cfg(feature = "redis")]
            Self::Redis(..) => Ok(None),
        }
    }

    /// Closes the file or the connections of this process. Counters in memory stay.
    pub(crate) fn close(&self) {
        match self {
            Self::Memory(..) => {}
            #[cfg(feature = "sqlite")]
            Self::Sqlite(store) => store.close(),
            #[cfg(feature = "redis")]
            Self::Redis(clients, _) => clients.with_own(|clients| {
                clients.blocking.close();
                #[cfg(feature = "async")]
                clients.nonblocking.close();
            }),
        }
    }
}

#[cfg(feature = "sqlite")]
fn sqlite(rest: &str, options: &StoreOptions) -> Result<Source, OpenError> {
    use callgate_sqlite::{Durability, SqliteOptions, SqliteStore};

    use crate::url::UnknownUrl;

    let (path, durability) = match rest.split_once('?') {
        None => (rest, Durability::default()),
        Some((path, "durability=process")) => (path, Durability::Process),
        Some((path, "durability=power")) => (path, Durability::Power),
        Some(_) => return Err(UnknownUrl::ERROR.into()),
    };
    // SQLite's database of this name is lost at the end of the process; `memory` is for that.
    if path.is_empty() || path == ":memory:" {
        return Err(UnknownUrl::ERROR.into());
    }
    let of_file = SqliteOptions::new()
        .with_namespace(options.namespace())
        .with_timeout(options.timeout())
        .with_durability(durability);
    let of_file = if options.is_existing_only() { of_file.existing_only() } else { of_file };
    match SqliteStore::open(path, &of_file) {
        Ok(store) => Ok(Source::Sqlite(store)),
        Err(error) if options.begins_without(&error) => {
            Ok(Source::Sqlite(SqliteStore::lazy(path, &of_file)?))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(feature = "sqlite"))]
fn sqlite(_rest: &str, _options: &StoreOptions) -> Result<Source, OpenError> {
    Err(MissingStore::of("sqlite").into())
}

#[cfg(feature = "redis")]
fn redis(scheme: &str, rest: &str, options: &StoreOptions) -> Result<Source, OpenError> {
    let of_server = callgate_redis::RedisOptions::from_url(&format!("{scheme}://{rest}"))
        .map_err(OpenError::Malformed)?
        .with_namespace(options.namespace())
        .with_timeout(options.timeout());
    let clients = match Clients::open(&of_server) {
        Ok(clients) => clients,
        Err(error) if options.begins_without(&error) => Clients::lazy(&of_server)?,
        Err(error) => return Err(error.into()),
    };
    Ok(Source::Redis(Box::new(PerProcess::new(clients)), Box::new(of_server)))
}

#[cfg(not(feature = "redis"))]
fn redis(scheme: &'static str, _rest: &str, _options: &StoreOptions) -> Result<Source, OpenError> {
    Err(MissingStore::of(scheme).into())
}

#[cfg(feature = "redis")]
impl Clients {
    /// With a first connection. The face that does not block connects at its first call.
    fn open(options: &callgate_redis::RedisOptions) -> Result<Self, StoreError> {
        Self::of(callgate_redis::RedisStore::open(options)?, options)
    }

    fn lazy(options: &callgate_redis::RedisOptions) -> Result<Self, StoreError> {
        Self::of(callgate_redis::RedisStore::lazy(options)?, options)
    }

    #[cfg_attr(
        not(feature = "async"),
        expect(unused_variables, clippy::unnecessary_wraps, reason = "one face alone")
    )]
    fn of(
        blocking: callgate_redis::RedisStore,
        options: &callgate_redis::RedisOptions,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            blocking,
            #[cfg(feature = "async")]
            nonblocking: callgate_redis::AsyncRedisStore::lazy(options)?,
        })
    }
}
