//! What a URL names, and why it names nothing.
//!
//! In: a URL. Out: a kind of store and what follows the scheme. Must never repeat a URL: it may hold a password, and errors end in
//! logs (trap 34). Not even `Debug` of an error may.

use callgate::StoreError;

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
    #[cfg(not(all(feature = "redis", feature = "sqlite")))]
    pub(crate) const fn of(scheme: &'static str) -> Self {
        Self { scheme }
    }

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

impl UnknownUrl {
    pub(crate) const ERROR: Self = Self { _private: () };
}

/// What a URL names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Memory,
    Sqlite,
    /// With its scheme: a server or a cluster, with TLS or without.
    Redis(&'static str),
}

impl Kind {
    /// The kind, and what follows the scheme.
    pub(crate) fn of(url: &str) -> Option<(Self, &str)> {
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
