//! The arguments of `callgate catalogue` and `callgate init`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::scan::Profile;

#[derive(Debug, Subcommand)]
pub(crate) enum CatalogueCommand {
    /// List the servers that have policies
    #[command(after_help = "\
Examples:
  callgate catalogue list
  callgate catalogue list --format json | jq -r '.servers[].server'

Exit status: 0, or 2 on an error.")]
    List(CatalogueListArgs),
    /// Show a server's page: what its policies stop, what they do not, and its tools by class
    #[command(after_help = "\
Examples:
  callgate catalogue show github
  callgate catalogue show github --file recommended.yaml
  callgate catalogue show github --file tools.json | callgate scan --tools - --name github
  callgate catalogue show github --format json | jq -r '.tools[] | select(.class == \"Destructive\").name'

Exit status: 0, or 2 on an error: no server, or no file, has this name.")]
    Show(CatalogueShowArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CatalogueListArgs {
    /// How it is shown
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: CatalogueFormat,
}

#[derive(Debug, Args)]
pub(crate) struct CatalogueShowArgs {
    /// The server's name, as `callgate catalogue list` has it
    #[arg(value_name = "SERVER")]
    pub(crate) server: String,
    /// Print this file of it instead, as it is
    #[arg(long, value_name = "NAME", conflicts_with = "format")]
    pub(crate) file: Option<String>,
    /// How it is shown
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: CatalogueFormat,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum CatalogueFormat {
    /// For people
    #[default]
    Human,
    /// One JSON object
    Json,
}

pub(super) const INIT_HELP: &str = "\
Examples:
  callgate init filesystem
  callgate init github --profile read-only --dir policies
  callgate init github --force && callgate test

It writes SERVER.yaml, SERVER_test.yaml, SERVER.lock and, where a class was given by hand, SERVER-overrides.yaml. Nothing is fetched.
No file is replaced without --force, and none is written if one of them cannot be.

What stands in angle brackets, such as <OWNER>, only you can know. Fill it in in the policy and in its tests: until then, what it guards is denied.

Exit status: 0 if the files are written, 2 if not: no server has this name, a file is there already, or it cannot be written.";

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The server's name, as `callgate catalogue list` has it
    #[arg(value_name = "SERVER")]
    pub(crate) server: String,
    /// What the policy lets pass
    #[arg(long, value_enum, default_value_t, value_name = "PROFILE")]
    pub(crate) profile: Profile,
    /// Where the files are written; it is made if it is not there
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Replace files that are there
    #[arg(long)]
    pub(crate) force: bool,
}
