//! How a command ends: its exit status and, on failure, a message on standard error.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use callgate::StoreError;
use callgate_host::{OpenError, ReadError};

use crate::terminal::shown;

/// The answer is no: a policy that does not load, a call that may not run, nothing to reset.
pub(crate) const NO: u8 = 1;
/// The question could not be asked.
pub(crate) const FAILED: u8 = 2;

/// Why a command gave up.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An error that the user can correct.
    Told { message: String, help: Option<&'static str> },
    /// A report that is ready to be shown.
    Rendered(String),
    /// Its output cannot be written.
    Output(io::Error),
}

pub(crate) type Outcome = Result<ExitCode, Failure>;

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self::Told { message: message.into(), help: None }
    }

    pub(crate) fn with_help(message: impl Into<String>, help: &'static str) -> Self {
        Self::Told { message: message.into(), help: Some(help) }
    }

    /// A file other than a policy that cannot be opened or read.
    pub(crate) fn reading(path: &Path, error: &io::Error) -> Self {
        Self::new(format!("{}: {error}", path.display()))
    }

    /// What went wrong, in a sentence.
    pub(crate) fn sentence(self) -> String {
        match self {
            Self::Told { message, .. } | Self::Rendered(message) => message,
            Self::Output(error) => error.to_string(),
        }
    }

    /// Shows the failure and gives the exit status.
    pub(crate) fn report(self) -> ExitCode {
        match self {
            // The reader closed the pipe, as `head` does.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
            Self::Output(error) => tell("error", &format!("cannot write the output: {error}"), None),
            Self::Told { message, help } => tell("error", &message, help),
            Self::Rendered(text) => {
                let _ = io::stderr().lock().write_all(text.as_bytes());
            }
        }
        ExitCode::from(FAILED)
    }
}

/// The status of a command that has its answer, even if the reader closed the pipe, as `head` does.
pub(crate) fn answered(written: Result<(), Failure>, status: u8) -> Outcome {
    match written {
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {}
        written => written?,
    }
    Ok(ExitCode::from(status))
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::new(error.to_string())
    }
}

/// Writes `error: …` and `help: …` to standard error. Does not fail if nobody reads it.
pub(crate) fn tell(level: &str, message: &str, help: Option<&str>) {
    let mut stderr = io::stderr().lock();
    let _ = writeln!(stderr, "{level}: {}", shown(message));
    if let Some(help) = help {
        let _ = writeln!(stderr, "help: {help}");
    }
}
