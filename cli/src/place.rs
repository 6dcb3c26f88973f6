//! Files that a command writes: all of them, or none.
//!
//! In: paths and texts. Out: files, each whole. Must not replace a file that nobody said may be replaced, nor anything but a regular file.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process;

use crate::failure::Failure;

/// Looks at all places before anything is written.
pub(crate) fn check<'p>(paths: impl IntoIterator<Item = &'p Path>, force: bool) -> Result<(), Failure> {
    for path in paths {
        match fs::symlink_metadata(path) {
            Ok(_) if !force => return Err(exists(path)),
            Ok(found) if !found.is_file() => {
                return Err(Failure::new(format!("{}: it is not a regular file", path.display())));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Failure::reading(path, &error)),
        }
    }
    Ok(())
}

/// Writes all files. `force` replaces those that are there.
pub(crate) fn place<P: AsRef<Path>, T: AsRef<str>>(files: &[(P, T)], force: bool) -> Result<(), Failure> {
    let files: Vec<(&Path, &str)> = files.iter().map(|(path, text)| (path.as_ref(), text.as_ref())).collect();
    let mut made = Vec::new();
    let placed = try_place(&files, force, &mut made);
    if placed.is_err() {
        // Only what this run made.
        for path in made {
            let _ = fs::remove_file(path);
        }
    }
    placed?;
    let folder = files.first().and_then(|(path, _)| path.parent());
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Not every file system can: the files are whole either way.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

/// All names are taken before a text is written, and all texts are written before one takes its name.
fn try_place(files: &[(&Path, &str)], force: bool, made: &mut Vec<PathBuf>) -> Result<(), Failure> {
    for (path, _) in files.iter().filter(|_| !force) {
        match OpenOptions::new().write(true).create_new(true).open(path) {
            Ok(_) => made.push(path.to_path_buf()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(exists(path)),
            Err(error) => return Err(writing(path, &error)),
        }
    }
    let mut beside = Vec::new();
    for (path, text) in files {
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".callgate-{}", process::id()));
        let new = path.with_file_name(name);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&new)
            .map_err(|error| writing(&new, &error))?;
        made.push(new.clone());
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(|error| writing(&new, &error))?;
        beside.push((new, path));
    }
    for (new, path) in beside {
        fs::rename(&new, path).map_err(|error| writing(path, &error))?;
    }
    Ok(())
}

fn exists(path: &Path) -> Failure {
    Failure::with_help(format!("{}: it is there already", path.display()), "`--force` replaces it")
}

/// A file or folder that cannot be written.
pub(crate) fn writing(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("{}: it cannot be written: {error}", path.display()))
}
