//! Errors with a code that JS shows.
//!
//! In: what went wrong. Out: the error, or its code and its message. Must not lose whether a store failed for good.

use callgate::StoreError;
use napi::Error;

/// An error whose status is the code that JS shows.
pub(crate) type Failure = Error<String>;

pub(crate) fn failure(code: &str, message: impl ToString) -> Failure {
    Error::new(code.to_owned(), message.to_string())
}

pub(crate) fn store_failure(error: &StoreError) -> Failure {
    let code = match (error.is_transient(), error.is_certainly_undone()) {
        (true, false) => "store_transient",
        (false, false) => "store_permanent",
        (true, true) => "store_transient_undone",
        (false, true) => "store_permanent_undone",
    };
    failure(code, error)
}

/// The code and the message, where an error has no room for a code.
pub(crate) fn parts(failure: Failure) -> Vec<String> {
    vec![failure.status, failure.reason]
}
