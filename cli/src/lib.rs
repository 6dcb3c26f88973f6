//! `callgate`: the tool for those who write policies and those who run them.
//!
//! In: a command line, policy files, calls. Out: findings, decisions, explanations. Must not do anything that the library
//! cannot: every decision is core's. It is a library only so that its reading of streams can be tested from outside.

#![forbid(unsafe_code)]

mod args;
mod call;
mod command;
mod duration;
mod excerpt;
mod failure;
mod input;
mod lines;
mod place;
mod saved;
mod session;
mod show;
mod terminal;
mod tools;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Cli, Command};
pub use lines::read_calls;

/// Runs the command line and returns the exit status.
pub fn run() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Check(args) => command::check::run(&args),
        Command::Eval(args) => command::eval::run(&args),
        Command::Explain(args) => command::explain::run(&args),
        Command::Test(args) => command::test::run(&args),
        Command::Counters(command) => command::counters::run(&command),
        Command::Approvals(command) => command::approvals::run(&command),
        Command::Proxy(args) => command::proxy::run(&args),
        Command::Scan(args) => command::scan::run(&args),
        Command::Catalogue(command) => command::catalogue::run(&command),
        Command::Init(args) => command::init::run(&args),
        Command::ExplainTool(args) => command::explain_tool::run(&args),
        Command::Status(args) => command::status::run(&args),
        Command::Audit(command) => command::audit::run(&command),
        Command::Schema(args) => command::schema::run(&args),
        Command::Completions(args) => command::completions::run(&args),
    };
    result.unwrap_or_else(|failure| failure.report())
}
