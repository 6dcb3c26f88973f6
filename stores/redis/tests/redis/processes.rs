//! Many processes at one server: a budget that several tools pay into, an approval with uses, and calls in flight whose holders are
//! killed.

use std::fs::File;
use std::path::Path;
use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

use callgate::Amount;
use callgate::store::{
    Algorithm, Batch, BatchOutcome, Calendar, Counter, Grant, Owner, ScopeValue, Settlement, Slot,
    Store as _, Verdict, Window,
};
use callgate::time::Timestamp;
use callgate_redis::RedisStore;

use crate::crew::{part, start, tell, told};
use crate::server::Server;

/// A caller's clock that no decision may depend on.
const NOW: Timestamp = Timestamp::MIN;
const PROCESSES: usize = 8;
const BUDGET: i64 = 1_000;
const USES: u32 = 3;
/// How many may be in flight, and for how many seconds one is, at most.
const IN_FLIGHT: usize = 4;
const LEASE: u32 = 4;

fn whole(amount: i64) -> Amount {
    Amount::from_whole(amount).unwrap()
}

fn slot(counter: &Counter, charge: i64, max: Amount) -> Slot<'_> {
    Slot { counter, scope: ScopeValue::default(), charge: Some(whole(charge)), max, order: 0 }
}

fn reserve<'p>(store: &RedisStore, slots: impl IntoIterator<Item = Slot<'p>>) -> BatchOutcome {
    let batch = Batch { slots: slots.into_iter().collect(), ..Batch::default() };
    store.reserve(&batch, NOW).unwrap()
}

fn used(store: &RedisStore, counter: &Counter) -> Amount {
    let read = Slot { charge: None, ..slot(counter, 0, Amount::MAX) };
    let batch = Batch { slots: [read].into_iter().collect(), ..Batch::default() };
    store.peek(&batch, NOW).unwrap().usage[0].used
}

/// The windows of a budget: two that the short way charges, and two that it does not.
fn budgets() -> [(&'static str, Counter); 4] {
    let budget = |window, algorithm| Counter::new(Owner::Budget, "spend", window, algorithm, "global");
    let chatham = Arc::new(Calendar::new(Some("Pacific/Chatham"), false).unwrap());
    let year = Window::Seconds(366 * 86_400);
    [
        ("year", budget(year, Algorithm::Fixed)),
        ("ever", budget(Window::Ever, Algorithm::Fixed)),
        ("zoned", budget(Window::Month, Algorithm::Fixed).in_calendar(&chatham)),
        ("sliding", budget(Window::Seconds(31 * 86_400), Algorithm::Sliding)),
    ]
}

#[test]
fn four_tools_of_eight_processes_pay_exactly_a_budget() {
    let tool = |n: usize| {
        let owner = Owner::Tool(format!("tool-{n}").into());
        Counter::new(owner, "calls", Window::Ever, Algorithm::Fixed, "global")
    };
    if let Some((part, store)) = part() {
        let (name, process) = part.split_once(' ').unwrap();
        let (_, budget) = budgets().into_iter().find(|(window, _)| *window == name).unwrap();
        let own = tool(process.parse::<usize>().unwrap() % 4);
        let pay = || reserve(&store, [slot(&own, 1, Amount::MAX), slot(&budget, 1, whole(BUDGET))]);
        return tell((0..).take_while(|_| pay().verdict == Verdict::Reserved).count());
    }
    for (name, budget) in budgets() {
        let server = Server::start();
        let test = "processes::four_tools_of_eight_processes_pay_exactly_a_budget";
        let processes: Vec<Child> =
            (0..PROCESSES).map(|n| start(test, &server.url(), &format!("{name} {n}"))).collect();
        let paid: Vec<usize> = processes.into_iter().map(told).collect();
        let store = server.open();
        assert_eq!(paid.iter().sum::<usize>(), 1_000, "{name}: {paid:?}");
        assert_eq!(used(&store, &budget), whole(BUDGET), "{name}");
        // What the tools' own counters hold is what passed, too: a refused call charged neither.
        for n in 0..4 {
            let expected = i64::try_from(paid[n] + paid[n + 4]).unwrap();
            assert_eq!(used(&store, &tool(n)), whole(expected), "{name}");
        }
    }
}

#[test]
fn an_approval_lets_as_many_calls_of_eight_processes_through_as_it_has_uses() {
    let approved = || Batch {
        approval: Some(Grant { uses: USES, ..Grant::from("ticket") }),
        asks: true,
        ..Batch::default()
    };
    if let Some((_, store)) = part() {
        let passes = || store.reserve(&approved(), NOW).unwrap().verdict == Verdict::Reserved;
        return tell((0..50).filter(|_| passes()).count());
    }
    let server = Server::start();
    let test = "processes::an_approval_lets_as_many_calls_of_eight_processes_through_as_it_has_uses";
    let processes: Vec<Child> = (0..PROCESSES).map(|_| start(test, &server.url(), "")).collect();
    let passed: Vec<usize> = processes.into_iter().map(told).collect();
    assert_eq!(passed.iter().sum::<usize>(), 3, "{passed:?}");
    assert_eq!(server.open().reserve(&approved(), NOW).unwrap().verdict, Verdict::ApprovalSpent);
}

fn in_flight() -> Counter {
    Counter::new(Owner::AllTools, "_in_flight", Window::Seconds(LEASE), Algorithm::Sliding, "global")
}

/// Takes one of as many places as there may be calls in flight. The system gives it back when the process is killed.
fn place(directory: &Path) -> Option<File> {
    (0..IN_FLIGHT).find_map(|n| {
        let file = File::create(directory.join(format!("place-{n}"))).unwrap();
        file.try_lock().is_ok().then_some(file)
    })
}

/// Takes leases and gives them back, until it is killed.
fn hold(store: &RedisStore, directory: &Path) {
    let (counter, scope) = (in_flight(), ScopeValue::default());
    let mut noise = std::process::id();
    loop {
        let outcome = reserve(store, [slot(&counter, 1, whole(4))]);
        if outcome.verdict != Verdict::Reserved {
            std::thread::sleep(Duration::from_millis(2));
            continue;
        }
        let place = place(directory).expect("five calls are in flight at once");
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        std::thread::sleep(Duration::from_millis(u64::from(noise >> 26)));
        drop(place);
        let given_back = Settlement::refund(&counter, &scope, outcome.usage[0].stamp, whole(1));
        store.settle(&[given_back], NOW).unwrap();
    }
}

#[test]
fn a_lease_of_a_killed_holder_ends_and_no_more_are_held_at_once() {
    if let Some((directory, store)) = part() {
        return hold(&store, Path::new(&directory));
    }
    let server = Server::start();
    let directory = server.directory().to_str().unwrap();
    let start = || {
        start(
            "processes::a_lease_of_a_killed_holder_ends_and_no_more_are_held_at_once",
            &server.url(),
            directory,
        )
    };
    let mut holders: Vec<Child> = (0..PROCESSES).map(|_| start()).collect();
    let kill = |mut holder: Child| {
        let ended = holder.try_wait().unwrap();
        assert!(ended.is_none(), "a holder ended by itself: it found five calls in flight");
        holder.kill().unwrap();
        holder.wait().unwrap();
    };
    let begun = Instant::now();
    let mut victim = std::process::id() as usize;
    while begun.elapsed() < Duration::from_secs(2 * u64::from(LEASE)) {
        std::thread::sleep(Duration::from_millis(150));
        victim = victim.wrapping_mul(31).wrapping_add(7);
        kill(holders.swap_remove(victim % PROCESSES));
        holders.push(start());
    }
    holders.into_iter().for_each(kill);
    let (store, counter) = (server.open(), in_flight());
    let left = used(&store, &counter);
    assert!(left > Amount::ZERO && left <= whole(4), "{left} were left by who was killed");
    let free = |charge| reserve(&store, [slot(&counter, charge, whole(4))]).verdict == Verdict::Reserved;
    assert!(!free(4));
    let ended = Instant::now();
    while !free(4) {
        assert!(ended.elapsed() < Duration::from_secs(2 * u64::from(LEASE)), "a lease does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(
        ended.elapsed() <= Duration::from_millis(u64::from(LEASE) * 1_000 + 500),
        "{:?}",
        ended.elapsed()
    );
}
