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
