//! One module for each command.

pub(crate) mod approvals;
pub(crate) mod audit;
pub(crate) mod catalogue;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod counters;
pub(crate) mod eval;
pub(crate) mod explain;
pub(crate) mod explain_tool;
pub(crate) mod init;
pub(crate) mod proxy;
mod sarif;
pub(crate) mod scan;
pub(crate) mod schema;
pub(crate) mod status;
pub(crate) mod test;

use std::io::{self, BufWriter, StdoutLock, Write};

/// Writes on where nobody reads any more: what is done, and the exit status, must not depend on that.
struct Unread<W>(W);

impl<W: Write> Write for Unread<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(bytes.len()),
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            flushed => flushed,
        }
    }
}

/// Standard output, buffered. Must be flushed, or a failure at the end is not noticed.
fn output() -> BufWriter<StdoutLock<'static>> {
    BufWriter::with_capacity(64 << 10, io::stdout().lock())
}
