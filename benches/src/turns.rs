//! Measures subjects in turns, so that what else the machine does falls on all alike.
//!
//! In: subjects, each a call to repeat. Out: a line for people on the standard output, and one JSON object a line, appended to
//! the file that `BENCH_JSON` names. What is shown and compared is the median over the rounds; the least is beside it.

use std::hint::black_box;
use std::io::Write;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use serde_json::json;

/// What a subject is in a comparison.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// callgate.
    Ours,
    /// What somebody would pick instead.
    Peer,
    /// The least that the machine allows.
    Floor,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Peer => "peer",
            Self::Floor => "floor",
        }
    }
}

/// `BENCH_QUICK` is set: a quarter of the rounds.
pub fn quick() -> bool {
    std::env::var_os("BENCH_QUICK").is_some_and(|value| !value.is_empty() && value != "0")
}

/// What one subject was found to take in one case.
pub struct Record<'r> {
    /// The part of the benches.
    pub bench: &'r str,
    /// The work; subjects of one case did the same.
    pub case: &'r str,
    /// Who did it.
    pub subject: &'r str,
    /// What that is.
    pub role: Role,
    /// `ns` or `bytes`.
    pub unit: &'r str,
    /// Where the case lies on an axis of growth.
    pub x: Option<u64>,
    /// One for each round.
    pub found: Vec<f64>,
}

impl Record<'_> {
    /// Prints the record, and appends it to the file of `BENCH_JSON`.
    pub fn write(mut self) {
        self.found.sort_unstable_by(f64::total_cmp);
        let last = self.found.len() - 1;
        let [least, low, value, high] =
            [0, last / 4, last / 2, last * 3 / 4].map(|rank| (self.found[rank] * 100.0).round() / 100.0);
        let (case, subject, unit) = (self.case, self.subject, self.unit);
        println!(
            "{case:34} {subject:44} {value:12.1} {unit} (least {least:.1}, quartiles {low:.1} to {high:.1})"
        );
        let Some(path) = std::env::var_os("BENCH_JSON") else { return };
        let line = json!({
            "bench": self.bench, "case": case, "subject": subject, "role": self.role.name(), "unit": unit, "x": self.x,
            "value": value, "least": least, "low": low, "high": high,
        });
        let mut file =
            std::fs::OpenOptions::new().create(true).append(true).open(path).expect("the file opens");
        writeln!(file, "{line}").expect("the file takes a line");
    }
}

struct Subject<'s> {
    case: String,
    name: String,
    role: Role,
    x: Option<u64>,
    threads: bool,
    /// Does the work so many times, and says how long that took.
    run: Box<dyn FnMut(u64) -> Duration + 's>,
    found: Vec<f64>,
}

/// Subjects that take turns.
pub struct Turns<'s> {
    bench: &'static str,
    rounds: usize,
    turn: Duration,
    subjects: Vec<Subject<'s>>,
}

impl<'s> Turns<'s> {
    /// `rounds` turns for each subject, a quarter of that for `BENCH_QUICK`, of about a millisecond each.
    pub fn new(bench: &'static str, rounds: usize) -> Self {
        let rounds = if quick() { (rounds / 4).max(5) } else { rounds };
        Self { bench, rounds, turn: Duration::from_millis(1), subjects: Vec::new() }
    }

    /// With turns of another length.
    pub fn turn(mut self, turn: Duration) -> Self {
        self.turn = turn;
        self
    }

    /// A subject that does the case's work once when it is called.
    pub fn add<R>(&mut self, role: Role, case: &str, name: &str, mut call: impl FnMut() -> R + 's) {
        self.push(role, case, name, move |times| {
            let begun = Instant::now();
            for _ in 0..times {
                black_box(call());
            }
            begun.elapsed()
        });
    }

    /// The same, at a place of an axis of growth.
    pub fn add_at<R>(&mut self, role: Role, case: &str, name: &str, x: u64, call: impl FnMut() -> R + 's) {
        self.add(role, case, name, call);
        if let Some(subject) = self.subjects.last_mut() {
            subject.x = Some(x);
        }
    }

    /// A subject whose work so many threads do at the same time; the time is what one of them sees for a call. `call` is given
    /// the thread and the number of the call.
    pub fn add_threads<R>(
        &mut self,
        role: Role,
        case: &str,
        name: &str,
        threads: u64,
        call: impl Fn(u64, u64) -> R + Sync + 's,
    ) {
        self.push(role, case, name, move |times| {
            // Threads begin together: starting one takes longer than many calls.
            let start = Barrier::new(threads as usize);
            let run = |thread: u64| {
                start.wait();
                let begun = Instant::now();
                (0..times).for_each(|n| _ = black_box(call(thread, n)));
                begun.elapsed()
            };
            std::thread::scope(|scope| {
                let run = &run;
                let others: Vec<_> = (1..threads).map(|thread| scope.spawn(move || run(thread))).collect();
                let own = run(0);
                others
                    .into_iter()
                    .fold(own, |longest, other| longest.max(other.join().expect("no call fails")))
            })
        });
    }

    fn push(&mut self, role: Role, case: &str, name: &str, run: impl FnMut(u64) -> Duration + 's) {
        let (case, name) = (case.to_owned(), name.to_owned());
        let run = Box::new(run);
        self.subjects.push(Subject { case, name, role, x: None, threads: false, run, found: Vec::new() });
    }

    /// Measures and writes all.
    pub fn measure(mut self) {
        let times: Vec<u64> = self.subjects.iter_mut().map(|subject| times(subject, self.turn)).collect();
        for _ in 0..self.rounds {
            for (subject, times) in self.subjects.iter_mut().zip(&times) {
                let taken = (subject.run)(*times).as_nanos() as f64;
                subject.found.push(taken / *times as f64);
            }
        }
        for Subject { case, name, role, x, found, .. } in self.subjects {
            let (case, subject) = (case.as_str(), name.as_str());
            Record { bench: self.bench, case, subject, role, unit: "ns", x, found }.write();
        }
    }
}

/// How often a subject does its work in one turn; at least once. The least of three runs, since the machine may take one away.
fn times(subject: &mut Subject<'_>, turn: Duration) -> u64 {
    // Threads need more, since the system may stop one of them for longer than a turn.
    let mut times = if subject.threads { 4_096 } else { 1 };
    loop {
        let taken = (0..3).map(|_| (subject.run)(times)).min().unwrap_or_default();
        if taken * 2 >= turn {
            let exact = times as f64 * turn.as_secs_f64() / taken.as_secs_f64();
            return (exact as u64).max(if subject.threads { 4_096 } else { 1 });
        }
        times *= 2;
    }
}
