//! How a session ends: patience first, then signals.
//!
//! In: what happened, and when. Out: what is due. Must not wait for ever for a process that ignores what it is told.

use std::time::Duration;

use tokio::time::Instant;

/// Why a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    ClientClosed,
    ServerExited,
    /// By its number.
    Signal(u8),
}

impl Why {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::ClientClosed => "client_closed",
            Self::ServerExited => "server_exited",
            Self::Signal(_) => "signal",
        }
    }
}

/// How far the server was pressed to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pressed {
    Not,
    /// Its standard input was closed.
    Closed,
    Terminated,
    Killed,
}

/// How long the system may take to clear away what was killed.
const CLEARED: Duration = Duration::from_secs(1);

const DAY: Duration = Duration::from_secs(86_400);

/// The end of a session, once it has begun.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) why: Why,
    pub(super) pressed: Pressed,
    /// Whether somebody asked twice, and does not want to wait.
    pub(super) is_hurried: bool,
    pub(super) deadline: Instant,
}

impl Ending {
    /// It begins to end; what is under way may take so long.
    pub(super) fn new(why: Why, patience: Duration) -> Self {
        Self { why, pressed: Pressed::Not, is_hurried: false, deadline: after(patience) }
    }

    /// The server is pressed harder; it has so long until the next step.
    pub(super) fn press(&mut self, pressed: Pressed, grace: Duration) {
        if pressed > self.pressed {
            self.pressed = pressed;
            self.deadline = after(if pressed == Pressed::Killed { CLEARED } else { grace });
        }
    }

    /// Only the client is waited for, and it takes what is left: it has so long for the next.
    pub(super) fn client_took(&mut self, grace: Duration) {
        if !self.is_hurried {
            self.deadline = self.deadline.max(after(grace));
        }
    }

    /// Nothing is due any more.
    pub(super) fn wait(&mut self) {
        self.deadline = after(DAY);
    }
}

/// So long from now.
pub(super) fn after(time: Duration) -> Instant {
    let now = Instant::now();
    // A time that no clock shows never comes: a day is as good.
    now.checked_add(time).or_else(|| now.checked_add(DAY)).unwrap_or(now)
}
