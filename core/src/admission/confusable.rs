//! Names of arguments that readers which ignore case take for one, and that rules read as two: an error at load (spec 3.9).
//!
//! In: the compiled entries, and which of them apply to one tool. Out: diagnostics. Takes time linear in the document, and looks at no
//! tool where no name can be meant.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use super::folding::{fold, is_folded};
use crate::canonical::write_string;
use crate::diagnostic::Diagnostics;
use crate::path::{Path, Root, Segment};
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
        policy.paths_of(entry, &mut |_, path| {
            odd.extend(names(path).filter(|(_, name)| !is_folded(name)).map(|(_, name)| fold(name)));
        });
    }
    if odd.is_empty() {
        return;
    }
    let mut groups: HashMap<String, usize> = HashMap::new();
    let mut reported = HashSet::new();
    // Of each entry, its spellings of names that somebody may write in another way.
    let mut spellings: HashMap<u32, Vec<Spelling<'_>>> = HashMap::new();
    for entry in entries {
        let mut first: HashMap<usize, &str> = HashMap::new();
        policy.paths_of(entry, &mut |rule, path| {
            for (place, name) in names(path) {
                let folded = fold(name);
                if !odd.contains(&folded) {
                    continue;
                }
                let next = groups.len();
                let group = *groups.entry(key(place, &folded)).or_insert(next);
                match first.get(&group) {
                    Some(other) if *other != name => {
                        if reported.insert(group) {
                            report(policy, rule, path, other, name, diagnostics);
                        }
                    }
                    Some(_) => {}
                    None => {
                        first.insert(group, name);
                        let spelling = Spelling { group, name, path, rule };
                        spellings.entry(entry).or_default().push(spelling);
                    }
                }
            }
        });
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

/// Each name that a path into the arguments steps by, with what leads to the object that has it.
fn names(path: &Path) -> impl Iterator<Item = (&[Segment], &str)> {
    let segments = if path.root == Root::Args { &*path.segments } else { &[] };
    segments.iter().enumerate().filter_map(move |(index, segment)| match segment {
        Segment::Name(name) | Segment::Quoted(name) => Some((segments.get(..index)?, &**name)),
        Segment::Index(_) | Segment::Each => None,
    })
}

/// A text that is the same for the same place and folded name only.
fn key(place: &[Segment], folded: &str) -> String {
    let mut key = String::new();
    for segment in place {
        // Writing to a string cannot fail.
        let _ = match segment {
            Segment::Name(name) | Segment::Quoted(name) => write_string(&mut key, name),
            Segment::Index(index) => write!(key, "[{index}]"),
            Segment::Each => key.write_str("[*]"),
        };
    }
    key.push(' ');
    key.push_str(folded);
    key
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
