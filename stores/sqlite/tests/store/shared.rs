//! Processes that share a file: budgets that several tools pay into, and approvals with several uses (spec 2.25, 7.3, 8.1).

use std::sync::Arc;

use callgate::store::{Algorithm, Batch, Calendar, Counter, Grant, Owner, Store as _, Verdict, Window};

use crate::charges::{at, is_taken, slot, used};
use crate::scratch::{Scratch, open};
use crate::started::{PROCESSES, all, given, tell};

const LIMIT: i64 = 1_000;
const TOOLS: usize = 4;
const USES: u32 = 3;

fn tool(number: usize) -> Counter {
    let owner = Owner::Tool(format!("tool-{}", number % TOOLS).into());
    Counter::new(owner, "calls", Window::Day, Algorithm::Fixed, "grant")
}

/// One of each kind of window.
fn budgets() -> [(&'static str, Counter); 5] {
    let budget = |name, window, algorithm| Counter::new(Owner::Budget, name, window, algorithm, "grant");
    let zone = Arc::new(Calendar::new(Some("America/New_York"), false).unwrap());
    [
        ("day", budget("b", Window::Day, Algorithm::Fixed)),
        ("zoned", budget("b", Window::Day, Algorithm::Fixed).in_calendar(&zone)),
        ("ever", budget("b", Window::Ever, Algorithm::Fixed)),
        ("sliding", budget("b", Window::Hour, Algorithm::Sliding)),
        ("long", budget("b", Window::Seconds(7 * 86_400), Algorithm::Sliding)),
    ]
}

/// Charges a tool's own counter and the budget together until the budget is used up.
#[test]
fn tools_of_many_processes_spend_a_budget_exactly() {
    if let Some((file, number)) = given() {
        let (_, budget) = budgets().into_iter().find(|(name, _)| file.ends_with(name)).unwrap();
        let (store, tool) = (open(&file), tool(number));
        let passed = (0..=LIMIT).take_while(|now| {
            let slots = [slot(&tool, "a", 1_000_000), slot(&budget, "a", LIMIT)];
            let batch = Batch { slots: slots.into_iter().collect(), ..Batch::default() };
            // Clocks differ a little.
            let now = now / 3 + i64::try_from(number).unwrap() * 7;
            is_taken(&store.reserve(&batch, at(now)).unwrap())
        });
        return tell(i64::try_from(passed.count()).unwrap());
    }
    let scratch = Scratch::new("shared-budget");
    for (name, budget) in budgets() {
        let file = scratch.path(name);
        let passed = all("shared::tools_of_many_processes_spend_a_budget_exactly", &file);
        assert_eq!(passed.iter().sum::<i64>(), LIMIT, "{name}: {passed:?}");
        let store = open(&file);
        assert_eq!(used(&store, &budget, "a", LIMIT), LIMIT, "{name}");
        let by_tools = (0..TOOLS).map(|number| used(&store, &tool(number), "a", LIMIT));
        assert_eq!(by_tools.sum::<i64>(), LIMIT, "{name}: what was refused charged a tool's counter");
    }
}

#[test]
fn an_approval_lets_as_many_calls_through_as_it_may() {
    if let Some((file, number)) = given() {
        let (store, counter) = (open(&file), tool(number));
        let mut passed = 0;
        for now in 0..20 {
            let grant = Grant { id: "shared".into(), uses: USES, holds: Some((at(0), at(1_000))) };
            let slots = [slot(&counter, "a", 1_000)].into_iter().collect();
            let batch = Batch { slots, approval: Some(grant), asks: true, ..Batch::default() };
            match store.reserve(&batch, at(now)).unwrap().verdict {
                Verdict::Reserved => passed += 1,
                verdict => assert_eq!(verdict, Verdict::ApprovalSpent),
            }
        }
        return tell(passed);
    }
    let scratch = Scratch::new("shared-approval");
    let file = scratch.path("counters.db");
    let passed = all("shared::an_approval_lets_as_many_calls_through_as_it_may", &file);
    assert_eq!((passed.len(), passed.iter().sum::<i64>()), (PROCESSES, i64::from(USES)), "{passed:?}");
    let store = open(&file);
    let charged = (0..TOOLS).map(|number| used(&store, &tool(number), "a", 0)).sum::<i64>();
    assert_eq!(charged, i64::from(USES), "what was not let through was charged");
}
