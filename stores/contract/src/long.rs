//! Sliding windows longer than a day: the charges of a quarter of an hour are one, made at its end (spec 8.3).

use callgate::store::{GuardMode, Usage};

use crate::ledger::*;
use crate::{Subject, group};

group! {
    "8.3" charges_of_a_quarter_of_an_hour_are_one,
    "8.3" only_windows_longer_than_a_day_go_by_quarters,
    "8.3" a_quarter_expires_one_length_after_its_end,
    "8.3" a_long_window_refuses_at_most_a_quarter_longer,
    "8.3" a_long_window_never_admits_more_than_its_maximum,
    "8.3" a_long_window_keeps_so_few_charges,
    "8.2" amounts_of_a_long_window_are_exact,
    "8.10" a_charge_of_a_quarter_is_taken_back_from_it,
    "8.14" more_is_charged_in_the_quarter_of_settling,
    "8.4" a_clock_behind_counts_in_the_newest_quarter,
    "8.12" what_was_charged_before_a_reset_is_not_refunded_in_its_quarter,
    "8.1" a_purge_keeps_the_charges_of_a_long_window,
}

const QUARTER: i64 = 15 * MINUTE;
/// Of the windows of these clauses: 25 hours.
const LENGTH: i64 = 25 * HOUR;
/// The longest, in seconds.
const LONGEST: u32 = 31 * 86_400;

fn long() -> callgate::store::Counter {
    sliding(90_000)
}

fn charges_of_a_quarter_of_an_hour_are_one(subject: &dyn Subject) {
    let (ledger, counter) = (Ledger::open(subject), long());
    for (n, now) in (1..).zip([0, 7, 8, QUARTER - 1]) {
        let usage = Usage { used: micros(2 * n), resets_at: at(QUARTER + LENGTH), stamp: at(QUARTER) };
        assert_eq!(ledger.charged(&counter, 2, now), usage, "{now}");
        // Live though its time is to come.
        assert_eq!(ledger.usage(&counter, now), usage);
    }
    for now in [QUARTER, 2 * QUARTER - 1] {
        let usage = ledger.charged(&counter, 1, now);
        assert_eq!((usage.stamp, usage.resets_at), (at(2 * QUARTER), at(2 * QUARTER + LENGTH)), "{now}");
    }
    // A look tells the time that a charge would have.
    let looked = ledger.usage(&counter, 2 * QUARTER);
    assert_eq!((looked.stamp, looked.resets_at), (at(3 * QUARTER), at(2 * QUARTER + LENGTH)));
    assert_eq!(looked.used, micros(10));
    assert_eq!(ledger.held(2 * QUARTER)[0].resets_at, at(2 * QUARTER + LENGTH));
}

fn only_windows_longer_than_a_day_go_by_quarters(subject: &dyn Subject) {
    for (seconds, stamp) in [(86_399, 7), (86_400, 7), (86_401, QUARTER), (LONGEST, QUARTER)] {
        let (ledger, counter) = (Ledger::open(subject), sliding(seconds));
        let usage = ledger.charged(&counter, 1, 7);
        let ends = stamp + i64::from(seconds) * SECOND;
        assert_eq!((usage.stamp, usage.resets_at), (at(stamp), at(ends)), "{seconds}");
        assert_eq!([ledger.used(&counter, ends - 1), ledger.used(&counter, ends)], [1, 0], "{seconds}");
    }
}

fn a_quarter_expires_one_length_after_its_end(subject: &dyn Subject) {
    for seconds in [90_000, LONGEST] {
        let (ledger, counter, length) =
            (Ledger::open(subject), sliding(seconds), i64::from(seconds) * SECOND);
        for (amount, now) in [(10, 5), (11, QUARTER + 5), (12, 5 * QUARTER + 5)] {
            ledger.charged(&counter, amount, now);
        }
        // They are 10, 11 and 12, at the ends of the first, the second and the sixth quarter.
        let now = 7 * QUARTER;
        let when = |amount, max| retry_at(&ledger.charge(&counter, amount, max, now));
        assert_eq!(when(1, 33), Some(QUARTER + length));
        assert_eq!(when(10, 33), Some(QUARTER + length));
        assert_eq!(when(11, 33), Some(2 * QUARTER + length));
        assert_eq!(when(33, 33), Some(6 * QUARTER + length));
        assert_eq!(when(34, 33), None);
        let holds = guarded([read(&counter)], GuardMode::RequireAll, &[(0, &[(0, 22)])]);
        assert_eq!(retry_at(&ledger.peek(&holds, now)), Some(2 * QUARTER + length));
        for (now, used) in [(QUARTER, 33), (2 * QUARTER, 23), (6 * QUARTER, 12)] {
            assert_eq!(ledger.used(&counter, now + length - 1), used, "{now}");
        }
        assert_eq!(ledger.used(&counter, 6 * QUARTER + length), 0);
    }
}

fn a_long_window_refuses_at_most_a_quarter_longer(subject: &dyn Subject) {
    for made in [0, 1, QUARTER / 2, QUARTER - 1, QUARTER] {
        let (ledger, counter) = (Ledger::open(subject), long());
        assert!(taken(&ledger.charge(&counter, 1, 1, made)));
        // An exact one would have it expire then.
        let exact = made + LENGTH;
        let refused = ledger.charge(&counter, 1, 1, exact - 1);
        let retry_at = retry_at(&refused).unwrap();
        assert!((exact..=exact + QUARTER).contains(&retry_at), "{made}: {retry_at}");
        assert!(!taken(&ledger.charge(&counter, 1, 1, retry_at - 1)), "{made}");
        assert!(taken(&ledger.charge(&counter, 1, 1, retry_at)), "{made}");
    }
}

fn a_long_window_never_admits_more_than_its_maximum(subject: &dyn Subject) {
    let (ledger, counter, max) = (Ledger::open(subject), long(), 7);
    let mut admitted: Vec<(i64, i64)> = Vec::new();
    let (mut now, mut dice) = (0, 1_u64);
    for _ in 0..600 {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Steps of any length and to the ends of quarters, of two hours at most.
        let roll = i64::try_from(dice >> 40).unwrap();
        now = match roll % 4 {
            0 => (now / QUARTER + 1 + roll / 4 % 8) * QUARTER,
            1 => now + roll / 4 % SECOND,
            _ => now + roll / 4 % (2 * HOUR),
        };
        let amount = 1 + roll % 3;
        if taken(&ledger.charge(&counter, amount, max, now)) {
            admitted.push((now, amount));
        }
        let inside = admitted.iter().filter(|(made, _)| *made > now - LENGTH);
        let sum: i64 = inside.map(|(_, amount)| amount).sum();
        assert!(sum <= max, "{sum} in an interval of the window's length");
        // Nor is it refused what fits with everything up to a quarter older.
        let around = admitted.iter().filter(|(made, _)| *made > now - LENGTH - QUARTER);
        let sum: i64 = around.map(|(_, amount)| amount).sum();
        assert!(ledger.used(&counter, now) <= sum, "what has expired is still counted");
    }
    assert!(admitted.len() > 20, "nearly everything was refused");
}

fn a_long_window_keeps_so_few_charges(subject: &dyn Subject) {
    let (ledger, counter) = (Ledger::open(subject), sliding(LONGEST));
    // Two in each quarter, for longer than the window: never is it full.
    for quarter in 0..2_980 {
        ledger.charged(&counter, 1, quarter * QUARTER + 1);
        let used = ledger.charged(&counter, 1, quarter * QUARTER + QUARTER / 2).used.as_micros();
        assert!(used <= 2 * 2_977, "{used} charges are live");
        assert_eq!(used, 2 * (quarter + 1).min(2_977));
    }
}

fn amounts_of_a_long_window_are_exact(subject: &dyn Subject) {
    let (ledger, counter) = (Ledger::open(subject), long());
    ledger.charged(&counter, i64::MAX, 1);
    assert!(!taken(&ledger.charge(&counter, 1, i64::MAX, 2)));
    let expires = QUARTER + LENGTH;
    assert!(!taken(&ledger.charge(&counter, 1, i64::MAX, expires - 1)));
    // The room of what has expired is there again, whole, at once.
    assert_eq!(ledger.charged(&counter, i64::MAX, expires).used, micros(i64::MAX));
    assert_eq!(ledger.used(&counter, expires), i64::MAX);
    assert!(!taken(&ledger.charge(&counter, 1, i64::MAX, expires + 1)));
}

fn a_charge_of_a_quarter_is_taken_back_from_it(subject: &dyn Subject) {
    let (ledger, counter) = (Ledger::open(subject), long());
    let first = ledger.charged(&counter, 5, 1).stamp;
    assert_eq!(ledger.charged(&counter, 3, QUARTER - 1).stamp, first);
    let second = ledger.charged(&counter, 7, QUARTER).stamp;
    // In the quarter itself, and later.
    ledger.refund(&counter, second, 2, QUARTER + 1);
    assert_eq!(ledger.used(&counter, QUARTER + 1), 13);
    ledger.refund(&counter, first, 5, 4 * HOUR);
    assert_eq!(ledger.used(&counter, 4 * HOUR), 8);
    // The time at which it was made is none that it counts from.
    ledger.refund(&counter, at(1), 3, 4 * HOUR);
    ledger.refund(&counter, at(0), 3, 4 * HOUR);
    assert_eq!(ledger.used(&counter, 4 * HOUR), 8);
    ledger.refund(&counter, first, 3, QUARTER + LENGTH);
    assert_eq!(ledger.used(&counter, QUARTER + LENGTH), 5);
    // What is taken back whole is no charge any more.
    ledger.refund(&counter, second, 5, QUARTER + LENGTH);
    assert_eq!(ledger.held(QUARTER + LENGTH), []);
    assert_eq!(ledger.usage(&counter, QUARTER + LENGTH).resets_at, at(QUARTER + LENGTH));
}

fn more_is_charged_in_the_quarter_of_settling(subject: &dyn Subject) {
    let (ledger, counter, who) = (Ledger::open(subject), long(), scope("a"));
    let stamp = ledger.charged(&counter, 2, 1).stamp;
    let more = callgate::store::Settlement { actual: micros(9), ..settlement(&counter, &who, stamp, 2) };
    ledger.settle(&[more], 3 * QUARTER + 1);
    let usage = ledger.usage(&counter, 3 * QUARTER + 1);
    assert_eq!((usage.used, usage.resets_at), (micros(9), at(4 * QUARTER + LENGTH)));
    assert_eq!(ledger.used(&counter, QUARTER + LENGTH), 7);
    assert_eq!(ledger.used(&counter, 4 * QUARTER + LENGTH), 0);
}

fn a_clock_behind_counts_in_the_newest_quarter(subject: &dyn Subject) {
    let (ledger, counter) = (Ledger::open(subject), long());
    ledger.charged(&counter, 5, 3 * QUARTER + 1);
    for behind in [3 * QUARTER, 2 * QUARTER + 1, 2 * QUARTER - 1, QUARTER] {
        assert!(!taken(&ledger.charge(&counter, 1, 5, behind)), "{behind}");
        assert_eq!(ledger.used(&counter, behind), 5, "{behind}");
    }
    assert_eq!(ledger.charged(&counter, 1, QUARTER).stamp, at(4 * QUARTER));
    assert_eq!(ledger.used(&counter, 4 * QUARTER + LENGTH - 1), 6);
    assert_eq!(ledger.used(&counter, 4 * QUARTER + LENGTH), 0);
}

fn what_was_charged_before_a_reset_is_not_refunded_in_its_quarter(subject: &dyn Subject) {
    for purged in [false, true] {
        let (ledger, counter) = (Ledger::open(subject), long());
        let before = ledger.charged(&counter, 5, 10).stamp;
        assert!(ledger.reset(&counter, 20));
        assert_eq!(ledger.used(&counter, 20), 0);
        if purged {
            ledger.purge(30);
        }
        let after = ledger.charged(&counter, 5, 40).stamp;
        ledger.refund(&counter, before, 5, 50);
        assert_eq!(ledger.used(&counter, 50), 5);
        ledger.refund(&counter, after, 5, 60);
        assert_eq!(ledger.used(&counter, 60), 0);
    }
}

fn a_purge_keeps_the_charges_of_a_long_window(subject: &dyn Subject) {
    let (ledger, counter) = (Ledger::open(subject), long());
    ledger.charged(&counter, 5, 1);
    ledger.charged(&counter, 2, 3 * QUARTER);
    for (now, used) in [
        (1, 7),
        (LENGTH, 7),
        (QUARTER + LENGTH - 1, 7),
        (QUARTER + LENGTH, 2),
        (4 * QUARTER + LENGTH - 1, 2),
        (4 * QUARTER + LENGTH, 0),
    ] {
        let now = now.max(3 * QUARTER);
        ledger.purge(now);
        assert_eq!(ledger.used(&counter, now), used, "{now}");
    }
}
