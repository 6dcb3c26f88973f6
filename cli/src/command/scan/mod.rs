//! `callgate scan`: what servers offer.
//!
//! In: servers, or a saved list. Out: their tools, what each can do, and what is odd about them. Must not start a program that nobody agreed to, nor show a
//! server's text as it is.

mod found;
mod json;
mod markdown;
mod sources;
mod table;

use std::io::{self, Write as _};
use std::process::ExitCode;

use callgate_analysis::risk::Severity;
use callgate_gateway::offer::{Lister, OfferError, OfferFailure};

use crate::args::{FailOn, ScanArgs, ScanFormat};
use crate::command::output;
use crate::failure::{FAILED, Failure, NO, Outcome, answered, tell};
use found::Found;
use sources::{Asked, Way};

/// What shells add to a signal's number.
const BY_SIGNAL: u8 = 128;

pub(crate) fn run(args: &ScanArgs) -> Outcome {
    let asked = sources::asked(args)?;
    let mut found = Found::default();
    let mut lister = None;
    for Asked { name, way } in asked {
        let listed = match way {
            Way::Listed(offer) => Ok(offer),
            Way::Not(why) => Err((why, Vec::new())),
            Way::Ask(source) => {
                let lister = match &mut lister {
                    Some(lister) => lister,
                    none => none
                        .insert(Lister::new(args.timeout).map_err(|error| Failure::new(error.to_string()))?),
                };
                match lister.list(&source) {
                    Ok(offer) => Ok(offer),
                    Err(OfferFailure { error: OfferError::Signal(signal), .. }) => {
                        return Ok(ExitCode::from(BY_SIGNAL.saturating_add(signal)));
                    }
                    Err(OfferFailure { error, said, .. }) => Err((error.to_string(), said)),
                }
            }
        };
        match listed {
            Ok(offer) => found.add(&name, offer),
            Err((why, said)) => {
                tell("error", &format!("server `{name}`: {why}"), None);
                for line in &said {
                    tell("  it said", line, None);
                }
                found.fail(&name, why);
            }
        }
    }
    let found = found.finish();
    let mut out = output();
    let written = match args.format {
        ScanFormat::Table => table::write(&mut out, &found, &io::stdout()),
        ScanFormat::Json => json::write(&mut out, &found),
        ScanFormat::Markdown => markdown::write(&mut out, &found),
    };
    let written = written.and_then(|()| out.flush());
    let is_no = args.fail_on.iter().any(|what| match what {
        FailOn::Medium => found.has(Severity::Medium),
        FailOn::High => found.has(Severity::High),
        FailOn::Critical => found.has(Severity::Critical),
        FailOn::Unknown => found.has_unknown(),
        FailOn::Finding => found.tools.iter().any(|tool| !tool.findings.is_empty()),
    });
    let status = match (found.servers.iter().any(|server| server.error.is_some()), is_no) {
        (true, _) => FAILED,
        (false, true) => NO,
        (false, false) => 0,
    };
    answered(written.map_err(Failure::from), status)
}
