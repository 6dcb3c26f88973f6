//! Operands: the values that conditions compare with, compiled once (spec 5.7, 5.12).

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::outcome::{Outcome, Quantifier};
use super::steps::Steps;
use crate::number::Number;
use crate::view::{Kind, Unreadable, View};

/// A JSON value of the policy.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    Null,
    Bool(bool),
    Number(Number<'static>),
    String(Box<str>),
    Array(Box<[Operand]>),
    Object(Box<[(Box<str>, Operand)]>),
}

impl Operand {
    /// Whether `value` equals this operand (spec 5.7). Recursion is as deep as the operand, which the document bounds.
    pub(crate) fn equals<V: View>(&self, value: &V, steps: &Steps) -> Result<Outcome, Unreadable> {
        steps.take_value(value)?;
        self.equals_leaf(value, steps)
    }

    /// As [`Self::equals`], where the steps of reading the value were taken.
    pub(super) fn equals_leaf<V: View>(&self, value: &V, steps: &Steps) -> Result<Outcome, Unreadable> {
        steps.take(1)?;
        Ok(match (self, value.kind()?) {
            (_, Kind::Foreign) => Outcome::Unknown,
            (Self::Null, kind) => (kind == Kind::Null).into(),
            (Self::Bool(operand), Kind::Bool(value)) => (*operand == value).into(),
            (Self::Number(operand), Kind::Number(value)) => (*operand == value).into(),
            (Self::String(operand), Kind::String(value)) => {
                steps.take_text(&value)?;
                (**operand == *value).into()
            }
            (Self::Array(operands), Kind::Array) => {
                if operands.len() != value.len() {
                    return Ok(Outcome::Fails);
                }
                let mut operands = operands.iter();
                every(value, Quantifier::All, steps, |element| match operands.next() {
                    Some(operand) => operand.equals(&element, steps),
                    None => Ok(Outcome::Fails),
                })?
            }
            (Self::Object(operands), Kind::Object) => {
                if operands.len() != value.len() {
                    return Ok(Outcome::Fails);
                }
                let mut whole = Outcome::Holds;
                for (name, operand) in operands {
                    steps.take(Steps::of_hops(value.hops()))?;
                    whole = match value.member(name)? {
                        Some(member) => Quantifier::All.with(whole, operand.equals(&member, steps)?),
                        None => Outcome::Fails,
                    };
                    if whole == Outcome::Fails {
                        break;
                    }
                }
                whole
            }
            _ => Outcome::Unknown,
        })
    }
}

/// Combines the outcomes of all elements of an array, stopping once they are settled. Coming to each takes a step.
pub(crate) fn every<V: View>(
    array: &V,
    quantifier: Quantifier,
    steps: &Steps,
    mut test: impl FnMut(V) -> Result<Outcome, Unreadable>,
) -> Result<Outcome, Unreadable> {
    let mut whole = quantifier.of_none();
    let mut failure = None;
    array.elements(|element| {
        match steps.take(1).and_then(|()| test(element)) {
            Ok(outcome) => whole = quantifier.with(whole, outcome),
            Err(unreadable) => failure = Some(unreadable),
        }
        if failure.is_some() || whole == quantifier.settled_by() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    failure.map_or(Ok(whole), Err)
}

/// The operand of `in` and `subset_of`: members sorted by type, so that membership costs no walk over scalars.
#[derive(Debug, Clone)]
pub(crate) struct List {
    /// As the author wrote it, for explanations.
    text: Box<str>,
    null: bool,
    bools: [bool; 2],
    numbers: Box<[Number<'static>]>,
    strings: Strings,
    arrays: Box<[Operand]>,
    objects: Box<[Operand]>,
}

/// A few strings are compared one by one, which is faster than hashing.
#[derive(Debug, Clone)]
enum Strings {
    Few(Box<[Headed]>),
    Many(HashSet<Box<str>, foldhash::fast::RandomState>),
}

/// A string with its [`head`], which tells it from most others without a look at the text.
#[derive(Debug, Clone)]
struct Headed {
    head: u64,
    text: Box<str>,
}

/// The first eight bytes; of a shorter text all bytes, some of them twice.
#[inline]
fn head(text: &str) -> u64 {
    let text = text.as_bytes();
    let two_ends = |first: u32, last: u32| u64::from(first) | (u64::from(last) << 32);
    if let Some(first) = text.first_chunk() {
        return u64::from_le_bytes(*first);
    }
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        return two_ends(u32::from_le_bytes(*first), u32::from_le_bytes(*last));
    }
    match (text.first_chunk(), text.last_chunk(), text.first()) {
        (Some(first), Some(last), _) => {
            two_ends(u16::from_le_bytes(*first).into(), u16::from_le_bytes(*last).into())
        }
        (.., Some(byte)) => (*byte).into(),
        (.., None) => 0,
    }
}

impl Strings {
    #[inline]
    fn has(&self, text: &str) -> bool {
        match self {
            Self::Few(few) => {
                let head = head(text);
                let is = |member: &Headed| {
                    // A text of up to eight bytes is its head and its length.
                    member.head == head
                        && member.text.len() == text.len()
                        && (text.len() <= 8 || *member.text == *text)
                };
                few.iter().any(is)
            }
            Self::Many(many) => many.contains(text),
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Few(few) if few.is_empty())
    }
}

const FEW: usize = 8;
const SHOWN: usize = 32;

impl std::fmt::Display for List {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl List {
    pub(crate) fn new(members: Box<[Operand]>) -> Self {
        let mut list = Self {
            text: if members.len() <= SHOWN {
                Operand::Array(members.clone()).to_string().into()
            } else {
                format!("a list of {}", members.len()).into()
            },
            null: false,
            bools: [false; 2],
            numbers: Box::default(),
            strings: Strings::Few(Box::default()),
            arrays: Box::default(),
            objects: Box::default(),
        };
        let (mut numbers, mut strings, mut arrays, mut objects) = (vec![], vec![], vec![], vec![]);
        for member in members.into_vec() {
            match member {
                Operand::Null => list.null = true,
                Operand::Bool(value) => {
                    let [no, yes] = &mut list.bools;
                    *(if value { yes } else { no }) = true;
                }
                Operand::Number(number) => numbers.push(number),
                Operand::String(text) => strings.push(text),
                Operand::Array(_) => arrays.push(member),
                Operand::Object(_) => objects.push(member),
            }
        }
        numbers.sort_by(Number::compare);
        list.numbers = numbers.into();
        list.strings = if strings.len() <= FEW {
            Strings::Few(strings.into_iter().map(|text| Headed { head: head(&text), text }).collect())
        } else {
            Strings::Many(strings.into_iter().collect())
        };
        list.arrays = arrays.into();
        list.objects = objects.into();
        list
    }

    /// Whether `value` is a member. Only members of its type count; with none of its type, unknown (spec 5.12).
    pub(crate) fn has<V: View>(&self, value: &V, steps: &Steps) -> Result<Outcome, Unreadable> {
        steps.take_value(value)?;
        self.has_leaf(value, steps)
    }

    /// As [`Self::has`], where the steps of reading the value were taken.
    pub(super) fn has_leaf<V: View>(&self, value: &V, steps: &Steps) -> Result<Outcome, Unreadable> {
        steps.take(1)?;
        let among = |found: bool, any_of_type: bool| match (found, any_of_type) {
            (true, _) => Outcome::Holds,
            (false, true) => Outcome::Fails,
            (false, false) => Outcome::Unknown,
        };
        Ok(match value.kind()? {
            Kind::Null => among(self.null, false),
            Kind::Bool(value) => {
                let [no, yes] = self.bools;
                among(if value { yes } else { no }, no || yes)
            }
            Kind::Number(number) => {
                // A search among them compares with one for each doubling of their number.
                let compared = u64::from(self.numbers.len().checked_ilog2().unwrap_or(0));
                steps.take(compared.saturating_mul(2))?;
                let found = self.numbers.binary_search_by(|member| member.compare(&number)).is_ok();
                among(found, !self.numbers.is_empty())
            }
            Kind::String(text) => self.has_string(&text, steps)?,
            Kind::Array => Self::any_equal(&self.arrays, value, steps)?,
            Kind::Object => Self::any_equal(&self.objects, value, steps)?,
            Kind::Foreign => Outcome::Unknown,
        })
    }

    /// Whether a short text is one of a few words; `None` where the text or the list is longer.
    #[inline(always)]
    pub(crate) fn has_word(&self, text: &str) -> Option<Outcome> {
        match &self.strings {
            Strings::Few(few) if text.len() <= 8 && !few.is_empty() => {
                let head = head(text);
                Some(few.iter().any(|word| word.head == head && word.text.len() == text.len()).into())
            }
            _ => None,
        }
    }

    fn has_string(&self, text: &str, steps: &Steps) -> Result<Outcome, Unreadable> {
        steps.take_text(text)?;
        Ok(match self.strings.has(text) {
            true => Outcome::Holds,
            false if self.strings.is_empty() => Outcome::Unknown,
            false => Outcome::Fails,
        })
    }

    fn any_equal<V: View>(members: &[Operand], value: &V, steps: &Steps) -> Result<Outcome, Unreadable> {
        if members.is_empty() {
            return Ok(Outcome::Unknown);
        }
        let mut whole = Outcome::Fails;
        for member in members {
            whole = Quantifier::Any.with(whole, member.equals(value, steps)?);
            if whole == Outcome::Holds {
                break;
            }
        }
        Ok(whole)
    }
}
