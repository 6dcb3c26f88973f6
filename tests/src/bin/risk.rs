//! How well tools are classified, beside the labels.
//!
//! `risk` prints the tables of the tuning part, its errors, and its servers with a toxic flow; `risk --held-out` the tables of all parts alone.

use callgate_tests::risk::{Part, markdown, marks_markdown, measure, toxic};

fn main() {
    let tuning = measure(Part::Tuning);
    if std::env::args().any(|argument| argument == "--held-out") {
        let (held_out, new) = (measure(Part::HeldOut), measure(Part::New));
        let parts = [(Part::Tuning, &tuning), (Part::HeldOut, &held_out), (Part::New, &new)];
        print!("{}\n{}", markdown(&parts), marks_markdown(&parts));
        return;
    }
    let parts = [(Part::Tuning, &tuning)];
    print!("{}\n{}\n", markdown(&parts), marks_markdown(&parts));
    println!("{}\n\n{}", tuning.wrong.join("\n"), tuning.wrong_marks.join("\n"));
    let (servers, all) = toxic(Part::Tuning);
    println!("\n{} of {all} servers have a toxic flow of their own: {}", servers.len(), servers.join(", "));
}
