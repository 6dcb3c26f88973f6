//! Enforces a [callgate] policy on an MCP server built with [rmcp], in one line.
//!
//! In: the requests of a client. Out: those that the policy lets through, untouched, to the server; to the others, the MCP
//! result that tells the agent why not. Holds no policy logic, and takes no identity from anything that the client sets.
//!
//! ```no_run
//! # use rmcp::ServerHandler;
//! # #[derive(Clone)] struct MyServer;
//! # impl ServerHandler for MyServer {}
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use callgate::{Engine, Policy};
//! use callgate_rmcp::Guard;
//!
//! let engine = Engine::new(Policy::from_yaml(&std::fs::read_to_string("policy.yaml")?)?);
//! let server = Guard::new(MyServer, engine);                    // the one line
//! server.serve(rmcp::transport::stdio()).await?.waiting().await?;
//! # Ok(()) }
//! ```
//!
//! What it does is clause by clause in `spec/guards.md`:
//!
//! - decides each `tools/call`, and other requests under `requests`, before the handler sees them (G1). A denied call gets `isError: true`
//!   with the message, and why in `_meta` (spec 10.6); a denied request of another method an error;
//! - checks arguments before any rule, where rules read them (spec 3.7, 3.8). The guard asks the server for `tools/list` itself. Where that
//!   fails, no call runs. [`Guard::check_args`] switches this off;
//! - filters lists for who asks (spec 10.9), and tells clients of a reload that changes what they see (G4);
//! - lets no tool through that is not as it was approved: [`Guard::lock`] (G13);
//! - takes a call of several rounds for one call (spec 8.16, G5);
//! - asks for approvals: [`Guard::on_approval`], [`Guard::approve_by_elicitation`], [`Guard::approve_by_store`] (G6). Waiting ends with
//!   the client: the connection closes, the client cancels the call, or the server stops. Whatever else cancels a request's token in
//!   rmcp ends it, too;
//! - gives nothing back for a call that the server got, whatever the answer (spec 8.10), but for what the policy says (spec 8.13), what the
//!   handler says by its [`CurrentReservation`], and what the host says by [`Guard::on_result`] and [`Guard::refund_on_error`];
//! - blocks no thread of the runtime: an engine's [store that does not block](callgate::EngineBuilder::async_store) is asked so, and other
//!   stores on threads that may;
//! - logs warnings of the engine's policy, of names that the server does not have, and of callers that nobody tells, by `tracing` with the
//!   target `callgate`. The host that replaces the policy hears of those of the new one: `callgate_host::watch_engine` reports each reload.
//!
//! A guard is a [`Service`](rmcp::Service), which rmcp serves over any transport, one for each connection. For rmcp's server for streamable
//! HTTP it is a [`ServerHandler`](rmcp::ServerHandler) by [`Guard::handler`].
//!
//! What rmcp decides before a guard sees it: of two arguments with one name the last one counts, for the server as well; a client's
//! `params.task` is not read, so that its servers answer such a call as others.

#![forbid(unsafe_code)]

mod approval;
mod audit;
mod call;
mod calls;
mod connection;
mod definitions;
mod ending;
mod filing;
mod guard;
mod handler;
mod lists;
mod locked;
mod mistake;
mod names;
mod nested;
mod options;
mod records;
mod refusal;
mod requests;
mod reservation;
mod rounds;
mod ruling;
mod running;
mod seen;
mod waiting;

pub use approval::{Answer, ApprovalAnswer, ApprovalRequest};
pub use filing::ApprovalStore;
pub use guard::Guard;
pub use handler::GuardHandler;
pub use names::Unmatched;
pub use options::{CallEnded, Done};
pub use reservation::CurrentReservation;
