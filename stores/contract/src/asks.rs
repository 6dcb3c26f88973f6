//! Conditions that ask for an approval, decided inside the atomic step (spec 6.7, 7.3).

use callgate::store::{Batch, Bound, Counter, Guard, GuardMode, Test, Verdict, Window};

use crate::ledger::*;
use crate::{Subject, group};

group! {
    "6.7" a_condition_asks_with_the_charge_added,
    "6.7" a_condition_asks_of_other_counters_as_they_stand,
    "6.7" a_condition_asks_if_all_of_its_tests_hold,
    "6.7" every_condition_that_asks_is_named,
    "6.7" a_refusal_is_told_before_a_condition_asks,
    "6.6" a_look_says_which_conditions_ask,
    "6.7" an_approved_batch_is_charged_where_a_condition_asks,
    "7.3" what_nobody_asks_about_spends_no_approval,
}

const ABOVE: [(i64, i64); 1] = [(6, i64::MAX)];

/// A charge of one that asks where the counter then holds more than five.
fn careful(counter: &Counter) -> Batch<'_> {
    guarded([charge(counter, 1, i64::MAX)], GuardMode::AskAll, &[(0, &ABOVE)])
}

fn a_condition_asks_with_the_charge_added(subject: &dyn Subject) {
    for counter in both() {
        let ledger = Ledger::open(subject);
        for now in 0..8 {
            let expected = if now < 5 { Verdict::Reserved } else { asks([0]) };
            let asked = ledger.peek(&careful(&counter), now);
            assert_eq!(asked.verdict, expected, "at {now}");
            assert_eq!(ledger.reserve(&careful(&counter), now), asked);
            // Nothing is charged while it asks, and the outcome shows what stands.
            assert_eq!(asked.usage[0].used.as_micros(), (now + 1).min(5));
            assert_eq!(ledger.used(&counter, now), (now + 1).min(5));
        }
    }
}

fn a_condition_asks_of_other_counters_as_they_stand(subject: &dyn Subject) {
    let ledger = Ledger::open(subject);
    let [charged, looked_at] = both();
    let batch = || guarded([charge(&charged, 1, 9), read(&looked_at)], GuardMode::AskAll, &[(1, &[(2, 9)])]);
    // An unused counter reads 0.
    assert!(taken(&ledger.reserve(&batch(), 0)));
    ledger.charged(&looked_at, 1, 1);
    assert!(taken(&ledger.reserve(&batch(), 2)));
    ledger.charged(&looked_at, 1, 3);
    assert_eq!(ledger.reserve(&batch(), 4).verdict, asks([0]));
    assert_eq!([ledger.used(&charged, 5), ledger.used(&looked_at, 5)], [2, 2]);
}

fn a_condition_asks_if_all_of_its_tests_hold(subject: &dyn Subject) {
    let [one, other] = both();
    let (holds, fails) = ([(0_i64, 9)], [(10_i64, i64::MAX)]);
    for (first, second, acts) in
        [(holds, holds, true), (holds, fails, false), (fails, holds, false), (fails, fails, false)]
    {
        let ledger = Ledger::open(subject);
        let slots = [charge(&one, 1, i64::MAX), charge(&other, 1, i64::MAX)];
        let batch = guarded(slots, GuardMode::AskAll, &[(0, &first), (1, &second)]);
        let expected = if acts { asks([0]) } else { Verdict::Reserved };
        assert_eq!(ledger.peek(&batch, 0).verdict, expected);
        assert_eq!(ledger.reserve(&batch, 0).verdict, expected);
        let held = i64::from(!acts);
        assert_eq!([ledger.used(&one, 0), ledger.used(&other, 0)], [held, held]);
    }
    // A test without ranges never holds.
    let never = guarded([charge(&one, 1, 9)], GuardMode::AskAll, &[(0, &[])]);
    assert!(taken(&Ledger::open(subject).reserve(&never, 0)));
}

fn every_condition_that_asks_is_named(subject: &dyn Subject) {
    let ledger = Ledger::open(subject);
    let [fixed, sliding] = both();
    let (any, none) = ([(0, i64::MAX)], [(7, 7)]);
    let guard = |mode, slot, ranges| Guard { mode, tests: [Test { slot, ranges }].into(), order: 3 };
    let mut batch = batch([charge(&fixed, 1, 9), charge(&sliding, 1, 9)]);
    batch.guards.push(guard(GuardMode::RequireAll, 0, &any));
    batch.guards.push(guard(GuardMode::AskAll, 1, &any));
    batch.guards.push(guard(GuardMode::AskAll, 0, &none));
    batch.guards.push(guard(GuardMode::RefuseAll, 0, &none));
    batch.guards.push(guard(GuardMode::AskAll, 0, &any));
    assert_eq!(ledger.reserve(&batch, 0).verdict, asks([1, 4]));
    assert_eq!(ledger.peek(&batch, 0).verdict, asks([1, 4]));
    assert_eq!(ledger.held(1), []);
}

fn a_refusal_is_told_before_a_condition_asks(subject: &dyn Subject) {
    for counter in both() {
        let ledger = Ledger::open(subject);
        ledger.charged(&counter, 5, 0);
        // Its maximum refuses, then another condition.
        let mut batch = careful(&counter);
        batch.slots[0].max = micros(5);
        let outcome = ledger.reserve(&batch, 1);
        assert_eq!((refusals(&outcome)[0].bound, retry_at(&outcome)), (Bound::Max(0), Some(HOUR)));
        batch.slots[0].max = micros(9);
        let test = Test { slot: 0, ranges: &ABOVE };
        batch.guards.push(Guard { mode: GuardMode::RefuseAll, tests: [test].into(), order: 1 });
        batch.approval = Some("ticket".into());
        let outcome = ledger.reserve(&batch, 1);
        assert_eq!((refusals(&outcome)[0].bound, retry_at(&outcome)), (Bound::Guard(1), Some(HOUR)));
        // Which spends no approval.
        let approved = Batch { approval: Some("ticket".into()), ..careful(&counter) };
        assert!(taken(&ledger.reserve(&approved, 2)));
        assert_eq!(ledger.used(&counter, 3), 6);
    }
}

fn a_look_says_which_conditions_ask(subject: &dyn Subject) {
    for counter in both() {
        let ledger = Ledger::open(subject);
        let look = || Batch { asks: true, ..careful(&counter) };
        for (amount, expected) in [(4, asks([])), (1, asks([0]))] {
            ledger.charged(&counter, amount, 0);
            for outcome in [ledger.reserve(&look(), 1), ledger.peek(&look(), 1)] {
                assert_eq!(outcome.verdict, expected);
                assert_eq!(outcome.usage[0], ledger.usage(&counter, 1));
            }
        }
        let mut refused = look();
        refused.slots[0].max = micros(5);
        assert_eq!(refusals(&ledger.peek(&refused, 2))[0].bound, Bound::Max(0));
        assert_eq!(refusals(&ledger.reserve(&refused, 2))[0].bound, Bound::Max(0));
        assert_eq!(ledger.used(&counter, 3), 5);
    }
}

fn an_approved_batch_is_charged_where_a_condition_asks(subject: &dyn Subject) {
    for counter in both() {
        let ledger = Ledger::open(subject);
        ledger.charged(&counter, 5, 0);
        let approved = || Batch { approval: Some("ticket".into()), ..careful(&counter) };
        // Asking spends nothing.
        assert_eq!(ledger.peek(&approved(), 1).verdict, Verdict::Reserved);
        let outcome = ledger.reserve(&approved(), 1);
        assert_eq!((&outcome.verdict, outcome.usage[0].used), (&Verdict::Reserved, micros(6)));
        for outcome in [ledger.peek(&approved(), 2), ledger.reserve(&approved(), 2)] {
            assert_eq!((&outcome.verdict, outcome.usage[0].used), (&Verdict::ApprovalSpent, micros(6)));
        }
        assert_eq!(ledger.used(&counter, 3), 6);
        // A rule that asks whatever the counters are needs no other approval beside it.
        let both = Batch { approval: Some("other".into()), asks: true, ..careful(&counter) };
        assert!(taken(&ledger.reserve(&both, 4)));
        assert_eq!(ledger.reserve(&both, 5).verdict, Verdict::ApprovalSpent);
    }
}

fn what_nobody_asks_about_spends_no_approval(subject: &dyn Subject) {
    let (ledger, counter) = (Ledger::open(subject), fixed(Window::Hour));
    let approved = || Batch { approval: Some("ticket".into()), ..careful(&counter) };
    for now in 0..5 {
        assert!(taken(&ledger.reserve(&approved(), now)));
    }
    // A batch without a condition that asks needs none either.
    let plain = Batch { approval: Some("ticket".into()), ..batch([charge(&counter, 1, 9)]) };
    assert!(taken(&ledger.reserve(&plain, 6)));
    // It is all there when something asks; and once it is spent, what nobody asks about goes on.
    assert!(taken(&ledger.reserve(&approved(), 7)));
    assert_eq!(ledger.reserve(&approved(), 8).verdict, Verdict::ApprovalSpent);
    assert!(taken(&ledger.reserve(&plain, 9)));
    assert_eq!(ledger.used(&counter, 10), 8);
}
