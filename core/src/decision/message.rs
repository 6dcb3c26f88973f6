//! What the agent is told: the policy's own words, else a default that is the same in every language (spec 10.5).

use std::borrow::Cow;

use crate::call::Target;
use crate::document::Charge;
use crate::policy::Compiled;
use crate::ruling::{Code, Detail, Effect, Ruling};

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
    if let Some(on_deny) = rule.and_then(|rule| rule.on_deny()).filter(|_| speaks) {
        return Some(Cow::Borrowed(on_deny));
    }
    let label = rule.map_or("", |rule| rule.name().unwrap_or(rule.pointer()));
    let detail = ruling.more().map(|more| &more.detail);
    let declared = match detail {
        Some(Detail::Declared(index)) => policy.declared(*index),
        _ => None,
    };
    // Only tools are hidden, or not listed.
    let tool = target.tool().unwrap_or_default();
    Some(Cow::Owned(match ruling.code() {
        Code::Hidden => format!("Tool \"{tool}\" is hidden by policy"),
        Code::NotListed => format!("Tool \"{tool}\" is not permitted by policy"),
        Code::Allowed | Code::Denied | Code::ConditionFailed => format!("Denied by rule \"{label}\""),
        Code::LimitExceeded => {
            let maximum = declared.and_then(|declared| declared.max.map(|max| (max, &declared.window)));
            let what = match maximum {
                _ if matches!(detail, Some(Detail::Full)) => {
                    format!("The counter of rule \"{label}\" is full")
                }
                Some((max, window)) => format!("Rate limit of {max} per {window} reached"),
                None => format!("Denied by rule \"{label}\""),
            };
            match ruling.retry_after() {
                Some(1) => format!("{what}. Try again in 1 second."),
                Some(seconds) => format!("{what}. Try again in {seconds} seconds."),
                None => format!("{what}. Waiting does not help."),
            }
        }
        Code::ApprovalRequired => format!("Rule \"{label}\" needs approval"),
        Code::ApprovalSpent => format!("The approval for rule \"{label}\" was already used"),
        Code::IdentityRequired => {
            let scope = declared.map(|declared| declared.scope.to_string()).unwrap_or_default();
            format!("Rule \"{label}\" needs an identity for scope {scope}")
        }
        Code::InvalidAmount => {
            let path = match declared.map(|declared| &declared.amount) {
                Some(Charge::From(path)) => path.text.as_ref(),
                Some(Charge::Fixed(_)) | None => "",
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
    }))
}
