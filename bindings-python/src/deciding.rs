//! From a call to its decision as a Python object, and to those who hear of it.
//!
//! In: a call, and what is known of its tool. Out: the decision: one that was made before, if there is one like it. Must make
//! nothing that such a call does not need: nearly all calls end here.

use callgate::value::View;
use callgate::{Call, Identity};
use pyo3::prelude::*;

use crate::audit::About;
use crate::decision::Decision;
use crate::engine::Engine;
use crate::in_force::InForce;
use crate::known::{Known, Made};
use crate::root::Root;
use crate::view::{Budget, PyView};

impl Engine {
    /// Tells of a decision that was made before.
    #[inline(always)]
    fn tell_made(&self, py: Python<'_>, made: &Made) -> PyResult<Py<Decision>> {
        self.parts.clock.check()?;
        self.parts.observer.tell_at(made.level, made.decision.bind(py), None)?;
        Ok(made.decision.clone_ref(py))
    }

    /// Decides a call of a tool that is known, by nobody or by an id. Takes nothing that lies in several words of memory: a view
    /// that is handed on is written in parts and read whole.
    #[inline(never)]
    pub(crate) fn decide_by_id(
        &self,
        py: Python<'_>,
        in_force: &InForce,
        known: &Known,
        root: &Root<'_, '_>,
        id: Option<&str>,
    ) -> PyResult<Py<Decision>> {
        root.look_ahead();
        let budget = Budget::new();
        let identity: Identity<'_, PyView<'_, '_>> = id.map_or(Identity::Absent, Identity::Id);
        let call = Call::new(known.tool().name(), PyView::root(root, &budget)).identity(identity);
        self.decide(py, in_force, Some(known), &call)
    }

    #[inline(always)]
    pub(crate) fn decide<A: View, I: View>(
        &self,
        py: Python<'_>,
        in_force: &InForce,
        known: Option<&Known>,
        call: &Call<'_, A, I>,
    ) -> PyResult<Py<Decision>> {
        let decision = match known {
            Some(known) => {
                let decided = self.core().decide_by_tool(known.tool(), call);
                if !self.parts.observer.listens()
                    && let Some(made) = decided.likeness().and_then(|likeness| known.made(py, likeness))
                {
                    return self.tell_made(py, made);
                }
                decided.decision()
            }
            None => self.core().complete(in_force.policy().evaluate(call)),
        };
        let about = self.about(&decision, call);
        self.finish_by(py, in_force, known, decision, about)
    }

    /// What the record says of the call, if a record is to be made.
    pub(crate) fn about<A: View, I: View>(
        &self,
        decision: &callgate::Decision<'_>,
        call: &Call<'_, A, I>,
    ) -> Option<Box<About>> {
        let observer = &self.parts.observer;
        observer.listens().then(|| Box::new(About::new(decision, call, &observer.hash)))
    }

    /// Makes the decision a Python object and tells of it.
    pub(crate) fn finish(
        &self,
        py: Python<'_>,
        decision: callgate::Decision<'static>,
        about: Option<Box<About>>,
    ) -> PyResult<Py<Decision>> {
        self.parts.clock.check()?;
        let decision = Bound::new(py, Decision::new(py, &self.parts.finisher, decision))?;
        self.parts.observer.tell(&decision, about)?;
        Ok(decision.unbind())
    }

    /// [`Engine::finish`] for a decision by the policy in force, which may have been made before.
    #[inline(never)]
    pub(crate) fn finish_by(
        &self,
        py: Python<'_>,
        in_force: &InForce,
        known: Option<&Known>,
        decision: callgate::Decision<'_>,
        about: Option<Box<About>>,
    ) -> PyResult<Py<Decision>> {
        self.parts.clock.check()?;
        let decision = in_force.decision(py, &self.parts.finisher, known, decision)?;
        self.parts.observer.tell(&decision, about)?;
        Ok(decision.unbind())
    }
}
