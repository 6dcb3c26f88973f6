//! Coverage of what several tools share: budgets, calls in flight, claims' maxima, and rules that ask by what counters hold.

use callgate_analysis::coverage::Branch;
use callgate_tests::points::{of, point, shown};

const BUDGETS: &str = "
version: '1'
default: deny
budgets:
  money: {window: day, max: 10}
  idle: {window: day, max: 1}
  seen: {window: day}
tools:
  pay:
    limits:
      - {budget: money, increment_from: args.amount}
      - {budget: money, increment: 2, name: fee, when: [{path: args.abroad, op: eq, value: true}]}
      - {budget: seen}
  rest: {limits: [{budget: idle}, {budget: money, increment: 11}, {budget: money, increment: 0}]}
  ask: {require: [{path: budget.money, op: lt, value: 5}]}
";

#[test]
fn each_payment_into_a_budget_is_told_apart_and_the_budget_refuses() {
    let report = of(
        BUDGETS,
        "
      - {tool: ask, expect: allow}
      - {tool: pay, args: {amount: 8, abroad: false}, expect: allow}
      - {tool: ask, expect: limit_exceeded}
      - {tool: pay, args: {amount: 0, abroad: true}, expect: allow}
      - {tool: pay, args: {amount: 1, abroad: false}, expect: limit_exceeded}
",
    );
    assert_eq!(
        shown(&report, "/"),
        [
            "default hit: no test calls a tool that is not listed",
            "budgets/money refused: 1",
            "budgets/idle refused: no test pays into it",
            "tools/pay hit: 3",
            // The second call paid 2, all of it by the other item.
            "tools/pay/limits/0 charged: 1",
            "tools/pay/limits/1 charged: 1",
            "tools/pay/limits/1/when/0 holds: 1",
            "tools/pay/limits/1/when/0 fails: 2",
            "tools/pay/limits/2 charged: 2",
            "tools/rest hit: no test calls a tool of this entry",
            // What is above the maximum by itself, or nothing, cannot be charged.
            "tools/rest/limits/0 charged: no test calls a tool of this entry",
            "tools/ask hit: 2",
            "tools/ask/require/0 acted: 1",
            "tools/ask/require/0 passed: 1",
            "tools/ask/require/0 holds: 1",
            "tools/ask/require/0 fails: 1",
        ]
    );
    let refused = point(&report, "/budgets/money", Branch::Refused);
    assert_eq!((refused.text.as_str(), refused.line), ("budget money to 10", 5));
    assert_eq!(point(&report, "/tools/pay/limits/1", Branch::Charged).text, "payment into money");
    let margins: Vec<_> = report.margins.iter().map(|margin| (margin.text.as_str(), margin.at)).collect();
    assert_eq!(margins, [("budget money to 10", true)]);
}

#[test]
fn a_budget_that_refuses_nothing_is_a_gap_of_its_own() {
    let report =
        of(BUDGETS, "      - {tool: pay, args: {amount: 5, abroad: false}, repeat: 2, expect: allow}\n");
    assert_eq!(
        shown(&report, "/budgets/"),
        ["money refused: reached in 2 calls, always charged", "idle refused: no test pays into it"]
    );
    let report = of(BUDGETS, "      - {tool: pay, args: {amount: 7, abroad: false}, expect: allow}\n");
    assert_eq!(report.margins[0].below.as_deref(), Some("7"));
}

const IN_FLIGHT: &str = "
version: '1'
default: deny
tools:
  run:
    limits:
      - {in_flight: 1, lease: 1m, scope: identity}
      - {in_flight: 3, lease: 1m, when: [{path: args.slow, op: eq, value: true}]}
";

#[test]
fn calls_in_flight_are_told_apart_by_their_scope() {
    let report = of(
        IN_FLIGHT,
        "
      - {tool: run, args: {slow: false}, identity: {id: ann}, expect: allow}
      - {tool: run, args: {slow: true}, identity: {id: ann}, expect: limit_exceeded}
      - {tool: run, args: {slow: false}, identity: {id: bob}, expect: allow}
      - {tool: run, args: {slow: true}, identity: {id: kim}, expect: allow}
",
    );
    assert_eq!(
        shown(&report, "/tools/run/"),
        [
            "limits/0 charged: 3",
            "limits/0 refused: 1",
            "limits/1 charged: 1",
            "limits/1 refused: reached in 1 call, always charged",
            "limits/1/when/0 holds: 2 = /tools/run/limits/0",
            "limits/1/when/0 fails: 2 = /tools/run/limits/1",
        ]
    );
    assert_eq!(point(&report, "/tools/run/limits/1", Branch::Refused).text, "in_flight 3");
    let margins: Vec<_> = report.margins.iter().map(|margin| (margin.text.as_str(), margin.at)).collect();
    assert_eq!(margins, [("in_flight 1", true), ("in_flight 3", false)]);
}

const CLAIMED: &str = "
version: '1'
default: deny
budgets: {tokens: {window: month, max_from: identity.tokens, scope: identity}}
tools:
  search: {limits: [{counter: n, window: day, max: 1, max_from: identity.calls, scope: identity}]}
  ask: {limits: [{budget: tokens, increment: 5}]}
";

#[test]
fn a_maximum_of_a_claim_is_one_and_a_claim_that_is_missing_is_no_outcome_of_it() {
    let report = of(
        CLAIMED,
        "
      - {tool: ask, identity: {id: ann}, expect: identity_required}
      - {tool: ask, identity: {id: ann, tokens: x}, expect: invalid_amount}
      - {tool: ask, identity: {id: ann, tokens: 5}, expect: allow}
      - {tool: search, identity: {id: bob}, expect: allow}
      - {tool: search, identity: {id: bob, calls: 9}, repeat: 2, expect: allow}
      - {tool: search, identity: {id: ann, calls: 0}, expect: limit_exceeded}
",
    );
    assert_eq!(shown(&report, "/budgets/"), ["tokens refused: reached in 1 call, always charged"]);
    assert_eq!(shown(&report, "/tools/search/"), ["limits/0 charged: 3", "limits/0 refused: 1"]);
    let texts: Vec<_> = report.margins.iter().map(|margin| margin.text.as_str()).collect();
    assert_eq!(texts, ["budget tokens to identity.tokens", "limit n to identity.calls, else 1"]);
}

const ASKS: &str = "
version: '1'
default: deny
budgets: {money: {window: day}}
tools:
  pay:
    limits: [{budget: money, increment_from: args.n}]
    rules:
      - {name: abroad, action: require_approval, conditions: [{path: args.abroad, op: eq, value: true}]}
      - {name: much, action: require_approval, conditions: [{path: budget.money, op: gt, value: 50}]}
";

#[test]
fn a_rule_that_may_ask_asked_where_the_decision_names_it() {
    let covered = |steps: &str| {
        let report = of(ASKS, steps);
        let asks = shown(&report, "/tools/pay/rules/1 ");
        assert!(asks.is_empty());
        let of_rule = |branch| point(&report, "/tools/pay/rules/1", branch).count;
        [Branch::Asked, Branch::Given, Branch::Passed].map(of_rule)
    };
    let call = "{tool: pay, args: {n: 40, abroad: false}";
    assert_eq!(covered(&format!("      - {call}, expect: allow}}\n")), [0, 0, 1]);
    // Beside a rule that asks, its counters have no say: it is named.
    assert_eq!(covered("      - {tool: pay, args: {n: 1, abroad: true}, expect: approval}\n"), [1, 0, 0]);
    let twice = format!("      - {call}, expect: allow}}\n      - {call}, expect: approval}}\n");
    assert_eq!(covered(&twice), [1, 0, 1]);
    let approved = format!("{twice}      - {call}, approve: a-1, expect: allow}}\n");
    assert_eq!(covered(&approved), [1, 1, 1]);
}
