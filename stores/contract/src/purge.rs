//! Forgetting: only what no call can see any more (spec 8.1, trap 28).

use callgate::store::{Slot, Window};

use crate::ledger::*;
use crate::{Subject, group};

group! {
    "8.1" a_purge_drops_nothing_that_is_live,
    "8.1" nothing_live_is_evicted_under_pressure,
    "8.1" a_purge_of_nothing_drops_nothing,
}

fn a_purge_drops_nothing_that_is_live(subject: &dyn Subject) {
    let ledger = Ledger::open(subject);
    let (minute, month, slide) =
        (fixed(Window::Minute), counter("m", Window::Month, callgate::store::Algorithm::Fixed), sliding(90));
    for counter in [&minute, &month, &slide] {
        ledger.charged(counter, 5, 0);
    }
    for (now, expected) in
        [(MINUTE - 1, [5, 5, 5]), (MINUTE, [0, 5, 5]), (90_000, [0, 5, 0]), (5 * DAY, [0, 5, 0])]
    {
        ledger.purge(now);
        assert_eq!([&minute, &month, &slide].map(|counter| ledger.used(counter, now)), expected, "{now}");
        assert_eq!(ledger.held(now).len(), expected.iter().filter(|used| **used > 0).count());
    }
    // Charges of one log expire one by one.
    ledger.charged(&slide, 1, 6 * DAY);
    ledger.charged(&slide, 2, 6 * DAY + 60_000);
    ledger.purge(6 * DAY + 90_000);
    assert_eq!(ledger.used(&slide, 6 * DAY + 90_000), 2);
    assert_eq!(ledger.used(&slide, 6 * DAY + 150_000), 0);
}

fn nothing_live_is_evicted_under_pressure(subject: &dyn Subject) {
    let [fixed, sliding] = both();
    let ledger = Ledger::open(subject);
    let each = |n: i64| {
        [&fixed, &sliding].map(|counter| Slot { scope: scope(&n.to_string()), ..charge(counter, 1, 1) })
    };
    for n in 0..2_000 {
        assert!(taken(&ledger.reserve(&batch(each(n)), n)));
    }
    for n in 0..2_000 {
        assert!(!taken(&ledger.reserve(&batch(each(n)), 3_000)), "{n} was forgotten");
    }
    assert_eq!(ledger.held(3_000).len(), 4_000);
}

fn a_purge_of_nothing_drops_nothing(subject: &dyn Subject) {
    let ledger = Ledger::open(subject);
    assert_eq!(ledger.purge(0), 0);
    let [fixed, _] = both();
    ledger.charged(&fixed, 1, 0);
    assert_eq!(ledger.purge(1), 0);
    ledger.purge(DAY);
    assert_eq!(ledger.purge(DAY), 0);
}
