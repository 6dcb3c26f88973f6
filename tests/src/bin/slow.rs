//! Looks for calls that take long although every ceiling is kept: `slow [--least MILLISECONDS]`. Prints the processor time
//! of each shape, the worst first; exit code 1 if one takes more than 10 ms and 10 ms for each MiB of its arguments.

use std::fs;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::rc::Rc;

use callgate::ceilings::ARGUMENT_BYTES;
use callgate::{Call, Engine};

/// Milliseconds that a call may take, and that it may take more for each MiB of its arguments.
const ALLOWED: f64 = 10.0;
/// Times that each is measured; the least counts.
const TIMES: usize = 5;

/// A policy for the tool `t`, and arguments.
struct Shape {
    name: String,
    entry: String,
    /// Shared: hundreds of shapes have the same four MiB.
    args: Rc<str>,
}

fn shape(name: impl Into<String>, entry: impl Into<String>, args: impl Into<Rc<str>>) -> Shape {
    Shape { name: name.into(), entry: entry.into(), args: args.into() }
}

/// `unit` as often as it fits into the ceiling of arguments, or `most` times.
fn filled(before: &str, unit: &str, after: &str, most: usize) -> String {
    let room = ARGUMENT_BYTES.saturating_sub(before.len() + after.len()) / unit.len();
    format!("{before}{}{after}", unit.repeat(room.min(most)))
}

fn test(place: &str, path: &str, op: &str, value: &str) -> String {
    format!("{{\"{place}\":[{{\"path\":\"{path}\",\"op\":\"{op}\",\"value\":{value}}}]}}")
}

/// Every operator on every kind of large argument, and what is worst about each part of a decision.
fn shapes() -> Vec<Shape> {
    let members = |count: usize| {
        let members: Vec<String> = (0..count).map(|number| format!("\"member {number}\"")).collect();
        format!("[{}]", members.join(","))
    };
    let large: Vec<(&str, String)> = vec![
        ("a long text", filled("{\"a\":\"", "x", "\"}", usize::MAX)),
        ("a long text of escapes", filled("{\"a\":\"", "\\u0078", "\"}", usize::MAX)),
        ("a long path", filled("{\"a\":\"/srv", "/x/..", "\"}", usize::MAX)),
        ("a long number", filled("{\"a\":", "7", "}", usize::MAX)),
        ("a long fraction", filled("{\"a\":0.", "7", "}", usize::MAX)),
        ("many short texts", filled("{\"a\":[", "\"member x\",", "\"\"]}", usize::MAX)),
        (
            "a few long texts",
            filled("{\"a\":[", &format!("\"{}\",", "y".repeat(4_000)), "\"\"]}", usize::MAX),
        ),
        ("many numbers", filled("{\"a\":[", "1,", "1]}", usize::MAX)),
        ("many fractions", filled("{\"a\":[", "0.000001,", "1]}", usize::MAX)),
        ("many numbers, fewer than the steps", filled("{\"a\":[", "5,", "1]}", 900_000)),
        ("many objects", filled("{\"a\":[", "{\"x\":1,\"y\":[1]},", "1]}", usize::MAX)),
        ("deep lists", format!("{{\"a\":{}{}}}", "[".repeat(126), "]".repeat(126))),
        ("many keys", {
            let keys: Vec<String> = (0..300_000).map(|number| format!("\"k{number}\":1")).collect();
            format!("{{\"a\":1,{}}}", keys.join(","))
        }),
    ];
    let tests = [
        ("eq", "\"x\"".to_owned()),
        ("neq", "5".to_owned()),
        ("in", members(10_000)),
        ("not_in", members(10_000)),
        ("lt", "5".to_owned()),
        ("regex", "\"^x*$\"".to_owned()),
        ("regex", "\"(a|b|x)*c\"".to_owned()),
        ("regex", "\"(x+x+)+y\"".to_owned()),
        ("regex", "\"(.{1,50}){1,20}z\"".to_owned()),
        ("not_regex", "\"(?i)[a-z0-9]{1,60}!\"".to_owned()),
        ("contains", "\"xxxxxxxxxxxxxxxxy\"".to_owned()),
        ("not_contains", "[{\"x\":1}]".to_owned()),
        ("starts_with", format!("\"{}\"", "x".repeat(1_000_000))),
        ("ends_with", format!("\"{}\"", "x".repeat(1_000_000))),
        ("subset_of", members(1_000)),
        ("within", "\"/srv/data\"".to_owned()),
    ];
    let mut all = Vec::new();
    let large: Vec<(&str, Rc<str>)> = large.into_iter().map(|(what, args)| (what, args.into())).collect();
    for (what, args) in &large {
        for (op, value) in &tests {
            for path in ["args.a", "args.a[*]", "args.a[*].x"] {
                let shown: String = value.chars().take(20).collect();
                all.push(shape(
                    format!("{path} {op} {shown}: {what}"),
                    test("deny_if", path, op, value),
                    Rc::clone(args),
                ));
            }
        }
        all.push(shape(
            format!("approval: {what}"),
            "{\"rules\":[{\"action\":\"require_approval\"}]}",
            Rc::clone(args),
        ));
        for path in ["args.a", "args.a[*]"] {
            let limit = format!(
                "{{\"limits\":[{{\"counter\":\"c\",\"window\":\"hour\",\"max\":5,\"increment_from\":\"{path}\"}}]}}"
            );
            all.push(shape(format!("increment_from {path}: {what}"), limit, Rc::clone(args)));
        }
        let scope = "{\"limits\":[{\"counter\":\"c\",\"window\":\"hour\",\"max\":5,\"scope\":[\"args.a\"]}]}";
        all.push(shape(format!("scope: {what}"), scope, Rc::clone(args)));
    }
    let rules =
        vec!["{\"conditions\":[{\"path\":\"args.a\",\"op\":\"neq\",\"value\":7}]}"; 100_000].join(",");
    all.push(shape("100,000 rules", format!("{{\"rules\":[{rules}]}}"), "{\"a\":1}"));
    all.push(shape(
        "100,000 rules: a long number",
        format!("{{\"rules\":[{rules}]}}"),
        Rc::clone(&large[3].1),
    ));
    let counters: Vec<String> = (0..10_000)
        .map(|number| {
            format!("{{\"counter\":\"c{number}\",\"window\":\"hour\",\"max\":5,\"algorithm\":\"sliding\"}}")
        })
        .collect();
    all.push(shape("10,000 counters", format!("{{\"limits\":[{}]}}", counters.join(",")), "{}"));
    all
}

/// Nanoseconds that this thread has run.
fn processor_time() -> u64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux counts a thread's time");
    stat.split(' ').next().and_then(|time| time.parse().ok()).expect("the first field is a time")
}

/// Milliseconds of processor time that the call takes.
fn measure(shape: &Shape) -> f64 {
    let text = format!("{{\"version\":\"1\",\"default\":\"deny\",\"tools\":{{\"t\":{}}}}}", shape.entry);
    let policy = text.parse().unwrap_or_else(|error| panic!("{}: {error}", shape.name));
    let engine = Engine::new(policy);
    let call = Call::new("t", &*shape.args);
    let once = || {
        let before = processor_time();
        let decision = engine.decide_json(&call);
        let after = processor_time();
        drop(decision);
        after - before
    };
    let least = (0..TIMES).map(|_| once()).min().unwrap_or_default();
    least as f64 / 1e6
}

fn main() -> ExitCode {
    let least = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => 5.0,
        [name, value] if name == "--least" => value.parse().expect("a number of milliseconds"),
        _ => {
            eprintln!("usage: slow [--least MILLISECONDS]");
            return ExitCode::from(2);
        }
    };
    let shapes = shapes();
    let mut measured: Vec<(f64, &Shape)> = Vec::new();
    for (number, shape) in shapes.iter().enumerate() {
        if io::stderr().is_terminal() {
            eprint!("\r{number} of {}  ", shapes.len());
        }
        measured.push((measure(shape), shape));
    }
    measured.sort_by(|one, other| other.0.total_cmp(&one.0));
    let mut found = false;
    for (time, shape) in &measured {
        let size = shape.args.len() as f64 / f64::from(1 << 20);
        let is_over = *time > ALLOWED * (1.0 + size);
        found |= is_over;
        if is_over || *time >= least {
            println!(
                "{time:8.2} ms  {size:5.2} MiB  {}{}",
                if is_over { "TOO SLOW  " } else { "" },
                shape.name
            );
        }
    }
    println!("{} shapes", measured.len());
    if found { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
