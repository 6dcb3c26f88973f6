//! `callgate proxy`: a gateway in front of an MCP server.
//!
//! In: flags, and the server's command. Out: the server, guarded. Must not judge or record anything itself: the gateway does.

mod wrap;

use clap::{Args, Subcommand};

use crate::failure::{Failure, Outcome};

pub(crate) const HELP: &str = "\
Examples:
  callgate proxy wrap .mcp.json --policy policy.yaml

Exit status: that of the subcommand, 2 on an error.";

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Proxy {
    #[command(subcommand)]
    command: Option<ProxyCommand>,
}

#[derive(Debug, Subcommand)]
enum ProxyCommand {
    /// Put callgate in front of the servers of an MCP client's configuration
    #[command(after_help = wrap::HELP)]
    Wrap(wrap::Args),
}

pub(crate) fn run(args: &Proxy) -> Outcome {
    match &args.command {
        Some(ProxyCommand::Wrap(args)) => wrap::run(args),
        None => Err(Failure::with_help(
            "a server cannot be started yet",
            "`callgate proxy wrap` changes a client's configuration",
        )),
    }
}
