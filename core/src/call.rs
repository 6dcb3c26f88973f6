//! A call: what is to be decided (spec 3).

use crate::args_check::ArgsCheck;
use crate::identity::Identity;

/// A tool call. `A` is the view of its arguments, `I` that of its identity's claims.
///
/// ```
/// use callgate::{Call, Identity};
/// let args = serde_json::json!({"amount": 4200});
/// let call = Call::new("create_charge", &args).identity(Identity::new("alice"));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Call<'c, A = &'c serde_json::Value, I = &'c serde_json::Value> {
    pub(crate) tool: &'c str,
    pub(crate) args: Option<A>,
    pub(crate) identity: Identity<'c, I>,
    pub(crate) approval: Option<Approval<'c>>,
    pub(crate) checked: Option<&'c ArgsCheck>,
}

/// An approval that the host holds for a call (spec 7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Approval<'c> {
    pub(crate) key: &'c str,
    pub(crate) id: &'c str,
}

impl<'c> Approval<'c> {
    /// `key` is the approval key of the decision that asked; `id` is the approval's own, 1 to 256 bytes, never used for
    /// another approval.
    pub fn new(key: &'c str, id: &'c str) -> Self {
        Self { key, id }
    }

    pub(crate) fn is_valid(&self) -> bool {
        (1..=256).contains(&self.id.len())
    }
}

impl<'c, A> Call<'c, A> {
    /// A call of `tool` with arguments, by nobody known.
    pub fn new(tool: &'c str, args: A) -> Self {
        Self { tool, args: Some(args), identity: Identity::Absent, approval: None, checked: None }
    }
}

impl<'c> Call<'c> {
    /// A call without arguments, which is the same as one with `{}`.
    pub fn without_args(tool: &'c str) -> Self {
        Self { tool, args: None, identity: Identity::Absent, approval: None, checked: None }
    }
}

impl<'c, A, I> Call<'c, A, I> {
    /// The call by somebody.
    pub fn identity<J>(self, identity: Identity<'c, J>) -> Call<'c, A, J> {
        let Self { tool, args, identity: _, approval, checked } = self;
        Call { tool, args, identity, approval, checked }
    }

    /// The call with an approval.
    pub fn approved(mut self, approval: Approval<'c>) -> Self {
        self.approval = Some(approval);
        self
    }

    /// The call, whose arguments are to be checked against what the host knows of the tool's server (spec 3.7, 3.8).
    pub fn checked(mut self, check: &'c ArgsCheck) -> Self {
        self.checked = Some(check);
        self
    }

    /// The tool's name.
    pub fn tool(&self) -> &'c str {
        self.tool
    }

    /// The arguments, if there are any.
    pub fn args(&self) -> Option<&A> {
        self.args.as_ref()
    }
}
