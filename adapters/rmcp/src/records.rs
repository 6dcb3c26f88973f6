//! What a host's tracer sees of a call (G11.2).
//!
//! In: a decision. Out: fields of spans. Must not show an argument's value.

use callgate::Decision;
use tracing::Span;

/// A span around what runs, with what was decided. The span around it gets the same fields, where it declares them.
pub(crate) fn span(decision: &Decision<'_>) -> Span {
    let (effect, code) = (decision.effect().as_str(), decision.code().as_str());
    let tool = decision.tool().unwrap_or_default();
    let rule = decision.rule().map_or("", |rule| rule.name().unwrap_or(rule.pointer())).to_owned();
    let current = Span::current();
    for (field, value) in [
        ("callgate.effect", effect),
        ("callgate.code", code),
        ("callgate.tool", tool),
        ("callgate.rule", &rule),
    ] {
        current.record(field, value);
    }
    tracing::info_span!(
        target: "callgate",
        "call",
        callgate.effect = effect,
        callgate.code = code,
        callgate.tool = tool,
        callgate.rule = rule.as_str(),
    )
}
