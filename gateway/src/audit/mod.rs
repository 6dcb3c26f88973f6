//! Records of what a gateway did: who called what, what was decided, and how it ended.
//!
//! In: events of the gateway. Out: lines of JSON in a file (`spec/audit.schema.json`). Must not show the value of an argument, a token, or a
//! URL's credentials, and must not lose a record that was taken.

mod bound;
mod event;
mod file;
mod head;
mod line;
mod log;
mod options;
mod place;
mod status;
mod tail;
mod verify;
mod writer;

pub use event::{
    Approval, ApprovalOutcome, Args, Call, Candidate, Charge, Event, Mode, Principal, Reload, Start, Stop,
    Target, Upstream,
};
pub use log::{Log, OpenError, Unavailable};
pub use options::{Options, ShownArgs};
pub use status::{Compared, Denial, ServerStatus, Started, status};
pub use verify::{Fault, Found, Verified, VerifyError, verify};
