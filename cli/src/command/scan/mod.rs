//! `callgate scan`: what servers offer.
//!
//! In: servers, or a saved list. Out: their tools, what each can do, and what is odd about them; a policy for one of them. Must not start a program that nobody
//! agreed to, nor show a server's text as it is.

mod found;
mod json;
mod known;
mod lock;
mod markdown;
mod rules;
mod sarif;
mod sources;
mod table;
mod write;

use std::io::{self, Write as _};
use std::process::ExitCode;

use callgate_analysis::risk::Severity;
use callgate_gateway::offer::{Lister, OfferError, OfferFailure};

use crate::args::{FailOn, ScanArgs, ScanFormat};
use crate::command::output;
use crate::failure::{FAILED, Failure, NO, Outcome, answered, tell};
use found::Found;
use sources::{Asked, Way};
use write::Target;

/// What shells add to a signal's number.
const BY_SIGNAL: u8 = 128;

pub(crate) fn run(args: &ScanArgs) -> Outcome {
    let mut comparison = lock::Comparison::begin(args)?;
    let mut target = args.write.as_deref().map(|path| Target::new(path, args)).transpose()?;
    let overrides = args.overrides.as_deref().map(known::read).transpose()?;
    let asked = sources::asked(args)?;
    let known = known::options(args, overrides.as_ref(), &asked)?;
    let mut found = Found::new(&known);
    let mut lister = None;
    for Asked { name, way } in asked {
        let listed = match way {
            Way::Listed(saved) => {
                found.places = saved.places;
                Ok(saved.offer)
            }
            Way::Not(why) => Err((why, Vec::new())),
            Way::Ask(source) => {
                let lister = match &mut lister {
                    Some(lister) => lister,
                    none => none.insert(
                        Lister::new(args.timeout)
                            .map_err(|error| Failure::new(error.to_string()))?
                            .keeps_texts(comparison.is_some()),
                    ),
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
            Ok(mut offer) => {
                if let Some(target) = &mut target {
                    target.prepare(&name, &offer.tools, &known)?;
                }
                let seen = comparison.as_ref().map(|_| lock::Seen::of(&mut offer));
                found.add(&name, offer);
                if let (Some(comparison), Some(seen)) = (&mut comparison, seen) {
                    comparison.see(&name, seen, &found)?;
                }
            }
            Err((why, said)) => {
                tell("error", &format!("server `{name}`: {why}"), None);
                for line in &said {
                    tell("  it said", line, None);
                }
                found.fail(&name, why);
            }
        }
    }
    let found = match &overrides {
        None => found.finish(None),
        Some(overrides) => {
            let mut applied = overrides.all.apply();
            let found = found.finish(Some(&mut applied));
            overrides.refuse(&applied.finish())?;
            found
        }
    };
    let are_all_listed = found.servers.iter().all(|server| server.error.is_none());
    let drift = comparison.map(|comparison| comparison.end(are_all_listed)).transpose()?;
    if let Some(target) = &target {
        target.write()?;
    }
    let mut out = output();
    let written = match args.format {
        ScanFormat::Table => table::write(&mut out, &found, &io::stdout())
            .and_then(|()| drift.as_ref().map_or(Ok(()), |drift| drift.table(&mut out, &io::stdout()))),
        ScanFormat::Json => json::write(&mut out, &found, drift.as_ref()),
        ScanFormat::Markdown => markdown::write(&mut out, &found)
            .and_then(|()| drift.as_ref().map_or(Ok(()), |drift| drift.markdown(&mut out))),
        ScanFormat::Sarif => sarif::write(&mut out, &found, sources::file(args).as_deref()),
    };
    let written = written.and_then(|()| out.flush());
    let is_no = args.fail_on.iter().any(|what| match what {
        FailOn::Medium => found.has(Severity::Medium),
        FailOn::High => found.has(Severity::High),
        FailOn::Critical => found.has(Severity::Critical),
        FailOn::Unknown => found.has_unknown(),
        FailOn::Finding => found.findings() > 0,
        FailOn::Drift => drift.as_ref().is_some_and(|drift| drift.rows.iter().any(|row| !row.is_accepted)),
    });
    let has_failed = !are_all_listed || drift.as_ref().is_some_and(|drift| drift.has_failed);
    let status = match (has_failed, is_no) {
        (true, _) => FAILED,
        (false, true) => NO,
        (false, false) => 0,
    };
    answered(written.map_err(Failure::from), status)
}
