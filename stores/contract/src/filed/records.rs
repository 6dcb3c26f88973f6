//! What is filed, until when, and how much (spec 7.7, 7.10 to 7.12, 8.15).

use super::*;

pub(super) fn a_call_is_filed_once(open: OpenApprovals<'_>) {
    let desk = Desk::open(open);
    assert_eq!(desk.all(0), []);
    let record = desk.filed(&request("k"), 5);
    assert_eq!((record.state, record.filed_at, record.until), (ApprovalState::Pending, at(5), at(5 + DAY)));
    assert_eq!((record.answer.as_ref(), record.approval_id()), (None, None));
    let letters = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase() && !b"ilou".contains(&byte);
    assert!(record.id.len() == 8 && record.id.bytes().all(letters), "{}", record.id);
    for now in [5, 6, HOUR] {
        assert_eq!(desk.found(&request("k"), now), record);
        assert_eq!(desk.all(now), vec![record.clone()]);
    }
    // The same call with its arguments written otherwise.
    let rewritten = ApprovalRequest { args: ApprovalArgs::Omitted, ..request("k") };
    assert_eq!(desk.found(&rewritten, HOUR), record);
    assert_eq!(desk.find(&record.id, HOUR), Some(FiledCall { record, args: request("k").args }));
}

pub(super) fn another_key_or_server_is_another_record(open: OpenApprovals<'_>) {
    let desk = Desk::open(open);
    let of =
        |key: &str, server: &str| ApprovalRequest { call: call(key, server), args: ApprovalArgs::Omitted };
    let requests = [
        of("k", "bank"),
        of("k", "Bank"),
        of("K", "bank"),
        of("k ", "bank"),
        of("k", " bank"),
        of("k%", "*"),
    ];
    let ids: Vec<String> = (0..).zip(&requests).map(|(now, request)| desk.filed(request, now).id).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), requests.len());
    for (id, request) in ids.iter().zip(&requests) {
        assert_eq!(desk.found(request, 9).id, *id);
    }
    let listed: Vec<String> = desk.all(9).into_iter().map(|record| record.id).collect();
    assert_eq!(listed, ids, "the oldest comes first");
    desk.done(&ids[0], &grant(HOUR), 9);
    assert_eq!(desk.found(&requests[1], 10).state, ApprovalState::Pending);
}

pub(super) fn what_was_filed_is_shown_as_it_was(open: OpenApprovals<'_>) {
    let desk = Desk::open(open);
    let odd = r#"{"key": "é\u0000\"'\u202e", "server": "s\n;--", "method": "x/y", "tool": null, "caller": null, "rules": [], "policy": "", "uses": 1}"#;
    let long = format!(
        r#"{{"key": "k", "server": "s", "method": "tools/call", "tool": "{0}", "caller": "{0}", "rules": ["{0}", "é"], "policy": "p", "uses": 1}}"#,
        "x".repeat(1_024)
    );
    for (now, text) in (0..).zip([odd, &long]) {
        let call = ApprovalCall::from_text(text).unwrap();
        let record = desk.filed(&ApprovalRequest { call: call.clone(), args: ApprovalArgs::Omitted }, now);
        assert_eq!(record.call, call);
        assert_eq!(desk.listed(&record.id, now), Some(record.clone()));
        assert_eq!(desk.find(&record.id, now).map(|found| found.record), Some(record.clone()));
        let by = "o'\"\n\u{202e}é";
        let answered = desk.done(&record.id, &ApprovalAnswer::grant(by, Duration::from_secs(9)), now + 1);
        assert_eq!(answered.answer, Some((by.to_owned(), at(now + 1))));
        assert_eq!((answered.filed_at, answered.until), (record.filed_at, at(now + 9_001)));
        assert_eq!(desk.listed(&record.id, now + 1), Some(answered));
    }
}

pub(super) fn threads_that_file_one_call_get_one_record(open: OpenApprovals<'_>) {
    let name = fresh_name();
    let stores = [open(&name), open(&name)];
    for round in 0..20 {
        let request = request(&format!("k{round}"));
        let new = together(|thread| {
            let filed = stores[thread % 2].file(&request, at(round)).unwrap();
            i64::from(matches!(filed, Filed::New(_)))
        });
        assert_eq!(new, 1);
    }
    let records = stores[0].filed(at(30)).unwrap();
    assert_eq!(records.iter().map(|record| &record.id).collect::<BTreeSet<_>>().len(), 20);
}

pub(super) fn a_call_that_nobody_answers_ends_after_a_day(open: OpenApprovals<'_>) {
    let desk = Desk::open(open);
    let record = desk.filed(&request("k"), 0);
    assert_eq!(desk.found(&request("k"), DAY - 1), record);
    let anew = desk.filed(&request("k"), DAY);
    assert_ne!(anew.id, record.id);
    assert_eq!(desk.all(DAY), [anew]);
}

pub(super) fn what_has_ended_cannot_be_found_or_answered(open: OpenApprovals<'_>) {
    let desk = Desk::open(open);
    let id = desk.filed(&request("k"), 0).id;
    assert!(desk.find(&id, DAY - 1).is_some());
    assert_eq!((desk.find(&id, DAY), desk.all(DAY)), (None, vec![]));
    assert_eq!(desk.answer(&id, &grant(HOUR), DAY), Answered::Unknown);
    for unknown in ["", "00000000", "é", "%", "k"] {
        assert_eq!(desk.find(unknown, 1), None);
        assert_eq!(desk.answer(unknown, &grant(HOUR), 1), Answered::Unknown);
    }
}

pub(super) fn forgetting_drops_nothing_that_stands(open: OpenApprovals<'_>) {
    let desk = Desk::open(open);
    let [short, long] = ["short", "long"].map(|key| desk.filed(&request(key), 0));
    let long = desk.done(&long.id, &grant(3 * DAY), 0);
    for (now, expected) in [
        (1, vec![long.clone(), short]),
        (DAY, vec![long.clone()]),
        (3 * DAY - 1, vec![long]),
        (3 * DAY, vec![]),
    ] {
        desk.one.purge(at(now)).unwrap();
        let mut all = desk.all(now);
        all.sort_by(|one, other| one.call.key.cmp(&other.call.key));
        assert_eq!(all, expected, "{now}");
        assert!(expected.iter().all(|record| desk.find(&record.id, now).is_some()));
    }
}

pub(super) fn a_namespace_holds_so_many_waiting_calls_and_evicts_none(open: OpenApprovals<'_>) {
    let desk = Desk::open(open);
    let ids: Vec<String> =
        (0..PENDING_APPROVALS).map(|n| desk.filed(&request(&format!("k{n}")), n as i64).id).collect();
    assert_eq!(desk.file(&request("more"), 1_000), Filed::Full);
    assert_eq!(desk.all(1_000).len(), PENDING_APPROVALS);
    assert_eq!(desk.found(&request("k0"), 1_000).id, ids[0]);
    // An answer makes room, and so does the end of one.
    desk.done(&ids[7], &denial(HOUR), 1_001);
    desk.filed(&request("more"), 1_002);
    assert_eq!(desk.file(&request("most"), 1_003), Filed::Full);
    desk.filed(&request("most"), DAY);
}

pub(super) fn a_namespace_holds_so_many_records_and_evicts_none(open: OpenApprovals<'_>) {
    let desk = Desk::open(open);
    for n in 0..FILED_APPROVALS {
        let record = desk.filed(&request(&format!("k{n}")), 0);
        desk.done(&record.id, &grant(HOUR), 0);
    }
    assert_eq!(desk.file(&request("more"), 1), Filed::Full);
    assert_eq!(desk.all(1).len(), FILED_APPROVALS);
    // A call that is there is found, and one that was used makes room for itself.
    let granted = desk.found(&request("k5"), 1);
    assert!(desk.spend(&granted, 1));
    assert_eq!(desk.filed(&request("k5"), 2).state, ApprovalState::Pending);
    assert_eq!(desk.file(&request("more"), 3), Filed::Full);
    desk.filed(&request("more"), HOUR);
}

pub(super) fn arguments_are_kept_as_they_were_filed(open: OpenApprovals<'_>) {
    let desk = Desk::open(open);
    let names = ["a", "b c", "é\"\n\0"].map(str::to_owned);
    let long = "é".repeat(FILED_ARGUMENT_BYTES);
    let all = [
        ApprovalArgs::Omitted,
        ApprovalArgs::keys(&names),
        ApprovalArgs::keys(&[]),
        ApprovalArgs::full(""),
        ApprovalArgs::full("{ \"a\" : \"\u{0}\u{202e}'\\u0000%\" }"),
        ApprovalArgs::full(&"é".repeat(FILED_ARGUMENT_BYTES / 2)),
        ApprovalArgs::full(&long),
    ];
    for (n, args) in all.into_iter().enumerate() {
        let request = ApprovalRequest { args: args.clone(), ..request(&format!("k{n}")) };
        let record = desk.filed(&request, 0);
        assert_eq!(desk.find(&record.id, 1), Some(FiledCall { record: record.clone(), args: args.clone() }));
        // An answer does not touch them.
        let granted = desk.done(&record.id, &grant(HOUR), 2);
        assert_eq!(desk.find(&record.id, 3), Some(FiledCall { record: granted, args }));
    }
}

pub(super) fn namespaces_share_no_filed_calls(open: OpenApprovals<'_>) {
    let name = fresh_name();
    let [one, other] = ["a", "A"].map(|end| open(&format!("{name}-{end}")));
    let ids = [&one, &other].map(|store| match store.file(&request("k"), at(0)).unwrap() {
        Filed::New(record) => record.id,
        filed => panic!("what another namespace has was found: {filed:?}"),
    });
    for (store, own, foreign) in [(&one, 0, 1), (&other, 1, 0)] {
        let listed: Vec<String> = store.filed(at(1)).unwrap().into_iter().map(|record| record.id).collect();
        assert_eq!(listed, [ids[own].clone()]);
        if ids[own] != ids[foreign] {
            assert_eq!(store.find(&ids[foreign], at(1)).unwrap(), None);
            assert_eq!(store.answer(&ids[foreign], &grant(HOUR), at(1)).unwrap(), Answered::Unknown);
        }
    }
    one.answer(&ids[0], &grant(HOUR), at(2)).unwrap();
    assert_eq!(other.filed(at(3)).unwrap()[0].state, ApprovalState::Pending);
}
