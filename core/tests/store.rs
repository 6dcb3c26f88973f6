//! The in-memory store where no policy can lead it, and what it shows to an operator.

use std::sync::Arc;

use callgate::store::{Algorithm, Batch, Counter, Inspect, Owner, ScopeValue, Slot, Store, Verdict, Window};
use callgate::time::{ManualClock, Timestamp};
use callgate::{Amount, Engine, Identity, MemoryStore};
use serde_json::json;

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// No policy has a sliding month (clause 8.3); a counter that is built by hand counts over the longest.
#[test]
fn a_sliding_month_is_31_days() {
    let counter = Counter::new(Owner::AllTools, "by hand", Window::Month, Algorithm::Sliding, "global");
    let one = Amount::from_micros(1).unwrap();
    let slot =
        Slot { counter: &counter, scope: ScopeValue::default(), charge: Some(one), max: one, order: 0 };
    let batch = Batch { slots: [slot].into_iter().collect(), ..Batch::default() };
    let store = MemoryStore::new();
    let takes = |now| {
        let outcome = store.reserve(&batch, Timestamp::from_millis(now)).unwrap();
        (outcome.verdict == Verdict::Reserved, outcome.usage[0].resets_at.as_millis())
    };
    // It is longer than a day, so a charge counts from the end of its quarter of an hour (spec 8.3).
    const QUARTER: i64 = 900_000;
    assert_eq!(takes(0), (true, 31 * DAY + QUARTER));
    assert_eq!(takes(31 * DAY + QUARTER - 1), (false, 31 * DAY + QUARTER));
    assert_eq!(takes(31 * DAY + QUARTER), (true, 62 * DAY + 2 * QUARTER));
}

/// What an operator reads and types again: every kind of scope value, and bytes that are none.
#[test]
fn scope_values_print_for_people() {
    let store = Arc::new(MemoryStore::new());
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
    let policy = "{version: '1', default: deny, tools: {t: {limits: [
        {counter: all, window: hour, max: 9},
        {counter: id, window: hour, max: 9, scope: identity},
        {counter: session, window: hour, max: 9, scope: session},
        {counter: grant, window: hour, max: 9, scope: grant},
        {counter: list, window: hour, max: 9, scope: [args.region, args.n, tool]}]}}}";
    let engine = Engine::builder(policy.parse().unwrap()).store(store.clone()).clock(clock).build();
    let args = json!({"region": "e\"u,\n", "n": -42});
    let claims = json!({"id": "alice", "session": 7, "grant": "7"});
    assert!(engine.evaluate("t", &args, &Identity::claims(&claims)).allowed());
    let mut shown = Vec::new();
    store
        .each(Timestamp::from_millis(0), &mut |held| {
            shown.push(format!("{} {}: {}", held.counter.scope(), held.counter.name(), held.scope));
        })
        .unwrap();
    shown.sort();
    assert_eq!(
        shown,
        [
            "args.region,args.n,tool list: \"e\\\"u,\\n\", -42, \"t\"",
            "global all: -",
            "grant grant: grant \"7\"",
            "identity id: id \"alice\"",
            "session session: session 7",
        ]
    );
    let printed = |bytes: &[u8]| ScopeValue::from(bytes).to_string();
    assert_eq!(printed(b"in\0\x017"), "id 7");
    for (bytes, digits) in [
        (&b"in\0\x027"[..], "696e000237"),
        (b"in\0\x017i", "696e00013769"),
        (b"xn\0\x017", "786e000137"),
        (b"ix\0\x017", "6978000137"),
        (b"is\0\x01\xff", "69730001ff"),
        (b"in\0", "696e00"),
        (b"\x07", "07"),
    ] {
        assert_eq!(printed(bytes), digits);
    }
}
