//! How filed calls are printed.
//!
//! In: records, and for one of them its arguments. Out: rows, a block, or JSON. Everything that a client chose is escaped, in JSON too:
//! people read that on terminals as well.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::Write;

use callgate::store::{ApprovalArgs, ApprovalRecord, ApprovalState};
use callgate::time::Timestamp;
use serde_json::{Value, json};

use super::{ApprovalsFormat, Entry};
use crate::failure::Failure;
use callgate::__text::is_invisible;

use crate::terminal::{Paint, colours, grouped, shown, spell_seconds};

/// A row for each call.
pub(super) fn rows(
    out: &mut impl Write,
    format: ApprovalsFormat,
    all: bool,
    entries: &[Entry],
    now: Timestamp,
) -> Result<(), Failure> {
    if format == ApprovalsFormat::Json {
        return entries.iter().try_for_each(|entry| json_line(out, &as_json(entry)));
    }
    if entries.is_empty() {
        let what = if all { "nothing is filed" } else { "no call waits for approval" };
        writeln!(out, "{what}")?;
        return Ok(());
    }
    let heads = ["ID", "STATE", "ENDS IN", "CALL", "SERVER", "CALLER", "RULES"].map(str::to_owned);
    let cells = entries.iter().map(|entry| cells(entry, now));
    let table: Vec<_> = std::iter::once(heads).chain(cells).collect();
    let mut widths = [0_usize; 7];
    for row in &table {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let coloured = colours(&std::io::stdout());
    for (n, row) in table.iter().enumerate() {
        let state = n.checked_sub(1).and_then(|n| entries.get(n)).map(|entry| entry.record.state);
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            let padded = format!("{cell:width$}");
            let painted = match (column, state) {
                (_, None) => Paint::Bold.on(coloured, &padded),
                (1, Some(state)) => paint(state).on(coloured, &padded),
                _ => Cow::Borrowed(&*padded),
            };
            line.push_str(&painted);
            line.push_str("  ");
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn cells(Entry { namespace, record }: &Entry, now: Timestamp) -> [String; 7] {
    let call = &record.call;
    let server = if call.server.starts_with(&**namespace) {
        shown(&call.server).into_owned()
    } else {
        format!("{} in {}", shown(&call.server), shown(namespace))
    };
    [
        record.id.clone(),
        record.state.as_str().to_owned(),
        spell_seconds(record.until.since(now).as_secs()),
        shown(called(record)).into_owned(),
        server,
        call.caller.as_deref().map_or_else(|| "-".to_owned(), |caller| shown(caller).into_owned()),
        rules(record),
    ]
}

/// The call with all that is known of it.
pub(super) fn whole(
    out: &mut impl Write,
    format: ApprovalsFormat,
    entry: &Entry,
    args: &ApprovalArgs,
    now: Timestamp,
) -> Result<(), Failure> {
    if format == ApprovalsFormat::Json {
        let mut line = as_json(entry);
        if let Value::Object(members) = &mut line {
            members.insert("args".to_owned(), args_json(args));
        }
        return json_line(out, &line);
    }
    let Entry { namespace, record } = entry;
    let (call, coloured) = (&record.call, colours(&std::io::stdout()));
    let state = paint(record.state).on(coloured, record.state.as_str());
    let left = spell_seconds(record.until.since(now).as_secs());
    writeln!(out, "{}: {state}, ends in {left}", Paint::Bold.on(coloured, &record.id))?;
    let kind = if call.tool.is_some() { "tool" } else { "method" };
    writeln!(out, "  {kind:<9}  {}", shown(called(record)))?;
    writeln!(out, "  server     {}", shown(&call.server))?;
    writeln!(out, "  caller     {}", shown(call.caller.as_deref().unwrap_or("-")))?;
    writeln!(out, "  asked by   {}", rules(record))?;
    if let Some(names) = call.may_approve() {
        let names: Vec<_> = names.iter().map(|name| shown(name)).collect();
        let names =
            if names.is_empty() { "nobody: no name is in all lists".to_owned() } else { names.join(", ") };
        writeln!(out, "  approvers  {names}")?;
    }
    writeln!(out, "  uses       {}", call.uses)?;
    if let Some(seconds) = call.valid_for {
        writeln!(out, "  valid for  {}", spell_seconds(seconds))?;
    }
    if !call.ignored.is_empty() {
        let paths: Vec<_> = call.ignored.iter().map(|path| shown(path)).collect();
        writeln!(out, "  ignored    {}", paths.join(", "))?;
    }
    writeln!(out, "  policy     {}", shown(&call.policy))?;
    writeln!(out, "  namespace  {}", shown(namespace))?;
    let ago = spell_seconds(now.since(record.filed_at).as_secs());
    writeln!(out, "  filed      {}, {ago} ago", record.filed_at)?;
    if let Some((by, at)) = &record.answer {
        let answer = if record.state == ApprovalState::Denied { "denied" } else { "granted" };
        writeln!(out, "  {answer:<9}  {at} by {}", shown(by))?;
    }
    writeln!(out, "  until      {}", record.until)?;
    match args {
        ApprovalArgs::Omitted => writeln!(out, "  arguments  not kept")?,
        ApprovalArgs::Keys(names) => {
            let names: Vec<_> = names.iter().map(|name| shown(name)).collect();
            writeln!(out, "  arguments  their names alone are kept: {}", names.join(", "))?;
        }
        ApprovalArgs::Full(text) => writeln!(out, "  arguments  {}", shown(text))?,
        ApprovalArgs::Cut { text, bytes } => {
            writeln!(out, "  arguments  {}", shown(text))?;
            let cut = format!("cut: {} of {} bytes are kept", grouped(text.len() as u64), grouped(*bytes));
            writeln!(out, "             {}", Paint::Red.on(coloured, &cut))?;
        }
    }
    Ok(())
}

/// What an answer did.
pub(super) fn answer(out: &mut impl Write, format: ApprovalsFormat, entry: &Entry) -> Result<(), Failure> {
    if format == ApprovalsFormat::Json {
        return json_line(out, &as_json(entry));
    }
    let record = &entry.record;
    let state = paint(record.state).on(colours(&std::io::stdout()), record.state.as_str());
    let (call, server) = (shown(called(record)), shown(&record.call.server));
    let (by, _) = record.answer.as_ref().map_or(("-", record.until), |(by, at)| (&**by, *at));
    writeln!(out, "{}: {state} by {} until {}: {call} on {server}", record.id, shown(by), record.until)?;
    Ok(())
}

fn called(record: &ApprovalRecord) -> &str {
    record.call.tool.as_deref().unwrap_or(&record.call.method)
}

fn rules(record: &ApprovalRecord) -> String {
    record.call.rules.iter().map(|rule| shown(rule)).collect::<Vec<_>>().join(", ")
}

fn paint(state: ApprovalState) -> Paint {
    match state {
        ApprovalState::Pending => Paint::Yellow,
        ApprovalState::Granted => Paint::Green,
        ApprovalState::Denied => Paint::Red,
        ApprovalState::Used => Paint::Dim,
    }
}

fn as_json(Entry { namespace, record }: &Entry) -> Value {
    let call = &record.call;
    let (by, at) = record.answer.as_ref().map(|(by, at)| (by, at.to_string())).unzip();
    json!({
        "id": record.id,
        "state": record.state.as_str(),
        "namespace": namespace,
        "server": call.server,
        "method": call.method,
        "tool": call.tool,
        "caller": call.caller,
        "rules": call.rules,
        "policy": call.policy,
        "key": call.key,
        "uses": call.uses,
        "valid_for": call.valid_for,
        "approvers": call.may_approve(),
        "ignored": call.ignored,
        "filed_at": record.filed_at.to_string(),
        "until": record.until.to_string(),
        "answered_at": at,
        "by": by,
    })
}

fn args_json(args: &ApprovalArgs) -> Value {
    match args {
        ApprovalArgs::Omitted => json!({"kind": "none"}),
        ApprovalArgs::Keys(names) => json!({"kind": "keys", "keys": names}),
        ApprovalArgs::Full(text) => json!({"kind": "full", "text": text, "bytes": text.len()}),
        ApprovalArgs::Cut { text, bytes } => json!({"kind": "cut", "text": text, "bytes": bytes}),
    }
}

/// A line of JSON in which nothing steers a terminal. Such characters stand in strings alone, so an escape means the same.
fn json_line(out: &mut impl Write, value: &Value) -> Result<(), Failure> {
    let mut line = String::new();
    for letter in value.to_string().chars() {
        if is_invisible(letter) {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                let _ = write!(line, "\\u{unit:04x}");
            }
        } else {
            line.push(letter);
        }
    }
    writeln!(out, "{line}")?;
    Ok(())
}
