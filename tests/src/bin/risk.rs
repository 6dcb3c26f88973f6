//! How well tools are classified, beside the labels.
//!
//! `risk` prints the table of the tuning part and its errors, `risk --held-out` the table of both parts alone.

use callgate_tests::risk::{Part, markdown, measure};

fn main() {
    let tuning = measure(Part::Tuning);
    if std::env::args().any(|argument| argument == "--held-out") {
        let held_out = measure(Part::HeldOut);
        print!("{}", markdown(&[(Part::Tuning, &tuning), (Part::HeldOut, &held_out)]));
        return;
    }
    println!("{}\n{}", markdown(&[(Part::Tuning, &tuning)]), tuning.wrong.join("\n"));
}
