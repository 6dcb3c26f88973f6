//! The identity of counters: what looks alike is not the same (spec 8.6, trap 27).

use std::sync::Arc;

use callgate::store::{Algorithm, Calendar, Counter, Owner, ScopeValue, Slot, Window};

use crate::ledger::*;
use crate::{Subject, group};

group! {
    "8.6" declarations_that_differ_are_different_counters,
    "8.6" scope_values_that_differ_are_different_counters,
    "8.6" a_counter_outlives_its_declaration,
    "2.24" tools_that_pay_into_a_budget_share_it,
}

fn declarations_that_differ_are_different_counters(subject: &dyn Subject) {
    let tool = |key: &str| Owner::Tool(key.into());
    let declare = |owner, name, window, algorithm, scope| Counter::new(owner, name, window, algorithm, scope);
    use Algorithm::{Fixed, Sliding};
    // The zones have the same days at the time of the test.
    let calendar = |window, zone, from_sunday| {
        let calendar = Calendar::new(zone, from_sunday).expect("the zone is known");
        declare(Owner::Budget, "b.c", window, Fixed, "grant").in_calendar(&Arc::new(calendar))
    };
    let counters = [
        declare(tool("a"), "b.c", Window::Minute, Fixed, "grant"),
        declare(tool("a.b"), "c", Window::Minute, Fixed, "grant"),
        declare(tool("a.b.c"), "", Window::Minute, Fixed, "grant"),
        declare(tool("all_tools"), "b.c", Window::Minute, Fixed, "grant"),
        declare(Owner::AllTools, "b.c", Window::Minute, Fixed, "grant"),
        declare(tool("a"), "b.c", Window::Seconds(60), Fixed, "grant"),
        declare(tool("a"), "b.c", Window::Seconds(60), Sliding, "grant"),
        declare(tool("a"), "b.c", Window::Minute, Fixed, "identity"),
        declare(tool("a"), "b.c", Window::Minute, Fixed, "identity.a,identity.b"),
        declare(tool("A"), "b.c", Window::Minute, Fixed, "grant"),
        declare(tool("a"), "b.c ", Window::Minute, Fixed, "grant"),
        declare(tool("a"), "b.ç'\"\u{0}\n", Window::Minute, Fixed, "grant"),
        declare(Owner::Budget, "b.c", Window::Minute, Fixed, "grant"),
        declare(tool("budget"), "b.c", Window::Minute, Fixed, "grant"),
        declare(Owner::Budget, "b.c", Window::Ever, Fixed, "grant"),
        declare(Owner::Budget, "b.c", Window::Day, Fixed, "grant"),
        declare(Owner::Budget, "b.c", Window::Week, Fixed, "grant"),
        calendar(Window::Day, Some("America/New_York"), false),
        calendar(Window::Day, Some("America/Toronto"), false),
        calendar(Window::Week, Some("America/New_York"), false),
        calendar(Window::Week, Some("America/New_York"), true),
        calendar(Window::Week, None, true),
        calendar(Window::Month, Some("America/New_York"), false),
        declare(Owner::Request("a".into()), "b.c", Window::Minute, Fixed, "grant"),
        declare(tool("a"), "b.c", Window::Minute, Fixed, "grant").of_policy(&"team".into()),
        declare(tool("a"), "b.c", Window::Minute, Fixed, "grant").of_policy(&"other".into()),
        declare(Owner::Request("a".into()), "b.c", Window::Minute, Fixed, "grant").of_policy(&"team".into()),
        calendar(Window::Day, Some("America/New_York"), false).of_policy(&"team".into()),
        calendar(Window::Week, None, true).of_policy(&"team".into()),
    ];
    let ledger = Ledger::open(subject);
    for (n, counter) in (1..).zip(&counters) {
        assert_eq!(ledger.charged(counter, n, 0).used, micros(n), "{counter:?} is another counter, too");
    }
    for (n, counter) in (1..).zip(&counters) {
        assert_eq!(ledger.used(counter, 1), n);
    }
    let mut listed: Vec<_> = ledger.held(1).into_iter().map(|held| (held.used, held.counter)).collect();
    listed.sort_by_key(|(used, _)| *used);
    assert!(listed.into_iter().map(|(_, counter)| counter).eq(counters));
}

fn scope_values_that_differ_are_different_counters(subject: &dyn Subject) {
    let long = [b'x'; 4_096];
    let mut longer = long.to_vec();
    longer.push(b'x');
    let values: [&[u8]; 14] = [
        b"",
        b"a",
        b"A",
        b"a ",
        b"a\0",
        b"a\0b",
        b"ab",
        b"\0",
        b"\xff\xfe",
        b"'; --",
        b"a:b",
        b"{a}",
        &long,
        &longer,
    ];
    for counter in both() {
        let ledger = Ledger::open(subject);
        for round in 1..3 {
            for (n, value) in (1..).zip(values) {
                let slot = Slot { scope: ScopeValue::from(value), ..charge(&counter, n, i64::MAX) };
                let outcome = ledger.reserve(&batch([slot]), round);
                assert_eq!(outcome.usage[0].used, micros(n * round), "{value:?} is another value, too");
            }
        }
        let mut listed: Vec<_> = ledger.held(3).into_iter().map(|held| (held.used, held.scope)).collect();
        listed.sort();
        assert!(listed.iter().map(|(_, scope)| scope.as_bytes()).eq(values));
    }
}

fn a_counter_outlives_its_declaration(subject: &dyn Subject) {
    // A policy that is loaded anew declares the same counter again.
    let ledger = Ledger::open(subject);
    for n in 1..4 {
        assert_eq!(ledger.charged(&fixed(Window::Hour), 1, n).used, micros(n));
        assert_eq!(ledger.charged(&sliding(60), 1, n).used, micros(n));
    }
}

fn tools_that_pay_into_a_budget_share_it(subject: &dyn Subject) {
    for (window, algorithm) in
        [(Window::Month, Algorithm::Fixed), (Window::Seconds(3_600), Algorithm::Sliding)]
    {
        // Each tool's calls declare it again, and charge counters of their own beside it.
        let budget = || Counter::new(Owner::Budget, "spend", window, algorithm, "grant");
        let own = |tool: &str| Counter::new(Owner::Tool(tool.into()), "spend", window, algorithm, "grant");
        let ledger = Ledger::open(subject);
        for (tool, total) in [("pay", 3), ("refund", 6), ("pay", 9)] {
            let (budget, own) = (budget(), own(tool));
            let outcome = ledger.reserve(&batch([charge(&own, 3, 99), charge(&budget, 3, 9)]), 0);
            assert_eq!(outcome.usage[1].used, micros(total), "{tool}");
        }
        let (budget, own) = (budget(), own("transfer"));
        let refused = ledger.reserve(&batch([charge(&own, 1, 99), charge(&budget, 1, 9)]), 1);
        assert_eq!(refusals(&refused)[0].bound, callgate::store::Bound::Max(1));
        assert_eq!([ledger.used(&own, 1), ledger.used(&budget, 1)], [0, 9]);
        let listed = ledger.held(1).into_iter().filter(|held| *held.counter.owner() == Owner::Budget);
        assert!(listed.map(|held| (held.counter, held.used)).eq([(budget, micros(9))]));
    }
}
