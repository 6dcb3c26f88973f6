//! `callgate scan`: what servers offer, as real processes, honest and hostile.

mod flow;
mod hostile;
mod http;
mod https;
mod lock;
mod sarif;
mod sources;
mod write;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs};

use crate::Run;

/// The most memory of any run.
const MOST_KIB: u64 = 256 << 10;

/// A file beside this one.
fn beside(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/scan").join(name).to_str().unwrap().to_owned()
}

/// Python itself: what `python3` names may be a script that adds to the environment.
fn python() -> String {
    let said = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
}

/// What a run came to, and what it took.
struct Measured {
    run: Run,
    took: Duration,
    peak_kib: u64,
}

/// Scans a server of this kind.
fn scan(kind: &str, flags: &[&str]) -> Measured {
    scan_of(&["--", "python3", &beside("server.py"), kind], kind, flags)
}

/// Scans, without a terminal; `label` names files of the test's own.
fn scan_of(words: &[&str], label: &str, flags: &[&str]) -> Measured {
    let peak = crate::file(&format!("scan-{label}-{}.kib", flags.join("").replace('/', "_")), "");
    let begin = Instant::now();
    let output = Command::new("python3")
        .args([&*beside("measure.py"), &peak, env!("CARGO_BIN_EXE_callgate"), "scan"])
        .args(flags)
        .args(words)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let took = begin.elapsed();
    let measured = Measured {
        run: Run {
            status: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        },
        took,
        peak_kib: fs::read_to_string(&peak).unwrap().parse().unwrap(),
    };
    if env::var_os("CALLGATE_TEST_MEASURE").is_some() {
        eprintln!("{label}: {:?}, {} MiB", measured.took, measured.peak_kib >> 10);
    }
    assert!(measured.peak_kib < MOST_KIB, "{label}: {} KiB", measured.peak_kib);
    measured
}

/// The names of the tools in a run's JSON.
fn names(run: &Run) -> Vec<String> {
    let tools = crate::json(&run.out)["tools"].clone();
    tools.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}
