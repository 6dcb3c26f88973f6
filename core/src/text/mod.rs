//! From policy text to nodes: every key and value with its span.
//!
//! In: YAML or JSON. Out: one [`Tree`] of nodes, the same for both, or diagnostics. Knows nothing of policies: types are
//! those of JSON, and what YAML 1.1 and 1.2 read differently stays [`Content::Ambiguous`] for the document to judge.

mod json;
mod tree;
mod yaml;

pub(crate) use json::parse_json;
pub use tree::{Content, Items, Members, Node, Tree};
pub(crate) use yaml::parse_yaml;
