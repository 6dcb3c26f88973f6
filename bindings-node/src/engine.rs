//! The engine's native class.
//!
//! In: calls in JS terms. Out: answers for the TypeScript half. Arguments that cannot be read are denied by core, never
//! thrown; only what is no call at all is an error.

use std::sync::Arc;
use std::time::Duration;

use callgate::{Approval, Engine as Core, Identity, OnStoreError, Unreadable};
use callgate_host::{PolicyWatcher, StoreOptions, open_store};
use napi::bindgen_prelude::{AsyncTask, Function, Object, Uint8Array};
use napi::{Env, JsString, JsValue, Unknown, ValueType};
use napi_derive::napi;

use crate::clock;
use crate::decide::{Answer, Args, Given, Hash, decide};
use crate::explain::{Explained, explain};
use crate::pending::{OwnedArgs, OwnedIdentity, Pending};
use crate::policy::{Loaded, Policy};
use crate::reservation::{Failure, failure};
use crate::snapshot::Snapshot;
use crate::view::{Host, JsView, shown, text_of};

/// A policy, a store and a clock.
#[napi(js_name = "NativeEngine")]
pub struct Engine {
    engine: Arc<Core>,
    hash: Hash,
    watcher: Option<PolicyWatcher>,
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

/// A call in JS terms.
#[napi(object, object_to_js = false)]
pub struct Asked<'e> {
    /// The functions that read values.
    pub probe: Object<'e>,
    /// The tool's name.
    pub tool: JsString<'e>,
    /// The arguments as a value, or as raw JSON text.
    pub args: Unknown<'e>,
    /// Whether `args` is raw JSON text.
    pub raw: bool,
    /// A string, an object, or nothing.
    pub identity: Unknown<'e>,
    /// The approval's key.
    pub approval_key: Option<String>,
    /// The approval's own id.
    pub approval_id: Option<String>,
    /// What the host's clock shows, in milliseconds since the epoch.
    pub now: Option<f64>,
    /// Whether an audit record is wanted.
    pub audit: bool,
}

/// A call whose text was read.
struct Read<'h, 'e> {
    tool: String,
    args: ReadArgs<'h, 'e>,
    identity: ReadIdentity<'h, 'e>,
    approval: Option<(String, String)>,
    now: Option<f64>,
}

enum ReadArgs<'h, 'e> {
    Value(JsView<'h, 'e>),
    Raw(String),
}

enum ReadIdentity<'h, 'e> {
    Absent,
    Id(String),
    Claims(JsView<'h, 'e>),
}

impl<'h, 'e> Read<'h, 'e> {
    fn new(host: &'h Host<'e>, asked: Asked<'e>) -> napi::Result<Self> {
        let mut args = if asked.raw {
            // Half of a surrogate pair is no text, raw or not.
            match text_of(asked.args.coerce_to_string()?) {
                Ok(text) => ReadArgs::Raw(text),
                Err(why) => ReadArgs::Value(host.unreadable(why)),
            }
        } else {
            ReadArgs::Value(host.view(asked.args))
        };
        let tool = match text_of(asked.tool) {
            Ok(tool) => tool,
            // No policy can name it: it is denied by what stands in its place, whatever its arguments are.
            Err(_) => {
                args = ReadArgs::Value(host.unreadable(Unreadable::LoneSurrogate));
                shown(asked.tool)?
            }
        };
        let identity = match asked.identity.get_type()? {
            ValueType::Undefined | ValueType::Null => ReadIdentity::Absent,
            ValueType::String => match text_of(asked.identity.coerce_to_string()?) {
                Ok(id) => ReadIdentity::Id(id),
                Err(why) => ReadIdentity::Claims(host.unreadable(why)),
            },
            _ => ReadIdentity::Claims(host.view(asked.identity)),
        };
        let approval = asked.approval_key.zip(asked.approval_id);
        Ok(Self { tool, args, identity, approval, now: asked.now })
    }

    fn given(&self, audit: Option<Hash>) -> Given<'_, JsView<'h, 'e>, JsView<'h, 'e>> {
        Given {
            tool: &self.tool,
            args: match &self.args {
                ReadArgs::Value(value) => Args::Value(*value),
                ReadArgs::Raw(text) => Args::Raw(text),
            },
            identity: match &self.identity {
                ReadIdentity::Absent => Identity::Absent,
                ReadIdentity::Id(id) => Identity::Id(id),
                ReadIdentity::Claims(claims) => Identity::Claims(*claims),
            },
            approval: self.approval.as_ref().map(|(key, id)| Approval::new(key, id)),
            now: self.now,
            audit,
        }
    }

    /// The call on its own, read whole.
    fn pending(self, engine: Arc<Core>, audit: Option<Hash>) -> Pending {
        Pending {
            engine,
            args: match self.args {
                ReadArgs::Value(value) => OwnedArgs::Value(Snapshot::of(&value)),
                ReadArgs::Raw(text) => OwnedArgs::Raw(text),
            },
            identity: match self.identity {
                ReadIdentity::Absent => OwnedIdentity::Absent,
                ReadIdentity::Id(id) => OwnedIdentity::Id(id),
                ReadIdentity::Claims(claims) => OwnedIdentity::Claims(Snapshot::of(&claims)),
            },
            tool: self.tool,
            approval: self.approval,
            now: self.now,
            audit,
        }
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
        let store = open_store(&settings.store, &options).map_err(|error| failure("store_url", error))?;
        let engine = Core::builder(policy.0.clone())
            .store(store)
            .clock(Arc::new(clock::HostClock))
            .on_store_error(options.on_error())
            .build();
        let hash = match (settings.hash_args, settings.hash_key) {
            (false, _) => Hash::None,
            (true, None) => Hash::Sha256,
            (true, Some(key)) => Hash::HmacSha256(key.as_ref().into()),
        };
        Ok(Self { engine: Arc::new(engine), hash, watcher: None })
    }

    fn audit(&self, wanted: bool) -> Option<Hash> {
        wanted.then(|| self.hash.clone())
    }

    /// Decides a call and charges what it costs.
    #[napi(catch_unwind)]
    pub fn evaluate(&self, env: Env, asked: Asked<'_>) -> napi::Result<Answer> {
        let audit = self.audit(asked.audit);
        let host = Host::new(env, asked.probe);
        let read = Read::new(&host, asked)?;
        Ok(decide(&self.engine, read.given(audit)).answer(&self.engine))
    }

    /// `evaluate` on another thread. The arguments are read whole before it returns.
    #[napi(catch_unwind, ts_return_type = "Promise<Answer>")]
    pub fn evaluate_async(&self, env: Env, asked: Asked<'_>) -> napi::Result<AsyncTask<Pending>> {
        let audit = self.audit(asked.audit);
        let host = Host::new(env, asked.probe);
        let read = Read::new(&host, asked)?;
        Ok(AsyncTask::new(read.pending(self.engine.clone(), audit)))
    }

    /// What would be decided now, and why. Charges nothing.
    #[napi(catch_unwind)]
    pub fn explain(&self, env: Env, asked: Asked<'_>) -> napi::Result<Explained> {
        let host = Host::new(env, asked.probe);
        let read = Read::new(&host, asked)?;
        Ok(explain(&self.engine, read.given(None)))
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

    /// Watches a policy file until `unwatch`.
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

    /// Stops watching.
    #[napi(catch_unwind)]
    pub fn unwatch(&mut self) {
        self.watcher = None;
    }
}
