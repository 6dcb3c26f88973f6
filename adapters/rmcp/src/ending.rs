//! The charges of a call that was let through, until it has ended (spec 8.13).
//!
//! In: how it ended. Out: what that gives back, given back once. Must not give back what may stand: where the end is not
//! known, it is that of a lost connection.

use std::sync::Arc;

use callgate::{Engine, Outcome, Reservation};
use rmcp::model::{ErrorData, ServerResult};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::audit::Charged;
use crate::mistake;
use crate::reservation::CurrentReservation;

/// The charges of one call. The handler shares them.
pub(crate) type Slot = Arc<Mutex<Option<Reservation>>>;

/// The charges of one call. Dropped before the call has ended, they are those of a call that was lost.
pub(crate) struct Charges {
    engine: Arc<Engine>,
    slot: Slot,
    /// Whether nobody ends it any more.
    ended: bool,
    /// What became of it, where it was finished here.
    became: Option<Charged>,
}

impl Charges {
    pub(crate) fn new(engine: &Arc<Engine>, reservation: Option<Reservation>) -> Self {
        Self { engine: engine.clone(), slot: Arc::new(Mutex::new(reservation)), ended: false, became: None }
    }

    /// What the handler gets.
    pub(crate) fn current(&self) -> CurrentReservation {
        CurrentReservation::new(&self.engine, &self.slot)
    }

    /// Whether this end gives something back. While the handler settles it, that is not known, so it may.
    pub(crate) fn may_give_back(&self, outcome: Outcome) -> bool {
        let gives_back = |reservation: &Reservation| reservation.gives_back(outcome);
        self.slot.try_lock().map_or(true, |slot| slot.as_ref().is_some_and(gives_back))
    }

    /// The call ended so. Where the store cannot be reached, the charges stand, which is the safe side. Gives what became of them.
    pub(crate) async fn finish(&mut self, outcome: Outcome) -> Charged {
        self.ended = true;
        if let Some(became) = self.became {
            return became;
        }
        let outcome = if mistake::is_on("every_end_is_not_run") { Outcome::NotRun } else { outcome };
        let (engine, slot) = (self.engine.clone(), self.slot.clone());
        if !self.may_give_back(outcome) {
            return match &*slot.lock().await {
                None => Charged::Nothing,
                Some(reservation) if reservation.is_open() => Charged::Kept,
                Some(_) => Charged::Settled,
            };
        }
        // A task of its own: who drops this future does not take back what was asked for.
        let finishing = tokio::spawn(async move { finish(&engine, slot.lock_owned().await, outcome).await });
        *self.became.insert(finishing.await.unwrap_or(Charged::Kept))
    }

    /// The server took the call on as a task, which goes on: nothing tells here when it ends.
    pub(crate) fn stand(&mut self) {
        self.ended = true;
    }

    /// Ends it where nobody waits for that.
    pub(crate) fn finish_detached(mut self, outcome: Outcome) {
        self.detach(outcome);
    }

    fn detach(&mut self, outcome: Outcome) {
        if self.ended {
            return;
        }
        self.ended = true;
        // There is none where the process ends.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.may_give_back(outcome) {
            let (engine, slot) = (self.engine.clone(), self.slot.clone());
            runtime.spawn(async move {
                finish(&engine, slot.lock_owned().await, outcome).await;
            });
        }
    }
}

impl Drop for Charges {
    fn drop(&mut self) {
        self.detach(Outcome::Lost);
    }
}

async fn finish(
    engine: &Arc<Engine>,
    mut slot: OwnedMutexGuard<Option<Reservation>>,
    outcome: Outcome,
) -> Charged {
    let keeps = match slot.as_ref() {
        None => return Charged::Nothing,
        Some(reservation) if !reservation.is_open() => return Charged::Settled,
        Some(reservation) if !reservation.gives_back(outcome) => return Charged::Kept,
        Some(reservation) => reservation.keeps(outcome),
    };
    let ended = if engine.has_async_store() {
        match slot.as_mut() {
            Some(reservation) => engine.finish_async(reservation, outcome).await,
            None => Ok(()),
        }
    } else {
        let engine = engine.clone();
        let finishing = tokio::task::spawn_blocking(move || match slot.as_mut() {
            Some(reservation) => engine.finish(reservation, outcome),
            None => Ok(()),
        });
        finishing.await.unwrap_or(Ok(()))
    };
    match ended {
        Ok(()) if !keeps => Charged::Released,
        Ok(()) => Charged::Kept,
        Err(error) => {
            tracing::warn!(target: "callgate", "charges of a call that ended stand: {error}");
            Charged::Kept
        }
    }
}

/// How the server's answer says that the call ended; `None` for a task that it took on.
pub(crate) fn outcome_of(answer: &Result<ServerResult, ErrorData>) -> Option<Outcome> {
    match answer {
        Err(_) => Some(Outcome::Error),
        Ok(ServerResult::CallToolResult(result)) if result.is_error == Some(true) => Some(Outcome::ToolError),
        Ok(ServerResult::CreateTaskResult(_)) => None,
        Ok(_) => Some(Outcome::Done),
    }
}
