//! Reservations: the charges of an allowed call, to be taken back or made smaller, at most once (spec 8.10).

use smallvec::SmallVec;

use super::Counted;
use crate::amount::Amount;
use crate::document::Charge;
use crate::policy::Policy;
use crate::store::{Refund, ScopeValue, StoreError};
use crate::time::Timestamp;

/// The charges of one allowed call, held by this process. Not stored anywhere: if it is dropped, the charges stand.
#[derive(Debug)]
#[must_use = "release or settle it; dropped, the charges stand"]
pub struct Reservation {
    policy: Policy,
    charges: SmallVec<[Charged; 1]>,
}

#[derive(Debug)]
struct Charged {
    declared: u32,
    scope: ScopeValue,
    stamp: Timestamp,
    amount: Amount,
}

/// Why a reservation could not be settled.
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
    /// The store could not be reached. Whether the charges were changed is not known; do not repeat.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Reservation {
    pub(super) fn new(policy: Policy, counters: &[Counted]) -> Self {
        let charged = |counted: &Counted| {
            let (declared, scope, stamp) = (counted.declared, counted.scope.clone(), counted.stamp);
            counted.charged.map(|amount| Charged { declared, scope, stamp, amount })
        };
        Self { policy, charges: counters.iter().filter_map(charged).collect() }
    }

    /// What to refund to take everything back.
    pub(crate) fn whole(&self) -> SmallVec<[Refund<'_>; 2]> {
        self.charges.iter().filter_map(|charged| self.refund(charged, charged.amount)).collect()
    }

    /// What to refund so that every charge from `increment_from` becomes `actual`.
    pub(crate) fn down_to(&self, actual: Amount) -> Result<SmallVec<[Refund<'_>; 2]>, SettleError> {
        let mut refunds = SmallVec::new();
        for charged in &self.charges {
            let declared = self.policy.0.declared(charged.declared);
            if !declared.is_some_and(|declared| matches!(declared.amount, Charge::From(_))) {
                continue;
            }
            if actual > charged.amount {
                return Err(SettleError::Larger { charged: charged.amount, actual });
            }
            refunds.extend(self.refund(charged, charged.amount.saturating_sub(actual)));
        }
        if refunds.is_empty() { Err(SettleError::NothingToSettle) } else { Ok(refunds) }
    }

    fn refund<'r>(&'r self, charged: &'r Charged, amount: Amount) -> Option<Refund<'r>> {
        let counter = &self.policy.0.declared(charged.declared)?.counter;
        Some(Refund { counter, scope: &charged.scope, stamp: charged.stamp, amount })
    }
}
