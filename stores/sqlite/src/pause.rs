//! Back-off while another process holds the file's lock.
//!
//! In: nothing. Out: pauses, short at first, because a transaction takes some ten microseconds. The caller watches its own
//! deadline.

use std::thread;
use std::time::Duration;

/// Attempts before the first sleep: about the time of one transaction of another process.
const YIELDS: u32 = 20;
const SHORTEST: Duration = Duration::from_micros(50);
const LONGEST: Duration = Duration::from_millis(5);

/// Pauses between attempts.
pub(crate) struct Pauses {
    yields: u32,
    next: Duration,
}

impl Pauses {
    pub(crate) fn new() -> Self {
        Self { yields: 0, next: SHORTEST }
    }

    /// Waits a little.
    pub(crate) fn pause(&mut self) {
        if self.yields < YIELDS {
            self.yields = self.yields.saturating_add(1);
            thread::yield_now();
        } else {
            thread::sleep(self.next);
            self.next = self.next.saturating_mul(2).min(LONGEST);
        }
    }
}
