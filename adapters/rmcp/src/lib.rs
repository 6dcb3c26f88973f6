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
//! What it does:
//!
//! - drops from `tools/list` what the policy hides (spec 10.9); everything else of the result stays;
//! - decides each `tools/call` before the handler sees it; a denied one gets `isError: true` with the message, and why in `_meta`
//!   (spec 10.6). It gets that where it asked for a task by `params.task`, too, which rmcp does not read: its servers answer such
//!   calls as others;
//! - checks arguments before any rule, where rules read them (spec 3.7, 3.8): a value of a type that the tool's own input schema
//!   does not admit is refused, and so is a member that some servers take for one that is read (`Amount` for `amount`). The
//!   guard asks the server for `tools/list` itself. Where that fails, no call runs. [`Guard::check_args`] switches this off;
//! - gives nothing back for a call that the server got, whatever the answer (spec 8.10): a client can cause an error after the
//!   tool ran. [`Guard::refund_on_error`] says otherwise, error by error;
//! - ends a call that waits for approval with its client (spec 7.6): the connection closes, the client cancels the call, or the
//!   server stops. Whatever else cancels a request's token in rmcp ends it, too;
//! - blocks no thread of the runtime: an engine's [store that does not block](callgate::EngineBuilder::async_store) is asked so, and other stores on threads
//!   that may;
//! - logs the warnings of the engine's policy, with line and help: by `tracing`, at WARN, with the target `callgate`. The host
//!   that replaces the policy hears of those of the new one: `callgate_host::watch_engine` reports each reload;
//! - refuses a `tools/call` that cannot be parsed; passes every other request on as it is.
//!
//! A guard is a [`Service`](rmcp::Service), which rmcp serves over any transport, one for each connection. rmcp's own server for
//! streamable HTTP takes a `ServerHandler` instead, and so no guard: serve one over the transport of each session.
//!
//! What rmcp decides before a guard sees it: of two arguments with one name the last one counts, for the server as well.

#![forbid(unsafe_code)]

mod call;
mod connection;
mod definitions;
mod guard;
mod refusal;

pub use guard::{ApprovalRequest, Guard};
