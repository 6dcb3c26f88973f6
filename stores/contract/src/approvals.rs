//! Approvals: each lets one call through (spec 7.3, 7.5).

use callgate::store::{Batch, Verdict, Window};

use crate::ledger::*;
use crate::{Subject, group};

group! {
    "7.3" an_approval_is_spent_once,
    "7.3" a_refused_batch_spends_no_approval,
    "7.3" a_spent_approval_charges_nothing,
    "7.3" a_refund_does_not_give_an_approval_back,
    "7.3" approvals_with_different_ids_are_different,
    "7.5" a_spent_approval_is_remembered_for_366_days,
}

fn approved<'p>(id: &'p str, batch: Batch<'p>) -> Batch<'p> {
    Batch { approval: Some(id.into()), ..batch }
}

fn an_approval_is_spent_once(subject: &dyn Subject) {
    let ledger = Ledger::open(subject);
    let batch = approved("ticket", batch([]));
    // Asking spends nothing.
    for _ in 0..2 {
        assert_eq!(ledger.peek(&batch, 0).verdict, Verdict::Reserved);
    }
    assert_eq!(ledger.reserve(&batch, 0).verdict, Verdict::Reserved);
    for now in [0, 1, 40 * DAY] {
        assert_eq!(ledger.peek(&batch, now).verdict, Verdict::ApprovalSpent);
        assert_eq!(ledger.reserve(&batch, now).verdict, Verdict::ApprovalSpent);
    }
}

fn a_refused_batch_spends_no_approval(subject: &dyn Subject) {
    let (ledger, counter) = (Ledger::open(subject), fixed(Window::Minute));
    ledger.charged(&counter, 1, 0);
    let batch = approved("ticket", batch([charge(&counter, 1, 1)]));
    assert_eq!(retry_at(&ledger.reserve(&batch, 1)), Some(MINUTE));
    assert!(taken(&ledger.reserve(&batch, MINUTE)));
    // The bound is reported before the approval.
    assert_eq!(retry_at(&ledger.reserve(&batch, MINUTE + 1)), Some(2 * MINUTE));
    assert_eq!(ledger.reserve(&batch, 2 * MINUTE).verdict, Verdict::ApprovalSpent);
}

fn a_spent_approval_charges_nothing(subject: &dyn Subject) {
    for counter in both() {
        let ledger = Ledger::open(subject);
        let batch = approved("ticket", batch([charge(&counter, 3, 9)]));
        assert!(taken(&ledger.reserve(&batch, 0)));
        let outcome = ledger.reserve(&batch, 1);
        assert_eq!(outcome.verdict, Verdict::ApprovalSpent);
        assert_eq!(outcome.usage[0].used, micros(3));
        assert_eq!(ledger.used(&counter, 2), 3);
    }
}

fn a_refund_does_not_give_an_approval_back(subject: &dyn Subject) {
    let (ledger, counter) = (Ledger::open(subject), fixed(Window::Hour));
    let batch = approved("ticket", batch([charge(&counter, 3, 9)]));
    let stamp = ledger.reserve(&batch, 0).usage[0].stamp;
    ledger.refund(&counter, stamp, 3, 1);
    assert_eq!(ledger.reserve(&batch, 2).verdict, Verdict::ApprovalSpent);
}

fn approvals_with_different_ids_are_different(subject: &dyn Subject) {
    let ledger = Ledger::open(subject);
    let [long, shorter] = [256, 255].map(|length| "x".repeat(length));
    for id in ["a", "A", "a ", "a\0", "é", "e\u{301}", "1", "'", &long, &shorter] {
        assert!(taken(&ledger.reserve(&approved(id, batch([])), 0)), "{id:?}");
    }
    assert!(!taken(&ledger.reserve(&approved("é", batch([])), 1)));
}

fn a_spent_approval_is_remembered_for_366_days(subject: &dyn Subject) {
    let ledger = Ledger::open(subject);
    let batch = approved("ticket", batch([]));
    assert!(taken(&ledger.reserve(&batch, 0)));
    for now in [DAY, 100 * DAY, 366 * DAY - 1] {
        ledger.purge(now);
        assert_eq!(ledger.reserve(&batch, now).verdict, Verdict::ApprovalSpent);
    }
}
