//! Operands: the values that conditions compare with, compiled once (spec 5.7, 5.12).

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use super::describe::write_array;
use super::outcome::{Outcome, Quantifier};
use crate::budget::Budget;
use crate::json_text::write_string;
use crate::number::Number;
use crate::path::Reading;
use crate::view::{Access, Kind, Unreadable, View};

/// A JSON value of the policy.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    Null,
    Bool(bool),
    Number(Number<'static>),
    String(Box<str>),
    Array(Box<[Operand]>),
    Object(Box<[(Box<str>, Operand)]>),
    /// Of a call: a value without a type, or text with two readings. Unknown against everything.
    Undecided,
    /// Of a call: an object. Its names are never looked up in a value: hosts may keep the names that they are asked for.
    Members(Box<Members>),
}

pub(super) type Members = HashMap<Box<str>, Operand, foldhash::fast::RandomState>;

impl Operand {
    fn text(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// Whether an object with members is in it, at any depth. Recursion is as deep as the operand.
    pub(crate) fn has_members(&self) -> bool {
        match self {
            Self::Array(elements) => elements.iter().any(Self::has_members),
            Self::Object(members) => !members.is_empty(),
            _ => false,
        }
    }

    /// Whether `value` equals this operand (spec 5.7). Recursion is as deep as the operand, which the document bounds.
    pub(crate) fn equals<V: View>(
        &self,
        value: &V,
        reading: Reading,
        steps: &Budget,
    ) -> Result<Outcome, Unreadable> {
        steps.take_value(value)?;
        self.equals_leaf(value, reading, steps)
    }

    /// As [`Self::equals`], where the steps of reading the value were taken.
    pub(super) fn equals_leaf<V: View>(
        &self,
        value: &V,
        reading: Reading,
        steps: &Budget,
    ) -> Result<Outcome, Unreadable> {
        steps.take(1)?;
        Ok(match (self, value.kind()?) {
            (_, Kind::Foreign) | (Self::Undecided, _) => Outcome::Unknown,
            (Self::Null, Kind::String(text)) if reading.may_be_null(&text, steps)? => Outcome::Unknown,
            (Self::Null, kind) => (kind == Kind::Null).into(),
            (Self::Bool(operand), Kind::Bool(value)) => (*operand == value).into(),
            (Self::Number(operand), Kind::Number(value)) => {
                steps.take(operand.cost())?;
                (*operand == value).into()
            }
            (Self::String(operand), Kind::String(value)) => {
                steps.take_text(&value)?;
                if reading.has_two(&value, steps)? {
                    return Ok(Outcome::Unknown);
                }
                (**operand == *value).into()
            }
            (Self::Array(operands), Kind::Array) => {
                if operands.len() != value.size()? {
                    return Ok(Outcome::Fails);
                }
                let mut operands = operands.iter();
                every(value, Quantifier::All, steps, |element| match operands.next() {
                    Some(operand) => operand.equals(&element, reading, steps),
                    None => Ok(Outcome::Fails),
                })?
            }
            (Self::Object(operands), Kind::Object) => {
                if operands.len() != value.size()? {
                    return Ok(Outcome::Fails);
                }
                let mut whole = Outcome::Holds;
                for (name, operand) in operands {
                    steps.take_look_up(value)?;
                    whole = match value.member(name)? {
                        Some(member) => Quantifier::All.with(whole, operand.equals(&member, reading, steps)?),
                        None => Outcome::Fails,
                    };
                    if whole == Outcome::Fails {
                        break;
                    }
                }
                whole
            }
            (Self::Members(operands), Kind::Object) => {
                if operands.len() != value.size()? {
                    return Ok(Outcome::Fails);
                }
                // Some hosts go through all members before they show the first.
                steps.take_look_up(value)?;
                let (mut whole, mut failure) = (Outcome::Holds, None);
                value.members(|name, member| {
                    let outcome = steps.take_text(name).and_then(|()| match operands.get(name) {
                        Some(operand) => operand.equals(&member, reading, steps),
                        None => Ok(Outcome::Fails),
                    });
                    match outcome {
                        Ok(outcome) => whole = Quantifier::All.with(whole, outcome),
                        Err(why) => failure = Some(why),
                    }
                    if failure.is_some() || whole == Outcome::Fails {
                        ControlFlow::Break(())
                    } else {
                        ControlFlow::Continue(())
                    }
                })?;
                return failure.map_or(Ok(whole), Err);
            }
            _ => Outcome::Unknown,
        })
    }
}

/// Combines the outcomes of all elements of an array, stopping once they are settled. Coming to each takes a step.
pub(crate) fn every<V: View>(
    array: &V,
    quantifier: Quantifier,
    steps: &Budget,
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
    /// As the author wrote it, for explanations; `None` where a few strings are all of it, in their order.
    text: Option<Box<str>>,
    null: bool,
    bools: [bool; 2],
    numbers: Box<[Number<'static>]>,
    /// The steps of reading the longest of them: any of them may be compared.
    longest: u64,
    strings: Strings,
    arrays: Box<[Operand]>,
    objects: Box<[Operand]>,
    /// Whether it is a list of a call without members: then nothing is one, which an empty list of a policy leaves undecided.
    is_nothing: bool,
    /// Whether a member is undecided.
    has_undecided: bool,
}

/// A few strings are compared one by one, which is faster than hashing.
#[derive(Debug, Clone)]
enum Strings {
    Few(Words),
    Many(HashSet<Box<str>, foldhash::fast::RandomState>),
}

/// A few words.
#[derive(Debug, Clone, Default)]
struct Words {
    words: Box<[Word]>,
    /// All of them, one behind the other.
    text: Box<str>,
}

/// A word with its [`head`], which tells it from most others without a look at the text.
#[derive(Debug, Clone)]
struct Word {
    head: u64,
    start: u32,
    len: u32,
}

impl Words {
    fn new<'w>(words: impl Iterator<Item = &'w str> + Clone) -> Self {
        // Far below the end of 32 bits: they stand in one document.
        let narrow = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        let bytes = words.clone().map(str::len).fold(0, usize::saturating_add);
        let mut text = String::with_capacity(bytes);
        let words = words.map(|word| {
            let start = narrow(text.len());
            text.push_str(word);
            Word { head: head(word), start, len: narrow(word.len()) }
        });
        Self { words: words.collect(), text: text.into() }
    }

    fn text(&self, word: &Word) -> &str {
        self.text
            .get(word.start as usize..)
            .and_then(|text| text.get(..word.len as usize))
            .unwrap_or_default()
    }
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
                let is = |word: &Word| {
                    // A text of up to eight bytes is its head and its length.
                    word.head == head
                        && word.len as usize == text.len()
                        && (text.len() <= 8 || few.text(word) == text)
                };
                few.words.iter().any(is)
            }
            Self::Many(many) => many.contains(text),
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Few(few) if few.words.is_empty())
    }
}

const FEW: usize = 8;
const SHOWN: usize = 32;

impl std::fmt::Display for List {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.text, &self.strings) {
            (Some(text), _) => f.write_str(text),
            (None, Strings::Few(few)) => {
                write_array(f, &few.words, |f, word| write_string(f, few.text(word)))
            }
            (None, Strings::Many(_)) => Ok(()),
        }
    }
}

impl List {
    pub(crate) fn new(members: Box<[Operand]>) -> Self {
        let mut list = Self::of_none();
        if members.len() <= FEW && members.iter().all(|member| member.text().is_some()) {
            list.strings = Strings::Few(Words::new(members.iter().filter_map(Operand::text)));
            return list;
        }
        list.text = Some(match members.len() {
            ..=SHOWN => Operand::Array(members.clone()).to_string().into(),
            more => format!("a list of {more}").into(),
        });
        list.sort(members);
        list
    }

    /// The members that a call brings, which no explanation shows.
    pub(super) fn from_call(members: Box<[Operand]>) -> Self {
        let mut list = Self { is_nothing: members.is_empty(), ..Self::of_none() };
        list.sort(members);
        list
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.is_nothing
    }

    fn of_none() -> Self {
        Self {
            text: None,
            null: false,
            bools: [false; 2],
            numbers: Box::default(),
            longest: 0,
            strings: Strings::Few(Words::default()),
            arrays: Box::default(),
            objects: Box::default(),
            is_nothing: false,
            has_undecided: false,
        }
    }

    /// Puts each member where its type belongs.
    fn sort(&mut self, members: Box<[Operand]>) {
        let list = self;
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
                Operand::Object(_) | Operand::Members(_) => objects.push(member),
                Operand::Undecided => list.has_undecided = true,
            }
        }
        numbers.sort_by(Number::compare);
        list.longest = numbers.iter().map(Number::cost).max().unwrap_or(0);
        list.numbers = numbers.into();
        list.strings = if strings.len() <= FEW {
            Strings::Few(Words::new(strings.iter().map(|text| &**text)))
        } else {
            Strings::Many(strings.into_iter().collect())
        };
        list.arrays = arrays.into();
        list.objects = objects.into();
    }

    /// The members that are lists or objects.
    pub(super) fn parts(&self) -> [&[Operand]; 2] {
        [&self.arrays, &self.objects]
    }

    /// Whether `value` is a member. Only members of its type count; with none of its type, unknown (spec 5.12).
    pub(crate) fn has<V: View>(
        &self,
        value: &V,
        reading: Reading,
        steps: &Budget,
    ) -> Result<Outcome, Unreadable> {
        steps.take_value(value)?;
        self.has_leaf(value, reading, steps)
    }

    /// As [`Self::has`], where the steps of reading the value were taken.
    pub(super) fn has_leaf<V: View>(
        &self,
        value: &V,
        reading: Reading,
        steps: &Budget,
    ) -> Result<Outcome, Unreadable> {
        let outcome = self.has_of_type(value, reading, steps)?;
        // What is undecided may be the value.
        let is_open = self.has_undecided && outcome == Outcome::Fails;
        Ok(if is_open { Outcome::Unknown } else { outcome })
    }

    #[inline]
    fn has_of_type<V: View>(
        &self,
        value: &V,
        reading: Reading,
        steps: &Budget,
    ) -> Result<Outcome, Unreadable> {
        steps.take(1)?;
        let among = |found: bool, any_of_type: bool| match (found, any_of_type) {
            (true, _) => Outcome::Holds,
            (false, true) => Outcome::Fails,
            (false, false) => Outcome::Unknown,
        };
        Ok(match value.kind()? {
            Kind::Null => among(self.null, false),
            Kind::Foreign => Outcome::Unknown,
            Kind::String(text) if reading.has_two(&text, steps)? => Outcome::Unknown,
            _ if self.is_nothing => Outcome::Fails,
            Kind::Bool(value) => {
                let [no, yes] = self.bools;
                among(if value { yes } else { no }, no || yes)
            }
            Kind::Number(number) => {
                // A search among them compares with one, and one more for each doubling of their number. Literals are read each time.
                let compared = u64::from(self.numbers.len().checked_ilog2().unwrap_or(0));
                let each = value.cost(Access::Read).saturating_add(self.longest).saturating_add(2);
                steps.take(compared.saturating_mul(each).saturating_add(self.longest))?;
                let found = self.numbers.binary_search_by(|member| member.compare(&number)).is_ok();
                among(found, !self.numbers.is_empty())
            }
            Kind::String(text) => self.has_string(&text, steps)?,
            Kind::Array => Self::any_equal(&self.arrays, value, reading, steps)?,
            Kind::Object => Self::any_equal(&self.objects, value, reading, steps)?,
        })
    }

    /// Whether a short text is one of a few words; `None` where the text or the list is longer.
    #[inline]
    pub(crate) fn has_word(&self, text: &str) -> Option<Outcome> {
        match &self.strings {
            Strings::Few(few) if text.len() <= 8 && !few.words.is_empty() => {
                let head = head(text);
                Some(few.words.iter().any(|word| word.head == head && word.len as usize == text.len()).into())
            }
            _ => None,
        }
    }

    fn has_string(&self, text: &str, steps: &Budget) -> Result<Outcome, Unreadable> {
        steps.take_text(text)?;
        Ok(match self.strings.has(text) {
            true => Outcome::Holds,
            false if self.strings.is_empty() => Outcome::Unknown,
            false => Outcome::Fails,
        })
    }

    fn any_equal<V: View>(
        members: &[Operand],
        value: &V,
        reading: Reading,
        steps: &Budget,
    ) -> Result<Outcome, Unreadable> {
        if members.is_empty() {
            return Ok(Outcome::Unknown);
        }
        let mut whole = Outcome::Fails;
        for member in members {
            whole = Quantifier::Any.with(whole, member.equals(value, reading, steps)?);
            if whole == Outcome::Holds {
                break;
            }
        }
        Ok(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_prints_as_it_is_written() {
        let texts =
            |texts: &[&str]| texts.iter().map(|text| Operand::String((*text).into())).collect::<Vec<_>>();
        let few = texts(&["b", "", "a word of many bytes", "a\"", "b"]);
        let mixed = vec![Operand::Bool(true), Operand::String("x".into()), Operand::Null];
        let many = texts(&["z", "y", "x", "w", "v", "u", "t", "s", "r"]);
        for members in [few, mixed, many, vec![]] {
            let written = Operand::Array(members.clone().into()).to_string();
            assert_eq!(List::new(members.into()).to_string(), written);
        }
    }
}
