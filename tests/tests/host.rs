//! What a host meets around decisions: the two halves of one, values that cannot be read, and what prints.

use std::sync::Arc;
use std::time::Duration;

use callgate::__binding::{BindDecision as _, BindEngine as _, BindPolicy as _};
use callgate::store::*;
use callgate::time::*;
use callgate::value::*;
use callgate::*;
use callgate_tests::loopback::{OneAnswer, Point, block_on};
use callgate_tests::plain::{UNREADABLE, plain, telling};
use serde_json::{Value, json};

fn policy(text: &str) -> Policy {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

/// One call of `t` an hour, and any of `free`.
fn limited() -> Policy {
    policy(
        "{version: '1', default: deny, hide: [secret_*], tools: {t: {limits: [{counter: n, window: hour, max: 1}]}, free: {}, checked: {require: [{path: args.a, op: exists, value: false}]}}}",
    )
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::from_millis(1_763_719_200_000)))
}

fn nobody() -> Identity<'static> {
    Identity::absent()
}

/// A store with one answer to every batch.
struct Always(Verdict);

impl Store for Always {
    fn reserve(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        let usage = MemoryStore::new().peek(batch, now)?.usage;
        Ok(BatchOutcome { verdict: self.0.clone(), usage, now })
    }

    fn peek(&self, batch: &Batch<'_>, now: Timestamp) -> Result<BatchOutcome, StoreError> {
        self.reserve(batch, now)
    }

    fn settle(&self, _refunds: &[Settlement<'_>], _now: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    fn purge(&self, _now: Timestamp) -> Result<usize, StoreError> {
        Err(StoreError::permanent("no answer"))
    }
}

/// Clause 8.11: a verdict that the batch cannot have is not an answer.
#[test]
fn a_verdict_that_does_not_fit_lets_nothing_through() {
    for verdict in [Verdict::ApprovalSpent, Verdict::Refused(Vec::new().into())] {
        let engine = Engine::builder(limited()).store(Arc::new(Always(verdict))).clock(clock()).build();
        let decision = engine.evaluate_json("t", "{}", &nobody());
        assert_eq!((decision.effect(), decision.code()), (Effect::Deny, Code::StoreUnavailable));
        assert_eq!(
            decision.message().as_deref(),
            Some("Limits cannot be checked right now. Try again later.")
        );
        let shown: Value = serde_json::from_str(&decision.to_json()).unwrap();
        assert_eq!((&shown["effect"], &shown["code"]), (&json!("deny"), &json!("store_unavailable")));
        assert_eq!(shown["counters"], json!([]));
    }
    let refused = Verdict::Refused(
        [Refusal { bound: Bound::Max(0), order: 0, retry_at: Some(Timestamp::MAX) }].into_iter().collect(),
    );
    let engine = Engine::builder(limited()).store(Arc::new(Always(refused))).clock(clock()).build();
    assert_eq!(engine.evaluate_json("t", "{}", &nobody()).code(), Code::LimitExceeded, "this one fits");
}

/// Clause 8.11 for a host that drives both halves.
#[test]
fn a_batch_that_nobody_answers_is_the_hosts_choice() {
    let (policy, args) = (limited(), json!({}));
    for (choice, effect) in [(OnStoreError::Deny, Effect::Deny), (OnStoreError::Allow, Effect::Allow)] {
        let Evaluation::Pending(pending) = policy.evaluate(&Call::new("t", &args)) else {
            panic!("a counter decides")
        };
        assert_eq!(pending.batch().slots.len(), 1);
        let decision = pending.unanswered(choice);
        assert_eq!((decision.effect(), decision.code()), (effect, Code::StoreUnavailable));
        assert!(decision.take_reservation().is_none(), "nothing was charged");
        let engine = Engine::builder(policy.clone()).store(Arc::new(dead())).on_store_error(choice).build();
        let completed = engine.complete(policy.evaluate(&Call::new("t", &args)));
        assert_eq!(completed.to_json(), decision.to_json());
    }
    assert!(policy.evaluate(&Call::new("t", &args)).decided().is_none());
    let free = policy.evaluate_json(&Call::new("free", "{}")).decided().expect("no counter");
    assert!(free.allowed());
    let borrowed = free.clone();
    let owned = free.into_owned();
    assert_eq!(borrowed.to_json(), owned.to_json());
    assert_eq!(owned.clone().policy().digest(), policy.digest());
}

/// A store that does not answer.
fn dead() -> Remote<OneAnswer, OneAnswer> {
    let dead = OneAnswer::fails(StoreError::transient("the line is dead"), Point::Wire);
    Remote::new(dead.clone(), dead)
}

/// What is charged in halves is charged: the second call is refused, and a policy of the same text is another one.
#[test]
fn both_halves_make_one_decision() {
    let engine = Engine::builder(limited()).clock(clock()).build();
    let policy = engine.policy();
    assert!(engine.is_in_force(&policy));
    assert!(engine.complete(policy.evaluate_json(&Call::new("t", "{}"))).allowed());
    assert_eq!(engine.complete(policy.evaluate_json(&Call::new("t", "{}"))).code(), Code::LimitExceeded);
    engine.replace(limited());
    assert!(!engine.is_in_force(&policy));
    assert!(engine.is_in_force(&engine.policy()));
    assert_eq!(engine.evaluate_json("t", "{}", &nobody()).code(), Code::LimitExceeded);
}

/// A call that needs no counter does not wait for a store.
#[test]
fn a_store_that_does_not_block_is_asked_only_if_needed() {
    let engine = Engine::builder(limited()).async_store(Arc::new(dead())).build();
    let args = json!({});
    for tool in ["free", "checked"] {
        assert!(block_on(engine.decide_async(&Call::new(tool, &args))).allowed());
        assert!(engine.policy().evaluate(&Call::new(tool, &args)).decided().is_some());
    }
    assert_eq!(block_on(engine.decide_async(&Call::new("x", &args))).code(), Code::NotListed);
    assert_eq!(block_on(engine.decide_async(&Call::new("t", &args))).code(), Code::StoreUnavailable);
}

/// The pure half explains what it can: the same checks, raw or not, without what counters say.
#[test]
fn a_policy_explains_without_counters() {
    let policy = policy(
        "{version: '1', default: deny, tools: {t: {require: [{path: args.a, op: in, value: [1, 2]}], limits: [{counter: n, window: hour, max: 1}]}}}",
    );
    let value = json!({"a": 1});
    let (of_value, checks) = policy.explain(&Call::new("t", &value));
    let (of_text, same) = policy.explain_json(&Call::new("t", "{\"a\": 1}"));
    assert!(of_value.decided().is_none() && of_text.decided().is_none());
    assert_eq!(format!("{checks:?}"), format!("{same:?}"));
    assert_eq!(checks[0].checks[0].what, "args.a in [1,2]");
    let (decided, _) = policy.explain_json(&Call::new("t", "{\"a\": 3}"));
    assert_eq!(decided.decided().unwrap().code(), Code::ConditionFailed);

    let many: Vec<u32> = (0..33).collect();
    let long = policy_with_list(&many);
    let (_, checks) = long.explain(&Call::new("t", &value));
    assert_eq!(checks[0].checks[0].what, "args.a in a list of 33");
    let (_, checks) = policy_with_list(&many[..32]).explain(&Call::new("t", &value));
    assert!(checks[0].checks[0].what.ends_with("30,31]"), "{checks:?}");
}

fn policy_with_list(list: &[u32]) -> Policy {
    policy(&format!(
        "{{version: '1', default: deny, tools: {{t: {{require: [{{path: args.a, op: in, value: {list:?}}}]}}}}}}"
    ))
}

/// Clause 3.4: what cannot be read denies every call that has to read it, wherever it stands, and no other.
#[test]
fn what_cannot_be_read_denies() {
    let policy = policy(
        "{version: '1', default: deny, tools: {
            eq: {deny_if: [{path: args.a, op: eq, value: x}]},
            list: {deny_if: [{path: args.a, op: eq, value: [x, z]}]},
            each: {deny_if: [{path: 'args.a[*]', op: eq, value: x}]},
            below: {deny_if: [{path: args.a.b, op: eq, value: x}]},
            key: {rules: [{action: require_approval}]},
            has: {deny_if: [{path: args.a, op: contains, value: x}]},
            other: {deny_if: [{path: args.b, op: eq, value: x}]}}}",
    );
    let engine = Engine::builder(policy).clock(clock()).build();
    let (bare, list, nested) =
        (json!({"a": UNREADABLE}), json!({"a": ["x", UNREADABLE]}), json!({"a": {"b": UNREADABLE}}));
    for (tool, args) in [
        ("eq", &bare),
        ("list", &list),
        ("each", &list),
        ("below", &bare),
        ("below", &nested),
        ("key", &bare),
        ("key", &list),
        ("key", &nested),
    ] {
        let call = Call::new(tool, plain(args));
        let decision = engine.decide(&call);
        if tool == "each" {
            assert_eq!(decision.code(), Code::Denied, "the first element settles it");
            continue;
        }
        assert_eq!((decision.effect(), decision.code()), (Effect::Deny, Code::InvalidArgs), "{tool} {args}");
        assert_eq!(
            decision.message().as_deref(),
            Some("Arguments are not valid: a value cannot be read in place")
        );
        let explanation = engine.explain(&call);
        assert_eq!(explanation.decision.to_json(), decision.to_json());
        if tool != "key" {
            let check = explanation.checks.last().unwrap();
            assert_eq!(check.outcome, "broken off", "{check:?}");
            assert_eq!(check.why.as_deref(), Some("a value cannot be read"));
        }
        assert!(engine.decide(&Call::new("other", plain(args))).allowed(), "{tool} {args}");
    }
    // What settles a list before it is met.
    assert_eq!(engine.decide(&Call::new("has", plain(&list))).code(), Code::Denied);
    let root = json!(UNREADABLE);
    assert_eq!(engine.decide(&Call::new("other", plain(&root))).code(), Code::InvalidArgs);
    let claims = Identity::claims(plain(&root));
    assert_eq!(
        engine.decide(&Call::new("other", plain(&json!({}))).identity(claims)).code(),
        Code::InvalidIdentity
    );
}

/// A view that leaves everything to the trait says of itself what one that answers says.
#[test]
fn what_a_view_leaves_out_is_answered_alike() {
    for value in
        [json!(null), json!(true), json!(7), json!("x"), json!([]), json!([1]), json!({}), json!({"x": 1})]
    {
        let (one, other) = (&value, plain(&value));
        assert_eq!(View::size(&one), other.size(), "{value}");
        assert_eq!(View::is_object(&one), View::is_object(&other), "{value}");
        assert_eq!((other.as_i64(), View::as_str(&other)), (None, None), "asked by `kind`");
        let found = place(View::step(&one, "x"), |found| found.clone());
        assert_eq!(place(other.step("x"), |found| found.0.clone()), found, "{value}");
    }
}

fn place<V>(reached: Result<Reached<V>, Unreadable>, value: impl Fn(V) -> Value) -> Reached<Value> {
    match reached.unwrap() {
        Reached::Value(found) => Reached::Value(value(found)),
        Reached::Absent => Reached::Absent,
        Reached::WrongType => Reached::WrongType,
    }
}

/// Clause 10.9.
#[test]
fn hidden_tools_are_not_listed() {
    let engine = Engine::new(limited());
    let tools = vec![("t", 1), ("secret_1", 2), ("unknown", 3), ("secret", 4)];
    let listed = [("t", 1), ("unknown", 3), ("secret", 4)];
    assert_eq!(engine.filter_tools(tools.clone(), &nobody(), |(name, _)| name), listed);
    assert_eq!(engine.policy().filter_tools(tools, &nobody(), |(name, _)| name), listed);
    assert!(engine.visible("t", &nobody()) && !engine.visible("secret_1", &nobody()));
}

/// What ends in logs by accident: no names, no keys, no counters; a decision prints what it says.
#[test]
fn what_prints_keeps_secrets() {
    let policy = limited();
    let digest: String = policy.digest().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(format!("{policy:?}"), format!("Policy {{ sha256: \"{digest}\", entries: 3, .. }}"));
    let engine = Engine::builder(policy).on_store_error(OnStoreError::Allow).clock(clock()).build();
    assert_eq!(
        format!("{engine:?}"),
        format!(
            "Engine {{ policy: Policy {{ sha256: \"{digest}\", entries: 3, .. }}, on_store_error: Allow, .. }}"
        )
    );
    assert_eq!(format!("{:?}", MemoryStore::new()), "MemoryStore { .. }");
    for (hash, printed) in [
        (ArgsHash::None, "None"),
        (ArgsHash::Sha256, "Sha256"),
        (ArgsHash::HmacSha256(b"secret key"), "HmacSha256(..)"),
    ] {
        assert_eq!(format!("{hash:?}"), printed);
    }
    let decision = engine.evaluate("t", &json!({"secret": 1}), &nobody());
    assert_eq!(format!("{decision:?}"), decision.to_json());
    let warned = Policy::from_yaml("version: \"1\"\ndefault: deny\ntools: {pay: {}, Pay: {}}\n").unwrap();
    let printed = warned.warnings()[0].to_string();
    assert!(printed.starts_with("3:9: warning[confusable_name]: "), "{printed}");
}

/// Clauses 10.7 and 10.8: a record without arguments, and one without a hash.
#[test]
fn records_say_no_more_than_asked() {
    let engine = Engine::builder(limited()).clock(clock()).build();
    let args = json!({"b": 1, "a": 2});
    let call = Call::new("free", &args);
    assert_eq!((call.tool(), call.method(), call.args()), (Some("free"), "tools/call", Some(&&args)));
    let record = engine.decide(&call).audit(&call, ArgsHash::None);
    assert_eq!((record.hash(), record.keys()), (None, &["a".to_owned(), "b".to_owned()][..]));
    let (bare, empty) = (Call::without_args("free"), json!({}));
    let empty = Call::new("free", &empty);
    assert_eq!(bare.args(), None);
    let record = |call: &Call<'_>| engine.decide(call).audit(call, ArgsHash::Sha256);
    assert_eq!(record(&bare).to_json(), record(&empty).to_json(), "none are those of `{{}}`");
    assert!(record(&bare).keys().is_empty() && record(&bare).hash().is_some());
    for (claims, id) in [
        (json!({"id": "alice", "role": "x"}), Some("alice")),
        (json!({"id": 7}), None),
        (json!({"name": "alice"}), None),
        (json!(["alice"]), None),
    ] {
        let call = Call::new("free", &args).identity(Identity::claims(&claims));
        assert_eq!(engine.decide(&call).audit(&call, ArgsHash::None).identity(), id, "{claims}");
    }
}

/// Clause 11: canonical arguments may have as many levels as raw ones, with a scalar in the innermost or without.
#[test]
fn an_approval_key_is_of_what_can_be_read_whole() {
    let engine = Engine::new(policy(
        "{version: '1', default: deny, tools: {t: {rules: [{action: require_approval}]}}}",
    ));
    for innermost in [json!({}), json!({"a": 1}), json!({"a": []})] {
        let levels = 1 + usize::from(innermost["a"].is_array());
        for depth in [128, 129] {
            let args = (levels..depth).fold(innermost.clone(), |inner, _| json!({"a": inner}));
            let of_values = engine.evaluate("t", &args, &nobody());
            let text = args.to_string();
            let of_text = engine.evaluate_json("t", &text, &nobody());
            let code = if depth == 128 { Code::ApprovalRequired } else { Code::InvalidArgs };
            assert_eq!((of_values.code(), of_text.code()), (code, code), "{depth} levels around {innermost}");
            assert_eq!(
                of_values.approval().map(|approval| approval.key()),
                of_text.approval().map(|approval| approval.key())
            );
        }
    }
}

#[test]
fn a_manual_clock_moves_by_whole_milliseconds() {
    let clock = clock();
    let engine = Engine::builder(limited()).clock(clock.clone()).build();
    let allowed = || engine.evaluate_json("t", "{}", &nobody()).allowed();
    assert!(allowed() && !allowed());
    clock.advance(Duration::from_micros(3_599_999_999));
    assert!(!allowed());
    clock.advance(Duration::from_millis(1));
    assert!(allowed());
    clock.advance(Duration::MAX);
    assert_eq!(clock.now(), Timestamp::MAX);
}

const PLAIN_TESTS: &str = r#"
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
  counts: {require: [{path: args.amount, op: lte, value: 500}], limits: [{counter: calls, window: day, max: 1000}]}
"#;

/// A view that answers [`View::as_i64`] and [`View::as_str`] gets the decisions of one that does not.
#[test]
fn values_without_their_kind_come_to_the_same() {
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
    let currencies = [json!("usd"), json!("eur"), json!("a currency of many bytes"), json!(7), json!(null)];
    let mut calls = vec![json!({}), json!([]), json!(null), json!("text")];
    for amount in &amounts {
        calls.push(json!({"amount": amount}));
        calls.extend(currencies.iter().map(|currency| json!({"amount": amount, "currency": currency})));
    }
    let engine = Engine::new(policy(PLAIN_TESTS));
    let tools = [
        "nothing", "charge", "negated", "either", "several", "always", "deep", "asks", "counts", "secret",
        "other",
    ];
    for name in tools {
        let tool = engine.policy().tool(name);
        for args in &calls {
            let (short, whole) = (Call::new(name, telling(args)), Call::new(name, plain(args)));
            let (short, whole) = (
                engine.decide_by_tool(&tool, &short).decision(),
                engine.decide_by_tool(&tool, &whole).decision(),
            );
            assert_eq!((short.code(), short.message()), (whole.code(), whole.message()), "{name} {args}");
            assert_eq!(short.cache_key(), whole.cache_key(), "{name} {args}");
        }
    }
}
