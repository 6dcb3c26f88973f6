//! The policy in force, and the files that change it.
//!
//! In: what the watcher finds. Out: a new policy, and a record of it. Must not put anything in force by itself: the session does, in one
//! step for decisions and lists.

use std::collections::BTreeSet;
use std::future::pending;
use std::io;
use std::sync::Arc;

use callgate::{Engine, Policy, lint};
use callgate_host::{LoadError, PolicyFile, PolicyPaths, PolicyWatcher, WatchOptions};
use callgate_relay::Listed;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::beside::Beside;
use super::{Options, digest};
use crate::audit::{Reload, Target};

/// The most warnings of one list that are shown.
const WARNINGS: usize = 10;

/// What the policy's files hold now.
pub(super) type Loaded = Result<Policy, LoadError>;

/// The engine of the policy in force, a candidate beside it, and their files.
pub(super) struct Policies {
    /// `None` in a dry run.
    pub(super) engine: Option<Arc<Engine>>,
    pub(super) beside: Option<Arc<Beside>>,
    changes: UnboundedReceiver<(Target, Loaded)>,
    /// Held: a channel without senders has ended.
    _changed: UnboundedSender<(Target, Loaded)>,
    _watchers: Vec<PolicyWatcher>,
}

impl Policies {
    /// # Errors
    /// The system gives no thread for the watcher; the store admits no namespace for a candidate.
    pub(super) fn new(options: &Options) -> io::Result<Self> {
        let engine = options.policy.as_ref().map(|given| engine(options, &given.policy));
        let beside = options.candidate.as_ref();
        let beside = beside.map(|given| Beside::new(given.policy.clone(), engine.clone(), &options.store));
        let beside = beside.transpose()?.map(Arc::new);
        let (changed, changes) = unbounded_channel();
        let mut watchers = Vec::new();
        if let (true, Some(given), Some(engine)) = (options.watch, &options.policy, engine.clone()) {
            let in_force = WatchOptions::new().with_in_force(move || engine.policy());
            watchers.push(watch(&given.files, in_force, Target::Policy, changed.clone())?);
        }
        if let (true, Some(given)) = (options.watch, &options.candidate) {
            let known = WatchOptions::new().with_known(given.policy.clone());
            watchers.push(watch(&given.files, known, Target::Candidate, changed.clone())?);
        }
        Ok(Self { engine, beside, changes, _changed: changed, _watchers: watchers })
    }

    /// The next change of a file.
    pub(super) async fn next(&mut self) -> (Target, Loaded) {
        match self.changes.recv().await {
            Some(changed) => changed,
            None => pending().await,
        }
    }
}

fn engine(options: &Options, policy: &Policy) -> Arc<Engine> {
    let engine = Engine::builder(policy.clone())
        .store(options.store.blocking())
        .on_store_error(options.on_store_error);
    let engine = match options.store.nonblocking() {
        Some(store) => engine.async_store(store),
        None => engine,
    };
    Arc::new(engine.build())
}

fn watch(
    files: &PolicyPaths,
    options: WatchOptions,
    target: Target,
    changed: UnboundedSender<(Target, Loaded)>,
) -> io::Result<PolicyWatcher> {
    PolicyWatcher::start(files.clone(), options, move |loaded| {
        let _ = changed.send((target, loaded));
    })
}

/// The record of a change.
pub(super) fn reload(target: Target, before: &Policy, loaded: &Loaded) -> Reload {
    let (new, error) = match loaded {
        Ok(policy) => (Some(digest(policy)), None),
        // Of several files, it is said which: the last part of its path, which is no secret.
        Err(error) if before.layers().count() > 1 => {
            let file = error.path().file_name().map(|name| name.to_string_lossy().into_owned());
            (None, Some(format!("{}: {}", file.unwrap_or_default(), place(error))))
        }
        Err(error) => (None, Some(place(error))),
    };
    Reload { target, old: Some(digest(before)), new, error }
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
        LoadError::Stack(error) => error.stack_error().code().to_owned(),
        _ => "cannot be used".to_owned(),
    }
}

/// What the server's list says of a policy's names, as the files have them now.
pub(super) struct Names {
    files: PolicyPaths,
    /// The list, as it was last.
    tools: Value,
    told: BTreeSet<String>,
}

impl Names {
    pub(super) fn new(files: &PolicyPaths) -> Self {
        Self { files: files.clone(), tools: Value::Null, told: BTreeSet::new() }
    }

    /// Warnings of what the policy in force cannot keep with this engine's store. The others are those of the file, which
    /// `callgate check` shows.
    pub(super) fn of_memory(&self, engine: &Engine) -> Vec<String> {
        let policy = engine.policy();
        let of_files = policy.warnings().len();
        if engine.warnings().len() <= of_files {
            return Vec::new();
        }
        let mut told = Vec::new();
        for (file, layer) in self.files.as_slice().iter().zip(policy.layers()) {
            let warnings = layer.memory_warnings().iter();
            told.extend(warnings.map(|warning| format!("{}:{warning}", file.display())));
        }
        told
    }

    fn read(&self) -> impl Iterator<Item = PolicyFile> {
        self.files.as_slice().iter().filter_map(|file| PolicyFile::read(file).ok())
    }

    /// The server has these tools now.
    pub(super) fn listed(&mut self, tools: &[Listed]) -> Vec<String> {
        let schema = |text: &String| serde_json::from_str(text).unwrap_or(Value::Null);
        let tools = tools.iter().map(|tool| match tool.schema.as_ref().map(schema) {
            Some(schema) => json!({"name": tool.name, "inputSchema": schema}),
            None => json!({"name": tool.name}),
        });
        self.tools = tools.collect();
        self.warnings()
    }

    /// Warnings of entries that match no tool, and of arguments that no tool has, each once.
    pub(super) fn warnings(&mut self) -> Vec<String> {
        if self.tools.is_null() {
            return Vec::new();
        }
        let mut shown = Vec::new();
        for file in self.read() {
            let Ok(found) = lint(file.text(), file.format(), &&self.tools) else { continue };
            shown.extend(found.iter().map(|warning| format!("{}:{warning}", file.path().display())));
        }
        shown.into_iter().take(WARNINGS).filter(|warning| self.told.insert(warning.clone())).collect()
    }
}
