//! The test file beside the policy.
//!
//! In: entries with their calls. Out: YAML that `callgate test` reads: what passes, what is refused and by which rule, and how often.

use super::entry::{APPROVAL, Case, DENIED, Entry, Expect, Flow};
use super::policy::{has_shared_limit, shared_limit};
use super::treatment::TOGETHER;
use super::{Options, Written, yaml};
use crate::risk::Risk;

pub(super) fn write(server: &str, written: &[(&Risk, Written)], options: &Options<'_>, file: &str) -> String {
    let entries: Vec<&Entry> = written
        .iter()
        .filter_map(|(_, one)| match one {
            Written::Entry(entry) => Some(&**entry),
            Written::LeftOut(_) => None,
        })
        .collect();
    let mut out = format!(
        "# Tests of the policy for server {}: `callgate test --coverage` runs them.\npolicy: {}\n",
        yaml::line(server),
        yaml::quoted(file)
    );
    let caller = if options.scope.needs_identity() { ", as: caller" } else { "" };
    if options.scope.needs_identity() {
        out.push_str("identities:\n  caller: {id: agent-7, grant: agents, session: session-1}\n");
    }
    if !entries.is_empty() {
        out.push_str("calls:\n");
    }
    for entry in &entries {
        let name = yaml::quoted(&entry.tool);
        let args = members(&entry.args);
        let args = if args.is_empty() { String::new() } else { format!(", args: {{{args}}}") };
        out.push_str(&format!("  {name}: {{tool: {name}{args}{caller}}}\n"));
    }
    out.push_str("\ntests:\n");
    if has_shared_limit(written)
        && let Some(first) = entries.iter().find(|entry| matches!(entry.flow, Flow::Allowed))
    {
        let (call, most) = (yaml::quoted(&first.tool), TOGETHER.most);
        out.push_str(&format!(
            "  - name: \"all tools together\"\n    steps:\n      - {{call: {call}, repeat: {most}, expect: allow}}\n      \
             - {{call: {call}, expect: limit_exceeded, rule: {}}}\n",
            yaml::quoted(&shared_limit())
        ));
    }
    let mut stranger = "no_such_tool".to_owned();
    while written.iter().any(|(risk, _)| risk.name == stranger) {
        stranger.push('_');
    }
    out.push_str(&format!(
        "  - name: \"other tools are denied\"\n    each:\n      - {{tool: {}, unlisted: true, expect: not_listed}}\n",
        yaml::quoted(&stranger)
    ));
    for (index, entry) in entries.iter().enumerate() {
        calls(&mut out, index.saturating_add(1), entry);
    }
    out
}

/// The tests of one entry. The number makes their names unique whatever the tools are called.
fn calls(out: &mut String, number: usize, entry: &Entry) {
    let call = yaml::quoted(&entry.tool);
    let title = |what: &str| yaml::quoted(&format!("{number} {}{what}", yaml::line(&entry.tool)));
    out.push_str(&format!("\n  - name: {}\n", title("")));
    match &entry.flow {
        Flow::Allowed => out.push_str(&format!("    each:\n      - {{call: {call}, expect: allow}}\n")),
        Flow::Denied => {
            out.push_str(&format!("    each:\n      - {{call: {call}, expect: denied, rule: {DENIED}}}\n"));
        }
        Flow::Limited(rate) => out.push_str(&format!(
            "    steps:\n      - {{call: {call}, repeat: {}, expect: allow}}\n      \
             - {{call: {call}, expect: limit_exceeded, rule: {}}}\n",
            rate.most,
            yaml::quoted(&rate.name())
        )),
        Flow::Asked { most, limit } => {
            out.push_str("    steps:\n");
            out.push_str(&asked(&call, "", APPROVAL, *most));
            out.push_str(&format!(
                "      - {{call: {call}, expect: limit_exceeded, rule: {}}}\n",
                yaml::quoted(limit)
            ));
        }
    }
    let (asking, refused): (Vec<&Case>, Vec<&Case>) =
        entry.cases.iter().partition(|case| case.expect == Expect::Asked);
    if !refused.is_empty() {
        out.push_str(&format!("  - name: {}\n    each:\n", title(": refused")));
    }
    for case in refused {
        let code = if case.expect == Expect::Denied { "denied" } else { "condition_failed" };
        let (with, rule) = (members(&case.with), yaml::quoted(&case.rule));
        out.push_str(&format!("      - {{call: {call}, with: {{{with}}}, expect: {code}, rule: {rule}}}\n"));
    }
    for (index, case) in asking.into_iter().enumerate() {
        let what = format!(": a person is asked, {}", index.saturating_add(1));
        out.push_str(&format!("  - name: {}\n    steps:\n", title(&what)));
        let with = format!(", with: {{{}}}", members(&case.with));
        out.push_str(&asked(&call, &with, &case.rule, 1));
    }
}

/// A call that waits, and passes as often as it is approved.
fn asked(call: &str, with: &str, rule: &str, times: u32) -> String {
    let rule = yaml::quoted(rule);
    let mut out = format!("      - {{call: {call}{with}, expect: approval, approval_rules: [{rule}]}}\n");
    for number in 1..=times {
        out.push_str(&format!("      - {{call: {call}{with}, approve: a-{number}, expect: allow}}\n"));
    }
    out
}

/// Members of a mapping.
fn members(members: &[(String, String)]) -> String {
    let members: Vec<String> =
        members.iter().map(|(name, value)| format!("{}: {value}", yaml::quoted(name))).collect();
    members.join(", ")
}
