//! What a policy cannot keep where counters are in memory (spec 8.18, 12.3).
//!
//! In: a compiled policy and its document. Out: warnings, for the engine to give where its store is in memory. Not of the document: with
//! another store nothing is wrong with it.

use super::Compiled;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::document::drop_ignored;
use crate::text::Tree;
use crate::window::Window;

/// Of the counters that never reset, and of the rules that ask for approval, the first for which no reason is given.
pub(super) fn warnings(compiled: &Compiled, text: &str, tree: &Tree<'_>) -> Box<[Diagnostic]> {
    const COUNTER: &str =
        "this counter never resets, but with counters in memory it is lost when the process ends";
    const APPROVAL: &str = "with counters in memory, used approvals are forgotten when the process ends, and let calls through again";
    let steps = || compiled.entries.iter().flat_map(|entry| &entry.steps);
    let of_ever = |charge: u32| {
        let declared = compiled.payment(charge).and_then(|payment| compiled.declared(payment.declared));
        declared.is_some_and(|declared| declared.counter.window() == Window::Ever)
    };
    if !steps().any(|step| step.approves || step.charge.is_some_and(of_ever)) {
        return Box::default();
    }
    let mut found = Vec::new();
    for (message, is_told) in [(COUNTER, false), (APPROVAL, true)] {
        let mut diagnostics = Diagnostics::new(text);
        for step in steps().filter(|step| step.approves == is_told) {
            let rule = compiled.rule(step.rule);
            if let (Some(rule), true) = (rule, step.approves || step.charge.is_some_and(of_ever)) {
                let help = "give the engine a store on disk or a shared one".to_owned();
                diagnostics.warning("memory_store", rule.span(), rule.pointer(), message, Some(help));
            }
        }
        drop_ignored(tree, &mut diagnostics);
        found.extend(diagnostics.finish().into_iter().next());
    }
    found.sort_by_key(|warning| warning.span);
    found.into()
}

#[cfg(test)]
mod tests {
    use crate::store::Store;
    use crate::{Engine, MemoryStore, Policy};

    fn told(text: &str) -> Vec<String> {
        let policy: Policy = text.parse().unwrap();
        let warnings = Engine::new(policy).warnings();
        warnings.iter().map(|warning| format!("{} {}", warning.code(), warning.pointer())).collect()
    }

    #[test]
    fn the_first_counter_and_the_first_approval_are_told() {
        let of_both = "
version: '1'
default: deny
tools:
  pay: {rules: [{rate_limit: 5/day}, {action: require_approval}, {action: require_approval}]}
  buy: {limits: [{counter: a, window: ever, max: 1}, {counter: b, window: ever, max: 1}]}
";
        assert_eq!(told(of_both), ["memory_store /tools/pay/rules/1", "memory_store /tools/buy/limits/0"]);
        let ignored = of_both.replace(
            "{action: require_approval},",
            "{action: require_approval, x-ignore: {memory_store: why}},",
        );
        assert_eq!(told(&ignored)[0], "memory_store /tools/pay/rules/2");
        let none = format!("{of_both}x-ignore: {{memory_store: a test}}\n");
        assert!(told(&none).is_empty());
        assert!(
            told("{version: '1', default: deny, tools: {pay: {rules: [{rate_limit: 5/month}]}}}").is_empty()
        );
        // What the document itself has comes first, and a policy alone says nothing of stores.
        assert_eq!(told("{version: '1', tools: {pay: {rules: [{rate_limit: 5/ever}]}}}").len(), 2);
        assert_eq!(of_both.parse::<Policy>().unwrap().warnings().len(), 0);
    }

    #[test]
    fn who_holds_a_store_says_what_it_is() {
        let store = std::sync::Arc::new(MemoryStore::new());
        assert!(store.is_in_memory());
        assert!((&store as &dyn Store).is_in_memory());
    }
}
