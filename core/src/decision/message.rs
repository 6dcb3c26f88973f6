//! What the agent is told: the policy's own words, else a default that is the same in every language (spec 10.5).

use std::borrow::Cow;

use crate::amount::Amount;
use crate::call::Target;
use crate::ceilings::SLIDING_CHARGES;
use crate::document::{Charge, Declared, Refund, Rule};
use crate::policy::Compiled;
use crate::ruling::{Code, Detail, Effect, Ruling};
use crate::store::Owner;
use crate::window::Window;

pub(super) fn message<'d>(
    policy: &'d Compiled,
    target: Target<'_>,
    ruling: &'d Ruling,
) -> Option<Cow<'d, str>> {
    if ruling.effect() == Effect::Allow {
        return None;
    }
    let rule = ruling.rule().and_then(|rule| policy.rule(rule));
    let speaks = matches!(
        ruling.code(),
        Code::Denied | Code::ConditionFailed | Code::LimitExceeded | Code::ApprovalRequired
    );
    let detail = ruling.more().map_or(&Detail::None, |more| &more.detail);
    let (Detail::Declared(index)
    | Detail::Maximum(index)
    | Detail::Full(index)
    | Detail::FullOfCharges(index)) = detail
    else {
        let on_deny = rule.and_then(|rule| rule.on_deny()).filter(|_| speaks);
        return Some(on_deny.map_or_else(|| Cow::Owned(plain(policy, target, ruling)), Cow::Borrowed));
    };
    let declared = policy.declared(*index);
    // A budget speaks for the items that pay into it (spec 2.25).
    let of_budget = || declared.and_then(|declared| declared.on_deny.as_deref());
    if let Some(on_deny) = rule.and_then(|rule| rule.on_deny()).or_else(of_budget).filter(|_| speaks) {
        return Some(Cow::Borrowed(on_deny));
    }
    let label = label(rule);
    Some(Cow::Owned(match (ruling.code(), declared) {
        (Code::LimitExceeded, Some(declared)) => limit(policy, label, *index, declared, ruling),
        (Code::IdentityRequired | Code::InvalidAmount, Some(declared)) => {
            let claim = declared.max_from.as_ref().filter(|_| matches!(detail, Detail::Maximum(_)));
            match (ruling.code(), claim) {
                (Code::InvalidAmount, claim) => {
                    let path = claim.map_or("", |path| &path.text);
                    format!("Rule \"{label}\" needs a valid amount at {path}")
                }
                (_, Some(path)) => format!("Rule \"{label}\" needs a maximum at {path}"),
                (_, None) => format!("Rule \"{label}\" needs an identity for scope {}", declared.scope),
            }
        }
        _ => plain(policy, target, ruling),
    }))
}

/// How messages name a rule.
fn label(rule: Option<Rule<'_>>) -> &str {
    rule.map_or("", |rule| rule.name().unwrap_or(rule.pointer()))
}

/// Of a counter that has no room.
fn limit(policy: &Compiled, label: &str, index: u32, declared: &Declared, ruling: &Ruling) -> String {
    let counted = ruling.counters().iter().find(|counted| counted.declared == index);
    // For this call it may be another than the policy's (spec 2.26).
    let max = counted.map_or(declared.max.unwrap_or(Amount::MAX), |counted| counted.max);
    let in_flight = |(payment, _): &(u32, Amount)| {
        policy.payment(*payment).is_some_and(|payment| payment.refund == Refund::Always)
    };
    let per = match declared.counter.window() {
        Window::Ever => String::new(),
        _ => format!(" per {}", declared.window),
    };
    let what = match ruling.more().map(|more| &more.detail) {
        Some(Detail::FullOfCharges(_)) => {
            format!("The counter of rule \"{label}\" is full: it keeps at most {SLIDING_CHARGES} charges")
        }
        Some(Detail::Full(_)) => format!("The counter of rule \"{label}\" is full"),
        _ if counted.is_some_and(|counted| counted.paid.iter().any(in_flight)) => {
            let are = if Amount::from_whole(1) == Some(max) { "call is" } else { "calls are" };
            return format!("{max} {are} in flight, which is the most. Try again when one has ended.");
        }
        _ if *declared.counter.owner() == Owner::Budget => {
            format!("Budget \"{}\" of {max}{per} is used up", declared.counter.name())
        }
        _ if declared.counter.window() == Window::Ever => format!("Limit of {max} reached"),
        _ => format!("Rate limit of {max}{per} reached"),
    };
    when(what, ruling)
}

/// A sentence with what waiting helps.
fn when(what: String, ruling: &Ruling) -> String {
    match ruling.retry_after() {
        Some(1) => format!("{what}. Try again in 1 second."),
        Some(seconds) => format!("{what}. Try again in {seconds} seconds."),
        None => format!("{what}. Waiting does not help."),
    }
}

/// The default where no counter has a part in it.
fn plain(policy: &Compiled, target: Target<'_>, ruling: &Ruling) -> String {
    let label = label(ruling.rule().and_then(|rule| policy.rule(rule)));
    let detail = ruling.more().map(|more| &more.detail);
    // Only tools are hidden: this one, or the one that it calls.
    let inner = ruling.more().and_then(|more| more.inner.as_deref());
    let tool = inner.or(target.tool()).unwrap_or_default();
    match ruling.code() {
        Code::Hidden => format!("Tool \"{tool}\" is hidden by policy"),
        Code::NotListed if target.tool().is_none() => {
            format!("Method \"{}\" is not permitted by policy", target.method())
        }
        Code::NotListed => format!("Tool \"{tool}\" is not permitted by policy"),
        Code::Allowed | Code::Denied | Code::ConditionFailed => format!("Denied by rule \"{label}\""),
        Code::LimitExceeded => when(format!("Denied by rule \"{label}\""), ruling),
        Code::ApprovalRequired => needs_approval(policy, ruling, label),
        Code::ApprovalSpent => format!("The approval for rule \"{label}\" was already used"),
        Code::IdentityRequired => format!("Rule \"{label}\" needs an identity"),
        Code::InvalidAmount => {
            let payment = match detail {
                Some(Detail::Payment(index)) => policy.payment(*index),
                _ => None,
            };
            let path = match payment.map(|payment| &payment.amount) {
                Some(Charge::From(path)) => path.text.as_ref(),
                // Only sums of a budget are too large then.
                Some(Charge::Fixed(_)) => "increment",
                None => "",
            };
            format!("Rule \"{label}\" needs a valid amount at {path}")
        }
        Code::InvalidArgs => match detail {
            Some(Detail::Args(why)) => format!("Arguments are not valid: {why}"),
            _ => "Arguments are not valid".to_owned(),
        },
        Code::InvalidIdentity => "Identity is neither a string nor an object".to_owned(),
        Code::InvalidTool => "Tool name is too long".to_owned(),
        Code::InvalidMethod => "Method is empty, too long or begins with \"tools/\"".to_owned(),
        Code::StoreUnavailable => "Limits cannot be checked right now. Try again later.".to_owned(),
    }
}

/// Names every rule that asks or may ask.
fn needs_approval(policy: &Compiled, ruling: &Ruling, label: &str) -> String {
    let asking = ruling.more().and_then(|more| more.asking.as_deref());
    let rules = asking.into_iter().flat_map(|asking| &*asking.rules).filter_map(|rule| policy.rule(*rule));
    let names: Vec<String> =
        rules.map(|rule| format!("\"{}\"", rule.name().unwrap_or(rule.pointer()))).collect();
    match names.split_last() {
        Some((last, before)) if !before.is_empty() => {
            format!("Rules {} and {last} need approval", before.join(", "))
        }
        _ => format!("Rule \"{label}\" needs approval"),
    }
}
