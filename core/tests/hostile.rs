//! Hostile input: bounded time, memory and stack, and always an answer. Everything runs on a thread with a small stack.

#![expect(
    unsafe_code,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    reason = "the allocator counts; a test fails by panicking, and computes"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use callgate::{Call, Code, Evaluation, Format, Policy};

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// Knows the most memory that was ever live at once.
struct Measuring;

// SAFETY: hands every request to the system's allocator unchanged.
unsafe impl GlobalAlloc for Measuring {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(live, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Measuring = Measuring;

const STACK: usize = 512 << 10;

fn on_a_small_stack(run: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(STACK).spawn(run).unwrap().join().unwrap();
}

/// Memory of the whole process is measured, so this test stays alone in its file.
#[test]
fn hostile_texts_and_arguments_are_bounded() {
    on_a_small_stack(|| {
        let bomb = {
            let mut text = String::from("x-0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
            for level in 1..12 {
                let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
                text.push_str(&format!("x-{level}: &a{level} [{aliases}]\n"));
            }
            text
        };
        let many = |unit: &str, count: usize| unit.repeat(count);
        let megabytes = 8 << 20;
        let texts: Vec<(&str, String, &str)> = vec![
            ("alias bomb", bomb, "alias_bomb"),
            ("nested flow lists", many("[", 100_000), "too_deep"),
            ("nested flow mappings", many("{a: ", 100_000), "too_deep"),
            ("nested block lists", many("- ", 100_000), "too_deep"),
            ("nested JSON", format!("{{\"a\":{}", many("[", 100_000)), "too_deep"),
            ("an unclosed string", format!("description: \"{}", many("x", megabytes)), "syntax"),
            ("a huge word", many("x", megabytes), "wrong_type"),
            ("many unknown fields", (0..200_000).map(|n| format!("f{n}: 1\n")).collect(), "unknown_field"),
            ("many documents", many("---\n", megabytes / 4), "syntax"),
            ("NULs", many("\0", megabytes), "syntax"),
            ("too large", many(" ", 33 << 20), "too_large"),
            ("a huge regex", regex_policy(&many("a", megabytes)), "invalid_regex"),
            (
                "a huge regex program",
                regex_policy(&format!("{}x{}", many("(", 40), many("{50})", 40))),
                "invalid_regex",
            ),
            (
                "a nested regex",
                regex_policy(&format!("{}x{}", many("(", 5_000), many(")", 5_000))),
                "invalid_regex",
            ),
            ("a huge glob", format!("tools: {{'{}*': {{}}}}", many("{a,b}", 200)), "invalid_glob"),
        ];
        for (name, text, code) in &texts {
            let before = LIVE.load(Ordering::Relaxed);
            PEAK.store(before, Ordering::Relaxed);
            let error = Policy::from_text(text, Format::Detect).expect_err(name);
            let codes: Vec<&str> = error.diagnostics().iter().map(|found| found.code()).collect();
            assert!(codes.contains(code), "{name}: {:?}", &codes[..codes.len().min(5)]);
            assert!(error.to_string().len() < 1 << 20, "{name}: the message is too long");
            let peak = PEAK.load(Ordering::Relaxed) - before;
            let bound = 20 * text.len() + (64 << 20);
            assert!(peak < bound, "{name}: {peak} bytes for a text of {}", text.len());
        }

        let policy = Policy::from_yaml(
            "{version: '1', default: deny, tools: {t: {deny_if: [{path: 'args.items[*].x', op: eq, value: 1}, {path: args.text, op: regex, value: '(a|b)*c$'}]}}}",
        )
        .unwrap();
        let arguments: Vec<(&str, String, Code)> = vec![
            ("nested lists", many("[", 100_000), Code::InvalidArgs),
            ("nested objects", many("{\"a\":", 100_000), Code::InvalidArgs),
            (
                "nested in an object",
                format!("{{\"a\":{}{}}}", many("[", 100_000), many("]", 100_000)),
                Code::InvalidArgs,
            ),
            ("too long", format!("{{\"a\":\"{}\"}}", many("x", megabytes)), Code::InvalidArgs),
            ("a long number", format!("{{\"items\":[{{\"x\":{}}}]}}", many("9", 1 << 20)), Code::Allowed),
            ("a long exponent", format!("{{\"items\":[{{\"x\":1e{}}}]}}", many("9", 1 << 20)), Code::Denied),
            (
                "many keys",
                format!("{{{}\"z\":1}}", (0..200_000).map(|n| format!("\"k{n}\":1,")).collect::<String>()),
                Code::Allowed,
            ),
            ("many elements", format!("{{\"items\":[{}{{}}]}}", many("{},", 1_000_000)), Code::InvalidArgs),
            (
                "a long text for a regex",
                format!("{{\"text\":\"{}\"}}", many("ab", 1 << 20)),
                Code::InvalidArgs,
            ),
            ("escapes", format!("{{\"text\":\"{}\"}}", many("\\u0061", 1_000)), Code::Allowed),
            ("quotes", many("\"", 1 << 20), Code::InvalidArgs),
            ("nothing", String::new(), Code::InvalidArgs),
        ];
        for (name, text, code) in &arguments {
            let before = LIVE.load(Ordering::Relaxed);
            PEAK.store(before, Ordering::Relaxed);
            let Evaluation::Decided(decision) = policy.evaluate_json(&Call::new("t", text.as_str())) else {
                panic!("{name}: pending")
            };
            assert_eq!(decision.code(), *code, "{name}: {:?}", decision.message());
            assert!(decision.to_json().len() < 4_096, "{name}");
            let peak = PEAK.load(Ordering::Relaxed) - before;
            assert!(peak < 20 * text.len() + (1 << 20), "{name}: {peak} bytes for {}", text.len());
        }
    });
}

fn regex_policy(pattern: &str) -> String {
    format!("tools: {{t: {{deny_if: [{{path: args.x, op: regex, value: '{pattern}'}}]}}}}")
}

/// Reading a number or a text with escapes takes time by its length, and tests that name it read it again each time.
#[test]
fn reading_a_long_value_again_and_again_takes_steps() {
    let number = format!("{{\"a\":{}}}", "7".repeat(4_000_000));
    let escaped = format!("{{\"a\":\"{}\"}}", "\\u0061".repeat(600_000));
    let plain = format!("{{\"a\":\"{}\"}}", "a".repeat(4_000_000));
    let neq = |count: usize, operand: &str| {
        let tests = vec![format!("{{path: args.a, op: neq, value: {operand}}}"); count].join(", ");
        format!("{{version: '1', default: deny, tools: {{t: {{require: [{tests}]}}}}}}")
    };
    let index = format!(
        "{{version: '1', default: deny, tools: {{t: {{deny_if: [{{any: [{}]}}]}}}}}}",
        ["{path: 'args.a[0]', op: eq, value: 1}"; 8].join(", ")
    );
    for (policy, args, code) in [
        (neq(1, "7"), &number, Code::Allowed),
        (neq(8, "7"), &number, Code::InvalidArgs),
        (neq(8, "x"), &escaped, Code::InvalidArgs),
        (neq(1, "x"), &plain, Code::Allowed),
        (neq(8, "x"), &plain, Code::InvalidArgs),
        (index, &number, Code::InvalidArgs),
    ] {
        let policy = Policy::from_yaml(&policy).unwrap();
        let Evaluation::Decided(decision) = policy.evaluate_json(&Call::new("t", args.as_str())) else {
            panic!("pending under {policy:?}")
        };
        assert_eq!(decision.code(), code, "{:?}", decision.message());
    }
}
