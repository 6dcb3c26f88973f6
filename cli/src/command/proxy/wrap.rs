//! `callgate proxy wrap`: callgate in front of the servers of an MCP client's configuration.
//!
//! In: a configuration file. Out: the file, rewritten.

use std::path::PathBuf;

use crate::failure::{Failure, Outcome};

pub(super) const HELP: &str = "\
Examples:
  callgate proxy wrap .mcp.json --policy policy.yaml

Exit status: 0 as asked, 2 on an error.";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The client's configuration
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) fn run(args: &Args) -> Outcome {
    Err(Failure::new(format!("{}: a configuration cannot be changed yet", args.file.display())))
}
