//! Whether a log with a chain is whole.
//!
//! In: the path of a log. Out: what it holds, and every line that was changed, moved, added or taken away. Must not hold a file in memory, and must
//! not trust a line.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::head::{Beside, Head};
use super::line;
use super::place;

/// Bytes of a line that are read: no record is longer.
const LINE: u64 = 4 << 20;
/// Faults that are told one by one.
const FAULTS: usize = 100;

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The line is no whole record with a digest.
    NotARecord,
    /// The record was changed: its digest is another one.
    Changed,
    /// The record does not follow the one before: something was removed, added or moved.
    OutOfOrder,
    /// The last line has no end.
    Cut,
    /// The file began with another record: records are missing before the first.
    BeginMissing,
    /// The file ended with another record: records are missing behind the last.
    EndMissing,
    /// What stands in a file's head is no head.
    BadHead,
}

impl Fault {
    /// A word for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotARecord => "not_a_record",
            Self::Changed => "changed",
            Self::OutOfOrder => "out_of_order",
            Self::Cut => "cut",
            Self::BeginMissing => "begin_missing",
            Self::EndMissing => "end_missing",
            Self::BadHead => "bad_head",
        }
    }

    /// A sentence for people.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::NotARecord => "the line is no whole record with a digest",
            Self::Changed => "the record was changed: its digest is another one",
            Self::OutOfOrder => {
                "the record does not follow the one before: a record was removed, added or moved"
            }
            Self::Cut => "the line was cut off",
            Self::BeginMissing => "records are missing at the beginning of the file",
            Self::EndMissing => "records are missing at the end of the file",
            Self::BadHead => "it does not say how its file begins and ends",
        }
    }
}

/// A fault and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: u64,
    /// What is wrong.
    pub fault: Fault,
}

/// What a log holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Verified {
    /// Its files, the oldest first.
    pub files: Vec<PathBuf>,
    /// Older files that have no chain, and were not checked.
    pub unchained: Vec<PathBuf>,
    /// How many records were read.
    pub records: u64,
    /// The number of the first.
    pub first: Option<u64>,
    /// The number and the digest of the last.
    pub last: Option<(u64, String)>,
    /// Files with a chain of which it is not known how they began and ended: what is missing there is not found.
    pub headless: Vec<PathBuf>,
    /// The first hundred faults.
    pub faults: Vec<Found>,
    /// How many faults there are.
    pub fault_count: u64,
}

impl Verified {
    /// Whether nothing is wrong.
    pub fn is_whole(&self) -> bool {
        self.fault_count == 0
    }

    fn fault(&mut self, file: &Path, line: u64, fault: Fault) {
        self.fault_count = self.fault_count.saturating_add(1);
        if self.faults.len() < FAULTS {
            self.faults.push(Found { file: file.to_owned(), line, fault });
        }
    }
}

/// Why a log cannot be verified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// A file cannot be read.
    #[error("{}: {error}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// No record has a digest.
    #[error("{}: it has no chain: write it with `--audit-chain`", file.display())]
    NoChain {
        /// The file.
        file: PathBuf,
    },
}

/// Verifies a log: the file and the older ones that were put aside. An older file is verified alone.
///
/// # Errors
/// A file cannot be read, or there is no chain.
pub fn verify(path: &Path) -> Result<Verified, VerifyError> {
    let found = verify_once(path)?;
    // A file that was put aside meanwhile looks as if it were missing.
    if !found.is_whole() && place::is_held(path) { verify_once(path) } else { Ok(found) }
}

fn verify_once(path: &Path) -> Result<Verified, VerifyError> {
    let unreadable = |file: &Path| {
        let file = file.to_owned();
        move |error| VerifyError::Unreadable { file, error }
    };
    let is_live = place::is_held(path);
    let mut files = place::older(path).map_err(unreadable(path))?;
    files.push(path.to_owned());
    let mut walk = Walk { found: Verified::default(), last: None, has_chain: false };
    for file in &files {
        // Before the records: while a gateway writes, they are ahead of it, and never behind.
        let head = Head::of(file).map_err(unreadable(file))?;
        let open = File::open(file).map_err(unreadable(file))?;
        walk.file(file, open, &head, is_live && file == path).map_err(unreadable(file))?;
    }
    walk.end(path)
}

#[derive(Deserialize)]
struct Record {
    seq: u64,
    prev: Option<String>,
    digest: Option<String>,
}

/// The way through a log, line by line.
struct Walk {
    found: Verified,
    /// The number of the record before, and its digest if it has a chain.
    last: Option<(u64, Option<String>)>,
    /// Whether a file has a chain.
    has_chain: bool,
}

impl Walk {
    fn file(&mut self, path: &Path, file: File, head: &Beside, is_live: bool) -> io::Result<()> {
        self.found.files.push(path.to_owned());
        let mut reader = BufReader::with_capacity(256 << 10, file);
        let mut bytes = Vec::new();
        let mut number = 0_u64;
        let mut is_chained = None;
        let mut ends = Ends { begins: false, ends: false };
        loop {
            bytes.clear();
            let read = reader.by_ref().take(LINE).read_until(b'\n', &mut bytes)?;
            if read == 0 {
                break;
            }
            number = number.saturating_add(1);
            let Some(line) = bytes.strip_suffix(b"\n") else {
                if read as u64 == LINE {
                    self.found.fault(path, number, Fault::NotARecord);
                    reader.skip_until(b'\n')?;
                } else if !is_live {
                    self.found.fault(path, number, Fault::Cut);
                }
                // Else the gateway is writing it.
                continue;
            };
            let record = serde_json::from_slice::<Record>(line).ok();
            let Some(record) = record else {
                self.found.fault(path, number, Fault::NotARecord);
                continue;
            };
            let chained = *is_chained.get_or_insert(record.digest.is_some());
            ends.see(number, &record, head);
            self.record(path, number, line, record, chained);
        }
        self.ends(path, number, head, is_chained, &ends);
        Ok(())
    }

    fn record(&mut self, path: &Path, number: u64, line: &[u8], record: Record, chained: bool) {
        self.found.records = self.found.records.saturating_add(1);
        self.found.first.get_or_insert(record.seq);
        let fault = match &record.digest {
            None if chained => Some(Fault::NotARecord),
            Some(_) if !chained => Some(Fault::OutOfOrder),
            Some(digest) if !line::has_digest(line, digest) => Some(Fault::Changed),
            _ => None,
        };
        let follows = match &self.last {
            None => true,
            Some((seq, digest)) => {
                record.seq == seq.saturating_add(1) && (!chained || record.prev == *digest)
            }
        };
        if let Some(fault) = fault {
            self.found.fault(path, number, fault);
        } else if !follows {
            self.found.fault(path, number, Fault::OutOfOrder);
        }
        self.last = Some((record.seq, record.digest));
    }

    /// A file was read: whether it began and ended as its head says.
    fn ends(&mut self, path: &Path, lines: u64, head: &Beside, is_chained: Option<bool>, ends: &Ends) {
        self.has_chain |= *head != Beside::Nothing || is_chained == Some(true);
        match (head, is_chained) {
            (Beside::Head(_), _) => {
                if !ends.begins {
                    self.found.fault(path, 1, Fault::BeginMissing);
                }
                if !ends.ends {
                    self.found.fault(path, lines, Fault::EndMissing);
                }
            }
            (Beside::Bad, _) => self.found.fault(&Head::path(path), 1, Fault::BadHead),
            (Beside::Nothing, Some(true)) => self.found.headless.push(path.to_owned()),
            (Beside::Nothing, Some(false)) => self.found.unchained.push(path.to_owned()),
            (Beside::Nothing, None) => {}
        }
    }

    fn end(mut self, path: &Path) -> Result<Verified, VerifyError> {
        // A log that has no record yet is whole.
        if !self.has_chain && self.found.records > 0 {
            return Err(VerifyError::NoChain { file: path.to_owned() });
        }
        self.found.last = self.last.and_then(|(seq, digest)| Some((seq, digest?)));
        Ok(self.found)
    }
}

/// What was met of that which a file's head says.
struct Ends {
    begins: bool,
    ends: bool,
}

impl Ends {
    fn see(&mut self, line: u64, record: &Record, head: &Beside) {
        let Beside::Head(head) = head else { return };
        self.begins |= line == 1 && record.seq == head.begin;
        self.ends |= record.seq == head.seq && record.digest.as_ref() == Some(&head.digest);
    }
}
