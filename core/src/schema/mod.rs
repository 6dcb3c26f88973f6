//! A tool's input schema, as far as it says which JSON types stand where (spec 3.7).
//!
//! In: the JSON Schema that a server offers for a tool. Out: whether a value's JSON type is one that the schema admits at its
//! place. Must not judge a value: bounds, patterns, required members and equality with a constant are the server's own work.

mod admit;
mod compile;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

pub(crate) use admit::Walk;

use crate::raw::{RawError, RawJson};
use crate::view::View;

/// A tool's input schema, compiled once: which JSON types it admits, and where (spec 3.7).
///
/// Knows `type`, `enum`, `const`, `properties`, `additionalProperties`, `items`, `prefixItems`, `anyOf`, `oneOf`, `allOf`,
/// boolean schemas, and `$ref` within the document. Any other keyword admits everything, as does what lies beyond
/// [`SCHEMA_NODES`](crate::ceilings::SCHEMA_NODES), [`SCHEMA_DEPTH`](crate::ceilings::SCHEMA_DEPTH) or
/// [`SCHEMA_PARTS`](crate::ceilings::SCHEMA_PARTS). Cheap to clone.
///
/// ```
/// use callgate::{ArgsCheck, Call, Code, InputSchema, Policy};
/// use serde_json::json;
/// let policy = Policy::from_yaml("
/// version: \"1\"
/// default: deny
/// tools:
///   query: {deny_if: [{path: args.tables, op: contains, value: users}]}
/// ")?;
/// let schema = json!({"type": "object", "properties": {"tables": {"type": "array", "items": {"type": "string"}}}});
/// let check = ArgsCheck::new().schema(InputSchema::new(&schema));
/// // A server that reads this text as a list would see `users`.
/// let args = json!({"tables": "[\"us\\u0065rs\"]"});
/// let decision = policy.evaluate(&Call::new("query", &args).checked(&check)).decided().unwrap();
/// assert_eq!(decision.code(), Code::InvalidArgs);
/// # Ok::<(), callgate::PolicyError>(())
/// ```
#[derive(Debug, Clone)]
pub struct InputSchema(Arc<Nodes>);

impl InputSchema {
    /// The schema that `schema` holds. Takes any value: what it does not know admits everything.
    pub fn new<V: View>(schema: V) -> Self {
        Self(Arc::new(compile::compile(&schema)))
    }

    /// The schema that is written as JSON text.
    ///
    /// # Errors
    /// [`RawError`] where the text is not JSON as spec 3.5 wants it.
    pub fn from_json(text: &str) -> Result<Self, RawError> {
        Ok(Self::new(RawJson::parse(text)?.root()))
    }
}

/// All subschemas; the first is the whole.
#[derive(Debug)]
struct Nodes(Vec<Node>);

impl Nodes {
    fn get(&self, id: NodeId) -> Option<&Node> {
        self.0.get(id as usize)
    }
}

/// Index of a subschema.
type NodeId = u32;

/// The subschema that admits everything.
const ANYTHING: NodeId = NodeId::MAX;

/// One subschema. What it does not say admits everything.
#[derive(Debug)]
struct Node {
    /// The JSON types that `type`, `enum` and `const` leave.
    types: Types,
    /// `properties`
    members: HashMap<Box<str>, NodeId, RandomState>,
    /// `additionalProperties`
    others: NodeId,
    /// `prefixItems`
    first: Box<[NodeId]>,
    /// `items`
    rest: NodeId,
    /// `allOf` and `$ref`: each has to admit.
    all: Vec<NodeId>,
    /// `anyOf` and `oneOf`: of each list, one has to admit.
    any: Vec<Box<[NodeId]>>,
}

impl Node {
    const fn says_nothing_of_members(&self) -> bool {
        self.others == ANYTHING
    }
}

/// A set of JSON types, in which numbers with and without a fraction are two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Types(u8);

impl Types {
    const NONE: Self = Self(0);
    const NULL: Self = Self(1);
    const BOOLEAN: Self = Self(1 << 1);
    /// Numbers without a fraction, however they are written.
    const INTEGER: Self = Self(1 << 2);
    const FRACTION: Self = Self(1 << 3);
    const STRING: Self = Self(1 << 4);
    const ARRAY: Self = Self(1 << 5);
    const OBJECT: Self = Self(1 << 6);
    /// What JSON has no type for.
    const FOREIGN: Self = Self(1 << 7);
    const NUMBER: Self = Self(Self::INTEGER.0 | Self::FRACTION.0);
    const ALL: Self = Self(u8::MAX);

    const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn has(self, one: Self) -> bool {
        self.0 & one.0 != 0
    }
}
