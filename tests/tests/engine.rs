//! What the engine promises beyond single decisions: reload, failing stores, reservations, stores behind a wire.

use std::future::Future as _;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};

use callgate::__binding::BindEngine as _;
use callgate::store::*;
use callgate::time::*;
use callgate::*;
use callgate_tests::loopback::{self, Loop, Request, Spoken, block_on};
use serde_json::json;

fn policy(text: &str) -> Policy {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn limited(max: u32) -> Policy {
    policy(&format!(
        "{{version: '1', default: deny, tools: {{t: {{limits: [{{counter: n, window: hour, max: {max}, increment_from: args.n}}]}}, free: {{}}}}}}"
    ))
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::from_millis(1_763_719_200_000)))
}

/// Answers nothing, or nonsense.
struct Broken;

impl Store for Broken {
    fn reserve(&self, _batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        if now.as_millis() % 2 == 0 {
            Err(StoreError::transient("the line is dead"))
        } else {
            Ok(BatchOutcome { verdict: Verdict::Reserved, usage: Default::default(), now })
        }
    }

    fn peek(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        self.reserve(batch, now)
    }

    fn settle(&self, _refunds: &[Settlement<'_>], _now: Timestamp) -> Result<(), StoreError> {
        Err(StoreError::transient("the line is dead"))
    }

    fn purge(&self, _now: Timestamp) -> Result<usize, StoreError> {
        Err(StoreError::transient("the line is dead"))
    }
}

/// Trap 29, clause 8.11. An answer that does not fit the question lets nothing through either.
#[test]
fn a_store_that_fails_denies_unless_the_host_says_otherwise() {
    let clock = clock();
    let build = |choice| {
        Engine::builder(limited(5))
            .store(Arc::new(Broken))
            .clock(clock.clone())
            .on_store_error(choice)
            .build()
    };
    let denying = build(OnStoreError::Deny);
    for millis in 0..2 {
        clock.set(Timestamp::from_millis(1_763_719_200_000 + millis));
        let decision = denying.evaluate("t", &json!({"n": 1}), &Identity::absent());
        assert_eq!((decision.effect(), decision.code()), (Effect::Deny, Code::StoreUnavailable));
        assert!(denying.evaluate("free", &json!({}), &Identity::absent()).allowed(), "no counter, no store");
    }
    clock.set(Timestamp::from_millis(1_763_719_200_000));
    let allowing = build(OnStoreError::Allow);
    let decision = allowing.evaluate("t", &json!({"n": 1}), &Identity::absent());
    assert_eq!((decision.effect(), decision.code()), (Effect::Allow, Code::StoreUnavailable));
    assert!(decision.take_reservation().is_none(), "nothing was charged");
    assert_eq!(allowing.evaluate("t", &json!({"n": -1}), &Identity::absent()).code(), Code::InvalidAmount);
}

/// Clause 8.11: a host that lets calls through without their limits does not let one approval pass again and again.
#[test]
fn a_store_that_fails_waives_no_approval() {
    let policy: Policy = "{version: '1', default: deny, tools: {
        pay: {rules: [{action: require_approval}, {rate_limit: 9/hour, scope: global}]}, ask: {rules: [{action: require_approval}]}}}"
        .parse()
        .unwrap();
    let engine = Engine::builder(policy.clone())
        .store(Arc::new(Broken))
        .clock(clock())
        .on_store_error(OnStoreError::Allow)
        .build();
    let args = json!({"n": 1});
    let working = Engine::new(policy.clone());
    for tool in ["pay", "ask"] {
        let call = Call::new(tool, &args);
        let asked = working.decide(&call);
        assert_eq!((asked.effect(), asked.code()), (Effect::RequireApproval, Code::ApprovalRequired));
        // Clause 6.6: what cannot be looked at is not asked for.
        for decision in [engine.decide(&call), engine.explain(&call).decision] {
            let expected = match tool {
                "pay" => (Effect::Deny, Code::StoreUnavailable),
                _ => (Effect::RequireApproval, Code::ApprovalRequired),
            };
            assert_eq!((decision.effect(), decision.code()), expected, "{tool}");
        }
        let call =
            call.approved(Approval::new(asked.approval().map(|approval| approval.key()).unwrap(), "a1"));
        let pending = match policy.evaluate(&call) {
            Evaluation::Pending(pending) => pending,
            Evaluation::Decided(decision) => panic!("{decision:?}"),
        };
        for decision in [
            engine.decide(&call),
            engine.explain(&call).decision,
            engine.complete(policy.evaluate(&call)),
            pending.unanswered(OnStoreError::Allow),
        ] {
            assert_eq!(
                (decision.effect(), decision.code()),
                (Effect::Deny, Code::StoreUnavailable),
                "{tool}"
            );
        }
    }
}

/// Clause 8.12: by the engine's own clock, and only what has passed.
#[test]
fn what_no_call_can_see_any_more_is_forgotten() {
    let clock = clock();
    let engine = Engine::builder(policy(
        "{version: '1', default: deny, tools: {
            brief: {limits: [{counter: n, window: hour, max: 9, scope: identity}]},
            long: {limits: [{counter: n, window: day, max: 9, scope: identity}]}}}",
    ))
    .clock(clock.clone())
    .build();
    let call = |tool, id: &str| engine.evaluate(tool, &json!({}), &Identity::new(id)).allowed();
    for caller in 0..1_000 {
        assert!(call("brief", &format!("caller {caller}")));
    }
    assert!(call("long", "alice"));
    assert_eq!(engine.purge().unwrap(), 0, "all charges are live");
    clock.set(clock.now().plus_millis(3_600_000));
    assert_eq!(engine.purge().unwrap(), 1_000);
    assert_eq!(engine.purge().unwrap(), 0);
    let kept = engine.evaluate("long", &json!({}), &Identity::new("alice"));
    assert_eq!(kept.counters().next().unwrap().used().to_string(), "2");
    assert!(Engine::builder(limited(1)).store(Arc::new(Broken)).build().purge().is_err());
}

/// Clause 8.10: the charges of a call are given back once, where they were charged.
#[test]
fn a_reservation_exists_once_and_knows_its_store() {
    let (engine, other) = (Engine::new(limited(10)), Engine::new(limited(10)));
    let used = |engine: &Engine| {
        let explanation = engine.explain(&Call::new("t", &json!({"n": 0})));
        let used = explanation.decision.counters().next().unwrap().used();
        used.as_micros() / 1_000_000
    };
    let charge = || engine.evaluate("t", &json!({"n": 5}), &Identity::absent());
    let kept = charge();
    let decision = charge();
    for clone in [decision.clone(), decision.clone().into_owned(), decision.clone().clone()] {
        assert!(clone.take_reservation().is_none(), "the charges of a clone are not its own");
    }
    let mut reservation = decision.take_reservation().unwrap();
    assert!(decision.clone().take_reservation().is_none() && decision.take_reservation().is_none());
    for finished in
        [other.finish(&mut reservation, Outcome::NotRun), other.settle(&mut reservation, Amount::ZERO)]
    {
        assert!(matches!(finished, Err(SettleError::OtherStore)), "{finished:?}");
    }
    let unknown = engine.settle(&mut reservation, [("no", Amount::ZERO)]);
    assert!(matches!(unknown, Err(SettleError::UnknownCounter { .. })), "{unknown:?}");
    assert!(reservation.is_open(), "nothing was changed");
    assert_eq!((used(&engine), used(&other)), (10, 0));
    engine.settle(&mut reservation, Amount::from_whole(2).unwrap()).unwrap();
    assert!(!reservation.is_open());
    for again in
        [engine.finish(&mut reservation, Outcome::NotRun), engine.settle(&mut reservation, Amount::ZERO)]
    {
        assert!(matches!(again, Err(SettleError::Finished)), "{again:?}");
    }
    assert_eq!(used(&engine), 7);
    drop(kept);
}

/// Clause 8.10, for calls that another store decided: each store takes back what it charged, and nothing else.
#[test]
fn charges_go_back_to_the_store_that_decided() {
    let engine = Engine::builder(limited(10)).clock(clock()).build();
    let far_away =
        || Engine::builder(limited(10)).async_store(Arc::new(loopback::store())).clock(clock()).build();
    let (elsewhere, another) = (far_away(), far_away());
    let args = json!({"n": 5});
    let call = Call::new("t", &args);
    let mut far = block_on(elsewhere.decide_async(&call)).take_reservation().unwrap();
    let mut near = engine.decide(&call).take_reservation().unwrap();
    for finished in [
        engine.finish(&mut far, Outcome::NotRun),
        block_on(another.finish_async(&mut far, Outcome::NotRun)),
        block_on(elsewhere.finish_async(&mut near, Outcome::NotRun)),
    ] {
        assert!(matches!(finished, Err(SettleError::OtherStore)), "{finished:?}");
    }
    // Its counters can only be asked without blocking.
    let blocked = elsewhere.finish(&mut far, Outcome::NotRun);
    assert!(matches!(blocked, Err(SettleError::Store(_))) && far.is_open(), "{blocked:?}");
    assert_eq!(elsewhere.decide(&call).code(), Code::StoreUnavailable);
    block_on(elsewhere.finish_async(&mut far, Outcome::NotRun)).unwrap();
    engine.finish(&mut near, Outcome::NotRun).unwrap();
    // Who asks a store without the engine finishes with the engine of that store.
    let policy = engine.policy();
    let shared: Arc<MemoryStore> = Arc::new(MemoryStore::new());
    let sharing = Engine::builder(policy.clone()).clock(clock()).store(shared.clone()).build();
    let Evaluation::Pending(pending) = policy.evaluate(&call) else { panic!("it counts") };
    let outcome = shared.reserve(pending.batch(), Timestamp::from_millis(1_763_719_200_000)).unwrap();
    sharing.finish(&mut pending.resolve(&outcome).take_reservation().unwrap(), Outcome::NotRun).unwrap();
    let mut completed = engine.complete(policy.evaluate(&call)).take_reservation().unwrap();
    assert!(matches!(sharing.finish(&mut completed, Outcome::NotRun), Err(SettleError::OtherStore)));
    engine.finish(&mut completed, Outcome::NotRun).unwrap();
}

/// Takes charges, and gives none back: for this reason.
struct Keeping(MemoryStore, StoreError);

impl Store for Keeping {
    fn reserve(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        self.0.reserve(batch, now)
    }

    fn peek(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        self.0.peek(batch, now)
    }

    fn settle(&self, _refunds: &[Settlement<'_>], _now: Timestamp) -> Result<(), StoreError> {
        Err(self.1.clone())
    }

    fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.0.purge(now)
    }
}

/// Clause 8.10: what may have been given back is not given back again, what certainly was not may be.
#[test]
fn only_what_certainly_did_not_happen_is_tried_again() {
    let unknown = StoreError::transient("the line is dead");
    for (error, may_repeat) in [(unknown.clone(), false), (unknown.certainly_undone(), true)] {
        let store = Arc::new(Keeping(MemoryStore::new(), error));
        let engine = Engine::builder(limited(10)).store(store).build();
        let decision = engine.evaluate("t", &json!({"n": 5}), &Identity::absent());
        let mut reservation = decision.take_reservation().unwrap();
        let finished = engine.settle(&mut reservation, Amount::ZERO);
        assert!(matches!(finished, Err(SettleError::Store(_))), "{finished:?}");
        assert_eq!(reservation.is_open(), may_repeat);
        let again = engine.finish(&mut reservation, Outcome::NotRun);
        assert_eq!(matches!(again, Err(SettleError::Store(_))), may_repeat, "{again:?}");
    }
}

/// Carries every question, and never brings the answer to a refund.
#[derive(Default)]
struct Mute(Loop);

impl AsyncTransport<Spoken> for Mute {
    fn carry(&self, request: Request) -> StoreFuture<'_, Result<Answer, StoreError>> {
        let is_refund = matches!(request, Request::Settle(..));
        let reply = AsyncTransport::carry(&self.0, request);
        Box::pin(async move {
            let reply = reply.await;
            if is_refund {
                std::future::pending::<()>().await;
            }
            reply
        })
    }
}

/// Clause 8.10: what may have been given back is not given back again, also where the caller stopped waiting for the answer.
#[test]
fn a_refund_that_is_no_longer_waited_for_is_not_tried_again() {
    let store = Arc::new(Remote::new(Spoken, Mute::default()));
    let engine = Engine::builder(limited(10)).clock(clock()).async_store(store).build();
    let args = json!({"n": 5});
    let decision = block_on(engine.decide_async(&Call::new("t", &args)));
    let mut reservation = decision.take_reservation().unwrap();
    drop(engine.finish_async(&mut reservation, Outcome::NotRun));
    assert!(reservation.is_open(), "the store was not asked");
    let poll = |reservation: &mut Reservation| {
        let finish = pin!(engine.finish_async(reservation, Outcome::NotRun));
        finish.poll(&mut Context::from_waker(Waker::noop()))
    };
    assert!(poll(&mut reservation).is_pending());
    assert!(!reservation.is_open());
    assert!(matches!(poll(&mut reservation), Poll::Ready(Err(SettleError::Finished))));
}

/// Trap 31: a reservation is the call's own; no id can be mixed up.
#[test]
fn each_reservation_takes_back_its_own_charge_once() {
    let engine = Engine::builder(limited(10)).clock(clock()).build();
    let first = engine.evaluate("t", &json!({"n": 3}), &Identity::absent());
    let second = engine.evaluate("t", &json!({"n": 5}), &Identity::absent());
    engine.finish(&mut first.take_reservation().unwrap(), Outcome::NotRun).unwrap();
    assert!(first.take_reservation().is_none());
    let used = |engine: &Engine| {
        let explanation = engine.explain(&Call::new("t", &json!({"n": 0})));
        let used = explanation.decision.counters().next().unwrap().used();
        used.to_string()
    };
    assert_eq!(used(&engine), "5");
    engine.settle(&mut second.take_reservation().unwrap(), Amount::from_whole(6).unwrap()).unwrap();
    assert_eq!(used(&engine), "6");
    let third = engine.evaluate("t", &json!({"n": 4}), &Identity::absent());
    engine.settle(&mut third.take_reservation().unwrap(), Amount::from_micros(500_000).unwrap()).unwrap();
    assert_eq!(used(&engine), "6.5");
    let none = engine.evaluate("free", &json!({}), &Identity::absent());
    assert!(none.take_reservation().is_none());
}

/// Traps 30 and 32: one policy decides a call, whole; counters go on over a reload.
#[test]
fn a_reload_changes_calls_from_one_policy_to_the_other() {
    let a = policy(
        "{version: '1', default: deny, tools: {t: {deny_if: [{conditions: [], name: a, on_deny: a}]}}}",
    );
    let b = policy(
        "{version: '1', default: deny, tools: {t: {deny_if: [{conditions: [], name: b, on_deny: b}]}}}",
    );
    let engine = Engine::new(a.clone());
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for turn in 0..2_000 {
                engine.replace(if turn % 2 == 0 { b.clone() } else { a.clone() });
            }
            stop.store(true, Ordering::Relaxed);
        });
        while !stop.load(Ordering::Relaxed) {
            let decision = engine.evaluate("t", &json!({}), &Identity::absent());
            let digest = if *decision.policy().digest() == *a.digest() { "a" } else { "b" };
            assert_eq!(decision.message().as_deref(), Some(digest));
            assert_eq!(decision.rule().unwrap().name(), Some(digest));
        }
    });
    let engine = Engine::builder(limited(1)).clock(clock()).build();
    assert!(engine.evaluate("t", &json!({"n": 1}), &Identity::absent()).allowed());
    assert_eq!(engine.evaluate("t", &json!({"n": 1}), &Identity::absent()).code(), Code::LimitExceeded);
    engine.replace(limited(2));
    assert!(engine.evaluate("t", &json!({"n": 1}), &Identity::absent()).allowed());
}

/// Traps 35 and 36.
/// More decisions than an engine can lend its policy to at once, on the thread that made them and another, outlive the policy that made
/// them and the engine.
#[test]
fn decisions_keep_the_policy_that_made_them() {
    fn is_shared_between_threads<T: Send + Sync>(_: &T) {}
    let (old, new) = (limited(1), limited(2));
    let engine = Engine::new(old.clone());
    let decide = |engine: &Engine| engine.evaluate("free", &json!({}), &Identity::absent());
    let before: Vec<Decision<'_>> = (0..40).map(|_| decide(&engine)).collect();
    engine.replace(new.clone());
    let after = decide(&engine);
    is_shared_between_threads(&after);
    let copies = before.clone();
    drop(engine);
    std::thread::spawn(move || {
        assert!(copies.iter().all(|decision| decision.policy().digest() == old.digest()));
        drop(copies);
    })
    .join()
    .unwrap();
    let old = limited(1);
    assert!(before.into_iter().all(|decision| decision.into_owned().policy().digest() == old.digest()));
    assert_eq!(after.policy().digest(), new.digest());
}

#[test]
fn results_and_records_are_what_clients_and_logs_need() {
    let engine = Engine::new(policy("{version: '1', default: deny, tools: {}}"));
    let args = json!({"zeta": 1, "alpha": "secret value", "n": 9_007_199_254_740_993_u64});
    let call = Call::new("x", &args).identity(Identity::new("alice"));
    let decision = engine.decide(&call);
    assert_eq!(
        decision.to_mcp_result().unwrap(),
        concat!(
            r#"{"content":[{"type":"text","text":"Tool \"x\" is not permitted by policy"}],"isError":true,"#,
            r#""_meta":{"callgate/code":"not_listed"}}"#
        )
    );
    let record = decision.audit(&call, ArgsHash::Sha256).to_json();
    assert!(
        record.contains(r#""identity":"alice","args":{"keys":["alpha","n","zeta"],"hash":"sha256:"#),
        "{record}"
    );
    assert!(!record.contains("secret value"));
    let other = json!({"zeta": 1, "alpha": "secret value", "n": 9_007_199_254_740_992_u64});
    let other = Call::new("x", &other);
    assert_ne!(
        decision.audit(&call, ArgsHash::Sha256).hash(),
        decision.audit(&other, ArgsHash::Sha256).hash()
    );
}

#[test]
fn explain_charges_nothing_and_tells_every_check() {
    let engine = Engine::builder(policy(
        "{version: '1', default: deny, tools: {t: {require: [{any: [{path: args.a, op: eq, value: 1}, {not: {path: args.b, op: exists, value: true}}]}], rules: [{rate_limit: 1/hour}]}}}",
    ))
    .clock(clock())
    .build();
    let args = json!({"a": "1", "b": null});
    for _ in 0..3 {
        let explanation = engine.explain(&Call::new("t", &args));
        assert!(explanation.decision.allowed());
        let item = &explanation.checks[0];
        assert_eq!((item.pointer.as_str(), item.outcome.as_str()), ("/tools/t/require/0", "passes"));
        let any = &item.checks[0];
        assert_eq!((any.what.as_str(), any.outcome.as_str()), ("any", "holds"));
        assert_eq!(any.checks[0].pointer, "/tools/t/require/0/any/0");
        assert_eq!((any.checks[0].what.as_str(), any.checks[0].outcome.as_str()), ("args.a eq 1", "unknown"));
        assert_eq!(any.checks[0].why.as_deref(), Some("the value is of another type"));
        assert_eq!((any.checks[1].what.as_str(), any.checks[1].outcome.as_str()), ("not", "holds"));
        assert_eq!(any.checks[1].checks[0].pointer, "/tools/t/require/0/any/1/not");
        assert!(
            explanation.checks.iter().any(|check| check.what == "counter t._rate_hour"),
            "{explanation:?}"
        );
    }
    assert!(engine.evaluate("t", &args, &Identity::absent()).allowed());
    let explanation = engine.explain(&Call::new("t", &args));
    assert_eq!(explanation.decision.code(), Code::LimitExceeded);
    let bound = explanation.checks.last().unwrap();
    assert_eq!((bound.pointer.as_str(), bound.outcome.as_str()), ("/tools/t/rules/0", "refuses"));
}

type Message = (Request, mpsc::Sender<Result<Answer, StoreError>>);

/// A real wire: a thread that owns the counters and is asked over channels.
struct Line(Mutex<mpsc::Sender<Message>>);

impl Line {
    fn open() -> Self {
        let (sender, receiver) = mpsc::channel::<Message>();
        std::thread::spawn(move || {
            let counters = Loop::default();
            for (request, reply) in receiver {
                let _ = reply.send(Transport::carry(&counters, request).and_then(|answer| answer));
            }
        });
        Self(Mutex::new(sender))
    }

    fn send(&self, request: Request) -> mpsc::Receiver<Result<Answer, StoreError>> {
        let (sender, receiver) = mpsc::channel();
        self.0.lock().unwrap().send((request, sender)).unwrap();
        receiver
    }
}

impl Transport<Spoken> for Line {
    fn carry(&self, request: Request) -> Result<Result<Answer, StoreError>, StoreError> {
        self.send(request).recv().map_err(|_| StoreError::transient("the line is dead"))
    }
}

/// The same line, polled.
struct AsyncLine(Line);

impl AsyncTransport<Spoken> for AsyncLine {
    fn carry(&self, request: Request) -> StoreFuture<'_, Result<Answer, StoreError>> {
        let receiver = self.0.send(request);
        Box::pin(std::future::poll_fn(move |context| match receiver.try_recv() {
            Ok(reply) => Poll::Ready(Ok(reply)),
            Err(mpsc::TryRecvError::Empty) => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Err(mpsc::TryRecvError::Disconnected) => {
                Poll::Ready(Err(StoreError::transient("the line is dead")))
            }
        }))
    }
}

#[test]
fn a_store_behind_a_wire_decides_alike_blocking_or_not() {
    let clock = clock();
    let blocking = Engine::builder(limited(3))
        .store(Arc::new(Remote::new(Spoken, Line::open())))
        .clock(clock.clone())
        .build();
    let remote = Arc::new(Remote::new(Spoken, AsyncLine(Line::open())));
    let polled = Engine::builder(limited(3)).clock(clock).async_store(remote).build();
    for n in [1, 1, 2, 1, 0] {
        let args = json!({"n": n});
        let call = Call::new("t", &args);
        let explained = block_on(polled.explain_async(&call)).decision;
        assert_eq!(blocking.explain(&call).decision.to_json(), explained.to_json());
        let decision = block_on(polled.decide_async(&call));
        assert_eq!(blocking.decide(&call).to_json(), decision.to_json());
    }
}
