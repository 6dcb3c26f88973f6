//! The in-memory store where no policy can lead it.

use callgate::{
    Algorithm, Amount, Batch, Counter, MemoryStore, Owner, ScopeValue, Slot, Store, Timestamp, Verdict,
    Window,
};

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
    assert_eq!(takes(0), (true, 31 * DAY));
    assert_eq!(takes(31 * DAY - 1), (false, 31 * DAY));
    assert_eq!(takes(31 * DAY), (true, 62 * DAY));
}
