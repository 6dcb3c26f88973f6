//! Which definition of the lock belongs to which of the list.

use std::collections::{BTreeMap, HashSet};

use callgate::lock::{Definition, Lock};

/// Names and definitions that differ.
#[derive(Default)]
pub(super) struct Pairs<'d> {
    /// The same name, another definition.
    pub(super) changed: Vec<(&'d Definition, &'d Definition)>,
    /// Names that the list has more than once. Which of them is called, nobody knows.
    pub(super) twice: Vec<&'d str>,
    /// The name in the lock, and the name now.
    pub(super) renamed: Vec<(&'d str, &'d str)>,
    pub(super) new: Vec<&'d str>,
    pub(super) gone: Vec<&'d str>,
}

pub(super) fn pairs<'d>(server: &str, lock: &'d Lock, listed: &'d [Definition]) -> Pairs<'d> {
    let mut pairs = Pairs::default();
    let mut now: BTreeMap<&str, &Definition> = BTreeMap::new();
    let mut twice: HashSet<&str> = HashSet::new();
    for definition in listed {
        if now.insert(definition.name(), definition).is_some() && twice.insert(definition.name()) {
            pairs.twice.push(definition.name());
        }
    }
    let mut gone: Vec<&Definition> = Vec::new();
    for entry in lock.tools(server) {
        match now.remove(entry.definition.name()) {
            None => gone.push(&entry.definition),
            Some(definition) if twice.contains(definition.name()) || *definition == entry.definition => {}
            Some(definition) => pairs.changed.push((&entry.definition, definition)),
        }
    }
    for (name, definition) in now {
        if twice.contains(name) {
            continue;
        }
        match gone.iter().position(|old| old.is_alike(definition)) {
            Some(index) => pairs.renamed.push((gone.remove(index).name(), name)),
            None => pairs.new.push(name),
        }
    }
    pairs.gone = gone.into_iter().map(Definition::name).collect();
    pairs
}
