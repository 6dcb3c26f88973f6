//! The one JSON form of a decision (spec 10.3, 10.4, 10.6).

use std::fmt::{Display, Write};

use super::{Decision, RuleRef};
use crate::json_text::{hex, write_string};

// Writing to a String cannot fail, so the results of `write!` are dropped throughout.

pub(super) fn optional_string(out: &mut String, text: Option<&str>) {
    match text {
        Some(text) => {
            let _ = write_string(out, text);
        }
        None => out.push_str("null"),
    }
}

/// A value whose text needs no escaping, quoted.
fn optional_quoted(out: &mut String, value: Option<impl Display>) {
    let _ = match value {
        Some(value) => write!(out, "\"{value}\""),
        None => out.write_str("null"),
    };
}

pub(super) fn decision(decision: &Decision<'_>) -> String {
    let mut out = String::with_capacity(256);
    let _ = write!(
        out,
        "{{\"effect\":\"{}\",\"code\":\"{}\",\"tool\":",
        decision.effect().as_str(),
        decision.code().as_str()
    );
    optional_string(&mut out, decision.tool());
    out.push_str(",\"method\":");
    let _ = write_string(&mut out, decision.method());
    out.push_str(",\"message\":");
    optional_string(&mut out, decision.message().as_deref());
    out.push_str(",\"rule\":");
    match decision.rule() {
        Some(rule) => write_rule(&mut out, rule),
        None => out.push_str("null"),
    }
    out.push_str(",\"counters\":[");
    for (index, counter) in decision.counters().enumerate() {
        out.push_str(if index > 0 { ",{\"entry\":" } else { "{\"entry\":" });
        optional_string(&mut out, counter.entry());
        out.push_str(",\"counter\":");
        let _ = write_string(&mut out, counter.counter().name());
        out.push_str(",\"scope\":");
        let _ = write_string(&mut out, counter.counter().scope());
        out.push_str(",\"window\":");
        let _ = write_string(&mut out, &counter.declared.window);
        out.push_str(",\"charged\":");
        optional_quoted(&mut out, counter.charged());
        out.push_str(",\"used\":");
        optional_quoted(&mut out, Some(counter.used()));
        out.push_str(",\"max\":");
        optional_quoted(&mut out, counter.max());
        out.push_str(",\"resets_at\":");
        optional_quoted(&mut out, counter.resets_at());
        out.push_str(",\"budget\":");
        optional_string(&mut out, counter.budget());
        out.push('}');
    }
    out.push_str("],\"retry_after\":");
    let _ = match decision.retry_after() {
        Some(seconds) => write!(out, "{seconds}"),
        None => out.write_str("null"),
    };
    out.push_str(",\"approval\":");
    match decision.approval() {
        Some(approval) => {
            let _ = write!(out, "{{\"key\":\"{}\",\"rules\":[", approval.key());
            for (index, rule) in approval.rules().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_rule(&mut out, rule);
                out.pop();
                out.push_str(",\"approvers\":");
                write_strings(&mut out, rule.approvers());
                out.push('}');
            }
            out.push_str("],\"ignored\":");
            write_strings(&mut out, approval.ignored());
            out.push_str(",\"valid_for\":");
            let _ = match approval.valid_for() {
                Some(seconds) => write!(out, "{}", seconds.as_secs()),
                None => out.write_str("null"),
            };
            let _ = write!(out, ",\"uses\":{}}}", approval.uses());
        }
        None => out.push_str("null"),
    }
    let _ = write!(out, ",\"policy\":\"sha256:{}\",\"inner\":", hex(decision.policy().digest()));
    optional_string(&mut out, decision.inner());
    out.push('}');
    out
}

fn write_strings(out: &mut String, texts: &[Box<str>]) {
    out.push('[');
    for (index, text) in texts.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        let _ = write_string(out, text);
    }
    out.push(']');
}

fn write_rule(out: &mut String, rule: RuleRef<'_>) {
    out.push_str("{\"layer\":");
    optional_string(out, rule.layer());
    out.push_str(",\"name\":");
    optional_string(out, rule.name());
    out.push_str(",\"pointer\":");
    let _ = write_string(out, rule.pointer());
    let _ = write!(out, ",\"line\":{}}}", rule.line());
}

/// `None` when the call is allowed.
pub(super) fn mcp_result(decision: &Decision<'_>) -> Option<String> {
    let mut text = decision.message()?;
    if let Some(approval) = decision.approval() {
        let _ = write!(text.to_mut(), "\nApproval key: {}", approval.key());
    }
    let mut out = String::from("{\"content\":[{\"type\":\"text\",\"text\":");
    let _ = write_string(&mut out, &text);
    let _ = write!(out, "}}],\"isError\":true,\"_meta\":{}}}", mcp_meta(decision)?);
    Some(out)
}

/// `None` when the call is allowed.
pub(super) fn mcp_meta(decision: &Decision<'_>) -> Option<String> {
    if decision.allowed() {
        return None;
    }
    let mut out = format!("{{\"callgate/code\":\"{}\"", decision.code());
    if let Some(seconds) = decision.retry_after() {
        let _ = write!(out, ",\"callgate/retry_after\":{seconds}");
    }
    if let Some(approval) = decision.approval() {
        let _ = write!(out, ",\"callgate/approval_key\":\"{}\"", approval.key());
    }
    out.push('}');
    Some(out)
}
