//! What an operator sees and undoes (spec 8.12).

use callgate::store::{LiveCounter, Slot};

use crate::ledger::*;
use crate::{Subject, group};

group! {
    "8.12" what_holds_something_is_listed_with_its_declaration,
    "8.12" a_reset_makes_a_counter_hold_nothing,
    "8.12" a_reset_touches_no_other_counter,
    "8.12" what_was_charged_before_a_reset_is_not_refunded_after_it,
}

fn what_holds_something_is_listed_with_its_declaration(subject: &dyn Subject) {
    let ledger = Ledger::open(subject);
    let [fixed, sliding] = both();
    assert_eq!(ledger.held(0), []);
    ledger.charged(&sliding, 2, 5);
    ledger.charged(&fixed, 3, 6);
    let slot = Slot { scope: scope("b"), ..charge(&fixed, 4, 9) };
    assert!(taken(&ledger.reserve(&batch([slot]), 7)));
    let held = |counter: &callgate::store::Counter, who: &str, used, resets_at| LiveCounter {
        counter: counter.clone(),
        scope: scope(who),
        used: micros(used),
        resets_at: at(resets_at),
    };
    let all = [held(&fixed, "a", 3, HOUR), held(&sliding, "a", 2, HOUR + 5), held(&fixed, "b", 4, HOUR)];
    assert_eq!(ledger.held(8), all);
    assert_eq!(ledger.held(HOUR), all[1..2]);
    assert_eq!(ledger.held(HOUR + 5), []);
}

fn a_reset_makes_a_counter_hold_nothing(subject: &dyn Subject) {
    for counter in both() {
        let ledger = Ledger::open(subject);
        assert!(!ledger.reset(&counter, 0), "there was nothing to reset");
        ledger.charged(&counter, 5, 1);
        ledger.charged(&counter, 5, 2);
        assert!(ledger.reset(&counter, 3));
        assert!(!ledger.reset(&counter, 3), "it was reset before");
        assert_eq!(ledger.used(&counter, 3), 0);
        assert_eq!(ledger.held(3), []);
        assert!(taken(&ledger.charge(&counter, 5, 5, 3)));
        assert!(!taken(&ledger.charge(&counter, 1, 5, 4)));
        assert!(!ledger.reset(&counter, 3 * HOUR), "what it held has ended");
    }
}

fn a_reset_touches_no_other_counter(subject: &dyn Subject) {
    let [one, other] = both();
    for (counter, kept) in [(&one, &other), (&other, &one)] {
        let ledger = Ledger::open(subject);
        ledger.charged(&one, 5, 0);
        ledger.charged(&other, 5, 0);
        let slot = Slot { scope: scope("b"), ..charge(counter, 1, 9) };
        assert!(taken(&ledger.reserve(&batch([slot]), 0)));
        assert!(ledger.reset(counter, 1));
        assert_eq!(ledger.used(kept, 2), 5);
        assert_eq!(ledger.held(2).len(), 2);
    }
}

fn what_was_charged_before_a_reset_is_not_refunded_after_it(subject: &dyn Subject) {
    for counter in both() {
        let ledger = Ledger::open(subject);
        let before = ledger.charged(&counter, 5, 10).stamp;
        assert!(ledger.reset(&counter, 10));
        // At the same time, in the same window.
        let after = ledger.charged(&counter, 5, 10).stamp;
        ledger.refund(&counter, before, 5, 11);
        assert_eq!(ledger.used(&counter, 11), 5);
        ledger.refund(&counter, after, 5, 12);
        assert_eq!(ledger.used(&counter, 12), 0);
    }
}
