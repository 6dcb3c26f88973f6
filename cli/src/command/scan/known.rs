//! What the operator knows of servers and their tools.
//!
//! In: the file of `--overrides`, the servers of `--trust`. Out: options for the classifier. Must not let a name that matches nothing pass.

use std::path::{Path, PathBuf};

use callgate::Diagnostic;
use callgate_analysis::overrides::Overrides;
use callgate_analysis::risk::Options;

use super::sources::Asked;
use crate::args::ScanArgs;
use crate::excerpt::Excerpts;
use crate::failure::Failure;
use crate::input::read_text;

/// A file that was read.
pub(super) struct File {
    pub(super) all: Overrides,
    path: PathBuf,
    text: String,
}

impl File {
    /// Fails if there is an error, and shows each at its place.
    pub(super) fn refuse(&self, errors: &[Diagnostic]) -> Result<(), Failure> {
        refuse(&self.path, &self.text, errors)
    }
}

fn refuse(path: &Path, text: &str, errors: &[Diagnostic]) -> Result<(), Failure> {
    if errors.is_empty() {
        return Ok(());
    }
    let excerpts = Excerpts::for_stderr();
    let path = path.display().to_string();
    Err(Failure::Rendered(errors.iter().map(|error| excerpts.finding(&path, text, error)).collect()))
}

pub(super) fn read(path: &Path) -> Result<File, Failure> {
    let text = read_text(path)?;
    match Overrides::read(&text) {
        Ok(all) => Ok(File { all, path: path.to_owned(), text }),
        Err(errors) => {
            refuse(path, &text, &errors)?;
            Err(Failure::new(format!("{}: it cannot be read", path.display())))
        }
    }
}

/// Options for servers that are to be asked.
pub(super) fn options(args: &ScanArgs, file: Option<&File>, asked: &[Asked]) -> Result<Options, Failure> {
    let mut options = Options::new();
    for server in &args.trust {
        if !asked.iter().any(|one| one.name == *server) {
            let names: Vec<&str> = asked.iter().map(|one| &*one.name).collect();
            let message =
                format!("`--trust {server}` names no server of the scan: there is {}", names.join(", "));
            return Err(Failure::new(message));
        }
        options = options.trust(server);
    }
    Ok(file.map_or_else(|| options.clone(), |file| file.all.options(options.clone())))
}
