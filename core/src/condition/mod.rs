//! Conditions: compiled once, tested against a call (spec 5).
//!
//! In: a condition and the values of the call. Out: holds, fails or unknown. Must not decide what that means for the call;
//! `evaluate` does.

mod describe;
mod directory;
mod from_call;
mod made;
mod operand;
mod operator;
mod outcome;
mod path_views;
mod path_walk;
mod readings;
mod types;

use std::ops::ControlFlow;
use std::sync::Arc;

pub(crate) use from_call::{Comparison, More};
pub(crate) use operand::Operand;
pub(crate) use operator::{NAMES, Operator, Order};
pub(crate) use outcome::Outcome;
pub(crate) use outcome::{Place, Quantifier};
pub(crate) use path_views::is_lower;
pub(crate) use path_walk::{CallContext, Leaf, Visitor, Wrong};
pub(crate) use types::TYPES;

use crate::budget::Budget;
use crate::path::{Path, Reading, Root};
use crate::trace::{Sink, Step};
use crate::view::{Kind, Reached, Unreadable, View};

/// A compiled condition.
#[derive(Debug, Clone)]
pub(crate) enum Condition {
    Test(Test),
    Any(Box<[Condition]>),
    All(Box<[Condition]>),
    Not(Box<Condition>),
}

/// `path op value`.
#[derive(Debug, Clone)]
pub(crate) struct Test {
    pub(crate) path: Arc<Path>,
    pub(crate) operator: Operator,
    pub(crate) negated: bool,
    /// What few tests have. Their path has no `member`, so that others need not look here.
    pub(crate) more: Option<Box<More>>,
}

impl Test {
    /// Every path that it reads.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        let operand = self.more.as_ref().and_then(|more| more.operand.as_deref());
        std::iter::once(&*self.path).chain(operand)
    }
}

impl Condition {
    /// The test that it is, if it is no combination.
    pub(crate) fn test(&self) -> Option<&Test> {
        if let Self::Test(test) = self { Some(test) } else { None }
    }

    /// The condition's outcome for a call, in `place`.
    ///
    /// `quantifier` is what `[*]` means here: the place's own, swapped by every `not` around. Recursion is as deep as
    /// the condition, which the document's depth bounds.
    #[inline(always)]
    pub(crate) fn evaluate<A: View, I: View, S: Sink>(
        &self,
        facts: &CallContext<'_, A, I>,
        place: Place,
        quantifier: Quantifier,
        sink: &mut S,
    ) -> Result<Outcome, Unreadable> {
        match self {
            Self::Test(test) => test.evaluate(facts, place, quantifier, sink),
            combined => combined.evaluate_combined(facts, place, quantifier, sink),
        }
    }

    fn evaluate_combined<A: View, I: View, S: Sink>(
        &self,
        facts: &CallContext<'_, A, I>,
        place: Place,
        quantifier: Quantifier,
        sink: &mut S,
    ) -> Result<Outcome, Unreadable> {
        match self {
            Self::Test(test) => test.evaluate(facts, place, quantifier, sink),
            Self::Any(conditions) => {
                combine(conditions, Quantifier::Any, "any", facts, place, quantifier, sink)
            }
            Self::All(conditions) => {
                combine(conditions, Quantifier::All, "all", facts, place, quantifier, sink)
            }
            Self::Not(condition) => {
                facts.steps.take(1)?;
                sink.open(Step::Field("not"), || "not".into());
                let outcome = !condition.evaluate(facts, place, quantifier.flipped(), sink)?;
                sink.close(outcome.name(), None);
                Ok(outcome)
            }
        }
    }
}

fn combine<A: View, I: View, S: Sink>(
    conditions: &[Condition],
    combinator: Quantifier,
    field: &'static str,
    facts: &CallContext<'_, A, I>,
    place: Place,
    quantifier: Quantifier,
    sink: &mut S,
) -> Result<Outcome, Unreadable> {
    facts.steps.take(1)?;
    sink.open(Step::Here, || field.into());
    let mut whole = combinator.of_none();
    for (index, condition) in conditions.iter().enumerate() {
        sink.enter(Step::Item(field, index));
        let outcome = condition.evaluate(facts, place, quantifier, sink)?;
        sink.leave();
        whole = combinator.with(whole, outcome);
        if whole == combinator.settled_by() {
            break;
        }
    }
    sink.close(whole.name(), None);
    Ok(whole)
}

impl Test {
    /// The test's outcome for a call. Nearly all tests read a member by its name and compare a whole number or a short string;
    /// that is done inline. The rest is in functions of its own, which would otherwise take the registers of this one.
    #[inline(always)]
    fn evaluate<A: View, I: View, S: Sink>(
        &self,
        facts: &CallContext<'_, A, I>,
        place: Place,
        quantifier: Quantifier,
        sink: &mut S,
    ) -> Result<Outcome, Unreadable> {
        facts.steps.take(1)?;
        if let (Some(name), Some(args)) = (&self.path.member, facts.args) {
            facts.steps.take_look_up(args)?;
            let reached = args.step(name)?;
            if let (false, Reached::Value(value)) = (S::REPORTS, &reached)
                && let Some(outcome) = self.operator.test_at_once(value, &facts.steps)
            {
                return Ok(if self.negated { !outcome } else { outcome });
            }
            return self.conclude(reached, place, &facts.steps, sink);
        }
        self.evaluate_far(facts, place, quantifier, sink)
    }

    #[inline(never)]
    fn evaluate_far<A: View, I: View, S: Sink>(
        &self,
        facts: &CallContext<'_, A, I>,
        place: Place,
        quantifier: Quantifier,
        sink: &mut S,
    ) -> Result<Outcome, Unreadable> {
        if let Some(more) = &self.more {
            return self.evaluate_more(more, facts, place, quantifier, sink);
        }
        if let (Root::Args, true, Some(args)) = (self.path.root, self.path.is_direct, facts.args) {
            let reached = path_walk::find(args, &self.path.segments, &facts.steps)?;
            return self.conclude(reached, place, &facts.steps, sink);
        }
        let (outcome, why) = self.fold(facts, place, quantifier, S::REPORTS)?;
        Ok(self.report(outcome, why, sink))
    }

    /// The outcome of a test with an operand from the call, which is looked at first, or with a value that may be left out.
    #[cold]
    fn evaluate_more<A: View, I: View, S: Sink>(
        &self,
        more: &More,
        facts: &CallContext<'_, A, I>,
        place: Place,
        quantifier: Quantifier,
        sink: &mut S,
    ) -> Result<Outcome, Unreadable> {
        let with_operand = match (&more.operand, &self.operator) {
            (Some(path), Operator::FromCall(comparison)) => {
                let operator = from_call::operator(*comparison, path, facts)?;
                let (path, negated) = (Arc::clone(&self.path), self.negated);
                Some(operator.map(|operator| Self { path, operator, negated, more: None }))
            }
            _ => None,
        };
        let left_out = match &more.optional {
            Some(path) if !matches!(with_operand, Some(None)) => from_call::is_left_out(path, facts)?,
            _ => false,
        };
        let (outcome, why) = match &with_operand {
            Some(None) => (Outcome::Unknown, Why::WrongType),
            _ if left_out => (place.passing(), Why::LeftOut),
            Some(Some(test)) => test.fold(facts, place, quantifier, S::REPORTS)?,
            None => self.fold(facts, place, quantifier, S::REPORTS)?,
        };
        match (&more.operand, S::REPORTS) {
            (Some(operand), true) => {
                sink.open(Step::Here, || self.to_string());
                sink.close(outcome.name(), Some(&from_call::sides(&self.path, operand, facts)));
                Ok(outcome)
            }
            _ => Ok(self.report(outcome, why, sink)),
        }
    }

    /// The outcome of the one value that the path leads to.
    #[inline(never)]
    fn conclude<V: View, S: Sink>(
        &self,
        reached: Reached<V>,
        place: Place,
        steps: &Budget,
        sink: &mut S,
    ) -> Result<Outcome, Unreadable> {
        let (outcome, why) = match &reached {
            Reached::Value(value) => {
                steps.take_value(value)?;
                self.of(Leaf::Value(value, self.path.reading), place, steps, S::REPORTS)?
            }
            Reached::Absent => self.of(Leaf::<V>::Absent, place, steps, S::REPORTS)?,
            Reached::WrongType => self.of(Leaf::<V>::WrongType(Wrong::Step), place, steps, S::REPORTS)?,
        };
        Ok(self.report(outcome, why, sink))
    }

    #[inline]
    fn report<S: Sink>(&self, outcome: Outcome, why: Why, sink: &mut S) -> Outcome {
        sink.open(Step::Here, || self.to_string());
        sink.close(outcome.name(), why.text());
        outcome
    }

    /// The outcome of all values that the path names.
    #[inline(never)]
    fn fold<A: View, I: View>(
        &self,
        facts: &CallContext<'_, A, I>,
        place: Place,
        quantifier: Quantifier,
        reports: bool,
    ) -> Result<(Outcome, Why), Unreadable> {
        let mut verdict = Verdict {
            test: self,
            place,
            quantifier,
            reports,
            steps: &facts.steps,
            whole: quantifier.of_none(),
            why: Why::NoElement,
        };
        facts.reach(&self.path, &mut verdict)?;
        Ok((verdict.whole, verdict.why))
    }

    /// The outcome of one value.
    #[inline]
    fn of<V: View>(
        &self,
        leaf: Leaf<'_, V>,
        place: Place,
        steps: &Budget,
        reports: bool,
    ) -> Result<(Outcome, Why), Unreadable> {
        let (outcome, why) = match leaf {
            Leaf::Value(value, reading) => match self.operator.test(value, reading, steps)? {
                Outcome::Unknown if reports => (Outcome::Unknown, why_unknown(value, reading)),
                Outcome::Unknown => (Outcome::Unknown, Why::WrongType),
                decided => (decided, Why::Decided),
            },
            Leaf::WrongType(wrong) => (Outcome::Unknown, Why::Wrong(wrong)),
            Leaf::Absent => match (&self.operator, place) {
                (Operator::Exists(wanted), _) => ((!*wanted).into(), Why::Absent),
                (_, Place::Permit | Place::Limit) => (Outcome::Unknown, Why::Absent),
                (_, Place::Block) => (Outcome::Fails, Why::Absent),
            },
        };
        Ok((if self.negated { !outcome } else { outcome }, why))
    }
}

/// Takes no steps: an explanation must not come to another decision.
#[cold]
fn why_unknown<V: View>(value: &V, reading: Reading) -> Why {
    match value.kind() {
        Ok(Kind::String(text)) if reading.has_two(&text, &Budget::without_end()) == Ok(true) => {
            Why::Wrong(Wrong::TwoReadings)
        }
        _ => Why::WrongType,
    }
}

/// Folds the outcomes of all values that a path names.
struct Verdict<'t> {
    test: &'t Test,
    place: Place,
    quantifier: Quantifier,
    reports: bool,
    steps: &'t Budget,
    whole: Outcome,
    why: Why,
}

/// What a trace shows beyond the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    NoElement,
    Decided,
    Absent,
    LeftOut,
    Wrong(Wrong),
    WrongType,
}

impl Why {
    fn text(self) -> Option<&'static str> {
        match self {
            Self::Decided => None,
            Self::NoElement => Some("there is no element"),
            Self::Absent => Some("the path is absent"),
            Self::LeftOut => Some("the value is left out, as it may be"),
            Self::Wrong(Wrong::Step) => Some("the path steps into a value of another type"),
            Self::Wrong(Wrong::View) => Some("the value has no such view"),
            Self::Wrong(Wrong::NullView) => Some("the value is null, which has no such view"),
            Self::Wrong(Wrong::Json) => Some("the text is not JSON"),
            Self::Wrong(Wrong::TwoReadings) => Some("this text is JSON, too"),
            Self::WrongType | Self::Wrong(Wrong::NoText) => Some("the value is of another type"),
        }
    }
}

impl Visitor for Verdict<'_> {
    fn passes_by(&self) -> bool {
        self.place != Place::Permit
    }

    #[inline]
    fn leaf<V: View>(&mut self, leaf: Leaf<'_, V>) -> Result<ControlFlow<()>, Unreadable> {
        let (outcome, why) = self.test.of(leaf, self.place, self.steps, self.reports)?;
        let before = self.whole;
        // Of one value alone, as nearly all paths name, the whole is its outcome.
        self.whole = if self.why == Why::NoElement { outcome } else { self.quantifier.with(before, outcome) };
        if self.whole != before || matches!(self.why, Why::NoElement | Why::Decided) {
            self.why = why;
        }
        Ok(if self.whole == self.quantifier.settled_by() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    }
}
