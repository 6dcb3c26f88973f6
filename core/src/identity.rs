//! Who calls, as the host vouches for it (spec 3.3, 9).

use crate::view::View;

/// The identity of a call: absent, an id, or an object of claims.
///
/// It must come from what the host has verified, never from the call's arguments or anything else that the agent sets.
///
/// ```
/// use callgate::Identity;
/// let alice = Identity::new("alice");
/// let claims = serde_json::json!({"id": "alice", "grant": "g-7", "roles": ["admin"]});
/// let grant = Identity::claims(&claims);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Identity<'i, V = &'i serde_json::Value> {
    /// Nobody is known.
    #[default]
    Absent,
    /// The same as the object `{"id": …}`.
    Id(&'i str),
    /// An object with `id`, `grant`, `session`, `roles` and whatever else the policy names (spec 9.1).
    Claims(V),
}

impl<'i> Identity<'i> {
    /// Somebody who is known by an id alone.
    pub fn new(id: &'i str) -> Self {
        Self::Id(id)
    }

    /// Nobody is known.
    pub fn absent() -> Self {
        Self::Absent
    }
}

impl<'i, V: View> Identity<'i, V> {
    /// An object of claims. Any other value denies every call (`invalid_identity`).
    pub fn claims(claims: V) -> Self {
        Self::Claims(claims)
    }
}
