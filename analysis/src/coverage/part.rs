//! The part of a policy that decides the calls of some tools: to try a removal costs what the part does, not what the policy does.
//!
//! In: a policy and names of tools. Out: its document with the entries alone that apply to these, and those whose counters such entries
//! read. All pointers stay as they are. Where it is not certain what applies, the part is the whole.

use std::collections::BTreeSet;

use super::group::Shape;
use super::path::{reads_budget, state_names};
use super::points::Points;
use crate::document::Json;
use crate::subject::{Admission, Subject};

/// The document with `entry`, and the entries that decide calls of `tools`.
pub(super) fn part<'t>(
    document: &Json,
    subject: &Subject,
    points: &Points,
    entry: Option<usize>,
    tools: impl Iterator<Item = &'t str>,
) -> Json {
    let Some(kept) = entries_of(subject, points, entry, tools) else { return document.clone() };
    let is_kept = |key: &str| subject.entry(key).is_none_or(|entry| kept.contains(&entry));
    let Json::Map(members) = document else { return document.clone() };
    let members = members.iter().map(|(name, value)| match value {
        Json::Map(entries) if name == "tools" => {
            let entries = entries.iter().filter(|(key, _)| is_kept(key)).cloned();
            (name.clone(), Json::Map(entries.collect()))
        }
        _ => (name.clone(), value.clone()),
    });
    Json::Map(members.collect())
}

/// `None`: all of them.
fn entries_of<'t>(
    subject: &Subject,
    points: &Points,
    entry: Option<usize>,
    tools: impl Iterator<Item = &'t str>,
) -> Option<BTreeSet<usize>> {
    let tools: BTreeSet<&str> = tools.collect();
    let mut kept = BTreeSet::new();
    // What is always there is not followed for each tool.
    let (mut open, _) = subject.entries_of("");
    open.extend(entry);
    for tool in tools {
        // How many globs there are may be why.
        if subject.admission(tool) == Admission::Invalid {
            return None;
        }
        // Also of what is hidden or not listed: it is not where a name or the default is removed.
        open.extend(subject.entries_of(tool).0);
    }
    while let Some(entry) = open.pop() {
        if !kept.insert(entry) {
            continue;
        }
        for group in points.of_entry.get(entry).into_iter().flatten().filter_map(|at| points.groups.get(*at))
        {
            let Shape::Condition(condition) = &group.shape else { continue };
            // Whatever is called pays into budgets by its own entries.
            let Some(path) = condition.counter.as_ref().filter(|path| !reads_budget(path)) else { continue };
            // The key of an entry may have dots, as may the name of a counter.
            let (_, names) = state_names(path)?;
            open.extend((1..names.len()).filter_map(|count| subject.entry(&names.get(..count)?.join("."))));
        }
    }
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How large the policies are that trials compile must depend on the calls, not on the policy.
    #[test]
    fn a_part_has_the_entries_that_decide() {
        let text = "{version: '1', default: deny, hide: [secret], budgets: {b: {window: day}}, all_tools: {}, tools: {
            pay: {require: [{path: 'state[\"a.b\"].n', op: lt, value: 9}]},
            a.b: {limits: [{counter: n, window: day, max: 9}], require: [{path: state.c.m, op: lt, value: 9}]},
            c: {limits: [{counter: m, window: day, max: 9}], require: [{path: budget.b, op: lt, value: 9}]},
            'p*': {}, secret: {}, idle: {}, 'i*': {}, '*': {}}}";
        let subject = Subject::new("p.yaml", text).unwrap();
        let (document, points) = (Json::parse(text).unwrap(), Points::of(&subject));
        let keys = |entry: Option<usize>, tools: &[&str]| {
            let part = part(&document, &subject, &points, entry, tools.iter().copied());
            assert!(Subject::new("part", &part.to_text()).is_ok(), "{part:?}");
            assert!(part.get("hide").is_some() && part.get("all_tools").is_some());
            let Some(Json::Map(entries)) = part.get("tools") else { panic!("{part:?}") };
            entries.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>()
        };
        assert_eq!(keys(None, &["pay"]), ["pay", "a.b", "c", "p*", "*"]);
        assert_eq!(keys(None, &["c", "other"]), ["c", "*"]);
        assert_eq!(keys(None, &["secret"]), ["secret", "*"]);
        assert_eq!(keys(subject.entry("i*"), &["idle", "c"]), ["c", "idle", "i*", "*"]);
        assert_eq!(keys(subject.entry("i*"), &[]), ["i*", "*"]);
        // A name that no call can have may be one because of all globs.
        assert_eq!(keys(None, &[&"x".repeat(100_000)]).len(), 8);
    }
}
