//! Guards a stream of MCP messages by a policy, without I/O: a machine for gateways.
//!
//! One message as text goes in, a list of actions comes out: send these bytes to the client or the server, decide this call, it ended
//! so, ask again at this time. The machine has no thread, no clock and no channel of its own, and it knows no policy: who drives it
//! decides calls with [`callgate::Engine`].
//!
//! **Callers.** One stream may be for many. With [`Options::identifies`] each call, list and decided request waits for
//! [`Relay::identified`], and is that caller's from then on: what is visible, which rounds go on, and who decides.
//!
//! **What was judged is what is sent.** A message goes on byte for byte as it came. Only lists without hidden tools and answers to calls
//! that are denied are written anew. A client's message that two parsers could read as two messages is refused.
//!
//! ```
//! use callgate_relay::{Action, Options, Peer, Relay, Verdict};
//!
//! let mut relay = Relay::new(Options::new("a-nonce").reads_args(|_, _| false));
//! let call = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay","arguments":{"amount":5}}}"#;
//! let actions = relay.from_client(call, 1, 0);
//! // It asks the server for its tools, too.
//! let Some(Action::Decide(ask)) = actions.last() else { panic!("{actions:?}") };
//! assert_eq!((ask.tool.as_deref(), ask.args.as_deref()), (Some("pay"), Some(r#"{"amount":5}"#)));
//! let actions = relay.decided(ask.call, Verdict::Allow, 0);
//! assert!(matches!(&actions[..], [Action::Send { to: Peer::Server, tag: 1, message, .. }] if message == call));
//! ```

#![forbid(unsafe_code)]

mod answer;
mod client;
mod frame;
mod id;
mod list;
mod machine;
mod members;
mod mistake;
mod options;
mod pinned;
mod requests;
mod rounds;
mod server;
mod server_frame;
mod state;
mod too_long;
mod tools;

pub use list::Listed;
pub use machine::{Action, Ask, CallId, Caller, Note, Peer, Refusal, Relay, Verdict};
pub use options::{Options, WithoutSchema};
pub use rounds::Round;
