//! Coverage of policies by their tests, point by point: what covers each kind, why one is not covered, and what comes to the same.

use callgate_analysis::coverage::{Branch, CoverageReport};
use callgate_tests::points::{of, point, shown};

const POLICY: &str = "
version: '1'
default: deny
hide: [secret, 'hidden_*']
tools:
  pay:
    rules:
      - {name: cap, conditions: [{path: args.amount, op: lte, value: 500}]}
      - {action: deny, conditions: [{path: args.a, op: eq, value: 1}, {not: {path: args.b, op: eq, value: 2}}]}
      - {action: require_approval, conditions: [{path: args.amount, op: gt, value: 100}]}
      - {rate_limit: 2/hour}
  idle: {}
";

#[test]
fn every_gap_has_its_reason() {
    let report = of(
        POLICY,
        "
      - {tool: pay, args: {amount: 501}, expect: deny}
      - {tool: pay, args: {amount: '7'}, expect: deny}
      - {tool: pay, args: {amount: 50}, expect: allow, repeat: 2}
",
    );
    assert_eq!(
        shown(&report, ""),
        [
            "/default hit: no test calls a tool that is not listed",
            "/hide/0 hit: no test calls a tool of this name",
            "/hide/1 hit: no test calls a tool of this name",
            "/tools/pay hit: 4",
            "/tools/pay/rules/0 acted: 2",
            "/tools/pay/rules/0 passed: 2",
            "/tools/pay/rules/0/conditions/0 holds: 2",
            "/tools/pay/rules/0/conditions/0 fails: 2",
            "/tools/pay/rules/1 acted: reached in 2 calls, always passed",
            "/tools/pay/rules/1 passed: 2",
            "/tools/pay/rules/1/conditions/0 holds: reached in 2 calls, always fails",
            "/tools/pay/rules/1/conditions/0 fails: 2",
            "/tools/pay/rules/1/conditions/1/not holds: settled before it in 2 of 4 calls",
            "/tools/pay/rules/1/conditions/1/not fails: settled before it in 2 of 4 calls",
            "/tools/pay/rules/2 asked: reached in 2 calls, always passed",
            "/tools/pay/rules/2 given: reached in 2 calls, always passed",
            "/tools/pay/rules/2 passed: 2",
            "/tools/pay/rules/2/conditions/0 holds: reached in 2 calls, always fails",
            "/tools/pay/rules/2/conditions/0 fails: 2",
            "/tools/pay/rules/3/rate_limit charged: 2",
            "/tools/pay/rules/3/rate_limit refused: reached in 2 calls, always charged",
            "/tools/idle hit: no test calls a tool of this entry",
        ]
    );
    let fails = point(&report, "/tools/pay/rules/0/conditions/0", Branch::Fails);
    assert_eq!((fails.count, fails.unknown, fails.line, fails.column), (2, 1, 8, 34));
    assert_eq!((fails.text.as_str(), fails.name.as_deref()), ("args.amount lte 500", Some("cap")));

    let report = of(
        POLICY,
        "
      - {tool: pay, args: {amount: 501}, expect: deny}
      - {tool: pay, args: [], expect: invalid_args}
      - {tool: pay, args: {amount: 501}, expect: deny}
      - {tool: secret, expect: hidden}
",
    );
    assert_eq!(
        shown(&report, "/tools/pay/rules/3/"),
        [
            "rate_limit charged: another rule decided in 2 of 3 calls: /tools/pay/rules/0",
            "rate_limit refused: another rule decided in 2 of 3 calls: /tools/pay/rules/0",
        ]
    );
    assert_eq!(point(&report, "/hide/0", Branch::Hit).gap, None);

    let report = of(POLICY, "      - {tool: pay, args: [], expect: invalid_args}\n");
    assert_eq!(
        shown(&report, "/tools/pay/rules/0"),
        [
            " acted: not reached in the only call: invalid_args",
            " passed: not reached in the only call: invalid_args",
            "/conditions/0 holds: not reached in the only call: invalid_args",
            "/conditions/0 fails: not reached in the only call: invalid_args",
        ]
    );
    let report = of(POLICY, "      - {tool: pay, args: {amount: 5}, explain: true, expect: allow}\n");
    let charged = "/rate_limit charged: reached in 1 call that charged nothing";
    assert_eq!(shown(&report, "/tools/pay/rules/3")[0], charged);
}

#[test]
fn every_kind_of_point_is_covered_by_what_it_is_about() {
    let report = of(
        POLICY,
        "
      - {tool: pay, args: {amount: 101}, expect: approval_required}
      - {tool: pay, args: {amount: 101}, approve: {id: a}, expect: allow}
      - {tool: pay, args: {amount: 5, a: 1, b: 2}, expect: allow}
      - {tool: pay, args: {amount: 5, a: 1, b: 3}, expect: deny}
      - {tool: pay, args: {amount: 5}, expect: limit_exceeded}
      - {tool: pay, args: {amount: 501}, expect: deny}
      - {tool: other, unlisted: true, expect: not_listed}
      - {tool: secret, expect: hidden}
      - {tool: hidden_x, expect: hidden}
      - {tool: idle, expect: allow}
      - {tool: pay, args: {amount: 700}, reload: other.yaml, expect: allow}
",
    );
    assert_eq!((report.hit, report.total, report.calls), (22, 22, 10), "{:#?}", shown(&report, ""));
    assert!(report.points.iter().all(|point| point.same.is_none()), "{:#?}", shown(&report, ""));
    let given = point(&report, "/tools/pay/rules/2", Branch::Given);
    assert_eq!((given.count, given.tests.as_slice()), (1, &[("p_test.yaml".to_owned(), "t".to_owned())][..]));
    assert_eq!(report.gaps().count(), 0);
}

/// A call that another rule denies is neither asked nor approved, whatever comes with it.
#[test]
fn an_approval_counts_where_it_was_looked_at() {
    let report = of(
        "{version: '1', default: deny, tools: {pay: {rules: [
            {action: require_approval},
            {action: deny, conditions: [{path: args.a, op: eq, value: 1}]},
            {name: rate, rate_limit: 1/day}]}}}",
        "
      - {tool: pay, args: {a: 1}, approve: {id: a}, expect: denied}
      - {tool: pay, args: {a: 2}, expect: approval_required}
",
    );
    assert_eq!(
        shown(&report, "/tools/pay/rules/0"),
        [" asked: 1", " given: reached in 1 call, always asked"]
    );
    let rate = "/rate_limit charged: another rule decided in 1 of 2 calls: /tools/pay/rules/0";
    assert_eq!(shown(&report, "/tools/pay/rules/2")[0], rate);
    let report = of(
        "{version: '1', default: deny, tools: {pay: {rules: [{action: require_approval}, {rate_limit: 1/day}]}}}",
        "
      - {tool: pay, approve: {id: a}, expect: allow}
      - {tool: pay, approve: {id: b}, expect: limit_exceeded}
      - {tool: pay, approve: {id: a}, expect: limit_exceeded}
",
    );
    assert_eq!(point(&report, "/tools/pay/rules/0", Branch::Given).count, 1);
    // The approval was used for another rule's call, so that this one never was given any.
    let report = of(
        "{version: '1', default: deny, tools: {pay: {rules: [{action: require_approval}]}}}",
        "
      - {tool: pay, reload: asks.yaml, approve: {id: a}, expect: allow}
      - {tool: pay, reload: p.yaml, approve: {id: a}, expect: approval_spent}
",
    );
    // It is asked for anew.
    assert_eq!(
        shown(&report, "/tools/pay/rules/0"),
        [" asked: 1", " given: reached in 1 call, always asked"]
    );
}

/// A call that could not be read came to no entry.
#[test]
fn what_cannot_be_read_covers_no_entry() {
    let report = of(
        "{version: '1', default: allow, tools: {pay: {}, 'g*': null}}",
        "
      - {tool: pay, raw: '{', expect: invalid_args}
      - {tool: gg, identity: 5, expect: invalid_identity}
      - {tool: other, raw: '[]', unlisted: true, expect: invalid_args}
",
    );
    assert_eq!(
        shown(&report, ""),
        [
            "/default hit: not reached in the only call: invalid_args",
            "/tools/pay hit: not reached in the only call: invalid_args",
            "/tools/g* hit: not reached in the only call: invalid_identity",
        ]
    );
}

/// A test that is known to fail shows nothing of the policy.
#[test]
fn what_is_to_do_covers_nothing() {
    let report = of(
        "{version: '1', default: deny, tools: {a: {}}}",
        "      - {tool: a, expect: allow}\n  - name: later\n    todo: no time\n    \
         each: [{tool: other, unlisted: true, expect: allow}, {tool: a, expect: deny}]\n",
    );
    assert_eq!((report.hit, report.total, report.calls), (1, 2, 1));
}

/// A threshold is whole points: one that is missing among thousands is missing.
#[test]
fn a_threshold_is_not_rounded() {
    let mut report =
        of("{version: '1', default: deny, tools: {a: {}}}", "      - {tool: a, expect: allow}\n");
    assert_eq!((report.hit, report.total), (1, 2));
    assert!(report.reaches(0) && report.reaches(50) && !report.reaches(51));
    (report.hit, report.total) = (11_999, 12_000);
    assert!(report.reaches(99) && !report.reaches(100));
    (report.hit, report.total) = (12_000, 12_000);
    assert!(report.reaches(100) && !report.reaches(101));
    (report.hit, report.total) = (0, 0);
    assert!(!report.reaches(0) && !report.reaches(100));
}

#[test]
fn margins_are_the_nearest_numbers_on_both_sides() {
    let report = of(
        "{version: '1', default: deny, tools: {pay: {
            require: [{path: 'args[\"items\"][*].price', op: lte, value: 500}, {path: args.n, op: gt, value: 1.5}],
            limits: [{counter: spend, window: day, max: 1000, increment_from: args.n}]}}}",
        "
      - {tool: pay, args: {items: [{price: 5}, {price: 499.99}], n: 2}, expect: allow}
      - {tool: pay, args: {items: [{price: 50001}, {price: '500'}], n: 2}, expect: deny}
      - {tool: pay, args: {items: [{price: 500}], n: 600.5}, expect: allow}
      - {tool: pay, args: {items: [], n: 600.5}, expect: limit_exceeded}
      - {tool: pay, args: {items: [], n: 1}, expect: deny}
",
    );
    let margins: Vec<_> = report
        .margins
        .iter()
        .map(|margin| {
            (
                margin.text.as_str(),
                margin.below.as_deref(),
                margin.at,
                margin.above.as_deref(),
                &*margin.bound,
            )
        })
        .collect();
    assert_eq!(
        margins,
        [
            ("args[\"items\"][*].price lte 500", Some("499.99"), true, Some("50001"), "500"),
            ("args.n gt 1.5", Some("1"), false, Some("2"), "1.5"),
            ("limit spend to 1000", Some("602.5"), false, None, "1000"),
        ]
    );
}

#[test]
fn what_comes_to_the_same_is_named() {
    // Both conditions of the list fail in the only call that either does.
    let report = of(
        "{version: '1', default: deny, tools: {pay: {rules: [
            {conditions: [{any: [{path: args.a, op: eq, value: 1}, {path: args.b, op: eq, value: 1}]}]},
            {action: deny, conditions: [{path: args.c, op: eq, value: 1}, {path: args.d, op: eq, value: 1}]}]}}}",
        "
      - {tool: pay, args: {a: 1, b: 1, c: 2, d: 2}, expect: allow}
      - {tool: pay, args: {a: 2, b: 2, c: 2, d: 2}, expect: deny}
",
    );
    assert_eq!(
        shown(&report, "/tools/pay/rules/")[..10],
        [
            "0 acted: 1",
            "0 passed: 1",
            "0/conditions/0/any/0 holds: 1 = /tools/pay/rules/0/conditions/0/any/1",
            "0/conditions/0/any/0 fails: 1",
            "0/conditions/0/any/1 holds: reached in 1 call, always fails",
            "0/conditions/0/any/1 fails: 1",
            "1 acted: reached in 1 call, always passed",
            "1 passed: 1",
            "1/conditions/0 holds: reached in 1 call, always fails",
            "1/conditions/0 fails: 1 = /tools/pay/rules/1/conditions/1",
        ][..]
    );
    // Two limits refuse together; a glob lists what an exact entry lists as well.
    let report = of(
        "{version: '1', default: deny, tools: {pay: {}, 'p*': {limits: [
            {counter: a, window: day, max: 1}, {counter: b, window: hour, algorithm: sliding, max: 1}]}}}",
        "
      - {tool: pay, expect: allow}
      - {tool: pay, expect: limit_exceeded}
",
    );
    assert_eq!(
        shown(&report, "/tools/"),
        [
            "pay hit: 2 = /tools/p*",
            "p* hit: 2",
            "p*/limits/0 charged: 1",
            "p*/limits/0 refused: 1",
            "p*/limits/1 charged: 1",
            "p*/limits/1 refused: 1 = /tools/p*/limits/0",
        ]
    );
}

/// An entry or a charge can go although conditions of others read the counter.
#[test]
fn counters_that_others_read_can_go() {
    let report = of(
        "{version: '1', default: allow, all_tools: {limits: [{counter: all, window: day, max: 9}]}, tools: {
            get: {rules: [{rate_limit: 5/60s}, {state: {counter: seen, window: hour, scope: [tool]}}]},
            '*': {rules: [{state: {counter: any, window: day, increment: 2}}]},
            put: {require: [{path: state.get.seen, op: lt, value: 2}],
                  deny_if: [{path: 'state[\"get\"]._rate_60s', op: gt, value: 5},
                            {path: state._global.any, op: gt, value: 100},
                            {path: state._global.all, op: gt, value: 100}]}}}",
        "
      - {tool: get, expect: allow, repeat: 2}
      - {tool: put, expect: allow}
",
    );
    let lines = shown(&report, "");
    let has = |line: &str| assert!(lines.iter().any(|other| other == line), "{line}: {lines:#?}");
    has("/tools/get hit: 2");
    has("/tools/put hit: 1 = /tools/*");
    has("/tools/* hit: 3");
    has("/all_tools hit: 3");
    has("/tools/get/rules/0/rate_limit charged: 2");
    has("/tools/get/rules/1/state charged: 2");
    has("/tools/*/rules/0/state charged: 3");
    has("/tools/put/require/0 passed: 1");
    has("/tools/put/deny_if/0 passed: 1");
}

#[test]
fn reports_for_machines() {
    let report = of(
        "version: '1'\ndefault: deny\ntools:\n  pay:\n    require: [{path: args.a, op: lte, value: 5}]\n  idle: {}\n",
        "      - {tool: pay, args: {a: 5}, expect: allow}\n",
    );
    assert_eq!(report.to_value(false).get("margins"), None);
    let json = report.to_value(true);
    assert_eq!(json["policy"], "p.yaml");
    assert_eq!((&json["hit"], &json["total"], &json["calls"]), (&3.into(), &7.into(), &1.into()));
    assert_eq!(
        json["points"][2],
        serde_json::json!({
            "pointer": "/tools/pay/require/0", "rule": "/tools/pay/require/0", "name": null, "kind": "rule",
            "branch": "acted", "text": "permit", "line": 5, "column": 15, "count": 0, "unknown": 0,
            "gap": {"reason": "one_sided", "text": "reached in 1 call, always passed"}, "same": null, "untried": null,
        })
    );
    assert_eq!(
        json["margins"],
        serde_json::json!([{"pointer": "/tools/pay/require/0", "text": "args.a lte 5", "bound": "5", "below": null,
            "at": true, "above": null}])
    );
    let odd = CoverageReport { path: "a\nend_of_record\u{1b}[2J\u{7}\u{9b}ä.yaml".to_owned(), ..report };
    assert!(odd.to_lcov().starts_with("TN:\nSF:a end_of_record [2J  ä.yaml\nBRDA:"), "{}", odd.to_lcov());
    let report = CoverageReport { path: "p.yaml".to_owned(), ..odd };
    assert_eq!(
        report.to_lcov(),
        "TN:\nSF:p.yaml\nBRDA:2,0,0,-\nBRDA:4,0,0,1\nBRDA:5,0,0,0\nBRDA:5,0,1,1\nBRDA:5,1,0,1\nBRDA:5,1,1,0\n\
         BRDA:6,0,0,-\nBRF:7\nBRH:3\nDA:2,0\nDA:4,1\nDA:5,1\nDA:6,0\nLF:4\nLH:2\nend_of_record\n"
    );
}

/// What a decision says is more than its effect: who has to approve, and when a retry may pass.
#[test]
fn all_that_a_decision_says_depends_on_the_policy() {
    let report = of(
        "{version: '1', default: deny, tools: {wire: {rules: [
            {name: desk, action: require_approval},
            {name: board, action: require_approval, conditions: [{path: args.amount, op: gt, value: 100}]}]}}}",
        "
      - {tool: wire, args: {amount: 500}, expect: approval, approval_rules: [desk, board]}
      - {tool: wire, args: {amount: 5}, expect: approval, approval_rules: [desk]}
      - {tool: wire, args: {amount: 500}, approve: {id: a}, expect: allow}
      - {tool: other, unlisted: true, expect: not_listed}
",
    );
    assert_eq!((report.hit, report.points.iter().filter(|point| point.same.is_some()).count()), (9, 0));
    let report = of(
        "{version: '1', default: deny, tools: {pay: {limits: [
            {counter: m, window: minute, max: 1}, {counter: d, window: day, max: 1}]}}}",
        "
      - {tool: pay, expect: allow}
      - {tool: pay, expect: limit_exceeded, retry_after: 50400}
",
    );
    assert_eq!(point(&report, "/tools/pay/limits/1", Branch::Refused).same, None);
    // The first refuses for a minute, the second for the rest of the day.
    let first = point(&report, "/tools/pay/limits/0", Branch::Refused);
    assert_eq!(first.same, None);
}

/// A call of a hidden tool came to no other name and no entry, and not because nobody made it.
#[test]
fn what_hides_a_tool_is_the_reason_for_what_is_behind_it() {
    let report = of(
        "{version: '1', default: deny, hide: ['s*', secret, sure], tools: {
            secret: {limits: [{counter: c, window: day, max: 1}]}, 'se*': {}, idle: {}}}",
        "
      - {tool: secret, expect: hidden, repeat: 2}
      - {tool: sx, expect: hidden}
",
    );
    assert_eq!(
        shown(&report, ""),
        [
            "/default hit: another rule decided in the only call: /hide/0",
            "/hide/0 hit: 3",
            "/hide/1 hit: another rule decided in all 2 calls: /hide/0",
            "/hide/2 hit: no test calls a tool of this name",
            "/tools/secret hit: another rule decided in all 2 calls: /hide/0",
            "/tools/secret/limits/0 charged: another rule decided in all 2 calls: /hide/0",
            "/tools/secret/limits/0 refused: another rule decided in all 2 calls: /hide/0",
            "/tools/se* hit: another rule decided in all 2 calls: /hide/0",
            "/tools/idle hit: no test calls a tool of this entry",
        ]
    );
}

/// What no call can charge is no point. Only where it is certain: an amount from arguments may be anything.
#[test]
fn what_cannot_be_is_no_point() {
    let report = of(
        "{version: '1', default: deny, tools: {
            off: {limits: [{counter: a, window: day, max: 0}]},
            odd: {limits: [{counter: b, window: day, max: 5, increment: 0},
                           {counter: c, window: day, max: 1, increment: 1.5}]},
            none: {limits: [{counter: d, window: day, max: 0, increment_from: args.n}]},
            some: {limits: [{counter: e, window: day, max: 1, increment_from: args.n}],
                   rules: [{state: {counter: f, window: day, increment: 0}}]}}}",
        "
      - {tool: off, expect: limit_exceeded}
",
    );
    let limits = shown(&report, "/tools/");
    let limits: Vec<&str> =
        limits.iter().filter_map(|line| line.split_once(':').map(|(place, _)| place)).collect();
    assert_eq!(
        limits,
        [
            "off hit",
            "off/limits/0 refused",
            "odd hit",
            "odd/limits/0 refused",
            "odd/limits/1 refused",
            "none hit",
            "none/limits/0 refused",
            "some hit",
            "some/limits/0 charged",
            "some/limits/0 refused",
            "some/rules/0/state charged",
        ]
    );
}
