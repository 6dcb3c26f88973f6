//! Counters as policies declare them, and for whom they count (spec 8.6, 9.3).
//!
//! In: a declaration. Out: its id, the same in every version of a policy and in every process, and its windows. Must not hold what was counted.

use std::fmt;
use std::sync::Arc;

use super::judge;
use crate::bytes::Short;
use crate::calendar::Calendar;
use crate::time::Timestamp;
use crate::window::{Algorithm, Window};

/// A counter as the policy declares it. Its [`Counter::id`] is the same for the same declaration in every version of
/// a policy and in every process, so counters outlive a reload (spec 8.6).
#[derive(Debug, Clone)]
pub struct Counter {
    pub(crate) id: CounterId,
    pub(crate) owner: Owner,
    pub(crate) name: Box<str>,
    pub(crate) window: Window,
    pub(crate) algorithm: Algorithm,
    pub(crate) scope: Box<str>,
    /// Where it is not that of UTC and has a part in when a window begins.
    calendar: Option<Arc<Calendar>>,
    /// The name of the policy that declares it, where that has one.
    policy: Option<Arc<str>>,
}

/// Two counters are one if their ids are.
impl PartialEq for Counter {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Counter {}

/// Which part of the policy a counter belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Owner {
    /// The entry of `tools` with this key: a tool's name, a glob, or `*`.
    Tool(Box<str>),
    /// `all_tools`.
    AllTools,
    /// `budgets`: the counter's name is the budget's.
    Budget,
    /// The entry of `requests` for this method.
    Request(Box<str>),
}

/// The first 16 bytes of the SHA-256 of a counter's encoded declaration (owner, name, window, algorithm, scope).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CounterId(pub(crate) [u8; 16]);

impl CounterId {
    /// The bytes; evenly distributed, so that they need no further hashing.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl Counter {
    /// Declares a counter. `scope` is the canonical name of what it counts by, such as `global` or `grant`.
    pub fn new(owner: Owner, name: &str, window: Window, algorithm: Algorithm, scope: &str) -> Self {
        let unnamed = CounterId([0; 16]);
        let (name, scope) = (name.into(), scope.into());
        Self { id: unnamed, owner, name, window, algorithm, scope, calendar: None, policy: None }.identified()
    }

    /// The same counter by the days, weeks and months of another calendar than UTC's. Where that has no part in when its windows
    /// begin, it is the same counter (spec 8.6).
    #[must_use]
    pub fn in_calendar(mut self, calendar: &Arc<Calendar>) -> Self {
        let acts = calendar.zone(self.window).is_some() || calendar.is_from_sunday(self.window);
        if acts && self.algorithm == Algorithm::Fixed {
            self.calendar = Some(calendar.clone());
        }
        self.identified()
    }

    /// The same counter as a policy of this name declares it: another one (spec 8.6).
    #[must_use]
    pub fn of_policy(mut self, name: &Arc<str>) -> Self {
        self.policy = Some(name.clone());
        self.identified()
    }

    fn identified(mut self) -> Self {
        use sha2::{Digest, Sha256};
        // Every part is preceded by its length, so no two declarations have one encoding (spec 8.6, trap 27).
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        if let Some(policy) = &self.policy {
            part(b"policy");
            part(policy.as_bytes());
        }
        match &self.owner {
            Owner::Tool(key) => {
                part(b"tool");
                part(key.as_bytes());
            }
            Owner::AllTools => part(b"all_tools"),
            Owner::Budget => part(b"budget"),
            Owner::Request(method) => {
                part(b"method");
                part(method.as_bytes());
            }
        }
        part(self.name.as_bytes());
        part(self.window.to_string().as_bytes());
        part(self.algorithm.name().as_bytes());
        part(self.scope.as_bytes());
        if let Some(calendar) = &self.calendar {
            part(calendar.zone(self.window).unwrap_or_default().as_bytes());
            part(if calendar.is_from_sunday(self.window) { b"sunday" } else { b"" });
        }
        let digest = hash.finalize();
        for (to, from) in self.id.0.iter_mut().zip(digest) {
            *to = from;
        }
        self
    }

    /// Start and end of its window that holds `now`, as this host knows its calendar: of a fixed window. One that does not end does
    /// so at [`Timestamp::MAX`].
    pub fn window_at(&self, now: Timestamp) -> (Timestamp, Timestamp) {
        match &self.calendar {
            Some(calendar) => calendar.window_at(self.window, now),
            None => {
                let start = self.window.start(now);
                (start, self.window.end(start))
            }
        }
    }

    /// The time zone by which its windows begin, where that is not UTC. Hosts may differ over when that is, as they know the zone by
    /// different releases of its rules. So a store begins such a window anew only at the end that it stored itself, whatever start a
    /// caller computes, and no start has a part in its key.
    pub fn zone(&self) -> Option<&str> {
        self.calendar.as_ref().and_then(|calendar| calendar.zone(self.window))
    }

    /// Whether its weeks begin on Sunday.
    pub fn is_from_sunday(&self) -> bool {
        self.calendar.as_ref().is_some_and(|calendar| calendar.is_from_sunday(self.window))
    }

    /// The time that a charge made at `now` counts from, in a sliding window: in one longer than a day the end of the quarter of an
    /// hour of UTC (spec 8.3).
    pub fn charged_at(&self, now: Timestamp) -> Timestamp {
        judge::charged_at(judge::live_millis(self.window), now)
    }

    /// The stable id.
    pub fn id(&self) -> CounterId {
        self.id
    }

    /// The name of the policy that declares it; `None` where that has none (spec 2.33).
    pub fn policy(&self) -> Option<&str> {
        self.policy.as_deref()
    }

    /// The entry that declares it.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Its name within the entry.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The window it counts over.
    pub fn window(&self) -> Window {
        self.window
    }

    /// How charges expire.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// What it counts by, by its canonical name.
    pub fn scope(&self) -> &str {
        &self.scope
    }
}

impl Algorithm {
    /// `fixed` or `sliding`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Sliding => "sliding",
        }
    }
}

/// For whom a counter counts: the encoded scope value, at most a few KiB. Equal values have equal bytes and different
/// ones different bytes, over all types and sources (spec 9.3).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ScopeValue(pub(crate) Short<46>);

impl ScopeValue {
    /// The encoded bytes; empty for `global`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for ScopeValue {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Debug for ScopeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counters go on after an update (`spec/versioning.md`): these ids are stored, so they never change.
    #[test]
    fn counter_ids_are_stable_and_tell_declarations_apart() {
        let tool = |key: &str, name: &str| {
            Counter::new(Owner::Tool(key.into()), name, Window::Day, Algorithm::Fixed, "grant").id()
        };
        assert_eq!(
            crate::json_text::hex(tool("create_charge", "spend").as_bytes()),
            "ebe5464eaa5329a39f07ee38fa42e86c"
        );
        let of_team = |owner| {
            let counter = Counter::new(owner, "spend", Window::Day, Algorithm::Fixed, "grant");
            (counter.clone().id(), counter.of_policy(&"team".into()).id())
        };
        let (alone, named) = of_team(Owner::Tool("create_charge".into()));
        assert_ne!(alone, named);
        assert_eq!(crate::json_text::hex(named.as_bytes()).len(), 32);
        // A policy, a key and a name that join to the same text.
        let method = |key: &str| {
            Counter::new(Owner::Request(key.into()), "spend", Window::Day, Algorithm::Fixed, "grant").id()
        };
        assert_ne!(method("create_charge"), alone);
        assert_ne!(method("a"), method("b"));
        // Trap 27: what joins to the same text is not the same counter.
        assert_ne!(tool("a", "b.c"), tool("a.b", "c"));
        let all = Counter::new(Owner::AllTools, "n", Window::Day, Algorithm::Fixed, "grant").id();
        assert_ne!(all, tool("all_tools", "n"));
        let of = |owner, window, algorithm| Counter::new(owner, "n", window, algorithm, "grant");
        let day = || of(Owner::AllTools, Window::Day, Algorithm::Fixed);
        assert_ne!(of(Owner::Budget, Window::Day, Algorithm::Fixed).id(), all);
        let calendar = |zone, from_sunday| Arc::new(Calendar::new(zone, from_sunday).unwrap());
        let (paris, sunday) = (calendar(Some("Europe/Paris"), false), calendar(None, true));
        assert_ne!(day().in_calendar(&paris).id(), all);
        assert_ne!(
            day().in_calendar(&paris).id(),
            day().in_calendar(&calendar(Some("Europe/Rome"), false)).id()
        );
        // Where a calendar has no part in when windows begin, counters go on.
        assert_eq!(day().in_calendar(&sunday).id(), all);
        assert_eq!(day().in_calendar(&calendar(Some("UTC"), false)).id(), all);
        let week = || of(Owner::AllTools, Window::Week, Algorithm::Fixed);
        assert_ne!(week().in_calendar(&sunday).id(), week().id());
        for (window, algorithm) in [
            (Window::Hour, Algorithm::Fixed),
            (Window::Day, Algorithm::Sliding),
            (Window::Ever, Algorithm::Fixed),
        ] {
            let counter = || of(Owner::AllTools, window, algorithm);
            assert_eq!(counter().in_calendar(&paris).id(), counter().id());
        }
    }
}
