//! `callgate proxy wrap`: callgate in front of the servers of an MCP client's configuration.
//!
//! In: a configuration file. Out: the file, rewritten, and a line for each server. Must not print what the file says of servers, but for a diff
//! that was asked for: configurations hold tokens.

use std::io::Write;
use std::path::{Path, PathBuf, absolute};
use std::{env, fs};

use callgate_gateway::wrap::{Backup, Change, Configuration, Server, ServerState, WrapError, Wrapping};
use clap::ValueEnum;
use serde_json::json;
use similar::TextDiff;

use crate::command::output;
use crate::failure::{Failure, NO, Outcome, answered, tell};
use crate::session::load_policy;
use crate::terminal::{Paint, colours, shown};

pub(super) const HELP: &str = "\
Examples:
  callgate proxy wrap .mcp.json
  callgate proxy wrap .mcp.json --policy policy.yaml
  callgate proxy wrap .mcp.json --policy github.yaml --server github
  callgate proxy wrap .mcp.json --policy base.yaml --policy team.yaml
  callgate proxy wrap .cursor/mcp.json --policy policy.yaml --check
  callgate proxy wrap .vscode/mcp.json --policy '${workspaceFolder}/policy.yaml' --command callgate
  callgate proxy wrap ~/.claude.json --undo

FILE is the configuration of Claude Code (.mcp.json, ~/.claude.json), Claude Desktop (claude_desktop_config.json), Cursor
(.cursor/mcp.json), VS Code (.vscode/mcp.json), or of any client that has its servers in `mcpServers`. A server that is a
process is started by `callgate proxy`. One that is reached by URL is left as it is, and named. Without --policy it is a dry
run: every call is recorded, and none is stopped. A server that is wrapped already keeps its policy, unless another is given.
Several policies are a stack, in their order, and take the place of all that a server had.

The old file is kept beside the new one, as FILE.callgate-backup. Restart the client afterwards.

Exit status: 0 if the servers are as asked, 1 if no server could be wrapped, or with --check if the file would change, 2 on
an error.";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The client's configuration
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The policy that decides the calls; a path with `${` in it is left to the client. Several are a stack, in their order
    #[arg(long, short, value_name = "FILE", conflicts_with = "undo")]
    policy: Vec<PathBuf>,
    /// Only the server of this name; may be given several times
    #[arg(long = "server", value_name = "NAME")]
    servers: Vec<String>,
    /// Start servers without callgate, as before
    #[arg(long)]
    undo: bool,
    /// Show what would change, as a diff, and write nothing
    #[arg(long)]
    check: bool,
    /// How the client starts callgate; the absolute path of this program if left out
    #[arg(long, value_name = "PROGRAM")]
    command: Option<String>,
    /// How servers are shown
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line for each server
    #[default]
    Human,
    /// One JSON object
    Json,
}

pub(super) fn run(args: &Args) -> Outcome {
    let configuration = Configuration::read(&args.file)?;
    let program = program_of(args)?;
    let change = if args.undo {
        configuration.undo(&program, &args.servers)?
    } else {
        let mut wrapping = Wrapping::new(program).servers(&args.servers);
        for policy in policy_paths(&args.policy)? {
            wrapping = wrapping.policy(policy);
        }
        configuration.wrap(&wrapping)?
    };
    if !args.check {
        change.write()?;
    }
    note_shared_policy(args, &change);
    let found = |server: &Server| args.undo || !matches!(server.state, ServerState::Remote);
    let is_no = if args.check { !change.is_empty() } else { !change.servers().iter().any(found) };
    answered(write(args, &change), if is_no { NO } else { 0 })
}

/// How the client starts callgate.
fn program_of(args: &Args) -> Result<String, Failure> {
    if let Some(program) = &args.command {
        return Ok(program.clone());
    }
    let program = program()?;
    if !args.undo && may_be_emptied(&program) {
        let message = format!("this program may not stay where it is: {}", program.display());
        tell("warning", &message, Some("install it, or name one that stays with `--command`"));
    }
    text(&program)
}

/// Tools of two servers have different names: what one policy allows of both is seldom what was meant.
fn note_shared_policy(args: &Args, change: &Change) {
    let guarded = change.servers().iter().filter(|server| !server.policies.is_empty()).count();
    if !args.policy.is_empty() && guarded > 1 {
        let what = if args.policy.len() > 1 { "one stack of policies" } else { "one policy" };
        let message = format!("{what} decides the calls of {guarded} servers");
        tell("note", &message, Some("`--server NAME` gives each server a policy of its own"));
    }
}

/// The paths of policies that load, and go together. One with a variable is the client's to expand.
fn policy_paths(paths: &[PathBuf]) -> Result<Vec<String>, Failure> {
    let has_variable = |path: &PathBuf| path.to_str().is_some_and(|path| path.contains("${"));
    // A client whose servers do not start is a poor way to find out.
    if !paths.iter().any(has_variable) && !paths.is_empty() {
        load_policy(paths)?;
    } else {
        for path in paths.iter().filter(|path| !has_variable(path)) {
            load_policy(std::slice::from_ref(path))?;
        }
    }
    let written = paths.iter().map(|path| {
        if has_variable(path) {
            return text(path);
        }
        text(&absolute(path).map_err(|error| Failure::reading(path, &error))?)
    });
    written.collect()
}

/// This program, by the name that a shell finds it by: where that is a link, it stays right when the program is updated.
fn program() -> Result<PathBuf, Failure> {
    let program = env::current_exe().and_then(fs::canonicalize);
    let program = program.map_err(|error| {
        Failure::with_help(format!("this program has no path: {error}"), "name it with `--command`")
    })?;
    let name = format!("callgate{}", env::consts::EXE_SUFFIX);
    let folders = env::var_os("PATH").unwrap_or_default();
    let mut found =
        env::split_paths(&folders).filter(|folder| folder.is_absolute()).map(|folder| folder.join(&name));
    let found = found.find(|found| fs::canonicalize(found).is_ok_and(|real| real == program));
    Ok(found.unwrap_or(program))
}

/// Whether a path leads through a cache, as those of `npx` and `uvx` do, or through a folder of temporary files.
fn may_be_emptied(program: &Path) -> bool {
    const NAMES: [&str; 6] = ["_npx", "cache", "caches", ".cache", "tmp", "temp"];
    let is_named = |folder: &str| NAMES.iter().any(|name| folder.eq_ignore_ascii_case(name));
    program.components().any(|folder| folder.as_os_str().to_str().is_some_and(is_named))
}

fn text(path: &Path) -> Result<String, Failure> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| Failure::new(format!("{}: its name is not UTF-8", path.display())))
}

fn write(args: &Args, change: &Change) -> Result<(), Failure> {
    let mut out = output();
    match args.format {
        Format::Json => writeln!(out, "{}", as_json(args, change))?,
        Format::Human => write_for_people(&mut out, args, change)?,
    }
    out.flush()?;
    Ok(())
}

fn write_for_people(out: &mut impl Write, args: &Args, change: &Change) -> Result<(), Failure> {
    let coloured = colours(&std::io::stdout());
    let file = args.file.display().to_string();
    if args.check {
        write_diff(out, coloured, &file, change)?;
    }
    for server in change.servers() {
        let place = format!("{file}:{}", server.line);
        let name = match &server.project {
            Some(project) => format!("{} in {}", shown(&server.name), shown(project)),
            None => shown(&server.name).into_owned(),
        };
        let (paint, what) = state_of(server);
        writeln!(out, "{}: {name}: {}", shown(&place), paint.on(coloured, what))?;
    }
    if args.check || change.is_empty() {
        return Ok(());
    }
    match change.backup() {
        Some(Backup::Made(path) | Backup::Kept(path)) if !args.undo => {
            writeln!(out, "the file as it was: {}", shown(&path.display().to_string()))?;
        }
        Some(Backup::Restored(_)) => writeln!(out, "the file is as it was, byte for byte")?,
        Some(Backup::Kept(path)) => {
            let path = path.display().to_string();
            writeln!(out, "only callgate was taken out; the file as it was: {}", shown(&path))?;
        }
        _ => writeln!(out, "only callgate was taken out; there is no backup")?,
    }
    writeln!(out, "restart the client")?;
    Ok(())
}

fn state_of(server: &Server) -> (Paint, &'static str) {
    match (server.state, server.policies.first()) {
        (ServerState::Wrapped, Some(_)) => (Paint::Green, "wrapped: the policy decides its calls"),
        (ServerState::Changed, Some(_)) => (Paint::Green, "changed: the policy decides its calls"),
        (ServerState::Kept, Some(_)) => (Paint::Green, "stays wrapped: the policy decides its calls"),
        (ServerState::Wrapped, None) => {
            (Paint::Yellow, "wrapped, a dry run: every call is recorded, and none is stopped")
        }
        (ServerState::Changed, None) => {
            (Paint::Yellow, "changed, a dry run: every call is recorded, and none is stopped")
        }
        (ServerState::Kept, None) => {
            (Paint::Yellow, "stays wrapped, a dry run: every call is recorded, and none is stopped")
        }
        (ServerState::Unwrapped, _) => (Paint::Green, "started without callgate again"),
        (ServerState::Bare, _) => (Paint::Dim, "is started without callgate"),
        (ServerState::Guarded, _) => {
            (Paint::Dim, "left as it is: callgate is its command, without a server behind `--`")
        }
        _ => (Paint::Red, "left as it is, unguarded: it is not started as a process"),
    }
}

/// Only the lines that change: those around them may hold tokens.
fn write_diff(out: &mut impl Write, coloured: bool, file: &str, change: &Change) -> Result<(), Failure> {
    let before = String::from_utf8_lossy(change.before());
    let after = String::from_utf8_lossy(change.after());
    let diff = TextDiff::from_lines(&*before, &*after);
    let diff = diff.unified_diff().context_radius(0).header(file, file).to_string();
    for line in diff.split_terminator('\n') {
        let line = shown_line(line.strip_suffix('\r').unwrap_or(line));
        let line = match line.as_bytes().first() {
            Some(b'+') => Paint::Green.on(coloured, &line),
            Some(b'-') => Paint::Red.on(coloured, &line),
            _ => Paint::Dim.on(coloured, &line),
        };
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// A line of the file, made safe: tabs steer nothing, and files are indented with them.
fn shown_line(line: &str) -> String {
    line.split('\t').map(shown).collect::<Vec<_>>().join("\t")
}

fn as_json(args: &Args, change: &Change) -> serde_json::Value {
    let state = |state| match state {
        ServerState::Wrapped => "wrapped",
        ServerState::Changed => "changed",
        ServerState::Kept => "kept",
        ServerState::Unwrapped => "unwrapped",
        ServerState::Bare => "bare",
        ServerState::Guarded => "guarded",
        _ => "remote",
    };
    let servers = change.servers().iter().map(|server| {
        json!({
            "project": server.project,
            "name": server.name,
            "line": server.line,
            "state": state(server.state),
            "policy": match &*server.policies {
                [] => serde_json::Value::Null,
                [policy] => json!(policy),
                policies => json!(policies),
            },
        })
    });
    let backup = change.backup().map(|backup| backup.path().display().to_string());
    json!({
        "file": args.file.display().to_string(),
        "changes": !change.is_empty(),
        "written": !change.is_empty() && !args.check,
        "restored": matches!(change.backup(), Some(Backup::Restored(_))),
        "backup": backup,
        "servers": servers.collect::<Vec<_>>(),
    })
}

impl From<WrapError> for Failure {
    fn from(error: WrapError) -> Self {
        Self::new(error.to_string())
    }
}
