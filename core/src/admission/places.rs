//! The places in arguments that an entry reads, as a tree of the names and indexes that lead to them.
//!
//! In: paths, and what values at their ends are compared with. Out: for each place, whether it is read whole, and what lies in it. Made once for an entry.

use std::collections::BTreeMap;

use super::folding::Folds;
use crate::ceilings::PATH_BYTES;
use crate::condition::{Operand, Operator};
use crate::path::{Path, PathView, Root, Segment};

/// A place that paths lead to or through.
#[derive(Debug, Default)]
pub(crate) struct Place {
    /// The path as a policy writes it, for messages. What is longer than a policy may write is cut to the place around.
    path: Box<str>,
    /// Whether a path ends here, so that all of the value is read.
    is_read: bool,
    /// Whether a path goes on in what a text here says.
    opens: bool,
    members: BTreeMap<Box<str>, Box<Place>>,
    indexes: BTreeMap<usize, Place>,
    elements: Option<Box<Place>>,
    /// What `.*` leads to.
    every: Option<Box<Place>>,
    /// How the names of its members fold.
    folds: Folds,
}

impl Place {
    /// The places of paths.
    #[cfg(test)]
    pub(crate) fn of(paths: impl Iterator<Item = Path>) -> Self {
        let mut places = Self::default();
        paths.for_each(|path| places.add(&path, None));
        places.finished()
    }

    /// Adds a path, if it is one into the arguments, and the names that an operator compares below it. The whole of the
    /// arguments is where it starts.
    pub(crate) fn add(&mut self, path: &Path, operator: Option<&Operator>) {
        if path.root != Root::Args {
            return;
        }
        let mut place = self;
        for segment in &path.segments {
            match segment {
                // What the text says is the same place: its names are read as those of an object there.
                Segment::View(PathView::Json) => (place.is_read, place.opens) = (true, true),
                // These read the value before them whole, and lead to none of its members by name.
                Segment::View(_) | Segment::Scalars => {
                    place.is_read = true;
                    return;
                }
                step => place = place.part(step),
            }
        }
        place.is_read = true;
        let Some(compared) = operator.map(Operator::compared) else { return };
        for operand in compared.operands() {
            if compared.with_elements {
                place.part(&Segment::Each).compare(operand)
            } else {
                place.compare(operand)
            }
        }
    }

    /// Adds a name of the arguments that a policy knows, without a path that leads to its value.
    pub(crate) fn add_name(&mut self, name: &str) {
        self.part(&Segment::member(name));
    }

    /// Adds the names in an operand that the value is compared with. Recursion is as deep as the operand, which the document
    /// bounds.
    fn compare(&mut self, operand: &Operand) {
        match operand {
            Operand::Object(members) => {
                for (name, operand) in members {
                    self.part(&Segment::member(name)).compare(operand);
                }
            }
            Operand::Array(elements) => {
                for operand in elements.iter().filter(|operand| operand.has_members()) {
                    self.part(&Segment::Each).compare(operand);
                }
            }
            _ => {}
        }
    }

    fn part(&mut self, segment: &Segment) -> &mut Self {
        let root = self.path();
        let path = format!("{root}{segment}");
        let path = if path.len() > PATH_BYTES { root.to_owned() } else { path };
        let new = || Self { path: path.into(), ..Self::default() };
        match segment {
            Segment::Name(name) | Segment::Quoted(name) => {
                self.members.entry(name.clone()).or_insert_with(|| Box::new(new()))
            }
            Segment::Index(index) => self.indexes.entry(*index).or_insert_with(new),
            Segment::Members => self.every.get_or_insert_with(|| Box::new(new())),
            Segment::Each | Segment::Scalars | Segment::View(_) => {
                self.elements.get_or_insert_with(|| Box::new(new()))
            }
        }
    }

    /// Once all paths are there. Recursion is as deep as a path is long.
    pub(crate) fn finished(mut self) -> Self {
        self.members.values_mut().for_each(|place| **place = std::mem::take(&mut **place).finished());
        self.indexes.values_mut().for_each(|place| *place = std::mem::take(place).finished());
        self.elements = self.elements.map(|place| Box::new(place.finished()));
        self.every = self.every.map(|place| Box::new(place.finished()));
        self.folds = Folds::new(self.members.keys());
        self
    }

    /// Whether no path leads into it.
    pub(crate) fn is_idle(&self) -> bool {
        self.members.is_empty() && self.indexes.is_empty() && self.elements.is_none() && self.every.is_none()
    }

    pub(crate) fn path(&self) -> &str {
        if self.path.is_empty() { "args" } else { &self.path }
    }

    pub(crate) fn folds(&self) -> &Folds {
        &self.folds
    }

    pub(crate) fn is_read(&self) -> bool {
        self.is_read
    }

    pub(crate) fn opens(&self) -> bool {
        self.opens
    }

    pub(crate) fn members(&self) -> &BTreeMap<Box<str>, Box<Place>> {
        &self.members
    }

    pub(crate) fn indexes(&self) -> &BTreeMap<usize, Place> {
        &self.indexes
    }

    /// What `.*` leads to.
    pub(crate) fn every(&self) -> Option<&Place> {
        self.every.as_deref()
    }

    /// What `[*]` leads to.
    pub(crate) fn elements(&self) -> Option<&Place> {
        self.elements.as_deref()
    }
}
