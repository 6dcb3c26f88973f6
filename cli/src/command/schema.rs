//! `callgate schema`: the JSON Schema of policies.

use std::io::Write as _;
use std::process::ExitCode;

use super::output;
use crate::failure::Outcome;

/// The schema of `spec/`, by a symbolic link: a package cannot include files from outside its directory.
const SCHEMA: &str = include_str!("../../policy.schema.json");

pub(crate) fn run() -> Outcome {
    let mut out = output();
    out.write_all(SCHEMA.as_bytes())?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
