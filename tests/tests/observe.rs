//! A candidate policy changes no decision in force, whatever it says, and whatever its store does (spec 10.11).

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use callgate::store::*;
use callgate::time::{ManualClock, Timestamp};
use callgate::*;
use callgate_host::{Candidate, Flip, NoVerdict, Observed, Observer, SameCounters, StoreOptions, open_store};
use callgate_tests::decisions::{self, Form};
use serde_json::{Value, json};

fn policy(text: &str) -> Policy {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

/// Counts every call.
const COUNTS: &str = "{version: '1', default: allow, tools: {}, all_tools: {rules: [{rate_limit: 3/hour}]}}";

/// A store that hangs until it is let go, and then fails.
struct Hangs {
    asked: Mutex<Sender<()>>,
    let_go: Mutex<Receiver<()>>,
}

impl Hangs {
    /// The store, what hears of questions, and what lets it go for ever when it is dropped.
    fn new() -> (Arc<Self>, Receiver<()>, Sender<()>) {
        let ((asked, hears), (lets, let_go)) = (mpsc::channel(), mpsc::channel());
        (Arc::new(Self { asked: asked.into(), let_go: let_go.into() }), hears, lets)
    }

    fn hang<T>(&self) -> Result<T, StoreError> {
        let _ = self.asked.lock().unwrap().send(());
        let _ = self.let_go.lock().unwrap().recv();
        Err(StoreError::transient("it hung"))
    }
}

impl Store for Hangs {
    fn reserve(&self, _: &Batch<'_>, _: Timestamp) -> Result<BatchOutcome, StoreError> {
        self.hang()
    }

    fn peek(&self, _: &Batch<'_>, _: Timestamp) -> Result<BatchOutcome, StoreError> {
        self.hang()
    }

    fn settle(&self, _: &[Settlement<'_>], _: Timestamp) -> Result<(), StoreError> {
        self.hang()
    }

    fn purge(&self, _: Timestamp) -> Result<usize, StoreError> {
        self.hang()
    }
}

fn until(is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "it never came");
        thread::yield_now();
    }
}

#[test]
fn no_candidate_changes_a_decision_of_any_case() {
    let (hangs, _asked, _let_go) = Hangs::new();
    let denies = policy("{version: '1', default: deny, tools: {}}");
    type Make<'m> = Box<dyn Fn(Policy) -> Candidate + 'm>;
    let candidates: [(&str, Make<'_>); 4] = [
        ("denies everything", Box::new(|_| Candidate::new(denies.clone()))),
        ("counts everything", Box::new(|_| Candidate::new(policy(COUNTS)))),
        ("is the same policy", Box::new(Candidate::new)),
        ("has a store that hangs", Box::new(|_| Candidate::new(policy(COUNTS)).counters(hangs.clone()))),
    ];
    let mut count = 0;
    for (file, cases) in decisions::files() {
        for case in &cases.cases {
            for form in [Form::Raw, Form::Value] {
                let without = case.run_beside(form, None).unwrap();
                for (about, candidate) in &candidates {
                    let with = case.run_beside(form, Some(candidate(case.load())));
                    assert_eq!(with.as_ref(), Ok(&without), "{file}: {}: a candidate {about}", case.name);
                    count += without.len();
                }
            }
        }
    }
    assert!(count > 5_000, "only {count} decisions");
}

fn decide(engine: &Engine, observer: &Observer, tool: &str) -> (bool, Observed) {
    let call = Call::without_args(tool);
    let decision = engine.decide(&call);
    (decision.allowed(), observer.decided(&call, Some(&decision)).unwrap())
}

#[test]
fn a_store_that_hangs_or_fails_is_a_count() {
    let engine = Engine::new(policy("{version: '1', default: allow, tools: {}}"));
    let (observer, (hangs, asked, let_go)) = (Observer::new(), Hangs::new());
    observer.observe(&engine, Candidate::new(policy(COUNTS)).counters(hangs)).unwrap();
    let (allowed, first) = decide(&engine, &observer, "t");
    asked.recv().unwrap();
    assert!(allowed);
    assert_eq!((first.error(), first.flip(), first.to_json()), (Some(NoVerdict::Pending), None, None));
    // More than may wait: none of them waits for anything.
    let others: Vec<_> = (0..1_100).map(|_| decide(&engine, &observer, "t")).collect();
    assert!(others.iter().all(|(allowed, _)| *allowed));
    others.iter().for_each(|(_, observed)| observed.finish(Outcome::NotRun));
    let overloaded =
        others.iter().filter(|(_, observed)| observed.error() == Some(NoVerdict::Overloaded)).count();
    assert_eq!(overloaded, 1_100 - 1_024);
    let table = observer.observations().unwrap();
    assert_eq!((table.calls, table.failed, table.rows.len()), (76, 76, 0), "others still wait");

    drop(let_go);
    until(|| others[0].1.error() == Some(NoVerdict::StoreUnavailable));
    until(|| observer.observations().unwrap().calls == 1_101);
    assert_eq!(observer.observations().unwrap().failed, 1_101);
    assert!(first.decision().is_none(), "a store that fails says nothing of the policy");
}

#[test]
fn a_shared_store_is_asked_later_at_the_time_of_the_call() {
    let folder = std::env::temp_dir().join(format!("callgate-observe-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let store = open_store(&format!("sqlite://{}/s.db", folder.display()), &StoreOptions::new()).unwrap();
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_763_719_200_000)));
    let limited = "{version: '1', default: deny, tools: {t: {limits: [{counter: n, window: hour, max: 2}]}}}";
    let engine = Engine::builder(policy(limited)).store(store.blocking()).clock(clock.clone()).build();
    let observer = Observer::new();
    let next = || Candidate::new(policy(limited)).clock(clock.clone());
    assert_eq!(observer.observe(&engine, next().store(&store)), Err(SameCounters));
    assert!(observer.candidate().is_none());
    let own = store.namespaced("next").unwrap();
    observer.observe(&engine, next().store(&own)).unwrap();

    let seen: Vec<_> = (0..3).map(|_| decide(&engine, &observer, "t")).collect();
    // Finished before the store was asked, or after: in order.
    seen[0].1.finish(Outcome::NotRun);
    let fourth = decide(&engine, &observer, "t").1;
    clock.set(Timestamp::from_millis(1_763_719_200_000 + 3_600_000));
    until(|| fourth.error() != Some(NoVerdict::Pending));
    assert_eq!(seen.iter().map(|(allowed, _)| *allowed).collect::<Vec<_>>(), [true, true, false]);
    let effects = seen.iter().map(|(_, observed)| observed.decision().unwrap().effect());
    assert_eq!(effects.collect::<Vec<_>>(), [Effect::Allow, Effect::Allow, Effect::Deny]);
    assert!(fourth.decision().unwrap().allowed(), "one was given back, in the window of the call");
    assert_eq!(fourth.flip(), Some(Flip::Looser));
    // The call was refused, so nobody gives back what the candidate charged.
    fourth.finish(Outcome::NotRun);
    let held = |store: &callgate_host::SharedStore| {
        let mut used = Vec::new();
        store.blocking().each(fourth_time(), &mut |counter| used.push(counter.used.to_string())).unwrap();
        used
    };
    observer.observe(&engine, None).unwrap();
    assert_eq!((held(&own), held(&store)), (vec!["2".to_owned()], vec!["2".to_owned()]));
    assert!(observer.observations().is_none());
    std::fs::remove_dir_all(folder).unwrap();
}

fn fourth_time() -> Timestamp {
    Timestamp::from_millis(1_763_719_200_000)
}

#[test]
fn the_table_has_a_row_for_each_kind_of_call() {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_763_719_200_000)));
    let engine = Engine::new(policy(
        "{version: '1', default: deny, tools: {a: {}, b: {rules: [{name: closed, action: deny}]}}}",
    ));
    let next =
        policy("{version: '1', default: deny, tools: {a: {rules: [{name: shut, action: deny}]}, b: {}}}");
    let observer = Observer::new();
    observer.observe(&engine, Candidate::new(next.clone()).clock(clock.clone())).unwrap();
    for tool in ["a", "b", "made-up", "a"] {
        decide(&engine, &observer, tool);
        clock.advance(Duration::from_secs(1));
    }
    decide(&engine, &observer, "made-up, too");
    // Without a policy in force, every call passes.
    observer.decided(&Call::without_args("a"), None).unwrap();
    let rows: Value = serde_json::from_str(&observer.observations().unwrap().to_json()).unwrap();
    let (allowed, unlisted) = (
        json!({"effect": "allow", "code": "allowed", "rule": null}),
        json!({"effect": "deny", "code": "not_listed", "rule": null}),
    );
    let denied = |name, pointer| json!({"effect": "deny", "code": "denied", "rule": {"name": name, "pointer": pointer, "line": 1}});
    let row = |tool, enforced: &Value, candidate: &Value, flip, count, [first, last]: [u32; 2]| {
        json!({
            "tool": tool, "method": "tools/call", "enforced": enforced, "candidate": candidate, "flip": flip,
            "count": count, "first": format!("2025-11-21T10:00:0{first}.000Z"),
            "last": format!("2025-11-21T10:00:0{last}.000Z"),
        })
    };
    let digest: String = next.digest().iter().map(|byte| format!("{byte:02x}")).collect();
    let shut = denied("shut", "/tools/a/rules/0");
    let wanted = json!({
        "policy": format!("sha256:{digest}"), "calls": 6, "failed": 0, "omitted": 0,
        "rows": [
            row(None, &unlisted, &unlisted, "none", 2, [2, 4]),
            row(Some("a"), &Value::Null, &shut, "tighter", 1, [4, 4]),
            row(Some("a"), &allowed, &shut, "tighter", 2, [0, 3]),
            row(Some("b"), &denied("closed", "/tools/b/rules/0"), &allowed, "looser", 1, [1, 1]),
        ],
    });
    assert_eq!(rows, wanted);
}

/// Names are an agent's to choose.
#[test]
fn the_table_does_not_grow_without_bound() {
    let engine = Engine::new(policy("{version: '1', default: allow, tools: {}}"));
    let observer = Observer::new();
    observer.observe(&engine, Candidate::new(policy("{version: '1', default: deny, tools: {}}"))).unwrap();
    for number in 0..2_000 {
        decide(&engine, &observer, &format!("t{number}"));
    }
    let table = observer.observations().unwrap();
    assert_eq!((table.calls, table.rows.len(), table.omitted), (2_000, 1_024, 976));
}

#[test]
fn sixteen_threads_decide_as_if_there_were_no_candidate() {
    let text = "{version: '1', default: deny, tools: {t: {limits: [{counter: n, window: day, max: 800}]}}}";
    let engine = Engine::new(policy(text));
    let observer = Observer::new();
    observer.observe(&engine, Candidate::new(policy(&text.replace("800", "400")))).unwrap();
    let allowed: usize = thread::scope(|scope| {
        let decide = || (0..100).filter(|_| decide(&engine, &observer, "t").0).count();
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(decide)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(allowed, 800);
    let table = observer.observations().unwrap();
    let would: u64 =
        table.rows.iter().filter(|row| row.candidate.effect == Effect::Allow).map(|row| row.count).sum();
    assert_eq!((table.calls, would), (1_600, 400));
}
