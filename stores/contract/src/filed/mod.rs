//! Calls that wait for a person's approval: filed once, found, answered, and used once (spec 7.7 to 7.12, 8.15).
//!
//! In: a function that gives handles of one store. Out: a panic where it breaks a clause. Must not go by a clock: the store takes
//! the time that it is given.

mod answers;
mod records;

use callgate::ceilings::{FILED_APPROVALS, FILED_ARGUMENT_BYTES, PENDING_APPROVALS};
use callgate::store::{
    Answered, ApprovalAnswer, ApprovalArgs, ApprovalCall, ApprovalRecord, ApprovalRequest, ApprovalState,
    Approvals, Batch, Filed, FiledCall, Grant, Store, Verdict,
};
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use crate::ledger::*;
use crate::threads::together;

/// A store of both: batches spend what is granted.
pub trait ApprovalStore: Store + Approvals {}

impl<S: Store + Approvals + ?Sized> ApprovalStore for S {}

/// Gives handles of one store by the names of namespaces: printable ASCII without spaces and braces. Each handle may be another
/// connection.
pub type OpenApprovals<'o> = &'o (dyn Fn(&str) -> Box<dyn ApprovalStore> + Sync);

/// One thing that a store of filed calls promises, and its test.
#[derive(Clone, Copy)]
pub struct ApprovalClause {
    name: &'static str,
    spec: &'static str,
    check: fn(OpenApprovals<'_>),
}

impl ApprovalClause {
    /// What it says, as the name of a function.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The clause of the language that it comes from, such as `7.8`.
    pub fn spec(&self) -> &'static str {
        self.spec
    }

    /// Tests it.
    ///
    /// # Panics
    /// Where the store breaks it.
    pub fn check(&self, open: OpenApprovals<'_>) {
        (self.check)(open);
    }
}

impl fmt::Debug for ApprovalClause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (spec {})", self.name, self.spec)
    }
}

macro_rules! clauses {
    ($($spec:literal $part:ident::$name:ident,)*) => {
        /// Every clause about filed calls.
        pub fn approval_clauses() -> impl Iterator<Item = ApprovalClause> {
            [$(ApprovalClause { name: stringify!($name), spec: $spec, check: $part::$name }),*].into_iter()
        }
    };
}

clauses! {
    "7.7" records::a_call_is_filed_once,
    "7.7" records::another_key_or_server_is_another_record,
    "7.7" records::what_was_filed_is_shown_as_it_was,
    "7.7" records::threads_that_file_one_call_get_one_record,
    "7.8" answers::a_grant_lets_one_call_through,
    "7.8" answers::a_denied_call_stays_denied_until_the_denial_ends,
    "7.8" answers::a_later_answer_takes_the_place_of_an_earlier_one,
    "7.8" answers::a_grant_that_is_taken_back_lets_nothing_through,
    "7.8" answers::what_was_used_is_not_answered_any_more,
    "7.8" answers::threads_use_a_grant_once,
    "7.8" answers::a_grant_lets_as_many_calls_through_as_its_rules_say,
    "7.8" answers::a_grant_that_is_replaced_is_used_up,
    "7.9" answers::a_used_grant_is_shown_as_used_and_its_call_filed_anew,
    "7.10" records::a_call_that_nobody_answers_ends_after_a_day,
    "7.10" answers::a_grant_ends_when_it_says,
    "7.10" records::what_has_ended_cannot_be_found_or_answered,
    "7.10" records::forgetting_drops_nothing_that_stands,
    "7.11" records::a_namespace_holds_so_many_waiting_calls_and_evicts_none,
    "7.11" records::a_namespace_holds_so_many_records_and_evicts_none,
    "7.12" records::arguments_are_kept_as_they_were_filed,
    "8.15" records::namespaces_share_no_filed_calls,
}

/// Tests every clause about filed calls.
///
/// # Panics
/// Where the store breaks one, at the first.
pub fn check_approvals(open: OpenApprovals<'_>) {
    for clause in approval_clauses() {
        clause.check(open);
    }
}

/// Handles of one namespace that nothing was filed in before, asked in turn.
struct Desk {
    one: Box<dyn ApprovalStore>,
    other: Box<dyn ApprovalStore>,
}

impl Desk {
    fn open(open: OpenApprovals<'_>) -> Self {
        let name = fresh_name();
        Self { one: open(&name), other: open(&name) }
    }

    fn file(&self, request: &ApprovalRequest, now: i64) -> Filed {
        self.one.file(request, at(now)).unwrap()
    }

    fn filed(&self, request: &ApprovalRequest, now: i64) -> ApprovalRecord {
        match self.file(request, now) {
            Filed::New(record) => *record,
            filed => panic!("a call that is not there was not filed: {filed:?}"),
        }
    }

    fn found(&self, request: &ApprovalRequest, now: i64) -> ApprovalRecord {
        match self.file(request, now) {
            Filed::Found(record) => *record,
            filed => panic!("a call that is there was not found: {filed:?}"),
        }
    }

    /// The record as the other handle lists it.
    fn listed(&self, id: &str, now: i64) -> Option<ApprovalRecord> {
        self.all(now).into_iter().find(|record| record.id == id)
    }

    fn all(&self, now: i64) -> Vec<ApprovalRecord> {
        self.other.filed(at(now)).unwrap()
    }

    fn find(&self, id: &str, now: i64) -> Option<FiledCall> {
        self.other.find(id, at(now)).unwrap()
    }

    fn answer(&self, id: &str, answer: &ApprovalAnswer, now: i64) -> Answered {
        self.other.answer(id, answer, at(now)).unwrap()
    }

    /// Answers a record that must be there.
    fn done(&self, id: &str, answer: &ApprovalAnswer, now: i64) -> ApprovalRecord {
        match self.answer(id, answer, now) {
            Answered::Done(record) => *record,
            answered => panic!("an answer was not taken: {answered:?}"),
        }
    }

    /// Whether a batch may still spend the approval.
    fn spend(&self, record: &ApprovalRecord, now: i64) -> bool {
        let id = record.approval_id().expect("the record is a grant");
        let grant = Grant { uses: record.call.uses, ..(&*id).into() };
        let batch = Batch { approval: Some(grant), asks: true, ..Batch::default() };
        self.one.reserve(&batch, at(now)).unwrap().verdict == Verdict::Reserved
    }
}

fn call(key: &str, server: &str) -> ApprovalCall {
    let text = r#"{"method": "tools/call", "tool": "pay", "caller": "alice", "rules": ["big"], "policy": "sha256:00", "uses": 1}"#;
    let mut call = format!("{{\"key\": \"{key}\", \"server\": \"{server}\", ");
    call.push_str(text.trim_start_matches('{'));
    ApprovalCall::from_text(&call).expect("a call as stores keep it")
}

fn request(key: &str) -> ApprovalRequest {
    ApprovalRequest { call: call(key, "bank"), args: ApprovalArgs::full("{\"to\":\"bob\"}") }
}

/// A call whose approval lets so many through.
fn repeated(key: &str, uses: u32) -> ApprovalRequest {
    let mut request = request(key);
    request.call.uses = uses;
    request
}

fn grant(lasts: i64) -> ApprovalAnswer {
    ApprovalAnswer::grant("carol", Duration::from_millis(lasts as u64))
}

fn denial(lasts: i64) -> ApprovalAnswer {
    ApprovalAnswer::deny("dave", Duration::from_millis(lasts as u64))
}
