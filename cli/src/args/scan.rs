//! The arguments of `callgate scan`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use callgate_analysis::recommend;
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
  callgate scan --config .mcp.json --overrides scan-overrides.yaml --trust files
  callgate scan --tools tools.json --write policy.yaml
  callgate scan --tools tools.json --write policy.yaml --profile read-only --force
  callgate scan --config .mcp.json --lock callgate.lock --update
  callgate scan --config .mcp.json --lock callgate.lock --fail-on drift

Each tool gets a class (Read, Write, Execute, Destructive, Financial, or Unknown), a severity, and a confidence, by its definition
alone. Text of the server may raise them, and never lowers them.

Each server is asked for the list of its tools, and for nothing else: no tool is called. A program is started only after a question
on the terminal, or with --yes. Its environment is PATH, HOME, what --env names, and what the client's configuration gives it.

--write writes a policy for one server, with an entry for each tool, and its tests beside it: policy_test.yaml for policy.yaml. It
replaces no file, unless --force is given.

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
    /// What to call the server; if left out, the program, the host, or what the file calls it, or the file
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
    /// Compare with the definitions in this file, which were approved
    #[arg(long, value_name = "FILE")]
    pub(crate) lock: Option<PathBuf>,
    /// Approve every tool that the servers list now: write the lock
    #[arg(long, requires = "lock", conflicts_with = "accept")]
    pub(crate) update: bool,
    /// Approve this tool (`NAME` or `SERVER/NAME`), or all that differ in wording alone, or accept less; may be given several times
    #[arg(long, requires = "lock", value_name = "NAME|wording|narrower")]
    pub(crate) accept: Vec<String>,
    /// Exit with 1 if there is one; may be given several times
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) fail_on: Vec<FailOn>,
    /// Classes that you give to tools, and findings that you know, each with a reason
    #[arg(long, value_name = "FILE.yaml")]
    pub(crate) overrides: Option<PathBuf>,
    /// Let what this server says of its tools lower a class, too; may be given several times
    #[arg(long, value_name = "SERVER")]
    pub(crate) trust: Vec<String>,
    /// Write a policy for the server's tools to this file, and its tests beside it
    #[arg(long, value_name = "FILE.yaml")]
    pub(crate) write: Option<PathBuf>,
    /// What the policy lets pass; `recommended` if left out
    #[arg(long, value_enum, value_name = "PROFILE", requires = "write")]
    pub(crate) profile: Option<Profile>,
    /// For whom the policy's limits count; each session or caller if left out
    #[arg(long, value_enum, value_name = "SCOPE", requires = "write")]
    pub(crate) scope: Option<Scope>,
    /// Replace the files of --write, if they are there
    #[arg(long, requires = "write")]
    pub(crate) force: bool,
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
    /// SARIF 2.1.0, which code hosts show
    Sarif,
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
    /// A tool that differs from the lock and is not accepted
    Drift,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// Tools that read, and no other
    ReadOnly,
    /// What can be changed back; a person decides on the rest, and what takes away is denied
    #[default]
    Recommended,
    /// All within limits; a person decides on what takes away and on money
    Permissive,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scope {
    /// Each session, else each identity, else all together
    #[default]
    Caller,
    /// All callers together
    Global,
    /// Each grant; a call without one is denied
    Grant,
    /// Each session; a call without one is denied
    Session,
    /// Each identity; a call without one is denied
    Identity,
}

impl From<Profile> for recommend::Profile {
    fn from(profile: Profile) -> Self {
        match profile {
            Profile::ReadOnly => Self::ReadOnly,
            Profile::Recommended => Self::Recommended,
            Profile::Permissive => Self::Permissive,
        }
    }
}

impl From<Scope> for recommend::Scope {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Caller => Self::Caller,
            Scope::Global => Self::Global,
            Scope::Grant => Self::Grant,
            Scope::Session => Self::Session,
            Scope::Identity => Self::Identity,
        }
    }
}

pub(super) const TOOL_HELP: &str = "\
Examples:
  callgate explain-tool --tools tools.json create_user
  callgate explain-tool --tools tools.json create_user --server directory --profile permissive
  callgate explain-tool --tools tools.json create_user --format markdown > create_user.md
  echo '[{\"name\": \"create_user\"}]' | callgate explain-tool --tools - create_user

All of it follows from the definition that the server gave: nothing is looked up, and no server is asked. `callgate scan --write` puts the
same rule into a policy.

Exit status: 0, or 2 on an error, such as a name that is not in the list.";

#[derive(Debug, Args)]
pub(crate) struct ExplainToolArgs {
    /// The tool's name, as the list has it
    pub(crate) name: String,
    /// What a server answered to `tools/list` (`-` is standard input), its result, or the list alone
    #[arg(long, value_name = "TOOLS.json")]
    pub(crate) tools: PathBuf,
    /// What to call the server; the file if left out
    #[arg(long, value_name = "NAME")]
    pub(crate) server: Option<String>,
    /// The profile of the rule
    #[arg(long, value_enum, default_value_t, value_name = "PROFILE")]
    pub(crate) profile: Profile,
    /// For whom the rule's limits count
    #[arg(long, value_enum, default_value_t, value_name = "SCOPE")]
    pub(crate) scope: Scope,
    /// How the tool is shown
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: PageFormat,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum PageFormat {
    /// For a terminal
    #[default]
    Human,
    /// One JSON object
    Json,
    /// Markdown, for a page about the tool
    Markdown,
}
