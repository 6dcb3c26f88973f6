//! What can be told of a call at once: that it passes tests of single members, where there is nothing else to a tool.
//!
//! In: the entries of a tool, and later arguments. Out: that a call is allowed. Must not say so of one that the whole evaluation
//! denies; what is not told here is left to that.

use crate::condition::{Condition, Outcome, Place, Steps, Test};
use crate::policy::Compiled;
use crate::view::View;

/// Tests that are told at once, at most: so few never come near the ceiling of steps.
const MOST: usize = 16;

/// All that a tool's entries check.
#[derive(Debug, Clone)]
pub(crate) struct PlainTests(Box<[PlainTest]>);

#[derive(Debug, Clone)]
struct PlainTest {
    test: Test,
    /// The outcome that is not against the call.
    passing: Outcome,
}

impl PlainTests {
    /// `None` where there is more to check, counters or approvals among it.
    pub(crate) fn new(policy: &Compiled, entries: &[u32]) -> Option<Self> {
        let mut tests = Vec::new();
        for entry in entries {
            for step in &policy.entries.get(*entry as usize)?.steps {
                // Several conditions of a block place need not all fail, so they are none that must have one outcome.
                let several = step.place == Place::Block && step.conditions.len() != 1;
                if step.asks || !step.denies || several {
                    return None;
                }
                for clause in &step.conditions {
                    let Condition::Test(test) = &clause.condition else { return None };
                    if test.path.member.is_none() || tests.len() >= MOST {
                        return None;
                    }
                    tests.push(PlainTest { test: test.clone(), passing: step.place.passing() });
                }
            }
        }
        Some(Self(tests.into()))
    }

    /// Whether arguments are an object that passes, if that can be told at once; false says nothing.
    #[inline(always)]
    pub(crate) fn pass<A: View>(&self, args: &A) -> bool {
        if self.0.is_empty() {
            return matches!(args.is_object(), Ok(true));
        }
        let steps = &Steps::new();
        for plain in &self.0 {
            if plain.test.at_once(args, steps) != Some(plain.passing) {
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use serde_json::{Value, json};

    use crate::view::{Kind, Plain, Unreadable, View};
    use crate::{Call, Code, Decision, Engine, Policy};

    /// A value that tells its members at once.
    struct Telling<'v>(&'v Value);

    impl View for Telling<'_> {
        fn kind(&self) -> Result<Kind<'_>, Unreadable> {
            View::kind(&self.0)
        }

        fn plain_member(&self, name: &str) -> Option<Plain<'_>> {
            match self.0.as_object()?.get(name)? {
                Value::String(text) => Some(Plain::Text(text)),
                number => number.as_i64().map(Plain::Whole),
            }
        }

        fn member(&self, name: &str) -> Result<Option<Self>, Unreadable> {
            Ok(self.0.member(name)?.map(Telling))
        }

        fn element(&self, index: usize) -> Result<Option<Self>, Unreadable> {
            Ok(self.0.element(index)?.map(Telling))
        }

        fn size(&self) -> Result<usize, Unreadable> {
            self.0.size()
        }

        fn elements(&self, mut each: impl FnMut(Self) -> ControlFlow<()>) -> Result<(), Unreadable> {
            self.0.elements(|element| each(Telling(element)))
        }

        fn members(&self, mut each: impl FnMut(&str, Self) -> ControlFlow<()>) -> Result<(), Unreadable> {
            self.0.members(|name, member| each(name, Telling(member)))
        }
    }

    const POLICY: &str = r#"
version: "1"
default: deny
hide: [secret]
tools:
  nothing: {}
  charge:
    require: [{path: args.amount, op: lte, value: 500}, {path: args.currency, op: in, value: [usd, eur]}]
    deny_if: [{path: args.amount, op: lt, value: 0}, {path: args.currency, op: eq, value: usd}]
  negated: {require: [{path: args.currency, op: neq, value: usd}, {path: args.amount, op: neq, value: 1}]}
  "neg*": {deny_if: [{path: args.amount, op: eq, value: 7}]}
  either: {require: [{any: [{path: args.amount, op: eq, value: 7}, {path: args.currency, op: eq, value: usd}]}]}
  several: {rules: [{action: deny, conditions: [{path: args.amount, op: gt, value: 5}, {path: args.currency, op: eq, value: usd}]}]}
  always: {rules: [{action: deny}]}
  deep: {require: [{path: args.amount.value, op: lte, value: 500}]}
  asks: {rules: [{action: require_approval, conditions: [{path: args.amount, op: gt, value: 5}]}]}
  counts: {require: [{path: args.amount, op: lte, value: 500}], limits: [{counter: calls, window: day, max: 100}]}
"#;

    /// Whatever is told at once is what the whole evaluation comes to.
    #[test]
    fn what_is_told_is_so() {
        let amounts = [
            json!(-1),
            json!(1),
            json!(5),
            json!(7),
            json!(500),
            json!(501),
            json!(7.5),
            json!("7"),
            json!(true),
        ];
        let currencies =
            [json!("usd"), json!("eur"), json!("a currency of many bytes"), json!(7), json!(null)];
        let mut calls = vec![json!({}), json!([]), json!(null), json!("text")];
        for amount in &amounts {
            calls.push(json!({"amount": amount}));
            calls.extend(currencies.iter().map(|currency| json!({"amount": amount, "currency": currency})));
        }
        let engine = Engine::new(Policy::from_yaml(POLICY).unwrap());
        let mut told = Vec::new();
        let tools = [
            "nothing", "charge", "negated", "either", "several", "always", "deep", "asks", "counts",
            "secret", "other",
        ];
        for name in tools {
            let tool = engine.policy().tool(name);
            let mut count = 0;
            for args in &calls {
                let whole: Decision<'_> = engine.decide_by_tool(&tool, &Call::new(name, args)).decision();
                if let Some(likeness) = tool.at_once(&Telling(args)) {
                    assert_eq!(Some(likeness), whole.likeness(), "{name} {args}");
                    count += 1;
                } else {
                    // Nothing but what is always allowed or denied is told of a value that has no members to tell.
                    assert!(!matches!(whole.code(), Code::Hidden | Code::NotListed), "{name} {args}");
                }
                assert_eq!(
                    tool.at_once(&args).is_some(),
                    matches!(name, "secret" | "other") || (name, args.is_object()) == ("nothing", true)
                );
            }
            told.push((name, count));
        }
        let all = calls.len();
        let objects = all - 3;
        let expected = [
            ("nothing", objects),
            ("charge", 4),
            ("negated", 4),
            ("either", 0),
            ("several", 0),
            ("always", 0),
            ("deep", 0),
            ("asks", 0),
            ("counts", 0),
            ("secret", all),
            ("other", all),
        ];
        assert_eq!(told, expected);
    }
}
