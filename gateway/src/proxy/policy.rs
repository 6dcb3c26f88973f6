//! The policy in force, and the file that changes it.
//!
//! In: what the watcher finds. Out: a new policy, and a record of it. Must not put anything in force by itself: the session does, in one
//! step for decisions and lists.

use std::collections::BTreeSet;
use std::future::pending;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use callgate::{Engine, Policy, lint};
use callgate_host::{LoadError, PolicyFile, PolicyWatcher, WatchOptions};
use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{Options, digest};
use crate::audit::{Reload, Target};

/// The most warnings of one list that are shown.
const WARNINGS: usize = 10;

/// What the policy's file holds now.
pub(super) type Loaded = Result<Policy, LoadError>;

/// An engine, and the file of its policy.
pub(super) struct Policies {
    engine: Option<Arc<Engine>>,
    changes: Option<UnboundedReceiver<Loaded>>,
    _watcher: Option<PolicyWatcher>,
}

impl Policies {
    /// # Errors
    /// The system gives no thread for the watcher.
    pub(super) fn new(options: &Options) -> io::Result<Self> {
        let Some(given) = &options.policy else {
            return Ok(Self { engine: None, changes: None, _watcher: None });
        };
        let mut engine = Engine::builder(given.policy.clone())
            .store(options.store.blocking())
            .on_store_error(options.on_store_error);
        if let Some(store) = options.store.nonblocking() {
            engine = engine.async_store(store);
        }
        let engine = Arc::new(engine.build());
        if !options.watch {
            return Ok(Self { engine: Some(engine), changes: None, _watcher: None });
        }
        let (change, changes) = unbounded_channel();
        let in_force = engine.clone();
        let watched = WatchOptions::new().with_in_force(move || in_force.policy());
        let watcher = PolicyWatcher::start(&given.file, watched, move |loaded| {
            let _ = change.send(loaded);
        })?;
        Ok(Self { engine: Some(engine), changes: Some(changes), _watcher: Some(watcher) })
    }

    pub(super) fn engine(&self) -> Option<Arc<Engine>> {
        self.engine.clone()
    }

    /// The next change of the file.
    pub(super) async fn next(&mut self) -> Loaded {
        let next = match &mut self.changes {
            Some(changes) => changes.recv().await,
            None => None,
        };
        match next {
            Some(loaded) => loaded,
            None => pending().await,
        }
    }
}

/// The record of a change.
pub(super) fn reload(before: &Policy, loaded: &Loaded) -> Reload {
    let (new, error) = match loaded {
        Ok(policy) => (Some(digest(policy)), None),
        Err(error) => (None, Some(place(error))),
    };
    Reload { target: Target::Policy, old: Some(digest(before)), new, error }
}

/// What is wrong with a file, by codes and places: a record holds no text of a policy.
fn place(error: &LoadError) -> String {
    match error {
        LoadError::Policy(invalid) => {
            let places = invalid.diagnostics().iter().take(WARNINGS);
            let places = places.map(|found| format!("{}:{}: {}", found.line(), found.column(), found.code()));
            places.collect::<Vec<_>>().join("; ")
        }
        LoadError::Read(error) => format!("cannot be read: {}", error.kind()),
        _ => "cannot be used".to_owned(),
    }
}

/// What the server's list says of a policy's names, as the file has them now.
pub(super) struct Names {
    file: PathBuf,
    told: BTreeSet<String>,
}

impl Names {
    pub(super) fn new(file: &Path) -> Self {
        Self { file: file.to_owned(), told: BTreeSet::new() }
    }

    /// Warnings of entries that match none of these tools, each once.
    pub(super) fn warnings(&mut self, tools: &[String]) -> Vec<String> {
        let tools = json!(tools.iter().map(|name| json!({"name": name})).collect::<Vec<_>>());
        let Ok(file) = PolicyFile::read(&self.file) else { return Vec::new() };
        let Ok(found) = lint(file.text(), file.format(), &&tools) else { return Vec::new() };
        let shown = found.iter().map(|warning| format!("{}:{warning}", self.file.display()));
        shown.take(WARNINGS).filter(|warning| self.told.insert(warning.clone())).collect()
    }
}
