//! Policy files.
//!
//! In: a path. Out: the policy, or the errors with the path in front. Must not read more than the ceiling of a policy,
//! whatever size the file claims.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use callgate::ceilings::DOCUMENT_BYTES;
use callgate::{Diagnostic, Format, Policy, PolicyError, Severity};

use crate::policy_files::{InvalidStack, PolicyFiles, PolicyPaths};

/// The text of a policy and its path, for a host that shows excerpts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFile {
    path: PathBuf,
    text: String,
}

/// Why a policy file could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be read as text.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The text is not a valid policy.
    #[error(transparent)]
    Policy(#[from] InvalidPolicy),
    /// Each text is a valid policy, but they are no stack.
    #[error(transparent)]
    Stack(#[from] InvalidStack),
}

impl LoadError {
    /// The file that is at fault, as it was named. Empty only where no file was named at all.
    pub fn path(&self) -> &Path {
        match self {
            Self::Read(error) => &error.path,
            Self::Policy(error) => &error.path,
            Self::Stack(error) => error.path(),
        }
    }
}

/// A policy file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct ReadError {
    path: PathBuf,
    source: io::Error,
}

impl ReadError {
    /// Why it could not be read. A file that is not UTF-8 is `InvalidData`, one above the ceiling `FileTooLarge`.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }

    /// The same, for another report of it.
    pub(crate) fn again(&self) -> Self {
        let source = io::Error::new(self.source.kind(), self.source.to_string());
        Self { path: self.path.clone(), source }
    }
}

/// A policy file that does not load, with every reason.
///
/// Prints one error a paragraph, without warnings: `policy.yaml:3:5: error[unknown_field]: …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidPolicy {
    path: PathBuf,
    error: PolicyError,
}

impl InvalidPolicy {
    /// Errors and warnings, in document order.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        self.error.diagnostics()
    }

    /// The same without the path.
    pub fn policy_error(&self) -> &PolicyError {
        &self.error
    }
}

impl fmt::Display for InvalidPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors = self.diagnostics().iter().filter(|diagnostic| diagnostic.severity() == Severity::Error);
        for (index, diagnostic) in errors.enumerate() {
            let separator = if index > 0 { "\n" } else { "" };
            write!(f, "{separator}{}:{diagnostic}", self.path.display())?;
        }
        Ok(())
    }
}

impl std::error::Error for InvalidPolicy {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl PolicyFile {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ReadError`] where it cannot be opened or read, is larger than a policy may be, or is not UTF-8.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ReadError> {
        let path = path.as_ref();
        let file = File::open(path).and_then(|file| {
            // A file has a size. What has none (a pipe, a device) is cut off while it is read.
            let size = file.metadata()?.len();
            if size > DOCUMENT_BYTES as u64 { Err(too_large()) } else { Ok(file) }
        });
        let text = file.and_then(read_text);
        Self::of(path, text)
    }

    /// Reads a policy from anything, called `name`.
    ///
    /// # Errors
    /// [`ReadError`], as for [`PolicyFile::read`].
    pub fn from_reader(name: impl AsRef<Path>, reader: impl Read) -> Result<Self, ReadError> {
        Self::of(name.as_ref(), read_text(reader))
    }

    fn of(path: &Path, text: io::Result<String>) -> Result<Self, ReadError> {
        let path = path.to_owned();
        match text {
            Ok(text) => Ok(Self { path, text }),
            Err(source) => Err(ReadError { path, source }),
        }
    }

    /// The path, as it was named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The format, by the file's extension: `.json`, `.yaml` or `.yml`, else by the text itself.
    pub fn format(&self) -> Format {
        let extension = self.path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        match extension.to_ascii_lowercase().as_str() {
            "json" => Format::Json,
            "yaml" | "yml" => Format::Yaml,
            _ => Format::Detect,
        }
    }

    /// The policy.
    ///
    /// # Errors
    /// [`InvalidPolicy`] with everything that is wrong in the text.
    pub fn compile(&self) -> Result<Policy, InvalidPolicy> {
        Policy::from_text(&self.text, self.format()).map_err(|error| self.invalid(error))
    }

    /// The policy, if it may replace the one in force: for a file that is read again (spec 1.8).
    ///
    /// # Errors
    /// [`InvalidPolicy`] as for [`PolicyFile::compile`], or with marks of half a file.
    pub fn compile_to_replace(&self, in_force: &Policy) -> Result<Policy, InvalidPolicy> {
        self.compile()?.replacing(in_force).map_err(|error| self.invalid(error))
    }

    pub(crate) fn invalid(&self, error: PolicyError) -> InvalidPolicy {
        InvalidPolicy { path: self.path.clone(), error }
    }
}

/// Reads and compiles a policy file, or several as one stack, in their order (spec 6.10). The extension tells a file's format:
/// `.json`, `.yaml`, `.yml`; any other file is JSON if it looks like JSON, else YAML.
///
/// # Errors
/// [`LoadError`] where a file cannot be read, is not a valid policy, or does not go with the others.
pub fn load_policy(paths: impl Into<PolicyPaths>) -> Result<Policy, LoadError> {
    PolicyFiles::read(paths)?.compile()
}

fn read_text(reader: impl Read) -> io::Result<String> {
    let mut bytes = Vec::new();
    // One byte more than the ceiling shows that a text is larger.
    reader.take((DOCUMENT_BYTES as u64).saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > DOCUMENT_BYTES {
        return Err(too_large());
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        io::Error::new(io::ErrorKind::InvalidData, format!("not UTF-8 text: invalid byte at offset {at}"))
    })
}

fn too_large() -> io::Error {
    let message = format!("larger than a policy may be ({DOCUMENT_BYTES} bytes)");
    io::Error::new(io::ErrorKind::FileTooLarge, message)
}
