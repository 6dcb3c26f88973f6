//! The store's native class.
//!
//! In: a URL and the settings of a host. Out: counters of a namespace, for engines and for operators. Must never repeat the URL: it may
//! hold a password.

use std::time::Duration;

use callgate::OnStoreError;
use callgate::time::{Clock as _, Timestamp};
use callgate_host::{OpenError, SharedStore, StoreOptions, open_store};
use napi::bindgen_prelude::Either;
use napi::{Env, Unknown};
use napi_derive::napi;

use crate::clock;
use crate::counters::{Asking, LiveCounter, Question};
use crate::failure::{Failure, failure, parts, store_failure};
use crate::filing::{AtDesk, Desk};
use crate::promise::carried;

/// A store that is open, in one of its namespaces.
#[napi(js_name = "NativeStore")]
pub struct Store(pub(crate) SharedStore);

/// How a store is opened; checked by the TypeScript half.
#[napi(object)]
pub struct StoreSettings {
    /// Prefix of the counters in a shared store.
    pub namespace: Option<String>,
    /// How long a call waits for its store, in milliseconds.
    pub timeout: Option<f64>,
    /// Whether one that cannot be reached yet is no error.
    pub may_be_away: bool,
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
impl Store {
    /// Opens the store that a URL names.
    #[napi(factory, catch_unwind)]
    pub fn open(url: String, settings: StoreSettings) -> Result<Self, Failure> {
        let on_error = if settings.may_be_away { OnStoreError::Allow } else { OnStoreError::Deny };
        let mut options = StoreOptions::new().with_on_error(on_error);
        if let Some(namespace) = settings.namespace {
            options = options.with_namespace(namespace);
        }
        if let Some(millis) = settings.timeout {
            options = options.with_timeout(Duration::from_millis(millis as u64));
        }
        open_store(&url, &options).map(Self).map_err(|error| not_opened(&error))
    }

    /// The counters of another namespace.
    #[napi(catch_unwind)]
    pub fn namespaced(&self, name: String) -> Result<Self, Failure> {
        self.0.namespaced(&name).map(Self).map_err(|error| store_failure(&error))
    }

    /// The namespace.
    #[napi(getter, catch_unwind)]
    pub fn namespace(&self) -> String {
        self.0.namespace().to_owned()
    }

    /// `memory`, `sqlite` or `redis`.
    #[napi(getter, catch_unwind)]
    pub fn kind(&self) -> String {
        self.0.kind().to_owned()
    }

    /// Whether asking it never waits.
    #[napi(getter, catch_unwind)]
    pub fn immediate(&self) -> bool {
        self.0.is_in_memory()
    }

    /// Forgets what no call can see any more; tells how many counters were dropped.
    #[napi(catch_unwind)]
    pub fn purge(&self, now: Option<f64>) -> Result<f64, Failure> {
        self.0.blocking().purge(shown(now)).map(count).map_err(|error| store_failure(&error))
    }

    /// `purge` without blocking on the store: the number, or the code and the message of what went wrong.
    #[napi(catch_unwind, ts_return_type = "Promise<number | [code: string, message: string]>")]
    pub fn purge_async<'e>(&self, env: &'e Env, now: Option<f64>) -> Result<Unknown<'e>, Failure> {
        let (at, call, store) = (shown(now), self.0.for_call(), self.0.blocking());
        let purge = async move {
            match call {
                Some(store) => store.purge(at).await,
                // Counters in memory.
                None => store.purge(at),
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

    /// The calls that wait for approval, or were answered: those, or the code and the message of what went wrong.
    #[napi(catch_unwind, ts_return_type = "Promise<FiledRecord[] | [code: string, message: string]>")]
    pub fn filed<'e>(&self, env: &'e Env, now: Option<f64>) -> Result<Unknown<'e>, Failure> {
        self.at_desk(Desk::List, now).promise(env)
    }

    /// The one with an id, with its arguments, if there is one, likewise.
    #[napi(catch_unwind, ts_return_type = "Promise<FiledRecord[] | [code: string, message: string]>")]
    pub fn find_filed<'e>(&self, env: &'e Env, id: String, now: Option<f64>) -> Result<Unknown<'e>, Failure> {
        self.at_desk(Desk::Find(id), now).promise(env)
    }

    /// Grants or denies it, likewise.
    #[napi(catch_unwind, ts_return_type = "Promise<FiledRecord[] | [code: string, message: string]>")]
    pub fn answer_filed<'e>(
        &self,
        env: &'e Env,
        id: String,
        grants: bool,
        by: String,
        lasts: Option<f64>,
        now: Option<f64>,
    ) -> Result<Unknown<'e>, Failure> {
        let lasts = lasts.map(|millis| Duration::from_millis(millis as u64));
        self.at_desk(Desk::Answer { id, grants, by, lasts }, now).promise(env)
    }

    /// Closes the store with all of its namespaces, if it is the one that was opened; else this one alone.
    #[napi(catch_unwind)]
    pub fn close(&self) {
        self.0.close();
    }
}

impl Store {
    fn at_desk(&self, desk: Desk, now: Option<f64>) -> AtDesk {
        AtDesk { approvals: self.0.approvals(), desk, now: shown(now) }
    }

    fn asking(&self, question: Question, now: Option<f64>) -> Asking {
        Asking { store: self.0.blocking(), question, now: shown(now) }
    }
}

/// What the caller's clock shows, or the machine's.
fn shown(now: Option<f64>) -> Timestamp {
    clock::at(now, || clock::HostClock.now())
}
