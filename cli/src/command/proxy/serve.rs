//! `callgate proxy -- COMMAND`: the gateway in front of a server.
//!
//! In: flags. Out: a gateway that runs. Must not start a server before the policy, the store and the log are there.

use std::ffi::OsString;
use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use callgate::lock::{OnDrift, Pins};
use callgate::{OnStoreError, Policy};
use callgate_gateway::audit::{self, Log, ShownArgs};
use callgate_gateway::proxy::{self, ApprovalShown, Caller, Options, PolicyOfFile, WithoutSchema};
use callgate_gateway::{Size, state};
use callgate_host::{SharedStore, StoreOptions, load_pins, open_store};
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::call::claims_of_argument;
use crate::command::output;
use crate::failure::{Failure, Outcome, answered, tell};
use crate::session::load_policy;

/// The least size at which a file of records is put aside.
const LEAST_ROTATE: Size = Size::of(64 << 10);

/// The gateway, and its server.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The policy file to enforce; several are a stack, in their order. Without one it is a dry run: every call passes, and is recorded
    #[arg(long, short, value_name = "FILE", short_alias = 'c', alias = "config")]
    policy: Vec<PathBuf>,
    /// A candidate: it decides beside the policy, with counters of its own, and changes nothing. Records have both decisions. Several
    /// are a stack
    #[arg(long, value_name = "NEXT")]
    observe: Vec<PathBuf>,
    /// What records and counters call the server; the name of the last policy file if left out
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Who calls: an id, or claims as a JSON object
    #[arg(long, value_name = "ID|JSON", default_value = "local")]
    identity: String,
    /// Where counters and approvals are kept: `memory`, `sqlite:///path`, `redis://host`; a file in the user's state directory if left out
    #[arg(long, value_name = "URL", alias = "state-dsn")]
    store: Option<String>,
    /// As `--store`, a file in this directory
    #[arg(long, value_name = "DIR", hide = true, conflicts_with = "store")]
    state_dir: Option<PathBuf>,
    /// Counters of this namespace; the server's name if left out
    #[arg(long, value_name = "NAME", alias = "state-prefix")]
    namespace: Option<String>,
    /// What becomes of a call when the store fails
    #[arg(long, value_enum, default_value_t, value_name = "CHOICE", alias = "state-fail-mode")]
    on_store_error: Choice,
    /// What becomes of a call of a tool that the server does not list, where rules read arguments
    #[arg(long, value_enum, default_value_t, value_name = "CHOICE")]
    without_schema: Choice,
    /// Lets no tool through that is not as it was approved: as `callgate scan --lock FILE` wrote it. Of several servers in it, the one that
    /// `--name` names
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,
    /// What becomes of a tool that is not as it was approved
    #[arg(long, value_enum, default_value_t, value_name = "CHOICE", requires = "lock")]
    on_drift: Drift,
    /// What is kept of the arguments of a call that waits for a person's approval, for `callgate approvals show`
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    approval_args: ApprovalArgs,
    /// Do not read the policy file again when it changes
    #[arg(long)]
    no_watch: bool,
    /// Read the policy file again when it changes, as is the default
    #[arg(long, hide = true, conflicts_with = "no_watch")]
    watch: bool,
    /// The most bytes of a message
    #[arg(long, value_name = "SIZE", default_value = "16MiB")]
    max_message: Size,
    /// How long the server has to end, before it is asked to, and again before it is made to
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = crate::duration::parse)]
    grace: Duration,
    /// What becomes of the server's standard error: passed on, thrown away, or passed on line by line with the server's name
    #[arg(long, value_enum, default_value_t, value_name = "WAY")]
    stderr: Stderr,
    /// The file of records, or `off`; a file in the user's state directory if left out
    #[arg(long, value_name = "FILE|off")]
    audit: Option<PathBuf>,
    /// Size at which the file of records is put aside
    #[arg(long, value_name = "SIZE")]
    audit_rotate: Option<Size>,
    /// Each record holds the digest of the one before: `callgate audit verify` finds what was changed
    #[arg(long)]
    audit_chain: bool,
    /// Refuse calls while records cannot be written
    #[arg(long)]
    audit_required: bool,
    /// What records show of arguments; a keyed digest if --audit-key-file is given, else their names
    #[arg(long, value_enum, value_name = "WHAT")]
    audit_args: Option<AuditArgs>,
    /// The key of digests, at least 16 bytes
    #[arg(long, value_name = "FILE")]
    audit_key_file: Option<PathBuf>,
    /// Check all of this, start nothing
    #[arg(long)]
    check: bool,
    /// Print the configuration that results, as JSON, and start nothing
    #[arg(long, conflicts_with = "check")]
    print_config: bool,
    #[command(flatten)]
    intercept: Intercept,
    /// The server's command, after `--`
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Flags of Intercept that mean nothing here, or not yet.
#[derive(Debug, Args)]
struct Intercept {
    #[arg(long, hide = true, value_name = "LEVEL")]
    log_level: Option<String>,
    #[arg(long, hide = true, value_name = "KIND")]
    transport: Option<String>,
    #[arg(long, hide = true, value_name = "URL")]
    upstream: Option<String>,
    #[arg(long, hide = true, value_name = "HEADER")]
    header: Vec<String>,
    #[arg(long, hide = true, value_name = "ADDRESS")]
    bind: Option<String>,
    #[arg(long, hide = true, value_name = "PORT")]
    port: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Choice {
    /// It does not run
    #[default]
    #[value(alias = "closed")]
    Deny,
    /// It runs, as far as the rest of the policy allows it
    #[value(alias = "open")]
    Allow,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Drift {
    /// It is not listed, and does not run
    #[default]
    Hide,
    /// It is listed, and does not run
    Deny,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum ApprovalArgs {
    /// Nothing
    None,
    /// Their names
    Keys,
    /// Their text, just as it would be sent
    #[default]
    Full,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Stderr {
    #[default]
    Inherit,
    Null,
    Log,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AuditArgs {
    /// Nothing
    None,
    /// Their names
    Keys,
    /// Their names, and a digest, which can be guessed where arguments can
    Hash,
    /// Their names, and a digest by the key of --audit-key-file
    Hmac,
}

pub(super) fn run(args: &Serve) -> Outcome {
    args.refuse_what_comes_later()?;
    let given = Given::read(args)?;
    if args.print_config {
        let mut out = output();
        let shown = serde_json::to_string_pretty(&given.shown(args)).unwrap_or_default();
        return answered(writeln_to(&mut out, &shown), 0);
    }
    if !args.check && io::stdin().is_terminal() {
        return Err(Failure::with_help(
            "standard input is a terminal: a client starts this command and speaks to it",
            "`callgate proxy wrap FILE` changes a client's configuration; `--check` tries the flags",
        ));
    }
    let store = given.open_store(args)?;
    let log = given.open_log(args)?;
    if args.check {
        if !args.command.first().is_some_and(|program| can_be_started(Path::new(program))) {
            let program = args.command.first().map(|program| program.to_string_lossy()).unwrap_or_default();
            return Err(Failure::new(format!("the server's command is not found: {program}")));
        }
        let mut out = output();
        return answered(writeln_to(&mut out, &format!("{}: ok", given.name)), 0);
    }
    let mut options = Options::new(args.command.clone(), &given.name, store)
        .caller(given.caller)
        .on_store_error(on_store_error(args.on_store_error))
        .without_schema(match args.without_schema {
            Choice::Deny => WithoutSchema::Deny,
            Choice::Allow => WithoutSchema::Allow,
        })
        .approval_args(match args.approval_args {
            ApprovalArgs::None => ApprovalShown::None,
            ApprovalArgs::Keys => ApprovalShown::Keys,
            ApprovalArgs::Full => ApprovalShown::Full,
        })
        .watch(!args.no_watch)
        .max_message(usize::try_from(args.max_message.bytes()).unwrap_or(usize::MAX))
        .grace(args.grace)
        .stderr(match args.stderr {
            Stderr::Inherit => proxy::Stderr::Inherit,
            Stderr::Null => proxy::Stderr::Null,
            Stderr::Log => proxy::Stderr::Log,
        });
    if let Some(pins) = given.lock {
        options = options.lock(
            pins,
            match args.on_drift {
                Drift::Hide => OnDrift::Hide,
                Drift::Deny => OnDrift::Deny,
            },
        );
    }
    if let Some(policy) = given.policy {
        options = options.policy(PolicyOfFile { files: args.policy.as_slice().into(), policy });
    }
    if let Some(policy) = given.candidate {
        options = options.candidate(PolicyOfFile { files: args.observe.as_slice().into(), policy });
    }
    match proxy::run(options, log) {
        Ok(code) => Ok(ExitCode::from(code)),
        Err(error) => Err(Failure::new(format!("the gateway cannot run: {error}"))),
    }
}

/// Whether there is such a program: a path, or a name that the system looks for.
fn can_be_started(program: &Path) -> bool {
    let is_path = program.components().nth(1).is_some();
    if is_path || cfg!(windows) {
        return program.exists() || !is_path;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

fn writeln_to(out: &mut impl io::Write, text: &str) -> Result<(), Failure> {
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

const fn on_store_error(choice: Choice) -> OnStoreError {
    match choice {
        Choice::Deny => OnStoreError::Deny,
        Choice::Allow => OnStoreError::Allow,
    }
}

/// What flags and files say.
struct Given {
    name: String,
    caller: Caller,
    policy: Option<Policy>,
    candidate: Option<Policy>,
    lock: Option<Pins>,
    store: String,
    /// The directory to be made for the store.
    directory: Option<PathBuf>,
    namespace: String,
    /// `None` for no records.
    audit: Option<PathBuf>,
}

impl Given {
    fn read(args: &Serve) -> Result<Self, Failure> {
        if args.command.is_empty() {
            let help = "as in `callgate proxy -p policy.yaml -- npx -y @modelcontextprotocol/server-filesystem /data`";
            return Err(Failure::with_help("the server's command is missing: it stands after `--`", help));
        }
        let load = |files: &[PathBuf]| if files.is_empty() { Ok(None) } else { load_policy(files).map(Some) };
        let policy = load(&args.policy)?;
        let candidate = load(&args.observe)?;
        let pins = |file: &PathBuf| load_pins(file, args.name.as_deref());
        let lock =
            args.lock.as_ref().map(pins).transpose().map_err(|error| Failure::new(error.to_string()))?;
        let name = args.name.clone().unwrap_or_else(|| args.default_name());
        if name.is_empty() {
            return Err(Failure::with_help("the server has no name", "give it one, as in `--name github`"));
        }
        let (store, directory) = args.store()?;
        let audit = match &args.audit {
            Some(off) if off == Path::new("off") => None,
            Some(file) => Some(file.clone()),
            None => Some(state::audit().ok_or_else(|| no_state("--audit FILE"))?),
        };
        if audit.is_none() && policy.is_none() && lock.is_none() {
            let help = "give a policy with `-p`, or leave `--audit off` out";
            return Err(Failure::with_help(
                "without a policy and without records, there is nothing to do",
                help,
            ));
        }
        if audit.is_none() && args.audit_required {
            return Err(Failure::new("`--audit-required` needs records: `--audit off` writes none"));
        }
        let namespace = args.namespace.clone().unwrap_or_else(|| name.clone());
        let caller = match claims_of_argument(&args.identity)? {
            Some(claims) => Caller::Claims(claims),
            None => Caller::Id(args.identity.clone()),
        };
        Ok(Self { caller, policy, candidate, lock, store, directory, namespace, audit, name })
    }

    fn open_store(&self, args: &Serve) -> Result<SharedStore, Failure> {
        if let Some(directory) = &self.directory {
            private_directory(directory)
                .map_err(|error| Failure::new(format!("{} cannot be made: {error}", directory.display())))?;
        }
        let options = StoreOptions::new()
            .with_namespace(&self.namespace)
            .with_on_error(on_store_error(args.on_store_error));
        Ok(open_store(&self.store, &options)?)
    }

    fn open_log(&self, args: &Serve) -> Result<Log, Failure> {
        let Some(audit) = &self.audit else { return Ok(Log::off()) };
        let options = match &args.audit {
            Some(file) => audit::Options::new(file, &self.name),
            None => audit::Options::in_directory(audit, &self.name),
        };
        let mut options =
            options.chain(args.audit_chain).required(args.audit_required).args(args.shown_args()?);
        if let Some(size) = args.audit_rotate {
            if size < LEAST_ROTATE {
                let help = "a record alone may have 1 KiB, so a file of fewer holds next to nothing";
                return Err(Failure::with_help(
                    format!("--audit-rotate {size}: at least {LEAST_ROTATE}"),
                    help,
                ));
            }
            options = options.rotate_at(size.bytes());
        }
        Log::open(options).map_err(|error| Failure::new(error.to_string()))
    }

    /// The configuration that results, without what may be a secret.
    fn shown(&self, args: &Serve) -> serde_json::Value {
        json!({
            // Servers take keys as arguments.
            "program": args.command.first().map(|program| program.to_string_lossy()),
            "arguments": args.command.len().saturating_sub(1),
            "name": self.name,
            "mode": match (&*args.policy, &*args.observe) {
                ([], _) => "dry_run",
                ([_, ..], []) => "enforce",
                ([_, ..], [_, ..]) => "observe",
            },
            "policy": shown_files(&args.policy),
            "observe": shown_files(&args.observe),
            "identity": match &self.caller {
                Caller::Id(id) => json!(id),
                Caller::Claims(claims) => json!({
                    "id": claims.get("id"),
                    "claims": claims.as_object().map(|claims| claims.keys().collect::<Vec<_>>()),
                }),
            },
            "store": audit::without_credentials(&self.store),
            "namespace": self.namespace,
            "on_store_error": named(args.on_store_error),
            "without_schema": named(args.without_schema),
            "lock": args.lock,
            "on_drift": args.lock.as_ref().map(|_| match args.on_drift {
                Drift::Hide => "hide",
                Drift::Deny => "deny",
            }),
            "watch": !args.no_watch,
            "max_message": args.max_message.to_string(),
            "grace_ms": args.grace.as_millis(),
            "audit": self.audit,
            "audit_chain": args.audit_chain,
            "audit_required": args.audit_required,
        })
    }
}

/// No file, one, or a list.
fn shown_files(files: &[PathBuf]) -> serde_json::Value {
    match files {
        [] => serde_json::Value::Null,
        [file] => json!(file),
        files => json!(files),
    }
}

fn named(choice: Choice) -> &'static str {
    match choice {
        Choice::Deny => "deny",
        Choice::Allow => "allow",
    }
}

impl Serve {
    fn refuse_what_comes_later(&self) -> Result<(), Failure> {
        let Intercept { log_level, transport, upstream, header, bind, port } = &self.intercept;
        let is_http = transport.as_deref().is_some_and(|kind| kind != "stdio");
        if is_http || upstream.is_some() || !header.is_empty() || bind.is_some() || port.is_some() {
            return Err(Failure::with_help(
                "servers over HTTP are not supported yet",
                "a server that speaks over standard input and output is started by the command after `--`",
            ));
        }
        if log_level.is_some() {
            tell("note", "--log-level has no effect: records are in the audit file", None);
        }
        Ok(())
    }

    fn default_name(&self) -> String {
        // The last of a stack is the one that is nearest to the server.
        let file = match (self.policy.last(), self.command.first()) {
            (Some(policy), _) => policy.as_path(),
            (None, Some(program)) => Path::new(program),
            (None, None) => return String::new(),
        };
        file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// The store's URL, and the directory that is made for it.
    fn store(&self) -> Result<(String, Option<PathBuf>), Failure> {
        if let Some(url) = &self.store {
            return Ok((url.clone(), None));
        }
        let file = match &self.state_dir {
            Some(directory) => directory.join("store.db"),
            None => state::store().ok_or_else(|| no_state("--store URL"))?,
        };
        let path = file.to_str().ok_or_else(|| {
            Failure::new(format!("{} is not UTF-8: name a store by --store", file.display()))
        })?;
        Ok((format!("sqlite://{path}"), file.parent().map(Path::to_owned)))
    }

    fn shown_args(&self) -> Result<ShownArgs, Failure> {
        match (self.audit_args, &self.audit_key_file) {
            (None | Some(AuditArgs::Hmac), Some(file)) => {
                ShownArgs::hmac_of_file(file).map_err(|error| Failure::reading(file, &error))
            }
            (Some(AuditArgs::Hmac), None) => {
                let help = "a file with at least 16 random bytes, as in `--audit-key-file audit.key`";
                Err(Failure::with_help("`--audit-args hmac` needs a key: --audit-key-file", help))
            }
            (Some(AuditArgs::None), _) => Ok(ShownArgs::None),
            (Some(AuditArgs::Hash), _) => Ok(ShownArgs::Hash),
            (Some(AuditArgs::Keys) | None, _) => Ok(ShownArgs::Keys),
        }
    }
}

fn no_state(flag: &str) -> Failure {
    Failure::with_help(
        format!("there is no directory for state: say where by {flag}"),
        "or set CALLGATE_STATE_DIR, or HOME",
    )
}

/// Makes a directory that only this user may enter, unless it is there.
fn private_directory(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}
