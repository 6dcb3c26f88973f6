//! Where a file of records begins and ends.
//!
//! In: a file. Out: the number of its first record, the number and digest of its last. Must not read what lies between, however long it is.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use serde::Deserialize;

/// Bytes that hold at least one whole record: an event is bounded before it is written.
const END: u64 = 1 << 20;

/// The end of a log.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tail {
    /// The number of the last record, 0 for none.
    pub(super) seq: u64,
    /// Its digest; `None` for a log without a chain.
    pub(super) digest: Option<String>,
    /// Whether a line was cut off.
    pub(super) is_torn: bool,
    /// Where that line begins, if it is one of those that were read.
    pub(super) torn_at: Option<u64>,
}

#[derive(Deserialize)]
struct Record {
    seq: u64,
    digest: Option<String>,
}

/// The number of a file's first record.
pub(super) fn first(path: &Path) -> io::Result<Option<u64>> {
    let mut bytes = Vec::new();
    BufReader::new(File::open(path)?).take(END).read_until(b'\n', &mut bytes)?;
    Ok(serde_json::from_slice::<Record>(&bytes).ok().map(|record| record.seq))
}

/// The end of a file. A line that is no record, such as one that was cut off, is passed over.
pub(super) fn of(path: &Path) -> io::Result<Tail> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(END)))?;
    let mut bytes = Vec::new();
    file.take(END).read_to_end(&mut bytes)?;
    let is_torn = bytes.last().is_some_and(|last| *last != b'\n');
    let before = || bytes.iter().rposition(|byte| *byte == b'\n').and_then(|at| u64::try_from(at).ok());
    let read = bytes.len() as u64;
    let torn_at =
        before().filter(|_| is_torn).map(|at| size.saturating_sub(read).saturating_add(at).saturating_add(1));
    let mut lines = bytes.split(|byte| *byte == b'\n').rev();
    let last = lines.find_map(|line| serde_json::from_slice::<Record>(line).ok());
    Ok(match last {
        Some(Record { seq, digest }) => Tail { seq, digest, is_torn, torn_at },
        None => Tail { is_torn, torn_at, ..Tail::default() },
    })
}
