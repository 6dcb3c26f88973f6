//! The maximum of a counter or budget for one call (spec 2.26).
//!
//! In: a declared counter and the call's identity. Out: what it may hold after the charge, or a denial. Never reads arguments: a
//! caller would choose its own limits.

use std::ops::ControlFlow;

use crate::amount::Amount;
use crate::condition::{CallContext, Leaf, Visitor};
use crate::document::Declared;
use crate::path::Path;
use crate::ruling::{Code, Detail, Ruling};
use crate::view::{Kind, Unreadable, View};

/// What a counter may hold for this call where a claim says it, or the denial by `rule`. A function of its own: few counters leave it to
/// a claim, and the others must not pay for it.
#[cold]
#[inline(never)]
pub(super) fn claimed<A: View, I: View>(
    path: &Path,
    declared: &Declared,
    index: u32,
    rule: u32,
    facts: &CallContext<'_, A, I>,
) -> Result<Result<Amount, Ruling>, Unreadable> {
    let mut claim = Claim::Missing;
    facts.reach(path, &mut claim)?;
    let code = match (claim, declared.max) {
        (Claim::Amount(amount), _) | (Claim::Missing, Some(amount)) => return Ok(Ok(amount)),
        (Claim::Missing, None) => Code::IdentityRequired,
        (Claim::Other, _) => Code::InvalidAmount,
    };
    Ok(Err(Ruling::deny(code, Some(rule)).about(Detail::Maximum(index))))
}

/// What is found at the path of a claim.
#[derive(Clone, Copy)]
enum Claim {
    /// Nothing, or null.
    Missing,
    Amount(Amount),
    /// What is no amount.
    Other,
}

impl Visitor for Claim {
    fn leaf<V: View>(&mut self, leaf: Leaf<'_, V>) -> Result<ControlFlow<()>, Unreadable> {
        *self = match leaf {
            Leaf::Absent => Self::Missing,
            Leaf::WrongType(_) => Self::Other,
            Leaf::Value(value, _) => match value.kind()? {
                Kind::Null => Self::Missing,
                Kind::Number(number) => number.to_amount().map_or(Self::Other, Self::Amount),
                _ => Self::Other,
            },
        };
        Ok(ControlFlow::Break(()))
    }
}
