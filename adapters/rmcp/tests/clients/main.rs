//! The scenarios of `spec/guards` by rmcp's own client, over stdio and streamable HTTP: against this guard, and against others.
//!
//!     clients               plays them against this guard, by `tests/clients.py`
//!     clients serve JOBS    serves every job over HTTP; a JSON list of their URLs is printed
//!     clients serve JOBS N  serves this job over stdio
//!     clients play JOBS     plays each job; a line of JSON for each says whether something `failed`
//!
//! In: a file of jobs, a JSON list. Each has a `scenario`, the name of its `guard`, and a path `host`: a unix socket that takes the steps which
//! no client plays. To play it there are also the server's `command` or its `url`.

#![cfg_attr(
    unix,
    expect(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::print_stdout,
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        reason = "a test tells by panicking"
    )
)]

#[cfg(unix)]
mod client;
#[cfg(unix)]
mod play;
#[cfg(unix)]
#[expect(dead_code, reason = "the client of `guards` is the wire itself")]
#[path = "../scenario_server/mod.rs"]
mod scenario_server;
#[cfg(unix)]
mod server;

#[cfg(unix)]
#[derive(serde::Deserialize)]
struct Job {
    scenario: callgate_tests::guards::Scenario,
    guard: String,
    host: std::path::PathBuf,
    command: Option<Vec<String>>,
    url: Option<String>,
}

/// The programs have sockets that others lack.
#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() {
    use std::process::{Command, exit};

    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let jobs = |file: &str| -> Vec<Job> { serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    match *arguments {
        ["serve", file] => runtime.block_on(server::serve_http(jobs(file))),
        ["serve", file, number] => {
            runtime.block_on(server::serve(jobs(file).swap_remove(number.parse().unwrap())));
        }
        ["play", file] => runtime.block_on(play::all(jobs(file))),
        _ => {
            let runner = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/clients.py");
            let program = std::env::current_exe().unwrap();
            let status = Command::new("python3")
                .args([runner, "rmcp:rmcp"])
                .env("CALLGATE_RMCP_CLIENTS", program)
                .status();
            exit(status.unwrap().code().unwrap_or(1));
        }
    }
    exit(0);
}
