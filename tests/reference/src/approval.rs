//! What an approval is for, and which rules ask for one (sections 2.30, 6.6, 6.7 and 7).

use crate::batch::Matched;
use crate::json::{Json, canonical, quoted};
use crate::levels::{Level, Levels};
use crate::mistake::{Mistake::*, is_made};
use crate::path::{self, Segment};
use crate::payment::{Charge, window_text};
use crate::policy::{Document, Entry, Item};
use crate::state;
use crate::syntax;
use crate::time::Window;

/// An approval that a host passes with a call (clause 7.2).
#[derive(Debug, Clone, Copy)]
pub struct Approval<'c> {
    /// The key.
    pub key: &'c str,
    /// The approval's own id.
    pub id: &'c str,
    /// When it was given, in milliseconds since the epoch.
    pub given_at: Option<i64>,
}

/// The field `approval` of a rule (clause 2.30).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms {
    /// The paths that it ignores.
    pub ignore: Vec<String>,
    /// For how long an approval lets calls through, in seconds.
    pub valid_for: Option<i64>,
    /// How many calls it lets through, where the rule says so.
    pub uses: Option<u64>,
    /// Who may approve.
    pub approvers: Vec<String>,
}

impl Terms {
    pub(crate) fn read(approval: &Json) -> Terms {
        let texts = |field: &str| {
            let list = approval.get(field).map(Json::list).unwrap_or_default();
            list.iter().filter_map(Json::text).map(str::to_owned).collect()
        };
        let seconds = |value: &Json| Window::read(&window_text(value)).length() / 1_000;
        let whole = |value: &Json| match value {
            Json::Number(literal) => literal.parse().expect("a whole number"),
            other => panic!("no number: {other:?}"),
        };
        Terms {
            ignore: texts("ignore"),
            valid_for: approval.get("valid_for").map(seconds),
            uses: approval.get("uses").map(whole),
            approvers: texts("approvers"),
        }
    }
}

/// The rules that ask for approval of a call, or may ask, in order; and what one is good for.
pub(crate) struct Asking<'d> {
    pub(crate) items: Vec<Matched<'d>>,
    /// Clause 7.1: the paths that the approval does not cover.
    pub(crate) ignored: Vec<String>,
    pub(crate) valid_for: Option<i64>,
    pub(crate) uses: u64,
    pub(crate) key: String,
}

/// Clause 6.4: whether a rule only asks if its state conditions hold.
pub(crate) fn may_ask(item: &Item) -> bool {
    item.conditions.iter().any(state::is_state)
}

/// What a key is a digest of (clause 7.1).
pub(crate) struct Covered<'c> {
    pub(crate) policy: &'c str,
    pub(crate) name: &'c str,
    /// Whether that is a method: no key is that of both.
    pub(crate) is_request: bool,
    pub(crate) levels: &'c Levels<'c>,
    pub(crate) identity: Option<&'c Json>,
    pub(crate) server: Option<&'c str>,
}

impl<'d> Asking<'d> {
    /// None where the call has no canonical form.
    pub(crate) fn of(items: Vec<Matched<'d>>, covered: &Covered<'_>) -> Option<Asking<'d>> {
        let terms: Vec<&Terms> = items.iter().map(|matched| &matched.item.terms).collect();
        let ignored = ignored(&items, covered.levels);
        let outer =
            if is_made(KeyOfInner) { covered.levels.list.last()? } else { covered.levels.list.first()? };
        let least = terms.iter().filter_map(|terms| terms.valid_for).min();
        let uses = terms.iter().map(|terms| terms.uses.unwrap_or(1));
        // Also what is ignored needs a canonical form.
        canonical(&outer.args)?;
        covered.identity.map_or(Some(String::new()), canonical)?;
        let args = canonical(&without(&outer.args, "args", &ignored))?;
        let identity = match covered.identity {
            Some(identity) => canonical(&without(identity, "identity", &ignored))?,
            None => "absent".to_owned(),
        };
        let server = covered.server.filter(|_| !is_made(ServerOutOfKey));
        let mut parts = vec![quoted(covered.policy), quoted(covered.name), quoted(&args), quoted(&identity)];
        parts.push(covered.is_request.to_string());
        parts.extend(server.map(quoted));
        if !ignored.is_empty() {
            let paths: Vec<String> = ignored.iter().map(|path| quoted(path)).collect();
            parts.push(format!("[{}]", paths.join(",")));
        }
        Some(Asking {
            valid_for: if is_made(FirstValidFor) { terms.first()?.valid_for } else { least },
            uses: if is_made(MostUses) { uses.max()? } else { uses.min()? },
            key: parts.join(","),
            items,
            ignored,
        })
    }
}

/// Clause 7.1: the paths that every rule ignores, as the first one writes them, less those that lead where an entry reads.
fn ignored(items: &[Matched<'_>], levels: &Levels<'_>) -> Vec<String> {
    let terms: Vec<Vec<String>> = items.iter().map(|matched| ignored_by(matched, levels)).collect();
    let in_all = |path: &&String| terms.iter().all(|paths| paths.iter().any(|other| is_same(path, other)));
    let mut found: Vec<String> = match terms.first() {
        _ if is_made(IgnoresOfAnyRule) => {
            let mut all: Vec<String> = Vec::new();
            for path in terms.iter().flatten() {
                if !all.iter().any(|other| is_same(path, other)) {
                    all.push(path.clone());
                }
            }
            all
        }
        Some(first) => first.iter().filter(in_all).cloned().collect(),
        None => vec![],
    };
    let mut read: Vec<String> = levels.choosing.clone();
    read.retain(|_| !is_made(IgnoresWhichTool));
    for level in &levels.list {
        let paths = level.entries.iter().flat_map(|(document, entry)| read_by(entry, document));
        read.extend(paths.filter_map(|path| level.outside(&path)));
    }
    found.retain(|path| is_made(IgnoresWhatIsRead) || !read.iter().any(|other| overlap(path, other)));
    found
}

/// Clause 3.11: what a rule ignores, as the outer call has it.
fn ignored_by(matched: &Matched<'_>, levels: &Levels<'_>) -> Vec<String> {
    let level: &Level<'_> = &levels.list[matched.level];
    let own = matched.item.terms.ignore.iter();
    own.filter(|path| level.ignores() || !path.starts_with("args"))
        .filter_map(|path| if is_made(InnerIgnoresOuter) { Some(path.clone()) } else { level.outside(path) })
        .collect()
}

/// Clause 2.30: what the rules that ask, the scopes, the amounts, the conditions in `when` and the maxima of an entry read.
fn read_by(entry: &Entry, document: &Document) -> Vec<String> {
    let mut paths = Vec::new();
    for item in &entry.items {
        for condition in &item.conditions {
            if state::is_state(condition) {
                // Whoever reads a counter reads its scope.
                let path = condition.get("path").and_then(Json::text).expect("a path");
                paths.extend(document.counter(path).scope.paths());
            } else if item.approves {
                paths.extend(syntax::paths(condition));
            }
        }
        paths.extend(item.when.iter().filter(|_| !is_made(IgnoresWhen)).flat_map(syntax::paths));
        if let Some(payment) = &item.pays {
            paths.extend(payment.counter.scope.paths());
            paths.extend(payment.counter.max_from.clone());
            if let Charge::From(path) = &payment.charge {
                paths.push(path.clone());
            }
        }
    }
    paths
}

/// The names with which a path begins, before its first view, wildcard or index.
fn names(path: &str) -> (String, Vec<String>) {
    let (root, segments) = path::read(path);
    let names = segments.into_iter().map_while(|segment| match segment {
        Segment::Name(name) => Some(name),
        _ => None,
    });
    (root, names.collect())
}

fn is_same(one: &str, other: &str) -> bool {
    names(one) == names(other)
}

/// Whether one path leads to the other, or above it, or below it.
pub fn overlap(one: &str, other: &str) -> bool {
    let ((root, one), (other_root, other)) = (names(one), names(other));
    root == other_root && (one.starts_with(&other) || other.starts_with(&one))
}

/// A value without the members to which the paths of this root lead.
fn without(value: &Json, root: &str, paths: &[String]) -> Json {
    let mut left = value.clone();
    for (of, names) in paths.iter().map(|path| names(path)) {
        if of == root {
            remove(&mut left, &names);
        }
    }
    left
}

fn remove(value: &mut Json, names: &[String]) {
    let (Json::Object(members), Some((name, rest))) = (value, names.split_first()) else { return };
    if rest.is_empty() {
        members.retain(|(key, _)| key != name);
    } else {
        members.iter_mut().filter(|(key, _)| key == name).for_each(|(_, value)| remove(value, rest));
    }
}
