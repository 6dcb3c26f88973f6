//! Calls that wait for approval, in the memory of this process (spec 7.7 to 7.12).
//!
//! In: a call, or a person's answer, with the time and which approvals are spent. Out: the record. Must not keep a record that
//! has ended once another call is filed: it holds arguments.

use std::collections::BTreeMap;

use super::MemoryStore;
use super::approvals::Approvals as SpentIds;
use crate::ceilings::{FILED_APPROVALS, PENDING_APPROVALS};
use crate::store::error::StoreError;
use crate::store::{
    Answered, ApprovalAnswer, ApprovalRecord, ApprovalRequest, ApprovalState, Approvals, Filed, FiledCall,
    new_approval_id,
};
use crate::time::Timestamp;

/// The records, by their places.
#[derive(Default)]
pub(super) struct FiledCalls(BTreeMap<String, FiledCall>);

impl FiledCalls {
    pub(super) fn file(&mut self, request: &ApprovalRequest, spent: &SpentIds, now: Timestamp) -> Filed {
        let place = request.call.place();
        if let Some(found) = self.0.get(&place).and_then(|filed| standing(filed, spent, now))
            && found.state != ApprovalState::Used
        {
            return Filed::Found(Box::new(found));
        }
        self.0.remove(&place);
        self.purge(now);
        let pending = self.0.values().filter(|filed| filed.record.state == ApprovalState::Pending).count();
        if pending >= PENDING_APPROVALS || self.0.len() >= FILED_APPROVALS {
            return Filed::Full;
        }
        let mut id = new_approval_id();
        while self.0.values().any(|filed| filed.record.id == id) {
            id = new_approval_id();
        }
        let record = ApprovalRecord::pending(id, request.call.clone(), now);
        self.0.insert(place, FiledCall { record: record.clone(), args: request.args.clone() });
        Filed::New(Box::new(record))
    }

    pub(super) fn standing(&self, spent: &SpentIds, now: Timestamp) -> Vec<ApprovalRecord> {
        let mut all: Vec<_> = self.0.values().filter_map(|filed| standing(filed, spent, now)).collect();
        all.sort_by(|one, other| (one.filed_at, &one.id).cmp(&(other.filed_at, &other.id)));
        all
    }

    pub(super) fn find(&self, id: &str, spent: &SpentIds, now: Timestamp) -> Option<FiledCall> {
        let filed = self.0.values().find(|filed| filed.record.id == id)?;
        Some(FiledCall { record: standing(filed, spent, now)?, args: filed.args.clone() })
    }

    pub(super) fn answer(
        &mut self,
        id: &str,
        answer: &ApprovalAnswer,
        spent: &mut SpentIds,
        now: Timestamp,
    ) -> Answered {
        let Some(filed) = self.0.values_mut().find(|filed| filed.record.id == id) else {
            return Answered::Unknown;
        };
        let Some(found) = standing(filed, spent, now) else { return Answered::Unknown };
        if found.state == ApprovalState::Used {
            return Answered::Used(Box::new(found));
        }
        if let Some(granted) = found.approval_id() {
            spent.use_up(&granted, now);
        }
        filed.record = found.answered(answer, now);
        Answered::Done(Box::new(filed.record.clone()))
    }

    /// Drops what has ended.
    pub(super) fn purge(&mut self, now: Timestamp) {
        self.0.retain(|_, filed| filed.record.until > now);
    }
}

impl Approvals for MemoryStore {
    fn file(&self, request: &ApprovalRequest, now: Timestamp) -> Result<Filed, StoreError> {
        let mut calls = self.calls();
        Ok(calls.file(request, &self.spent(), now))
    }

    fn filed(&self, now: Timestamp) -> Result<Vec<ApprovalRecord>, StoreError> {
        let calls = self.calls();
        Ok(calls.standing(&self.spent(), now))
    }

    fn find(&self, id: &str, now: Timestamp) -> Result<Option<FiledCall>, StoreError> {
        let calls = self.calls();
        Ok(calls.find(id, &self.spent(), now))
    }

    fn answer(&self, id: &str, answer: &ApprovalAnswer, now: Timestamp) -> Result<Answered, StoreError> {
        let mut calls = self.calls();
        Ok(calls.answer(id, answer, &mut self.spent(), now))
    }
}

/// The record as it stands; `None` if it has ended.
fn standing(filed: &FiledCall, spent: &SpentIds, now: Timestamp) -> Option<ApprovalRecord> {
    let record = filed.record.clone();
    if record.until <= now {
        return None;
    }
    let is_spent = record.approval_id().is_some_and(|id| spent.used(&id) >= record.call.uses);
    Some(if is_spent { record.spent() } else { record })
}
