//! The engine's native class.
//!
//! In: a policy and the settings of a host. Out: plans of tools, which decide calls; another policy in force.

use std::sync::Arc;
use std::time::Duration;

use callgate::store::{AsyncStore, Counters};
use callgate::time::Clock as _;
use callgate::{Engine as Core, OnStoreError};
use callgate_host::{OpenError, PolicyWatcher, StoreOptions, open_async_store, open_store};
use napi::bindgen_prelude::{Either, Function, Uint8Array};
use napi::{Env, JsString, Unknown};
use napi_derive::napi;

use crate::clock;
use crate::counters::{Asking, LiveCounter, Question};
use crate::decide::Hash;
use crate::pending::carried;
use crate::plan::{Plan, Planned};
use crate::policy::{Loaded, Policy};
use crate::reservation::{Failure, failure, parts, store_failure};
use crate::store::Closable;

/// A policy, a store and a clock.
#[napi(js_name = "NativeEngine")]
pub struct Engine {
    engine: Arc<Core>,
    store: Arc<dyn Counters>,
    opened: Option<Opened>,
    unblocking: Option<Unblocking>,
    hash: Hash,
    watcher: Option<PolicyWatcher>,
}

/// What is to be closed: both faces of a store that is not in memory.
struct Opened {
    blocking: Arc<Closable<dyn Counters>>,
    unblocking: Arc<Closable<dyn AsyncStore>>,
}

/// The face of a store that does not block, and what becomes of a call when it fails.
#[derive(Clone)]
pub(crate) struct Unblocking {
    pub(crate) store: Arc<dyn AsyncStore>,
    pub(crate) on_error: OnStoreError,
}

/// What an engine is made of; checked by the TypeScript half.
#[napi(object)]
pub struct Settings {
    /// `memory`, or a store's URL.
    pub store: String,
    /// Prefix of the counters in a shared store.
    pub namespace: Option<String>,
    /// How long a call waits for its store, in milliseconds.
    pub store_timeout: Option<f64>,
    /// Whether calls pass uncounted while the store is away.
    pub allow_on_store_error: bool,
    /// Whether audit records have hashes of arguments.
    pub hash_args: bool,
    /// The key of those hashes; without one they are plain SHA-256.
    pub hash_key: Option<Uint8Array>,
}

/// A number as JS has them.
fn count(dropped: usize) -> f64 {
    dropped as f64
}

fn not_opened(error: &OpenError) -> Failure {
    match error {
        OpenError::Failed(failed) => store_failure(failed),
        other => failure("store_url", other),
    }
}

#[napi]
impl Engine {
    /// An engine with a policy and the settings of a host.
    #[napi(factory, catch_unwind)]
    pub fn open(policy: &Policy, settings: Settings) -> Result<Self, Failure> {
        let on_error = if settings.allow_on_store_error { OnStoreError::Allow } else { OnStoreError::Deny };
        let mut options = StoreOptions::new().with_on_error(on_error);
        if let Some(namespace) = settings.namespace {
            options = options.with_namespace(namespace);
        }
        if let Some(millis) = settings.store_timeout {
            options = options.with_timeout(Duration::from_millis(millis as u64));
        }
        let store = open_store(&settings.store, &options).map_err(|error| not_opened(&error))?;
        let unblocking = open_async_store(&settings.store, &options).map_err(|error| not_opened(&error))?;
        let (store, opened): (Arc<dyn Counters>, _) = match unblocking {
            None => (store, None),
            Some(unblocking) => {
                let blocking = Arc::new(Closable::<dyn Counters>::new(store));
                let unblocking = Arc::new(Closable::<dyn AsyncStore>::new(unblocking));
                (blocking.clone(), Some(Opened { blocking, unblocking }))
            }
        };
        let on_error = options.on_error();
        let unblocking =
            opened.as_ref().map(|opened| Unblocking { store: opened.unblocking.clone(), on_error });
        let engine = Core::builder(policy.0.clone())
            .store(store.clone())
            .clock(Arc::new(clock::HostClock))
            .on_store_error(on_error)
            .build();
        let hash = match (settings.hash_args, settings.hash_key) {
            (false, _) => Hash::None,
            (true, None) => Hash::Sha256,
            (true, Some(key)) => Hash::HmacSha256(key.as_ref().into()),
        };
        Ok(Self { engine: Arc::new(engine), store, opened, unblocking, hash, watcher: None })
    }

    /// The plan of a tool's calls, under the policy in force.
    #[napi(catch_unwind)]
    pub fn plan(&self, tool: JsString<'_>) -> napi::Result<Plan> {
        Ok(Plan::new(Planned::new(self.engine.clone(), self.unblocking.clone(), self.hash.clone(), tool)?))
    }

    /// The policy in force.
    #[napi(getter, catch_unwind)]
    pub fn policy(&self) -> Policy {
        Policy(self.engine.policy())
    }

    /// Puts another policy in force.
    #[napi(catch_unwind)]
    pub fn replace(&self, policy: &Policy) {
        self.engine.replace(policy.0.clone());
    }

    /// Forgets what no call can see any more; tells how many counters were dropped.
    #[napi(catch_unwind)]
    pub fn purge(&self, now: Option<f64>) -> Result<f64, Failure> {
        clock::at(now, || self.engine.purge()).map(count).map_err(|error| store_failure(&error))
    }

    /// `purge` without blocking on the store: the number, or the code and the message of what went wrong.
    #[napi(catch_unwind, ts_return_type = "Promise<number | [code: string, message: string]>")]
    pub fn purge_async<'e>(&self, env: &'e Env, now: Option<f64>) -> Result<Unknown<'e>, Failure> {
        let at = clock::at(now, || clock::HostClock.now());
        let (engine, unblocking) = (self.engine.clone(), self.unblocking.clone());
        let purge = async move {
            match unblocking {
                Some(Unblocking { store, .. }) => store.purge(at).await,
                // Counters in memory.
                None => clock::at(now, || engine.purge()),
            }
        };
        let promise = carried(env, purge, |purged| match purged {
            Some(Ok(dropped)) => Ok(Either::A(count(dropped))),
            Some(Err(error)) => Ok(Either::B(parts(store_failure(&error)))),
            None => Err(napi::Error::from_reason("the counters could not be forgotten")),
        });
        promise.map_err(|error| failure("internal", error.reason))
    }

    /// The counters that hold something.
    #[napi(catch_unwind, ts_return_type = "LiveCounter[]")]
    pub fn counters(&self, now: Option<f64>) -> Result<Either<Vec<LiveCounter>, bool>, Failure> {
        self.asking(Question::List, now).ask()
    }

    /// `counters` on another thread: those, or the code and the message of what went wrong.
    #[napi(catch_unwind, ts_return_type = "Promise<LiveCounter[] | [code: string, message: string]>")]
    pub fn counters_async<'e>(&self, env: &'e Env, now: Option<f64>) -> Result<Unknown<'e>, Failure> {
        self.asking(Question::List, now).promise(env)
    }

    /// Empties the counter that a key names; tells whether it held something.
    #[napi(catch_unwind, ts_return_type = "boolean")]
    pub fn reset_counter(
        &self,
        key: String,
        now: Option<f64>,
    ) -> Result<Either<Vec<LiveCounter>, bool>, Failure> {
        self.asking(Question::reset(&key)?, now).ask()
    }

    /// `resetCounter` on another thread, likewise.
    #[napi(catch_unwind, ts_return_type = "Promise<boolean | [code: string, message: string]>")]
    pub fn reset_counter_async<'e>(
        &self,
        env: &'e Env,
        key: String,
        now: Option<f64>,
    ) -> Result<Unknown<'e>, Failure> {
        self.asking(Question::reset(&key)?, now).promise(env)
    }

    /// Watches a policy file until `close`.
    #[napi(catch_unwind)]
    pub fn watch(
        &mut self,
        path: String,
        interval: Option<f64>,
        changed: Function<'_, Loaded, ()>,
    ) -> napi::Result<()> {
        let interval = interval.map(|millis| Duration::from_millis(millis as u64));
        self.watcher = Some(crate::watch::watch(self.engine.clone(), &path, interval, &changed)?);
        Ok(())
    }

    /// Stops watching, and closes the store. Counters in memory go on.
    #[napi(catch_unwind)]
    pub fn close(&mut self) {
        self.watcher = None;
        if let Some(opened) = &self.opened {
            opened.blocking.close();
            opened.unblocking.close();
        }
    }
}

impl Engine {
    fn asking(&self, question: Question, now: Option<f64>) -> Asking {
        Asking { store: self.store.clone(), question, now: clock::at(now, || clock::HostClock.now()) }
    }
}
