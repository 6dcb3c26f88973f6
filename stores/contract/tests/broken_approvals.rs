//! The clauses about filed calls catch what they are there for: stores with one fault each.

#![expect(clippy::unwrap_used, reason = "a test tells by panicking")]

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use callgate::store::{
    Answered, ApprovalAnswer, ApprovalArgs, ApprovalCall, ApprovalRecord, ApprovalRequest, ApprovalState,
    Approvals, Batch, BatchOutcome, Filed, FiledCall, Grant, Settlement, Store,
};
use callgate::time::Timestamp;
use callgate::{MemoryStore, StoreError};
use callgate_store_contract::approval_clauses;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    FilesEachTime,
    OverlooksTheServer,
    OverlooksTheCase,
    SpendsNothing,
    LetsThroughWhatWasTakenBack,
    NeverEnds,
    EndsEarly,
    AnswersWhatIsNotThere,
    KeepsOneWaiting,
    HasNoCeiling,
    ForgetsWhatStands,
    DropsArguments,
    SharesNamespaces,
    AnswersOnce,
    FilesNoUses,
}

/// Each fault, and the clause that it breaks.
const CAUGHT: [(Fault, &str); 16] = [
    (Fault::FilesEachTime, "a_call_is_filed_once"),
    (Fault::OverlooksTheServer, "another_key_or_server_is_another_record"),
    (Fault::OverlooksTheCase, "another_key_or_server_is_another_record"),
    (Fault::SpendsNothing, "a_grant_lets_one_call_through"),
    (Fault::LetsThroughWhatWasTakenBack, "a_grant_that_is_taken_back_lets_nothing_through"),
    (Fault::LetsThroughWhatWasTakenBack, "a_grant_that_is_replaced_is_used_up"),
    (Fault::FilesNoUses, "a_grant_lets_as_many_calls_through_as_its_rules_say"),
    (Fault::NeverEnds, "a_call_that_nobody_answers_ends_after_a_day"),
    (Fault::EndsEarly, "a_grant_ends_when_it_says"),
    (Fault::AnswersWhatIsNotThere, "what_has_ended_cannot_be_found_or_answered"),
    (Fault::KeepsOneWaiting, "another_key_or_server_is_another_record"),
    (Fault::HasNoCeiling, "a_namespace_holds_so_many_waiting_calls_and_evicts_none"),
    (Fault::ForgetsWhatStands, "forgetting_drops_nothing_that_stands"),
    (Fault::DropsArguments, "arguments_are_kept_as_they_were_filed"),
    (Fault::SharesNamespaces, "namespaces_share_no_filed_calls"),
    (Fault::AnswersOnce, "a_later_answer_takes_the_place_of_an_earlier_one"),
];

static COUNT: AtomicUsize = AtomicUsize::new(0);

struct Broken {
    fault: Fault,
    store: Arc<MemoryStore>,
}

impl Broken {
    fn time(&self, now: Timestamp) -> Timestamp {
        if self.fault == Fault::NeverEnds { Timestamp::MIN } else { now }
    }

    /// The request as this store understands it.
    fn misread(&self, request: &ApprovalRequest) -> ApprovalRequest {
        let mut request = request.clone();
        match self.fault {
            Fault::FilesEachTime => {
                request.call.key.push_str(&COUNT.fetch_add(1, Ordering::Relaxed).to_string());
            }
            Fault::OverlooksTheServer => request.call.server.clear(),
            Fault::OverlooksTheCase => request.call.key.make_ascii_lowercase(),
            Fault::FilesNoUses => request.call.uses = 1,
            Fault::DropsArguments => request.args = ApprovalArgs::Omitted,
            _ => {}
        }
        request
    }
}

impl Store for Broken {
    fn reserve(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        let mut batch = batch.clone();
        match self.fault {
            Fault::SpendsNothing => batch.approval = None,
            // What is spent is known by another name than what an answer spends.
            Fault::LetsThroughWhatWasTakenBack => {
                batch.approval =
                    batch.approval.map(|grant| Grant { id: Cow::Owned(format!("{}!", grant.id)), ..grant });
            }
            _ => {}
        }
        self.store.reserve(&batch, now)
    }

    fn peek(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        self.store.peek(batch, now)
    }

    fn settle(&self, settlements: &[Settlement<'_>], now: Timestamp) -> Result<(), StoreError> {
        self.store.settle(settlements, now)
    }

    fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
        let ahead = if self.fault == Fault::ForgetsWhatStands { 400 * 86_400_000 } else { 0 };
        self.store.purge(now.plus_millis(ahead))
    }
}

impl Approvals for Broken {
    fn file(&self, request: &ApprovalRequest, now: Timestamp) -> Result<Filed, StoreError> {
        let early = i64::from(self.fault == Fault::EndsEarly);
        let (request, now) = (self.misread(request), self.time(now).plus_millis(early));
        let filed = self.store.file(&request, now)?;
        let evicts = match (&filed, self.fault) {
            (Filed::Full, Fault::HasNoCeiling) => 1,
            (Filed::New(_), Fault::KeepsOneWaiting) => usize::MAX,
            _ => 0,
        };
        let own = request.call.place();
        let waits =
            |record: &ApprovalRecord| record.state == ApprovalState::Pending && record.call.place() != own;
        for record in self.store.filed(now)?.into_iter().filter(waits).take(evicts) {
            let at_once = ApprovalAnswer::deny("", std::time::Duration::ZERO);
            self.store.answer(&record.id, &at_once, now)?;
        }
        if filed == Filed::Full { self.store.file(&request, now) } else { Ok(filed) }
    }

    fn filed(&self, now: Timestamp) -> Result<Vec<ApprovalRecord>, StoreError> {
        self.store.filed(self.time(now))
    }

    fn find(&self, id: &str, now: Timestamp) -> Result<Option<FiledCall>, StoreError> {
        self.store.find(id, self.time(now))
    }

    fn answer(&self, id: &str, answer: &ApprovalAnswer, now: Timestamp) -> Result<Answered, StoreError> {
        let now = self.time(now);
        let found = self.store.find(id, now)?.map(|found| found.record);
        match (found, self.fault) {
            (None, Fault::AnswersWhatIsNotThere) => {
                let call = r#"{"key":"","server":"","method":"","tool":null,"caller":null,"rules":[],"policy":"","uses":1}"#;
                let call = ApprovalCall::from_text(call).unwrap();
                Ok(Answered::Done(Box::new(ApprovalRecord::pending(id.to_owned(), call, now))))
            }
            (Some(record), Fault::AnswersOnce) if record.answer.is_some() => {
                Ok(Answered::Done(Box::new(record)))
            }
            _ => self.store.answer(id, answer, now),
        }
    }
}

#[test]
fn every_fault_is_caught_by_the_clause_that_it_breaks() {
    for (fault, name) in CAUGHT {
        let clause = approval_clauses().find(|clause| clause.name() == name).unwrap();
        let all = MemoryStore::new();
        let check = || {
            clause.check(&|namespace| {
                let namespace = if fault == Fault::SharesNamespaces { "one" } else { namespace };
                Box::new(Broken { fault, store: all.namespaced(namespace) })
            });
        };
        assert!(catch_unwind(AssertUnwindSafe(check)).is_err(), "{fault:?} was not caught by {clause:?}");
    }
}
