//! `callgate check`: what is wrong in policy files.

mod human;
mod json;
mod sarif;

use std::io::{self, Write as _};
use std::path::Path;

use callgate::value::{RawJson, RawView};
use callgate::{Diagnostic, Severity, StackError};
use callgate_host::{PolicyFile, PolicyFiles, ReadError};

use super::output;
use crate::args::{CheckArgs, CheckFormat};
use crate::failure::{FAILED, Failure, NO, Outcome, answered};
use crate::input::{self, STDIN_SHOWN, read_text};
use crate::tools;

/// A file that was looked at.
struct Checked {
    path: String,
    /// The file, or why it cannot be read.
    file: Result<PolicyFile, ReadError>,
    diagnostics: Vec<Diagnostic>,
    /// Why it does not go together with the files before it.
    stack: Option<StackError>,
}

/// The result of all files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Totals {
    errors: usize,
    warnings: usize,
    unreadable: usize,
}

impl Checked {
    fn new(path: &Path, tools: Option<RawView<'_>>) -> Self {
        let (path, file) = if path == Path::new(input::STDIN) {
            (STDIN_SHOWN.to_owned(), PolicyFile::from_reader(STDIN_SHOWN, io::stdin().lock()))
        } else {
            (path.display().to_string(), PolicyFile::read(path))
        };
        let mut diagnostics = match file.as_ref().map(PolicyFile::compile) {
            Ok(Ok(policy)) => policy.warnings().to_vec(),
            Ok(Err(invalid)) => invalid.diagnostics().to_vec(),
            Err(_) => Vec::new(),
        };
        if let (Ok(file), Some(tools)) = (&file, tools) {
            // A policy that does not load has its errors already.
            let found = callgate::lint(file.text(), file.format(), &tools).unwrap_or_default();
            diagnostics.extend(found);
            diagnostics.sort_by_key(|diagnostic| diagnostic.byte_range().start);
        }
        Self { path, file, diagnostics, stack: None }
    }

    fn count(&self, severity: Severity) -> usize {
        let of_stack = usize::from(severity == Severity::Error && self.stack.is_some());
        let found = self.diagnostics.iter().filter(|diagnostic| diagnostic.severity() == severity).count();
        found.saturating_add(of_stack)
    }
}

impl Totals {
    fn of(files: &[Checked]) -> Self {
        let sum = |severity| files.iter().map(|checked| checked.count(severity)).sum();
        Self {
            errors: sum(Severity::Error),
            warnings: sum(Severity::Warning),
            unreadable: files.iter().filter(|checked| checked.file.is_err()).count(),
        }
    }

    fn exit_code(self, deny_warnings: bool) -> u8 {
        match self {
            Self { unreadable: 1.., .. } => FAILED,
            Self { errors: 1.., .. } => NO,
            Self { warnings: 1.., .. } if deny_warnings => NO,
            _ => 0,
        }
    }
}

/// Notes at the file that is at fault why the files are no stack. Where one does not load, that is to be mended first.
fn check_stack(files: &mut [Checked]) {
    let read = files.iter().map(|checked| checked.file.as_ref().ok().cloned());
    let Some(read) = read.collect::<Option<Vec<_>>>() else { return };
    let policies = read.iter().map(PolicyFile::compile).collect::<Result<Vec<_>, _>>();
    let Ok(policies) = policies else { return };
    let Err(error) = PolicyFiles::from(read).stack(policies) else { return };
    let at = files.iter().rposition(|checked| Path::new(&checked.path) == error.path());
    if let Some(checked) = at.and_then(|at| files.get_mut(at)) {
        checked.stack = Some(error.stack_error().clone());
    }
}

pub(crate) fn run(args: &CheckArgs) -> Outcome {
    let named = args.files.iter().chain(&args.tools);
    if named.filter(|path| path.as_path() == Path::new(input::STDIN)).count() > 1 {
        return Err(Failure::new("standard input is named twice, and can be read once"));
    }
    let text = args.tools.as_ref().map(|path| Ok::<_, Failure>((path, read_text(path)?))).transpose()?;
    let parsed = text.as_ref().map(|(path, text)| {
        let failed = |error| Failure::with_help(format!("{}: {error}", path.display()), tools::HELP);
        Ok::<_, Failure>((path, RawJson::parse(text).map_err(failed)?))
    });
    let parsed = parsed.transpose()?;
    let tools = parsed.as_ref().map(|(path, raw)| tools::listed(path, raw)).transpose()?;
    let mut files: Vec<Checked> = args.files.iter().map(|path| Checked::new(path, tools)).collect();
    if args.stack {
        check_stack(&mut files);
    }
    let totals = Totals::of(&files);
    let mut out = output();
    let written = match args.format {
        CheckFormat::Human => human::write(&mut out, &files, totals),
        CheckFormat::Json => json::write(&mut out, &files, totals),
        CheckFormat::Sarif => sarif::write(&mut out, &files),
    };
    let written = written.and_then(|()| out.flush());
    answered(written.map_err(Failure::from), totals.exit_code(args.deny_warnings))
}
