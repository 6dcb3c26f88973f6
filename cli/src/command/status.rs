//! `callgate status`: what gateways do and did.
//!
//! In: a directory of audit files. Out: a block or a JSON object for each server. Must not let a tool's name steer the terminal.

use std::io::Write;

use callgate::time::{Clock as _, SystemClock};
use callgate_gateway::audit::{Denial, ServerStatus, Started, status};
use callgate_gateway::state;
use serde_json::json;

use super::output;
use crate::args::{AuditFormat, StatusArgs};
use crate::failure::{Failure, Outcome, answered};
use crate::terminal::{Paint, colours, grouped, shown};

/// Denials that are shown of each server: the last.
const DENIALS: usize = 5;
/// The same with `--denied`.
const MANY_DENIALS: usize = 50;
/// Rules that are shown: those that refused most.
const RULES: usize = 10;
/// Minutes of what is recent.
const MINUTES: f64 = 10.0;

pub(crate) fn run(args: &StatusArgs) -> Outcome {
    let directory = args.dir.clone().or_else(state::audit).ok_or_else(|| {
        Failure::with_help(
            "there is no directory of audit files",
            "name it with `--dir`, or set CALLGATE_STATE_DIR",
        )
    })?;
    let denials = if args.denied { MANY_DENIALS } else { DENIALS };
    let servers = status(&directory, SystemClock.now(), denials)
        .map_err(|error| Failure::reading(&directory, &error))?;
    answered(write(args, &directory.display().to_string(), &servers), 0)
}

fn write(args: &StatusArgs, directory: &str, servers: &[ServerStatus]) -> Result<(), Failure> {
    let mut out = output();
    let coloured = colours(&std::io::stdout());
    if servers.is_empty() && args.format == AuditFormat::Human {
        writeln!(out, "no gateway has written to {}", shown(directory))?;
    }
    for server in servers {
        match args.format {
            AuditFormat::Json => writeln!(out, "{}", as_json(server))?,
            AuditFormat::Human => {
                write_server(&mut out, coloured, server)?;
                write_denials(&mut out, coloured, server, args.denied)?;
            }
        }
    }
    out.flush()?;
    Ok(())
}

fn write_server(out: &mut impl Write, coloured: bool, server: &ServerStatus) -> Result<(), Failure> {
    let name = shown(&server.server);
    let running = if server.running.is_empty() {
        Paint::Dim.on(coloured, "not running").into_owned()
    } else {
        let pids = server.running.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        Paint::Green.on(coloured, &format!("running, process {pids}")).into_owned()
    };
    writeln!(out, "{}: {running}", Paint::Bold.on(coloured, &name))?;
    if let Some(start) = &server.start {
        write_start(out, start)?;
    }
    if let Some((first, last)) = server.between {
        writeln!(out, "  records    {first} to {last}")?;
    }
    write!(
        out,
        "  calls      {}: {} denied ({})",
        grouped(server.calls),
        grouped(server.denied),
        share(server)
    )?;
    if server.to_approve > 0 {
        write!(out, ", {} to be approved", grouped(server.to_approve))?;
    }
    writeln!(out, "; {:.1} a minute in the last ten", per_minute(server))?;
    if !server.rules.is_empty() {
        let rules = server.rules.iter().take(RULES);
        let rules = rules.map(|(rule, count)| format!("{} {}", shown(rule), grouped(*count)));
        writeln!(out, "  refused by {}", rules.collect::<Vec<_>>().join(", "))?;
    }
    let candidate = &server.candidate;
    if candidate.calls > 0 || candidate.failed > 0 {
        write!(
            out,
            "  candidate  {} decided: {} more would be refused, {} fewer",
            grouped(candidate.calls),
            grouped(candidate.would_refuse),
            grouped(candidate.would_allow)
        )?;
        if candidate.failed > 0 {
            write!(out, "; {} could not be decided", grouped(candidate.failed))?;
        }
        writeln!(out)?;
    }
    for (count, what) in [
        (server.frames_refused, "messages that were not passed on"),
        (server.lost, "records that could not be written"),
        (server.unreadable, "lines that are no record"),
    ] {
        if count > 0 {
            writeln!(out, "  {}", Paint::Yellow.on(coloured, &format!("{} {what}", grouped(count))))?;
        }
    }
    Ok(())
}

fn write_start(out: &mut impl Write, start: &Started) -> Result<(), Failure> {
    let digest = |digest: &Option<String>| {
        // As much as tells two policies apart.
        digest
            .as_ref()
            .map(|digest| digest.chars().take("sha256:".len().saturating_add(12)).collect::<String>())
    };
    let mode = match &*start.mode {
        "enforce" => "enforced",
        "observe" => "enforced, with a candidate beside it",
        "dry_run" => "a dry run: nothing is refused",
        other => other,
    };
    let file = start.policy_file.as_deref().unwrap_or("-");
    let policy = digest(&start.policy).unwrap_or_else(|| "no policy".to_owned());
    writeln!(out, "  policy     {} {}, {}", shown(file), shown(&policy), shown(mode))?;
    if let Some(error) = &start.reload_error {
        writeln!(out, "             its file has changed and cannot be used: {}", shown(error))?;
    }
    if let Some(candidate) = digest(&start.candidate) {
        writeln!(out, "  candidate  {}", shown(&candidate))?;
    }
    writeln!(out, "  store      {}", shown(&start.store))?;
    Ok(())
}

fn write_denials(
    out: &mut impl Write,
    coloured: bool,
    server: &ServerStatus,
    with_messages: bool,
) -> Result<(), Failure> {
    if !server.denials.is_empty() {
        writeln!(out, "  last denials")?;
    }
    for denial in &server.denials {
        let Denial { at, name, caller, code, rule, message, .. } = denial;
        let rule = rule.as_deref().unwrap_or(code);
        let caller = caller.as_deref().map_or(String::new(), |caller| format!(" by {}", shown(caller)));
        let what = format!("{}{caller}: {}", shown(name), shown(rule));
        writeln!(out, "    {}  {what}", Paint::Dim.on(coloured, &at.to_string()))?;
        if let (true, Some(message)) = (with_messages, message) {
            writeln!(out, "      {}", shown(message))?;
        }
    }
    Ok(())
}

/// The share of calls that were denied, as a percentage.
fn share(server: &ServerStatus) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a percentage is shown with one digit")]
    let share = if server.calls == 0 { 0.0 } else { server.denied as f64 / server.calls as f64 * 100.0 };
    format!("{share:.1} %")
}

#[expect(clippy::cast_precision_loss, reason = "a rate is shown with one digit")]
fn per_minute(server: &ServerStatus) -> f64 {
    server.recent as f64 / MINUTES
}

fn as_json(server: &ServerStatus) -> serde_json::Value {
    json!({
        "server": server.server,
        "running": server.running,
        "start": server.start.as_ref().map(|start| json!({
            "at": start.at.to_string(),
            "version": start.version,
            "program": start.program,
            "policy_file": start.policy_file,
            "policy": start.policy,
            "reload_error": start.reload_error,
            "candidate": start.candidate,
            "mode": start.mode,
            "store": start.store,
        })),
        "first": server.between.map(|(first, _)| first.to_string()),
        "last": server.between.map(|(_, last)| last.to_string()),
        "calls": server.calls,
        "denied": server.denied,
        "to_approve": server.to_approve,
        "calls_per_minute": per_minute(server),
        "rules": server.rules.iter().map(|(rule, count)| json!({"rule": rule, "calls": count})).collect::<Vec<_>>(),
        "candidate": {
            "calls": server.candidate.calls,
            "would_refuse": server.candidate.would_refuse,
            "would_allow": server.candidate.would_allow,
            "failed": server.candidate.failed,
        },
        "frames_refused": server.frames_refused,
        "lost": server.lost,
        "unreadable": server.unreadable,
        "denials": server.denials.iter().map(|denial| json!({
            "at": denial.at.to_string(),
            "name": denial.name,
            "caller": denial.caller,
            "code": denial.code,
            "rule": denial.rule,
            "message": denial.message,
        })).collect::<Vec<_>>(),
    })
}
