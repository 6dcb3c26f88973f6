//! What may be asked of calls that wait for a person's approval.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum ApprovalsCommand {
    /// List the calls that wait for approval
    #[command(after_help = "\
Examples:
  callgate approvals list
  callgate approvals list --all
  callgate approvals list --store redis://localhost --namespace payments
  callgate approvals list --format json | jq -r 'select(.server == \"payments\").id'

Arguments are not listed: `callgate approvals show ID` shows those of one call.

Exit status: 0, also if none waits, 2 on an error.")]
    List(ListArgs),
    /// Show one call, with the arguments that would be sent
    #[command(after_help = "\
Examples:
  callgate approvals show k3x9m2ab
  callgate approvals show k3x9m2ab --format json | jq -r .args.text

Arguments are shown as the server would get them, but for control characters and those that reorder text, which are escaped. How
much of them is kept is the gateway's choice: `callgate proxy --approval-args none|keys|full`.

Exit status: 0, 1 if no call has this id, 2 on an error.")]
    Show(ShowArgs),
    /// Let a call through: once, or as often as the rules that ask say
    #[command(after_help = "\
Examples:
  callgate approvals approve k3x9m2ab
  callgate approvals approve k3x9m2ab --for 10m --by alice
  callgate approvals approve k3x9m2ab --store redis://localhost --namespace payments

The same call, repeated, passes within that time: the same tool, arguments, caller and policy, but for what the rules that ask ignore. It passes
once, or as often as they say by `uses`. Limits hold all the same.

Exit status: 0, 1 if a call was not approved: no call has this id, it was let through before, or not all of its arguments can be shown;
2 on an error.")]
    Approve(ApproveArgs),
    /// Refuse a call, or take an approval back
    #[command(after_help = "\
Examples:
  callgate approvals deny k3x9m2ab
  callgate approvals deny k3x9m2ab --for 7d --by alice

The same call, repeated, is refused for that time, and asks for approval again after it.

Exit status: 0, 1 if a call was not denied: no call has this id, or it was let through before; 2 on an error.")]
    Deny(DenyArgs),
}

/// Where calls are filed.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Where they are kept: `sqlite:///path`, `redis://host`; the file in the user's state directory if left out
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<String>,
    /// Only those of this namespace, by default the server's name; all if left out, which Redis cannot tell
    #[arg(long, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// How it is shown
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: ApprovalsFormat,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Those that were answered, too
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The call's id
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct ApproveArgs {
    /// The calls' ids
    #[arg(required = true, value_name = "ID")]
    pub(crate) ids: Vec<String>,
    /// For how long: `90s`, `10m`, `2h`, `7d`; at most as long as the policy lets an approval hold, and 366 days. If left out, that, or an
    /// hour where the policy does not say
    #[arg(long = "for", value_name = "DURATION", value_parser = crate::duration::parse)]
    pub(crate) lasts: Option<Duration>,
    /// Who approves; the user of this system if left out
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,
    /// Approve though the arguments are too long to be shown whole
    #[arg(long)]
    pub(crate) unseen: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct DenyArgs {
    /// The calls' ids
    #[arg(required = true, value_name = "ID")]
    pub(crate) ids: Vec<String>,
    /// For how long: `90s`, `10m`, `2h`, `7d`; at most 366 days
    #[arg(long = "for", value_name = "DURATION", default_value = "1d", value_parser = crate::duration::parse)]
    pub(crate) lasts: Duration,
    /// Who denies; the user of this system if left out
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ApprovalsFormat {
    /// For people
    #[default]
    Human,
    /// A JSON object on a line for each call
    Json,
}
