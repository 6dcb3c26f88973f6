//! Answers: what they let through, and for how long (spec 7.8 to 7.10).

use super::*;

pub(super) fn a_grant_lets_one_call_through(open: OpenApprovals<'_>) {
    let desk = Desk::open(open);
    let record = desk.filed(&request("k"), 0);
    let granted = desk.done(&record.id, &grant(HOUR), 1);
    assert_eq!((granted.state, granted.until), (ApprovalState::Granted, at(1 + HOUR)));
    assert_eq!(granted.answer, Some(("carol".to_owned(), at(1))));
    let found = desk.found(&request("k"), 2);
    assert_eq!(found, granted);
    assert!(desk.spend(&found, 3));
    assert!(!desk.spend(&found, 4));
}

pub(super) fn a_denied_call_stays_denied_until_the_denial_ends(open: OpenApprovals<'_>) {
    let desk = Desk::open(open);
    let record = desk.filed(&request("k"), 0);
    let denied = desk.done(&record.id, &denial(HOUR), 1);
    assert_eq!((denied.state, denied.approval_id()), (ApprovalState::Denied, None));
    assert_eq!(denied.answer, Some(("dave".to_owned(), at(1))));
    for now in [1, HOUR] {
        assert_eq!(desk.found(&request("k"), now), denied);
    }
    assert_ne!(desk.filed(&request("k"), HOUR + 1).id, record.id);
}

pub(super) fn a_later_answer_takes_the_place_of_an_earlier_one(open: OpenApprovals<'_>) {
    let desk = Desk::open(open);
    let id = desk.filed(&request("k"), 0).id;
    desk.done(&id, &denial(HOUR), 1);
    let granted = desk.done(&id, &grant(2 * HOUR), 2);
    assert_eq!(desk.found(&request("k"), 3), granted);
    assert_eq!((granted.state, granted.until), (ApprovalState::Granted, at(2 + 2 * HOUR)));
    let again = desk.done(&id, &grant(DAY), 4);
    assert_eq!(again.until, at(4 + DAY));
    assert_eq!(desk.found(&request("k"), 5), again);
    assert!(desk.spend(&again, 6));
}

pub(super) fn a_grant_that_is_taken_back_lets_nothing_through(open: OpenApprovals<'_>) {
    let desk = Desk::open(open);
    let id = desk.filed(&request("k"), 0).id;
    desk.done(&id, &grant(HOUR), 1);
    // A call has found the grant, and has not spent it yet.
    let found = desk.found(&request("k"), 2);
    let denied = desk.done(&id, &denial(HOUR), 3);
    assert!(!desk.spend(&found, 4), "a grant that was taken back let a call through");
    assert_eq!(desk.found(&request("k"), 5), denied);
    // It is granted again after all.
    let granted = desk.done(&id, &grant(HOUR), 6);
    assert_eq!(desk.found(&request("k"), 7), granted);
    assert!(!desk.spend(&found, 8));
    assert!(desk.spend(&granted, 9));
}

pub(super) fn what_was_used_is_not_answered_any_more(open: OpenApprovals<'_>) {
    let desk = Desk::open(open);
    let id = desk.filed(&request("k"), 0).id;
    let granted = desk.done(&id, &grant(HOUR), 1);
    assert!(desk.spend(&granted, 2));
    let used = granted.spent();
    for answer in [denial(HOUR), grant(HOUR)] {
        assert_eq!(desk.answer(&id, &answer, 3), Answered::Used(Box::new(used.clone())));
        assert_eq!(desk.listed(&id, 3), Some(used.clone()));
    }
}

pub(super) fn threads_use_a_grant_once(open: OpenApprovals<'_>) {
    let name = fresh_name();
    let stores = [open(&name), open(&name)];
    for round in 0..10 {
        let now = at(round);
        let request = request(&format!("k{round}"));
        let Filed::New(record) = stores[0].file(&request, now).unwrap() else { panic!("it is there") };
        let Answered::Done(record) = stores[1].answer(&record.id, &grant(HOUR), now).unwrap() else {
            panic!("it is not there")
        };
        let id = record.approval_id().unwrap();
        // Half of them use it, and half of them take it back.
        let passed = together(|thread| {
            let store = &stores[thread / 2 % 2];
            if thread % 2 == 0 {
                let batch = Batch { approval: Some((&*id).into()), asks: true, ..Batch::default() };
                return i64::from(store.reserve(&batch, now).unwrap().verdict == Verdict::Reserved);
            }
            match store.answer(&record.id, &denial(HOUR), now).unwrap() {
                // INVARIANT: once a denial is told, no call passes. So one that passed was told as used.
                Answered::Done(_) => 100,
                Answered::Used(_) => 0,
                Answered::Unknown => panic!("the record is there"),
            }
        });
        assert!(passed == 1 || passed == 400, "{passed}: used and taken back");
    }
}

pub(super) fn a_used_grant_is_shown_as_used_and_its_call_filed_anew(open: OpenApprovals<'_>) {
    let desk = Desk::open(open);
    let id = desk.filed(&request("k"), 0).id;
    let granted = desk.done(&id, &grant(HOUR), 1);
    assert!(desk.spend(&granted, 2));
    let used = granted.spent();
    assert_eq!(used.state, ApprovalState::Used);
    assert_eq!(desk.all(3), vec![used.clone()]);
    assert_eq!(desk.find(&id, 3).map(|found| found.record), Some(used));
    let anew = desk.filed(&request("k"), 4);
    assert_eq!((anew.state, anew.filed_at), (ApprovalState::Pending, at(4)));
    assert_ne!(anew.id, id);
    assert_eq!(desk.all(5), [anew]);
    assert_eq!(desk.find(&id, 5), None);
}

pub(super) fn a_grant_ends_when_it_says(open: OpenApprovals<'_>) {
    let desk = Desk::open(open);
    for (round, lasts) in (0..).zip([MINUTE, 40 * DAY]) {
        let (request, now) = (request(&format!("k{round}")), round);
        let id = desk.filed(&request, now).id;
        let granted = desk.done(&id, &grant(lasts), now);
        assert_eq!(desk.found(&request, now + lasts - 1), granted);
        assert_eq!(desk.filed(&request, now + lasts).state, ApprovalState::Pending);
    }
}

pub(super) fn a_grant_lets_as_many_calls_through_as_its_rules_say(open: OpenApprovals<'_>) {
    let desk = Desk::open(open);
    let request = repeated("k", 3);
    let id = desk.filed(&request, 0).id;
    let granted = desk.done(&id, &grant(HOUR), 1);
    assert_eq!(granted.call.uses, 3);
    for now in 2..5 {
        // Still granted, to whoever looks.
        assert_eq!(desk.found(&request, now), granted);
        assert_eq!(desk.listed(&id, now).as_ref(), Some(&granted));
        assert_eq!(desk.find(&id, now).map(|found| found.record).as_ref(), Some(&granted));
        assert!(desk.spend(&granted, now));
    }
    assert!(!desk.spend(&granted, 5));
    let used = granted.spent();
    assert_eq!(desk.all(5), std::slice::from_ref(&used));
    assert_eq!(desk.answer(&id, &denial(HOUR), 6), Answered::Used(Box::new(used)));
    let anew = desk.filed(&request, 7);
    assert_eq!((anew.state, anew.call.uses), (ApprovalState::Pending, 3));
    assert_ne!(anew.id, id);
}

pub(super) fn a_grant_that_is_replaced_is_used_up(open: OpenApprovals<'_>) {
    let desk = Desk::open(open);
    let request = repeated("k", 5);
    let id = desk.filed(&request, 0).id;
    // However often it could still be used, and whatever takes its place.
    let first = desk.done(&id, &grant(HOUR), 1);
    assert!(desk.spend(&first, 2) && desk.spend(&first, 3));
    let second = desk.done(&id, &grant(HOUR), 4);
    assert!(!desk.spend(&first, 5), "a grant that was replaced let a call through");
    assert_eq!(desk.found(&request, 5), second);
    assert!(desk.spend(&second, 6));
    let denied = desk.done(&id, &denial(HOUR), 7);
    assert!(!desk.spend(&second, 8), "a grant that was taken back let a call through");
    assert_eq!(desk.found(&request, 8), denied);
    // A new one has all of its uses.
    let third = desk.done(&id, &grant(HOUR), 9);
    for now in 10..15 {
        assert!(desk.spend(&third, now));
    }
    assert!(!desk.spend(&third, 15));
}
