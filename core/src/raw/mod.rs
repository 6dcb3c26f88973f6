//! Strict raw JSON text: validated whole in one pass, then read in place.
//!
//! In: text by RFC 8259. Out: a flat tape of its values with their byte spans, as a [`View`](crate::value::View), or the first
//! thing that is wrong. Must not recurse, nor build values; and must refuse what two parsers could read as two values:
//! duplicate keys (trap 18), lone surrogates, a byte order mark, nesting without end (trap 5).
//!
//! The policy parser reads JSON through the same scanner, so the project has one grammar of JSON.

mod error;
mod keys;
mod scan;
mod string;
mod tape;
#[cfg(test)]
mod tests;
mod view;

pub(crate) use error::Expected;
pub use error::{RawError, RawErrorKind};
pub(crate) use keys::Duplicate;
pub(crate) use string::plain_end;
pub use tape::RawJson;
pub(crate) use tape::{Limits, NodeKind, Shape, TapeNode};
pub use view::RawView;
