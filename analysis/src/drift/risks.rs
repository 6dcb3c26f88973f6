//! Whether a changed tool is riskier than the approved one, by [`risk`](crate::risk) and [`listing`](crate::listing).
//!
//! Both definitions are judged now: what was learnt since the lock was written makes no drift by itself.

use std::collections::{BTreeMap, BTreeSet};

use callgate::lock::{Definition, Lock};
use serde_json::{Value, json};

use super::{Change, Kind};
use crate::listing::Listings;
use crate::risk::{Options, Risk, classify};

/// Of each pair, in its order, what is riskier.
pub(super) fn risks(
    server: &str,
    lock: &Lock,
    listed: &[Definition],
    changed: &[(&Definition, &Definition)],
) -> Vec<Vec<Change>> {
    if changed.is_empty() {
        return Vec::new();
    }
    let old =
        judged(server, lock.tools(server).map(|entry| &entry.definition), changed.iter().map(|it| it.0));
    let new = judged(server, listed.iter(), changed.iter().map(|it| it.1));
    old.into_iter().zip(new).map(|(old, new)| worse(&old, &new)).collect()
}

/// What is said of a tool.
struct Judged {
    risk: Risk,
    /// Findings: code, place, and what is told.
    findings: BTreeMap<(&'static str, String), String>,
}

/// Judges some tools of a list, in their order.
fn judged<'d>(
    server: &str,
    list: impl Iterator<Item = &'d Definition>,
    some: impl Iterator<Item = &'d Definition>,
) -> Vec<Judged> {
    let names: Vec<&str> = some.map(Definition::name).collect();
    let places: BTreeSet<&str> = names.iter().copied().collect();
    // Of the others, the names are enough.
    let values: Vec<Value> = list
        .map(|one| match places.contains(one.name()) {
            true => serde_json::from_str(one.canonical()).unwrap_or_else(|_| json!({"name": one.name()})),
            false => json!({"name": one.name()}),
        })
        .collect();
    let mut listings = Listings::default();
    listings.add(server, &values);
    let mut odd: BTreeMap<usize, Vec<(&'static str, String, String)>> = BTreeMap::new();
    for finding in listings.finish() {
        odd.entry(finding.tool).or_default().push((finding.code.name(), finding.place, finding.text));
    }
    // No trust and no override: what an operator said was said of another definition.
    let mut all: BTreeMap<String, Judged> = BTreeMap::new();
    for (index, risk) in classify(server, &values, &Options::new()).into_iter().enumerate() {
        if places.contains(&*risk.name) {
            let own = risk.findings.iter().map(|it| (it.code.name(), it.place.clone(), it.text.clone()));
            let findings = odd.remove(&index).into_iter().flatten().chain(own);
            let findings = findings.map(|(code, place, text)| ((code, place), text)).collect();
            all.insert(risk.name.clone(), Judged { risk, findings });
        }
    }
    names.into_iter().filter_map(|name| all.remove(name)).collect()
}

fn worse(old: &Judged, new: &Judged) -> Vec<Change> {
    let mut changes = Vec::new();
    let (was, is) = (&old.risk, &new.risk);
    if is.class.strength() > was.class.strength() {
        let why = format!("the class was {}, and is {}", was.class.name(), is.class.name());
        changes.push(Change::about(Kind::Riskier, "", why));
    }
    if is.severity > was.severity {
        let why = format!("the severity was {}, and is {}", was.severity.name(), is.severity.name());
        changes.push(Change::about(Kind::Riskier, "", why));
    }
    for ((code, place), text) in &new.findings {
        if !old.findings.contains_key(&(*code, place.clone())) {
            changes.push(Change::about(Kind::Riskier, place, format!("{code}: {text}")));
        }
    }
    changes
}
