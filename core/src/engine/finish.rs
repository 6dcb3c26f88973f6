//! How the charges of an allowed call end: given back, made what the call really cost, or left as they are (spec 8.10, 8.13, 8.14).

use super::Engine;
use crate::decision::{Actual, Ending, Reservation, SettleError, answered};
use crate::outcome::Outcome;
use crate::store::AsyncStore;

impl Engine {
    /// Says how the call ended. [`Outcome::NotRun`] gives all of its charges back; any other outcome those whose `refund` says so, and
    /// its place among calls in flight (spec 8.13). What was charged in a window that has passed is left alone.
    ///
    /// # Errors
    /// [`SettleError`]: charged in another store, finished before, or a store that could not be reached. While the reservation
    /// is open ([`Reservation::is_open`]), nothing has changed, and it may be tried again.
    pub fn finish(&self, reservation: &mut Reservation, outcome: Outcome) -> Result<(), SettleError> {
        self.end(reservation, Ending::Ended(outcome))
    }

    /// Makes charges what the call really cost (spec 8.14): a bare amount where the call has one charge that may be settled, else
    /// amounts by the names of counters and budgets. Less is given back to the window that was charged. More is charged now, in the
    /// window of this time, and no bound refuses it: then `used` may pass `max`. Calls in flight have ended with it.
    ///
    /// # Errors
    /// [`SettleError`]: nothing to settle, a counter that is not named or not known, and those of
    /// [`Engine::finish`].
    pub fn settle(
        &self,
        reservation: &mut Reservation,
        actual: impl Into<Actual>,
    ) -> Result<(), SettleError> {
        self.end(reservation, Ending::Settled(&actual.into()))
    }

    fn end(&self, reservation: &mut Reservation, ending: Ending<'_>) -> Result<(), SettleError> {
        let (settlements, open) = reservation.settlements(ending, self.store_id)?;
        if settlements.is_empty() {
            return Ok(());
        }
        answered(open, self.store.settle(&settlements, self.clock.now()))
    }

    /// [`Engine::finish`], but asks the store without blocking. If the future is dropped once the store was asked, the
    /// reservation is finished: what the store did is not known.
    ///
    /// # Errors
    /// Those of [`Engine::finish`].
    pub async fn finish_async(
        &self,
        reservation: &mut Reservation,
        outcome: Outcome,
    ) -> Result<(), SettleError> {
        match &self.async_store {
            Some(store) => self.end_with(reservation, Ending::Ended(outcome), &**store).await,
            None => self.finish(reservation, outcome),
        }
    }

    /// [`Engine::settle`], but asks the store without blocking, as [`Engine::finish_async`] does.
    ///
    /// # Errors
    /// Those of [`Engine::settle`].
    pub async fn settle_async(
        &self,
        reservation: &mut Reservation,
        actual: impl Into<Actual>,
    ) -> Result<(), SettleError> {
        match &self.async_store {
            Some(store) => self.end_with(reservation, Ending::Settled(&actual.into()), &**store).await,
            None => self.settle(reservation, actual),
        }
    }

    pub(crate) async fn end_with(
        &self,
        reservation: &mut Reservation,
        ending: Ending<'_>,
        store: &dyn AsyncStore,
    ) -> Result<(), SettleError> {
        let (settlements, open) = reservation.settlements(ending, store.id())?;
        if settlements.is_empty() {
            return Ok(());
        }
        answered(open, store.settle(&settlements, self.clock.now()).await)
    }
}
