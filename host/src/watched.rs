//! What a watcher knows of its file.
//!
//! In: the file, looked at again and again. Out: each new text that is whole, as a policy or the reason why it is none.
//! Must not take half a file for a policy: it has fewer rules, and may allow what the whole one denies (trap 41).

use std::fs::{self, File, Metadata};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use callgate::Policy;

use crate::policy_file::{LoadError, PolicyFile, ReadError};

/// How long a file that is written in place must stay the same before it counts: writing takes less, even of a large one.
pub(crate) const SETTLE: Duration = Duration::from_secs(1);
/// Age below which a file's time does not tell whether it changed again: FAT keeps two seconds, clocks of network disks
/// are a little off.
const RACY: Duration = Duration::from_secs(3);

/// The policy that a new one would replace.
#[derive(Clone)]
pub(crate) enum InForce {
    /// What the host had at the start, then what it was given last; `None` as long as there was none.
    Given(Option<Policy>),
    /// What the host says.
    Asked(Arc<dyn Fn() -> Policy + Send + Sync>),
}

pub(crate) struct Watched {
    path: PathBuf,
    in_force: InForce,
    /// Whether the host is yet to hear of anything: what it has in force already is no news then.
    is_first: bool,
    /// What was reported last, or taken as known.
    reported: Option<Seen>,
    /// Seen in place since this time, and not reported before it has settled.
    candidate: Option<(Found, Instant)>,
    /// As the file was when it was last read, if that tells whether it has changed.
    stamp: Option<Stamp>,
    /// The file that was read last; none if it was missing at the last look.
    node: Option<Node>,
}

/// What a look at the file found.
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
            // A host that does not say what it has counts as having what the file holds.
            if let Some((read, found)) = watched.read() {
                watched.in_force = InForce::Given(read.ok().and_then(|file| file.compile().ok()));
                watched.reported = Some(found.seen);
            }
        }
        watched
    }

    /// Whether the file has changed, and is to be looked at again to see whether it has settled.
    pub(crate) fn is_waiting(&self) -> bool {
        self.candidate.is_some()
    }

    /// Looks at the file: what is to be reported, if anything is. `wall` dates the file, and `now` its changes.
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
        // Only what is old enough tells by its stamp that it has not changed.
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

    /// What a new text comes to.
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

    /// Reads the file, which becomes the one that was read last; `None` if it is missing, as it is for a moment while some
    /// programs replace it.
    fn read(&mut self) -> Option<(Result<PolicyFile, ReadError>, Found)> {
        // Of the open file, which is not another meanwhile; and before it is read, so that a change since then shows.
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
    /// None where the system has no such numbers: then every change is one in place.
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
