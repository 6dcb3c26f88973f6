//! For the language packages of this project alone: what they need beside the public API. May change in any version.

pub use crate::evaluation::{Decided, Tool};
pub use crate::policy::Reads;

use crate::decision::{Actual, Ending, Reservation, SettleError};
use crate::engine::Engine;
use crate::outcome::Outcome;
use crate::store::AsyncStore;

/// [`Engine::finish_async`] by a store that the package opened itself, which may be another connection after a fork.
pub async fn finish_with(
    engine: &Engine,
    reservation: &mut Reservation,
    outcome: Outcome,
    store: &dyn AsyncStore,
) -> Result<(), SettleError> {
    engine.end_with(reservation, Ending::Ended(outcome), store).await
}

/// [`Engine::settle_async`], likewise.
pub async fn settle_with(
    engine: &Engine,
    reservation: &mut Reservation,
    actual: &Actual,
    store: &dyn AsyncStore,
) -> Result<(), SettleError> {
    engine.end_with(reservation, Ending::Settled(actual), store).await
}
