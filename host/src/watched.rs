//! The state of a watched file.
//!
//! In: the file, polled. Out: each new text that is whole, as a policy or as the errors in it. Must not take half a file for a
//! policy: it has fewer rules, and may allow what the whole one denies (trap 41).

use std::fs::{self, File, Metadata};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use callgate::Policy;

use crate::policy_file::{LoadError, PolicyFile, ReadError};

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

pub(crate) struct Watched {
    path: PathBuf,
    in_force: InForce,
    /// Whether nothing was reported yet. Then the policy that is in force already is not reported.
    is_first: bool,
    /// The text that was reported last, or is taken as known.
    reported: Option<Seen>,
    /// Changed in place, unchanged since this time, and not reported before it has settled.
    candidate: Option<(Found, Instant)>,
    /// The file's stamp when it was last read, if a change would show in it.
    stamp: Option<Stamp>,
    /// The identity of the file that was read last; `None` if it was missing then.
    node: Option<Node>,
}

/// What one poll found.
#[derive(PartialEq, Eq)]
struct Found {
    seen: Seen,
    stamp: Option<Stamp>,
}

/// The whole text: a digest would save little beside the compiled policy.
#[derive(PartialEq, Eq)]
enum Seen {
    Text(String),
    Unreadable(io::ErrorKind),
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
    pub(crate) fn new(path: PathBuf, in_force: InForce) -> Self {
        let mut watched =
            Self { path, is_first: true, in_force, reported: None, candidate: None, stamp: None, node: None };
        if matches!(watched.in_force, InForce::Given(None)) {
            // A host that does not name its policy counts as having the one in the file.
            if let Some((read, found)) = watched.read() {
                watched.in_force = InForce::Given(read.ok().and_then(|file| file.compile().ok()));
                watched.reported = Some(found.seen);
            }
        }
        watched
    }

    /// Whether the file has changed and must be polled again to see whether it has settled.
    pub(crate) fn is_waiting(&self) -> bool {
        self.candidate.is_some()
    }

    /// Polls the file, and returns what to report, if anything. `wall` is compared with the file's time; `now` times changes.
    pub(crate) fn look(&mut self, wall: SystemTime, now: Instant) -> Option<Result<Policy, LoadError>> {
        if self.candidate.is_none()
            && self.stamp.is_some()
            && fs::metadata(&self.path).is_ok_and(|metadata| Some(Stamp::of(&metadata)) == self.stamp)
        {
            return None;
        }
        let before = self.node;
        let Some((read, found)) = self.read() else {
            self.candidate = None;
            return None;
        };
        // Only a stamp that is old enough shows that the file has not changed.
        self.stamp = found.stamp.filter(|stamp| stamp.is_settled(wall));
        if self.reported.as_ref() == Some(&found.seen) {
            self.candidate = None;
            return None;
        }
        let is_replaced = before.is_some() && self.node.is_some() && before != self.node;
        if !is_replaced {
            match &self.candidate {
                Some((candidate, since)) if *candidate == found => {
                    if now.saturating_duration_since(*since) < SETTLE {
                        return None;
                    }
                }
                _ => {
                    self.candidate = Some((found, now));
                    return None;
                }
            }
        }
        self.candidate = None;
        self.reported = Some(found.seen);
        self.change(read)
    }

    /// The report of a new text.
    fn change(&mut self, read: Result<PolicyFile, ReadError>) -> Option<Result<Policy, LoadError>> {
        let is_first = std::mem::replace(&mut self.is_first, false);
        let in_force = self.in_force.policy();
        let change = read.map_err(LoadError::from).and_then(|file| match &in_force {
            Some(in_force) => Ok(file.compile_to_replace(in_force)?),
            None => Ok(file.compile()?),
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

    /// Reads the file and stores its identity; `None` if it is missing, as it is for a moment while some programs replace it.
    fn read(&mut self) -> Option<(Result<PolicyFile, ReadError>, Found)> {
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
        let seen = match &read {
            Ok(file) => Seen::Text(file.text().to_owned()),
            Err(error) => Seen::Unreadable(error.kind()),
        };
        Some((read, Found { seen, stamp: metadata.as_ref().map(Stamp::of) }))
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
