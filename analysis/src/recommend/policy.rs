//! The text of the policy.
//!
//! In: entries in their order. Out: YAML.

use super::entry::Flow;
use super::treatment::TOGETHER;
use super::{Options, Written, yaml};
use crate::risk::Risk;

/// Whether a tool passes without a limit of its own, so that the limit that all share can be met.
pub(super) fn has_shared_limit(written: &[(&Risk, Written)]) -> bool {
    written.iter().any(|(_, one)| matches!(one, Written::Entry(entry) if matches!(entry.flow, Flow::Allowed)))
}

/// `60 calls a minute`.
pub(super) fn shared_limit() -> String {
    format!("{} calls a {}", TOGETHER.most, TOGETHER.window)
}

pub(super) fn write(server: &str, written: &[(&Risk, Written)], options: &Options<'_>) -> String {
    let profile = options.profile.name();
    let mut out = format!(
        "# For the tools of server {}, by the profile {profile}. Written by `callgate scan --write`.\n\
         # A class says what the strongest call of a tool can do, judged by the definition that the server gave.\n\
         # Read each rule before you use it. What is marked FILL IN only you can know.\n\
         version: \"1\"\n\
         description: {}\n\
         default: deny\n",
        yaml::line(server),
        yaml::quoted(&format!("Tools of server {}, profile {profile}", yaml::line(server))),
    );
    if has_shared_limit(written) {
        let (most, window, scope) = (TOGETHER.most, TOGETHER.window, options.scope.field());
        out.push_str("\n# Every call counts, of whatever tool.\nall_tools:\n  rules:\n");
        out.push_str(&format!("    - {{name: {}, rate_limit: {most}/{window}{scope}}}\n", shared_limit()));
    }
    let entries = written.iter().filter(|(_, one)| matches!(one, Written::Entry(_))).count();
    out.push_str(if entries > 0 { "\ntools:\n" } else { "\ntools: {}\n" });
    let mut before = None;
    for (risk, one) in written {
        if before != Some(risk.class) {
            let count = written.iter().filter(|(other, _)| other.class == risk.class).count();
            let s = if count == 1 { "" } else { "s" };
            out.push_str(&format!("  # ---- {}: {count} tool{s} ----\n\n", risk.class.name()));
            before = Some(risk.class);
        }
        match one {
            Written::Entry(entry) => out.push_str(&entry.to_yaml(2)),
            Written::LeftOut(why) => {
                out.push_str(&format!("  # Left out, and so denied: {}: {why}\n", yaml::line(&risk.name)));
            }
        }
        out.push('\n');
    }
    while out.ends_with("\n\n") {
        out.pop();
    }
    out
}
