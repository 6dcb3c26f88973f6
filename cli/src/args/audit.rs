//! What may be asked of audit files.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

pub(super) const STATUS_HELP: &str = "\
Examples:
  callgate status
  callgate status --denied
  callgate status --format json | jq 'select(.denied > 0).server'
  callgate status --dir /var/lib/agent/audit

It reads the audit files of the directory, and starts nothing. The rate is that of the last ten minutes.

Exit status: 0, also if no gateway has run, 2 if a file cannot be read.";

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Show the last fifty denials of each server, with their messages
    #[arg(long)]
    pub(crate) denied: bool,
    /// The directory of the audit files; the user's own if left out
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// How it is shown
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: AuditFormat,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum AuditFormat {
    /// For people
    #[default]
    Human,
    /// A JSON object on a line for each server or file
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Find records that were changed, removed, added or moved
    #[command(after_help = "\
Examples:
  callgate audit verify ~/.local/state/callgate/audit/github.jsonl
  callgate audit verify --format json audit/*.jsonl
  callgate audit verify audit/github.jsonl.3

The gateway must have written the file with `--audit-chain`. The older files that it put aside, FILE.1 and so on, are read with it.
Who may write the files may also write a whole new chain: keep the last digest elsewhere to find that.

Exit status: 0 if every record is as it was written, 1 if one is not, 2 if a file cannot be read or has no chain.")]
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Audit files
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// How findings are shown
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: AuditFormat,
}
