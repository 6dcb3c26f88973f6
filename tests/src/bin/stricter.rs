//! Decides calls by generated policies and by the same with an addition, with another policy in a stack, or in a dispatcher: `stricter --pairs N [--seed
//! S]`. Prints the first call that an addition lets through, with exit code 1.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use callgate_tests::generate::Generator;
use callgate_tests::stricter::{with_a_layer, with_an_addition, within_a_dispatcher};

fn main() -> ExitCode {
    let mut pairs = 10_000_u64;
    let mut seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| now.as_secs());
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().and_then(|value| value.parse().ok());
        match (name.as_str(), value) {
            ("--pairs", Some(value)) => pairs = value,
            ("--seed", Some(value)) => seed = value,
            _ => {
                eprintln!("usage: stricter [--pairs N] [--seed S]");
                return ExitCode::from(2);
            }
        }
    }
    let mut generator = Generator::new(seed);
    let (mut done, mut calls, mut before, mut added) = (0, 0, 0, 0);
    while done < pairs {
        let compared = match done % 3 {
            0 => with_an_addition,
            1 => with_a_layer,
            _ => within_a_dispatcher,
        };
        match compared(&mut generator) {
            Ok(stopped) => {
                done += u64::from(stopped.calls > 0);
                calls += stopped.calls;
                before += stopped.before;
                added += stopped.added;
            }
            Err(found) => {
                println!("seed {seed}, pair {done}: an addition lets a call through\n{found}");
                return ExitCode::FAILURE;
            }
        }
    }
    println!(
        "seed {seed}: {calls} calls under {done} pairs of policies; {before} stopped by both, {added} more by the addition, none let through by it"
    );
    ExitCode::SUCCESS
}
