//! Messages of a client that sends anything, for judges in other languages; what no other parser is needed for is checked here.
//!
//! ```text
//! relayed forwarded --count N --seed S    prints those of N messages that reach the server
//! relayed sent --count N --seed S         prints those of N messages that `serde_json` does not read as a denied call
//! relayed unchanged --count N --seed S    sends N messages of both sides, none of which is denied: each comes out byte for byte
//! relayed sequences --count N --seed S    N sequences of everything that can happen: nothing passes that was not allowed
//! ```

use std::io::{self, BufWriter, Write};

use callgate_tests::messages::{Choices, message};
use callgate_tests::relayed::{Relayed, may_read_as_denied, reads_as_denied};
use callgate_tests::sequences;
use callgate_tests::traffic::passes_unchanged;

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next().unwrap_or_default();
    let (mut count, mut seed) = (100_000_u64, 1_u64);
    while let Some(name) = arguments.next() {
        let value = arguments.next().and_then(|value| value.parse().ok());
        match (name.as_str(), value) {
            ("--count", Some(value)) => count = value,
            ("--seed", Some(value)) => seed = value,
            _ => usage(),
        }
    }
    let mut out = BufWriter::new(io::stdout().lock());
    let (mut relay, mut choices) = (Relayed::default(), Choices(seed));
    match mode.as_str() {
        "forwarded" => {
            for _ in 0..count {
                let line = message(&mut choices);
                for message in relay.forwarded(&line) {
                    assert!(!may_read_as_denied(&message), "{}", String::from_utf8_lossy(&message));
                    out.write_all(&message)?;
                    out.write_all(b"\n")?;
                }
            }
        }
        "sent" => {
            for _ in 0..count {
                let line = message(&mut choices);
                if !reads_as_denied(&line) && !line.contains(&b'\n') {
                    out.write_all(&line)?;
                    out.write_all(b"\n")?;
                }
            }
        }
        "unchanged" => {
            passes_unchanged(count, seed);
            writeln!(out, "{count} messages, unchanged")?;
        }
        "sequences" => {
            sequences::random(count, seed);
            writeln!(out, "{count} sequences, in which nothing passes that was not allowed")?;
        }
        _ => usage(),
    }
    out.flush()
}

fn usage() -> ! {
    eprintln!("usage: relayed forwarded|sent|unchanged|sequences [--count N] [--seed S]");
    std::process::exit(2);
}
