//! The engine as Python sees it, and what it is made of.
//!
//! In: options, then calls made of Python objects. Out: decisions. Must not decide anything itself.

mod args_check;
mod call;
mod clock;
mod decide;
mod filing;
mod hook;
mod methods;
mod object;
mod observer;
mod options;
mod parts;
mod pending;
mod subscription;
mod watch;

pub(crate) use args_check::ArgsCheck;
pub(crate) use call::with_server;
pub(crate) use clock::ManualClock;
pub(crate) use object::Engine;
pub(crate) use pending::PendingCall;
pub(crate) use subscription::Subscription;
