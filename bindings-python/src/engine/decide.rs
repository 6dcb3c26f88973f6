//! Calls of any form, decided and explained.
//!
//! In: what is called, arguments as Python objects or as raw JSON text, and what the host passed beside them. Out: decisions and
//! explanations as Python objects, or a call that waits.

use std::sync::Arc;

use callgate::__binding::{BindEngine as _, Target};
use callgate::Call;
use callgate_host::{Begun, Observed};
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::args_check::{ArgsCheck, core_check};
use super::call::{GivenApproval, host_call};
use super::parts::EngineParts;
use super::pending::{PendingArgs, begin};
use crate::cache::ToolCache;
use crate::decision::{Decision, Explanation};
use crate::values::{Budget, Caller, PyView, RootValue};

/// Text that no parser accepts, in place of arguments that are not Unicode text: core gives the reason.
const LONE_SURROGATE: &str = "\"\\ud800\"";

/// What a host passes beside the arguments.
#[derive(Clone, Copy)]
pub(super) struct Beside<'c, 'py> {
    pub(super) identity: Option<&'c Bound<'py, PyAny>>,
    pub(super) approved: Option<&'c Bound<'py, PyAny>>,
    pub(super) check: Option<&'c Bound<'py, ArgsCheck>>,
    /// The name of the server that the call goes to.
    pub(super) server: Option<&'c str>,
}

/// Arguments, or params of another method.
#[derive(Clone, Copy)]
pub(super) enum Args<'c, 'py> {
    Value(Option<&'c Bound<'py, PyAny>>),
    Json(&'c Bound<'py, PyString>),
}

/// Shows a call to a candidate, with a budget of its own.
fn shown<'py, R>(
    target: Target<'_>,
    args: Args<'_, 'py>,
    beside: Beside<'_, 'py>,
    value: impl FnOnce(&Call<'_, PyView<'_, 'py>, PyView<'_, 'py>>) -> R,
    json: impl FnOnce(&Call<'_, &str, PyView<'_, 'py>>) -> R,
) -> PyResult<R> {
    let (approval, budget) = (GivenApproval::new(beside.approved)?, Budget::new());
    let (caller, check) = (Caller::new(beside.identity), core_check(beside.check));
    let identity = caller.identity(&budget);
    Ok(match args {
        Args::Value(args) => {
            let args = RootValue::new(args, None, &budget);
            value(&host_call(target, args.view(&budget), identity, approval.as_ref(), check, beside.server))
        }
        Args::Json(text) => {
            json(&host_call(target, unicode(text), identity, approval.as_ref(), check, beside.server))
        }
    })
}

fn unicode<'c>(text: &'c Bound<'_, PyString>) -> &'c str {
    text.to_str().unwrap_or(LONE_SURROGATE)
}

impl EngineParts {
    /// Decides a call of a tool, which is cached or is from now on, and charges what it costs.
    #[inline(always)]
    pub(super) fn evaluate<'py>(
        &self,
        py: Python<'py>,
        tool: &Bound<'py, PyString>,
        given: Option<&Bound<'py, PyAny>>,
        beside: Beside<'_, 'py>,
    ) -> PyResult<Py<Decision>> {
        let policy = self.current.get(py, &self.engine)?;
        let (policy, name) = (policy.get(), tool.to_str()?);
        let tool = policy.tool(py, name);
        let (approval, budget) = (GivenApproval::new(beside.approved)?, Budget::new());
        let args = RootValue::new(given, tool.map(ToolCache::names), &budget);
        let (caller, check) = (Caller::new(beside.identity), core_check(beside.check));
        let (target, identity) = (Target::Tool(name), caller.identity(&budget));
        let call = host_call(target, args.view(&budget), identity, approval.as_ref(), check, beside.server);
        let decision = match tool {
            Some(tool) => {
                let decided = self.core().decide_by_tool(tool.tool(), &call);
                if !self.observer.listens()
                    && let Some(cached) = decided.cache_key().and_then(|key| tool.cached(py, key))
                {
                    return self.repeat(py, cached);
                }
                decided.decision()
            }
            None if policy.is_observed() => return self.decide(py, target, Args::Value(given), beside),
            None => self.core().complete(policy.policy().evaluate(&call)),
        };
        let about = self.about(&decision, &call);
        self.conclude(py, (policy, tool), decision, about)
    }

    /// Decides a call of any form and charges what it costs.
    pub(super) fn decide<'py>(
        &self,
        py: Python<'py>,
        target: Target<'_>,
        args: Args<'_, 'py>,
        beside: Beside<'_, 'py>,
    ) -> PyResult<Py<Decision>> {
        let (approval, budget) = (GivenApproval::new(beside.approved)?, Budget::new());
        let (caller, check) = (Caller::new(beside.identity), core_check(beside.check));
        let identity = || caller.identity(&budget);
        let policy = self.current.get(py, &self.engine)?;
        let policy = policy.get();
        let (decision, about) = match args {
            Args::Value(args) => {
                let args = RootValue::new(args, None, &budget);
                let call = host_call(
                    target,
                    args.view(&budget),
                    identity(),
                    approval.as_ref(),
                    check,
                    beside.server,
                );
                let decision = self.core().complete(policy.policy().evaluate(&call));
                let about = self.about(&decision, &call);
                (decision, about)
            }
            Args::Json(text) => {
                let text = unicode(text);
                let call = host_call(target, text, identity(), approval.as_ref(), check, beside.server);
                let decision = self.core().complete(policy.policy().evaluate_json(&call));
                let about = self.about_json(&decision, target, text, identity());
                (decision, about)
            }
        };
        if policy.is_observed() {
            self.clock.check()?;
            let observed = self.observed(target, args, beside, &decision)?;
            return self.conclude_observed(py, decision.into_owned(), about, observed);
        }
        let tool = match target {
            Target::Tool(tool) => policy.tool(py, tool),
            Target::Method(_) => None,
        };
        self.conclude(py, (policy, tool), decision, about)
    }

    /// What a candidate says of a call that was decided.
    fn observed(
        &self,
        target: Target<'_>,
        args: Args<'_, '_>,
        beside: Beside<'_, '_>,
        decision: &callgate::Decision<'_>,
    ) -> PyResult<Option<Observed>> {
        let observer = self.engine.observer();
        shown(
            target,
            args,
            beside,
            |call| observer.decided(call, Some(decision)),
            |call| observer.decided_json(call, Some(decision)),
        )
    }

    /// What a candidate says of a call that is yet to be decided.
    fn begun(
        &self,
        target: Target<'_>,
        args: Args<'_, '_>,
        beside: Beside<'_, '_>,
    ) -> PyResult<Option<Box<Begun>>> {
        let observer = self.engine.observer();
        if observer.candidate().is_none() {
            return Ok(None);
        }
        let begun =
            shown(target, args, beside, |call| observer.begin(call), |call| observer.begin_json(call))?;
        Ok(begun.map(Box::new))
    }

    /// The first half of a decision that is awaited: the decision, or what waits for the store.
    pub(super) fn begin<'py>(
        self: &Arc<Self>,
        py: Python<'py>,
        target: Target<'_>,
        args: Args<'_, 'py>,
        beside: Beside<'_, 'py>,
    ) -> PyResult<Py<PyAny>> {
        if self.engine.is_in_memory() {
            return self.decide(py, target, args, beside).map(Py::into_any);
        }
        let (approval, budget) = (GivenApproval::new(beside.approved)?, Budget::new());
        let (caller, check) = (Caller::new(beside.identity), core_check(beside.check));
        let beside = (approval, check, beside.server, self.begun(target, args, beside)?);
        match args {
            Args::Value(args) => {
                let args = RootValue::new(args, None, &budget);
                begin(py, self, target, &PendingArgs::Read(&args), (&caller, &budget), beside)
            }
            Args::Json(text) => {
                begin(py, self, target, &PendingArgs::Json(unicode(text)), (&caller, &budget), beside)
            }
        }
    }

    /// What would be decided now, with every check that leads to it. Charges nothing.
    pub(super) fn explain<'py>(
        &self,
        py: Python<'py>,
        target: Target<'_>,
        args: Args<'_, 'py>,
        beside: Beside<'_, 'py>,
    ) -> PyResult<Explanation> {
        let (approval, budget) = (GivenApproval::new(beside.approved)?, Budget::new());
        let (caller, check) = (Caller::new(beside.identity), core_check(beside.check));
        let identity = caller.identity(&budget);
        let found = match args {
            Args::Value(args) => {
                let args = RootValue::new(args, None, &budget);
                let call =
                    host_call(target, args.view(&budget), identity, approval.as_ref(), check, beside.server);
                self.core().explain(&call)
            }
            Args::Json(text) => self.core().explain_json(&host_call(
                target,
                unicode(text),
                identity,
                approval.as_ref(),
                check,
                beside.server,
            )),
        };
        self.clock.check()?;
        let decision = Py::new(py, Decision::uncharged(py, found.decision.into_owned()))?;
        Explanation::new(py, decision, found.checks)
    }
}
