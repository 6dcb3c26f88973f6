//! Approvals: each lets so many calls through, and for so long (spec 7.2, 7.3, 7.5).

use callgate::store::{Batch, Grant, GuardMode, Verdict, Window};

use crate::ledger::*;
use crate::{Subject, TimeKept, group};

group! {
    "7.3" an_approval_is_spent_once,
    "7.3" a_refused_batch_spends_no_approval,
    "7.3" a_spent_approval_charges_nothing,
    "7.3" a_refund_does_not_give_an_approval_back,
    "7.3" approvals_with_different_ids_are_different,
    "7.3" an_approval_lets_through_as_many_as_it_says,
    "7.3" only_what_is_taken_uses_an_approval,
    "7.3" uses_are_those_of_the_id,
    "7.2" an_approval_holds_for_its_time,
    "7.2" an_approval_that_does_not_hold_is_none,
    "7.2" an_approval_holds_by_the_time_of_the_batch,
    "7.5" a_spent_approval_is_remembered_for_366_days,
    "7.5" uses_are_remembered_for_366_days,
}

fn approved<'p>(id: &'p str, batch: Batch<'p>) -> Batch<'p> {
    Batch { approval: Some(id.into()), asks: true, ..batch }
}

/// A batch that a rule asks about, with an approval that lets through so many.
fn granted<'p>(id: &'p str, uses: u32, batch: Batch<'p>) -> Batch<'p> {
    Batch { approval: Some(Grant { uses, ..id.into() }), asks: true, ..batch }
}

/// The same with one that was given and ends then.
fn given<'p>(id: &'p str, from: i64, ends: i64, batch: Batch<'p>) -> Batch<'p> {
    Batch { approval: Some(Grant { holds: Some((at(from), at(ends))), ..id.into() }), asks: true, ..batch }
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

fn an_approval_lets_through_as_many_as_it_says(subject: &dyn Subject) {
    for counter in both() {
        let ledger = Ledger::open(subject);
        let batch = granted("ticket", 3, batch([charge(&counter, 2, 99)]));
        for n in 1..4 {
            // Asking uses nothing.
            assert_eq!(ledger.peek(&batch, n).verdict, Verdict::Reserved);
            assert_eq!(ledger.peek(&batch, n).verdict, Verdict::Reserved);
            let outcome = ledger.reserve(&batch, n);
            assert_eq!((&outcome.verdict, outcome.usage[0].used), (&Verdict::Reserved, micros(2 * n)));
        }
        for outcome in [ledger.peek(&batch, 4), ledger.reserve(&batch, 4)] {
            assert_eq!(outcome.verdict, Verdict::ApprovalSpent);
        }
        assert_eq!(ledger.used(&counter, 5), 6);
        assert_eq!(ledger.reserve(&batch, 40 * DAY).verdict, Verdict::ApprovalSpent);
    }
}

fn only_what_is_taken_uses_an_approval(subject: &dyn Subject) {
    let (ledger, counter) = (Ledger::open(subject), fixed(Window::Hour));
    let ranges = [(3, 9)];
    let guard = |mode| guarded([charge(&counter, 1, 4)], mode, &[(0, &ranges)]);
    let with = |asks, batch| Batch { asks, ..granted("ticket", 2, batch) };
    // What nobody asks about, what a condition refuses, and what a maximum refuses.
    assert!(taken(&ledger.reserve(&with(false, guard(GuardMode::AskAll)), 0)));
    assert!(!taken(&ledger.reserve(&with(true, guard(GuardMode::RequireAll)), 1)));
    assert!(!taken(&ledger.reserve(&with(true, batch([charge(&counter, 1, 1)])), 2)));
    assert!(taken(&ledger.reserve(&with(false, guard(GuardMode::AskAll)), 3)));
    // One that a condition asks about, one that a rule asks about; then there is none left.
    assert!(taken(&ledger.reserve(&with(false, guard(GuardMode::AskAll)), 4)));
    assert!(taken(&ledger.reserve(&with(true, batch([])), 5)));
    assert_eq!(ledger.reserve(&with(false, guard(GuardMode::AskAll)), 6).verdict, Verdict::ApprovalSpent);
    assert_eq!(ledger.used(&counter, 7), 3);
}

fn uses_are_those_of_the_id(subject: &dyn Subject) {
    let ledger = Ledger::open(subject);
    let used = |id, uses, now| ledger.reserve(&granted(id, uses, batch([])), now).verdict;
    assert_eq!(used("ticket", 3, 0), Verdict::Reserved);
    assert_eq!(used("ticket", 1, 1), Verdict::ApprovalSpent);
    assert_eq!(used("ticket", 2, 2), Verdict::Reserved);
    assert_eq!(used("ticket", 2, 3), Verdict::ApprovalSpent);
    assert_eq!(used("ticket", 3, 4), Verdict::Reserved);
    assert_eq!(used("ticket", 3, 5), Verdict::ApprovalSpent);
    for n in 0..5 {
        assert_eq!(used("other", 5, 6 + n), Verdict::Reserved);
    }
    assert_eq!(used("other", 5, 20), Verdict::ApprovalSpent);
}

fn an_approval_holds_for_its_time(subject: &dyn Subject) {
    // Given ten minutes in, for an hour.
    let (given_at, ends) = (10 * MINUTE, 70 * MINUTE);
    for (now, holds) in [
        (0, false),
        (given_at - MINUTE - 1, false),
        // A minute ahead is as far as clocks differ.
        (given_at - MINUTE, true),
        (given_at, true),
        (ends - 1, true),
        (ends, false),
        (ends + DAY, false),
    ] {
        let (ledger, counter) = (Ledger::open(subject), fixed(Window::Hour));
        let approved = || given("ticket", given_at, ends, batch([charge(&counter, 1, 9)]));
        let expected = if holds { Verdict::Reserved } else { asks([]) };
        assert_eq!(ledger.peek(&approved(), now).verdict, expected, "{now}");
        assert_eq!(ledger.reserve(&approved(), now).verdict, expected, "{now}");
        assert_eq!(ledger.used(&counter, now), i64::from(holds), "{now}");
        // It was used where it held, and only there.
        let without = Batch { approval: Some("ticket".into()), ..approved() };
        let expected = if holds { Verdict::ApprovalSpent } else { Verdict::Reserved };
        assert_eq!(ledger.reserve(&without, now).verdict, expected, "{now}");
    }
}

fn an_approval_that_does_not_hold_is_none(subject: &dyn Subject) {
    let (ledger, counter) = (Ledger::open(subject), fixed(Window::Hour));
    let ranges = [(3, 9)];
    let careful = || guarded([charge(&counter, 1, 4)], GuardMode::AskAll, &[(0, &ranges)]);
    let late = |asks, batch| Batch { asks, ..given("ticket", 0, 5, batch) };
    // What nobody asks about needs none.
    for now in [6, 7] {
        assert!(taken(&ledger.reserve(&late(false, careful()), now)));
    }
    assert_eq!(ledger.reserve(&late(false, careful()), 8).verdict, asks([0]));
    assert_eq!(ledger.reserve(&late(true, careful()), 8).verdict, asks([0]));
    // Not that it was used up is what is told of it.
    assert!(taken(&ledger.reserve(&Batch { approval: Some("ticket".into()), asks: true, ..batch([]) }, 9)));
    assert_eq!(ledger.reserve(&late(true, batch([])), 10).verdict, asks([]));
    // A bound is told before.
    assert!(!refusals(&ledger.reserve(&late(true, batch([charge(&counter, 1, 2)])), 11)).is_empty());
    assert_eq!(ledger.used(&counter, 12), 2);
}

fn an_approval_holds_by_the_time_of_the_batch(subject: &dyn Subject) {
    if subject.time_kept() != TimeKept::Store {
        return;
    }
    // A clock behind does not make an approval last.
    let (ledger, counter) = (Ledger::open(subject), fixed(Window::Hour));
    ledger.charged(&counter, 1, DAY);
    assert_eq!(ledger.reserve(&given("ticket", 0, DAY, batch([])), HOUR).verdict, asks([]));
    assert!(taken(&ledger.reserve(&given("ticket", 0, DAY + 1, batch([])), HOUR)));
    // One that was given an hour ahead of the caller was not given ahead of the batch.
    assert!(taken(&ledger.reserve(&given("other", DAY + MINUTE, 2 * DAY, batch([])), HOUR)));
}

fn uses_are_remembered_for_366_days(subject: &dyn Subject) {
    let ledger = Ledger::open(subject);
    let batch = granted("ticket", 2, batch([]));
    for now in [0, 200 * DAY] {
        assert!(taken(&ledger.reserve(&batch, now)));
    }
    for now in [201 * DAY, 366 * DAY - 1] {
        ledger.purge(now);
        assert_eq!(ledger.reserve(&batch, now).verdict, Verdict::ApprovalSpent);
    }
}
