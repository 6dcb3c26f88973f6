//! Processes that share counters: together they pass exactly the limit (spec 8.1).
//!
//! The test starts its own program anew, once for each process, with the names of the test and of the counters. Each of
//! those runs the same test, finds the name of the counters in its environment, and charges instead of starting others.

use std::env;
use std::process::{Command, Stdio};

use callgate::store::{Counter, Window};

use crate::Subject;
use crate::ledger::*;
use crate::threads::storm;

/// How many processes share the counters.
pub const PROCESSES: usize = 8;
/// How many threads each of them has.
pub const THREADS: usize = 2;
const LIMIT: i64 = 1_000;
/// The name of the counters that a process has to charge.
const SHARED: &str = "CALLGATE_CONTRACT_SHARED";
/// Before the number of charges that passed in a process.
const PASSED: &str = "charges that passed: ";

/// Lets [`PROCESSES`] processes with [`THREADS`] threads each charge the same counters, up to a limit of 1,000 in a fixed and
/// in a sliding window. `test` is the full name of the calling test, as `cargo test -- --list` shows it.
///
/// # Panics
/// Where not exactly as many charges passed as the limit says.
pub fn check_processes(subject: &dyn Subject, test: &str) {
    if let Ok(name) = env::var(SHARED) {
        return charge_shared(subject, &name);
    }
    for kind in ["fixed", "sliding"] {
        let name = format!("{}-{kind}", fresh_name());
        let ledger = subject.open(&name);
        let program = env::current_exe().expect("a test knows its own program");
        let processes: Vec<_> = (0..PROCESSES)
            .map(|_| {
                let mut command = Command::new(&program);
                command.args(["--exact", test, "--nocapture"]).env(SHARED, &name);
                command.stdout(Stdio::piped()).spawn().expect("a test can start its own program")
            })
            .collect();
        let passed: Vec<i64> = processes
            .into_iter()
            .map(|process| {
                let output = process.wait_with_output().unwrap();
                let text = String::from_utf8_lossy(&output.stdout);
                // The harness of tests may write on the same line.
                let told = text.split(PASSED).nth(1).and_then(|rest| rest.lines().next());
                told.and_then(|number| number.parse().ok())
                    .unwrap_or_else(|| panic!("a process told nothing: {text}"))
            })
            .collect();
        let used = ledger.peek(&batch([read(&shared(&name))]), at(LIMIT)).unwrap().usage[0].used;
        assert_eq!((passed.iter().sum::<i64>(), used), (LIMIT, micros(LIMIT)), "{kind}: {passed:?}");
    }
}

/// The counter that is charged under this name.
fn shared(name: &str) -> Counter {
    if name.ends_with("sliding") { sliding(86_400) } else { fixed(Window::Day) }
}

fn charge_shared(subject: &dyn Subject, name: &str) {
    let (store, counter) = (subject.open(name), [shared(name)]);
    let passed: i64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (store, counter) = (&*store, &counter);
                scope.spawn(move || storm(store, counter, LIMIT, thread))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    println!("\n{PASSED}{passed}");
}
