//! Reservations: the charges of an allowed call, to be finished at most once (spec 8.10, 8.13, 8.14).

use std::collections::BTreeMap;

use smallvec::SmallVec;

use crate::amount::Amount;
use crate::document::Refund;
use crate::outcome::Outcome;
use crate::policy::Policy;
use crate::ruling::{Counted, JOINED, Paid};
use crate::store::error::StoreError;
use crate::store::{ScopeValue, Settlement, StoreId};
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

pub(crate) type Settlements<'r> = SmallVec<[Settlement<'r>; 2]>;

#[derive(Debug)]
struct Charged {
    declared: u32,
    scope: ScopeValue,
    stamp: Timestamp,
    amount: Amount,
    paid: Paid,
}

impl Charged {
    /// Whether an outer and an inner call both made it.
    fn is_joined(&self) -> bool {
        self.paid.iter().any(|(payment, _)| *payment == JOINED)
    }
}

/// What a call really cost, for the charges of items with `increment_from` or `settle: true` (spec 2.27, 8.14).
///
/// Of a budget it takes the place of what such items paid; what others paid into it stands.
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
    /// Amounts by the names of their counters and budgets. A charge that is not named stands; where a name means several, each becomes
    /// the amount.
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
    /// No charge is of an item with `increment_from` or `settle: true`, so there is no amount to settle. The charges stand.
    #[error(
        "no charge of this reservation can be settled: no item of it has `increment_from` or `settle: true`"
    )]
    NothingToSettle,
    /// Several charges can be settled, so one amount does not say which. The charges stand.
    #[error("several charges can be settled, so name the counters: {}", .counters.join(", "))]
    Ambiguous {
        /// The names of their counters.
        counters: Vec<String>,
    },
    /// No charge that can be settled is of this counter or budget. The charges stand.
    #[error("no charge of this reservation that can be settled is of the counter or budget `{counter}`")]
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
    /// `nothing_to_settle`, `ambiguous`, `unknown_counter`, `finished`, `other_store` or `store`.
    pub const fn code(&self) -> &'static str {
        match self {
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
            counted.charged.map(|amount| Charged {
                declared,
                scope,
                stamp,
                amount,
                paid: counted.paid.clone(),
            })
        };
        Self { policy, store, open: true, charges: counters.iter().filter_map(charged).collect() }
    }

    /// Whether it can still be finished. It can until that was done, or may have been. What is refused, such as a counter
    /// that is not known, changes nothing; nor does a store that is certain to have written nothing.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Whether finishing it so would give something back (spec 8.13). Where it would not, a guard need not finish it: the charges
    /// stand, and the host may still settle them.
    pub fn gives_back(&self, outcome: Outcome) -> bool {
        self.open && self.payments().any(|refund| refund.gives_back(outcome))
    }

    /// Whether finishing it so would leave something charged.
    pub fn keeps(&self, outcome: Outcome) -> bool {
        self.payments().any(|refund| !refund.gives_back(outcome))
    }

    /// What becomes of each payment that is more than nothing.
    fn payments(&self) -> impl Iterator<Item = Refund> {
        let paid = self.charges.iter().flat_map(|charged| {
            charged.paid.iter().map(|(payment, amount)| (*payment, *amount, charged.is_joined()))
        });
        let paid = paid.filter(|(_, amount, _)| *amount != Amount::ZERO);
        paid.filter_map(|(payment, _, joined)| Some(self.policy.0.payment(payment)?.refund_of(joined)))
    }

    /// What `store` must give back. With it, whether the reservation is open: it is finished until [`answered`], because a caller
    /// may stop waiting for the store.
    pub(crate) fn settlements(
        &mut self,
        ending: Ending<'_>,
        store: StoreId,
    ) -> Result<(Settlements<'_>, &mut bool), SettleError> {
        if !self.open {
            return Err(SettleError::Finished);
        }
        if self.store.is_some_and(|charged| charged != store) {
            return Err(SettleError::OtherStore);
        }
        let Self { policy, open, charges, .. } = self;
        let settlements = match ending {
            Ending::Ended(outcome) => {
                charges.iter().filter_map(|charged| given_back(policy, charged, outcome)).collect()
            }
            Ending::Settled(actual) => settled(policy, charges, actual)?,
        };
        *open = false;
        Ok((settlements, open))
    }
}

/// Notes what came of giving back.
pub(crate) fn answered(open: &mut bool, settled_by: Result<(), StoreError>) -> Result<(), SettleError> {
    *open = settled_by.as_ref().is_err_and(StoreError::is_certainly_undone);
    Ok(settled_by?)
}

/// What to settle so that a charge loses what items paid that an end of the call gives back (spec 8.13).
fn given_back<'r>(policy: &'r Policy, charged: &'r Charged, outcome: Outcome) -> Option<Settlement<'r>> {
    let mut actual = charged.amount;
    let joined = charged.is_joined();
    for (payment, amount) in charged.paid.iter().filter(|(payment, _)| *payment != JOINED) {
        if policy.0.payment(*payment)?.refund_of(joined).gives_back(outcome) {
            actual = actual.saturating_sub(*amount);
        }
    }
    if actual == charged.amount { None } else { settlement(policy, charged, actual) }
}

/// What to settle so that charges become what the call really cost, and calls in flight have ended (spec 8.14).
fn settled<'r>(
    policy: &'r Policy,
    charges: &'r [Charged],
    actual: &Actual,
) -> Result<Settlements<'r>, SettleError> {
    let settles =
        |(payment, _): &(u32, Amount)| policy.0.payment(*payment).is_some_and(|payment| payment.settles);
    let open: SmallVec<[(&str, &Charged); 2]> = charges
        .iter()
        .filter(|charged| !charged.is_joined() && charged.paid.iter().any(settles))
        .filter_map(|charged| Some((policy.0.declared(charged.declared)?.counter.name(), charged)))
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
    // However it was settled, the call has ended, and is no longer in flight.
    let mut settlements: Settlements<'r> =
        charges.iter().filter_map(|charged| given_back(policy, charged, Outcome::Done)).collect();
    for (name, charged) in open {
        let amount = match actual {
            Actual::Only(amount) => *amount,
            Actual::ByCounter(amounts) => match amounts.get(name) {
                Some(amount) => *amount,
                None => continue,
            },
        };
        // What other items paid into the same budget stands.
        let others = charged.paid.iter().filter(|paid| !settles(paid));
        let actual = others.fold(amount, |sum, (_, paid)| sum.checked_add(*paid).unwrap_or(Amount::MAX));
        settlements.extend(settlement(policy, charged, actual));
    }
    Ok(settlements)
}

fn settlement<'r>(policy: &'r Policy, charged: &'r Charged, actual: Amount) -> Option<Settlement<'r>> {
    let counter = &policy.0.declared(charged.declared)?.counter;
    Some(Settlement { counter, scope: &charged.scope, stamp: charged.stamp, charged: charged.amount, actual })
}
