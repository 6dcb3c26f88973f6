//! The ids of approvals that were used, and how often (spec 7.3, 7.5).
//!
//! In: an id and the time. Out: how many calls it has let through. Must not forget an id before
//! [`APPROVAL_DAYS`](crate::ceilings::APPROVAL_DAYS) have passed.

use std::collections::HashMap;

use crate::ceilings::APPROVAL_DAYS;
use crate::time::Timestamp;

/// How long an id is kept, in milliseconds.
const KEPT: i64 = APPROVAL_DAYS.saturating_mul(86_400_000);

/// Ids that were used, with the time at which each was used last, and how often.
#[derive(Default)]
pub(super) struct Approvals {
    used: HashMap<Box<str>, (Timestamp, u32)>,
    /// When to search for expired ids. Once in [`KEPT`], so that every id is visited twice at most.
    purge_at: Option<Timestamp>,
}

impl Approvals {
    /// How many batches the id has let through.
    pub(super) fn used(&self, id: &str) -> u32 {
        self.used.get(id).map_or(0, |(_, times)| *times)
    }

    /// Uses the id once more.
    pub(super) fn spend(&mut self, id: &str, now: Timestamp) {
        self.add(id, 1, now);
    }

    /// Uses the id up, however often it may be used.
    pub(super) fn use_up(&mut self, id: &str, now: Timestamp) {
        self.add(id, u32::MAX, now);
    }

    fn add(&mut self, id: &str, times: u32, now: Timestamp) {
        if now >= *self.purge_at.get_or_insert(now.plus_millis(KEPT)) {
            self.purge(now);
        }
        let used = self.used(id).saturating_add(times);
        self.used.insert(id.into(), (now, used));
    }

    /// Drops expired ids.
    pub(super) fn purge(&mut self, now: Timestamp) {
        self.used.retain(|_, (at, _)| at.as_millis().saturating_add(KEPT) > now.as_millis());
        self.used.shrink_to(self.used.len().saturating_mul(2));
        self.purge_at = Some(now.plus_millis(KEPT));
    }
}
