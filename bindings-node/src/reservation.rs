//! Reservations: the charges of an allowed call, in the host's hands (spec 8.10).
//!
//! In: the charges and how to finish them. Out: nothing, or an error with a code. That they are finished at most once is the
//! TypeScript half's to see to: it holds them.

use std::sync::Arc;

use callgate::{Amount, Engine, Number, Reservation as Charges, SettleError, StoreError};
use napi::{Env, Error, Task};

use crate::clock;

/// An error whose status is the code that JS shows.
pub(crate) type Failure = Error<String>;

/// How to finish.
pub(crate) enum Finish {
    Release,
    Settle(Amount),
}

pub(crate) fn failure(code: &str, message: impl ToString) -> Failure {
    Error::new(code.to_owned(), message.to_string())
}

fn store_failure(error: &StoreError) -> Failure {
    failure(if error.is_transient() { "store_transient" } else { "store_permanent" }, error)
}

/// An amount as JS writes numbers, `5` or `1e-6`.
pub(crate) fn amount(literal: &str) -> Result<Amount, Failure> {
    let amount = Number::from_literal(literal).and_then(|number| number.to_amount());
    amount.ok_or_else(|| failure("invalid_amount", "an amount is a decimal, 0 or more, in steps of 0.000001"))
}

pub(crate) fn finish(
    engine: &Engine,
    charges: Charges,
    how: &Finish,
    now: Option<f64>,
) -> Result<(), Failure> {
    clock::at(now, || match how {
        Finish::Release => engine.release(charges).map_err(|error| store_failure(&error)),
        Finish::Settle(actual) => engine.settle(charges, *actual).map_err(|error| match &error {
            SettleError::Larger { .. } => failure("larger", &error),
            SettleError::NothingToSettle => failure("nothing_to_settle", &error),
            SettleError::Store(store) => store_failure(store),
            _ => failure("settle", &error),
        }),
    })
}

/// A finish that waits for its store on another thread.
pub struct Finishing {
    engine: Arc<Engine>,
    charges: Option<Charges>,
    how: Finish,
    now: Option<f64>,
}

impl Finishing {
    pub(crate) fn new(engine: Arc<Engine>, charges: Charges, how: Finish, now: Option<f64>) -> Self {
        Self { engine, charges: Some(charges), how, now }
    }
}

impl Task for Finishing {
    /// The code and the message of what went wrong: a task's own error has no room for a code.
    type Output = Option<(String, String)>;
    type JsValue = Option<Vec<String>>;

    fn compute(&mut self) -> napi::Result<Self::Output> {
        let Some(charges) = self.charges.take() else { return Ok(None) };
        let finished = finish(&self.engine, charges, &self.how, self.now);
        Ok(finished.err().map(|error| (error.status, error.reason)))
    }

    fn resolve(&mut self, _env: Env, failed: Self::Output) -> napi::Result<Self::JsValue> {
        Ok(failed.map(|(code, message)| vec![code, message]))
    }
}
