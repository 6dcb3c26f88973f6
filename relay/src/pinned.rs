//! Which tools are not as they were approved (guards G13).
//!
//! In: definitions as clients get them. Out: whether a call of a tool may run. Must not take a tool for approved that it has not seen.

use std::collections::{BTreeSet, HashMap};

use callgate::lock::{OnDrift, Pins};

use crate::machine::Caller;
use crate::mistake::{Mistake::*, is_made};

/// The most callers whose lists are remembered. Of more, a tool that one of them saw changed is changed for all.
const MOST_CALLERS: usize = 10_000;

/// The approved definitions, and what callers saw of others.
pub(crate) struct Pinned {
    pub(crate) pins: Pins,
    pub(crate) on_drift: OnDrift,
    /// Names in the lock that a caller's last list had with another definition.
    seen: HashMap<Caller, BTreeSet<String>>,
    /// The same of callers that are not remembered.
    seen_by_any: BTreeSet<String>,
}

impl Pinned {
    pub(crate) fn new(pins: Pins, on_drift: OnDrift) -> Self {
        Self { pins, on_drift, seen: HashMap::new(), seen_by_any: BTreeSet::new() }
    }

    /// A caller gets a definition of this name. What is not in the lock is never approved, so that it need not be remembered. A later page
    /// takes nothing back that an earlier one showed: which of two definitions the caller keeps is not known.
    pub(crate) fn saw(&mut self, caller: Caller, tool: &str, is_changed: bool, begins: bool) {
        if !is_changed && !begins {
            return;
        }
        if !is_changed {
            if let Some(names) = self.seen.get_mut(&caller) {
                names.remove(tool);
                if names.is_empty() {
                    self.seen.remove(&caller);
                }
            }
        } else if self.pins.has(tool) && !is_made(DriftForgotten) {
            if self.seen.len() >= MOST_CALLERS && !self.seen.contains_key(&caller) {
                self.seen_by_any.extend(self.seen.drain().flat_map(|(_, names)| names));
            }
            self.seen.entry(caller).or_default().insert(tool.to_owned());
        }
    }

    /// Whether the caller's last list had another definition of this tool than the lock.
    pub(crate) fn is_seen_changed(&self, caller: Caller, tool: &str) -> bool {
        self.seen_by_any.contains(tool) || self.seen.get(&caller).is_some_and(|names| names.contains(tool))
    }
}
