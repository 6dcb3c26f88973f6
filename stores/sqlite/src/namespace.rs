//! A namespace of a file: its name, and its number in the file that is open.
//!
//! In: the name that a host gave. Out: the number under which the file keeps it. Each opening of the file looks it up once, because
//! another file may have taken the place of the one before. Must not keep a number that a transaction did not commit.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use rusqlite::Result;

/// One opening of a file. A failed transaction ends it, and takes the numbers along that were looked up in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Generation(u64);

impl Generation {
    pub(crate) fn next() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        Self(COUNT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A namespace, for any number of jobs.
pub(crate) struct Namespace {
    name: Box<str>,
    /// Locked only by the thread that works on the file.
    number: Mutex<Option<(Generation, i64)>>,
}

impl Namespace {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.into(), number: Mutex::new(None) }
    }

    /// The number, which `find` looks up where this opening of the file was not asked before.
    pub(crate) fn number(
        &self,
        generation: Generation,
        find: impl FnOnce(&str) -> Result<i64>,
    ) -> Result<i64> {
        let mut number = self.number.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((found_in, number)) = *number
            && found_in == generation
        {
            return Ok(number);
        }
        let found = find(&self.name)?;
        *number = Some((generation, found));
        Ok(found)
    }
}
