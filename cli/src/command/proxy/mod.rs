//! `callgate proxy`: a gateway in front of an MCP server.
//!
//! In: flags, and the server's command. Out: the server, guarded. Must not judge or record anything itself: the gateway does.

mod serve;
mod wrap;

use clap::{Args, Subcommand};

use crate::failure::Outcome;

pub(crate) const HELP: &str = "\
Examples:
  callgate proxy -p policy.yaml -- npx -y @modelcontextprotocol/server-filesystem /data
  callgate proxy -p policy.yaml --name github --identity alice -- docker run -i --rm ghcr.io/github/github-mcp-server
  callgate proxy --name files -- npx -y @modelcontextprotocol/server-filesystem /data
  callgate proxy -p policy.yaml --store redis://counters.internal --audit /var/log/callgate/files.jsonl --audit-chain -- python server.py
  callgate proxy -p base.yaml -p team.yaml -- npx -y @modelcontextprotocol/server-filesystem /data
  callgate proxy -p policy.yaml --check -- python server.py
  callgate proxy wrap .mcp.json --policy policy.yaml

A client starts it where it started the server, and speaks to it on standard input and output. `callgate status` shows what it did.

Exit status: that of the server; 128 and its number where a signal ended one of them; 127 if the server cannot be started, 2 if a flag, the
policy, the store or the file of records cannot be used.";

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Proxy {
    #[command(flatten)]
    serve: serve::Serve,
    #[command(subcommand)]
    action: Option<ProxyCommand>,
}

#[derive(Debug, Subcommand)]
enum ProxyCommand {
    /// Put callgate in front of the servers of an MCP client's configuration
    #[command(after_help = wrap::HELP)]
    Wrap(wrap::Args),
}

pub(crate) fn run(args: &Proxy) -> Outcome {
    match &args.action {
        Some(ProxyCommand::Wrap(args)) => wrap::run(args),
        None => serve::run(&args.serve),
    }
}
