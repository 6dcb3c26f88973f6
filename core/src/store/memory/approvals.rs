//! The ids of approvals that were spent: each lets one call through (spec 7.3, 7.5).
//!
//! In: an id and the time. Out: whether it was unspent until now. Must not forget an id before
//! [`APPROVAL_DAYS`](crate::ceilings::APPROVAL_DAYS) have passed.

use std::collections::HashMap;

use crate::ceilings::APPROVAL_DAYS;
use crate::time::Timestamp;

/// How long an id is kept, in milliseconds.
const KEPT: i64 = APPROVAL_DAYS.saturating_mul(86_400_000);

/// Spent ids with the time at which each was spent.
#[derive(Default)]
pub(super) struct Approvals {
    spent: HashMap<Box<str>, Timestamp>,
    /// When to search for expired ids. Once in [`KEPT`], so that every id is visited twice at most.
    purge_at: Option<Timestamp>,
}

impl Approvals {
    /// Whether the id was spent before.
    pub(super) fn is_spent(&self, id: &str) -> bool {
        self.spent.contains_key(id)
    }

    /// Spends the id; false if it was spent before.
    pub(super) fn spend(&mut self, id: &str, now: Timestamp) -> bool {
        if self.is_spent(id) {
            return false;
        }
        if now >= *self.purge_at.get_or_insert(now.plus_millis(KEPT)) {
            self.purge(now);
        }
        self.spent.insert(id.into(), now);
        true
    }

    /// Drops expired ids.
    pub(super) fn purge(&mut self, now: Timestamp) {
        self.spent.retain(|_, at| at.as_millis().saturating_add(KEPT) > now.as_millis());
        self.spent.shrink_to(self.spent.len().saturating_mul(2));
        self.purge_at = Some(now.plus_millis(KEPT));
    }
}
