//! Tools that call other tools, by their names (spec 2.31, 3.11).
//!
//! In: the dispatchers of a policy, and its exact names. Out: where the inner call of one stands, and whether a name is written like one
//! of the policy's. Must not read arguments.

use std::sync::OnceLock;

use crate::admission::Place;
use crate::admission::folding::Folds;
use crate::document::Dispatcher;

/// What stands first among the entries of a call that is decided together with another one: no entry has such an index.
pub(crate) const NESTED: u32 = 1 << 31;
/// The mark of completions, which are decided as what they complete, too.
pub(super) const COMPLETION: u32 = u32::MAX;

/// How a call has another one in it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Nested<'p> {
    /// By its arguments.
    Dispatcher(&'p Dispatches),
    /// By the `ref` of a completion.
    Completion,
}

/// The tools that call other tools.
#[derive(Debug)]
pub(crate) struct Nesting {
    /// By name.
    dispatchers: Vec<Dispatches>,
    /// How the exact names of `tools` and `hide` fold.
    names: Folds,
}

/// A dispatcher as evaluation sees it.
#[derive(Debug)]
pub(crate) struct Dispatches {
    named: (Box<str>, Dispatcher),
    /// What it reads of the arguments, found when a call that is to be checked for it comes first.
    places: OnceLock<Box<Place>>,
}

/// What some readers leave out around a name: white space, control characters, and characters without width.
fn is_left_out(one: char) -> bool {
    one.is_whitespace()
        || one.is_control()
        || matches!(one, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

impl Dispatches {
    pub(crate) fn dispatcher(&self) -> &Dispatcher {
        &self.named.1
    }

    /// What it reads of the arguments.
    pub(crate) fn places(&self) -> &Place {
        self.places.get_or_init(|| {
            let mut places = Place::default();
            places.add(&self.named.1.tool, None);
            places.add(&self.named.1.args, None);
            Box::new(places.finished())
        })
    }
}

impl Nesting {
    /// Of the dispatchers, and of the exact names of `tools`, `hide` and theirs; `None` where there is no dispatcher.
    pub(super) fn new<'n>(
        mut dispatchers: Vec<(Box<str>, Dispatcher)>,
        names: impl Iterator<Item = &'n Box<str>>,
    ) -> Option<Box<Self>> {
        if dispatchers.is_empty() {
            return None;
        }
        dispatchers.sort_by(|(one, _), (other, _)| one.cmp(other));
        dispatchers.dedup_by(|(one, _), (other, _)| one == other);
        let dispatchers =
            dispatchers.into_iter().map(|named| Dispatches { named, places: OnceLock::new() }).collect();
        Some(Box::new(Self { dispatchers, names: Folds::new(names) }))
    }

    /// Each with its name.
    pub(crate) fn dispatchers(&self) -> impl Iterator<Item = &(Box<str>, Dispatcher)> {
        self.dispatchers.iter().map(|dispatches| &dispatches.named)
    }

    /// What stands first among the entries of a dispatcher.
    pub(super) fn mark(&self, name: &str) -> Option<u32> {
        let index = self.dispatchers.binary_search_by(|known| (*known.named.0).cmp(name)).ok()?;
        Some(NESTED.saturating_add(u32::try_from(index).ok()?))
    }

    /// Whether a tool is one of them.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.mark(name).is_some()
    }

    /// Whether a name becomes one of the policy's where readers take white space around it, what is behind a NUL and the case of letters
    /// for nothing (spec 3.11).
    pub(crate) fn is_written_like_another(&self, name: &str) -> bool {
        let cut = name.split('\0').next().unwrap_or_default();
        let mut folded = String::new();
        let names = [name, name.trim_matches(is_left_out), cut.trim_matches(is_left_out)];
        names.into_iter().any(|name| self.names.find(name, &mut folded).is_some())
    }

    /// What the first of a call's entries says.
    pub(crate) fn nested(mark: u32, nesting: Option<&Self>) -> Option<Nested<'_>> {
        if mark == COMPLETION {
            return Some(Nested::Completion);
        }
        let index = mark.checked_sub(NESTED)?;
        nesting?.dispatchers.get(index as usize).map(Nested::Dispatcher)
    }
}
