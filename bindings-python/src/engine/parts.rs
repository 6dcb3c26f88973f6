//! The parts of an engine, and how a decision becomes a Python object.
//!
//! In: a decision of core. Out: the Python object, after the logger and the host's callback were called.

use std::sync::Arc;

use callgate::__binding::{Target, call_of};
use callgate::store::AsyncStore;
use callgate::time::Timestamp;
use callgate::value::{RawJson, View};
use callgate::{Call, Identity, OnStoreError};
use callgate_host::{Begun, Observed};
use pyo3::prelude::*;

use super::clock::ChosenClock;
use super::hook::Hook;
use super::observer::Observer;
use crate::cache::{CachedDecision, CurrentPolicy, PolicyCache, ToolCache};
use crate::decision::{About, Decision, Finisher};
use crate::live::LiveEngine;
use crate::store::Handle;

/// What an engine consists of.
pub(super) struct EngineParts {
    pub(super) engine: Arc<LiveEngine>,
    pub(super) current: CurrentPolicy,
    pub(super) finisher: Py<Finisher>,
    pub(super) on_store_error: OnStoreError,
    pub(super) clock: ChosenClock,
    pub(super) observer: Observer,
    pub(super) warnings: Hook,
}

impl EngineParts {
    pub(super) fn core(&self) -> &callgate::Engine {
        self.engine.core()
    }

    pub(super) fn store(&self) -> &Handle {
        self.engine.store()
    }

    /// The face of the store that does not block, if it has one, and the time for what it is asked.
    pub(super) fn unblocking(&self) -> Option<(Arc<dyn AsyncStore>, Timestamp)> {
        let store = self.engine.unblocking()?;
        Some((store, self.clock.clock.now()))
    }

    /// What the record says of the call, if a record is to be made.
    pub(super) fn about<A: View, I: View>(
        &self,
        decision: &callgate::Decision<'_>,
        call: &Call<'_, A, I>,
    ) -> Option<Box<About>> {
        let observer = &self.observer;
        observer.listens().then(|| Box::new(About::new(decision, call, &observer.hash)))
    }

    /// [`EngineParts::about`] for arguments that are raw JSON text.
    pub(super) fn about_json<I: View>(
        &self,
        decision: &callgate::Decision<'_>,
        target: Target<'_>,
        text: &str,
        identity: Identity<'_, I>,
    ) -> Option<Box<About>> {
        if !self.observer.listens() {
            return None;
        }
        match RawJson::parse(text) {
            Ok(raw) => self.about(decision, &call_of(target, raw.root()).identity(identity)),
            // No object, so it has no keys and no hash.
            Err(_) => self.about(decision, &call_of(target, &serde_json::Value::Null).identity(identity)),
        }
    }

    /// Tells of a decision that was made before.
    #[inline(always)]
    pub(super) fn repeat(&self, py: Python<'_>, cached: &CachedDecision) -> PyResult<Py<Decision>> {
        self.clock.check()?;
        cached.level.log(cached.decision.bind(py))?;
        Ok(cached.decision.clone_ref(py))
    }

    /// Makes a decision by the policy in force a Python object, or finds the cached one, and reports it.
    #[inline(never)]
    pub(super) fn conclude(
        &self,
        py: Python<'_>,
        (policy, tool): (&PolicyCache, Option<&ToolCache>),
        decision: callgate::Decision<'_>,
        about: Option<Box<About>>,
    ) -> PyResult<Py<Decision>> {
        self.clock.check()?;
        let decision = policy.decision(py, &self.finisher, tool, decision)?;
        self.observer.tell(&decision, about)?;
        Ok(decision.unbind())
    }

    /// [`EngineParts::conclude`] for a decision by a policy that may not be in force any more.
    pub(super) fn conclude_late(
        &self,
        py: Python<'_>,
        decision: callgate::Decision<'static>,
        (about, begun): (Option<Box<About>>, Option<Box<Begun>>),
    ) -> PyResult<Py<Decision>> {
        self.clock.check()?;
        let observed = begun.map(|begun| begun.decided(Some(&decision)));
        self.conclude_observed(py, decision, about, observed)
    }

    /// The same for a decision of which a candidate may say something.
    pub(super) fn conclude_observed(
        &self,
        py: Python<'_>,
        decision: callgate::Decision<'static>,
        about: Option<Box<About>>,
        observed: Option<Observed>,
    ) -> PyResult<Py<Decision>> {
        let decision = match observed {
            None => Decision::new(py, &self.finisher, decision),
            observed => {
                Decision::observed_by(py, Finisher { engine: self.engine.clone(), observed }, decision)?
            }
        };
        let decision = Bound::new(py, decision)?;
        self.observer.tell(&decision, about)?;
        Ok(decision.unbind())
    }
}
