//! Waiting for other processes to let go of the file.
//!
//! In: how long at most. Out: pauses, short at first: a transaction takes some ten microseconds.

use std::thread;
use std::time::{Duration, Instant};

/// Attempts before the first sleep: as long as one transaction of another process may take.
const YIELDS: u32 = 20;
const SHORTEST: Duration = Duration::from_micros(50);
const LONGEST: Duration = Duration::from_millis(5);

/// Pauses between attempts.
pub(crate) struct Pauses {
    timeout: Duration,
    /// Since the first pause: most attempts succeed at once, and need no clock.
    since: Option<Instant>,
    yields: u32,
    next: Duration,
}

impl Pauses {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { timeout, since: None, yields: 0, next: SHORTEST }
    }

    /// Waits a little; false, at once, if the time is over.
    pub(crate) fn pause(&mut self) -> bool {
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() >= self.timeout {
            return false;
        }
        if self.yields < YIELDS {
            self.yields = self.yields.saturating_add(1);
            thread::yield_now();
        } else {
            thread::sleep(self.next);
            self.next = self.next.saturating_mul(2).min(LONGEST);
        }
        true
    }
}
