//! Reservations: the charges of an allowed call, in the host's hands (spec 8.10).
//!
//! In: the charges and how to finish them. Out: nothing, or an error with a code. That they are finished at most once is the
//! TypeScript half's to see to: it holds them.

use std::future::{Future as _, poll_fn};
use std::pin::pin;

use callgate::__binding::{finish_with, settle_with};
use callgate::store::AsyncStore;
use callgate::{Actual, Amount, Engine, Outcome, Reservation as Charges, SettleError};
use napi::{Env, JsValue as _, Task, Unknown};

use crate::clock;
use crate::failure::{Failure, failure, parts, store_failure};
use crate::planned::Planned;
use crate::promise::carried;

/// How to finish.
pub(crate) enum Finish {
    Ended(Outcome),
    Settled(Actual),
}

impl Finish {
    pub(crate) fn ended(outcome: &str) -> Result<Self, Failure> {
        let outcome = outcome.parse().map_err(|error| failure("invalid_outcome", error))?;
        Ok(Self::Ended(outcome))
    }

    /// `names` are those of the counters, in the order of the amounts; without names there is one amount.
    pub(crate) fn settled(names: Option<Vec<String>>, amounts: &[String]) -> Result<Self, Failure> {
        let amounts = amounts.iter().map(|literal| amount(literal)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self::Settled(match (names, amounts.as_slice()) {
            (Some(names), _) => {
                Actual::ByCounter(names.into_iter().map(String::into_boxed_str).zip(amounts).collect())
            }
            (None, [only]) => Actual::Only(*only),
            (None, _) => return Err(failure("invalid_amount", "one amount, or amounts by counter")),
        }))
    }
}

/// An amount as JS writes numbers, `5` or `1e-6`.
pub(crate) fn amount(literal: &str) -> Result<Amount, Failure> {
    literal.parse().map_err(|error| failure("invalid_amount", error))
}

pub(crate) fn finish(
    engine: &Engine,
    mut charges: Charges,
    how: &Finish,
    now: Option<f64>,
) -> Result<(), Failure> {
    clock::at(now, || match how {
        Finish::Ended(outcome) => engine.finish(&mut charges, *outcome),
        Finish::Settled(actual) => engine.settle(&mut charges, actual.clone()),
    })
    .map_err(|error| settle_failure(&error))
}

fn settle_failure(error: &SettleError) -> Failure {
    match error {
        SettleError::Store(store) => store_failure(store),
        _ => failure(error.code(), error),
    }
}

/// A finish that must not block JS: the store is asked without blocking anything, or on another thread where it never waits.
pub(crate) struct Finishing {
    plan: Planned,
    charges: Option<Charges>,
    how: Finish,
    now: Option<f64>,
}

/// The code and the message of what went wrong: neither a task's nor a promise's own error has room for a code.
type Failed = Option<Vec<String>>;

impl Finishing {
    pub(crate) fn new(plan: Planned, charges: Charges, how: Finish, now: Option<f64>) -> Self {
        Self { plan, charges: Some(charges), how, now }
    }

    /// The promise of what went wrong, if anything did.
    pub(crate) fn promise(self, env: &Env) -> napi::Result<Unknown<'_>> {
        // Taken now: the store may be closed before it is asked.
        let Some(store) = self.plan.unblocking.as_ref().and_then(|waits| waits.store.for_call()) else {
            return Ok(env.spawn(self)?.promise_object().to_unknown());
        };
        let finish = async move { self.finish_with(&*store).await.err() };
        carried(env, finish, |failed| match failed {
            Some(failed) => Ok(failed.map(parts)),
            None => Err(napi::Error::from_reason("the charges could not be given back")),
        })
    }

    async fn finish_with(mut self, store: &dyn AsyncStore) -> Result<(), Failure> {
        let Some(mut charges) = self.charges.take() else { return Ok(()) };
        let engine = &self.plan.engine;
        let mut finish = pin!(async {
            match &self.how {
                Finish::Ended(outcome) => finish_with(engine, &mut charges, *outcome, store).await,
                Finish::Settled(actual) => settle_with(engine, &mut charges, actual, store).await,
            }
        });
        let finished = poll_fn(|context| clock::at(self.now, || finish.as_mut().poll(context))).await;
        finished.map_err(|error| settle_failure(&error))
    }
}

impl Task for Finishing {
    type Output = Failed;
    type JsValue = Failed;

    fn compute(&mut self) -> napi::Result<Failed> {
        let Some(charges) = self.charges.take() else { return Ok(None) };
        Ok(finish(&self.plan.engine, charges, &self.how, self.now).err().map(parts))
    }

    fn resolve(&mut self, _env: Env, failed: Failed) -> napi::Result<Failed> {
        Ok(failed)
    }
}
