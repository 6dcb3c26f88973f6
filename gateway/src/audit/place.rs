//! Where the files of a log lie, who holds them, and how they are opened and moved.
//!
//! In: the path of a log. Out: the paths beside it, open files that nobody else may read. Must not wait for a lock.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::head::Head;

/// Gateways of one server that write at a time.
const SLOTS: usize = 100;
/// Bytes of a `start` record that are read.
const NOTE: u64 = 64 << 10;
/// How long somebody who looks whether a gateway lives holds its lock, at most.
const GLANCE: Duration = Duration::from_millis(2);

/// Whether the path still names the open file.
#[cfg(unix)]
pub(super) fn is_named(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let id = |found: fs::Metadata| (found.dev(), found.ino());
    match fs::metadata(path) {
        Ok(named) => Ok(id(named) == id(file.metadata()?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether the path still names the open file: it is taken to. The system has no number of a file to compare.
#[cfg(not(unix))]
pub(super) fn is_named(_file: &File, _path: &Path) -> io::Result<bool> {
    Ok(true)
}

/// Moves a file where there is one. Its head goes first: a head whose file is missing says nothing, and one of another file would say what is not so.
pub(super) fn move_with_head(from: &Path, to: &Path) -> io::Result<()> {
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

pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
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
        let other = path.with_file_name(other);
        if let Some(number) = number
            && other.is_file()
        {
            found.push((number, other));
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

/// How the gateway began that writes to the file, or wrote last: the text of its `start` record. Empty where that is not known.
pub(super) fn noted_start(path: &Path) -> String {
    let mut text = String::new();
    let read = File::open(beside(path, "lock")).and_then(|lock| lock.take(NOTE).read_to_string(&mut text));
    read.map_or_else(|_| String::new(), |_| text)
}

/// The path of this slot: `NAME.jsonl`, `NAME.2.jsonl`.
pub(super) fn slot(path: &Path, number: usize) -> PathBuf {
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
pub(super) fn take_slot(path: &Path) -> io::Result<(PathBuf, Option<File>)> {
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

pub(super) fn make_directory(path: &Path) -> io::Result<()> {
    let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) else {
        return Ok(());
    };
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

pub(super) fn open_to_append(path: &Path) -> io::Result<File> {
    open_private(path, OpenOptions::new().append(true))
}

/// Opens a file that nobody else may read, and makes it where it is missing.
pub(super) fn open_private(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options.open(path)
}
