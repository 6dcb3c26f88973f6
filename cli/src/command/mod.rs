//! One module for each command.

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod counters;
pub(crate) mod eval;
pub(crate) mod explain;
pub(crate) mod schema;
pub(crate) mod test;

use std::io::{self, BufWriter, StdoutLock};

/// Standard output, buffered. Must be flushed, or a failure at the end is not noticed.
fn output() -> BufWriter<StdoutLock<'static>> {
    BufWriter::with_capacity(64 << 10, io::stdout().lock())
}
