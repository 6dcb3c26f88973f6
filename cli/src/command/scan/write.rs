//! The files of `--write`: a policy, and its tests beside it.
//!
//! In: a server's tools. Out: two files, each whole or not there. Must not replace a file that nobody said may be replaced.

use std::path::{Path, PathBuf};

use callgate::Diagnostic;
use callgate_analysis::recommend::{self, Recommended, recommend};
use callgate_analysis::risk::{self, classify};
use serde_json::Value;

use crate::args::ScanArgs;
use crate::failure::{Failure, tell};
use crate::place::{check, place};

/// Where a policy is written, and how.
#[derive(Debug)]
pub(super) struct Target {
    policy: PathBuf,
    tests: PathBuf,
    /// The policy's name, as its tests name it.
    file: String,
    profile: recommend::Profile,
    scope: recommend::Scope,
    force: bool,
    /// What is to be written.
    written: Option<Recommended>,
}

impl Target {
    /// Looks at both places before anything is asked or written.
    pub(super) fn new(path: &Path, args: &ScanArgs) -> Result<Self, Failure> {
        let failed = |what: &str| Failure::new(format!("{}: {what}", path.display()));
        let file = path
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or_else(|| failed("it is not the name of a file"))?;
        let ending =
            [".yaml", ".yml"].into_iter().find(|ending| file.len() > ending.len() && file.ends_with(ending));
        let ending = ending
            .ok_or_else(|| failed("a policy is written as YAML: give a name that ends with `.yaml`"))?;
        let stem = file.strip_suffix(ending).unwrap_or(file);
        if stem.ends_with("_test") {
            return Err(failed("test files are called so: give the policy another name"));
        }
        let target = Self {
            policy: path.to_owned(),
            tests: path.with_file_name(format!("{stem}_test{ending}")),
            file: file.to_owned(),
            profile: args.profile.unwrap_or_default().into(),
            scope: args.scope.unwrap_or_default().into(),
            force: args.force,
            written: None,
        };
        if !target.folder().is_dir() {
            return Err(failed("its folder is not there"));
        }
        check([&*target.policy, &*target.tests], target.force)?;
        Ok(target)
    }

    fn folder(&self) -> &Path {
        let folder = self.policy.parent().filter(|folder| !folder.as_os_str().is_empty());
        folder.unwrap_or(Path::new("."))
    }

    /// Makes both texts.
    pub(super) fn prepare(
        &mut self,
        server: &str,
        tools: &[Value],
        known: &risk::Options,
    ) -> Result<(), Failure> {
        let risks = classify(server, tools, known);
        let options = recommend::Options { profile: self.profile, scope: self.scope, risk: known };
        let written = recommend(server, tools, &risks, &options, &self.file).map_err(|error| {
            let why = error.diagnostics().first().map_or("", Diagnostic::message);
            Failure::new(format!("no policy can be written for server `{server}`: {why}"))
        })?;
        self.written = Some(written);
        Ok(())
    }

    /// Writes both files, if the server listed its tools.
    pub(super) fn write(&self) -> Result<(), Failure> {
        let Some(written) = &self.written else { return Ok(()) };
        place(&[(&self.policy, &written.policy), (&self.tests, &written.tests)], self.force)?;
        let (policy, tests) = (self.policy.display(), self.tests.display());
        tell("wrote", &format!("{policy} and {tests}"), Some("`callgate test --coverage` runs the tests"));
        for (name, why) in &written.left_out {
            tell("warning", &format!("the tool `{name}` has no entry, and is denied: {why}"), None);
        }
        Ok(())
    }
}
