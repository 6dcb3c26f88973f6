//! Names of arguments that readers which ignore case take for one, and that rules read as two: an error at load (spec 3.9).
//!
//! In: the compiled entries, and which of them apply to one tool. Out: diagnostics. Takes time linear in the document, and looks at no
//! tool where no name can be meant.

use std::collections::{HashMap, HashSet};

use crate::admission::folding::{fold, is_folded};
use crate::condition::{Operand, Operator};
use crate::diagnostic::Diagnostics;
use crate::path::{Path, PathView, Root, Segment};
use crate::policy::Compiled;

/// Looks at an entry's name for the sake of one tool, over the whole policy. Beyond it only the names of one entry are compared: a
/// host that has them checked denies a call with either.
const LOOKS: usize = 4_000_000;

/// A name in one place, as it folds. Which spelling, and what reads it first.
struct Spelling<'p> {
    group: usize,
    name: &'p str,
    path: &'p Path,
    rule: u32,
}

/// Reports names that fold together and are read in one place: by one entry, or by several of those that apply to a tool.
pub(crate) fn report_confusable<'t>(
    policy: &Compiled,
    tools: impl Iterator<Item = &'t [u32]>,
    diagnostics: &mut Diagnostics<'_>,
) {
    let entries = 0..u32::try_from(policy.entries.len()).unwrap_or(u32::MAX);
    let mut odd: HashSet<String> = HashSet::new();
    for entry in entries.clone() {
        policy.paths_of(entry, &mut |_, path, operator| {
            each_name((), path, operator, &mut |(), _| (), &mut |(), name| {
                if !is_folded(name) {
                    odd.insert(fold(name));
                }
            });
        });
        odd.extend(listed(policy, entry).filter(|name| !is_folded(name)).map(fold));
    }
    if odd.is_empty() {
        return;
    }
    let mut places: HashMap<(usize, Step<'_>), usize> = HashMap::new();
    let mut groups: HashMap<(usize, String), usize> = HashMap::new();
    let mut reported = HashSet::new();
    // Of each entry, its spellings of names that somebody may write in another way.
    let mut spellings: HashMap<u32, Vec<Spelling<'_>>> = HashMap::new();
    let mut read: Vec<Spelling<'_>> = Vec::new();
    for entry in entries {
        let mut first: HashMap<usize, &str> = HashMap::new();
        policy.paths_of(entry, &mut |rule, path, operator| {
            let mut step = |place, step| {
                let next = places.len().saturating_add(1);
                *places.entry((place, step)).or_insert(next)
            };
            let mut group = |place, name: &str| {
                let folded = fold(name);
                if !odd.contains(&folded) {
                    return None;
                }
                let next = groups.len();
                Some(*groups.entry((place, folded)).or_insert(next))
            };
            each_name(0, path, operator, &mut step, &mut |place, name| {
                read.extend(group(place, name).map(|group| Spelling { group, name, path, rule }));
            });
            // Those of `only_args` are read where all arguments are.
            let only = policy.only_args(entry).filter(|only| only.rule == rule);
            for (only, name) in
                only.into_iter().flat_map(|only| only.names.iter().map(move |name| (only, name)))
            {
                let spelling = |group| Spelling { group, name, path: &only.path, rule };
                read.extend(group(0, name).map(spelling));
            }
        });
        for spelling in read.drain(..) {
            let Spelling { group, name, path, rule } = spelling;
            match first.get(&group) {
                Some(other) if *other != name => {
                    if !lists_both(policy, entry, other, name) && reported.insert(group) {
                        report(policy, rule, path, other, name, diagnostics);
                    }
                }
                Some(_) => {}
                None => {
                    first.insert(group, name);
                    spellings.entry(entry).or_default().push(spelling);
                }
            }
        }
    }
    let mut looks = 0_usize;
    let mut conflicts: HashMap<usize, (&Spelling<'_>, &str)> = HashMap::new();
    let mut first: HashMap<usize, &Spelling<'_>> = HashMap::new();
    for entries in tools.filter(|entries| entries.len() > 1) {
        first.clear();
        for spelling in entries.iter().filter_map(|entry| spellings.get(entry)).flatten() {
            looks = looks.saturating_add(1);
            let other = *first.entry(spelling.group).or_insert(spelling);
            if other.name == spelling.name || reported.contains(&spelling.group) {
                continue;
            }
            looks = looks.saturating_add(entries.len());
            if entries.iter().any(|entry| lists_both(policy, *entry, other.name, spelling.name)) {
                continue;
            }
            // The first in the document that is not alone, whichever tool comes first.
            let (later, earlier) =
                if other.rule < spelling.rule { (spelling, other) } else { (other, spelling) };
            let known = conflicts.entry(spelling.group).or_insert((later, earlier.name));
            if (later.rule, earlier.name) < (known.0.rule, known.1) {
                *known = (later, earlier.name);
            }
        }
        if looks > LOOKS {
            break;
        }
    }
    for (spelling, other) in conflicts.into_values() {
        report(policy, spelling.rule, spelling.path, other, spelling.name, diagnostics);
    }
}

/// The names that an entry lists in `only_args`.
fn listed(policy: &Compiled, entry: u32) -> impl Iterator<Item = &str> {
    policy.only_args(entry).into_iter().flat_map(|only| &only.names).map(|name| &**name)
}

/// Whether an entry lists two names in `only_args`, so that its author knows of both.
fn lists_both(policy: &Compiled, entry: u32, one: &str, other: &str) -> bool {
    policy.only_args(entry).is_some_and(|only| {
        let has = |wanted: &str| only.names.binary_search_by(|name| (**name).cmp(wanted)).is_ok();
        has(one) && has(other)
    })
}

/// One step from a place in the arguments to another, however it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step<'p> {
    Member(&'p str),
    Index(usize),
    Each,
    Every,
}

/// Shows each name that is read of the arguments, with the place of the object that has it: those that a path steps by, and those
/// in what its value is compared with.
fn each_name<'p, P: Copy>(
    start: P,
    path: &'p Path,
    operator: Option<&'p Operator>,
    step: &mut impl FnMut(P, Step<'p>) -> P,
    see: &mut impl FnMut(P, &'p str),
) {
    if path.root != Root::Args {
        return;
    }
    let mut place = start;
    for segment in &path.segments {
        place = match segment {
            Segment::Name(name) | Segment::Quoted(name) => {
                see(place, name);
                step(place, Step::Member(name))
            }
            Segment::Index(index) => step(place, Step::Index(*index)),
            Segment::Each => step(place, Step::Each),
            Segment::Members => step(place, Step::Every),
            // Names in a text are read as those of an object in its place.
            Segment::View(PathView::Json) => place,
            // Behind another view or `.**`, nothing is read by name.
            Segment::Scalars | Segment::View(_) => return,
        };
    }
    let Some(compared) = operator.map(Operator::compared) else { return };
    for operand in compared.operands() {
        let place = if compared.with_elements { step(place, Step::Each) } else { place };
        each_member(place, operand, step, see);
    }
}

/// Shows the names in an operand. Recursion is as deep as the operand, which the document bounds.
fn each_member<'p, P: Copy>(
    place: P,
    operand: &'p Operand,
    step: &mut impl FnMut(P, Step<'p>) -> P,
    see: &mut impl FnMut(P, &'p str),
) {
    match operand {
        Operand::Object(members) => {
            for (name, operand) in members {
                see(place, name);
                let place = step(place, Step::Member(name));
                each_member(place, operand, step, see);
            }
        }
        Operand::Array(elements) => {
            let place = step(place, Step::Each);
            elements.iter().for_each(|operand| each_member(place, operand, step, see));
        }
        _ => {}
    }
}

fn report(
    policy: &Compiled,
    rule: u32,
    path: &Path,
    one: &str,
    other: &str,
    diagnostics: &mut Diagnostics<'_>,
) {
    let Some(rule) = policy.rule(rule) else { return };
    let message = format!("`{path}`: a server that ignores case takes {other:?} and {one:?} for one member");
    let help = "read the one that the tool's schema has; a guard denies calls with the other".to_owned();
    diagnostics.error("confusable_argument", rule.span(), rule.pointer(), message, Some(help));
}
