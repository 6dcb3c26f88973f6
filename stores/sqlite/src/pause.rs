//! Waiting for other processes to let go of the file.
//!
//! In: nothing. Out: pauses, short at first: a transaction takes some ten microseconds. Whose time is over is for the caller to
//! see.

use std::thread;
use std::time::Duration;

/// Attempts before the first sleep: as long as one transaction of another process may take.
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
