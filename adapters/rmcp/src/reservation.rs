//! The charges of the call that runs, inside its handler (G7.7).
//!
//! In: what the handler knows of the call's cost. Out: charges that are settled or given back, once. Must not be those of another call.

use std::fmt;
use std::sync::Arc;

use callgate::{Actual, Engine, Outcome, Reservation, SettleError};

use crate::ending::Slot;

/// The reservation of the call that runs: in the extensions of its [`RequestContext`](rmcp::service::RequestContext), and by rmcp's
/// `Extension<CurrentReservation>` in a tool's function.
///
/// What ends here is not ended again by the answer. A clone is the same reservation, also in other tasks and threads.
///
/// ```
/// use callgate::Amount;
/// use callgate_rmcp::CurrentReservation;
/// use rmcp::service::{RequestContext, RoleServer};
///
/// async fn bill(context: &RequestContext<RoleServer>, tokens: u64) {
///     if let Some(reservation) = context.extensions.get::<CurrentReservation>()
///         && let Some(amount) = i64::try_from(tokens).ok().and_then(Amount::from_whole)
///     {
///         // A charge that is not settled stands.
///         let _ = reservation.settle([("tokens", amount)]).await;
///     }
/// }
/// ```
#[derive(Clone)]
pub struct CurrentReservation {
    engine: Arc<Engine>,
    slot: Slot,
}

impl CurrentReservation {
    pub(crate) fn new(engine: &Arc<Engine>, slot: &Slot) -> Self {
        Self { engine: engine.clone(), slot: slot.clone() }
    }

    /// Whether the call charged something that can still be settled or given back.
    pub async fn is_open(&self) -> bool {
        self.slot.lock().await.as_ref().is_some_and(Reservation::is_open)
    }

    /// Makes charges what the call really cost (spec 8.14).
    ///
    /// # Errors
    /// Those of [`Engine::settle`]; [`SettleError::NothingToSettle`] where the call charged nothing.
    pub async fn settle(&self, actual: impl Into<Actual>) -> Result<(), SettleError> {
        let actual = actual.into();
        let mut slot = self.slot.clone().lock_owned().await;
        let Some(reservation) = slot.as_mut() else { return Err(SettleError::NothingToSettle) };
        if self.engine.has_async_store() {
            return self.engine.settle_async(reservation, actual).await;
        }
        let engine = self.engine.clone();
        blocking(move || match slot.as_mut() {
            Some(reservation) => engine.settle(reservation, actual),
            None => Err(SettleError::NothingToSettle),
        })
        .await
    }

    /// Says how the call ends, so that its charges are given back as the policy has it (spec 8.13). [`Outcome::NotRun`] gives all back: for
    /// a handler that knows that it did nothing.
    ///
    /// # Errors
    /// Those of [`Engine::finish`]. Where the call charged nothing, there is nothing to do.
    pub async fn finish(&self, outcome: Outcome) -> Result<(), SettleError> {
        let mut slot = self.slot.clone().lock_owned().await;
        let Some(reservation) = slot.as_mut() else { return Ok(()) };
        if self.engine.has_async_store() {
            return self.engine.finish_async(reservation, outcome).await;
        }
        let engine = self.engine.clone();
        blocking(move || match slot.as_mut() {
            Some(reservation) => engine.finish(reservation, outcome),
            None => Ok(()),
        })
        .await
    }
}

/// On a thread that may block. It fails where the runtime shuts down: the charges stand then.
async fn blocking(end: impl FnOnce() -> Result<(), SettleError> + Send + 'static) -> Result<(), SettleError> {
    tokio::task::spawn_blocking(end).await.unwrap_or(Err(SettleError::Finished))
}

impl fmt::Debug for CurrentReservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CurrentReservation").finish_non_exhaustive()
    }
}
