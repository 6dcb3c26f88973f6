//! Shapes of views, wildcards, operands from the call, closed arguments and limits for some calls.

use std::rc::Rc;

use callgate::ceilings::ARGUMENT_BYTES;
use callgate_reference::json::quoted;

use super::{Shape, filled, shape, test};

/// An object of many short names, in order or not.
fn names(count: usize, backwards: bool) -> String {
    let member = |number: usize| format!("\"{number:x}\":1");
    let members: Vec<String> =
        if backwards { (0..count).rev().map(member).collect() } else { (0..count).map(member).collect() };
    format!("{{\"a\":{{{}}}}}", members.join(","))
}

/// Conditions, of which one has to hold, until all are tried.
fn any(conditions: &[String]) -> String {
    format!("{{\"deny_if\":[{{\"any\":[{}]}}]}}", conditions.join(","))
}

fn condition(path: &str, op: &str, operand: &str) -> String {
    format!("{{\"path\":\"{path}\",\"op\":\"{op}\",{operand}}}")
}

/// A text of the arguments that is itself JSON.
fn text(json: &str) -> String {
    let mut json = json.to_owned();
    while quoted(&json).len() + 6 > ARGUMENT_BYTES {
        json.truncate(json.len() / 2);
    }
    format!("{{\"a\":{}}}", quoted(&json))
}

fn large() -> Vec<(&'static str, Rc<str>)> {
    let objects = filled("[", "{\"xa\":[\"ya\",5,null]},", "1]", 60_000);
    vec![
        ("a long text", filled("{\"a\":\"", "X", "\"}", usize::MAX)),
        ("a long text of letters of two bytes", filled("{\"a\":\"", "\u{c9}", "\"}", usize::MAX)),
        ("a long text of escapes", filled("{\"a\":\"", "\\u0130", "\"}", usize::MAX)),
        ("many short texts", filled("{\"a\":[", "\"Member x\",", "\"\"]}", usize::MAX)),
        ("many empty texts", filled("{\"a\":[", "\"\",", "\"\"]}", usize::MAX)),
        ("many numbers", filled("{\"a\":[", "1,", "1]}", usize::MAX)),
        ("many fractions", filled("{\"a\":[", "0.000001,", "1]}", usize::MAX)),
        ("many objects", filled("{\"a\":[", "{\"x\":1,\"y\":[\"z\"]},", "1]}", usize::MAX)),
        ("400,000 members", names(400_000, false)),
        ("400,000 members from the last to the first", names(400_000, true)),
        ("30,000 members from the last to the first", names(30_000, true)),
        (
            "lists in lists",
            format!("{{\"a\":[{}1]}}", format!("{}{},", "[".repeat(120), "]".repeat(120)).repeat(15_000)),
        ),
        ("a text of numbers", text(&filled("[", "1,", "1]", usize::MAX / 2))),
        ("a text of 400,000 numbers", text(&filled("[", "1,", "1]", 400_000))),
        ("a text of objects", text(&objects)),
        ("a text of members", {
            let members: Vec<String> = (0..200_000).map(|number| format!("\"{number:x}\":1")).collect();
            text(&format!("{{{}}}", members.join(",")))
        }),
        ("many texts of lists", filled("{\"a\":[", "\"[[],[1]]\",", "1]}", usize::MAX)),
    ]
    .into_iter()
    .map(|(what, args)| (what, args.into()))
    .collect()
}

/// Everything that goes further than a plain path, on what is worst for it.
pub(super) fn shapes() -> Vec<Shape> {
    let tests = [
        ("args.**", "contains", "\"value\":\"y\""),
        ("args.**", "regex", "\"value\":\"(a|b|x)*c\""),
        ("args.**.@lower", "eq", "\"value\":\"y\""),
        ("args.**.@text", "ends_with", "\"value\":\"y\""),
        ("args.a.*", "eq", "\"value\":7"),
        ("args.*[*]", "eq", "\"value\":7"),
        ("args.a.@keys", "contains", "\"value\":\"y\""),
        ("args.a.@keys", "eq", "\"value\":[\"y\"]"),
        ("args.a.@keys[*]", "eq", "\"value\":\"y\""),
        ("args.a.@keys[*].@lower", "eq", "\"value\":\"y\""),
        ("args.a.@keys[300000]", "eq", "\"value\":\"y\""),
        ("args.a.@keys.@count", "eq", "\"value\":7"),
        ("args.a.@count", "eq", "\"value\":7"),
        ("args.a.@length", "eq", "\"value\":7"),
        ("args.a.@lower", "eq", "\"value\":\"y\""),
        ("args.a.@lower.@length", "eq", "\"value\":7"),
        ("args.a[*].@lower", "eq", "\"value\":\"y\""),
        ("args.a[*].@length", "eq", "\"value\":7"),
        ("args.a[*].@json[*]", "eq", "\"value\":7"),
        ("args.a.@json", "eq", "\"value\":[7]"),
        ("args.a.@json[*]", "eq", "\"value\":7"),
        ("args.a.@json.**", "contains", "\"value\":\"z\""),
        ("args.a.@json.@keys", "includes", "\"value\":\"y\""),
        ("args.a.@json.zzz", "eq", "\"value\":7"),
        ("args.a", "type", "\"value\":\"boolean\""),
        ("args.a", "includes", "\"value\":[{\"x\":1}]"),
        ("args.a", "eq", "\"value_from\":\"args.a\""),
        ("args.a", "in", "\"value_from\":\"args.a\""),
        ("args.a", "subset_of", "\"value_from\":\"args.a\""),
        ("args.a[*]", "in", "\"value_from\":\"args.a\""),
        ("args.a[*]", "lt", "\"value_from\":\"args.a[0]\""),
        ("args.a", "includes", "\"value_from\":\"args.a\""),
        ("args.a.@keys", "subset_of", "\"value_from\":\"args.a.@keys\""),
        ("args.a.@json", "subset_of", "\"value_from\":\"args.a.@json\""),
        ("args.**", "not_in", "\"value_from\":\"args.a\""),
    ];
    let mut all = Vec::new();
    for (what, args) in large() {
        for (path, op, operand) in tests {
            let name = format!("{path} {op} {operand}: {what}");
            let one = condition(path, op, operand);
            all.push(shape(&name, any(std::slice::from_ref(&one)), Rc::clone(&args)));
            all.push(shape(format!("20 times {name}"), any(&vec![one; 20]), Rc::clone(&args)));
            if !op.starts_with("not") {
                let permits = format!("{{\"require\":[{{\"not\":{}}}]}}", condition(path, op, operand));
                all.push(shape(format!("not {name}"), permits, Rc::clone(&args)));
            }
        }
        let list = "\"only_args\":[\"a\",\"b\"]";
        all.push(shape(format!("only_args: {what}"), format!("{{{list}}}"), Rc::clone(&args)));
        for path in ["args.a.@length", "args.a.@count", "args.a.@json[*]", "args.a.*"] {
            let limit = format!(
                "{{\"limits\":[{{\"counter\":\"c\",\"window\":\"hour\",\"max\":5,\"increment_from\":\"{path}\"}}]}}"
            );
            all.push(shape(format!("increment_from {path}: {what}"), limit, Rc::clone(&args)));
        }
        for path in ["args.a.@lower", "args.a.@json", "args.a.@json.x"] {
            let limit = format!(
                "{{\"limits\":[{{\"counter\":\"c\",\"window\":\"hour\",\"max\":5,\"scope\":[\"{path}\"]}}]}}"
            );
            all.push(shape(format!("scope {path}: {what}"), limit, Rc::clone(&args)));
        }
        for count in [100, 10_000] {
            for path in ["args.a", "args.a.@count", "args.**"] {
                let operand = if path == "args.a.@count" { "7" } else { "\"y\"" };
                let limit = |number| {
                    format!(
                        "{{\"counter\":\"c{number}\",\"window\":\"hour\",\"max\":5,\"when\":[{{\"path\":\"{path}\",\"op\":\"eq\",\"value\":{operand}}}]}}"
                    )
                };
                let limits: Vec<String> = (0..count).map(limit).collect();
                let name = format!("{count} times when {path}: {what}");
                all.push(shape(name, format!("{{\"limits\":[{}]}}", limits.join(",")), Rc::clone(&args)));
            }
        }
        // Members that fold are looked for along each path, in the text, too.
        for path in ["args.a.@json", "args.a[*].@json", "args.a.*", "args.a"] {
            let conditions: Vec<String> =
                (0..100).map(|number| condition(&format!("{path}.x{number}"), "eq", "\"value\":7")).collect();
            let mut checked =
                shape(format!("folding at 100 names of {path}: {what}"), any(&conditions), Rc::clone(&args));
            checked.folding = true;
            all.push(checked);
        }
    }
    let list =
        format!("[{}]", (0..100_000).map(|number| format!("\"{number:x}\"")).collect::<Vec<_>>().join(","));
    all.push(shape(
        "args.a subset_of 100,000 names",
        test("deny_if", "args.a.@keys", "subset_of", &list),
        names(100_000, true),
    ));
    all.push(shape("only_args of 100,000 names", format!("{{\"only_args\":{list}}}"), names(100_000, true)));
    all
}
