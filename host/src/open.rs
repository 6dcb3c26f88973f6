//! Stores by URL.
//!
//! In: a URL and the options of a host. Out: a store, or why there is none. Must never repeat a URL: it may hold a
//! password, and errors end in logs (trap 34). Not even `Debug` of an error may.

use std::sync::Arc;
use std::time::Duration;

use callgate::store::Counters;
use callgate::{MemoryStore, OnStoreError, StoreError};

/// Prefix of all counters in a store that several programs share, unless the host names another.
const NAMESPACE: &str = "callgate";
/// How long a call waits for its counters. A tool call takes longer than this; a store that does is down.
const TIMEOUT: Duration = Duration::from_secs(1);

/// How a host wants its counters kept: the one place for all of it, typed, so that nothing can be misspelt into another
/// meaning (traps 3 and 29).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreOptions {
    namespace: String,
    timeout: Duration,
    on_error: OnStoreError,
    existing_only: bool,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            namespace: NAMESPACE.to_owned(),
            timeout: TIMEOUT,
            on_error: OnStoreError::Deny,
            existing_only: false,
        }
    }
}

impl StoreOptions {
    /// Namespace `callgate`, one second, and denial where the store fails.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counters of another namespace are other counters: one for each server that shares a store (trap 27).
    #[must_use]
    pub fn with_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// How long a call waits for a store before it counts as failed.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// What becomes of a call when the store fails. A choice of the engine's: hand it to
    /// [`EngineBuilder::on_store_error`](callgate::EngineBuilder::on_store_error). Where calls pass then, a store that cannot be
    /// reached yet is no error of [`open_store`]: each call tries it.
    #[must_use]
    pub fn with_on_error(mut self, on_error: OnStoreError) -> Self {
        self.on_error = on_error;
        self
    }

    /// Opens only what is there: a file that is not is an error, and is not made.
    #[must_use]
    pub fn existing_only(mut self) -> Self {
        self.existing_only = true;
        self
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The time-out.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Whether an engine begins to work all the same, though its store could not be opened.
    #[cfg(any(feature = "redis", feature = "sqlite"))]
    fn begins_without(&self, error: &StoreError) -> bool {
        self.on_error == OnStoreError::Allow && error.is_transient()
    }

    /// What becomes of a call when the store fails.
    pub fn on_error(&self) -> OnStoreError {
        self.on_error
    }
}

/// Why there is no store. Never holds the URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The URL names a kind of store that this build leaves out.
    #[error(transparent)]
    Missing(#[from] MissingStore),
    /// The URL has no form that is known.
    #[error(transparent)]
    Unknown(#[from] UnknownUrl),
    /// The URL names a kind of store, but not one of it.
    #[error(transparent)]
    Malformed(StoreError),
    /// The store that the URL names cannot be opened.
    #[error(transparent)]
    Failed(#[from] StoreError),
}

/// The kinds of store of this build, for a version's description.
pub const STORES: &str = match (cfg!(feature = "sqlite"), cfg!(feature = "redis")) {
    (false, false) => "memory",
    (true, false) => "memory, sqlite",
    (false, true) => "memory, redis",
    (true, true) => "memory, sqlite, redis",
};

/// The same as they begin URLs.
const HERE: &str = match (cfg!(feature = "sqlite"), cfg!(feature = "redis")) {
    (false, false) => "`memory`",
    (true, false) => "`memory` and `sqlite://`",
    (false, true) => "`memory` and `redis://`",
    (true, true) => "`memory`, `sqlite://` and `redis://`",
};

/// A kind of store that exists, but not in this build.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this build has no store for `{scheme}://` URLs; it has {HERE}")]
pub struct MissingStore {
    scheme: &'static str,
}

impl MissingStore {
    /// The URL's scheme, such as `redis`.
    pub fn scheme(&self) -> &'static str {
        self.scheme
    }
}

/// A URL that names no store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the store URL has no known form: use `memory`, `sqlite://path` (with `?durability=power`, if charges have to survive a \
     power cut), `redis://host:port`, `rediss://host:port`, `redis+cluster://host:port,host:port` or `unix:///path/of/redis/socket`"
)]
pub struct UnknownUrl {
    // Nothing of the URL: whatever stands before a colon may be a user's name or a password.
    _private: (),
}

/// What a URL names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Memory,
    Sqlite,
    /// With its scheme: a server or a cluster, with TLS or without.
    Redis(&'static str),
}

impl Kind {
    /// The kind, and what follows the scheme.
    fn of(url: &str) -> Option<(Self, &str)> {
        if url == "memory" {
            return Some((Self::Memory, ""));
        }
        let (scheme, rest) = url.split_once("://")?;
        // Schemes compare without case (RFC 3986, 3.1).
        let kind = match scheme.to_ascii_lowercase().as_str() {
            "sqlite" => Self::Sqlite,
            "redis" => Self::Redis("redis"),
            "rediss" => Self::Redis("rediss"),
            "redis+cluster" => Self::Redis("redis+cluster"),
            "rediss+cluster" => Self::Redis("rediss+cluster"),
            "unix" => Self::Redis("unix"),
            _ => return None,
        };
        Some((kind, rest))
    }
}

/// Opens the counters that a URL names:
///
/// - `memory`: those of this process, empty.
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
pub fn open_store(url: &str, options: &StoreOptions) -> Result<Arc<dyn Counters>, OpenError> {
    let (kind, rest) = Kind::of(url).ok_or(UnknownUrl { _private: () })?;
    match kind {
        Kind::Memory => Ok(Arc::new(MemoryStore::new())),
        Kind::Sqlite => sqlite(rest, options),
        Kind::Redis(scheme) => redis(scheme, rest, options),
    }
}

/// The same counters as those of [`open_store`], for callers that must not block; none for memory, which never waits. Opens
/// nothing: the first call does.
///
/// # Errors
/// Those of [`open_store`], but for a server or a file that cannot be opened: the calls find that out.
#[cfg(feature = "async")]
pub fn open_async_store(
    url: &str,
    options: &StoreOptions,
) -> Result<Option<Arc<dyn callgate::store::AsyncStore>>, OpenError> {
    match Kind::of(url).ok_or(UnknownUrl { _private: () })? {
        (Kind::Memory, _) => Ok(None),
        (Kind::Sqlite, rest) => async_sqlite(rest, options).map(Some),
        (Kind::Redis(scheme), rest) => {
            let of_server = redis_options(scheme, rest, options)?;
            Ok(Some(Arc::new(callgate_redis::AsyncRedisStore::lazy(&of_server)?)))
        }
    }
}

#[cfg(feature = "redis")]
fn redis_options(
    scheme: &str,
    rest: &str,
    options: &StoreOptions,
) -> Result<callgate_redis::RedisOptions, OpenError> {
    Ok(callgate_redis::RedisOptions::from_url(&format!("{scheme}://{rest}"))
        .map_err(OpenError::Malformed)?
        .with_namespace(options.namespace())
        .with_timeout(options.timeout()))
}

#[cfg(feature = "redis")]
fn redis(scheme: &str, rest: &str, options: &StoreOptions) -> Result<Arc<dyn Counters>, OpenError> {
    let of_server = redis_options(scheme, rest, options)?;
    match callgate_redis::RedisStore::open(&of_server) {
        Ok(store) => Ok(Arc::new(store)),
        Err(error) if options.begins_without(&error) => {
            Ok(Arc::new(callgate_redis::RedisStore::lazy(&of_server)?))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(feature = "redis"))]
fn redis(scheme: &'static str, _rest: &str, _options: &StoreOptions) -> Result<Arc<dyn Counters>, OpenError> {
    Err(MissingStore { scheme }.into())
}

/// Whether the store that a URL names goes on by itself in a process that was forked. Of any other, a connection that was
/// inherited is the parent's: it must be neither used nor closed there, and the store has to be opened again.
///
/// SQLite's opens its file again by itself, and is told of the fork by [`before_fork`](crate::before_fork).
pub fn survives_fork(url: &str) -> bool {
    matches!(Kind::of(url), Some((Kind::Memory | Kind::Sqlite, _)))
}

/// The path and the options of a file.
#[cfg(feature = "sqlite")]
fn sqlite_options<'u>(
    rest: &'u str,
    options: &StoreOptions,
) -> Result<(&'u str, callgate_sqlite::SqliteOptions), UnknownUrl> {
    use callgate_sqlite::{Durability, SqliteOptions};

    let (path, durability) = match rest.split_once('?') {
        None => (rest, Durability::default()),
        Some((path, "durability=process")) => (path, Durability::Process),
        Some((path, "durability=power")) => (path, Durability::Power),
        Some(_) => return Err(UnknownUrl { _private: () }),
    };
    // SQLite's database of this name is lost at the end of the process; `memory` is for that.
    if path.is_empty() || path == ":memory:" {
        return Err(UnknownUrl { _private: () });
    }
    let of_file = SqliteOptions::new()
        .with_namespace(options.namespace())
        .with_timeout(options.timeout())
        .with_durability(durability);
    Ok((path, if options.existing_only { of_file.existing_only() } else { of_file }))
}

#[cfg(feature = "sqlite")]
fn sqlite(rest: &str, options: &StoreOptions) -> Result<Arc<dyn Counters>, OpenError> {
    let (path, of_file) = sqlite_options(rest, options)?;
    match callgate_sqlite::SqliteStore::open(path, &of_file) {
        Ok(store) => Ok(Arc::new(store)),
        Err(error) if options.begins_without(&error) => {
            Ok(Arc::new(callgate_sqlite::SqliteStore::lazy(path, &of_file)?))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(all(feature = "sqlite", feature = "async"))]
fn async_sqlite(
    rest: &str,
    options: &StoreOptions,
) -> Result<Arc<dyn callgate::store::AsyncStore>, OpenError> {
    let (path, options) = sqlite_options(rest, options)?;
    Ok(Arc::new(callgate_sqlite::AsyncSqliteStore::lazy(path, &options)?))
}

#[cfg(not(feature = "sqlite"))]
fn sqlite(_rest: &str, _options: &StoreOptions) -> Result<Arc<dyn Counters>, OpenError> {
    Err(MissingStore { scheme: "sqlite" }.into())
}

#[cfg(all(not(feature = "sqlite"), feature = "async"))]
fn async_sqlite(
    _rest: &str,
    _options: &StoreOptions,
) -> Result<Arc<dyn callgate::store::AsyncStore>, OpenError> {
    Err(MissingStore { scheme: "sqlite" }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(url: &str) -> OpenError {
        match open_store(url, &StoreOptions::new()) {
            Ok(_) => panic!("{url} opened"),
            Err(error) => error,
        }
    }

    #[test]
    fn memory_counts() {
        let store = open_store("memory", &StoreOptions::new()).unwrap();
        let policy = callgate::Policy::from_yaml(
            "version: \"1\"\ndefault: deny\ntools: {t: {limits: [{counter: c, window: day, max: 1}]}}",
        );
        let engine = callgate::Engine::builder(policy.unwrap()).store(store).build();
        let call = callgate::Call::without_args("t");
        assert!(engine.decide(&call).allowed());
        assert!(!engine.decide(&call).allowed());
    }

    #[test]
    #[cfg(feature = "sqlite")]
    fn sqlite_is_shared_by_all_who_open_the_file() {
        let directory = std::env::temp_dir().join(format!("callgate-open-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let url = |query: &str| format!("SQLite://{}{query}", directory.join("counters.db").display());
        let policy = || {
            callgate::Policy::from_yaml(
                "version: \"1\"\ndefault: deny\ntools: {t: {limits: [{counter: c, window: month, max: 2}]}}",
            )
            .unwrap()
        };
        let options = StoreOptions::new();
        for (query, expected) in
            [("", true), ("?durability=power", true), ("?durability=process", false), ("", false)]
        {
            let store = open_store(&url(query), &options).unwrap();
            let engine = callgate::Engine::builder(policy()).store(store).build();
            assert_eq!(engine.decide(&callgate::Call::without_args("t")).allowed(), expected);
        }
        let other = open_store(&url(""), &StoreOptions::new().with_namespace("other")).unwrap();
        let engine = callgate::Engine::builder(policy()).store(other).build();
        assert!(engine.decide(&callgate::Call::without_args("t")).allowed(), "another namespace");
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    #[cfg(feature = "redis")]
    fn a_server_that_is_down_is_told_from_a_url_that_is_wrong() {
        // A port that was free a moment ago, below those that the system gives to clients.
        let port =
            (20_000..30_000).find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap();
        for url in [format!("redis://127.0.0.1:{port}"), format!("redis+cluster://127.0.0.1:{port}")] {
            let OpenError::Failed(failed) = error(&url) else { panic!("{url}") };
            assert!(failed.is_transient(), "{failed}");
            // Where calls pass without a store, an engine begins without it, too.
            let lenient = StoreOptions::new().with_on_error(OnStoreError::Allow);
            let policy = callgate::Policy::from_yaml(
                "version: \"1\"\ndefault: deny\ntools: {t: {limits: [{counter: c, window: day, max: 1}]}}",
            );
            let store = open_store(&url, &lenient).unwrap();
            let engine = callgate::Engine::builder(policy.unwrap())
                .store(store)
                .on_store_error(lenient.on_error())
                .build();
            let decision = engine.decide(&callgate::Call::without_args("t"));
            assert_eq!((decision.allowed(), decision.code()), (true, callgate::Code::StoreUnavailable));
        }
        for on_error in [OnStoreError::Deny, OnStoreError::Allow] {
            let opened = open_store("redis://localhost:port", &StoreOptions::new().with_on_error(on_error));
            assert!(matches!(opened, Err(OpenError::Malformed(_))));
        }
    }

    #[test]
    #[cfg(not(feature = "redis"))]
    fn what_this_build_leaves_out_is_named() {
        for (url, scheme) in [
            ("redis://localhost:6379", "redis"),
            ("REDISS://localhost", "rediss"),
            ("redis+cluster://a:1,b:2", "redis+cluster"),
            ("unix:///run/redis.sock", "unix"),
        ] {
            let OpenError::Missing(missing) = error(url) else { panic!("{url}") };
            assert_eq!(missing.scheme(), scheme);
            assert!(missing.to_string().contains(&format!("`{scheme}://`")), "{missing}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_known_forms() {
        for url in [
            "",
            "Memory",
            "memory ",
            "postgres://x",
            "redis:localhost",
            "localhost:6379",
            "://",
            "sqlite:counters.db",
            "sqlite://",
            "sqlite://:memory:",
            "sqlite://counters.db?durability=Power",
            "sqlite://counters.db?synchronous=full",
        ] {
            let error = error(url);
            // Without files, nobody asks what a file's URL says.
            if cfg!(not(feature = "sqlite")) && url.starts_with("sqlite://") {
                assert!(matches!(error, OpenError::Missing(_)), "{url}");
                continue;
            }
            assert!(matches!(error, OpenError::Unknown(_)), "{url}");
            for form in ["memory", "sqlite://", "redis://", "rediss://", "redis+cluster://", "unix://"] {
                assert!(error.to_string().contains(form), "{error}");
            }
        }
    }

    /// Trap 34.
    #[test]
    fn no_error_repeats_a_password_or_a_user() {
        for url in [
            "redis://alice:hunter2@db.internal:6379/0",
            "rediss://:hunter2@db.internal",
            "redis+cluster://alice:hunter2@a:1,b:2",
            "sqlite:///alice/hunter2/internal.db",
            "sqlite://alice?hunter2=internal",
            "postgres://alice:hunter2@db.internal",
            "alice:hunter2@db.internal",
            "hunter2://alice@db.internal",
            "redis:/alice:hunter2@db.internal",
        ] {
            let error = error(url);
            let shown = format!("{error} {error:?} {:?}", std::error::Error::source(&error));
            for secret in ["alice", "hunter2", "internal"] {
                assert!(!shown.contains(secret), "{url} gave {shown}");
            }
        }
    }
}
