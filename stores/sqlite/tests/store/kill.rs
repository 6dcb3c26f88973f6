//! Writers that are killed at any moment: what they reported stands, and no limit is passed.
//!
//! The test starts its own program as the writer, which finds the file in its environment and says each charge that was
//! taken, one letter each.

use std::env;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use callgate::store::{Algorithm, Counter};

use crate::charges::{charge, counter, is_taken, used};
use crate::scratch::{Scratch, open};

const KILLS: u64 = 1_000;
/// Threads of a writer: each may have one charge under way when it is killed.
const THREADS: i64 = 2;
const LIMIT: i64 = 4_000;
const TEST: &str = "kill::nothing_that_was_reported_is_lost_when_its_writer_is_killed";
const FILE: &str = "CALLGATE_TEST_KILLED_FILE";

/// Charged by every writer: with a limit in a fixed and a sliding window, and without.
fn counters() -> [(u8, Counter, i64); 3] {
    [
        (b'f', counter("fixed", Algorithm::Fixed), LIMIT),
        (b's', counter("sliding", Algorithm::Sliding), LIMIT),
        (b'u', counter("unlimited", Algorithm::Fixed), 1_000_000),
    ]
}

fn write_until_killed(file: &str) {
    let store = open(file);
    let write = || {
        for now in 0.. {
            for (letter, counter, max) in counters() {
                let outcome = charge(&store, &counter, "a", max, now).unwrap();
                if is_taken(&outcome) {
                    std::io::stderr().write_all(&[letter]).unwrap();
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(write);
        }
    });
}

#[test]
fn nothing_that_was_reported_is_lost_when_its_writer_is_killed() {
    if let Ok(file) = env::var(FILE) {
        return write_until_killed(&file);
    }
    let scratch = Scratch::new("kill");
    let file = scratch.path("counters.db");
    let mut reported = [0_i64; 3];
    for kill in 0..KILLS {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", TEST, "--nocapture"]).env(FILE, &file);
        // On standard error: the harness of tests writes to standard output.
        let mut writer = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut output = writer.stderr.take().unwrap();
        let mut said = vec![0; 1 + usize::try_from(kill * 7 % 61).unwrap()];
        let read = output.read_exact(&mut said);
        writer.kill().unwrap();
        writer.wait().unwrap();
        output.read_to_end(&mut said).unwrap();
        assert!(read.is_ok(), "a writer ended by itself: {}", String::from_utf8_lossy(&said));
        for (reported, (letter, ..)) in reported.iter_mut().zip(counters()) {
            *reported += i64::try_from(said.iter().filter(|byte| **byte == letter).count()).unwrap();
        }
    }
    let store = open(&file);
    let under_way = i64::try_from(KILLS).unwrap() * THREADS;
    for (reported, (_, counter, max)) in reported.into_iter().zip(counters()) {
        let used = used(&store, &counter, "a", 0);
        assert!(reported <= used && used <= max, "{}: {reported} reported, {used} used", counter.name());
        assert!(used <= reported + under_way, "{}: {reported} reported, {used} used", counter.name());
    }
    drop(store);
    let connection = rusqlite::Connection::open(&file).unwrap();
    let check: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    let sums = "SELECT used, (SELECT sum(micros) FROM charges) FROM counters WHERE entries > 0";
    let (row, log): (i64, i64) =
        connection.query_row(sums, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(row, log, "the row of a sliding window and its charges agree");
}
