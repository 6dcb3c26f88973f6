//! Prints the decision of every step of every decision case, one JSON line each: what other languages compare theirs with.

use std::io::{self, BufWriter, Write};

use callgate_tests::decisions::{Form, files};
use serde_json::json;

fn main() -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    for (file, cases) in files() {
        for case in &cases.cases {
            for (name, form) in [("raw", Form::Raw), ("value", Form::Value)] {
                let decisions = case
                    .run(form)
                    .unwrap_or_else(|differences| panic!("{file}: {}: {differences:?}", case.name));
                for (step, decision) in decisions.iter().enumerate() {
                    let line = json!({"file": file, "case": case.name, "step": step, "form": name, "decision": decision});
                    writeln!(out, "{line}")?;
                }
            }
        }
    }
    out.flush()
}
