//! Reservations: the charges of an allowed call, to be finished at most once (spec 8.10, 8.13, 8.14).

use std::collections::BTreeMap;

use smallvec::SmallVec;

use crate::amount::Amount;
use crate::document::{Charge, Declared};
use crate::outcome::Outcome;
use crate::policy::Policy;
use crate::ruling::Counted;
use crate::store::error::StoreError;
use crate::store::{Refund, ScopeValue, StoreId};
use crate::time::Timestamp;

/// The charges of one allowed call, held by this process. Not stored anywhere: if it is dropped, the charges stand.
///
/// A call has one, which knows in which store it charged and whether it was finished.
#[derive(Debug)]
#[must_use = "finish or settle it; dropped, the charges stand"]
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

/// What a call really cost, for the charges that came from `increment_from` (spec 8.14).
///
/// ```
/// use callgate::{Actual, Amount};
/// let amount = Amount::from_whole(3).unwrap();
/// let of_the_only_charge = Actual::from(amount);
/// let by_counter = Actual::from([("spend", amount), ("tokens", Amount::ZERO)]);
/// # let _ = (of_the_only_charge, by_counter);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Actual {
    /// The amount of the only charge that can be settled.
    Only(Amount),
    /// Amounts by the names of their counters. A charge whose counter is not named stands.
    ByCounter(BTreeMap<Box<str>, Amount>),
}

impl From<Amount> for Actual {
    fn from(amount: Amount) -> Self {
        Self::Only(amount)
    }
}

impl<const N: usize> From<[(&str, Amount); N]> for Actual {
    fn from(amounts: [(&str, Amount); N]) -> Self {
        Self::ByCounter(amounts.into_iter().map(|(counter, amount)| (counter.into(), amount)).collect())
    }
}

/// How a reservation is finished.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ending<'e> {
    Ended(Outcome),
    Settled(&'e Actual),
}

/// Why a reservation could not be finished or settled.
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
    /// Several charges can be settled, so one amount does not say which. The charges stand.
    #[error("several charges can be settled, so name the counters: {}", .counters.join(", "))]
    Ambiguous {
        /// The names of their counters.
        counters: Vec<String>,
    },
    /// No charge that can be settled is of this counter. The charges stand.
    #[error("no charge of this reservation that came from `increment_from` is of the counter `{counter}`")]
    UnknownCounter {
        /// The name that was given.
        counter: String,
    },
    /// It was finished or settled before. Nothing was changed.
    #[error("this reservation was finished or settled before")]
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

impl SettleError {
    /// `larger`, `nothing_to_settle`, `ambiguous`, `unknown_counter`, `finished`, `other_store` or `store`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Larger { .. } => "larger",
            Self::NothingToSettle => "nothing_to_settle",
            Self::Ambiguous { .. } => "ambiguous",
            Self::UnknownCounter { .. } => "unknown_counter",
            Self::Finished => "finished",
            Self::OtherStore => "other_store",
            Self::Store(_) => "store",
        }
    }
}

impl Reservation {
    pub(super) fn new(policy: Policy, store: Option<StoreId>, counters: &[Counted]) -> Self {
        let charged = |counted: &Counted| {
            let (declared, scope, stamp) = (counted.declared, counted.scope.clone(), counted.stamp);
            counted.charged.map(|amount| Charged { declared, scope, stamp, amount })
        };
        Self { policy, store, open: true, charges: counters.iter().filter_map(charged).collect() }
    }

    /// Whether it can still be finished. It can until that was done, or may have been. What is refused, such as a larger amount,
    /// changes nothing; nor does a store that is certain to have written nothing.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// What `store` must give back. With it, whether the reservation is open: it is finished until [`answered`], because a caller
    /// may stop waiting for the store.
    pub(crate) fn refunds(
        &mut self,
        ending: Ending<'_>,
        store: StoreId,
    ) -> Result<(Refunds<'_>, &mut bool), SettleError> {
        if !self.open {
            return Err(SettleError::Finished);
        }
        if self.store.is_some_and(|charged| charged != store) {
            return Err(SettleError::OtherStore);
        }
        let Self { policy, open, charges, .. } = self;
        let refunds = match ending {
            Ending::Ended(Outcome::NotRun) => {
                charges.iter().filter_map(|charged| refund(policy, charged, charged.amount)).collect()
            }
            Ending::Ended(_) => Refunds::new(),
            Ending::Settled(actual) => settled(policy, charges, actual)?,
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

/// What to refund so that charges from `increment_from` become what the call really cost (spec 8.14).
fn settled<'r>(
    policy: &'r Policy,
    charges: &'r [Charged],
    actual: &Actual,
) -> Result<Refunds<'r>, SettleError> {
    let from_arguments = |declared: &&Declared| matches!(declared.amount, Charge::From(_));
    let open: SmallVec<[(&str, &Charged); 2]> = charges
        .iter()
        .filter_map(|charged| {
            let declared = policy.0.declared(charged.declared).filter(from_arguments)?;
            Some((declared.counter.name(), charged))
        })
        .collect();
    let unknown = |counter: &str| !open.iter().any(|(name, _)| counter == *name);
    match actual {
        _ if open.is_empty() => return Err(SettleError::NothingToSettle),
        Actual::Only(_) if open.len() > 1 => {
            let counters = open.iter().map(|(name, _)| (*name).to_owned()).collect();
            return Err(SettleError::Ambiguous { counters });
        }
        Actual::Only(_) => {}
        Actual::ByCounter(amounts) if amounts.is_empty() => return Err(SettleError::NothingToSettle),
        Actual::ByCounter(amounts) => {
            if let Some(counter) = amounts.keys().find(|counter| unknown(counter)) {
                return Err(SettleError::UnknownCounter { counter: counter.to_string() });
            }
        }
    }
    let mut refunds = SmallVec::new();
    for (name, charged) in open {
        let actual = match actual {
            Actual::Only(amount) => *amount,
            Actual::ByCounter(amounts) => match amounts.get(name) {
                Some(amount) => *amount,
                None => continue,
            },
        };
        if actual > charged.amount {
            return Err(SettleError::Larger { charged: charged.amount, actual });
        }
        refunds.extend(refund(policy, charged, charged.amount.saturating_sub(actual)));
    }
    Ok(refunds)
}

fn refund<'r>(policy: &'r Policy, charged: &'r Charged, amount: Amount) -> Option<Refund<'r>> {
    let counter = &policy.0.declared(charged.declared)?.counter;
    Some(Refund { counter, scope: &charged.scope, stamp: charged.stamp, amount })
}
