//! What a kind of store tells the tests about itself.

use callgate::store::Counters;

/// A kind of store under test.
pub trait Subject: Sync {
    /// Opens the counters that are called `name`: ASCII letters, digits, `_` and `-`. The tests choose a name that was never
    /// used for counters that have to be empty. Where counters are shared, a name that is opened again gives the same
    /// ones. The store must take the time that it is given.
    fn open(&self, name: &str) -> Box<dyn Counters>;

    /// How much the store knows of the times that it was given.
    fn time_kept(&self) -> TimeKept;
}

/// Which times a store keeps, so that time does not run back in it (spec 8.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeKept {
    /// The latest at which it decided a batch on whatever counters.
    Store,
    /// Of each counter that it has not forgotten, its windows or charges: what every store has to keep. A clock that is far
    /// behind or ahead of others counts in windows of its own.
    EachCounter,
}
