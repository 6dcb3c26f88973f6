//! A configuration's file and the backups beside it.
//!
//! In: paths, bytes. Out: bytes; a file that is replaced whole, or not at all. Must not write over a backup, or over what somebody else wrote
//! meanwhile.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process;

use super::error::WrapError;

/// The most bytes of a configuration: Claude Code's own file holds its history too, and has been seen with 10 MB.
const MOST_BYTES: u64 = 64 << 20;
/// Backups beside a file.
const MOST_BACKUPS: u32 = 99;

/// A file as it was read.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// As the caller names it.
    pub(super) named: PathBuf,
    /// Where a symbolic link leads to: the file itself is replaced, and a link to it stays one.
    real: PathBuf,
    pub(super) bytes: Vec<u8>,
}

impl Source {
    pub(super) fn read(named: &Path) -> Result<Self, WrapError> {
        let failed = |what| WrapError::io(named, what);
        let is_link = fs::symlink_metadata(named).map_err(failed("cannot be read"))?.is_symlink();
        let real = if is_link { fs::canonicalize(named) } else { Ok(named.to_owned()) };
        let real = real.map_err(failed("cannot be read"))?;
        // A pipe may never end.
        if !fs::metadata(&real).map_err(failed("cannot be read"))?.is_file() {
            return Err(WrapError::unusable(named, "it is not a regular file"));
        }
        let bytes = read(&real).map_err(failed("cannot be read"))?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(WrapError::unusable(named, format!("larger than {MOST_BYTES} bytes")));
        }
        Ok(Self { named: named.to_owned(), real, bytes })
    }

    /// The backups that there are, the oldest first.
    pub(super) fn backups(&self) -> Vec<PathBuf> {
        self.numbered().filter(|path| path.symlink_metadata().is_ok()).collect()
    }

    /// Where the next backup is to be: behind all others, so that the last one is the newest.
    pub(super) fn next_backup(&self) -> Result<PathBuf, WrapError> {
        let last = self.backups().pop();
        let mut after = self.numbered().skip_while(|path| last.as_ref().is_some_and(|last| path != last));
        let next = if last.is_some() { after.nth(1) } else { after.next() };
        next.ok_or_else(|| WrapError::unusable(&self.named, "there are too many backups beside it"))
    }

    fn numbered(&self) -> impl Iterator<Item = PathBuf> {
        (1..=MOST_BACKUPS).map(|number| {
            let ending = ".callgate-backup";
            let ending = if number == 1 { ending.to_owned() } else { format!("{ending}.{number}") };
            let mut name = OsString::from(&self.real);
            name.push(ending);
            name.into()
        })
    }

    /// Writes the bytes that were read to a new file, which only those who may read the file can read.
    pub(super) fn back_up(&self, backup: &Path) -> Result<(), WrapError> {
        let like = fs::metadata(&self.real).map_err(WrapError::io(&self.named, "cannot be read"))?;
        create(backup, &self.bytes, &like).map_err(WrapError::io(backup, "cannot be written"))
    }

    /// Replaces the file, in one step.
    pub(super) fn replace(&self, bytes: &[u8]) -> Result<(), WrapError> {
        let failed = |what| WrapError::io(&self.named, what);
        let like = fs::metadata(&self.real).map_err(failed("cannot be read"))?;
        if like.permissions().readonly() {
            return Err(WrapError::unusable(&self.named, "it is read-only"));
        }
        let mut name = OsString::from(".");
        name.push(self.real.file_name().unwrap_or_default());
        name.push(format!(".callgate-{}", process::id()));
        let new = self.real.with_file_name(name);
        create(&new, bytes, &like).map_err(WrapError::io(&new, "cannot be written"))?;
        // As late as can be: clients write their configuration, too.
        let replaced = match read(&self.real) {
            Ok(now) if now == self.bytes => {
                fs::rename(&new, &self.real).map_err(failed("cannot be replaced"))
            }
            Ok(_) => Err(WrapError::unusable(
                &self.named,
                "another program has changed it meanwhile: run this again",
            )),
            Err(error) => Err(failed("cannot be read")(error)),
        };
        if replaced.is_err() {
            let _ = fs::remove_file(&new);
        } else if let Some(directory) = self.real.parent() {
            let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
            // Not every file system can: the file is whole either way.
            let _ = File::open(directory).and_then(|directory| directory.sync_all());
        }
        replaced
    }
}

/// The bytes of a file, and one more than are accepted if there are too many.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_BYTES.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A new file with the owner and the mode of another.
fn create(path: &Path, bytes: &[u8], like: &Metadata) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| own(&file, like))
        .and_then(|()| file.set_permissions(like.permissions()))
        .and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}

#[cfg(unix)]
fn own(file: &File, like: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    let now = file.metadata()?;
    if (now.uid(), now.gid()) == (like.uid(), like.gid()) {
        return Ok(());
    }
    fchown(file, Some(like.uid()), Some(like.gid()))
}

#[cfg(not(unix))]
fn own(_file: &File, _like: &Metadata) -> io::Result<()> {
    Ok(())
}
