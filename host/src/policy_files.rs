//! Policy files that decide as one.
//!
//! In: paths, in the order of the stack. Out: one policy, or what is wrong with which file. Must not judge whether policies go
//! together: core does.

use std::fmt;
use std::path::{Path, PathBuf};

use callgate::ceilings::LAYERS;
use callgate::{Diagnostic, Policy, Severity, StackError};

use crate::policy_file::{LoadError, PolicyFile};

/// The path of a policy file, or those of a stack in its order: `"policy.yaml"`, `["base.yaml", "team.yaml"]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyPaths(Vec<PathBuf>);

impl PolicyPaths {
    /// The paths, in the order of the stack.
    pub fn as_slice(&self) -> &[PathBuf] {
        &self.0
    }
}

impl PolicyPaths {
    /// The warnings of the policy of these files, each with its file; with those that an engine adds whose counters are in memory, or
    /// without.
    pub fn warnings<'p>(
        &'p self,
        policy: &'p Policy,
        in_memory: bool,
    ) -> impl Iterator<Item = (&'p Path, Vec<Diagnostic>)> {
        self.0.iter().zip(policy.layers()).map(move |(path, layer)| {
            let of_memory = if in_memory { layer.memory_warnings() } else { &[] };
            (path.as_path(), layer.warnings().iter().chain(of_memory).cloned().collect())
        })
    }
}

/// As messages name them: `base.yaml, team.yaml`.
impl fmt::Display for PolicyPaths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, path) in self.0.iter().enumerate() {
            let separator = if index > 0 { ", " } else { "" };
            write!(f, "{separator}{}", path.display())?;
        }
        Ok(())
    }
}

impl IntoIterator for PolicyPaths {
    type Item = PathBuf;
    type IntoIter = std::vec::IntoIter<PathBuf>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

macro_rules! one_path {
    ($($path:ty),*) => {
        $(impl From<$path> for PolicyPaths {
            fn from(path: $path) -> Self {
                Self(vec![PathBuf::from(path)])
            }
        })*
    };
}

one_path!(PathBuf, &PathBuf, &Path, &str, String, &String);

impl<P: Into<PathBuf>> From<Vec<P>> for PolicyPaths {
    fn from(paths: Vec<P>) -> Self {
        Self(paths.into_iter().map(Into::into).collect())
    }
}

impl<P: Into<PathBuf>, const N: usize> From<[P; N]> for PolicyPaths {
    fn from(paths: [P; N]) -> Self {
        Self(paths.into_iter().map(Into::into).collect())
    }
}

impl<P: AsRef<Path>> From<&[P]> for PolicyPaths {
    fn from(paths: &[P]) -> Self {
        Self(paths.iter().map(|path| path.as_ref().to_owned()).collect())
    }
}

/// Policies that are no stack, though each loads (spec 6.10).
///
/// Prints the file that does not go with the others, and why: `team.yaml: policy 2 of the stack has no name; …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidStack {
    path: PathBuf,
    error: StackError,
}

impl InvalidStack {
    /// There is no file at all.
    fn none() -> Self {
        Self { path: PathBuf::new(), error: StackError::Count { count: 0 } }
    }

    /// The same without the path.
    pub fn stack_error(&self) -> &StackError {
        &self.error
    }

    /// The file that does not go with those before it. Empty where there is no file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for InvalidStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.as_os_str().is_empty() {
            return self.error.fmt(f);
        }
        write!(f, "{}: {}", self.path.display(), self.error)
    }
}

impl std::error::Error for InvalidStack {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// The texts of a stack's files, or that of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFiles(Vec<PolicyFile>);

impl From<Vec<PolicyFile>> for PolicyFiles {
    fn from(files: Vec<PolicyFile>) -> Self {
        Self(files)
    }
}

impl PolicyFiles {
    /// Reads every file. More than a stack may have are not read.
    ///
    /// # Errors
    /// [`LoadError`] for the first that cannot be read, or where there are none or too many.
    pub fn read(paths: impl Into<PolicyPaths>) -> Result<Self, LoadError> {
        let PolicyPaths(paths) = paths.into();
        if !(1..=LAYERS).contains(&paths.len()) {
            let path = paths.last().cloned().unwrap_or_default();
            return Err(InvalidStack { path, error: StackError::Count { count: paths.len() } }.into());
        }
        Ok(Self(paths.iter().map(PolicyFile::read).collect::<Result<_, _>>()?))
    }

    /// The files, in the order of the stack.
    pub fn files(&self) -> &[PolicyFile] {
        &self.0
    }

    /// The policy of all files. That of one is its own, whether it has a name or not.
    ///
    /// # Errors
    /// [`LoadError`] for the first file that is no valid policy; if all are, for the one that does not go with the others.
    pub fn compile(&self) -> Result<Policy, LoadError> {
        let policies = self.0.iter().map(PolicyFile::compile).collect::<Result<Vec<_>, _>>()?;
        self.stack(policies).map_err(LoadError::from)
    }

    /// The policies of these files as one.
    ///
    /// # Errors
    /// [`InvalidStack`] with the file that does not go with the others.
    pub fn stack(&self, policies: Vec<Policy>) -> Result<Policy, InvalidStack> {
        let name = |policy: &Policy| policy.layers().next().and_then(|layer| layer.name().map(str::to_owned));
        let names: Vec<Option<String>> = policies.iter().map(name).collect();
        Policy::stack(policies).map_err(|error| {
            let at = self.0.get(at_fault(&error, &names)).or(self.0.last());
            InvalidStack { path: at.map(|file| file.path().to_owned()).unwrap_or_default(), error }
        })
    }

    /// The policy, if it may replace the one in force: for files of which one is read again (spec 1.8).
    ///
    /// # Errors
    /// [`LoadError`] as for [`PolicyFiles::compile`], or for a file with marks of half a file.
    pub fn compile_to_replace(&self, in_force: &Policy) -> Result<Policy, LoadError> {
        if let [only] = self.0.as_slice() {
            return Ok(only.compile_to_replace(in_force)?);
        }
        let policies = self.0.iter().map(PolicyFile::compile).collect::<Result<Vec<_>, _>>()?;
        let stack = self.stack(policies.clone())?;
        let Err(error) = stack.clone().replacing(in_force) else { return Ok(stack) };
        // Every warning of the stack is among these, layer by layer, and some have become errors.
        let mut rest = error.diagnostics();
        let mut at_fault = self.0.len().saturating_sub(1);
        for (index, policy) in policies.iter().enumerate() {
            let (of_file, others) = rest.split_at_checked(policy.warnings().len()).unwrap_or((rest, &[]));
            if of_file.iter().any(|mark| mark.severity() == Severity::Error) {
                at_fault = index;
                break;
            }
            rest = others;
        }
        // That file by itself, so that no warning of another is called its own.
        let alone = policies.into_iter().nth(at_fault).and_then(|policy| policy.replacing(in_force).err());
        let error = alone.unwrap_or(error);
        match self.0.get(at_fault) {
            Some(file) => Err(file.invalid(error).into()),
            None => Err(InvalidStack::none().into()),
        }
    }
}

/// The index of the policy that does not go with those before it.
fn at_fault(error: &StackError, names: &[Option<String>]) -> usize {
    match error {
        StackError::ConflictingDispatchers { second, .. } => {
            names.iter().position(|name| name.as_ref() == Some(second)).unwrap_or(usize::MAX)
        }
        StackError::Unnamed { position } => position.saturating_sub(1),
        StackError::Duplicate { second, .. } => second.saturating_sub(1),
        _ => usize::MAX,
    }
}
