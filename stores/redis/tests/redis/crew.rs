//! Processes that share a server: the test program, started anew for one test, once for each part that it has to play there.

use std::env;
use std::process::{Child, Command, Stdio};

use callgate_redis::{RedisOptions, RedisStore};

const URL: &str = "CALLGATE_REDIS_TEST_URL";
const PART: &str = "CALLGATE_REDIS_TEST_PART";
/// Before what a process tells.
const TOLD: &str = "told by a process: ";

/// What a process that a test started has to do, and the counters that it does it on; nothing in the test itself.
pub(crate) fn part() -> Option<(String, RedisStore)> {
    let (part, url) = (env::var(PART).ok()?, env::var(URL).ok()?);
    Some((part, RedisStore::open(&RedisOptions::from_url(&url).unwrap()).unwrap()))
}

/// Starts this program for the test of that name.
pub(crate) fn start(test: &str, url: &str, part: &str) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(URL, url).env(PART, part);
    command.stdout(Stdio::piped()).spawn().unwrap()
}

/// Tells the test a number.
pub(crate) fn tell(number: usize) {
    println!("\n{TOLD}{number}");
}

/// What a process told before it ended.
pub(crate) fn told(process: Child) -> usize {
    let output = process.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let told = text.split(TOLD).nth(1).and_then(|rest| rest.lines().next());
    told.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("a process told nothing: {text}"))
}
