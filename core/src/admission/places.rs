//! The places in arguments that an entry reads, as a tree of the names and indexes that lead to them.
//!
//! In: paths. Out: for each place, whether it is read whole, and what lies in it. Made once for an entry.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::folding::Folds;
use crate::canonical::write_string;
use crate::path::{Path, Root, Segment};

/// A place that paths lead to or through.
#[derive(Debug, Default)]
pub(crate) struct Place {
    /// The path as a policy writes it, for messages.
    path: Box<str>,
    /// Whether a path ends here, so that all of the value is read.
    is_read: bool,
    members: BTreeMap<Box<str>, Place>,
    indexes: BTreeMap<usize, Place>,
    elements: Option<Box<Place>>,
    /// How the names of its members fold.
    folds: Folds,
}

impl Place {
    /// The places of paths.
    #[cfg(test)]
    pub(crate) fn of(paths: impl Iterator<Item = Path>) -> Self {
        let mut places = Self::default();
        paths.for_each(|path| places.add(&path));
        places.finished()
    }

    /// Adds a path, if it is one into the arguments. The whole of them is where it starts.
    pub(super) fn add(&mut self, path: &Path) {
        if path.root != Root::Args {
            return;
        }
        let mut place = self;
        for segment in &path.segments {
            place = place.part(segment);
        }
        place.is_read = true;
    }

    fn part(&mut self, segment: &Segment) -> &mut Self {
        let root = if self.path.is_empty() { "args" } else { &*self.path };
        let mut path = String::from(root);
        // Writing to a string cannot fail.
        let _ = match segment {
            Segment::Name(name) => write!(path, ".{name}"),
            Segment::Quoted(name) => {
                path.push('[');
                write_string(&mut path, name).and_then(|()| path.write_char(']'))
            }
            Segment::Index(index) => write!(path, "[{index}]"),
            Segment::Each => path.write_str("[*]"),
        };
        let new = || Self { path: path.into(), ..Self::default() };
        match segment {
            Segment::Name(name) | Segment::Quoted(name) => {
                self.members.entry(name.clone()).or_insert_with(new)
            }
            Segment::Index(index) => self.indexes.entry(*index).or_insert_with(new),
            Segment::Each => self.elements.get_or_insert_with(|| Box::new(new())),
        }
    }

    /// Once all paths are there. Recursion is as deep as a path is long.
    pub(super) fn finished(mut self) -> Self {
        self.members.values_mut().for_each(|place| *place = std::mem::take(place).finished());
        self.indexes.values_mut().for_each(|place| *place = std::mem::take(place).finished());
        self.elements = self.elements.map(|place| Box::new(place.finished()));
        self.folds = Folds::new(self.members.keys());
        self
    }

    /// Whether no path leads anywhere.
    pub(crate) fn is_idle(&self) -> bool {
        self.members.is_empty() && self.indexes.is_empty() && self.elements.is_none()
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn folds(&self) -> &Folds {
        &self.folds
    }

    pub(crate) fn is_read(&self) -> bool {
        self.is_read
    }

    pub(crate) fn members(&self) -> &BTreeMap<Box<str>, Place> {
        &self.members
    }

    pub(crate) fn indexes(&self) -> &BTreeMap<usize, Place> {
        &self.indexes
    }

    /// What `[*]` leads to.
    pub(crate) fn elements(&self) -> Option<&Place> {
        self.elements.as_deref()
    }
}
