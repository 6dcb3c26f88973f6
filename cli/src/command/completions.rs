//! `callgate completions`: a script for a shell.

use std::io::Write as _;
use std::process::ExitCode;

use clap::CommandFactory as _;

use super::output;
use crate::args::{Cli, CompletionsArgs};
use crate::failure::Outcome;

pub(crate) fn run(args: &CompletionsArgs) -> Outcome {
    // Into memory first: clap_complete panics where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "callgate", &mut script);
    let mut out = output();
    out.write_all(&script)?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
