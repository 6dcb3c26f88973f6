//! Writes a lock: whole, or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process;

use crate::failure::Failure;

/// Replaces the file in one step. A symbolic link stays one.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error| Failure::reading(path, &error);
    let real = match fs::canonicalize(path) {
        Ok(real) => real,
        // There is none yet.
        Err(_) => path.to_owned(),
    };
    let mut name = std::ffi::OsString::from(".");
    name.push(real.file_name().unwrap_or_default());
    name.push(format!(".{}", process::id()));
    let new = real.with_file_name(name);
    let mut file = OpenOptions::new().write(true).create_new(true).open(&new).map_err(failed)?;
    let mode = fs::metadata(&real).map(|known| known.permissions());
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| mode.map_or(Ok(()), |mode| file.set_permissions(mode)))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&new, &real));
    if let Err(error) = written {
        let _ = fs::remove_file(&new);
        return Err(failed(error));
    }
    let directory = real.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Not every file system can: the file is whole either way.
    let _ = File::open(directory).and_then(|directory| directory.sync_all());
    Ok(())
}
