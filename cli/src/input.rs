//! Input files of a command other than policies: arguments, lists of tools.
//!
//! In: the path of a file, `-` for standard input. Out: its text, without a byte order mark. Must not read without end.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use callgate::ceilings::ARGUMENT_BYTES;

use crate::failure::Failure;

/// The most bytes that are read: more than core's ceiling, so that core refuses, and little enough for any machine.
const READ_BYTES: usize = 2 * ARGUMENT_BYTES;
/// What some editors and shells put in front of UTF-8 text.
pub(crate) const BYTE_ORDER_MARK: &str = "\u{feff}";
/// Stands for standard input where a file is named.
pub(crate) const STDIN: &str = "-";
/// What standard input is called in reports.
pub(crate) const STDIN_SHOWN: &str = "<stdin>";

/// The text of a file.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    if path == Path::new(STDIN) {
        return read(Path::new("standard input"), io::stdin().lock());
    }
    let file = File::open(path).map_err(|error| Failure::reading(path, &error))?;
    read(path, file)
}

/// The text of a file that other files name: not of a pipe, which may never end, and not of standard input.
pub(crate) fn read_file(path: &Path) -> Result<String, Failure> {
    let failed = |error| Failure::reading(path, &error);
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(Failure::new(format!("{}: it is not a regular file", path.display())));
    }
    read(path, File::open(path).map_err(failed)?)
}

fn read(path: &Path, reader: impl Read) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    reader
        .take((READ_BYTES as u64).saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::reading(path, &error))?;
    if bytes.len() > READ_BYTES {
        return Err(Failure::new(format!("{}: larger than {READ_BYTES} bytes", path.display())));
    }
    let mut text =
        String::from_utf8(bytes).map_err(|_| Failure::new(format!("{}: not UTF-8 text", path.display())))?;
    if text.starts_with(BYTE_ORDER_MARK) {
        text.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(text)
}
