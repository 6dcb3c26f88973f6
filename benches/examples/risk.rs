//! What it takes to classify 10,000 tools of one server, each with a description, a schema and hints:
//! `cargo run --release -p callgate-benches --example risk`.

use std::time::Instant;

use callgate_analysis::risk::{Options, classify};
use callgate_benches::{Record, Role, quick};
use serde_json::{Value, json};

const TOOLS: usize = 10_000;

/// Verbs and nouns in turn, so that tools of every class are among them.
fn tools() -> Vec<Value> {
    let verbs = ["get", "list", "create", "update", "delete", "run", "pay", "send", "search", "cancel"];
    let nouns = ["order", "invoice", "user", "workflow", "file", "message", "repository"];
    let tool = |(index, (verb, noun)): (usize, (&&str, &&str))| {
        json!({
            "name": format!("{verb}_{noun}_{index}"),
            "title": format!("{verb} {noun}"),
            "description": format!(
                "This tool allows you to {verb} one {noun} of the account. It needs the id that `list_{noun}` gives. Returns the {noun} \
                with all its fields, or an error where there is none. Use it only if the user asked for it; it cannot be undone."
            ),
            "inputSchema": {"type": "object", "required": ["id"], "properties": {
                "id": {"type": "string", "description": "The id of the thing"},
                "limit": {"type": "integer", "minimum": 1, "maximum": 100},
                "mode": {"type": "string", "enum": ["fast", "careful"]},
                "filter": {"type": "object", "properties": {"since": {"type": "string"}, "until": {"type": "string"}}},
            }},
            "annotations": {"readOnlyHint": index % 2 == 0, "destructiveHint": index % 3 == 0},
        })
    };
    let pairs = verbs.iter().cycle().zip(nouns.iter().cycle());
    pairs.take(TOOLS).enumerate().map(tool).collect()
}

fn main() {
    let tools = tools();
    let options = Options::new();
    let found = (0..if quick() { 5 } else { 20 })
        .map(|_| {
            let begun = Instant::now();
            let risks = classify("server", &tools, &options);
            let nanoseconds = begun.elapsed().as_secs_f64() * 1e9;
            assert_eq!(risks.len(), TOOLS);
            nanoseconds
        })
        .collect();
    let (bench, case, subject) = ("risk", "10000 tools", "classify");
    Record { bench, case, subject, role: Role::Ours, unit: "ns", x: None, found }.write();
}
