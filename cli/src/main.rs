//! The binary `callgate`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    callgate_cli::run()
}
