//! The engine's native class.
//!
//! In: a policy, a store and the settings of a host. Out: plans of tools, which decide calls; another policy in force.

use std::sync::Arc;
use std::time::Duration;

use callgate::{Engine as Core, OnStoreError};
use callgate_host::{Candidate, Observer, PolicyWatcher};
use napi::JsString;
use napi::bindgen_prelude::{Function, Uint8Array};
use napi_derive::napi;

use crate::call::Hash;
use crate::clock;
use crate::failure::{Failure, failure};
use crate::plan::Plan;
use crate::planned::{Planned, Unblocking};
use crate::policy::{Finding, Loaded, Policy, by_layer};
use crate::store::Store;

/// A policy, a store and a clock.
#[napi(js_name = "NativeEngine")]
pub struct Engine {
    engine: Arc<Core>,
    observer: Arc<Observer>,
    unblocking: Option<Unblocking>,
    hash: Hash,
    watcher: Option<PolicyWatcher>,
}

/// What an engine is made of; checked by the TypeScript half.
#[napi(object)]
pub struct Settings {
    /// Whether calls pass uncounted while the store is away.
    pub allow_on_store_error: bool,
    /// Whether audit records have hashes of arguments.
    pub hash_args: bool,
    /// The key of those hashes; without one they are plain SHA-256.
    pub hash_key: Option<Uint8Array>,
}

#[napi]
impl Engine {
    /// An engine with a policy, a store and the settings of a host.
    #[napi(factory, catch_unwind)]
    pub fn open(policy: &Policy, store: &Store, settings: Settings) -> Self {
        let on_error = if settings.allow_on_store_error { OnStoreError::Allow } else { OnStoreError::Deny };
        let unblocking = (!store.0.is_in_memory()).then(|| Unblocking { store: store.0.clone(), on_error });
        let engine = Core::builder(policy.0.clone())
            .store(store.0.blocking())
            .clock(Arc::new(clock::HostClock))
            .on_store_error(on_error)
            .build();
        let hash = match (settings.hash_args, settings.hash_key) {
            (false, _) => Hash::None,
            (true, None) => Hash::Sha256,
            (true, Some(key)) => Hash::HmacSha256(key.as_ref().into()),
        };
        Self { engine: Arc::new(engine), observer: Arc::default(), unblocking, hash, watcher: None }
    }

    /// The plan of a tool's calls, under the policy in force.
    #[napi(catch_unwind)]
    pub fn plan(&self, tool: JsString<'_>) -> napi::Result<Plan> {
        self.planned(tool, true)
    }

    /// The plan of the requests of another method than `tools/call`, under the policy in force.
    #[napi(catch_unwind)]
    pub fn request_plan(&self, method: JsString<'_>) -> napi::Result<Plan> {
        self.planned(method, false)
    }

    /// The policy in force.
    #[napi(getter, catch_unwind)]
    pub fn policy(&self) -> Policy {
        Policy(self.engine.policy())
    }

    /// What may not mean what its author thinks in the policy in force, and what it cannot keep with this engine's store.
    #[napi(getter, catch_unwind)]
    pub fn warnings(&self) -> Vec<Finding> {
        self.engine.warnings().iter().map(Finding::from).collect()
    }

    /// The same, of each layer of the policy.
    #[napi(getter, catch_unwind)]
    pub fn warnings_by_layer(&self) -> Vec<Vec<Finding>> {
        let policy = self.engine.policy();
        by_layer(&policy, self.engine.warnings().len() > policy.warnings().len())
    }

    /// Puts another policy in force.
    #[napi(catch_unwind)]
    pub fn replace(&self, policy: &Policy) {
        self.engine.replace(policy.0.clone());
    }

    /// Lets a candidate decide beside the policy in force, or none.
    #[napi(catch_unwind)]
    pub fn observe(&self, candidate: Option<&Policy>, store: Option<&Store>) -> Result<(), Failure> {
        let candidate = candidate.map(|policy| {
            let candidate = Candidate::new(policy.0.clone()).clock(Arc::new(clock::HostClock));
            match store {
                Some(store) => candidate.store(&store.0),
                None => candidate,
            }
        });
        self.observer.observe(&self.engine, candidate).map_err(|error| failure("same_counters", error))
    }

    /// What came of all calls since the candidate began, as JSON; null without one.
    #[napi(catch_unwind)]
    pub fn observations(&self) -> Option<String> {
        self.observer.observations().map(|observations| observations.to_json())
    }

    /// Watches a policy file, or those of a stack, until `close`.
    #[napi(catch_unwind)]
    pub fn watch(
        &mut self,
        paths: Vec<String>,
        interval: Option<f64>,
        changed: Function<'_, Loaded, ()>,
    ) -> napi::Result<()> {
        let interval = interval.map(|millis| Duration::from_millis(millis as u64));
        self.watcher = Some(crate::watch::watch(self.engine.clone(), paths, interval, &changed)?);
        Ok(())
    }

    /// Stops watching.
    #[napi(catch_unwind)]
    pub fn close(&mut self) {
        self.watcher = None;
    }
}

impl Engine {
    pub(crate) fn shared(&self) -> Arc<Core> {
        self.engine.clone()
    }

    fn planned(&self, name: JsString<'_>, is_tool: bool) -> napi::Result<Plan> {
        let (unblocking, hash) = (self.unblocking.clone(), self.hash.clone());
        let engine = (self.engine.clone(), self.observer.clone());
        Ok(Plan::new(Planned::new(engine, unblocking, hash, name, is_tool)?))
    }
}
