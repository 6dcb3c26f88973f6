//! The command line: what may be asked, and the help that says so with examples.

mod approvals;
mod audit;
mod catalogue;
mod scan;

use std::path::PathBuf;
use std::sync::LazyLock;

use callgate::time::Timestamp;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::command::proxy;

pub(crate) use approvals::ListArgs as ApprovalsListArgs;
pub(crate) use approvals::{ApprovalsCommand, ApprovalsFormat, ApproveArgs, DenyArgs, Place, ShowArgs};
pub(crate) use audit::{AuditCommand, AuditFormat, StatusArgs, VerifyArgs};
pub(crate) use catalogue::{
    CatalogueCommand, CatalogueFormat, CatalogueListArgs, CatalogueShowArgs, InitArgs,
};
pub(crate) use scan::{ExplainToolArgs, FailOn, PageFormat, ScanArgs, ScanFormat};

/// What `--version` says: which callgate this is, down to the commit, whose rules of time zones it has, and the stores that it can open. `-V` says the version alone.
static LONG_VERSION: LazyLock<String> = LazyLock::new(|| {
    let (version, commit) = (env!("CARGO_PKG_VERSION"), env!("CALLGATE_COMMIT"));
    format!(
        "{version}
time zones {}
commit {commit}
stores {}",
        callgate::time::ZONE_DATABASE,
        callgate_host::STORES
    )
});

/// Checks policies for MCP tool calls, decides calls by them, and explains the decisions.
#[derive(Debug, Parser)]
#[command(
    name = "callgate",
    version,
    long_version = LONG_VERSION.as_str(),
    arg_required_else_help = true,
    after_help = "\
Examples:
  callgate check policy.yaml
  callgate eval --policy policy.yaml --tool create_charge --args '{\"amount\": 4200}' --identity alice
  callgate explain --policy policy.yaml --tool create_charge --args '{\"amount\": 4200}' --identity alice

`callgate help COMMAND` has more examples for each command.

Exit status: 0 as asked; 1 the answer is no: a policy that `check` reads does not load, a call may not run, there is nothing
to reset, no call to approve, an audit file was changed; 2 the question could not be asked: a wrong option, a policy to decide by that does not load, a file or store that
cannot be read, output that cannot be written."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Find what is wrong in policy files
    #[command(after_help = "\
Examples:
  callgate check policy.yaml
  callgate check --deny-warnings policies/*.yaml
  callgate check --stack base.yaml team.yaml
  callgate check --tools tools.json policy.yaml
  ask-server tools/list | callgate check --tools - policy.yaml
  callgate check --format sarif policy.yaml > callgate.sarif
  generate-policy | callgate check -

Each file is checked by itself. With --stack they are also checked as one stack, in their order: each needs a `name` of its own, and
dispatchers must not differ.

Exit status: 0 if every policy loads, 1 if one has errors (or warnings, with --deny-warnings), 2 if a file cannot be read
or is not a list of tools.")]
    Check(CheckArgs),
    /// Decide calls by a policy
    #[command(after_help = "\
Examples:
  callgate eval --policy policy.yaml --tool create_charge --args '{\"amount\": 4200}' --identity alice
  callgate eval --policy policy.yaml --tool create_charge --args @call.json --identity '{\"id\": \"alice\", \"grant\": \"g-7\"}'
  callgate eval --policy policy.yaml --calls calls.jsonl --format table --summary
  tail -f calls.jsonl | callgate eval --policy policy.yaml --calls - --format json
  callgate eval --policy policy.yaml --tool create_charge --args @call.json --store sqlite:///var/lib/agent/counters.db
  callgate eval --policy base.yaml --policy team.yaml --tool create_charge --args @call.json

A line of --calls is one JSON object: {\"tool\": \"create_charge\", \"args\": {\"amount\": 4200}, \"identity\": \"alice\",
\"at\": \"2026-11-21T10:00:00Z\"}. All but `tool` may be left out. Counters are kept in memory, from the first line to the last;
`at` sets the clock, which then stands still until the next `at`; without any it is the machine's. With --store, the
counters of a store are charged for real.

Exit status of one call: 0 allowed, 1 denied or to be approved, 2 error. Of --calls: 0 if every
line was decided, whatever was decided, else 2.")]
    Eval(EvalArgs),
    /// Show every check that leads to a decision
    #[command(after_help = "\
Examples:
  callgate explain --policy policy.yaml --tool create_charge --args '{\"amount\": 4200}' --identity alice
  callgate explain --policy policy.yaml --tool create_charge --args @call.json --format json
  callgate explain --policy base.yaml --policy team.yaml --tool create_charge --args @call.json

Counters are empty, and nothing is charged.

Exit status: 0 if the call is explained, whatever is decided, 2 on an error.")]
    Explain(ExplainArgs),
    /// Run tests of policies: calls, and what must be decided of each
    #[command(after_help = "\
Examples:
  callgate test
  callgate test policies/ payments_test.yaml
  callgate test --filter 'refund' --verbose
  callgate test --watch
  callgate test --coverage --min 100
  callgate test --format junit > callgate.xml
  callgate test --format markdown >> \"$GITHUB_STEP_SUMMARY\"

A test file is called `NAME_test.yaml`, `.yml` or `.json`:
  policy: payments.yaml
  tests:
    - name: caps one charge
      each:
        - {tool: create_charge, args: {amount: 4200, currency: usd}, expect: allow}
        - {tool: create_charge, args: {amount: 50001, currency: usd}, expect: condition_failed, rule: max single charge}

Exit status: 0 if every test passed, 1 if one failed or --min is not reached, 2 if something could not be run, or nothing was: a file that cannot
be read, a name that matches nothing, no test at all.")]
    Test(TestArgs),
    /// Show and reset the counters of a store
    #[command(subcommand)]
    Counters(CountersCommand),
    /// Show and answer calls that wait for a person's approval
    #[command(subcommand)]
    Approvals(ApprovalsCommand),
    /// Guard an MCP server: every tool call is decided by a policy and recorded
    #[command(after_help = proxy::HELP)]
    Proxy(Box<proxy::Proxy>),
    /// Show what tools servers offer, what each can do, and what is odd about it
    #[command(after_help = scan::HELP)]
    Scan(ScanArgs),
    /// Show servers that have policies already
    #[command(subcommand)]
    Catalogue(CatalogueCommand),
    /// Write the policy of a server of the catalogue, with its tests and its lock
    #[command(after_help = catalogue::INIT_HELP)]
    Init(InitArgs),
    /// Show all that is known of one tool: what it can do and why, and the rule that is recommended for it
    #[command(after_help = scan::TOOL_HELP)]
    ExplainTool(ExplainToolArgs),
    /// Show what gateways do and did: calls, denials, and the rules behind them
    #[command(after_help = audit::STATUS_HELP)]
    Status(StatusArgs),
    /// Check the audit files of gateways
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Print the JSON Schema of policies, of their tests, of audit records, of scans, or of their overrides
    #[command(after_help = "\
Examples:
  callgate schema > policy.schema.json
  callgate schema --of test > test.schema.json
  callgate schema --of audit > audit.schema.json
  callgate schema --of scan > scan.schema.json
  callgate schema --of overrides > overrides.schema.json

With this first line, editors that speak YAML's language server check a policy while it is written:
  # yaml-language-server: $schema=policy.schema.json

Exit status: 0, or 2 on an error.")]
    Schema(SchemaArgs),
    /// Print a completion script for a shell
    #[command(after_help = "\
Examples:
  callgate completions bash > ~/.local/share/bash-completion/completions/callgate
  callgate completions zsh > \"${fpath[1]}/_callgate\"
  callgate completions fish > ~/.config/fish/completions/callgate.fish

Exit status: 0, or 2 on an error.")]
    Completions(CompletionsArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Policy files; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// How findings are shown
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: CheckFormat,
    /// The files are one stack, in their order: check that they go together, too
    #[arg(long)]
    pub(crate) stack: bool,
    /// Warnings count as errors
    #[arg(long)]
    pub(crate) deny_warnings: bool,
    /// What the server answers to `tools/list` (`-` is standard input), its result, or the list alone: warns of entries that match none of its tools and of arguments that none has
    #[arg(long, value_name = "TOOLS.json")]
    pub(crate) tools: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(crate) enum CheckFormat {
    /// Excerpts with help
    #[default]
    Human,
    /// One JSON object
    Json,
    /// SARIF 2.1.0, for code hosts
    Sarif,
}

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Test files, and folders in which they are looked for; the current folder if left out
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Only tests whose name holds this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,
    /// How results are shown
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: TestFormat,
    /// Show every test, and the arguments and the caller of calls that fail
    #[arg(long, short)]
    pub(crate) verbose: bool,
    /// Run again whenever a file changes
    #[arg(long)]
    pub(crate) watch: bool,
    /// Show which outcomes of each policy no test covers: rules, conditions, limits, approvals, entries
    #[arg(long)]
    pub(crate) coverage: bool,
    /// Fail if less than this percentage of a policy's outcomes is covered
    #[arg(long, value_name = "PERCENT", requires = "coverage", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) min: Option<u32>,
    /// Write the coverage to this file, too, as an LCOV tracefile
    #[arg(long, value_name = "FILE", requires = "coverage")]
    pub(crate) lcov: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum TestFormat {
    /// A line for each file, and what failed with its excerpt
    #[default]
    Human,
    /// One JSON object
    Json,
    /// JUnit XML, for build servers
    Junit,
    /// Markdown, for a comment on a pull request
    Markdown,
}

#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// Which files it describes
    #[arg(long, value_enum, default_value_t, value_name = "KIND")]
    pub(crate) of: SchemaKind,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaKind {
    /// Policies
    #[default]
    Policy,
    /// Tests of policies
    Test,
    /// Records of a gateway's audit file
    Audit,
    /// What `scan --format json` writes
    Scan,
    /// What `scan --overrides` reads
    Overrides,
}

#[derive(Debug, Args)]
pub(crate) struct EvalArgs {
    /// The policy file; several are a stack, in their order
    #[arg(long, short, required = true, value_name = "FILE")]
    pub(crate) policy: Vec<PathBuf>,
    /// The tool that is called
    #[arg(long, value_name = "NAME", required_unless_present = "calls", conflicts_with = "calls")]
    pub(crate) tool: Option<String>,
    #[command(flatten)]
    pub(crate) call: CallArgs,
    /// Calls as JSON lines; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["args", "identity", "server"])]
    pub(crate) calls: Option<PathBuf>,
    /// How decisions are shown
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: EvalFormat,
    /// Where counters are kept: `memory`, `sqlite:///path` or `sqlite://relative/path`
    #[arg(long, value_name = "URL", default_value = "memory", hide_default_value = true)]
    pub(crate) store: String,
    /// Count decisions by effect, code, tool and rule at the end (on standard error with --format json)
    #[arg(long)]
    pub(crate) summary: bool,
}

/// What a call is beside its tool.
#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    /// The arguments, a JSON object; `@FILE` reads them from a file, `-` from standard input (`@-` too)
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    pub(crate) args: Option<String>,
    /// Who calls: an id, or claims as a JSON object
    #[arg(long, value_name = "ID|JSON")]
    pub(crate) identity: Option<String>,
    /// The name of the server that the call goes to
    #[arg(long, value_name = "NAME")]
    pub(crate) server: Option<String>,
    /// When, as RFC 3339; the present if left out
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum EvalFormat {
    /// A block for each decision
    #[default]
    Human,
    /// A decision's JSON on a line each
    Json,
    /// A row for each decision, one for any number of the same in a row
    Table,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The policy file; several are a stack, in their order
    #[arg(long, short, required = true, value_name = "FILE")]
    pub(crate) policy: Vec<PathBuf>,
    /// The tool that is called
    #[arg(long, value_name = "NAME")]
    pub(crate) tool: String,
    #[command(flatten)]
    pub(crate) call: CallArgs,
    /// How the checks are shown
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: ExplainFormat,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(crate) enum ExplainFormat {
    /// A tree
    #[default]
    Human,
    /// One JSON object
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CountersCommand {
    /// Show what is used, by whom, and until when
    #[command(after_help = "\
Examples:
  callgate counters list --store sqlite:///var/lib/agent/counters.db
  callgate counters list --store sqlite://counters.db --tool create_charge
  callgate counters list --store sqlite://counters.db --format json | jq -r 'select(.used == \"5\").for'

Counters that hold nothing are not shown; the order is the store's.

Exit status: 0, also if there is none to show, 2 on an error.")]
    List(ListArgs),
    /// Make counters hold nothing
    #[command(after_help = "\
Examples:
  callgate counters reset --store sqlite://counters.db --tool create_charge
  callgate counters reset --store sqlite://counters.db --tool create_charge --counter spend --for 'id \"alice\"'
  callgate counters reset --store sqlite://counters.db --budget money
  callgate counters reset --store sqlite://counters.db --everything

What is reset is shown as `list` shows it. What was charged before can no longer be released.

Exit status: 0 if a counter was reset, 1 if none that is selected holds anything, 2 on an error.")]
    Reset(ResetArgs),
}

/// Which counters.
#[derive(Debug, Args)]
pub(crate) struct Selection {
    /// Where they are kept: `sqlite:///path` or `sqlite://relative/path`
    #[arg(long, value_name = "URL")]
    pub(crate) store: String,
    /// Those of another namespace than `callgate`
    #[arg(long, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// Only those of this entry of `tools`: a tool's name, a glob, or `*`
    #[arg(long, value_name = "NAME")]
    pub(crate) tool: Option<String>,
    /// Only those of `all_tools`
    #[arg(long, conflicts_with = "tool")]
    pub(crate) all_tools: bool,
    /// Only those of the policy of this name, one of a stack
    #[arg(long, value_name = "NAME")]
    pub(crate) layer: Option<String>,
    /// Only this budget's
    #[arg(long, value_name = "NAME", conflicts_with_all = ["tool", "all_tools", "counter"])]
    pub(crate) budget: Option<String>,
    /// Only those of this name
    #[arg(long, value_name = "NAME")]
    pub(crate) counter: Option<String>,
    /// Only those that count for this one, as `list` shows it: `id "alice"`, or with the kind of scope before it
    #[arg(long = "for", value_name = "VALUE")]
    pub(crate) scope: Option<String>,
    /// How counters are shown
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: CountersFormat,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) selection: Selection,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true).args(["tool", "all_tools", "layer", "budget", "everything"]))]
pub(crate) struct ResetArgs {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// All counters of the namespace
    #[arg(long, conflicts_with_all = ["tool", "all_tools", "layer", "budget", "counter", "scope"])]
    pub(crate) everything: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum CountersFormat {
    /// A line for each counter
    #[default]
    Human,
    /// A JSON object on a line for each counter
    Json,
}
