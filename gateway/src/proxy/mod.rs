//! A gateway in front of a server that speaks over standard input and output.
//!
//! In: a policy, a store, a log, the server's command; the client on this process's standard input and output. Out: the server's messages,
//! denials, records; the exit code. Must not leave a process of the server behind, and must not let a call pass that was not decided.

mod beside;
mod calls;
mod client;
mod decide;
mod ending;
mod guard;
pub(crate) mod line;
mod policy;
mod queue;
pub(crate) mod server;
mod session;
pub(crate) mod signals;

use std::ffi::OsString;
use std::io;
use std::time::Duration;

use callgate::lock::{OnDrift, Pins};
use callgate::{OnStoreError, Policy};
use callgate_host::{PolicyPaths, SharedStore};
pub use callgate_relay::WithoutSchema;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::audit::{Log, Mode, Start};

/// How long a gateway waits for a process that should end.
const GRACE: Duration = Duration::from_secs(5);
/// The most bytes of a message.
const MAX_MESSAGE: usize = 16 << 20;

/// Who calls. A stdio connection has one caller.
#[derive(Debug, Clone, PartialEq)]
pub enum Caller {
    /// Somebody who is known by an id alone.
    Id(String),
    /// An object of claims (spec 9.1).
    Claims(Value),
}

/// What becomes of the server's standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stderr {
    /// It is the gateway's own.
    #[default]
    Inherit,
    /// It is thrown away.
    Null,
    /// Its lines are shown with the server's name, without control characters.
    Log,
}

/// What is kept of the arguments of a call that waits for a person's approval. Whoever approves should see what would run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ApprovalShown {
    /// Nothing.
    None,
    /// Their names.
    Keys,
    /// Their text as it would be sent, up to a ceiling (spec 7.12).
    #[default]
    Full,
}

/// A policy, and the file that it was read from, or the files of a stack.
#[derive(Debug, Clone)]
pub struct PolicyOfFile {
    /// The files, in the order of the stack. They are watched, unless that is switched off.
    pub files: PolicyPaths,
    /// What they hold.
    pub policy: Policy,
}

/// What a gateway is to do.
#[derive(Debug)]
pub struct Options {
    command: Vec<OsString>,
    name: String,
    caller: Caller,
    policy: Option<PolicyOfFile>,
    candidate: Option<PolicyOfFile>,
    store: SharedStore,
    on_store_error: OnStoreError,
    without_schema: WithoutSchema,
    lock: Option<(Pins, OnDrift)>,
    approval_args: ApprovalShown,
    watch: bool,
    max_message: usize,
    grace: Duration,
    stderr: Stderr,
}

impl Options {
    /// A gateway in front of the server that this command starts: its program and its arguments. Without a policy it is a dry run: every
    /// call passes, and is recorded. `name` is what records call the server; counters are those of `store`.
    pub fn new(command: Vec<OsString>, name: &str, store: SharedStore) -> Self {
        Self {
            command,
            name: name.to_owned(),
            caller: Caller::Id("local".to_owned()),
            policy: None,
            candidate: None,
            store,
            on_store_error: OnStoreError::Deny,
            without_schema: WithoutSchema::Deny,
            lock: None,
            approval_args: ApprovalShown::Full,
            watch: true,
            max_message: MAX_MESSAGE,
            grace: GRACE,
            stderr: Stderr::Inherit,
        }
    }

    /// The policy to enforce.
    #[must_use]
    pub fn policy(mut self, policy: PolicyOfFile) -> Self {
        self.policy = Some(policy);
        self
    }

    /// A candidate: it decides beside the policy, with counters of its own, and changes nothing (spec 10.11). Without a policy it
    /// decides alone, in a dry run.
    #[must_use]
    pub fn candidate(mut self, candidate: PolicyOfFile) -> Self {
        self.candidate = Some(candidate);
        self
    }

    /// Who calls; by default `local`.
    #[must_use]
    pub fn caller(mut self, caller: Caller) -> Self {
        self.caller = caller;
        self
    }

    /// What becomes of a call when the store fails.
    #[must_use]
    pub fn on_store_error(mut self, choice: OnStoreError) -> Self {
        self.on_store_error = choice;
        self
    }

    /// What becomes of a call of a tool that the server does not list, where rules read arguments.
    #[must_use]
    pub fn without_schema(mut self, choice: WithoutSchema) -> Self {
        self.without_schema = choice;
        self
    }

    /// Lets no tool through whose definition is not the one that was approved.
    #[must_use]
    pub fn lock(mut self, pins: Pins, on_drift: OnDrift) -> Self {
        self.lock = Some((pins, on_drift));
        self
    }

    /// What is kept of the arguments of calls that wait for a person's approval.
    #[must_use]
    pub fn approval_args(mut self, shown: ApprovalShown) -> Self {
        self.approval_args = shown;
        self
    }

    /// Whether the policy's file is watched, and a new policy put in force. By default it is.
    #[must_use]
    pub fn watch(mut self, watch: bool) -> Self {
        self.watch = watch;
        self
    }

    /// The most bytes of a message; by default 16 MiB.
    #[must_use]
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.max_message = bytes;
        self
    }

    /// How long the gateway waits for the server to end, before it asks it to, and again before it ends it; by default five seconds.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// What becomes of the server's standard error.
    #[must_use]
    pub fn stderr(mut self, stderr: Stderr) -> Self {
        self.stderr = stderr;
        self
    }

    /// The server that an approval is for: another command, or another folder, is another server, whatever it is called. Arguments of a
    /// command may hold secrets, so their digest stands for them.
    fn approved_server(&self) -> String {
        let mut digest = Sha256::new();
        for part in &self.command {
            digest.update(part.as_encoded_bytes());
            digest.update([0]);
        }
        let digits: String = digest.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        match std::env::current_dir() {
            Ok(folder) => format!("{} in {} #{digits}", self.name, folder.display()),
            Err(_) => format!("{} #{digits}", self.name),
        }
    }

    /// What the log says of the beginning.
    fn start(&self) -> Start {
        let program = self.command.first().map(|program| program.to_string_lossy().into_owned());
        Start {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            program: program.unwrap_or_default(),
            policy_file: self.policy.as_ref().map(|policy| policy.files.to_string()),
            policy: self.policy.as_ref().map(|policy| digest(&policy.policy)),
            candidate: self.candidate.as_ref().map(|candidate| digest(&candidate.policy)),
            mode: self.mode(),
            store: self.store.kind().to_owned(),
        }
    }

    fn mode(&self) -> Mode {
        match (&self.policy, &self.candidate) {
            (None, _) => Mode::DryRun,
            (Some(_), None) => Mode::Enforce,
            (Some(_), Some(_)) => Mode::Observe,
        }
    }
}

/// The digest of a policy as records show it.
fn digest(policy: &Policy) -> String {
    let digits: String = policy.digest().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}

/// Runs a gateway to its end. Gives the exit code: that of the server, 128 and its number for a signal, 127 where the server cannot be
/// started. Writes to `log`, and closes it.
///
/// # Errors
/// The system gives no thread, or no signals.
pub fn run(options: Options, log: Log) -> io::Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let code = runtime.block_on(session::run(options, log.clone()));
    // A thread that waits for standard input ends with the process.
    runtime.shutdown_background();
    let _ = log.close();
    code
}
