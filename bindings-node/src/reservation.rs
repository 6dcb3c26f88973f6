//! Reservations: the charges of an allowed call, in the host's hands (spec 8.10).
//!
//! In: release or settle. Out: nothing, or an error with a code. At most once: a second try is an error, also from
//! another place.

use std::sync::{Arc, Mutex};

use callgate::{Amount, Engine, Number, Reservation as Charges, SettleError, StoreError};
use napi::bindgen_prelude::AsyncTask;
use napi::{Env, Error, Task};
use napi_derive::napi;

use crate::clock;

/// An error whose status is the code that JS shows.
pub(crate) type Failure = Error<String>;

/// The charges of one allowed call.
#[napi(js_name = "NativeReservation")]
pub struct Reservation {
    engine: Arc<Engine>,
    charges: Mutex<Option<Charges>>,
}

/// How to finish.
enum Finish {
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
fn amount(literal: &str) -> Result<Amount, Failure> {
    let amount = Number::from_literal(literal).and_then(|number| number.to_amount());
    amount.ok_or_else(|| failure("invalid_amount", "an amount is a decimal, 0 or more, in steps of 0.000001"))
}

fn finish(engine: &Engine, charges: Charges, how: &Finish, now: Option<f64>) -> Result<(), Failure> {
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

impl Reservation {
    pub(crate) fn new(engine: Arc<Engine>, charges: Charges) -> Self {
        Self { engine, charges: Mutex::new(Some(charges)) }
    }

    fn take(&self) -> Result<Charges, Failure> {
        let mut charges = self.charges.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        charges.take().ok_or_else(|| failure("finished", "this reservation was released or settled before"))
    }

    fn task(&self, how: Finish, now: Option<f64>) -> Result<AsyncTask<Finishing>, Failure> {
        let charges = Some(self.take()?);
        Ok(AsyncTask::new(Finishing { engine: self.engine.clone(), charges, how, now }))
    }
}

#[napi]
impl Reservation {
    /// Takes all charges back.
    #[napi(catch_unwind)]
    pub fn release(&self, now: Option<f64>) -> Result<(), Failure> {
        finish(&self.engine, self.take()?, &Finish::Release, now)
    }

    /// Makes the charges that came from `increment_from` smaller.
    #[napi(catch_unwind)]
    pub fn settle(&self, actual: String, now: Option<f64>) -> Result<(), Failure> {
        let actual = amount(&actual)?;
        finish(&self.engine, self.take()?, &Finish::Settle(actual), now)
    }

    /// `release` on another thread.
    #[napi(catch_unwind, ts_return_type = "Promise<[code: string, message: string] | null>")]
    pub fn release_async(&self, now: Option<f64>) -> Result<AsyncTask<Finishing>, Failure> {
        self.task(Finish::Release, now)
    }

    /// `settle` on another thread.
    #[napi(catch_unwind, ts_return_type = "Promise<[code: string, message: string] | null>")]
    pub fn settle_async(&self, actual: String, now: Option<f64>) -> Result<AsyncTask<Finishing>, Failure> {
        self.task(Finish::Settle(amount(&actual)?), now)
    }
}

/// A finish that waits for its store on another thread.
pub struct Finishing {
    engine: Arc<Engine>,
    charges: Option<Charges>,
    how: Finish,
    now: Option<f64>,
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
