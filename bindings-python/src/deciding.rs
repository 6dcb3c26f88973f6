//! From a call to its decision as a Python object, and to those who hear of it.
//!
//! In: a call, and what is known of its tool. Out: the decision: one that was made before, if there is one like it. Must make
//! nothing that such a call does not need: nearly all calls end here.

use callgate::{Call, View};
use pyo3::prelude::*;

use crate::audit::About;
use crate::decision::Decision;
use crate::engine::Engine;
use crate::in_force::InForce;
use crate::known::Known;

impl Engine {
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
                    self.parts.clock.check()?;
                    self.parts.observer.tell_at(made.level, made.decision.bind(py), None)?;
                    return Ok(made.decision.clone_ref(py));
                }
                decided.decision()
            }
            None => self.core().complete(in_force.policy().evaluate(call)),
        };
        let about = self.about(&decision, call);
        self.finish_by(py, in_force, known, decision, about)
    }

    /// [`Engine::decide`] in a function of its own, for calls that are not to take the room of the others.
    #[inline(never)]
    pub(crate) fn decide_rarer<A: View, I: View>(
        &self,
        py: Python<'_>,
        in_force: &InForce,
        known: Option<&Known>,
        call: &Call<'_, A, I>,
    ) -> PyResult<Py<Decision>> {
        self.decide(py, in_force, known, call)
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
