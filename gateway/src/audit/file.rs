//! The files of a log: one that is written to, and older ones that were put aside.
//!
//! In: events. Out: whole lines at the end of a file that no other process writes to. Must not leave half a line behind (but where the process is killed while it writes), and must
//! not write where another gateway writes: a chain has one end.
//!
//! | file | what it is |
//! | --- | --- |
//! | `NAME.jsonl` | the records; `NAME.2.jsonl` and so on where several gateways of one server run at a time |
//! | `NAME.jsonl.1`, `.2`, … | older records, the newest of them in `.1` |
//! | `NAME.jsonl.lock` | locked as long as a gateway writes; holds how it began, for when that record is gone |
//! | `NAME.jsonl.head`, `NAME.jsonl.1.head`, … | with a chain: how the file begins and ends, by which one finds that either is missing |

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use callgate::time::Timestamp;

use super::head::{Beside, Head};
use super::line::{self, Heading, Link};
use super::place::{
    beside, is_named, make_directory, move_with_head, older, open_private, open_to_append, remove, take_slot,
};
use super::tail::{self, Tail};
use super::{Event, Options};
use crate::say;

pub(super) struct LogFile {
    path: PathBuf,
    chain: bool,
    rotate: u64,
    /// Bytes at which the file is put aside next: more than `rotate` where that failed.
    limit: u64,
    keep: usize,
    /// Held as long as this lives.
    lock: Option<File>,
    file: Option<File>,
    head: Option<File>,
    /// Whether it is a file that has a size and can be renamed, and no device or pipe.
    is_regular: bool,
    size: u64,
    /// Whether the last line has no end.
    is_torn: bool,
    /// The number of the file's first record.
    begin: u64,
    /// The number of the last record.
    seq: u64,
    /// Its digest.
    last: Option<String>,
    /// Whether it was said that something goes wrong.
    is_told: bool,
}

impl LogFile {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            path: options.file.clone(),
            chain: options.chain,
            rotate: options.rotate,
            limit: options.rotate,
            keep: options.keep,
            lock: None,
            file: None,
            head: None,
            is_regular: true,
            size: 0,
            is_torn: false,
            begin: 1,
            seq: 0,
            last: None,
            is_told: false,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn is_open(&self) -> bool {
        self.file.is_some()
    }

    /// Opens the file, and finds out where its log ended.
    pub(super) fn open(&mut self) -> io::Result<()> {
        self.is_regular = fs::metadata(&self.path).map_or(true, |found| found.is_file());
        if self.is_regular && self.lock.is_none() {
            make_directory(&self.path)?;
            (self.path, self.lock) = take_slot(&self.path)?;
        }
        let file = open_to_append(&self.path)?;
        self.size = if self.is_regular { file.metadata()?.len() } else { 0 };
        if self.is_regular
            && let Some(begin) = self.find_end()?
        {
            file.set_len(begin)?;
            (self.size, self.is_torn) = (begin, false);
        }
        self.file = Some(file);
        // A file has a chain from its first record to its last, or none.
        if self.size > 0 && self.last.is_some() != self.chain {
            self.put_aside();
        }
        Ok(())
    }

    /// Where the log ended: in an older file where the newest has no record yet. With a chain also where a line begins that a process
    /// wrote in part and was killed: the head names no record behind those before it, so it never was one.
    fn find_end(&mut self) -> io::Result<Option<u64>> {
        let Tail { seq, digest, is_torn, torn_at } = match self.size {
            0 => tail_of_older(&self.path)?,
            _ => tail::of(&self.path)?,
        };
        self.begin = match self.size {
            0 => seq.saturating_add(1),
            _ => tail::first(&self.path)?.unwrap_or(1),
        };
        (self.seq, self.last, self.is_torn) = (seq, digest, is_torn);
        if let (true, Beside::Head(head)) = (self.chain, Head::of(&self.path)?) {
            // What it names and the file has not was removed. To go on behind that would hide it.
            self.begin = head.begin;
            let names_none_behind = head.seq <= self.seq;
            if head.seq >= self.seq {
                (self.seq, self.last) = (head.seq, Some(head.digest));
            }
            return Ok(torn_at.filter(|_| names_none_behind));
        }
        Ok(None)
    }

    /// Adds records in order. Says how many were written, and what went wrong after them.
    pub(super) fn append<'e>(
        &mut self,
        heading: &Heading,
        events: impl Iterator<Item = &'e (Timestamp, Event)>,
    ) -> (usize, io::Result<()>) {
        let opened = if self.file.is_none() { self.open() } else { self.follow_name() };
        if let Err(error) = opened {
            return (0, Err(error));
        }
        let mut written = 0_usize;
        let mut batch = Batch::begin(self);
        for (at, event) in events {
            let begin = batch.bytes.len();
            let (seq, last) = (batch.seq, batch.last.clone());
            batch.add(heading, *at, event, self.chain);
            let is_full = self.size.saturating_add(batch.bytes.len() as u64) > self.limit;
            if is_full && self.is_regular && (self.size > 0 || begin > 0) {
                // This record begins the next file.
                let line = batch.bytes.split_off(begin);
                let next = Batch { bytes: line, records: 1, seq: batch.seq, last: batch.last.take() };
                (batch.seq, batch.last, batch.records) = (seq, last, batch.records.saturating_sub(1));
                let records = batch.records;
                if let Err(error) = self.write(batch) {
                    return (written, Err(error));
                }
                written = written.saturating_add(records);
                self.put_aside();
                batch = next;
            }
        }
        let records = batch.records;
        let result = self.write(batch);
        (if result.is_ok() { written.saturating_add(records) } else { written }, result)
    }

    /// Writes lines in one go: all of them, or none.
    fn write(&mut self, batch: Batch) -> io::Result<()> {
        if batch.records == 0 {
            return Ok(());
        }
        if self.file.is_none() {
            self.file = Some(open_to_append(&self.path)?);
        }
        let Some(file) = &mut self.file else { return Err(io::ErrorKind::NotFound.into()) };
        if self.is_torn {
            file.write_all(b"\n")?;
            self.is_torn = false;
            self.size = self.size.saturating_add(1);
        }
        if let Err(error) = file.write_all(&batch.bytes) {
            // A full disk takes the beginning of a line. Somebody else may have made the file shorter, which is not to be made longer.
            let is_longer = self.is_regular && file.metadata().is_ok_and(|found| found.len() > self.size);
            self.is_torn = !self.is_regular || is_longer && file.set_len(self.size).is_err();
            return Err(error);
        }
        self.size = self.size.saturating_add(batch.bytes.len() as u64);
        (self.seq, self.last) = (batch.seq, batch.last);
        // The records are there all the same: to report a failure would have them written again.
        if let Err(error) = self.write_head() {
            self.tell("its head cannot be written", &error);
        }
        Ok(())
    }

    /// Where somebody moved or removed the file, records go on in a new one under its name.
    fn follow_name(&mut self) -> io::Result<()> {
        let Some(file) = self.file.as_ref().filter(|_| self.is_regular) else { return Ok(()) };
        if is_named(file, &self.path)? {
            return Ok(());
        }
        let file = open_to_append(&self.path)?;
        self.size = file.metadata()?.len();
        self.begin = self.seq.saturating_add(1);
        (self.file, self.head, self.is_torn) = (Some(file), None, false);
        Ok(())
    }

    /// Says once what goes wrong without a record being lost.
    fn tell(&mut self, what: &str, error: &io::Error) {
        if !std::mem::replace(&mut self.is_told, true) {
            say::line(&format!("the audit file {}: {what}: {error}", self.path.display()));
        }
    }

    /// After the records, so that it never names one that is not there.
    fn write_head(&mut self) -> io::Result<()> {
        let (true, Some(last)) = (self.is_regular, &self.last) else { return Ok(()) };
        let head = match &mut self.head {
            Some(head) => head,
            head => head.insert(open_private(&Head::path(&self.path), OpenOptions::new().write(true))?),
        };
        let text = Head { begin: self.begin, seq: self.seq, digest: last.clone() }.text();
        head.rewind()?;
        head.write_all(text.as_bytes())
    }

    /// Puts the file aside, and begins another. Where that fails, records go on in the same file: that is worth more than its size.
    fn put_aside(&mut self) {
        match self.try_put_aside() {
            Ok(()) => self.limit = self.rotate,
            Err(error) => {
                self.limit = self.size.saturating_add(self.rotate);
                self.tell("it cannot be put aside, and grows", &error);
            }
        }
    }

    fn try_put_aside(&mut self) -> io::Result<()> {
        let old = |number: usize| beside(&self.path, &number.to_string());
        let shift = || {
            let mut numbers = (0..self.keep).rev();
            numbers.try_for_each(|number| move_with_head(&old(number), &old(number.saturating_add(1))))
        };
        if let Some(file) = &self.file {
            let _ = file.sync_data();
        }
        self.head = None;
        if self.keep == 0 {
            remove(&Head::path(&self.path))?;
            remove(&self.path)?;
        } else {
            // Another process that was killed may have left one there.
            if old(0).try_exists()? {
                shift()?;
            }
            // First, so that no older file moves where this one cannot.
            move_with_head(&self.path, &old(0))?;
            shift()?;
        }
        (self.file, self.size, self.is_torn) = (None, 0, false);
        self.begin = self.seq.saturating_add(1);
        self.file = Some(open_to_append(&self.path)?);
        Ok(())
    }

    /// Keeps how the gateway began beside the log, where no rotation takes it away. It is worth no failure.
    pub(super) fn note_start(&mut self, heading: &Heading, at: Timestamp, start: &Event) {
        let Some(lock) = &mut self.lock else { return };
        let mut text = Vec::new();
        line::write(&mut text, heading, 0, at, start, &Link::Off);
        let _ = lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| lock.write_all(&text));
    }

    /// Nothing is written any more: what was is to outlive a power cut.
    pub(super) fn end(&mut self) {
        if let Some(file) = &self.file {
            let _ = file.sync_data();
        }
    }
}

/// Lines that are not written yet, and where the log ends with them.
struct Batch {
    bytes: Vec<u8>,
    records: usize,
    seq: u64,
    last: Option<String>,
}

impl Batch {
    fn begin(file: &LogFile) -> Self {
        Self { bytes: Vec::new(), records: 0, seq: file.seq, last: file.last.clone() }
    }

    fn add(&mut self, heading: &Heading, at: Timestamp, event: &Event, chain: bool) {
        self.seq = self.seq.saturating_add(1);
        self.records = self.records.saturating_add(1);
        let link = if chain { Link::To(self.last.as_deref()) } else { Link::Off };
        self.last = line::write(&mut self.bytes, heading, self.seq, at, event, &link);
    }
}

fn tail_of_older(path: &Path) -> io::Result<Tail> {
    match older(path)?.last() {
        Some(newest) => Ok(Tail { is_torn: false, torn_at: None, ..tail::of(newest)? }),
        None => Ok(Tail::default()),
    }
}
