//! Calls that wait for a person's approval, in a store that was opened once (spec 7.7 to 7.12).
//!
//! In: what a store is asked about filed calls. Out: what the store of this process says. Must not do anything once the store is closed.

use std::sync::Arc;

use callgate::StoreError;
use callgate::store::{
    Answered, ApprovalAnswer, ApprovalRecord, ApprovalRequest, Approvals, Filed, FiledCall,
};
use callgate::time::Timestamp;

use super::{Face, SharedStore};

impl SharedStore {
    /// The calls that wait for approval in this namespace, for callers that may wait.
    pub fn approvals(&self) -> Arc<dyn Approvals> {
        self.face.clone()
    }

    /// The same, for callers that must not block; none for memory, which never waits.
    #[cfg(feature = "async")]
    pub fn approvals_nonblocking(&self) -> Option<Arc<dyn callgate::store::AsyncApprovals>> {
        if self.is_in_memory() { None } else { Some(self.face.clone()) }
    }

    /// The namespaces of this store in which calls are filed; `None` where the store cannot tell: in memory, and in Redis, where a
    /// user may see one namespace alone.
    ///
    /// # Errors
    /// [`StoreError`] where the store is closed, or cannot be read.
    pub fn filed_namespaces(&self) -> Result<Option<Vec<String>>, StoreError> {
        self.face.check()?;
        self.face.shared.source.filed_namespaces()
    }
}

impl Approvals for Face {
    fn file(&self, request: &ApprovalRequest, now: Timestamp) -> Result<Filed, StoreError> {
        self.ask(|faces| faces.approvals.file(request, now))
    }

    fn filed(&self, now: Timestamp) -> Result<Vec<ApprovalRecord>, StoreError> {
        self.ask(|faces| faces.approvals.filed(now))
    }

    fn find(&self, id: &str, now: Timestamp) -> Result<Option<FiledCall>, StoreError> {
        self.ask(|faces| faces.approvals.find(id, now))
    }

    fn answer(&self, id: &str, answer: &ApprovalAnswer, now: Timestamp) -> Result<Answered, StoreError> {
        self.ask(|faces| faces.approvals.answer(id, answer, now))
    }
}

#[cfg(feature = "async")]
impl callgate::store::AsyncApprovals for Face {
    fn file<'f>(
        &'f self,
        request: &'f ApprovalRequest,
        now: Timestamp,
    ) -> callgate::store::StoreFuture<'f, Filed> {
        Box::pin(async move {
            let none = || StoreError::permanent("calls in memory are filed at once").certainly_undone();
            let faces = self.ask(|faces| faces.async_approvals.clone().ok_or_else(none))?;
            faces.file(request, now).await
        })
    }
}
