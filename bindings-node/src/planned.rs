//! What is called, under a policy, in an engine.
//!
//! In: the name of a tool or of another method, and the engine. Out: what every way to decide such a call needs, and the decisions of
//! packed ones. Must not decide anything itself.

use std::sync::Arc;

use callgate::__binding::{BindEngine as _, BindPolicy as _, Target};
use callgate::value::Unreadable;
use callgate::{Decision, Engine, OnStoreError, Policy};
use callgate_host::{Observer, SharedStore};
use napi::{JsString, JsValue as _};

use crate::call::Hash;
use crate::failure::{Failure, failure};
use crate::raw::Bytes;
use crate::view::{JsView, shown, text_of};

/// A store that calls wait for without blocking, and what becomes of a call when it fails.
#[derive(Clone)]
pub(crate) struct Unblocking {
    pub(crate) store: SharedStore,
    pub(crate) on_error: OnStoreError,
}

/// What is called, under a policy, in an engine.
#[derive(Clone)]
pub(crate) struct Planned {
    pub(crate) engine: Arc<Engine>,
    pub(crate) policy: Policy,
    pub(crate) observer: Arc<Observer>,
    /// The tool's, or the method's.
    name: Arc<str>,
    is_tool: bool,
    pub(crate) unblocking: Option<Unblocking>,
    hash: Hash,
    is_text: bool,
}

impl Planned {
    pub(crate) fn new(
        (engine, observer): (Arc<Engine>, Arc<Observer>),
        unblocking: Option<Unblocking>,
        hash: Hash,
        name: JsString<'_>,
        is_tool: bool,
    ) -> napi::Result<Self> {
        let (name, is_text) = match text_of(name.to_unknown()) {
            Ok(text) => (text, true),
            Err(_) => (shown(name)?, false),
        };
        let policy = engine.policy();
        Ok(Self { engine, policy, observer, name: name.into(), is_tool, unblocking, hash, is_text })
    }

    pub(crate) fn target(&self) -> Target<'_> {
        if self.is_tool { Target::Tool(&self.name) } else { Target::Method(&self.name) }
    }

    /// Arguments of such a call. A name that is not text cannot be in a policy: the call is denied by what stands in its
    /// place, whatever its arguments are.
    pub(crate) fn judged<'h, 'e>(&self, args: JsView<'h, 'e>) -> JsView<'h, 'e> {
        if self.is_text { args } else { args.unreadable(Unreadable::LoneSurrogate) }
    }

    pub(crate) fn is_in_force(&self) -> bool {
        self.engine.is_in_force(&self.policy)
    }

    pub(crate) fn audit(&self, wanted: bool) -> Option<Hash> {
        wanted.then(|| self.hash.clone())
    }

    pub(crate) fn unpack(&self, Bytes(packed): &Bytes) -> Result<Decision<'_>, Failure> {
        let decision = self.policy.unpack(self.target(), packed);
        decision.ok_or_else(|| failure("internal", "a decision of another package's build"))
    }

    pub(crate) fn charges(&self, packed: &Bytes) -> Result<callgate::Reservation, Failure> {
        let charges = self.unpack(packed)?.take_reservation();
        charges.ok_or_else(|| failure("finished", "nothing was charged"))
    }
}
