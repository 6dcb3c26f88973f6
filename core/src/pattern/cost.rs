//! Whether a search with a pattern is cheap on every text.
//!
//! In: a parsed pattern. Out: whether all states that a search can get into fit its cache. Then each byte costs one
//! look-up; otherwise a hostile text can make the `regex` crate follow every place of the pattern byte by byte. This
//! plays the construction of those states through, as that crate orders them, and gives up early. It decides what a
//! search is charged, and must not influence what matches.

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};
use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};
use regex_syntax::utf8::{Utf8Range, Utf8Sequences};

/// Places that a pattern may have here: more are not cheap to play through.
const PLACES: usize = 4_096;
/// Visits to places until giving up: about a millisecond.
const VISITS: usize = 300_000;
/// Ranges of one class: classes of whole scripts have states enough of their own.
const CLASS_RANGES: usize = 64;
/// Bytes of a state beside its transitions and places, rounded up.
const STATE_BYTES: usize = 96;

/// Which way a search runs. The `regex` crate runs backwards too, from an end that it found first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Forward,
    Backward,
}

/// Whether the states of a search fit `bytes`, whichever way it runs.
pub(super) fn is_cheap(hir: &Hir, bytes: usize) -> bool {
    [Direction::Forward, Direction::Backward]
        .into_iter()
        .all(|direction| Automaton::new(hir, direction).is_some_and(|automaton| automaton.states_fit(bytes)))
}

/// A place of the pattern.
#[derive(Debug, Clone, Copy)]
enum Place {
    Bytes {
        low: u8,
        high: u8,
        to: usize,
    },
    /// Both, the first one first.
    Split(usize, usize),
    Look {
        look: Look,
        to: usize,
    },
    Match,
}

/// The places of a pattern, built from its end.
struct Automaton {
    direction: Direction,
    places: Vec<Place>,
    shared: HashMap<(u8, u8, usize), usize, RandomState>,
    /// Where a search begins, and where it begins if it may skip bytes first.
    anchored: usize,
    unanchored: usize,
}

impl Automaton {
    fn new(hir: &Hir, direction: Direction) -> Option<Self> {
        let mut automaton = Self {
            direction,
            places: vec![Place::Match],
            shared: HashMap::default(),
            anchored: 0,
            unanchored: 0,
        };
        automaton.anchored = automaton.pattern(hir, 0)?;
        automaton.unanchored = automaton.add(Place::Match)?;
        let skip = automaton.bytes(0, u8::MAX, automaton.unanchored)?;
        automaton.set(automaton.unanchored, Place::Split(automaton.anchored, skip));
        Some(automaton)
    }

    fn add(&mut self, place: Place) -> Option<usize> {
        let at = self.places.len();
        self.places.push(place);
        (at < PLACES).then_some(at)
    }

    fn set(&mut self, at: usize, place: Place) {
        if let Some(slot) = self.places.get_mut(at) {
            *slot = place;
        }
    }

    /// Equal ends of the encodings of different characters are one place.
    fn bytes(&mut self, low: u8, high: u8, to: usize) -> Option<usize> {
        if let Some(at) = self.shared.get(&(low, high, to)) {
            return Some(*at);
        }
        let at = self.add(Place::Bytes { low, high, to })?;
        self.shared.insert((low, high, to), at);
        Some(at)
    }

    /// The place where `hir` begins if `next` is what follows it. Recursion ends at the pattern's nesting ceiling.
    fn pattern(&mut self, hir: &Hir, next: usize) -> Option<usize> {
        match hir.kind() {
            HirKind::Empty => Some(next),
            HirKind::Look(look) => self.add(Place::Look { look: *look, to: next }),
            HirKind::Capture(capture) => self.pattern(&capture.sub, next),
            HirKind::Literal(literal) => {
                let ranges: Vec<Utf8Range> =
                    literal.0.iter().map(|byte| Utf8Range { start: *byte, end: *byte }).collect();
                self.sequence(&ranges, next)
            }
            // The dialect makes none.
            HirKind::Class(Class::Bytes(_)) => None,
            HirKind::Class(Class::Unicode(class)) => {
                if class.ranges().len() > CLASS_RANGES {
                    return None;
                }
                let mut starts = Vec::new();
                for range in class.ranges() {
                    for sequence in Utf8Sequences::new(range.start(), range.end()) {
                        starts.push(self.sequence(sequence.as_slice(), next)?);
                    }
                }
                starts.dedup();
                self.any(&starts)
            }
            HirKind::Repetition(repetition) => self.repetition(repetition, next),
            HirKind::Concat(parts) => match self.direction {
                Direction::Forward => {
                    parts.iter().rev().try_fold(next, |next, part| self.pattern(part, next))
                }
                Direction::Backward => parts.iter().try_fold(next, |next, part| self.pattern(part, next)),
            },
            HirKind::Alternation(parts) => {
                let starts: Option<Vec<usize>> = parts.iter().map(|part| self.pattern(part, next)).collect();
                self.any(&starts?)
            }
        }
    }

    fn sequence(&mut self, ranges: &[Utf8Range], next: usize) -> Option<usize> {
        let forward = self.direction == Direction::Forward;
        let mut add = |next: usize, range: &Utf8Range| self.bytes(range.start, range.end, next);
        if forward { ranges.iter().rev().try_fold(next, &mut add) } else { ranges.iter().try_fold(next, add) }
    }

    /// Any of `starts`, earlier ones first. A class that matches nothing is a place that nothing leaves.
    fn any(&mut self, starts: &[usize]) -> Option<usize> {
        let mut starts = starts.iter().rev().copied();
        let Some(last) = starts.next() else { return self.add(Place::Bytes { low: 1, high: 0, to: 0 }) };
        starts.try_fold(last, |rest, start| self.add(Place::Split(start, rest)))
    }

    fn repetition(&mut self, repetition: &Repetition, next: usize) -> Option<usize> {
        let split = |more: usize, end: usize| match repetition.greedy {
            true => Place::Split(more, end),
            false => Place::Split(end, more),
        };
        let mut start = next;
        let mut copies = repetition.min;
        if let Some(max) = repetition.max {
            for _ in repetition.min..max {
                let more = self.pattern(&repetition.sub, start)?;
                start = self.add(split(more, next))?;
            }
        } else {
            let again = self.add(Place::Match)?;
            let more = self.pattern(&repetition.sub, again)?;
            self.set(again, split(more, next));
            start = if copies == 0 { again } else { more };
            copies = copies.saturating_sub(1);
        }
        (0..copies).try_fold(start, |start, _| self.pattern(&repetition.sub, start))
    }

    fn states_fit(&self, bytes: usize) -> bool {
        let looks = self.looks();
        let representatives = self.representatives(&looks);
        let transitions = representatives.len().saturating_add(1).next_power_of_two().saturating_mul(4);
        let mut left = bytes;
        let mut walk = Walk {
            automaton: self,
            seen: vec![0; self.places.len()],
            round: 0,
            visits: VISITS,
            open: Vec::new(),
        };
        // A state is its places behind what stands before them.
        let mut known: HashSet<Box<[usize]>, RandomState> = HashSet::default();
        let mut open: Vec<Box<[usize]>> = Vec::new();
        let (mut decided, mut next) = (Vec::new(), Vec::new());
        for before in [Before::Edge, Before::Word, Before::LineFeed, Before::Other] {
            for start in [self.anchored, self.unanchored] {
                next.clear();
                next.push(before as usize);
                walk.closure([start], |_| false, &mut next);
                if known.insert(next.as_slice().into()) {
                    open.push(next.as_slice().into());
                }
            }
        }
        while let Some(state) = open.pop() {
            let Some((before, state)) = state.split_first() else { continue };
            let size = transitions.saturating_add(state.len().saturating_mul(5)).saturating_add(STATE_BYTES);
            let Some(rest) = left.checked_sub(size) else { return false };
            left = rest;
            for byte in &representatives {
                let mut from = state;
                if !looks.is_empty() {
                    // What a place looks for is decided by the bytes on both of its sides.
                    decided.clear();
                    let holds = |look| Before::has(*before, look, *byte, self.direction);
                    walk.closure(state.iter().copied(), holds, &mut decided);
                    from = &decided;
                }
                next.clear();
                next.push(Before::of(*byte, &looks) as usize);
                walk.closure(self.after(from, *byte), |_| false, &mut next);
                walk.visits = walk.visits.saturating_sub(from.len());
                if next.len() > 1 && !known.contains(next.as_slice()) {
                    known.insert(next.as_slice().into());
                    open.push(next.as_slice().into());
                }
            }
            if walk.visits == 0 {
                return false;
            }
        }
        true
    }

    fn looks(&self) -> Vec<Look> {
        let look = |place: &Place| match place {
            Place::Look { look, .. } => Some(*look),
            _ => None,
        };
        self.places.iter().filter_map(look).collect()
    }

    /// One byte of each class of bytes that all places treat alike.
    fn representatives(&self, looks: &[Look]) -> Vec<u8> {
        let mut starts = [false; 256];
        let looked_at = if looks.is_empty() { Vec::new() } else { LOOKED_AT.concat() };
        for place in &self.places {
            if let Place::Bytes { low, high, .. } = place {
                for start in [Some(*low), high.checked_add(1)].into_iter().flatten() {
                    if let Some(slot) = starts.get_mut(usize::from(start)) {
                        *slot = true;
                    }
                }
            }
        }
        for start in looked_at {
            if let Some(slot) = starts.get_mut(usize::from(start)) {
                *slot = true;
            }
        }
        (0..=u8::MAX)
            .zip(starts)
            .filter(|(byte, starts)| *starts || *byte == 0)
            .map(|(byte, _)| byte)
            .collect()
    }

    /// Where `byte` leads to from each place of a state, up to a match: what comes behind it has lost to it.
    fn after<'s>(&'s self, state: &'s [usize], byte: u8) -> impl Iterator<Item = usize> + 's {
        let places = state.iter().filter_map(|at| self.places.get(*at));
        places.take_while(|place| !matches!(place, Place::Match)).filter_map(move |place| match place {
            Place::Bytes { low, high, to } if (*low..=*high).contains(&byte) => Some(*to),
            _ => None,
        })
    }
}

/// First bytes of the ranges that words and lines consist of, and first bytes behind them.
const LOOKED_AT: [&[u8]; 2] = [b"\n\x0b", b"0:A[_`a{"];

/// What stands before a place.
#[derive(Debug, Clone, Copy)]
enum Before {
    /// Nothing: a search begins here.
    Edge,
    Word,
    LineFeed,
    Other,
}

impl Before {
    /// As far as some look asks for it.
    fn of(byte: u8, looks: &[Look]) -> Self {
        let asks = |first: Look, second: Look| looks.iter().any(|look| *look == first || *look == second);
        match byte {
            b'\n' if asks(Look::StartLF, Look::EndLF) => Self::LineFeed,
            byte if is_word(byte) && asks(Look::WordAscii, Look::WordAsciiNegate) => Self::Word,
            _ => Self::Other,
        }
    }

    /// Whether a look holds between one of these and `byte`.
    fn has(before: usize, look: Look, byte: u8, direction: Direction) -> bool {
        let is = |kind: Self| before == kind as usize;
        let starts_line = is(Self::Edge) || is(Self::LineFeed);
        match (look, direction) {
            (Look::Start, Direction::Forward) | (Look::End, Direction::Backward) => is(Self::Edge),
            // A byte follows, so this is not the end.
            (Look::Start | Look::End, _) => false,
            (Look::StartLF, Direction::Forward) | (Look::EndLF, Direction::Backward) => starts_line,
            (Look::StartLF | Look::EndLF, _) => byte == b'\n',
            (Look::WordAscii, _) => is(Self::Word) != is_word(byte),
            (Look::WordAsciiNegate, _) => is(Self::Word) == is_word(byte),
            // The dialect has no other.
            _ => true,
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Finds what states consist of.
struct Walk<'a> {
    automaton: &'a Automaton,
    /// The round in which each place was met last.
    seen: Vec<usize>,
    round: usize,
    visits: usize,
    /// Kept for its memory.
    open: Vec<usize>,
}

impl Walk<'_> {
    /// Appends all places that `starts` lead to without a byte, in the order of preference; behind a look only if it
    /// holds.
    fn closure(
        &mut self,
        starts: impl IntoIterator<Item = usize>,
        holds: impl Fn(Look) -> bool,
        state: &mut Vec<usize>,
    ) {
        self.round = self.round.saturating_add(1);
        for start in starts {
            self.open.push(start);
            while let Some(at) = self.open.pop() {
                self.visits = self.visits.saturating_sub(1);
                let Some(seen) = self.seen.get_mut(at) else { continue };
                if std::mem::replace(seen, self.round) == self.round {
                    continue;
                }
                match self.automaton.places.get(at) {
                    Some(Place::Split(first, second)) => self.open.extend([*second, *first]),
                    Some(Place::Look { look, to }) => {
                        state.push(at);
                        if holds(*look) {
                            self.open.push(*to);
                        }
                    }
                    _ => state.push(at),
                }
            }
        }
    }
}
