//! Counts what was decided and how calls ended, for a scraper to read: `cargo run -p callgate-rmcp --example metrics`.
//!
//! The counters stand on standard error when the client has gone; a server over HTTP would show them at `/metrics`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use callgate::{Engine, Policy};
use callgate_rmcp::Guard;
use rmcp::{ServerHandler, tool, tool_handler, tool_router};

#[derive(Debug)]
struct Notes;

#[tool_router]
impl Notes {
    #[tool(description = "Lists notes")]
    async fn list_notes(&self) -> String {
        "milk, bread".to_owned()
    }

    #[tool(description = "Deletes all notes")]
    async fn delete_notes(&self) -> String {
        "gone".to_owned()
    }
}

#[tool_handler]
impl ServerHandler for Notes {}

const POLICY: &str = "{version: '1', default: deny, tools: {list_notes: {rules: [{rate_limit: 60/hour}]}}}";

/// Calls by tool, code and end. A tool that the policy does not list is not named: clients choose such names.
#[derive(Debug, Clone, Default)]
struct Calls(Arc<Mutex<BTreeMap<[String; 3], u64>>>);

impl Calls {
    fn count(&self, tool: &str, code: &str, outcome: &str) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = calls.entry([tool, code, outcome].map(str::to_owned)).or_default();
        *count = count.saturating_add(1);
    }

    /// In the text format of Prometheus.
    fn text(&self) -> String {
        let mut out = String::from("# TYPE callgate_calls_total counter\n");
        for ([tool, code, outcome], count) in &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            let labels = format!("tool=\"{tool}\",code=\"{code}\",outcome=\"{outcome}\"");
            // Writing to a String cannot fail.
            let _ = writeln!(out, "callgate_calls_total{{{labels}}} {count}");
        }
        out
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let calls = Calls::default();
    let counts = calls.clone();
    let guard = Guard::new(Notes, Engine::new(Policy::from_yaml(POLICY)?)).on_result(move |ended| {
        let code = ended.decision.code().as_str();
        let is_known = !matches!(code, "not_listed" | "hidden" | "invalid_tool");
        let tool = ended.decision.tool().filter(|_| is_known).unwrap_or_default();
        counts.count(tool, code, ended.outcome.as_str());
        Box::pin(async {})
    });
    guard.serve(rmcp::transport::stdio()).await?.waiting().await?;
    eprint!("{}", calls.text());
    Ok(())
}
