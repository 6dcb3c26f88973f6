//! The time at which a candidate decides: that of the call, also where its store is asked later, on another thread.
//!
//! In: a time. Out: a clock of core that shows it. Must not show it to anybody else.

use std::cell::Cell;

use callgate::time::{Clock, SystemClock, Timestamp};

thread_local! {
    static CALL: Cell<Option<Timestamp>> = const { Cell::new(None) };
}

/// The time of the call that this thread works on.
pub(super) struct CallClock;

impl Clock for CallClock {
    fn now(&self) -> Timestamp {
        CALL.get().unwrap_or_else(|| SystemClock.now())
    }
}

/// Does `work` at the time of a call.
pub(super) fn at<R>(now: Timestamp, work: impl FnOnce() -> R) -> R {
    CALL.set(Some(now));
    work()
}
