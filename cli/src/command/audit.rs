//! `callgate audit verify`: whether audit files are as they were written.
//!
//! In: audit files with a chain. Out: what is wrong, each at its line.

use std::io::Write;
use std::path::Path;

use callgate_gateway::audit::{Found, Verified, VerifyError, verify};
use serde_json::json;

use super::output;
use crate::args::{AuditCommand, AuditFormat, VerifyArgs};
use crate::failure::{Failure, NO, Outcome, answered};
use crate::terminal::{Paint, colours, grouped, shown};

pub(crate) fn run(command: &AuditCommand) -> Outcome {
    let AuditCommand::Verify(args) = command;
    // Every file can be read before one is judged: a no for some must not hide that others were not read.
    let found = args.files.iter().map(|file| Ok((&**file, verify(file)?)));
    let found = found.collect::<Result<Vec<_>, VerifyError>>()?;
    let is_whole = found.iter().all(|(_, found)| found.is_whole());
    answered(write(args, &found), if is_whole { 0 } else { NO })
}

fn write(args: &VerifyArgs, found: &[(&Path, Verified)]) -> Result<(), Failure> {
    let mut out = output();
    let coloured = colours(&std::io::stdout());
    for (file, found) in found {
        match args.format {
            AuditFormat::Human => write_for_people(&mut out, coloured, file, found)?,
            AuditFormat::Json => writeln!(out, "{}", as_json(file, found))?,
        }
    }
    out.flush()?;
    Ok(())
}

fn write_for_people(
    out: &mut impl Write,
    coloured: bool,
    file: &Path,
    found: &Verified,
) -> Result<(), Failure> {
    for Found { file, line, fault } in &found.faults {
        let place = format!("{}:{line}", file.display());
        writeln!(out, "{}: {}", Paint::Red.on(coloured, &shown(&place)), fault.sentence())?;
    }
    let more = found.fault_count.saturating_sub(found.faults.len() as u64);
    if more > 0 {
        writeln!(out, "and {} more", grouped(more))?;
    }
    let name = file.display().to_string();
    let files = found.files.len().saturating_sub(found.unchained.len());
    let verdict = if found.is_whole() {
        Paint::Green.on(coloured, "whole").into_owned()
    } else {
        Paint::Red.on(coloured, &counted(found.fault_count, "fault")).into_owned()
    };
    let (records, files) = (counted(found.records, "record"), counted(files as u64, "file"));
    writeln!(out, "{}: {verdict}: {records} in {files}", shown(&name))?;
    if let Some((seq, digest)) = &found.last {
        writeln!(out, "  last record {} with {}", grouped(*seq), shown(digest))?;
    }
    for file in &found.unchained {
        writeln!(
            out,
            "  {} has no chain: only the order of its records was checked",
            shown(&file.display().to_string())
        )?;
    }
    for file in &found.headless {
        let file = file.display().to_string();
        writeln!(out, "  {} has no head: records that are missing at its ends are not found", shown(&file))?;
    }
    Ok(())
}

fn counted(count: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(count), if count == 1 { "" } else { "s" })
}

fn as_json(file: &Path, found: &Verified) -> serde_json::Value {
    let path = |path: &Path| path.display().to_string();
    json!({
        "file": path(file),
        "whole": found.is_whole(),
        "files": found.files.iter().map(|file| path(file)).collect::<Vec<_>>(),
        "unchained": found.unchained.iter().map(|file| path(file)).collect::<Vec<_>>(),
        "records": found.records,
        "first": found.first,
        "last": found.last.as_ref().map(|(seq, digest)| json!({"seq": seq, "digest": digest})),
        "headless": found.headless.iter().map(|file| path(file)).collect::<Vec<_>>(),
        "fault_count": found.fault_count,
        "faults": found.faults.iter().map(|Found { file, line, fault }| json!({
            "file": path(file),
            "line": line,
            "fault": fault.as_str(),
        })).collect::<Vec<_>>(),
    })
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        Self::new(error.to_string())
    }
}
