//! Decides generated cases with the engine and with the reference interpreter: `differ --cases N [--seed S]`, N being
//! the number of calls. The first case fills a sliding window, which takes ten thousand calls: `--full without` leaves it out, and
//! `--full only` decides nothing else. Prints every kind of difference once, minimised; exit code 1 if there is one.
//! With `--mistake NAME` the reference makes a mistake, and the first difference ends the run; exit code 1 if there is none.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use callgate_reference::mistake::ALL;
use callgate_tests::differ::{Compared, compare, minimise, noticed, written};
use callgate_tests::generate::{Generator, has_features};

/// Kinds of differences that are printed.
const PRINTED: usize = 10;

fn main() -> io::Result<ExitCode> {
    let mut calls = 100_000_u64;
    let mut seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| now.as_secs());
    let mut mistake = None;
    let (mut fills_first, mut only_fills) = (true, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().unwrap_or_default();
        match (name.as_str(), value.as_str(), value.parse().ok()) {
            ("--cases", _, Some(value)) => calls = value,
            ("--seed", _, Some(value)) => seed = value,
            ("--full", "without", _) => fills_first = false,
            ("--full", "only", _) => only_fills = true,
            ("--mistake", name, _) => match ALL.iter().find(|(known, _)| format!("{known:?}") == name) {
                Some((known, _)) => mistake = Some(*known),
                None => {
                    let names: Vec<String> = ALL.iter().map(|(known, _)| format!("{known:?}")).collect();
                    eprintln!("mistakes: {}", names.join(" "));
                    return Ok(ExitCode::from(2));
                }
            },
            _ => {
                eprintln!("usage: differ [--cases N] [--seed S] [--full without|only] [--mistake NAME|list]");
                return Ok(ExitCode::from(2));
            }
        }
    }
    let mut out = io::stdout().lock();
    writeln!(out, "seed {seed}")?;
    if let Some(mistake) = mistake {
        let found = noticed(mistake, seed, calls);
        match &found {
            Some((calls, case)) => {
                writeln!(out, "noticed after {calls} calls\n{}", written(&minimise(case), "a mistake"))?;
            }
            None => writeln!(out, "not noticed in {calls} calls")?,
        }
        return Ok(if found.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let mut generator = Generator::new(seed);
    let (mut done, mut policies, mut skipped, mut extended) = (0_u64, 0_u64, 0_u64, 0_u64);
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    let mut codes: BTreeMap<&str, u64> = BTreeMap::new();
    let mut shown = Instant::now();
    let mut full = fills_first.then(|| generator.full_case());
    while done < calls && (full.is_some() || !only_fills) {
        let full = full.take();
        let fills = full.is_some();
        let case = full.unwrap_or_else(|| generator.case());
        policies += 1;
        match compare(&case) {
            Compared::Same(decided) => {
                done += decided.len() as u64;
                if has_features(&case.policy) {
                    extended += decided.len() as u64;
                }
                for code in decided {
                    *codes.entry(code).or_default() += 1;
                }
            }
            Compared::Skipped(why) => {
                skipped += 1;
                if skipped <= 3 {
                    writeln!(out, "skipped policy {policies}: {why}\n{}", case.policy)?;
                }
            }
            Compared::Different { step, fields, engine, reference } => {
                done += step as u64 + 1;
                let kind = format!("{} ({} / {})", fields.join(", "), engine["code"], reference["code"]);
                let count = kinds.entry(kind.clone()).or_default();
                *count += 1;
                if fills {
                    // Ten thousand calls, each to be left out in turn: nobody would wait for that.
                    writeln!(
                        out,
                        "in the full window, call {step}\nengine:    {engine}\nreference: {reference}"
                    )?;
                } else if *count == 1 && kinds.len() <= PRINTED {
                    let text = written(&minimise(&case), &format!("seed {seed}, policy {policies}"));
                    if text.is_empty() {
                        // Decided otherwise the second time: nothing to minimise.
                        writeln!(
                            out,
                            "not repeatable: {case:#?}\nengine:    {engine}\nreference: {reference}"
                        )?;
                    } else {
                        writeln!(out, "{text}")?;
                    }
                }
            }
        }
        if io::stderr().is_terminal() && shown.elapsed() > Duration::from_millis(500) {
            shown = Instant::now();
            let found: u64 = kinds.values().sum();
            eprint!("\r{done} of {calls} calls, {policies} policies, {found} differences");
        }
    }
    if io::stderr().is_terminal() {
        eprintln!();
    }
    let found: u64 = kinds.values().sum();
    writeln!(
        out,
        "seed {seed}: {done} calls under {policies} policies, {skipped} skipped, {found} differences"
    )?;
    writeln!(
        out,
        "{extended} of them under policies with views, wildcards, operands from the call or other additions"
    )?;
    let codes: Vec<String> = codes.iter().map(|(code, count)| format!("{code} {count}")).collect();
    writeln!(out, "decided alike: {}", codes.join(", "))?;
    for (kind, count) in &kinds {
        writeln!(out, "  {count} in {kind}")?;
    }
    Ok(if found + skipped == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
