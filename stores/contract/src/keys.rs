//! The identity of counters: what looks alike is not the same (spec 8.6, trap 27).

use callgate::store::{Algorithm, Counter, Owner, ScopeValue, Slot, Window};

use crate::ledger::*;
use crate::{Subject, group};

group! {
    "8.6" declarations_that_differ_are_different_counters,
    "8.6" scope_values_that_differ_are_different_counters,
    "8.6" a_counter_outlives_its_declaration,
}

fn declarations_that_differ_are_different_counters(subject: &dyn Subject) {
    let tool = |key: &str| Owner::Tool(key.into());
    let declare = |owner, name, window, algorithm, scope| Counter::new(owner, name, window, algorithm, scope);
    use Algorithm::{Fixed, Sliding};
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
