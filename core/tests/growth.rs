//! Many tools: compiled in one pass, and a call's cost does not depend on how many there are.

#![expect(clippy::arithmetic_side_effects, reason = "a test fails by panicking, and computes")]

use std::cell::Cell;
use std::ops::ControlFlow;

use callgate::value::{Kind, Unreadable, View};
use callgate::{Call, Code, Engine, Identity, Policy};

/// 100,000 tools compile in one pass, and the work of a call does not depend on how many there are.
#[test]
fn many_tools_compile_and_do_not_slow_a_call() {
    let policy = |tools: usize| {
        let mut text = String::from("version: \"1\"\ndefault: deny\ntools:\n");
        for tool in 0..tools {
            text.push_str(&format!(
                "  tool_{tool}: {{require: [{{path: args.n, op: lte, value: {tool}}}]}}\n"
            ));
        }
        Policy::from_yaml(&text).unwrap()
    };
    let many = Engine::new(policy(100_000));
    for (tool, n, allowed) in
        [("tool_7", 7, true), ("tool_99999", 99_999, true), ("tool_99998", 99_999, false)]
    {
        let args = serde_json::json!({"n": n});
        assert_eq!(many.evaluate(tool, &args, &Identity::absent()).allowed(), allowed, "{tool}");
    }
    assert_eq!(
        many.evaluate("tool_100000", &serde_json::json!({}), &Identity::absent()).code(),
        Code::NotListed
    );
}

/// Counts how often a value is looked at.
struct Watched<'v>(&'v serde_json::Value, &'v Cell<u64>);

impl Watched<'_> {
    fn count(&self) {
        self.1.set(self.1.get() + 1);
    }
}

impl View for Watched<'_> {
    fn kind(&self) -> Result<Kind<'_>, Unreadable> {
        self.count();
        self.0.as_object().map_or_else(|| Ok(Kind::Bool(true)), |_| Ok(Kind::Object))
    }

    fn member(&self, name: &str) -> Result<Option<Self>, Unreadable> {
        self.count();
        Ok(self.0.get(name).map(|value| Watched(value, self.1)))
    }

    fn element(&self, _index: usize) -> Result<Option<Self>, Unreadable> {
        Ok(None)
    }

    fn size(&self) -> Result<usize, Unreadable> {
        self.count();
        Ok(0)
    }

    fn elements(&self, _each: impl FnMut(Self) -> ControlFlow<()>) -> Result<(), Unreadable> {
        Ok(())
    }

    fn members(&self, _each: impl FnMut(&str, Self) -> ControlFlow<()>) -> Result<(), Unreadable> {
        self.count();
        Ok(())
    }
}

/// Only what a tool's own checks name is touched, whatever the policy says of other tools.
#[test]
fn a_call_looks_only_at_what_its_tool_names() {
    let looks = |tools: usize| {
        let mut text = String::from("version: \"1\"\ndefault: deny\ntools:\n");
        for tool in 0..tools {
            text.push_str(&format!(
                "  tool_{tool}: {{deny_if: [{{path: args.field_{tool}, op: eq, value: false}}]}}\n"
            ));
        }
        let policy = Policy::from_yaml(&text).unwrap();
        let args = serde_json::json!({"field_3": true, "field_4": true});
        let count = Cell::new(0);
        let decision = policy.evaluate(&Call::new("tool_3", Watched(&args, &count))).decided().unwrap();
        assert!(decision.allowed());
        count.get()
    };
    assert_eq!(looks(5), looks(5_000));
    assert!(looks(5) < 8, "{}", looks(5));
}
