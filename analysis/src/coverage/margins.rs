//! How near tests come to a bound: a limit of 500 that only 5 and 50,000 are tried on may as well be 5,000.
//!
//! In: the numbers that calls give, and the bound. Out: the nearest on both sides. Says nothing of what is covered.

use std::cmp::Ordering;

use callgate::Amount;
use callgate::value::Number;

/// How near tests come to a bound. Numbers are decimal text. Not for logs: but for the bound, they are values of arguments.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Margin {
    /// JSON Pointer of the condition or limit.
    pub pointer: String,
    /// What it is, for people.
    pub text: String,
    /// The bound.
    pub bound: String,
    /// The largest number below it.
    pub below: Option<String>,
    /// Whether the bound itself was tried; for a maximum, whether it was used up.
    pub at: bool,
    /// The smallest number above it. Of a maximum nothing is.
    pub above: Option<String>,
}

/// What was tried so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    below: Option<Number<'static>>,
    at: bool,
    above: Option<Number<'static>>,
    most: Option<(Amount, Amount)>,
}

impl Tally {
    /// Adds a number that a condition compares with `bound`.
    pub(super) fn add(&mut self, number: &Number<'_>, bound: &str) {
        // The policy loads, so that the operand is a number.
        let Some(bound) = Number::from_literal(bound) else { return };
        let kept = |side: &Option<Number<'static>>, nearer: Ordering| {
            side.as_ref().is_none_or(|known| number.compare(known) == nearer)
        };
        match number.compare(&bound) {
            Ordering::Equal => self.at = true,
            Ordering::Less if kept(&self.below, Ordering::Greater) => {
                self.below = Some(number.clone().into_owned());
            }
            Ordering::Greater if kept(&self.above, Ordering::Less) => {
                self.above = Some(number.clone().into_owned());
            }
            _ => {}
        }
    }

    /// Notes what a counter with a maximum holds. Claims may say different maxima: what is nearest to its own counts.
    pub(super) fn used(&mut self, used: Amount, max: Amount) {
        let room = |used: Amount, max: Amount| max.as_micros().saturating_sub(used.as_micros()).max(0);
        let is_nearer = |(most, bound)| match room(used, max).cmp(&room(most, bound)) {
            Ordering::Less => true,
            Ordering::Equal => used > most,
            Ordering::Greater => false,
        };
        if self.most.is_none_or(is_nearer) {
            self.most = Some((used, max));
        }
    }

    /// The margin, where anything was tried. `bound`: what a condition compares with.
    pub(super) fn margin(&self, pointer: &str, text: &str, bound: Option<&str>) -> Option<Margin> {
        let (pointer, text) = (pointer.to_owned(), text.to_owned());
        if let Some((most, max)) = self.most {
            let at = most >= max;
            let below = (!at).then(|| most.to_string());
            return Some(Margin { pointer, text, bound: max.to_string(), below, at, above: None });
        }
        let shown = |side: &Option<Number<'static>>| side.as_ref().map(Number::to_string);
        let (below, above) = (shown(&self.below), shown(&self.above));
        let tried = self.at || below.is_some() || above.is_some();
        tried.then(|| Margin {
            pointer,
            text,
            bound: bound.unwrap_or_default().to_owned(),
            below,
            at: self.at,
            above,
        })
    }
}
