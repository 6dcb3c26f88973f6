//! Paths that an approval is to ignore, and that another entry makes it cover all the same (spec 7.1, 12.3).
//!
//! In: the compiled entries. Out: warnings. What only some calls undo is not told: that may be meant.

use super::{Compiled, Step};
use crate::diagnostic::Diagnostics;
use crate::document::overlap;
use crate::glob::Glob;
use crate::path::Path;
use crate::store::Owner;

/// Looks at an entry for the sake of one tool, over the whole policy.
const LOOKS: usize = 1_000_000;

/// Warns of each rule of an exact name with such a path, once. What a glob or `all_tools` ignores may be meant for other tools.
pub(super) fn report_undone(policy: &Compiled, diagnostics: &mut Diagnostics<'_>) {
    let ignores = |rule: u32| policy.terms(rule).map_or(&[][..], |terms| &terms.ignore);
    if policy.terms.iter().all(|(_, terms)| terms.ignore.is_empty()) {
        return;
    }
    let steps = |entry: u32| policy.entries.get(entry as usize).map_or(&[][..], |entry| &entry.steps);
    let always_asks = |step: &&Step| step.approves && step.conditions.is_empty() && step.states.is_empty();
    let mut looks = 0_usize;
    for (entry, origin) in (0_u32..).zip(&policy.origins) {
        let Owner::Tool(name) = &origin.owner else { continue };
        if Glob::is_glob(name) {
            continue;
        }
        let Some(tool) = policy.names.get(name).filter(|tool| tool.entries.len() > 1) else { continue };
        let others = || tool.entries.iter().copied().filter(|other| *other != entry).flat_map(steps);
        for step in steps(entry).iter().filter(|step| step.approves && !ignores(step.rule).is_empty()) {
            looks = looks.saturating_add(others().count());
            if looks > LOOKS {
                return;
            }
            let covers = |path: &Path| {
                let is_ignored = |rule: u32| ignores(rule).iter().any(|other| other.leads_where(path));
                let asks = others().filter(always_asks).find(|step| !is_ignored(step.rule));
                Some(asks.or_else(|| others().find(|step| reads(policy, step, path)))?.rule)
            };
            let found = ignores(step.rule).iter().find_map(|path| Some((path, covers(path)?)));
            let Some((path, by)) = found else { continue };
            if let (Some(rule), Some(by)) = (policy.rule(step.rule), policy.rule(by)) {
                let message = format!("an approval covers `{path}` all the same, for `{}`", by.pointer());
                let help = "ignore it in each rule that asks, and let no scope, amount, `when` or `max_from` read it";
                diagnostics.warning(
                    "undone_ignore",
                    rule.span(),
                    rule.pointer(),
                    message,
                    Some(help.to_owned()),
                );
            }
        }
    }
}

/// Whether an approval covers a path for the sake of this step.
fn reads(policy: &Compiled, step: &Step, path: &Path) -> bool {
    let mut found = false;
    policy.needed_by(step, &mut |read| found |= overlap(path, read));
    found
}
