//! Looks for calls that take long although every ceiling is kept, and for wrong policies that take long to be refused:
//! `slow [--least MILLISECONDS] [--only WORDS]`. Prints the processor time of each shape, the worst first; exit code 1 if one takes more
//! than 10 ms, or as raw text 10 ms more for each MiB of it, or as a policy 100 ms for each MiB.

mod reach;

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::rc::Rc;

use callgate::ceilings::ARGUMENT_BYTES;
use callgate::{ArgsCheck, Call, Engine, Policy};
use callgate_tests::wrong;
use serde_json::Value;

/// Milliseconds that a call may take, and that reading raw text may take for each MiB of it.
const ALLOWED: f64 = 10.0;
/// Milliseconds that refusing a policy may take for each MiB of it, and at least; loading one takes twice that.
const ALLOWED_FOR_A_POLICY: f64 = 100.0;
/// Milliseconds that finding the globs which match a name may take.
const ALLOWED_FOR_A_NAME: f64 = 1.0;
/// Times that one is measured while it seems too slow; the least counts, since noise only adds.
const TIMES: usize = 32;

/// A policy for the tool `t`, and arguments.
struct Shape {
    name: String,
    entry: String,
    /// Shared: hundreds of shapes have the same four MiB.
    args: Rc<str>,
    /// Whether members that fold are looked for.
    folding: bool,
}

fn shape(name: impl Into<String>, entry: impl Into<String>, args: impl Into<Rc<str>>) -> Shape {
    Shape { name: name.into(), entry: entry.into(), args: args.into(), folding: false }
}

/// `unit` as often as it fits into the ceiling of arguments, or `most` times.
fn filled(before: &str, unit: &str, after: &str, most: usize) -> String {
    let room = ARGUMENT_BYTES.saturating_sub(before.len() + after.len()) / unit.len();
    format!("{before}{}{after}", unit.repeat(room.min(most)))
}

/// A list of objects of `keys` members, whose keys differ in the `digits` before their last eight letters of `length` and more.
fn escaped_keys(keys: usize, length: usize, digits: usize) -> String {
    let (head, tail) = ("a".repeat(length), "a".repeat(if length > 1 { 8 } else { 0 }));
    let key = |number: usize| format!("\"{head}\\u0061{number:0digits$}{tail}\":1");
    let most = ARGUMENT_BYTES / (key(0).len() + 1) - 8;
    let members: Vec<String> = (0..keys.min(most)).map(key).collect();
    filled("{\"a\":[", &format!("{{{}}},", members.join(",")), "0]}", usize::MAX)
}

fn test(place: &str, path: &str, op: &str, value: &str) -> String {
    format!("{{\"{place}\":[{{\"path\":\"{path}\",\"op\":\"{op}\",\"value\":{value}}}]}}")
}

fn keys(numbers: &mut dyn Iterator<Item = u32>) -> String {
    let keys: Vec<String> = numbers.map(|number| format!("\"k{number}\":1")).collect();
    format!("{{\"a\":1,{}}}", keys.join(","))
}

/// Every operator on every kind of large argument, and what is worst about each part of a decision.
fn shapes() -> Vec<Shape> {
    let members = |count: usize| {
        let members: Vec<String> = (0..count).map(|number| format!("\"member {number}\"")).collect();
        format!("[{}]", members.join(","))
    };
    let numbers = |count: usize| {
        let numbers: Vec<String> = (0..count).map(|number| format!("{number}.5")).collect();
        format!("[{}]", numbers.join(","))
    };
    let large: Vec<(&str, String)> = vec![
        ("a long text", filled("{\"a\":\"", "x", "\"}", usize::MAX)),
        ("objects of 32 escaped keys alike", escaped_keys(32, 120, 4)),
        ("objects of 8 long escaped keys alike", escaped_keys(8, 400, 4)),
        ("objects of 33 escaped keys alike", escaped_keys(33, 120, 4)),
        ("objects of two escaped keys", escaped_keys(2, 1, 1)),
        ("objects of 40 short escaped keys", escaped_keys(40, 1, 2)),
        ("one object of escaped keys that begin and end alike", escaped_keys(usize::MAX, 16, 6)),
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
        ("many long floats", filled("{\"a\":[", "0.12345678901234567,", "1]}", usize::MAX)),
        ("many large numbers", filled("{\"a\":[", "1234567890123456789,", "1]}", usize::MAX)),
        ("many lines", filled("{\"a\":\"", "\\n", "\"}", usize::MAX)),
        ("many control characters", filled("{\"a\":\"", "\\u0001", "\"}", usize::MAX)),
        ("many numbers, fewer than the steps", filled("{\"a\":[", "5,", "1]}", 900_000)),
        ("many objects", filled("{\"a\":[", "{\"x\":1,\"y\":[1]},", "1]}", usize::MAX)),
        // Text that is JSON, or is not but at its end.
        ("a text of a list of numbers", filled("{\"a\":\"[", "1,", "1]\"}", usize::MAX)),
        ("a text of lists", filled("{\"a\":\"[", "[],", "1] x\"}", usize::MAX)),
        ("a text of a list of texts", filled("{\"a\":\"[", "\\\"\\\",", "1] x\"}", usize::MAX)),
        ("a text of white space", filled("{\"a\":\"", " ", "null\"}", usize::MAX)),
        ("deep lists", format!("{{\"a\":{}{}}}", "[".repeat(126), "]".repeat(126))),
        ("objects in objects", {
            let around = "{\"x\":1,\"b\":[],\"a\":".repeat(126);
            format!("{around}[{}1]{}", "[[]],".repeat(800_000), "}".repeat(126))
        }),
        ("many keys", keys(&mut (0..300_000))),
        ("many keys from the last to the first", keys(&mut (0..300_000).rev())),
        ("keys, as many as the steps put in order", keys(&mut (0..50_000).rev())),
    ];
    let tests = [
        ("eq", "\"x\"".to_owned()),
        ("neq", "5".to_owned()),
        ("in", members(10_000)),
        ("not_in", members(10_000)),
        ("in", numbers(10_000)),
        ("in", members(300_000)),
        ("in", format!("[{}[8]]", "[1,2],".repeat(10_000))),
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
    // Everything again and again, by a policy that has nothing better to do.
    for (what, path) in [
        ("a value", "args.a"),
        ("an element", "args.a[300000]"),
        ("a member that is not there", "args.zzz"),
        ("a member of a member", "args.a.a.a"),
    ] {
        let test = format!("{{\"path\":\"{path}\",\"op\":\"eq\",\"value\":7}}");
        let entry = format!("{{\"deny_if\":[{{\"any\":[{}]}}]}}", vec![test; 100_000].join(","));
        all.push(shape(format!("100,000 tests, {what}"), entry.clone(), "{\"a\":1}"));
        for (large, args) in &large {
            all.push(shape(format!("100,000 tests, {what}: {large}"), entry.clone(), Rc::clone(args)));
        }
    }
    // The same text by one condition after the other, until the steps are all taken.
    for (unit, bytes) in [
        ("1,", 4_000_000),
        ("[],", 300_000),
        ("{\\\"a\\\":1},", 300_000),
        ("\\\"\\\",", 300_000),
        (" ", 1_000_000),
        ("-1.5e+1,", 1_000_000),
        ("\\\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\\\",", 1_000_000),
    ] {
        for (op, value) in [("eq", "\"x\""), ("exists", "false"), ("starts_with", "\"x\"")] {
            let test = format!("{{\"path\":\"args.a\",\"op\":\"{op}\",\"value\":{value}}}");
            let entry = format!("{{\"deny_if\":[{{\"any\":[{}]}}]}}", vec![test; 100].join(","));
            let args = format!("{{\"a\":\" [{}1] x\"}}", unit.repeat(bytes / unit.len()));
            all.push(shape(format!("100 tests {op}, a text of {unit}"), entry, args));
        }
    }
    let members = |first: u32| {
        let members: Vec<String> = (first..first + 50_000).map(|number| format!("\"k{number}\":1")).collect();
        format!("{{{}}}", members.join(","))
    };
    all.push(shape(
        "an object of 50,000 members",
        test("deny_if", "args.a", "eq", &members(0)),
        format!("{{\"a\":{}}}", members(0)),
    ));
    for count in [10_000, 100_000] {
        let counter = |number| {
            format!("{{\"counter\":\"c{number}\",\"window\":\"hour\",\"max\":5,\"algorithm\":\"sliding\"}}")
        };
        let counters: Vec<String> = (0..count).map(counter).collect();
        all.push(shape(
            format!("{count} counters"),
            format!("{{\"limits\":[{}]}}", counters.join(",")),
            "{}",
        ));
    }
    all
}

/// Nanoseconds that this thread has run.
#[cfg(unix)]
fn processor_time() -> u64 {
    use nix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("there is a clock for each thread");
    u64::try_from(time.tv_sec() * 1_000_000_000 + time.tv_nsec()).expect("a thread's time is not negative")
}

#[cfg(not(unix))]
fn processor_time() -> u64 {
    panic!("a thread's processor time is read on Unix alone")
}

/// Milliseconds of processor time that the call takes; not measured again once it is within `bound`.
fn least_of(bound: f64, mut call: impl FnMut()) -> f64 {
    let mut least = f64::INFINITY;
    for _ in 0..TIMES {
        let before = processor_time();
        call();
        least = least.min((processor_time() - before) as f64 / 1e6);
        if least <= bound {
            break;
        }
    }
    least
}

/// What was measured of a shape.
struct Measured<'s> {
    time: f64,
    bound: f64,
    /// MiB of raw text; of a value that was built before, none.
    size: f64,
    code: &'static str,
    name: &'s str,
}

/// The call with raw text, and with a value.
fn measure(shape: &Shape) -> [Measured<'_>; 2] {
    let text = format!("{{\"version\":\"1\",\"default\":\"deny\",\"tools\":{{\"t\":{}}}}}", shape.entry);
    let policy = text.parse().unwrap_or_else(|error| panic!("{}: {error}", shape.name));
    let engine = Engine::new(policy);
    let mut code = "";

    let size = shape.args.len() as f64 / f64::from(1 << 20);
    let bound = ALLOWED * (1.0 + size);
    let check = ArgsCheck::new();
    let call = Call::new("t", &*shape.args);
    let call = if shape.folding { call.checked(&check) } else { call };
    let time = least_of(bound, || code = engine.decide_json(&call).code().as_str());
    let raw = Measured { time, bound, size, code, name: &shape.name };

    let value: Value = serde_json::from_str(&shape.args).unwrap_or_default();
    let call = Call::new("t", &value);
    let call = if shape.folding { call.checked(&check) } else { call };
    let time = least_of(ALLOWED, || code = engine.decide(&call).code().as_str());
    [raw, Measured { time, bound: ALLOWED, size: 0.0, code, name: &shape.name }]
}

/// Policies of many globs, each with a name that is compared with them.
fn glob_policies() -> Vec<(String, String, String)> {
    let policy = |globs: &mut dyn Iterator<Item = String>, names: &[String]| {
        let names = names.iter().map(|name| format!("\"{name}\":{{}}"));
        let entries: Vec<String> = globs.map(|glob| format!("\"{glob}\":{{}}")).chain(names).collect();
        format!("{{\"version\":\"1\",\"default\":\"deny\",\"tools\":{{{}}}}}", entries.join(","))
    };
    let long = |text: &str| text.repeat(1_024 / text.len());
    let braces = |number: usize| {
        let alternatives: Vec<String> = (0..200).map(|at| format!("{:x}", at * 7 + number)).collect();
        format!("*{{{}}}*", alternatives.join(","))
    };
    let nested = |number: usize| format!("{}{{aa,ab}}*{{{number},b}}", "{a,b}*".repeat(6));
    let exact: Vec<String> =
        (0..500).map(|number| format!("{number}{}", long("ab"))).map(|name| name[..1_000].into()).collect();
    vec![
        ("500 globs of 200 alternatives".into(), policy(&mut (0..500).map(braces), &[]), long("12a")),
        ("500 globs of nested alternatives".into(), policy(&mut (0..500).map(nested), &[]), long("ab")),
        ("500 such globs and 500 long names".into(), policy(&mut (0..500).map(nested), &exact), long("ab")),
        (
            "100,000 globs that begin alike".into(),
            policy(&mut (0..100_000).map(|number| format!("a*{number}*b")), &[]),
            long("a1"),
        ),
        (
            "20,000 globs without a text".into(),
            policy(
                &mut (0..20_000)
                    .map(|number| format!("*?{}{}", "?".repeat(number % 150), "*".repeat(number / 150 + 1))),
                &[],
            ),
            long("x"),
        ),
        (
            "20,000 globs that all match".into(),
            policy(
                &mut (0..20_000)
                    .map(|number| format!("{}{}", "*".repeat(number % 150 + 1), "?".repeat(number / 150))),
                &[],
            ),
            long("x"),
        ),
        (
            "100,000 globs with a text each".into(),
            policy(&mut (0..100_000).map(|number| format!("*area_{number}_*")), &[]),
            long("area_7_"),
        ),
        (
            "1,000 globs of one letter more each".into(),
            policy(&mut (1..1_000).map(|number| format!("*{}*", "a".repeat(number))), &[]),
            long("a"),
        ),
    ]
}

/// Loading such a policy, and looking up the name.
fn measure_globs<'s>((name, text, tool): &'s (String, String, String)) -> [Measured<'s>; 2] {
    let size = text.len() as f64 / f64::from(1 << 20);
    let bound = 2.0 * ALLOWED_FOR_A_POLICY * size.max(1.0);
    let mut loaded = None;
    let time = least_of(bound, || loaded = Policy::from_json(text).ok());
    let code = if loaded.is_some() { "loads" } else { "refused" };
    let compiled = Measured { time, bound, size, code, name };
    let mut code = "";
    let engine = loaded.map(Engine::new);
    let time = least_of(ALLOWED_FOR_A_NAME, || {
        code = engine.as_ref().map_or("", |engine| engine.decide(&Call::without_args(tool)).code().as_str());
    });
    [compiled, Measured { time, bound: ALLOWED_FOR_A_NAME, size: 0.0, code, name }]
}

/// Policies that are wrong everywhere, of a few entries' and of many entries' size.
fn wrong_policies() -> Vec<(String, String)> {
    let sized = |(what, entry): &(&str, &str), bytes: usize| {
        let count = bytes / (entry.len() + 16);
        (format!("{count} times {what}"), wrong::policy(entry, count))
    };
    wrong::ENTRIES.iter().flat_map(|entry| [256 << 10, 4 << 20].map(|bytes| sized(entry, bytes))).collect()
}

fn measure_wrong<'s>((name, text): &'s (String, String)) -> Measured<'s> {
    let size = text.len() as f64 / f64::from(1 << 20);
    let bound = ALLOWED_FOR_A_POLICY * size.max(1.0);
    let mut code = "";
    let time = least_of(bound, || code = if Policy::from_json(text).is_ok() { "loads" } else { "refused" });
    Measured { time, bound, size, code, name }
}

fn main() -> ExitCode {
    let mut least = 5.0;
    let mut only = String::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        match (name.as_str(), arguments.next()) {
            ("--least", Some(value)) => least = value.parse().expect("a number of milliseconds"),
            ("--only", Some(value)) => only = value,
            _ => {
                eprintln!("usage: slow [--least MILLISECONDS] [--only WORDS]");
                return ExitCode::from(2);
            }
        }
    }
    let shapes: Vec<Shape> =
        shapes().into_iter().chain(reach::shapes()).filter(|shape| shape.name.contains(&only)).collect();
    let mut measured = Vec::new();
    for (number, shape) in shapes.iter().enumerate() {
        if io::stderr().is_terminal() {
            eprint!("\r{number} of {}  ", shapes.len());
        }
        measured.extend(measure(shape));
    }
    let wrong: Vec<_> = wrong_policies().into_iter().filter(|(name, _)| name.contains(&only)).collect();
    measured.extend(wrong.iter().map(measure_wrong));
    let globs: Vec<_> = glob_policies().into_iter().filter(|(name, ..)| name.contains(&only)).collect();
    measured.extend(globs.iter().flat_map(measure_globs));
    measured.sort_by(|one, other| other.time.total_cmp(&one.time));
    let mut over = 0;
    for Measured { time, bound, size, code, name } in &measured {
        let is_over = time > bound;
        over += usize::from(is_over);
        if is_over || *time >= least {
            let note = if is_over { "TOO SLOW  " } else { "" };
            println!("{time:8.2} ms  {size:5.2} MiB  {code:16}  {note}{name}");
        }
    }
    println!(
        "{} calls and policies of {} shapes, {over} too slow",
        measured.len(),
        shapes.len() + wrong.len() + globs.len()
    );
    if over > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
