//! Stores behind a wire: what goes over it and comes back says all that a store is asked and answers.

use std::sync::Arc;

use callgate::__binding::BindEngine as _;
use callgate::store::{
    Answer, AsyncStore, AsyncTransport, Batch, Counters, Protocol, Question, Remote, Store, StoreFuture,
    Transport,
};
use callgate::time::{ManualClock, Timestamp};
use callgate::{Approval, Call, Code, Engine, Evaluation, MemoryStore, Policy, StoreError};
use callgate_store_contract::{Subject, TimeKept, check};
use callgate_tests::loopback::{Blocking, OneAnswer, Point, Polled, block_on, store};
use serde_json::json;

/// Either way to ask.
struct Behind {
    polled: bool,
}

impl Subject for Behind {
    fn open(&self, _name: &str) -> Box<dyn Counters> {
        if self.polled { Box::new(Polled(store())) } else { Box::new(Blocking(store())) }
    }

    fn time_kept(&self) -> TimeKept {
        TimeKept::Store
    }
}

#[test]
fn a_store_behind_a_wire_keeps_the_contract() {
    check(&Behind { polled: false });
}

#[test]
fn a_store_behind_a_wire_keeps_the_contract_without_blocking() {
    check(&Behind { polled: true });
}

/// An answer to another question is not an answer: whether the batch was taken is not known (spec 8.11).
#[test]
fn an_answer_to_another_question_is_an_error() {
    let (batch, now) = (Batch::default(), Timestamp::from_millis(0));
    let outcome = MemoryStore::new().reserve(&batch, now).unwrap();
    for answer in [Answer::Outcome(outcome), Answer::Settled, Answer::Purged(7)] {
        let always = OneAnswer::answers(answer.clone());
        let remote = Remote::new(always.clone(), always);
        let fits = |kind: &str| match &answer {
            Answer::Outcome(_) => kind == "outcome",
            Answer::Settled => kind == "settled",
            Answer::Purged(_) => kind == "purged",
            Answer::OtherTime(_) => false,
        };
        let found = [
            Store::reserve(&remote, &batch, now).map(|_| "outcome"),
            Store::peek(&remote, &batch, now).map(|_| "outcome"),
            Store::settle(&remote, &[], now).map(|()| "settled"),
            Store::purge(&remote, now).map(|_| "purged"),
            block_on(AsyncStore::reserve(&remote, &batch, now)).map(|_| "outcome"),
            block_on(AsyncStore::peek(&remote, &batch, now)).map(|_| "outcome"),
            block_on(AsyncStore::settle(&remote, &[], now)).map(|()| "settled"),
            block_on(AsyncStore::purge(&remote, now)).map(|_| "purged"),
        ];
        let kinds = ["outcome", "outcome", "settled", "purged"];
        for (found, kind) in found.into_iter().zip(kinds.into_iter().cycle()) {
            match found {
                Ok(_) => assert!(fits(kind), "{kind} was read from {answer:?}"),
                Err(error) => {
                    assert!(!fits(kind), "{kind} was not read from {answer:?}");
                    assert!(!error.is_transient(), "it will repeat");
                }
            }
        }
    }
}

/// A store that is always at another time than the one that was named, or learns nothing but is there the second time.
struct Elsewhere {
    questions: std::sync::atomic::AtomicI64,
    settles: bool,
}

impl Protocol for Elsewhere {
    type Request = ();
    type Reply = ();

    fn expect(&self, now: Timestamp) -> Timestamp {
        now.plus_millis(5)
    }

    fn request(&self, _question: Question<'_, '_>, now: Timestamp, at: Timestamp) -> Result<(), StoreError> {
        assert_eq!(now.as_millis(), 100);
        let asked = self.questions.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        // First what was expected, then what was said.
        assert_eq!(at.as_millis(), [105, 1_000, 1_001, 1_002][usize::try_from(asked).unwrap()]);
        Ok(())
    }

    fn answer(&self, _question: Question<'_, '_>, at: Timestamp, _reply: ()) -> Result<Answer, StoreError> {
        let next = if at.as_millis() < 1_000 { Timestamp::from_millis(1_000) } else { at.plus_millis(1) };
        if self.settles && at.as_millis() == 1_000 {
            Ok(Answer::Settled)
        } else {
            Ok(Answer::OtherTime(next))
        }
    }
}

/// Carries nothing.
struct Nothing;

impl<P: Protocol<Request = (), Reply = ()>> Transport<P> for Nothing {
    fn carry(&self, _request: ()) -> Result<(), StoreError> {
        Ok(())
    }
}

impl<P: Protocol<Request = (), Reply = ()>> AsyncTransport<P> for Nothing {
    fn carry(&self, _request: ()) -> StoreFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

/// A store that is at another time is asked again as of that time, and given up if that goes on.
#[test]
fn another_time_is_asked_for_a_few_times() {
    let now = Timestamp::from_millis(100);
    for (settles, asked) in [(true, 2), (false, 4)] {
        for waits in [true, false] {
            let remote = Remote::new(Elsewhere { questions: 0.into(), settles }, Nothing);
            let found = if waits {
                Store::settle(&remote, &[], now)
            } else {
                block_on(AsyncStore::settle(&remote, &[], now))
            };
            assert_eq!(found.is_ok(), settles);
            assert!(found.err().is_none_or(|error| error.is_transient()));
            assert_eq!(remote.protocol().questions.load(std::sync::atomic::Ordering::Relaxed), asked);
        }
    }
}

/// Clause 6.6: what waits for approval is looked at, in every way to ask.
#[test]
fn a_call_that_waits_for_approval_is_only_looked_at() {
    let policy: Policy = "{version: '1', default: deny, tools: {pay: {
        rules: [{action: require_approval}], limits: [{counter: n, window: hour, max: 1}]}}}"
        .parse()
        .unwrap();
    let now = Timestamp::from_millis(0);
    let remote = Arc::new(store());
    let engine = Engine::builder(policy.clone())
        .clock(Arc::new(ManualClock::new(now)))
        .store(remote.clone())
        .async_store(remote.clone())
        .build();
    let args = json!({});
    let call = Call::new("pay", &args);
    let evaluated = || match policy.evaluate(&call) {
        Evaluation::Pending(pending) => pending,
        Evaluation::Decided(decision) => panic!("{decision:?}"),
    };
    let every_way = |expected: Code, used: i64| {
        let (pending, polled, by_mistake) = (evaluated(), evaluated(), evaluated());
        assert!(pending.only_looks());
        let told = pending.ask(&*remote, now).unwrap();
        let polled_told = block_on(polled.ask_async(&*remote, now)).unwrap();
        // A host that does not know of looks.
        let taken = Store::reserve(&*remote, by_mistake.batch(), now).unwrap();
        for decision in [
            engine.decide(&call),
            engine.decide_json(&Call::new("pay", "{}")),
            block_on(engine.decide_async(&call)),
            block_on(engine.decide_json_async(&Call::new("pay", "{}"))),
            engine.explain(&call).decision,
            block_on(engine.explain_async(&call)).decision,
            engine.complete(policy.evaluate(&call)),
            pending.resolve(&told),
            polled.resolve(&polled_told),
            by_mistake.resolve(&taken),
        ] {
            assert_eq!(decision.code(), expected);
            assert!(decision.take_reservation().is_none());
            let decided: serde_json::Value = serde_json::from_str(&decision.to_json()).unwrap();
            assert_eq!(decided["counters"][0]["charged"], json!(null));
            assert_eq!(decided["counters"][0]["used"], json!(used.to_string()));
        }
    };
    every_way(Code::ApprovalRequired, 0);
    let asked = engine.decide(&call);
    let call = call.approved(Approval::new(asked.approval().unwrap().key(), "a1"));
    assert!(engine.decide(&call).allowed());
    every_way(Code::LimitExceeded, 1);
}

/// Explaining reads the counters through the wire, releasing gives back through it, and a dead one is told of.
#[test]
fn explaining_and_releasing_go_over_the_wire() {
    let policy: Policy =
        "{version: '1', default: deny, tools: {t: {limits: [{counter: n, window: hour, max: 1}]}}}"
            .parse()
            .unwrap();
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_795_255_200_000)));
    let engine = Engine::builder(policy.clone()).clock(clock.clone()).store(Arc::new(store())).build();
    let args = json!({});
    let call = Call::new("t", &args);
    let first = engine.decide(&call);
    assert!(first.allowed());
    assert_eq!(engine.explain(&call).decision.code(), Code::LimitExceeded);
    engine.finish(&mut first.take_reservation().unwrap(), callgate::Outcome::NotRun).unwrap();
    assert!(engine.explain(&call).decision.allowed());
    let engine = Engine::builder(policy.clone()).clock(clock.clone()).async_store(Arc::new(store())).build();
    let first = block_on(engine.decide_async(&call));
    assert_eq!(block_on(engine.decide_json_async(&Call::new("t", "{}"))).code(), Code::LimitExceeded);
    let mut reservation = first.take_reservation().unwrap();
    let amount = callgate::Amount::from_whole(1).unwrap();
    let settled = block_on(engine.settle_async(&mut reservation, amount));
    assert!(matches!(settled, Err(callgate::SettleError::NothingToSettle)), "{settled:?}");
    clock.advance(std::time::Duration::from_secs(3_600));
    let first = block_on(engine.decide_async(&call));
    block_on(engine.finish_async(&mut first.take_reservation().unwrap(), callgate::Outcome::NotRun)).unwrap();
    assert!(block_on(engine.explain_async(&call)).decision.allowed());
    assert!(block_on(engine.decide_async(&call)).allowed());

    for point in [Point::Request, Point::Wire, Point::Reply] {
        let dead = OneAnswer::fails(StoreError::transient("the line is dead"), point);
        let remote = || Remote::new(dead.clone(), dead.clone());
        let engine = Engine::builder(policy.clone()).clock(clock.clone()).store(Arc::new(remote())).build();
        assert_eq!(engine.decide(&call).code(), Code::StoreUnavailable, "{point:?}");
        let explanation = engine.explain(&call);
        assert_eq!(explanation.decision.code(), Code::StoreUnavailable, "{point:?}");
        let last = explanation.checks.last().unwrap();
        assert_eq!((last.what.as_str(), last.outcome.as_str()), ("counters", "unavailable"));
        assert_eq!(last.why.as_deref(), Some("the line is dead"));
        let engine =
            Engine::builder(policy.clone()).clock(clock.clone()).async_store(Arc::new(remote())).build();
        assert_eq!(block_on(engine.decide_async(&call)).code(), Code::StoreUnavailable);
    }
}
