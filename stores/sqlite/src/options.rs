//! Options for opening a file.

use std::time::Duration;

/// How a file of counters is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteOptions {
    pub(crate) namespace: String,
    pub(crate) timeout: Duration,
    pub(crate) durability: Durability,
    pub(crate) makes_file: bool,
}

/// What a committed charge survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// A killed process. A power cut may undo the last commits; the file stays whole. SQLite's `synchronous=NORMAL`.
    #[default]
    Process,
    /// A power cut, too: each commit waits for the disk. SQLite's `synchronous=FULL`.
    Power,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            namespace: "callgate".to_owned(),
            timeout: Duration::from_secs(1),
            durability: Durability::default(),
            makes_file: true,
        }
    }
}

impl SqliteOptions {
    /// Namespace `callgate`, one second, [`Durability::Process`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Counters of another namespace are other counters: one for each server that shares the file (spec 8.6). An open store gives
    /// handles of others by [`SqliteStore::namespaced`](crate::SqliteStore::namespaced).
    #[must_use]
    pub fn with_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// How long a transaction waits while other processes write.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// What a committed charge survives.
    #[must_use]
    pub fn with_durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Opens an existing file and creates none. For tools, where a mistyped path should be an error.
    #[must_use]
    pub fn existing_only(mut self) -> Self {
        self.makes_file = false;
        self
    }
}
