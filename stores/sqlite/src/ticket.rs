//! The slot in which a waiting thread or task gets its answer.
//!
//! In: the answer, or the lead. Out: the same, to the caller that waited.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use callgate::StoreError;

use crate::job::{Answer, OwnedJob};

/// Spin time before blocking: some transactions. Where all slept at once, four threads took 1.6 times as long.
const SPINS_FOR: Duration = Duration::from_micros(50);

pub(crate) struct Ticket {
    pub(crate) job: OwnedJob,
    /// The caller's deadline.
    pub(crate) deadline: Instant,
    /// A task cannot lead: it must not block.
    pub(crate) is_task: bool,
    seat: Mutex<Seat>,
    called: Condvar,
}

#[derive(Default)]
struct Seat {
    turn: Option<Turn>,
    waker: Option<Waker>,
}

/// What a waiting caller gets.
pub(crate) enum Turn {
    Answered(Result<Answer, StoreError>),
    /// The caller leads now; its job is still to be done.
    Leads,
}

impl Ticket {
    pub(crate) fn new(job: OwnedJob, deadline: Instant, is_task: bool) -> Arc<Self> {
        Arc::new(Self { job, deadline, is_task, seat: Mutex::default(), called: Condvar::new() })
    }

    fn seat(&self) -> MutexGuard<'_, Seat> {
        self.seat.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn call(&self, turn: Turn) {
        let mut seat = self.seat();
        seat.turn = Some(turn);
        let waker = seat.waker.take();
        drop(seat);
        self.called.notify_one();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Blocks the thread.
    pub(crate) fn wait(&self) -> Turn {
        let began = Instant::now();
        while began.elapsed() < SPINS_FOR {
            // The thread that holds the lock is about to answer.
            if let Ok(mut seat) = self.seat.try_lock()
                && let Some(turn) = seat.turn.take()
            {
                return turn;
            }
            std::thread::yield_now();
        }
        let mut seat = self.seat();
        loop {
            if let Some(turn) = seat.turn.take() {
                return turn;
            }
            seat = self.called.wait(seat).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The answer to a task's ticket.
pub(crate) struct Waiting(pub(crate) Arc<Ticket>);

impl Future for Waiting {
    type Output = Turn;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Turn> {
        let mut seat = self.0.seat();
        match seat.turn.take() {
            Some(turn) => Poll::Ready(turn),
            None => {
                seat.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
