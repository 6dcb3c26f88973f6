//! A call: what is to be decided (spec 3).
//!
//! In: a tool or another method, its arguments, who calls, and what the host holds beside them. Out: the same as one value that
//! evaluation borrows. Must not look at the arguments.

use crate::args_check::ArgsCheck;
use crate::identity::Identity;
use crate::time::Timestamp;

/// The method by which tools are called.
const CALL_TOOL: &str = "tools/call";

/// What is called (spec 3.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'c> {
    /// A tool of this name, by `tools/call`.
    Tool(&'c str),
    /// Another method of MCP.
    Method(&'c str),
}

impl<'c> Target<'c> {
    /// The tool, if one is called.
    #[inline]
    pub(crate) fn tool(self) -> Option<&'c str> {
        match self {
            Self::Tool(tool) => Some(tool),
            Self::Method(_) => None,
        }
    }

    /// The method.
    pub(crate) fn method(self) -> &'c str {
        match self {
            Self::Tool(_) => CALL_TOOL,
            Self::Method(method) => method,
        }
    }
}

/// A tool call, or a request of another method. `A` is the view of its arguments, `I` that of its identity's claims.
///
/// ```
/// use callgate::{Call, Identity};
/// let args = serde_json::json!({"amount": 4200});
/// let call = Call::new("create_charge", &args).identity(Identity::new("alice"));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Call<'c, A = &'c serde_json::Value, I = &'c serde_json::Value> {
    pub(crate) target: Target<'c>,
    pub(crate) args: Option<A>,
    pub(crate) identity: Identity<'c, I>,
    pub(crate) beside: Beside<'c>,
}

/// What a host gives beside arguments and identity.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Beside<'c> {
    pub(crate) approval: Option<Approval<'c>>,
    pub(crate) checked: Option<&'c ArgsCheck>,
    pub(crate) server: Option<&'c str>,
}

/// An approval that the host holds for a call (spec 7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Approval<'c> {
    pub(crate) key: &'c str,
    pub(crate) id: &'c str,
    pub(crate) given_at: Option<Timestamp>,
}

impl<'c> Approval<'c> {
    /// `key` is the approval key of the decision that asked; `id` is the approval's own, 1 to 256 bytes, never used for
    /// another approval.
    pub fn new(key: &'c str, id: &'c str) -> Self {
        Self { key, id, given_at: None }
    }

    /// When it was given: rules may say for how long an approval lets calls through (spec 2.30), and one without a time is none to them.
    #[must_use]
    pub fn given_at(mut self, at: Timestamp) -> Self {
        self.given_at = Some(at);
        self
    }

    pub(crate) fn is_valid(&self) -> bool {
        (1..=256).contains(&self.id.len())
    }
}

impl<'c, A> Call<'c, A> {
    /// A call of `tool` with arguments, by nobody known.
    pub fn new(tool: &'c str, args: A) -> Self {
        Self::of(Target::Tool(tool), Some(args))
    }

    /// A request of another method than `tools/call`, by nobody known (spec 3.10). `params` are those of the request without
    /// `_meta`, `inputResponses` and `requestState`, which the host takes out.
    ///
    /// ```
    /// use callgate::{Call, Code, Engine, Policy};
    /// let engine = Engine::new(Policy::from_yaml("{version: \"1\", default: deny, tools: {list_users: {}}}")?);
    /// let params = serde_json::json!({"uri": "file:///notes.txt"});
    /// let decision = engine.decide(&Call::request("resources/read", &params));
    /// assert!(decision.allowed(), "a policy says nothing of other methods");
    /// assert_eq!((decision.method(), decision.tool()), ("resources/read", None));
    /// let decision = engine.decide(&Call::request("tools/call", &params));
    /// assert_eq!(decision.code(), Code::InvalidMethod);
    /// # Ok::<(), callgate::PolicyError>(())
    /// ```
    pub fn request(method: &'c str, params: A) -> Self {
        Self::of(Target::Method(method), Some(params))
    }

    #[inline]
    pub(crate) fn of(target: Target<'c>, args: Option<A>) -> Self {
        Self {
            target,
            args,
            identity: Identity::Absent,
            beside: Beside { approval: None, checked: None, server: None },
        }
    }
}

impl<'c> Call<'c> {
    /// A call without arguments, which is the same as one with `{}`.
    pub fn without_args(tool: &'c str) -> Self {
        Self::of(Target::Tool(tool), None)
    }
}

impl<'c, A, I> Call<'c, A, I> {
    /// The call by somebody.
    pub fn identity<J>(self, identity: Identity<'c, J>) -> Call<'c, A, J> {
        let Self { target, args, identity: _, beside } = self;
        Call { target, args, identity, beside }
    }

    /// The call with an approval.
    pub fn approved(mut self, approval: Approval<'c>) -> Self {
        self.beside.approval = Some(approval);
        self
    }

    /// The call, whose arguments are to be checked against what the host knows of the tool's server (spec 3.7, 3.8).
    pub fn checked(mut self, check: &'c ArgsCheck) -> Self {
        self.beside.checked = Some(check);
        self
    }

    /// The call to a server of this name, as the host knows it: what a server says of itself is not it (spec 9.5). Conditions read it
    /// as `server`, and an approval is for a call to this server only.
    ///
    /// ```
    /// use callgate::{Call, Engine, Policy};
    /// let engine = Engine::new(Policy::from_yaml(
    ///     "{version: \"1\", default: deny, tools: {pay: {deny_if: [{path: server, op: neq, value: bank}]}}}",
    /// )?);
    /// assert!(engine.decide(&Call::without_args("pay").server("bank")).allowed());
    /// assert!(!engine.decide(&Call::without_args("pay").server("other")).allowed());
    /// assert!(!engine.decide(&Call::without_args("pay")).allowed(), "no server is known");
    /// # Ok::<(), callgate::PolicyError>(())
    /// ```
    pub fn server(mut self, name: &'c str) -> Self {
        self.beside.server = Some(name);
        self
    }

    /// The tool's name; `None` for another method than `tools/call`.
    pub fn tool(&self) -> Option<&'c str> {
        self.target.tool()
    }

    /// The method: `tools/call`, unless it is a [request](Call::request) of another.
    pub fn method(&self) -> &'c str {
        self.target.method()
    }

    /// The arguments, or the params of another method, if there are any.
    pub fn args(&self) -> Option<&A> {
        self.args.as_ref()
    }
}
