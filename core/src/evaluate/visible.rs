//! Which tools a caller sees under `list: callable` (spec 2.23, 10.9).
//!
//! In: a policy, a tool, and who asks. Out: whether some call of the tool could be allowed, as far as that does not depend on its
//! arguments, on counters or on an approval. What is not known is open: the set of outcomes that a condition may have stands for it.

use std::ops::Not;

use crate::call::Call;
use crate::condition::{CallContext, Condition, Outcome, Place, Quantifier, Test};
use crate::identity::Identity;
use crate::path::{Root, Segment};
use crate::policy::{Compiled, Found, Policy, Step};
use crate::ruling::Code;
use crate::trace::Silent;
use crate::view::{Reached, Unreadable, View};

/// The outcomes that a condition may have: Kleene's logic over sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct May {
    hold: bool,
    fail: bool,
    be_unknown: bool,
}

impl May {
    const NOTHING: Self = Self { hold: false, fail: false, be_unknown: false };
    /// What reads arguments or counters: both outcomes can be had.
    const OPEN: Self = Self { hold: true, fail: true, be_unknown: false };

    fn only(outcome: Outcome) -> Self {
        Self::NOTHING.or(outcome)
    }

    fn or(mut self, outcome: Outcome) -> Self {
        match outcome {
            Outcome::Holds => self.hold = true,
            Outcome::Fails => self.fail = true,
            Outcome::Unknown => self.be_unknown = true,
        }
        self
    }

    fn can(self, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Holds => self.hold,
            Outcome::Fails => self.fail,
            Outcome::Unknown => self.be_unknown,
        }
    }

    fn outcomes(self) -> impl Iterator<Item = Outcome> + Clone {
        [Outcome::Holds, Outcome::Fails, Outcome::Unknown]
            .into_iter()
            .filter(move |outcome| self.can(*outcome))
    }

    /// What a list may come to with one more condition.
    fn with(self, combinator: Quantifier, next: Self) -> Self {
        let mut whole = Self::NOTHING;
        for before in self.outcomes() {
            for next in next.outcomes() {
                whole = whole.or(combinator.with(before, next));
            }
        }
        whole
    }
}

impl Not for May {
    type Output = Self;

    fn not(self) -> Self {
        Self { hold: self.fail, fail: self.hold, ..self }
    }
}

/// What a condition may come to. Recursion is as deep as the condition, which the document's depth bounds.
fn may<A: View, I: View>(
    condition: &Condition,
    facts: &CallContext<'_, A, I>,
    place: Place,
    quantifier: Quantifier,
) -> Result<May, Unreadable> {
    Ok(match condition {
        Condition::Test(test) if is_open(test, facts)? => May::OPEN,
        Condition::Test(_) => May::only(condition.evaluate(facts, place, quantifier, &mut Silent)?),
        Condition::Any(conditions) => all(conditions, Quantifier::Any, facts, place, quantifier)?,
        Condition::All(conditions) => all(conditions, Quantifier::All, facts, place, quantifier)?,
        Condition::Not(condition) => !may(condition, facts, place, quantifier.flipped())?,
    })
}

/// Whether the outcome of a test is known only of one call: it reads counters, or arguments that are not known. Of a request, which
/// resource or prompt it is for may be known.
fn is_open<A: View, I: View>(test: &Test, facts: &CallContext<'_, A, I>) -> Result<bool, Unreadable> {
    for path in test.paths() {
        let is_known = match (path.root, facts.args, path.segments.first().and_then(Segment::name)) {
            (Root::Args, Some(args), Some(name @ ("uri" | "name"))) => {
                matches!(args.step(name)?, Reached::Value(_))
            }
            (Root::Args | Root::State | Root::Budget, ..) => false,
            (Root::Identity | Root::Tool | Root::Server, ..) => true,
        };
        if !is_known {
            return Ok(true);
        }
    }
    Ok(false)
}

fn all<'c, A: View, I: View>(
    conditions: impl IntoIterator<Item = &'c Condition>,
    combinator: Quantifier,
    facts: &CallContext<'_, A, I>,
    place: Place,
    quantifier: Quantifier,
) -> Result<May, Unreadable> {
    let mut whole = May::only(combinator.of_none());
    for condition in conditions {
        whole = whole.with(combinator, may(condition, facts, place, quantifier)?);
    }
    Ok(whole)
}

impl Step {
    /// Whether it denies the call whatever is open. An approval and a limit are never against a tool.
    fn denies_always<A: View, I: View>(&self, facts: &CallContext<'_, A, I>) -> Result<bool, Unreadable> {
        if !self.denies {
            return Ok(false);
        }
        let conditions = self.conditions.iter().map(|clause| &clause.condition);
        let whole = all(conditions, Quantifier::All, facts, self.place, self.place.quantifier())?;
        Ok(!whole.can(self.place.passing()))
    }
}

impl Compiled {
    fn is_callable<A: View, I: View>(
        &self,
        entries: &[u32],
        facts: &CallContext<'_, A, I>,
    ) -> Result<bool, Unreadable> {
        for entry in entries {
            for step in self.entries.get(*entry as usize).map_or(&[][..], |entry| &entry.steps) {
                if step.denies_always(facts)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

impl Policy {
    /// Whether the caller may see the tool in `tools/list` (spec 10.9): `hide` hides, and so does a name that no call can have.
    /// Under `list: callable` so does what this caller can never call, whatever the arguments are.
    pub fn visible<I: View>(&self, tool: &str, identity: &Identity<'_, I>) -> bool {
        // Their view is of no type that matters: there are none.
        let call: Call<'_> = Call::without_args(tool);
        self.shows_to(&call, identity)
    }

    /// [`Policy::visible`] for the tool of a call, its caller, and its server if it has one. Its arguments and its approval are not
    /// looked at.
    ///
    /// ```
    /// use callgate::{Call, Identity, Policy};
    /// let policy = Policy::from_yaml("
    /// version: \"1\"
    /// default: deny
    /// list: callable
    /// tools:
    ///   read: {}
    ///   delete: {require: [{path: identity.id, op: eq, value: alice}, {path: server, op: eq, value: lab}]}
    /// ")?;
    /// let sees = |tool, id, server| {
    ///     policy.shows(&Call::without_args(tool).identity(Identity::new(id)).server(server))
    /// };
    /// assert!(sees("read", "bob", "lab") && sees("delete", "alice", "lab"));
    /// assert!(!sees("delete", "bob", "lab") && !sees("delete", "alice", "other"));
    /// assert!(!policy.visible("unlisted", &Identity::new("alice")));
    /// # Ok::<(), callgate::PolicyError>(())
    /// ```
    pub fn shows<A: View, I: View>(&self, call: &Call<'_, A, I>) -> bool {
        self.shows_to(call, &call.identity)
    }

    fn shows_to<A: View, I: View, J: View>(&self, call: &Call<'_, A, J>, identity: &Identity<'_, I>) -> bool {
        let mut found = Found::new();
        let entries = match self.0.admit(call.target, &mut found) {
            Ok(entries) => entries,
            Err(ruling) => {
                return !self.0.lists_callable && !matches!(ruling.code(), Code::Hidden | Code::InvalidTool);
            }
        };
        if !self.0.lists_callable {
            return true;
        }
        if let Identity::Claims(claims) = identity
            && !matches!(claims.is_object(), Ok(true))
        {
            return false;
        }
        let facts = CallContext::<A, I>::new(call.target, None, identity, &call.beside);
        // A caller that cannot be read is let through nowhere.
        self.0.is_callable(entries, &facts).unwrap_or(false)
    }

    /// Whether the caller may see a resource or a prompt in a list: false where the policy decides requests, and the request of it can
    /// never be made (spec 10.9). Of the params, the members `uri` and `name` are known, and any other is open: leave `uri` out for a
    /// template.
    ///
    /// ```
    /// use callgate::{Call, Identity, Policy};
    /// let policy = Policy::from_yaml("
    /// version: \"1\"
    /// default: allow
    /// requests:
    ///   default: deny
    ///   methods:
    ///     resources/read: {deny_if: [{path: args.uri, op: regex, value: '^secret:'}]}
    /// ")?;
    /// let shows = |method, params: serde_json::Value| policy.shows_request(&Call::request(method, &params));
    /// assert!(shows("resources/read", serde_json::json!({"uri": "file:///notes.txt"})));
    /// assert!(!shows("resources/read", serde_json::json!({"uri": "secret:///keys"})));
    /// assert!(!shows("prompts/get", serde_json::json!({"name": "review"})));
    /// # Ok::<(), callgate::PolicyError>(())
    /// ```
    pub fn shows_request<A: View, I: View>(&self, call: &Call<'_, A, I>) -> bool {
        let mut found = Found::new();
        let Ok(entries) = self.0.admit(call.target, &mut found) else { return false };
        if !self.0.decides_requests() {
            return true;
        }
        if let Identity::Claims(claims) = &call.identity
            && !matches!(claims.is_object(), Ok(true))
        {
            return false;
        }
        if !matches!(call.args.as_ref().map_or(Ok(true), View::is_object), Ok(true)) {
            return false;
        }
        let facts = CallContext::new(call.target, call.args.as_ref(), &call.identity, &call.beside);
        self.0.is_callable(entries, &facts).unwrap_or(false)
    }

    /// Whether what is shown depends on who asks (`list: callable`). Then nobody else may be given a list that was filtered for one
    /// caller, such as by `cacheScope: public`.
    pub fn lists_by_caller(&self) -> bool {
        self.0.lists_callable
    }

    /// Drops what is not [visible](Policy::visible) from a list of tools; `name` tells the name of each (spec 10.9).
    pub fn filter_tools<T, I: View>(
        &self,
        tools: Vec<T>,
        identity: &Identity<'_, I>,
        name: impl Fn(&T) -> &str,
    ) -> Vec<T> {
        tools.into_iter().filter(|tool| self.visible(name(tool), identity)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which outcomes a list of two can have, by 5.4: one that settles it may come from either, and the last one takes both.
    #[test]
    fn sets_combine_as_outcomes_do() {
        let every: Vec<May> = (1..8)
            .map(|bits| May { hold: bits & 1 != 0, fail: bits & 2 != 0, be_unknown: bits & 4 != 0 })
            .collect();
        for one in &every {
            for other in &every {
                let unsettled = |one: &May, settled: bool| one.be_unknown && settled;
                let all = one.with(Quantifier::All, *other);
                assert_eq!(all.hold, one.hold && other.hold, "{one:?} {other:?}");
                assert_eq!(all.fail, one.fail || other.fail, "{one:?} {other:?}");
                let unknown = unsettled(one, other.hold || other.be_unknown) || unsettled(other, one.hold);
                assert_eq!(all.be_unknown, unknown, "{one:?} {other:?}");
                let any = one.with(Quantifier::Any, *other);
                assert_eq!(any.hold, one.hold || other.hold, "{one:?} {other:?}");
                assert_eq!(any.fail, one.fail && other.fail, "{one:?} {other:?}");
                let unknown = unsettled(one, other.fail || other.be_unknown) || unsettled(other, one.fail);
                assert_eq!(any.be_unknown, unknown, "{one:?} {other:?}");
            }
            let May { hold, fail, be_unknown } = *one;
            assert_eq!(!*one, May { hold: fail, fail: hold, be_unknown });
        }
    }
}
