//! Records of what a gateway did: who called what, what was decided, and how it ended.
//!
//! In: events of the gateway. Out: lines of JSON in a file (`spec/audit.schema.json`). Must not show the value of an argument, a token, or a
//! URL's credentials, and must not lose a record that was taken.
//!
//! ```
//! use callgate_gateway::audit::{Call, Event, Log, Options, Start, Stop};
//! # let directory = std::env::temp_dir().join(format!("callgate-doc-{}", std::process::id()));
//! let log = Log::open(Options::in_directory(&directory, "github").required(true))?;
//! log.record(Event::Start(Start { program: "npx".to_owned(), ..Start::default() }));
//! // For each call: it may run only while records can be written. Its record is made when it has ended.
//! log.ready()?;
//! let args = log.args(Some(r#"{"amount":4200}"#));
//! log.record(Event::Call(Box::new(Call { method: "tools/call".to_owned(), args, ..Call::default() })));
//! // At the end, also by a signal.
//! log.record(Event::Stop(Stop { why: "client_closed".to_owned(), code: Some(0) }));
//! log.close()?;
//! # std::fs::remove_dir_all(directory)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
pub use line::without_credentials;
pub use log::{Log, OpenError, Unavailable};
pub use options::{Options, ShownArgs};
pub use status::{Compared, Denial, ServerStatus, Started, status};
pub use verify::{Fault, Found, Verified, VerifyError, verify};
