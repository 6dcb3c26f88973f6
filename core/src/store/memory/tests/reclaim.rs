//! What is dropped, when, and what may never come back: clocks that disagree, sweeps, and the memory that is left.

use super::*;

#[test]
fn the_last_window_of_time_stays_exact() {
    for counter in [fixed(Window::Month), fixed(Window::Minute), sliding(60)] {
        let store = MemoryStore::new();
        let end = Timestamp::MAX.as_millis();
        assert_eq!(take(&store, &counter, 1, 1, end), (true, 1));
        assert_eq!(store.purge(Timestamp::MAX), Ok(0));
        assert_eq!(take(&store, &counter, 1, 1, end), (false, 1));
        let store = MemoryStore::new();
        assert_eq!(take(&store, &counter, 1, 1, 0), (true, 1));
        assert_eq!(take(&store, &counter, 1, 1, 0), (false, 1));
    }
}

#[test]
fn a_clock_that_runs_behind_resets_nothing() {
    // Trap 25: two hosts around midnight passed 20 calls through a limit of 2.
    let (store, counter) = (MemoryStore::new(), fixed(Window::Day));
    let mut admitted = 0;
    for step in 0..20 {
        admitted += i64::from(take(&store, &counter, 1, 2, if step % 2 == 0 { DAY } else { DAY - 1 }).0);
    }
    assert_eq!(admitted, 2);
    let (store, counter) = (MemoryStore::new(), sliding(60));
    assert!(take(&store, &counter, 2, 2, 100_000).0);
    assert_eq!(take(&store, &counter, 1, 2, 0), (false, 2));
    assert_eq!(take(&store, &counter, 1, 2, 160_000), (true, 1));
}

#[test]
fn a_clock_that_runs_behind_does_not_revive_what_was_swept() {
    // Trap 25 across a sweep. Whatever shard the other scopes fall into, their calls sweep it.
    for purge in [false, true] {
        for counter in [fixed(Window::Day), sliding(86_400)] {
            let store = MemoryStore::new();
            assert_eq!(take(&store, &counter, 2, 2, DAY - 1), (true, 2));
            let later = 3 * DAY;
            for other in 0..1_000 {
                let other = slot(&counter, &format!("other {other}"), Some(1), 1);
                store.reserve(&batch([other]), at(later)).unwrap();
            }
            if purge {
                store.purge(at(later)).unwrap();
            }
            let counted: i64 = (0..5).map(|_| i64::from(take(&store, &counter, 1, 2, DAY - 1).0)).sum();
            assert_eq!(counted, 2);
            // They were counted, but not in the window whose two were gone before.
            let stamp =
                store.peek(&batch([slot(&counter, "a", None, 0)]), at(DAY - 1)).unwrap().usage[0].stamp;
            assert!(stamp >= at(DAY), "{stamp}");
        }
    }
}

#[test]
fn time_stands_still_until_a_wild_clock_is_caught_up_with() {
    for counter in [fixed(Window::Minute), sliding(60)] {
        let store = MemoryStore::new();
        let year = 366 * DAY;
        assert_eq!(take(&store, &counter, 1, 2, year), (true, 1));
        // For every counter alike, one that was never charged included, and asking shows it.
        let other = batch([slot(&counter, "other", Some(1), 1)]);
        for (now, verdict) in [(0, Verdict::Reserved), (60_000, Verdict::Reserved)] {
            assert_eq!(store.peek(&other, at(now)).unwrap().verdict, verdict);
            assert_eq!(store.peek(&other, at(now)).unwrap().usage[0].stamp, at(year));
        }
        assert_eq!(take(&store, &counter, 1, 2, 0), (true, 2));
        let refused = store.reserve(&batch([slot(&counter, "a", Some(1), 2)]), at(60_000)).unwrap();
        assert_eq!((refused.now, refusals(&refused)[0].retry_at), (at(60_000), Some(at(year + 60_000))));
        assert_eq!(take(&store, &counter, 1, 2, year + 60_000), (true, 1));
    }
}

#[test]
fn asking_and_taking_back_do_not_move_time_on() {
    let (store, counter, who) = (MemoryStore::new(), fixed(Window::Minute), scope("a"));
    assert_eq!(take(&store, &counter, 1, 2, 0), (true, 1));
    assert_eq!(used(&store, &counter, "a", DAY), 0);
    let refund = Settlement::refund(&counter, &who, at(0), micros(1));
    store.settle(&[refund], at(DAY)).unwrap();
    assert_eq!(take(&store, &counter, 1, 2, 0), (true, 2));
}

#[test]
fn nothing_live_is_dropped_and_nothing_dead_is_kept() {
    // Trap 28, and memory that is bounded by what is live.
    let sizes = |store: &MemoryStore| {
        (0..SHARDS)
            .map(|shard| store.lock(shard).sizes())
            .fold((0, 0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1, sum.2 + one.2))
    };
    for (counter, per_window) in [(fixed(Window::Minute), 60_000), (sliding(60), 60_000)] {
        let (store, month) = (MemoryStore::new(), fixed(Window::Month));
        for who in 0..500 {
            store.reserve(&batch([slot(&month, &format!("{who}"), Some(1), 1)]), at(0)).unwrap();
        }
        // Ten windows, each with a thousand scope values that never come back.
        for call in 0..10_000 {
            let now = call * per_window / 1_000;
            let outcome =
                store.reserve(&batch([slot(&counter, &format!("{call}"), Some(1), 1)]), at(now)).unwrap();
            assert_eq!(outcome.verdict, Verdict::Reserved);
            // A shard that no call meets is not swept, so what is kept can exceed what is live by what such shards
            // held; a sliding row may wait a second length for its sweep.
            let (_, rows, scheduled) = sizes(&store);
            assert!(rows <= 500 + 2_500, "{rows} rows after call {call}");
            assert!(scheduled <= 3 * SHARDS, "{scheduled} scheduled");
        }
        for who in 0..500 {
            assert_eq!(used(&store, &month, &format!("{who}"), 600_000), 1);
        }
        let (_, rows, _) = sizes(&store);
        assert_eq!(store.purge(at(31 * DAY)), Ok(rows));
        assert_eq!(store.purge(at(31 * DAY)), Ok(0));
        assert_eq!(sizes(&store), (0, 0, 0));
    }
}

#[test]
fn what_was_taken_back_whole_leaves_nothing_in_a_window_without_end() {
    let (store, counter, who) = (MemoryStore::new(), fixed(Window::Ever), scope("a"));
    assert!(take(&store, &counter, 5, 9, 0).0);
    assert_eq!(store.purge(Timestamp::MAX), Ok(0));
    store.settle(&[Settlement::refund(&counter, &who, Timestamp::MIN, micros(5))], at(DAY)).unwrap();
    assert_eq!(store.purge(at(DAY)), Ok(1));
    // One that was reset is kept: it knows what is not taken back any more.
    assert!(take(&store, &counter, 5, 9, DAY).0);
    assert_eq!(store.reset(counter.id, &who, at(DAY)), Ok(true));
    assert_eq!(store.purge(at(2 * DAY)), Ok(0));
}

#[test]
fn a_reset_is_remembered_for_as_long_as_its_quarter_of_an_hour() {
    let (store, counter, who) = (MemoryStore::new(), sliding(90_000), scope("a"));
    let tables = || (0..SHARDS).map(|shard| store.lock(shard).sizes().0).sum::<usize>();
    assert!(take(&store, &counter, 5, 9, 0).0);
    assert_eq!(store.reset(counter.id, &who, at(1)), Ok(true));
    for (now, kept) in [(2, 1), (899_999, 1), (900_000, 0)] {
        store.purge(at(now)).unwrap();
        assert_eq!(tables(), kept, "{now}");
    }
}

#[test]
fn a_table_that_stays_empty_goes() {
    let (store, counter) = (MemoryStore::new(), fixed(Window::Minute));
    let hash = hash_key(&store.seed, counter.id, b"a");
    assert!(take(&store, &counter, 1, 1, 0).0);
    let mut shard = store.lock(shard_of(hash));
    shard.tidy(at(59_999));
    assert_eq!(shard.sizes(), (1, 1, 1));
    shard.tidy(at(60_000));
    assert_eq!(shard.sizes(), (1, 0, 1));
    shard.tidy(at(120_000));
    assert_eq!(shard.sizes(), (0, 0, 0));
}

#[test]
fn a_crowd_that_is_gone_gives_its_room_back() {
    let (store, counter) = (MemoryStore::new(), fixed(Window::Minute));
    let bytes = || (0..SHARDS).map(|shard| store.lock(shard).bytes()).sum::<usize>();
    let mut after = Vec::new();
    // A window with many, then some with a few in every shard: the first of them keeps room for as many again.
    for (minute, calls) in [50_000, 640, 640, 640].into_iter().enumerate() {
        for who in 0..calls {
            let slots = [slot(&counter, &format!("{who}"), Some(1), 1)];
            store.reserve(&batch(slots), at(minute as i64 * 60_000)).unwrap();
        }
        after.push(bytes());
    }
    assert!(after[1] > after[0] / 4, "{after:?}");
    assert!(after[2] < after[0] / 20 && after[3] <= after[2] * 2, "{after:?}");
}

#[test]
fn a_million_identities_cost_less_than_a_hundred_bytes_each() {
    // Counted, not sampled: the tables say how much they allocated; each key is rounded up as a malloc with an 8-byte
    // header and 16-byte steps does (32 bytes at least), which is the costliest one in common use.
    for head in ["grant:s:user", "i:s:3f2c1a7e-9b64-4c1d-8f0a-5e7"] {
        let (store, counter) = (MemoryStore::new(), fixed(Window::Day));
        let (mut keys, mut worst) = (0, 0);
        for who in 0..1_000_000_usize {
            let who = format!("{head}-{who}");
            keys += who.len();
            store.reserve(&batch([slot(&counter, &who, Some(1), 1)]), at(0)).unwrap();
        }
        let mut bytes = std::mem::size_of::<Padded>() * SHARDS;
        for shard in 0..SHARDS {
            bytes += store.lock(shard).bytes();
            worst = worst.max(store.lock(shard).sizes().1);
        }
        let each = (bytes - keys) / 1_000_000;
        println!("{each} bytes each beyond the key");
        assert!(each <= 100, "{each} bytes each");
        // The hash spreads them: no shard has more than a tenth above its part.
        assert!(worst < 1_000_000 / SHARDS * 11 / 10, "{worst} in one shard");
    }
}
