//! What a decision with SQLite counters costs, against the least that SQLite itself asks for: one upsert in a transaction of
//! its own, with the same durability, in the same run.
//!
//! ```sh
//! cargo run --release -p callgate-benches --example sqlite -- DIRECTORY [power]
//! ```
//!
//! The two take turns in short rounds, so that what else the machine does meets both; shown are medians over the rounds.

#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a bench may fail by panicking"
)]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use callgate::{Engine, Identity, Policy};
use callgate_benches::{Record, Role};
use callgate_sqlite::{Durability, SqliteOptions, SqliteStore};
use rusqlite::Connection;
use serde_json::json;

const ROUNDS: usize = 15;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let durability = match arguments.next().as_deref() {
        Some("power") => Durability::Power,
        _ => Durability::Process,
    };
    let calls = calls(durability);
    println!("{durability:?}, {calls} calls a round, {ROUNDS} rounds; microseconds for each call");
    println!("{:>8} {:>8} {:>14} {:>12} {:>7}", "threads", "counters", "bare upserts", "evaluate", "ratio");
    for threads in [1, 4] {
        for counters in [1, 4] {
            compare(&directory, durability, threads, counters);
        }
    }
}

/// Calls of a round: fewer where each waits for the disk.
fn calls(durability: Durability) -> usize {
    if durability == Durability::Power { 100 } else { 2_000 }
}

/// Bare upserts and decisions in turn, each with this many counters.
fn compare(directory: &Path, durability: Durability, threads: usize, counters: usize) {
    let scratch = directory.join(format!("callgate-bench-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).unwrap();
    let bare = Mutex::new(bare(&scratch.join("bare.db"), durability));
    let engine = engine(&scratch.join("counters.db"), durability, counters);
    let calls = calls(durability);
    let (mut upserts, mut decisions, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let upsert = time(threads, calls, || upsert(&bare.lock().unwrap(), counters));
        let args = json!({});
        let decision = time(threads, calls, || {
            assert!(engine.evaluate("tool", &args, &Identity::new("alice")).allowed());
        });
        upserts.push(upsert);
        decisions.push(decision);
        ratios.push(upsert / decision);
    }
    let case = format!("{durability:?}, {threads} threads, {counters} counters").to_lowercase();
    for (role, subject, found) in
        [(Role::Floor, "bare upserts", &upserts), (Role::Ours, "Engine::evaluate", &decisions)]
    {
        let found = found.iter().map(|microseconds| microseconds * 1e3).collect();
        Record { bench: "sqlite", case: &case, subject, role, unit: "ns", x: None, found }.write();
    }
    let [upsert, decision, ratio] = [upserts, decisions, ratios].map(median);
    println!("{threads:>8} {counters:>8} {upsert:>14.1} {decision:>12.1} {ratio:>7.2}");
    drop((bare, engine));
    std::fs::remove_dir_all(scratch).unwrap();
}

fn bare(path: &Path, durability: Durability) -> Connection {
    let connection = Connection::open(path).unwrap();
    let synchronous = if durability == Durability::Power { "FULL" } else { "NORMAL" };
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    connection.pragma_update(None, "synchronous", synchronous).unwrap();
    connection
        .execute_batch("CREATE TABLE counters (id INTEGER PRIMARY KEY, used INTEGER NOT NULL)")
        .unwrap();
    connection
}

/// One upsert is a transaction by itself; several are bracketed.
fn upsert(connection: &Connection, counters: usize) {
    let run = |statement: &str| connection.prepare_cached(statement).unwrap().execute([]).unwrap();
    if counters > 1 {
        run("BEGIN IMMEDIATE");
    }
    for id in 0..counters {
        let upsert = "INSERT INTO counters VALUES (?1, 1) ON CONFLICT DO UPDATE SET used = used + 1";
        connection.prepare_cached(upsert).unwrap().execute([i64::try_from(id).unwrap()]).unwrap();
    }
    if counters > 1 {
        run("COMMIT");
    }
}

fn engine(path: &Path, durability: Durability, counters: usize) -> Engine {
    let limits: Vec<String> =
        (0..counters).map(|n| format!("{{counter: c{n}, window: month, max: 1000000000}}")).collect();
    let policy =
        format!("version: \"1\"\ndefault: deny\ntools: {{tool: {{limits: [{}]}}}}", limits.join(", "));
    let options = SqliteOptions::new().with_durability(durability);
    let store = SqliteStore::open(path, &options).unwrap();
    Engine::builder(Policy::from_yaml(&policy).unwrap()).store(Arc::new(store)).build()
}

/// Microseconds for each call, of `calls` over all threads.
fn time(threads: usize, calls: usize, call: impl Fn() + Sync) -> f64 {
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| (0..calls / threads).for_each(|_| call()));
        }
    });
    begin.elapsed().as_secs_f64() * 1e6 / calls as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
