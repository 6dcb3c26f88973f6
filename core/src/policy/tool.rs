//! A tool as a policy sees it, found once.

use super::{Found, Policy};
use crate::bytes::same;
use crate::call::Target;
use crate::ruling::Ruling;

/// What a policy says of one tool, found once: for hosts that keep something for each tool anyway.
///
/// ```
/// use callgate::{Call, Policy};
/// let policy = Policy::from_yaml("{version: \"1\", default: deny, tools: {\"list_*\": {}}}")?;
/// use callgate::__binding::BindPolicy as _;
/// let tool = policy.tool("list_users");
/// assert!(tool.is("list_users") && !tool.is("list_user"));
/// for name in ["list_users", "drop_table"] {
///     let call = Call::without_args(name);
///     let (decision, same) = (tool.evaluate(&call).decided(), policy.evaluate(&call).decided());
///     assert_eq!(decision.unwrap().to_json(), same.unwrap().to_json());
/// }
/// # Ok::<(), callgate::PolicyError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Tool {
    policy: Policy,
    name: Box<str>,
    /// The entries that apply, or the denial of a tool that may not be called.
    admitted: Result<Found, Ruling>,
}

impl Tool {
    /// Its name.
    #[inline]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether this is the tool of that name.
    #[inline]
    pub fn is(&self, name: &str) -> bool {
        // A host that found it by other means gives the name that it was given.
        std::ptr::eq(&*self.name, name) || same(&self.name, name)
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The entries that apply, or the denial.
    #[inline]
    pub(crate) fn admitted(&self) -> &Result<Found, Ruling> {
        &self.admitted
    }
}

impl Policy {
    /// What this policy says of a tool.
    pub(crate) fn tool(&self, name: &str) -> Tool {
        let mut found = Found::new();
        let admitted = self.0.admit(Target::Tool(name), &mut found).map(Found::from_slice);
        Tool { policy: self.clone(), name: name.into(), admitted }
    }
}
