//! Handles of one open store: those of different namespaces share nothing, and those of one share everything (spec 8.15).
//!
//! In: a function that gives handles of one store. Out: a panic where it breaks the clause. Must not open another store, which would
//! be easy to keep apart.

use callgate::store::{Batch, Counter, Counters, Settlement, Slot, Verdict};

use crate::ledger::*;
use crate::threads::{storm, together};

/// Charges that pass in each namespace under the threads.
const LIMIT: i64 = 200;
/// What a store may take for the same name, or for a pattern of another.
const ALIKE: [&str; 7] = ["a", "A", "aa", "a:b", "a.b", "a%", "*"];

/// Tests handles of one store, which `namespaced` gives by the names of namespaces: printable ASCII without spaces and braces. The
/// store must take the time that it is given.
///
/// # Panics
/// Where a namespace sees what another was asked, or two handles of one do not agree.
pub fn check_namespaces(namespaced: &dyn Fn(&str) -> Box<dyn Counters>) {
    let name = fresh_name();
    let open = |namespace: &str| Ledger::of(namespaced(&format!("{name}-{namespace}")));
    names_are_told_apart(&open);
    handles_of_one_namespace_agree(&open);
    nothing_is_undone_next_door(&open);
    threads_pass_exactly_the_limit_of_each(&open);
}

fn ticket() -> Batch<'static> {
    Batch { approval: Some("ticket".into()), asks: true, ..Batch::default() }
}

fn held(ledger: &Ledger, now: i64) -> Vec<(Counter, i64)> {
    ledger.held(now).into_iter().map(|held| (held.counter, held.used.as_micros())).collect()
}

fn names_are_told_apart(open: &dyn Fn(&str) -> Ledger) {
    let ledgers = ALIKE.map(|name| open(&format!("apart-{name}")));
    let [fixed, sliding] = both();
    for round in 1..3 {
        for (n, ledger) in (1..).zip(&ledgers) {
            for counter in [&fixed, &sliding] {
                assert_eq!(
                    ledger.charged(counter, n, round).used,
                    micros(n * round),
                    "{}",
                    ALIKE[n as usize - 1]
                );
            }
            let spent = ledger.reserve(&ticket(), round).verdict;
            let expected = if round == 1 { Verdict::Reserved } else { Verdict::ApprovalSpent };
            assert_eq!(spent, expected, "an approval is spent in one namespace");
        }
    }
    for (n, ledger) in (1..).zip(&ledgers) {
        assert_eq!(held(ledger, 3), [(fixed.clone(), 2 * n), (sliding.clone(), 2 * n)]);
    }
}

fn handles_of_one_namespace_agree(open: &dyn Fn(&str) -> Ledger) {
    let [one, other] = ["same", "same"].map(open);
    for counter in both() {
        let stamp = one.charged(&counter, 5, 0).stamp;
        assert_eq!(other.used(&counter, 1), 5);
        other.refund(&counter, stamp, 2, 1);
        assert_eq!(other.charged(&counter, 4, 2).used, micros(7));
        assert!(!taken(&one.charge(&counter, 1, 7, 3)));
        assert_eq!(held(&one, 3), held(&other, 3));
        assert!(one.reset(&counter, 4));
        assert_eq!(other.used(&counter, 5), 0);
        assert!(!other.reset(&counter, 5));
    }
    assert!(taken(&one.reserve(&ticket(), 6)));
    assert_eq!(other.reserve(&ticket(), 7).verdict, Verdict::ApprovalSpent);
}

/// What takes back, empties or forgets in one namespace does none of it in another.
fn nothing_is_undone_next_door(open: &dyn Fn(&str) -> Ledger) {
    for counter in both() {
        let [one, other] = ["undone", "next-door"].map(|name| open(&format!("{name}-{}", counter.name())));
        let stamps = [&one, &other].map(|ledger| ledger.charged(&counter, 5, 10).stamp);
        one.refund(&counter, stamps[1], 2, 11);
        one.refund(&counter, stamps[0], 2, 11);
        let who = scope("a");
        let more = Settlement { actual: micros(9), ..settlement(&counter, &who, stamps[0], 1) };
        one.settle(&[more], 11);
        assert_eq!(other.used(&counter, 12), 5);
        // A row that was cached under the other namespace would show here.
        assert_eq!(other.charged(&counter, 1, 13).used, micros(6));
        one.reset(&counter, 14);
        assert_eq!(one.used(&counter, 15), 0);
        one.purge(16);
        assert_eq!(other.used(&counter, 17), 6);
        assert_eq!(held(&other, 17), [(counter.clone(), 6)]);
        let full = Slot { scope: scope("a"), ..charge(&counter, 1, 6) };
        assert!(!taken(&other.reserve(&batch([full.clone()]), 18)));
        assert!(taken(&one.reserve(&batch([full]), 18)));
    }
}

fn threads_pass_exactly_the_limit_of_each(open: &dyn Fn(&str) -> Ledger) {
    let counters = both();
    let names = ["busy", "busier", "busiest"];
    // Two handles of each, so that threads of one namespace meet over both.
    let ledgers = [names, names].map(|names| names.map(open));
    let passed = together(|thread| {
        let passed = (0..names.len()).map(|n| {
            let n = (n + thread) % names.len();
            storm(ledgers[thread % 2][n].store(), &counters, LIMIT, thread)
        });
        passed.sum()
    });
    assert_eq!(passed, LIMIT * names.len() as i64);
    for ledger in &ledgers[0] {
        for counter in &counters {
            assert_eq!(ledger.used(counter, LIMIT), LIMIT);
        }
    }
}
