//! `callgate explain`: every check that leads to a decision.

use std::io::{self, Write};
use std::process::ExitCode;

use callgate::{Check, Explanation};
use serde::Serialize;
use serde_json::value::RawValue;

use super::output;
use crate::args::{ExplainArgs, ExplainFormat};
use crate::call::GivenCall;
use crate::failure::{Failure, Outcome};
use crate::session::Session;
use crate::show::{Decided, called, write_decision, write_tree};
use crate::terminal::{Paint, colours, shown};

pub(crate) fn run(args: &ExplainArgs) -> Outcome {
    let session = Session::load(&args.policy, "memory")?;
    let given = GivenCall::from_arguments(&args.tool, &args.call)?;
    let explanation = session.explain(&given);
    let mut out = output();
    match args.format {
        ExplainFormat::Human => {
            let label = given.label();
            let decided =
                Decided { at: session.now(), identity: label.as_deref(), decision: &explanation.decision };
            write_human(&mut out, &explanation.checks, &decided)?;
        }
        ExplainFormat::Json => write_json(&mut out, &explanation)?,
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn write_human(out: &mut dyn Write, checks: &[Check], decided: &Decided<'_>) -> Result<(), Failure> {
    let coloured = colours(&io::stdout());
    writeln!(out, "{}", Paint::Bold.on(coloured, &shown(called(decided.decision))))?;
    write_tree(out, checks, coloured)?;
    if checks.is_empty() {
        writeln!(out, "└─ nothing in the policy was checked")?;
    }
    writeln!(out)?;
    Ok(write_decision(out, decided, coloured)?)
}

#[derive(Serialize)]
struct Explained<'e> {
    decision: Box<RawValue>,
    checks: Vec<Checked<'e>>,
}

#[derive(Serialize)]
struct Checked<'e> {
    pointer: &'e str,
    what: &'e str,
    outcome: &'e str,
    why: Option<&'e str>,
    checks: Vec<Checked<'e>>,
}

/// Recurses as deep as a policy may be nested.
fn checked(checks: &[Check]) -> Vec<Checked<'_>> {
    let mut list = Vec::new();
    for Check { pointer, what, outcome, why, checks } in checks {
        list.push(Checked { pointer, what, outcome, why: why.as_deref(), checks: checked(checks) });
    }
    list
}

fn write_json(out: &mut dyn Write, explanation: &Explanation<'_>) -> Result<(), Failure> {
    let decision = RawValue::from_string(explanation.decision.to_json()).map_err(io::Error::from)?;
    let explained = Explained { decision, checks: checked(&explanation.checks) };
    serde_json::to_writer(&mut *out, &explained).map_err(io::Error::from)?;
    Ok(writeln!(out)?)
}
