//! The files of a log: one that is written to, and older ones that were put aside.
//!
//! In: events. Out: whole lines at the end of a file that no other process writes to. Must not leave half a line behind, and must not write where
//! another gateway writes: a chain has one end.
//!
//! | file | what it is |
//! | --- | --- |
//! | `NAME.jsonl` | the records; `NAME.2.jsonl` and so on where several gateways of one server run at a time |
//! | `NAME.jsonl.1`, `.2`, … | older records, the newest of them in `.1` |
//! | `NAME.jsonl.lock` | locked as long as a gateway writes |
//! | `NAME.jsonl.head`, `NAME.jsonl.1.head`, … | with a chain: how the file begins and ends, by which one finds that either is missing |

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use callgate::time::Timestamp;

use super::head::{Beside, Head};
use super::line::{self, Heading, Link};
use super::tail::{self, Tail};
use super::{Event, Options};

/// Gateways of one server that write at a time.
const SLOTS: usize = 100;
/// How long somebody who looks whether a gateway lives holds its lock, at most.
const GLANCE: Duration = Duration::from_millis(2);

pub(super) struct LogFile {
    path: PathBuf,
    chain: bool,
    rotate: u64,
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
    /// Whether a failure to put files aside was said.
    is_told: bool,
}

impl LogFile {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            path: options.file.clone(),
            chain: options.chain,
            rotate: options.rotate,
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
        if self.is_regular {
            self.find_end()?;
        }
        self.file = Some(file);
        // A file has a chain from its first record to its last, or none.
        if self.size > 0 && self.last.is_some() != self.chain {
            self.put_aside();
        }
        Ok(())
    }

    /// Where the log ended: in an older file where the newest has no record yet.
    fn find_end(&mut self) -> io::Result<()> {
        let Tail { seq, digest, is_torn } = match self.size {
            0 => tail_of_older(&beside(&self.path, "1"))?,
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
            if head.seq >= self.seq {
                (self.seq, self.last) = (head.seq, Some(head.digest));
            }
        }
        Ok(())
    }

    /// Adds records in order. Says how many were written, and what went wrong after them.
    pub(super) fn append<'e>(
        &mut self,
        heading: &Heading,
        events: impl Iterator<Item = &'e (Timestamp, Event)>,
    ) -> (usize, io::Result<()>) {
        if self.file.is_none()
            && let Err(error) = self.open()
        {
            return (0, Err(error));
        }
        let mut written = 0_usize;
        let mut batch = Batch::begin(self);
        for (at, event) in events {
            let begin = batch.bytes.len();
            let (seq, last) = (batch.seq, batch.last.clone());
            batch.add(heading, *at, event, self.chain);
            let is_full = self.size.saturating_add(batch.bytes.len() as u64) > self.rotate;
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
        self.write_head()
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
            Ok(()) => {}
            Err(error) => {
                if !std::mem::replace(&mut self.is_told, true) {
                    let file = self.path.display();
                    eprintln!("callgate: the audit file {file} cannot be put aside, and grows: {error}");
                }
            }
        }
    }

    fn try_put_aside(&mut self) -> io::Result<()> {
        let old = |number: usize| beside(&self.path, &number.to_string());
        for number in (1..self.keep).rev() {
            move_with_head(&old(number), &old(number.saturating_add(1)))?;
        }
        if let Some(file) = &self.file {
            let _ = file.sync_data();
        }
        self.head = None;
        if self.keep == 0 {
            remove(&Head::path(&self.path))?;
            remove(&self.path)?;
        } else {
            move_with_head(&self.path, &old(1))?;
        }
        (self.file, self.size, self.is_torn) = (None, 0, false);
        self.begin = self.seq.saturating_add(1);
        self.file = Some(open_to_append(&self.path)?);
        Ok(())
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

/// Moves a file where there is one. Its head goes first: a head whose file is missing says nothing, and one of another file would say what is not so.
fn move_with_head(from: &Path, to: &Path) -> io::Result<()> {
    if !from.try_exists()? {
        return Ok(());
    }
    remove(&Head::path(to))?;
    for (from, to) in [(Head::path(from), Head::path(to)), (from.to_owned(), to.to_owned())] {
        match fs::rename(from, to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn tail_of_older(path: &Path) -> io::Result<Tail> {
    match tail::of(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Tail::default()),
        found => found.map(|found| Tail { is_torn: false, ..found }),
    }
}

/// The path with another ending behind its own.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".");
    name.push(ending);
    name.into()
}

/// The files that were put aside, the oldest first. None for one that was put aside itself.
pub(super) fn older(path: &Path) -> io::Result<Vec<PathBuf>> {
    let Some(name) = path.file_name() else { return Ok(Vec::new()) };
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    let mut found = Vec::new();
    for entry in fs::read_dir(directory.unwrap_or(Path::new(".")))? {
        let other = entry?.file_name();
        let number = other
            .as_encoded_bytes()
            .strip_prefix(name.as_encoded_bytes())
            .and_then(|rest| std::str::from_utf8(rest.strip_prefix(b".")?).ok()?.parse::<u64>().ok());
        if let Some(number) = number {
            found.push((number, path.with_file_name(other)));
        }
    }
    found.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// Whether a gateway writes to the file.
pub(super) fn is_held(path: &Path) -> bool {
    let lock = File::open(beside(path, "lock"));
    // Shared, so that two who look do not take each other for a gateway. Given back when the file is closed.
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// The path of this slot: `NAME.jsonl`, `NAME.2.jsonl`.
fn slot(path: &Path, number: usize) -> PathBuf {
    if number == 1 {
        return path.to_owned();
    }
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!(".{number}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// The first path that no other process writes to, and its lock.
fn take_slot(path: &Path) -> io::Result<(PathBuf, Option<File>)> {
    for number in 1..=SLOTS {
        let path = slot(path, number);
        let file = open_private(&beside(&path, "lock"), OpenOptions::new().write(true))?;
        match file.try_lock() {
            Ok(()) => return Ok((path, Some(file))),
            Err(TryLockError::WouldBlock) => {
                // `callgate status` looks whether it is locked by locking it for a moment.
                thread::sleep(GLANCE);
                if file.try_lock().is_ok() {
                    return Ok((path, Some(file)));
                }
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Err(io::Error::other(format!("{SLOTS} gateways write to it already")))
}

fn make_directory(path: &Path) -> io::Result<()> {
    let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) else {
        return Ok(());
    };
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

fn open_to_append(path: &Path) -> io::Result<File> {
    open_private(path, OpenOptions::new().append(true))
}

/// Opens a file that nobody else may read, and makes it where it is missing.
fn open_private(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options.open(path)
}
