//! The one corpus: policies from small to large, the calls that are made under them, and the same decisions by hand.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicI64, Ordering};

use callgate::time::{Clock, Timestamp};
use callgate::{ArgsCheck, Engine, InputSchema, Policy};
use serde_json::{Value, json};

fn load(text: &str) -> Policy {
    Policy::from_yaml(text).expect("the policy loads")
}

/// A payment server: an amount cap, a currency list, a refund cap, one denied tool, 20 listed ones, denial by default.
pub fn payment_text() -> String {
    let mut text = String::from(
        r#"
version: "1"
default: deny
tools:
  create_charge:
    require:
      - {path: args.amount, op: lte, value: 50000}
      - {path: args.currency, op: in, value: [usd, eur, gbp]}
  create_refund:
    deny_if: [{path: args.amount, op: gt, value: 10000}]
  delete_customer: {rules: [{action: deny, on_deny: customers are never deleted}]}
"#,
    );
    for tool in 0..17 {
        _ = writeln!(text, "  list_{tool}: {{}}");
    }
    text
}

/// [`payment_text`], compiled.
pub fn payment_policy() -> Policy {
    load(&payment_text())
}

/// So many tools with a rule each, as their author would write them.
pub fn large_text(tools: usize) -> String {
    let mut text = String::from("version: \"1\"\ndefault: deny\ntools:\n");
    for tool in 0..tools {
        _ = write!(
            text,
            "  tool_{tool}:
    rules:
      - name: cap of tool {tool}
        conditions:
          - path: args.amount
            op: lte
            value: 50000
          - path: args.currency
            op: in
            value: [usd, eur, gbp]
        on_deny: The amount is too large
"
        );
    }
    text
}

/// The same policy in JSON.
pub fn large_json(tools: usize) -> String {
    let tool = |tool| {
        let conditions = json!([
            {"path": "args.amount", "op": "lte", "value": 50000},
            {"path": "args.currency", "op": "in", "value": ["usd", "eur", "gbp"]},
        ]);
        let rule = json!({"name": format!("cap of tool {tool}"), "conditions": conditions, "on_deny": "The amount is too large"});
        (format!("tool_{tool}"), json!({"rules": [rule]}))
    };
    let tools: serde_json::Map<_, _> = (0..tools).map(tool).collect();
    format!("{:#}", json!({"version": "1", "default": "deny", "tools": tools}))
}

/// [`large_text`], compiled.
pub fn large_policy(tools: usize) -> Policy {
    load(&large_text(tools))
}

/// One tool, `t`, with so many conditions on members of [`deep_args`].
pub fn deep_policy(conditions: usize) -> Policy {
    let conditions: String =
        (0..conditions).map(|n| format!("{{path: args.f{n}, op: lte, value: {}}}, ", n + 100)).collect();
    load(&format!("{{version: '1', default: deny, tools: {{t: {{require: [{conditions}]}}}}}}"))
}

/// The arguments of an allowed call under [`deep_policy`].
pub fn deep_args(members: usize) -> Value {
    (0..members).map(|n| (format!("f{n}"), json!(n))).collect()
}

/// So many globs over one tool's names each: `area_7_*` for `area_7_read`. No two match the same name.
pub fn glob_policy(globs: usize) -> Policy {
    let mut text = String::from("version: \"1\"\ndefault: deny\ntools:\n");
    for glob in 0..globs {
        _ = writeln!(text, "  \"area_{glob}_*\": {{}}");
    }
    load(&text)
}

/// One limit for each identity on the tool `t`, which no bench reaches.
pub fn limit_policy() -> Policy {
    limits_policy(1)
}

/// So many limits like that of [`limit_policy`].
pub fn limits_policy(counters: usize) -> Policy {
    let limits: String = (0..counters)
        .map(|n| format!("{{counter: n{n}, window: minute, max: 1000000000000, scope: identity}}, "))
        .collect();
    load(&format!("{{version: '1', default: deny, tools: {{t: {{limits: [{limits}]}}}}}}"))
}

/// One limit for each identity on the tool `t`, which the second call reaches, for as long as a bench may take.
pub fn full_policy() -> Policy {
    load(
        "{version: '1', default: deny, tools: {t: {limits: [{counter: n, window: month, max: 1, scope: identity}]}}}",
    )
}

/// The same over a sliding second, for so many calls.
pub fn sliding_policy(max: u32) -> Policy {
    load(&format!(
        "{{version: '1', default: deny, tools: {{t: {{limits: [{{counter: n, window: 1s, algorithm: sliding, max: {max}, scope: identity}}]}}}}}}"
    ))
}

/// The engine of a tenant, with a policy of its own: 50 tools that have a rule each, and counters in memory.
pub fn tenant(number: usize) -> Engine {
    Engine::new(load(&format!("# Tenant {number}.\n{}", large_text(50))))
}

/// A clock that shows ten milliseconds more each time: a sliding second that it drives has a hundred live charges.
#[derive(Default)]
pub struct Stepping(AtomicI64);

impl Clock for Stepping {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.fetch_add(10, Ordering::Relaxed))
    }
}

/// The names of so many callers.
pub fn identities(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("agent-{n}")).collect()
}

/// The arguments of a charge that is allowed.
pub fn charge() -> Value {
    json!({"amount": 4200, "currency": "eur", "customer": "cus_123", "description": "order 17", "capture": true})
}

/// The arguments of [`charge`] that rules read, and eight more.
pub fn charge_of_ten() -> Value {
    let mut args = json!({"amount": 4200, "currency": "eur"});
    for member in 0..8 {
        args[format!("member{member}")] = json!(member);
    }
    args
}

/// What guards check before the rules, with arguments and a name for the table: members that fold, and the types of a schema.
pub fn checks() -> [(&'static str, Value, ArgsCheck); 3] {
    let schema = json!({"type": "object", "properties": {"amount": {"type": "integer"}, "currency": {"type": "string"}}});
    let two = json!({"amount": 4200, "currency": "eur"});
    let typed = ArgsCheck::new().without_folding().schema(InputSchema::new(&schema));
    [
        ("folding, 2 members", two, ArgsCheck::new()),
        ("folding, 10 members", charge_of_ten(), ArgsCheck::new()),
        ("a schema", charge(), typed),
    ]
}

/// A call under [`payment_policy`], and its decision.
#[derive(Clone)]
pub struct Case {
    /// What it shows.
    pub name: &'static str,
    /// The tool that is called.
    pub tool: &'static str,
    /// With what.
    pub args: Value,
    /// Whether it may run.
    pub allowed: bool,
}

/// One call of each kind.
pub fn calls() -> [Case; 5] {
    let mut large = charge();
    large["amount"] = json!(99_999);
    let case = |name, tool, args, allowed| Case { name, tool, args, allowed };
    [
        case("allowed charge", "create_charge", charge(), true),
        case("denied by argument", "create_charge", large, false),
        case("denied by name", "delete_customer", json!({}), false),
        case("listed, no checks", "list_7", json!({}), true),
        case("not listed", "drop_table", json!({}), false),
    ]
}

/// 4,096 calls of many kinds in an order that no branch predictor learns, the same in every run: a loop on one call flatters all.
pub fn shuffled() -> Vec<Case> {
    const TOOLS: [&str; 10] = [
        "create_charge",
        "create_charge",
        "create_charge",
        "create_refund",
        "create_refund",
        "delete_customer",
        "list_0",
        "list_7",
        "list_16",
        "drop_table",
    ];
    let mut state = 1_u64;
    // Knuth's MMIX generator, whose high bits are good enough to mix calls.
    let mut next = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    (0..4_096)
        .map(|n| {
            let tool = TOOLS[next(10) as usize];
            let amount = if tool == "create_refund" { next(20_000) } else { next(60_000) };
            let currency = ["usd", "eur", "gbp", "chf"][next(4) as usize];
            let args = json!({"amount": amount, "currency": currency, "customer": format!("cus_{n}"), "capture": true});
            let allowed = by_hand(tool, &args).is_ok();
            Case { name: "shuffled stream", tool, args, allowed }
        })
        .collect()
}

/// What a server's author would write by hand for the same policy: the floor where the policy is a part of the program.
pub fn by_hand(tool: &str, args: &Value) -> Result<(), &'static str> {
    match tool {
        "create_charge" => charge_by_hand(args),
        "create_refund" => refund_by_hand(args),
        "delete_customer" => Err("customers are never deleted"),
        _ if tool.strip_prefix("list_").is_some_and(|number| number.parse::<u8>().is_ok_and(|n| n < 17)) => {
            Ok(())
        }
        _ => Err("the tool is not listed"),
    }
}

fn charge_by_hand(args: &Value) -> Result<(), &'static str> {
    match args.get("amount").and_then(Value::as_i64) {
        Some(amount) if amount <= 50_000 => {}
        _ => return Err("the charge is too large"),
    }
    match args.get("currency").and_then(Value::as_str) {
        Some("usd" | "eur" | "gbp") => Ok(()),
        _ => Err("the currency is not taken"),
    }
}

fn refund_by_hand(args: &Value) -> Result<(), &'static str> {
    match args.get("amount").and_then(Value::as_i64) {
        Some(amount) if amount <= 10_000 => Ok(()),
        _ => Err("the refund is too large"),
    }
}

/// [`by_hand`] with its tools in a map, which nobody can do without whose policy is a file: the floor there.
pub struct ByMap<S>(HashMap<String, Check, S>);

type Check = fn(&Value) -> Result<(), &'static str>;

impl<S: BuildHasher + Default> Default for ByMap<S> {
    fn default() -> Self {
        let mut tools: HashMap<String, Check, S> = HashMap::default();
        tools.insert("create_charge".to_owned(), charge_by_hand);
        tools.insert("create_refund".to_owned(), refund_by_hand);
        tools.insert("delete_customer".to_owned(), |_| Err("customers are never deleted"));
        tools.extend((0..17).map(|n| (format!("list_{n}"), (|_| Ok(())) as Check)));
        Self(tools)
    }
}

impl<S: BuildHasher> ByMap<S> {
    /// What [`by_hand`] says.
    pub fn decide(&self, tool: &str, args: &Value) -> Result<(), &'static str> {
        self.0.get(tool).map_or(Err("the tool is not listed"), |check| check(args))
    }
}
