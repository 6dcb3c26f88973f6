//! Reservations: the charges of an allowed call, to be taken back or made smaller, at most once (spec 8.10).

use smallvec::SmallVec;

use super::Counted;
use crate::amount::Amount;
use crate::document::Charge;
use crate::policy::Policy;
use crate::store::error::StoreError;
use crate::store::{Refund, ScopeValue, StoreId};
use crate::time::Timestamp;

/// The charges of one allowed call, held by this process. Not stored anywhere: if it is dropped, the charges stand.
///
/// A call has one, which knows in which store it charged and whether it was finished.
#[derive(Debug)]
#[must_use = "release or settle it; dropped, the charges stand"]
pub struct Reservation {
    policy: Policy,
    /// Where it was charged; `None` if the caller asked a store itself.
    store: Option<StoreId>,
    open: bool,
    charges: SmallVec<[Charged; 1]>,
}

pub(crate) type Refunds<'r> = SmallVec<[Refund<'r>; 2]>;

#[derive(Debug)]
struct Charged {
    declared: u32,
    scope: ScopeValue,
    stamp: Timestamp,
    amount: Amount,
}

/// Why a reservation could not be released or settled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettleError {
    /// The actual amount is larger than what was charged. The charges stand.
    #[error("the actual amount {actual} is larger than the charged {charged}")]
    Larger {
        /// What was charged.
        charged: Amount,
        /// What was given.
        actual: Amount,
    },
    /// No charge came from `increment_from`, so there is no amount to settle. The charges stand.
    #[error("no charge of this reservation came from `increment_from`")]
    NothingToSettle,
    /// It was released or settled before. Nothing was changed.
    #[error("this reservation was released or settled before")]
    Finished,
    /// It was charged in another store than the one that should take it back. The charges stand.
    #[error(
        "these charges are in another store: finish a reservation by the engine, or the store, that decided the call"
    )]
    OtherStore,
    /// The store could not be reached. Whether the charges were changed is not known, unless the reservation
    /// [is open](Reservation::is_open) still: then they stand.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Reservation {
    pub(super) fn new(policy: Policy, store: Option<StoreId>, counters: &[Counted]) -> Self {
        let charged = |counted: &Counted| {
            let (declared, scope, stamp) = (counted.declared, counted.scope.clone(), counted.stamp);
            counted.charged.map(|amount| Charged { declared, scope, stamp, amount })
        };
        Self { policy, store, open: true, charges: counters.iter().filter_map(charged).collect() }
    }

    /// Whether it can still be released or settled. It can until that was done, or may have been; what is refused, such as a
    /// larger amount, changes nothing, and nor does a store that is certain to have written nothing.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// What `store` must give back: everything, or all that exceeds the actual amount in charges from `increment_from`. With it,
    /// whether the reservation is open: it is finished until [`answered`], because a caller may stop waiting for the store.
    pub(crate) fn refunds(
        &mut self,
        actual: Option<Amount>,
        store: StoreId,
    ) -> Result<(Refunds<'_>, &mut bool), SettleError> {
        if !self.open {
            return Err(SettleError::Finished);
        }
        if self.store.is_some_and(|charged| charged != store) {
            return Err(SettleError::OtherStore);
        }
        let Self { policy, open, charges, .. } = self;
        let refunds = match actual {
            None => charges.iter().filter_map(|charged| refund(policy, charged, charged.amount)).collect(),
            Some(actual) => down_to(policy, charges, actual)?,
        };
        *open = false;
        Ok((refunds, open))
    }
}

/// Notes what came of giving back.
pub(crate) fn answered(open: &mut bool, refunded: Result<(), StoreError>) -> Result<(), SettleError> {
    *open = refunded.as_ref().is_err_and(StoreError::is_certainly_undone);
    Ok(refunded?)
}

/// What to refund so that every charge from `increment_from` becomes `actual`.
fn down_to<'r>(
    policy: &'r Policy,
    charges: &'r [Charged],
    actual: Amount,
) -> Result<Refunds<'r>, SettleError> {
    let mut refunds = SmallVec::new();
    for charged in charges {
        let declared = policy.0.declared(charged.declared);
        if !declared.is_some_and(|declared| matches!(declared.amount, Charge::From(_))) {
            continue;
        }
        if actual > charged.amount {
            return Err(SettleError::Larger { charged: charged.amount, actual });
        }
        refunds.extend(refund(policy, charged, charged.amount.saturating_sub(actual)));
    }
    if refunds.is_empty() { Err(SettleError::NothingToSettle) } else { Ok(refunds) }
}

fn refund<'r>(policy: &'r Policy, charged: &'r Charged, amount: Amount) -> Option<Refund<'r>> {
    let counter = &policy.0.declared(charged.declared)?.counter;
    Some(Refund { counter, scope: &charged.scope, stamp: charged.stamp, amount })
}
