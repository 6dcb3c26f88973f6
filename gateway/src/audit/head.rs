//! How a file of a chain begins and ends, in a file beside it: `NAME.jsonl.head`.
//!
//! In: the number of the first record, the number and the digest of the last. Out: a line of one length, written after the records, so that it never
//! names one that is not there. Must not be half old and half new: it is written in one go.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::place::beside;

/// Bytes of the line, and more.
const LINE: u64 = 1_024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    /// The number of the file's first record.
    pub(super) begin: u64,
    /// The number of its last record.
    pub(super) seq: u64,
    /// The digest of its last record.
    pub(super) digest: String,
}

/// What stands beside a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Beside {
    Nothing,
    /// A file that is no head.
    Bad,
    Head(Head),
}

impl Head {
    pub(super) fn path(file: &Path) -> PathBuf {
        beside(file, "head")
    }

    /// Reads the head of a file. One that has no record yet has none.
    pub(super) fn of(file: &Path) -> io::Result<Beside> {
        let mut text = String::new();
        match File::open(Self::path(file)).and_then(|head| head.take(LINE).read_to_string(&mut text)) {
            Ok(0) => Ok(Beside::Nothing),
            Ok(_) => Ok(Self::parse(&text).map_or(Beside::Bad, Beside::Head)),
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound => Ok(Beside::Nothing),
                io::ErrorKind::InvalidData => Ok(Beside::Bad),
                _ => Err(error),
            },
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.strip_suffix('\n')?.split_ascii_whitespace();
        let head = Self {
            begin: words.next()?.parse().ok()?,
            seq: words.next()?.parse().ok()?,
            digest: words.next()?.to_owned(),
        };
        // Exactly as it is written: no byte of it may be another.
        (head.text() == text).then_some(head)
    }

    pub(super) fn text(&self) -> String {
        format!("{:>20} {:>20} {}\n", self.begin, self.seq, self.digest)
    }
}
