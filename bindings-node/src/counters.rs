//! Listing and resetting the counters of a store (spec 8.12).
//!
//! In: a store, and which of its counters. Out: plain objects, each with a key that names its counter again. Decides nothing.

use std::sync::Arc;

use callgate::StoreError;
use callgate::store::{self, CounterId, Counters, Owner, ScopeValue};
use callgate::time::Timestamp;
use callgate_host::{counter_key, counter_of_key};
use napi::bindgen_prelude::Either;
use napi::{Env, JsValue as _, Task, Unknown};
use napi_derive::napi;

use crate::failure::{Failure, failure, parts, store_failure};

/// A counter that holds something.
#[napi(object, object_from_js = false)]
pub struct LiveCounter {
    /// Names the counter and its scope value, in every process that shares the store.
    pub key: String,
    /// The key in `tools`; none for `all_tools`.
    pub entry: Option<String>,
    /// Its name.
    pub counter: String,
    /// What it counts by.
    pub scope: String,
    /// For whom it counts, as `callgate counters list` shows it.
    pub scope_value: String,
    /// Its window, as a policy writes it.
    pub window: String,
    /// `fixed` or `sliding`.
    pub algorithm: String,
    /// What it holds.
    pub used: String,
    /// When it holds nothing any more if nothing else happens, in milliseconds since the epoch; absent for never.
    pub resets_at: Option<f64>,
}

impl From<store::LiveCounter> for LiveCounter {
    fn from(live: store::LiveCounter) -> Self {
        let key = counter_key(&live);
        let store::LiveCounter { counter, scope, used, resets_at } = live;
        Self {
            key,
            entry: match counter.owner() {
                Owner::Tool(name) => Some(name.to_string()),
                _ => None,
            },
            counter: counter.name().to_owned(),
            scope: counter.scope().to_owned(),
            scope_value: scope.to_string(),
            window: counter.window().to_string(),
            algorithm: counter.algorithm().name().to_owned(),
            used: used.to_string(),
            resets_at: (resets_at < Timestamp::MAX).then(|| resets_at.as_millis() as f64),
        }
    }
}

/// What is asked of the counters.
pub(crate) enum Question {
    List,
    Reset(CounterId, ScopeValue),
}

/// The counters, or whether one held something.
type Answer = Either<Vec<LiveCounter>, bool>;

impl Question {
    /// A reset of the counter that `key` names.
    pub(crate) fn reset(key: &str) -> Result<Self, Failure> {
        let (id, scope) = counter_of_key(key)
            .ok_or_else(|| failure("invalid_counter", "a counter is one of those that `counters` lists"))?;
        Ok(Self::Reset(id, scope))
    }

    fn ask(&self, store: &dyn Counters, now: Timestamp) -> Result<Answer, StoreError> {
        match self {
            Self::List => {
                let mut live = Vec::new();
                store.each(now, &mut |held| live.push(LiveCounter::from(held)))?;
                Ok(Either::A(live))
            }
            Self::Reset(counter, scope) => store.reset(*counter, scope, now).map(Either::B),
        }
    }
}

/// A question to a store, on the thread that asks or on another.
pub(crate) struct Asking {
    pub(crate) store: Arc<dyn Counters>,
    pub(crate) question: Question,
    pub(crate) now: Timestamp,
}

impl Asking {
    pub(crate) fn ask(&self) -> Result<Answer, Failure> {
        self.question.ask(&*self.store, self.now).map_err(|error| store_failure(&error))
    }

    /// The promise of the answer, or of the code and the message of what went wrong.
    pub(crate) fn promise(self, env: &Env) -> Result<Unknown<'_>, Failure> {
        let promise = env.spawn(self).map(|task| task.promise_object().to_unknown());
        promise.map_err(|error| failure("internal", error.reason))
    }
}

impl Task for Asking {
    type Output = Either<Answer, Vec<String>>;
    type JsValue = Either<Answer, Vec<String>>;

    fn compute(&mut self) -> napi::Result<Self::Output> {
        Ok(match self.ask() {
            Ok(answer) => Either::A(answer),
            Err(failed) => Either::B(parts(failed)),
        })
    }

    fn resolve(&mut self, _env: Env, output: Self::Output) -> napi::Result<Self::JsValue> {
        Ok(output)
    }
}
