//! The time of a decision.
//!
//! In: what the host's clock showed, if it has one. Out: core's clock. JS functions cannot be called from other threads,
//! so the host's clock is read before a decision and stands still during it.

use std::cell::Cell;

use callgate::time::{Clock, SystemClock, Timestamp};

thread_local! {
    static SHOWN: Cell<Option<Timestamp>> = const { Cell::new(None) };
}

/// The machine's clock, unless a host's was read for this decision.
pub(crate) struct HostClock;

impl Clock for HostClock {
    fn now(&self) -> Timestamp {
        SHOWN.get().unwrap_or_else(|| SystemClock.now())
    }
}

/// Milliseconds since the epoch. A cast saturates, and `Timestamp` clamps to its range; NaN is refused by the TypeScript half.
pub(crate) fn timestamp(millis: f64) -> Timestamp {
    Timestamp::from_millis(millis as i64)
}

/// Does `work` at `now`, milliseconds since the epoch; `None` means the machine's time.
pub(crate) fn at<R>(now: Option<f64>, work: impl FnOnce() -> R) -> R {
    /// Puts the clock back, also after a panic.
    struct Guard(Option<Timestamp>);
    impl Drop for Guard {
        fn drop(&mut self) {
            SHOWN.set(self.0);
        }
    }
    let _guard = Guard(SHOWN.replace(now.map(timestamp)));
    work()
}
