//! `callgate schema`: the JSON Schemas of policies, of their tests, of audit records, of scans and of their overrides.

use std::io::Write as _;
use std::process::ExitCode;

use super::output;
use crate::args::{SchemaArgs, SchemaKind};
use crate::failure::Outcome;

// The schemas of `spec/`, as links and copies: a package cannot include files from outside its directory. A test compares them.
const POLICY: &str = include_str!("../../policy.schema.json");
const TEST: &str = include_str!("../../test.schema.json");
const AUDIT: &str = include_str!("../../audit.schema.json");
const SCAN: &str = include_str!("../../scan.schema.json");
const OVERRIDES: &str = include_str!("../../overrides.schema.json");

pub(crate) fn run(args: &SchemaArgs) -> Outcome {
    let schema = match args.of {
        SchemaKind::Policy => POLICY,
        SchemaKind::Test => TEST,
        SchemaKind::Audit => AUDIT,
        SchemaKind::Scan => SCAN,
        SchemaKind::Overrides => OVERRIDES,
    };
    let mut out = output();
    out.write_all(schema.as_bytes())?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
