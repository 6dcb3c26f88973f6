//! What takes long takes steps (spec 11): arguments that would hold a server up are too large to check, whatever their policy is,
//! and what fits the time is decided. Nothing is timed here: `slow` does that.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, and computes")]

use callgate::{Call, Code, Engine, Evaluation, Policy};
use serde_json::{Value, json};

/// The policy of a tool `t`, as JSON.
fn policy(entry: &Value) -> Policy {
    let text = json!({"version": "1", "default": "deny", "tools": {"t": entry}}).to_string();
    Policy::from_json(&text).unwrap()
}

fn code(evaluation: Evaluation<'_>) -> Code {
    match evaluation {
        Evaluation::Decided(decision) => decision.code(),
        Evaluation::Pending(_) => panic!("nothing counts here"),
    }
}

fn of_text(entry: &Value, args: &str) -> Code {
    code(policy(entry).evaluate_json(&Call::new("t", args)))
}

fn of_value(entry: &Value, args: &Value) -> Code {
    code(policy(entry).evaluate(&Call::new("t", args)))
}

fn deny_if(count: usize, path: &str, op: &str, value: Value) -> Value {
    json!({"deny_if": [{"any": vec![json!({"path": path, "op": op, "value": value}); count]}]})
}

fn list(element: &str, count: usize) -> String {
    format!("{{\"a\":[{}]}}", vec![element; count].join(","))
}

fn object(mut numbers: impl Iterator<Item = u32>) -> String {
    let first = numbers.next().map(|number| format!("\"k{number:06}\":1")).unwrap_or_default();
    let rest: String = numbers.map(|number| format!(",\"k{number:06}\":1")).collect();
    format!("{{{first}{rest}}}")
}

/// Clause 11.2: a name that takes too long to compare is denied, whatever the policy's default is, and is in no list.
#[test]
fn comparing_a_name_with_globs_takes_steps() {
    let braces = format!("*{{{}}}*", vec!["ab"; 200].join(","));
    for (what, globs) in [
        ("classes", vec![format!("{}[b]", "[a]*".repeat(200))]),
        ("braces", (0..8).map(|number| format!("{braces}[!{number}]")).collect()),
    ] {
        let entries = globs.iter().map(|glob| (glob.clone(), json!({}))).collect();
        for (place, globs) in [("hide", json!(globs)), ("tools", Value::Object(entries))] {
            let text = json!({"version": "1", "default": "allow", place: globs}).to_string();
            let policy = Policy::from_json(&text).unwrap();
            let (short, long) = ("a".repeat(40), "a".repeat(1_024));
            assert_eq!(
                code(policy.evaluate(&Call::without_args(&short))),
                Code::Allowed,
                "{what} in {place}"
            );
            let denied = policy.evaluate(&Call::without_args(&long)).decided().unwrap();
            assert_eq!((denied.code(), denied.allowed()), (Code::InvalidTool, false), "{what} in {place}");
            assert!(
                policy.visible(&short, &callgate::Identity::absent())
                    && !policy.visible(&long, &callgate::Identity::absent()),
                "{what} in {place}"
            );
        }
    }
}

#[test]
fn an_approval_key_takes_steps() {
    let ask = json!({"rules": [{"action": "require_approval"}]});
    let text = |part: &str, bytes: usize| format!("{{\"a\":\"{}\"}}", part.repeat(bytes / part.len()));
    for (what, args, expected) in [
        ("a text of just under four MiB", text("x", (4 << 20) - 16), Code::ApprovalRequired),
        ("many numbers", list("1", 155_000), Code::ApprovalRequired),
        ("too many numbers", list("1", 165_000), Code::InvalidArgs),
        ("many lines", text("\\n", 1_000_000), Code::ApprovalRequired),
        ("too many lines", text("\\n", 2_000_000), Code::InvalidArgs),
        ("members in order", object(0..72_000), Code::ApprovalRequired),
        ("too many members in order", object(0..88_000), Code::InvalidArgs),
        ("members out of order", object((0..28_000).rev()), Code::ApprovalRequired),
        ("too many members out of order", object((0..40_000).rev()), Code::InvalidArgs),
    ] {
        assert_eq!(of_text(&ask, &args), expected, "{what}");
    }
}

/// The key does not tell in which order members stand, however they are put in order.
#[test]
fn an_approval_key_is_that_of_members_in_order() {
    let policy = policy(&json!({"rules": [{"action": "require_approval"}]}));
    let key = |args: &str| match policy.evaluate_json(&Call::new("t", args)) {
        Evaluation::Decided(decision) => decision.approval().unwrap().key().to_owned(),
        Evaluation::Pending(_) => panic!("nothing counts here"),
    };
    let same =
        key(r#"{"":0,"a":{"x":[{"p":1,"q":2},1.50],"y\n":"\u0001\\"},"ab":1e3,"b":[],"é":null,"😀":true}"#);
    for args in [
        r#"{"😀":true,"é":null,"b":[],"ab":1000,"a":{"y\n":"\u0001\\","x":[{"q":2,"p":1},1.5]},"":0}"#,
        r#"{"b":[],"a":{"x":[{"q":2.0,"p":1},15e-1],"y\u000a":"\u0001\u005c"},"é":null,"":0,"😀":true,"ab":1000.0}"#,
    ] {
        assert_eq!(key(args), same);
    }
    assert_ne!(
        key(r#"{"":0,"a":{"x":[{"p":1,"q":3},1.5],"y\n":"\u0001\\"},"ab":1e3,"b":[],"é":null,"😀":true}"#),
        same
    );
}

/// Raw text is searched from the front, so what stands far behind takes time each time.
#[test]
fn passing_by_members_and_elements_takes_steps() {
    let keys = object(0..200_000);
    let elements = list("2", 700_000);
    for (path, args) in [("args.absent", &keys), ("args.k199999", &keys), ("args.a[699999]", &elements)] {
        assert_eq!(of_text(&deny_if(4, path, "eq", json!(7)), args), Code::Allowed, "{path}");
        assert_eq!(of_text(&deny_if(60, path, "eq", json!(7)), args), Code::InvalidArgs, "{path}");
    }
    // What is near takes none, and a value that was built is not searched from the front.
    assert_eq!(of_text(&deny_if(60, "args.a[0]", "eq", json!(7)), &elements), Code::Allowed);
    let built: Value = serde_json::from_str(&keys).unwrap();
    assert_eq!(of_value(&deny_if(60, "args.absent", "eq", json!(7)), &built), Code::Allowed);

    // Equality with an object looks each of its members up.
    for (count, expected) in [(1_000, Code::Denied), (10_000, Code::InvalidArgs)] {
        let wanted = object(0..count);
        let args = format!("{{\"a\":{wanted}}}");
        let test = deny_if(1, "args.a", "eq", serde_json::from_str(&wanted).unwrap());
        assert_eq!(of_text(&test, &args), expected, "{count} members");
    }
}

#[test]
fn each_element_takes_what_it_is_tested_with() {
    let numbers: Vec<f64> = (0..10_000).map(|number| f64::from(number) + 0.5).collect();
    let is_in = deny_if(1, "args.a[*]", "in", json!(numbers));
    for (count, expected) in [(24_000, Code::Allowed), (32_000, Code::InvalidArgs)] {
        assert_eq!(of_text(&is_in, &list("3", count)), expected, "{count} elements in 10,000 numbers");
    }
    // A literal is read for each comparison.
    let among = deny_if(1, "args.a", "in", json!(numbers));
    for (digits, expected) in [(900_000, Code::Allowed), (1_100_000, Code::InvalidArgs)] {
        let args = format!("{{\"a\":0.{}}}", "7".repeat(digits));
        assert_eq!(of_text(&among, &args), expected, "{digits} digits in 10,000 numbers");
    }
    let is_seven = deny_if(1, "args.a[*]", "eq", json!(7));
    for (count, expected) in [(250_000, Code::Allowed), (270_000, Code::InvalidArgs)] {
        assert_eq!(of_text(&is_seven, &list("3", count)), expected, "{count} numbers");
        let whole: Value = serde_json::from_str(&list("3.0", count)).unwrap();
        assert_eq!(of_value(&is_seven, &whole), expected, "{count} whole floats");
    }
    for (count, expected) in [(32_000, Code::Allowed), (40_000, Code::InvalidArgs)] {
        let fractions: Value = serde_json::from_str(&list("0.1", count)).unwrap();
        assert_eq!(of_value(&is_seven, &fractions), expected, "{count} floats");
    }
    let member = deny_if(1, "args.a[*].x", "eq", json!(7));
    for (count, expected) in [(56_000, Code::Allowed), (64_000, Code::InvalidArgs)] {
        let objects: Value = serde_json::from_str(&list("{\"x\":1}", count)).unwrap();
        assert_eq!(of_value(&member, &objects), expected, "{count} objects");
    }
    let contains = deny_if(1, "args.a", "contains", json!(7));
    for (count, expected) in [(390_000, Code::Allowed), (410_000, Code::InvalidArgs)] {
        assert_eq!(of_text(&contains, &list("3", count)), expected, "{count} numbers");
    }
    let within = deny_if(1, "args.a", "within", json!("/srv"));
    for (count, expected) in [(300_000, Code::Allowed), (500_000, Code::InvalidArgs)] {
        assert_eq!(
            of_text(&within, &format!("{{\"a\":\"{}\"}}", "/x/.".repeat(count))),
            expected,
            "{count} names"
        );
    }
}

/// Views take steps for what they read, each time, and so does each value that a wildcard leads to.
#[test]
fn views_and_wildcards_take_steps() {
    let text = |bytes: usize| json!({"a": "x".repeat(bytes)});
    let of_json = |bytes: usize| json!({"a": format!("[{}1]", "1,".repeat(bytes / 2))});
    let named = |count: usize| {
        let members = (0..count).rev().map(|n| (format!("{n:06}"), json!("x")));
        json!({"a": serde_json::Map::from_iter(members)})
    };
    for (path, op, value, fits, too_large) in [
        ("args.a.@length", "eq", json!(1), text(4_000_000), None),
        ("args.a.@lower", "eq", json!("y"), text(1_000_000), Some(text(2_000_000))),
        ("args.a.@json.@count", "eq", json!(1), of_json(2_000_000), Some(of_json(3_000_000))),
        ("args.a.@count", "eq", json!(1), named(100_000), None),
        ("args.a.@keys", "contains", json!("y"), named(30_000), Some(named(400_000))),
        ("args.a.*", "eq", json!("y"), named(60_000), Some(named(400_000))),
        ("args.a.**", "eq", json!("y"), named(40_000), Some(named(200_000))),
    ] {
        let entry = deny_if(1, path, op, value);
        for (args, expected) in [(Some(fits), Code::Allowed), (too_large, Code::InvalidArgs)] {
            let Some(args) = args else { continue };
            assert_eq!(of_value(&entry, &args), expected, "{path}");
            assert_eq!(of_text(&entry, &args.to_string()), expected, "{path}, raw");
        }
    }
}

/// What may be JSON is read as far as it may, each time; what asks only for null does not read it, and `@text` neither.
#[test]
fn a_text_that_may_be_json_takes_steps() {
    let nearly = |bytes: usize| json!({"a": format!("[{}1] x", "1,".repeat(bytes / 2))});
    for (what, path, op, value, count, args, expected) in [
        ("once", "args.a", "eq", json!("x"), 1, nearly(1_900_000), Code::Allowed),
        ("twice", "args.a", "eq", json!("x"), 2, nearly(1_900_000), Code::InvalidArgs),
        ("as text", "args.a.@text", "eq", json!("x"), 3, nearly(4_000_000), Code::Allowed),
        ("for null", "args.a", "exists", json!(false), 3, nearly(4_000_000), Code::Allowed),
        ("of less", "args.a", "eq", json!("x"), 20, nearly(95_000), Code::Allowed),
        ("of less, too often", "args.a", "eq", json!("x"), 24, nearly(95_000), Code::InvalidArgs),
        ("its start", "args.a", "eq", json!("x"), 60, json!({"a": "[draft] ".repeat(25_000)}), Code::Allowed),
        (
            "elements",
            "args.a[*]",
            "eq",
            json!("x"),
            1,
            json!({"a": vec!["[1,2,3,4,5,6,7,8] x"; 65_000]}),
            Code::Allowed,
        ),
        (
            "elements, too many",
            "args.a[*]",
            "eq",
            json!("x"),
            1,
            json!({"a": vec!["[1,2,3,4,5,6,7,8] x"; 90_000]}),
            Code::InvalidArgs,
        ),
    ] {
        let entry = deny_if(count, path, op, value);
        assert_eq!(of_value(&entry, &args), expected, "{what}");
        assert_eq!(of_text(&entry, &args.to_string()), expected, "{what}, raw");
    }
}

/// A counter that is named twice is one counter, however many there are; and what there are too many of denies.
#[test]
fn many_counters_are_found_again_and_take_steps() {
    let limits = |count: usize| -> Vec<Value> {
        (0..count).map(|n| json!({"counter": format!("c{n}"), "window": "hour", "max": 1})).collect()
    };
    let entry = |count: usize| {
        let read = |n: usize| json!({"path": format!("state.t.c{n}"), "op": "lte", "value": 1});
        json!({"limits": limits(count), "rules": [{"conditions": (0..count).map(read).collect::<Vec<_>>()}]})
    };
    for count in [16, 17, 18, 1_000] {
        let engine = Engine::new(policy(&entry(count)));
        let decision = engine.decide_json(&Call::new("t", "{}"));
        assert_eq!((decision.code(), decision.counters().count()), (Code::Allowed, count));
        assert_eq!(engine.decide_json(&Call::new("t", "{}")).code(), Code::LimitExceeded);
    }
    let engine = Engine::new(policy(&json!({"limits": limits(13_000)})));
    assert_eq!(engine.decide_json(&Call::new("t", "{}")).code(), Code::InvalidArgs);
}

/// Looking among many members of a value takes longer than among few, which a call that looks often pays for.
#[test]
fn look_ups_among_many_members_take_steps() {
    let members = |count: usize| -> Value {
        Value::Object((0..count).map(|number| (format!("k{number}"), Value::from(1))).collect())
    };
    let tests = |count| deny_if(count, "args.absent", "eq", Value::from(7));
    for (what, count, args, expected) in [
        ("often among few", 60_000, members(4_096), Code::Allowed),
        ("often among many", 60_000, members(4_097), Code::InvalidArgs),
        ("seldom among many", 24_000, members(4_097), Code::Allowed),
    ] {
        assert_eq!(of_value(&tests(count), &args), expected, "{what}");
    }
}

/// Clause 5.30: an operand that the call brings is copied, sorted and compared, and each takes steps.
#[test]
fn an_operand_from_the_call_takes_steps() {
    let entry = |op: &str| json!({"require": [{"path": "args.v", "op": op, "value_from": "args.a"}]});
    let with = |v: &str, element: &str, count: usize| {
        format!("{{\"v\":{v},\"a\":[{}]}}", vec![element; count].join(","))
    };
    for (what, op, args, expected) in [
        ("many words", "in", with("\"x\"", "\"x\"", 90_000), Code::Allowed),
        ("too many words", "in", with("\"x\"", "\"x\"", 105_000), Code::InvalidArgs),
        ("many numbers", "in", with("7", "7", 30_000), Code::Allowed),
        ("too many numbers", "in", with("7", "7", 60_000), Code::InvalidArgs),
        (
            "a long text",
            "eq",
            format!("{{\"v\":1,\"a\":\"{}\"}}", "x".repeat(4_000_000)),
            Code::ConditionFailed,
        ),
        ("long numbers", "in", with("7", &"7".repeat(2_000), 1_000), Code::InvalidArgs),
        ("a long number", "lt", format!("{{\"v\":1,\"a\":{}}}", "7".repeat(300_000)), Code::InvalidArgs),
        (
            "a list for each element",
            "subset_of",
            with(&format!("[{}]", ["\"x\""; 100_000].join(",")), "\"x\"", 50_000),
            Code::Allowed,
        ),
    ] {
        assert_eq!(of_text(&entry(op), &args), expected, "{what}");
    }
}

/// A literal of the operand is read for each value that is compared with it, however short that is.
#[test]
fn a_long_number_of_an_operand_takes_steps_for_each_value() {
    let long = format!("1.{}1", "0".repeat(100_000));
    for (op, operand) in [("in", format!("[{long}]")), ("eq", long.clone()), ("lt", long.clone())] {
        let entry = json!({"require": [{"path": "args.v[*]", "op": op, "value_from": "args.a"}]});
        let with = |count: usize| format!("{{\"v\":[{}],\"a\":{operand}}}", vec!["1"; count].join(","));
        let few = if op == "lt" { Code::Allowed } else { Code::ConditionFailed };
        assert_eq!(of_text(&entry, &with(20)), few, "{op}");
        let many = if op == "lt" { Code::InvalidArgs } else { Code::ConditionFailed };
        assert_eq!(of_text(&entry, &with(20_000)), many, "{op}: the first that fails ends it");
        let spared = json!({"deny_if": [{"path": "args.v[*]", "op": op, "value_from": "args.a"}]});
        let denied = if op == "lt" { Code::Denied } else { Code::InvalidArgs };
        assert_eq!(of_text(&spared, &with(20_000)), denied, "{op}");
    }
    // One that is long may meet every other where they are put in order.
    let entry = json!({"require": [{"path": "args.v", "op": "in", "value_from": "args.a"}]});
    let args = |count: usize| format!("{{\"v\":1,\"a\":[{},{long}]}}", vec!["1"; count].join(","));
    assert_eq!(of_text(&entry, &args(10)), Code::Allowed);
    assert_eq!(of_text(&entry, &args(10_000)), Code::InvalidArgs);
}
