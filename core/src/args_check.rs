//! What a host wants checked in arguments before any rule (spec 3.7, 3.8).

use crate::schema::InputSchema;

/// Checks of a call's arguments before any rule (spec 3.7, 3.8).
///
/// Rules read arguments as they are written. A server may read them in another way: it converts `"42"` to a number, parses text
/// that is JSON, or takes `Amount` for `amount`. A guard in front of a server knows its schema. A host that decides its own
/// calls may not need these checks.
///
/// ```
/// use callgate::{ArgsCheck, Call, Code, Policy};
/// use serde_json::json;
/// let policy = Policy::from_yaml("
/// version: \"1\"
/// default: deny
/// tools:
///   pay: {deny_if: [{path: args.amount, op: gt, value: 5}]}
/// ")?;
/// let check = ArgsCheck::new();
/// let args = json!({"Amount": 10});
/// let decision = policy.evaluate(&Call::new("pay", &args).checked(&check)).decided().unwrap();
/// assert_eq!(decision.code(), Code::InvalidArgs);
/// # Ok::<(), callgate::PolicyError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ArgsCheck {
    pub(crate) schema: Option<InputSchema>,
    pub(crate) folding: bool,
}

impl Default for ArgsCheck {
    fn default() -> Self {
        Self::new()
    }
}

impl ArgsCheck {
    /// Denies members that fold to one that a rule reads. No schema is known.
    pub const fn new() -> Self {
        Self { schema: None, folding: true }
    }

    /// Denies what the server's own schema does not admit by its JSON type, too.
    pub fn schema(mut self, schema: InputSchema) -> Self {
        self.schema = Some(schema);
        self
    }

    /// Lets members pass that fold to one that a rule reads: the server tells them apart.
    pub const fn without_folding(mut self) -> Self {
        self.folding = false;
        self
    }
}

impl ArgsCheck {
    pub(crate) fn describe(&self) -> String {
        match (&self.schema, self.folding) {
            (Some(_), true) => "arguments against the tool's schema, and members that fold",
            (Some(_), false) => "arguments against the tool's schema",
            (None, true) => "members of the arguments that fold",
            (None, false) => "nothing of the arguments",
        }
        .to_owned()
    }
}
