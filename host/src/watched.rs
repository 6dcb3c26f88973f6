//! The state of watched files: one, or those of a stack.
//!
//! In: the files, polled. Out: each new text that is whole, as the policy of all files or as the errors in one. Must not take half a
//! file for a policy: it has fewer rules, and may allow what the whole one denies (trap 41).

use std::fs::{self, File, Metadata};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use callgate::Policy;

use crate::policy_file::{LoadError, PolicyFile, ReadError};
use crate::policy_files::{PolicyFiles, PolicyPaths};

/// How long a file that is written in place must stay unchanged before it is read. Writing takes less, even of a large file.
pub(crate) const SETTLE: Duration = Duration::from_secs(1);
/// The age below which a file's time does not show whether it changed again. FAT stores times in steps of two seconds, and
/// clocks of network disks are a little off.
const RACY: Duration = Duration::from_secs(3);

/// The policy that a new one would replace.
#[derive(Clone)]
pub(crate) enum InForce {
    /// The host's policy at the start, then the last one that was reported; `None` before the first.
    Given(Option<Policy>),
    /// What the host says.
    Asked(Arc<dyn Fn() -> Policy + Send + Sync>),
}

/// Files whose policies decide as one, in their order.
pub(crate) struct Watched {
    files: Vec<WatchedFile>,
    in_force: InForce,
    /// Whether nothing was reported yet. Then the policy that is in force already is not reported.
    is_first: bool,
}

/// One of them.
struct WatchedFile {
    path: PathBuf,
    /// What was reported last, or is taken as known. A file that vanishes leaves it.
    reported: Option<Read>,
    /// Changed in place, unchanged since this time, and not reported before it has settled.
    candidate: Option<(Found, Instant)>,
    /// The file's stamp when it was last read, if a change would show in it.
    stamp: Option<Stamp>,
    /// The identity of the file that was read last; `None` if it was missing then.
    node: Option<Node>,
}

/// The whole text: a digest would save little beside the compiled policy.
type Read = Result<PolicyFile, ReadError>;

/// What one poll found.
struct Found {
    read: Read,
    stamp: Option<Stamp>,
}

impl Found {
    fn is(&self, other: &Self) -> bool {
        self.stamp == other.stamp && is_same(&self.read, &other.read)
    }
}

fn is_same(one: &Read, other: &Read) -> bool {
    match (one, other) {
        (Ok(one), Ok(other)) => one.text() == other.text(),
        (Err(one), Err(other)) => one.kind() == other.kind(),
        _ => false,
    }
}

impl InForce {
    fn policy(&self) -> Option<Policy> {
        match self {
            Self::Given(policy) => policy.clone(),
            Self::Asked(ask) => Some(ask()),
        }
    }
}

impl Watched {
    pub(crate) fn new(paths: PolicyPaths, in_force: InForce) -> Self {
        let files = paths.into_iter().map(WatchedFile::new).collect();
        let mut watched = Self { files, in_force, is_first: true };
        if matches!(watched.in_force, InForce::Given(None)) {
            // A host that does not name its policy counts as having the one in the files.
            for file in &mut watched.files {
                file.reported = file.read().map(|found| found.read);
            }
            let known = watched.known().map(|files| files.and_then(|files| files.compile()));
            watched.in_force = InForce::Given(known.and_then(Result::ok));
        }
        watched
    }

    /// Whether a file has changed and must be polled again to see whether it has settled.
    pub(crate) fn is_waiting(&self) -> bool {
        self.files.iter().any(|file| file.candidate.is_some())
    }

    /// Polls the files, and returns what to report, if anything. `wall` is compared with a file's time; `now` times changes.
    pub(crate) fn look(&mut self, wall: SystemTime, now: Instant) -> Option<Result<Policy, LoadError>> {
        let mut is_news = false;
        for file in &mut self.files {
            is_news |= file.look(wall, now);
        }
        if is_news { self.change() } else { None }
    }

    /// The report of a new text; `None` as long as a file was never seen, too.
    fn change(&mut self) -> Option<Result<Policy, LoadError>> {
        let files = self.known()?;
        let is_first = std::mem::replace(&mut self.is_first, false);
        let in_force = self.in_force.policy();
        let change = files.and_then(|files| match &in_force {
            Some(in_force) => files.compile_to_replace(in_force),
            None => files.compile(),
        });
        let Ok(policy) = &change else { return Some(change) };
        if is_first && in_force.is_some_and(|in_force| in_force.digest() == policy.digest()) {
            return None;
        }
        if let InForce::Given(given) = &mut self.in_force {
            *given = Some(policy.clone());
        }
        Some(change)
    }

    /// The last text of each file, or why one cannot be read.
    fn known(&self) -> Option<Result<PolicyFiles, LoadError>> {
        let reads = self.files.iter().map(|file| match file.reported.as_ref()? {
            Ok(file) => Some(Ok(file.clone())),
            Err(error) => Some(Err(LoadError::from(error.again()))),
        });
        let reads: Vec<_> = reads.collect::<Option<_>>()?;
        Some(reads.into_iter().collect::<Result<Vec<_>, _>>().map(PolicyFiles::from))
    }
}

impl WatchedFile {
    fn new(path: PathBuf) -> Self {
        Self { path, reported: None, candidate: None, stamp: None, node: None }
    }

    /// Polls the file, and says whether it has a new text that is whole.
    fn look(&mut self, wall: SystemTime, now: Instant) -> bool {
        if self.candidate.is_none()
            && self.stamp.is_some()
            && fs::metadata(&self.path).is_ok_and(|metadata| Some(Stamp::of(&metadata)) == self.stamp)
        {
            return false;
        }
        let before = self.node;
        let Some(found) = self.read() else {
            self.candidate = None;
            return false;
        };
        // Only a stamp that is old enough shows that the file has not changed.
        self.stamp = found.stamp.filter(|stamp| stamp.is_settled(wall));
        if self.reported.as_ref().is_some_and(|reported| is_same(reported, &found.read)) {
            self.candidate = None;
            return false;
        }
        let is_replaced = before.is_some() && self.node.is_some() && before != self.node;
        if !is_replaced {
            match &self.candidate {
                Some((candidate, since)) if candidate.is(&found) => {
                    if now.saturating_duration_since(*since) < SETTLE {
                        return false;
                    }
                }
                _ => {
                    self.candidate = Some((found, now));
                    return false;
                }
            }
        }
        self.candidate = None;
        self.reported = Some(found.read);
        true
    }

    /// Reads the file and stores its identity; `None` if it is missing, as it is for a moment while some programs replace it.
    fn read(&mut self) -> Option<Found> {
        // Opening a pipe may wait for ever, and every other file of the process with it.
        if fs::metadata(&self.path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir()) {
            return None;
        }
        // The stamp of the open file, so it is the same file, and taken before the read, so that a later change shows.
        let file = File::open(&self.path);
        let metadata = file.as_ref().ok().and_then(|file| file.metadata().ok());
        self.node = metadata.as_ref().and_then(Node::of);
        let read = match file {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(_) => PolicyFile::read(&self.path),
            Ok(file) => PolicyFile::from_reader(&self.path, file),
        };
        Some(Found { read, stamp: metadata.as_ref().map(Stamp::of) })
    }
}

/// Device and inode: tell a file from the one that replaced it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Node {
    device: u64,
    inode: u64,
}

impl Node {
    /// `None` where the system has no such numbers: then every change counts as one in place.
    #[cfg(unix)]
    #[expect(clippy::unnecessary_wraps, reason = "other systems have none")]
    fn of(metadata: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        Some(Self { device: metadata.dev(), inode: metadata.ino() })
    }

    #[cfg(not(unix))]
    fn of(_metadata: &Metadata) -> Option<Self> {
        None
    }
}

/// What changes with the file, without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    len: u64,
    modified: Option<SystemTime>,
    node: Option<Node>,
    /// Time of the last change of the inode: a program may set the other one.
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let changed = {
            use std::os::unix::fs::MetadataExt as _;
            (metadata.ctime(), metadata.ctime_nsec())
        };
        #[cfg(not(unix))]
        let changed = (0, 0);
        Self { len: metadata.len(), modified: metadata.modified().ok(), node: Node::of(metadata), changed }
    }

    fn is_settled(&self, wall: SystemTime) -> bool {
        let age = self.modified.and_then(|modified| wall.duration_since(modified).ok());
        age.is_some_and(|age| age > RACY)
    }
}

#[cfg(test)]
mod tests;
