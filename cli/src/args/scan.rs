//! The arguments of `callgate scan`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, ValueEnum};

use crate::duration;

pub(super) const HELP: &str = "\
Examples:
  callgate scan -- npx -y @modelcontextprotocol/server-filesystem /data
  callgate scan --yes --env GITHUB_TOKEN --format json -- docker run -i --rm -e GITHUB_TOKEN ghcr.io/github/github-mcp-server
  callgate scan --url https://mcp.example.com/mcp --header Authorization=@token.txt
  callgate scan --tools tools.json
  callgate scan --config ~/.cursor/mcp.json --server files
  callgate scan --config .mcp.json --yes --fail-on critical --fail-on finding

Each tool gets a class (Read, Write, Execute, Destructive, Financial, or Unknown), a severity, and a confidence, by its definition
alone. Text of the server may raise them, and never lowers them.

Each server is asked for the list of its tools, and for nothing else: no tool is called. A program is started only after a question
on the terminal, or with --yes. Its environment is PATH, HOME, what --env names, and what the client's configuration gives it.

Exit status: 0 if every server listed its tools, 1 if --fail-on names something that was found, 2 if a server could not be asked, or on
another error.";

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("source").required(true).args(["tools", "config", "url", "command"]))]
pub(crate) struct ScanArgs {
    /// What a server answered to `tools/list` (`-` is standard input), its result, or the list alone
    #[arg(long, value_name = "TOOLS.json")]
    pub(crate) tools: Option<PathBuf>,
    /// The configuration of an MCP client: all of its servers
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The address of a server that speaks streamable HTTP
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Send this header with each request to --url, its value from a file; may be given several times
    #[arg(long, value_name = "NAME=@FILE", requires = "url")]
    pub(crate) header: Vec<String>,
    /// Only the server of this name; may be given several times
    #[arg(long = "server", value_name = "NAME", requires = "config")]
    pub(crate) servers: Vec<String>,
    /// What to call the server; the program, the host or the file if left out
    #[arg(long, value_name = "NAME", conflicts_with = "config")]
    pub(crate) name: Option<String>,
    /// Give servers this variable of the environment, too; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Vec<String>,
    /// Start programs without a question
    #[arg(long)]
    pub(crate) yes: bool,
    /// How long each server may take
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration::parse)]
    pub(crate) timeout: Duration,
    /// How the tools are shown
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: ScanFormat,
    /// Exit with 1 if there is one; may be given several times
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) fail_on: Vec<FailOn>,
    /// The program of a server that speaks over standard input and output, with its arguments
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScanFormat {
    /// A row for each tool
    #[default]
    Table,
    /// One JSON object
    Json,
    /// Markdown, for a comment on a pull request
    Markdown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// A tool of severity medium, high or critical
    Medium,
    /// A tool of severity high or critical
    High,
    /// A tool of severity critical
    Critical,
    /// A tool of which too little is known
    Unknown,
    /// Anything odd: a name, a hidden character
    Finding,
}
