//! Globs over tool names.
//!
//! In: a pattern, and names. Out: whether a name matches as a whole, by exact code points. `*` is any run, also of
//! `.` and `/`; `?` one code point; `[a-z]` and `[!a-z]` one of a class; `{a,b}` alternatives. A backslash is an
//! ordinary character. It must not fold, normalise, allocate while matching, or take longer than the product of both
//! lengths: names come from the caller.

mod index;
mod literals;
#[cfg(test)]
mod tests;
mod work;

pub(crate) use self::index::GlobIndex;
pub(crate) use self::work::{Exhausted, Work};
use crate::bytes::same;
use crate::ceilings::{GLOB_ALTERNATIVES, NAME_BYTES};

/// A step takes at least one byte of the pattern, and the end is one more.
const WORDS: usize = NAME_BYTES / 64 + 1;
/// Work of trying a glob, and of a character of those that are tried step by step.
const VERIFY: usize = 4;
/// Bytes of a name that are searched in the time of a step.
const BYTES_FOR_A_STEP: usize = 8;
/// Places in a glob that are looked at in the time of a step.
const PLACES_FOR_A_STEP: usize = 2;
/// Texts by which a glob with braces is filed at most.
const PREFIXES: usize = 32;

/// Why a text is not a glob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct GlobError {
    pub(crate) message: String,
    pub(crate) help: String,
}

impl GlobError {
    fn new(message: impl Into<String>, help: &str) -> Self {
        Self { message: message.into(), help: help.to_owned() }
    }
}

/// A pattern that is ready to match.
#[derive(Debug, Clone)]
pub(crate) struct Glob {
    steps: Box<[Step]>,
    /// The literal text with which every match begins.
    prefix: Box<str>,
    /// The literal text with which every match ends.
    suffix: Box<str>,
    /// Texts that stand between prefix and suffix in this order, without overlap; all of them where `only_runs`.
    pieces: Box<[Box<str>]>,
    /// Whether it has no wildcard but `*`, as nearly all have: then prefix, pieces and suffix say all.
    only_runs: bool,
}

/// One step of a match. Steps run forward only, but for [`Step::Run`], which may repeat itself.
#[derive(Debug, Clone)]
enum Step {
    Literal(char),
    /// `?`
    One,
    /// `*`
    Run,
    Class {
        negated: bool,
        ranges: Box<[(char, char)]>,
    },
    /// `{`: goes on at each of these.
    Fork(Box<[u16]>),
    /// The end of an alternative: goes on behind the `}`.
    Jump(u16),
}

impl Glob {
    /// Whether a text is a pattern and not a plain name.
    pub(crate) fn is_glob(text: &str) -> bool {
        text.bytes().any(|byte| matches!(byte, b'*' | b'?' | b'[' | b'{'))
    }

    /// Reads a pattern. A text that [`Glob::is_glob`] denies matches itself only.
    pub(crate) fn parse(text: &str) -> Result<Self, GlobError> {
        if text.len() > NAME_BYTES {
            return Err(GlobError::new(
                format!("a pattern is longer than {NAME_BYTES} bytes"),
                "shorten the pattern",
            ));
        }
        let steps = if Self::is_glob(text) {
            Parser::default().run(text)?
        } else {
            text.chars().map(Step::Literal).collect()
        };
        let literal = |step: &Step| match step {
            Step::Literal(char) => Some(*char),
            _ => None,
        };
        let prefix: String = steps.iter().map_while(literal).collect();
        // Behind a `}` alone may stand what every match ends with; inside of braces it would end one alternative.
        let mut suffix: Vec<char> = steps.iter().rev().map_while(literal).collect();
        if prefix.chars().count() == steps.len() || steps.iter().any(|step| matches!(step, Step::Fork(_))) {
            suffix.clear();
        }
        let suffix: String = suffix.into_iter().rev().collect();
        let only_runs = steps.iter().all(|step| matches!(step, Step::Literal(_) | Step::Run))
            && steps.iter().any(|step| matches!(step, Step::Run));
        let mut glob = Self {
            steps: steps.into(),
            prefix: prefix.into(),
            suffix: suffix.into(),
            pieces: Box::default(),
            only_runs,
        };
        let literals = glob.literals();
        let first = usize::from(!glob.prefix.is_empty());
        let last = literals.len().saturating_sub(usize::from(!glob.suffix.is_empty()));
        glob.pieces =
            literals.get(first..last).unwrap_or_default().iter().map(|piece| (&**piece).into()).collect();
        Ok(glob)
    }

    /// Whether the whole of `name` matches.
    pub(crate) fn matches(&self, name: &str, work: &mut Work) -> Result<bool, Exhausted> {
        work.take(VERIFY)?;
        let Some((_, rest)) =
            name.split_at_checked(self.prefix.len()).filter(|(first, _)| same(first, &self.prefix))
        else {
            return Ok(false);
        };
        let before = rest.len().checked_sub(self.suffix.len()).and_then(|at| rest.split_at_checked(at));
        let Some((rest, _)) = before.filter(|(_, last)| same(last, &self.suffix)) else { return Ok(false) };
        // The first place of each piece leaves the most for those behind it.
        let mut left = rest;
        for piece in &self.pieces {
            let found = left.split_once(&**piece);
            let searched = found.map_or(left.len(), |(passed, _)| passed.len());
            // To search for a text it is read twice, whatever it is searched in.
            let work_of_piece = (searched / BYTES_FOR_A_STEP).saturating_add(piece.len() / 2);
            work.take(work_of_piece.saturating_add(VERIFY))?;
            let Some((_, behind)) = found else { return Ok(false) };
            left = behind;
        }
        if self.only_runs {
            return Ok(true);
        }
        // The suffix is behind all other steps, so they have to match what is between.
        let literals = |text: &str| text.chars().count();
        let first = literals(&self.prefix);
        let last = self.steps.len().saturating_sub(literals(&self.suffix));
        self.steps.get(first..last).map_or(Ok(false), |steps| run(steps, first, rest, work))
    }

    /// Each text that some alternative of the pattern begins with: every match begins with one of them. Only what stands in
    /// front of all braces, where they are many.
    fn prefixes(&self) -> Vec<String> {
        let mut prefixes = Vec::new();
        let mut open = vec![(0_usize, String::new())];
        while let Some((mut at, mut prefix)) = open.pop() {
            loop {
                match self.steps.get(at) {
                    Some(Step::Literal(char)) => {
                        prefix.push(*char);
                        at = at.saturating_add(1);
                    }
                    Some(Step::Jump(to)) => at = usize::from(*to),
                    Some(Step::Fork(targets)) => {
                        let more = open.len().saturating_add(prefixes.len()).saturating_add(targets.len());
                        if more > PREFIXES {
                            return vec![self.prefix.as_ref().into()];
                        }
                        open.extend(targets.iter().map(|to| (usize::from(*to), prefix.clone())));
                        break;
                    }
                    _ => {
                        prefixes.push(prefix);
                        break;
                    }
                }
            }
        }
        prefixes
    }

    /// Texts that every match contains, in this order: what stands outside of braces, or in braces without a comma.
    fn literals(&self) -> Vec<String> {
        let mut literals = vec![String::new()];
        let mut at = 0_usize;
        while let Some(step) = self.steps.get(at) {
            at = at.saturating_add(1);
            match (step, literals.last_mut()) {
                (Step::Literal(char), Some(literal)) => {
                    literal.push(*char);
                    continue;
                }
                (Step::Fork(targets), _) => {
                    // In front of the second alternative stands the jump that ends the first.
                    let jump = targets.get(1).and_then(|second| usize::from(*second).checked_sub(1));
                    if let Some(Step::Jump(end)) = jump.and_then(|jump| self.steps.get(jump)) {
                        at = usize::from(*end);
                    }
                }
                _ => {}
            }
            literals.push(String::new());
        }
        literals.retain(|literal| !literal.is_empty());
        literals
    }
}

/// Runs `steps`, whose targets count from `first` steps further ahead, over the whole of `name`.
///
/// All positions that the text so far can lead to advance together, so the time is at most the product of both lengths.
fn run(steps: &[Step], first: usize, name: &str, work: &mut Work) -> Result<bool, Exhausted> {
    let mut at = Positions::among(steps);
    at.add(0);
    for char in name.chars() {
        let mut next = Positions::among(steps);
        let mut position = at.from(0);
        let mut places = 0_usize;
        while let Some(here) = position {
            let behind = here.saturating_add(1);
            match steps.get(here) {
                Some(Step::Literal(literal)) if *literal == char => next.add(behind),
                Some(Step::One) => next.add(behind),
                Some(Step::Class { negated, ranges }) => {
                    let listed = ranges.iter().any(|(low, high)| (*low..=*high).contains(&char));
                    if listed != *negated {
                        next.add(behind);
                    }
                }
                Some(Step::Run) => next.add(here),
                _ => {}
            }
            places = places.saturating_add(at.follow(steps, first, here));
            position = at.from(behind);
        }
        work.take((places / PLACES_FOR_A_STEP).saturating_add(VERIFY))?;
        if next.is_empty() {
            return Ok(false);
        }
        at = next;
    }
    let mut position = at.from(0);
    while let Some(here) = position {
        at.follow(steps, first, here);
        position = at.from(here.saturating_add(1));
    }
    Ok(at.has(steps.len()))
}

/// A set of steps.
struct Positions {
    words: [u64; WORDS],
    /// Words that these steps need.
    used: usize,
}

impl Positions {
    /// Nothing of `steps` and their end.
    fn among(steps: &[Step]) -> Self {
        Self { words: [0; WORDS], used: (steps.len() / 64).saturating_add(1) }
    }

    fn add(&mut self, position: usize) {
        if let Some(word) = self.words.get_mut(position / 64) {
            *word |= 1 << (position % 64);
        }
    }

    fn has(&self, position: usize) -> bool {
        self.words.get(position / 64).is_some_and(|word| word & (1 << (position % 64)) != 0)
    }

    fn is_empty(&self) -> bool {
        self.words.iter().take(self.used).all(|word| *word == 0)
    }

    /// The lowest position that is `from` or higher.
    fn from(&self, from: usize) -> Option<usize> {
        let mut mask = u64::MAX << (from % 64);
        for (index, word) in self.words.iter().enumerate().take(self.used).skip(from / 64) {
            let found = word & mask;
            if found != 0 {
                return Some(index.saturating_mul(64).saturating_add(found.trailing_zeros() as usize));
            }
            mask = u64::MAX;
        }
        None
    }

    /// Adds what a step leads to without a character. Always further on, so one pass upwards sees it. Gives how many places
    /// were looked at.
    fn follow(&mut self, steps: &[Step], first: usize, here: usize) -> usize {
        match steps.get(here) {
            Some(Step::Run) => self.add(here.saturating_add(1)),
            Some(Step::Jump(to)) => self.add(usize::from(*to).saturating_sub(first)),
            Some(Step::Fork(targets)) => {
                for to in targets {
                    self.add(usize::from(*to).saturating_sub(first));
                }
                return targets.len();
            }
            _ => {}
        }
        1
    }
}

/// Reads a pattern in one pass; braces nest on a stack of their own.
#[derive(Default)]
struct Parser {
    steps: Vec<Step>,
    braces: Vec<Brace>,
    /// Patterns that the alternative which is being read expands to.
    expanded: usize,
}

/// A `{` that is still open.
struct Brace {
    fork: usize,
    starts: Vec<u16>,
    /// The jumps at the ends of its alternatives.
    jumps: Vec<usize>,
    /// Patterns that stand before it expand to, and its finished alternatives.
    before: usize,
    finished: usize,
}

impl Parser {
    fn run(mut self, text: &str) -> Result<Vec<Step>, GlobError> {
        self.expanded = 1;
        let mut rest = text.chars();
        while let Some(char) = rest.next() {
            match char {
                '*' => self.steps.push(Step::Run),
                '?' => self.steps.push(Step::One),
                '[' => {
                    let (class, behind) = class(rest.as_str())?;
                    self.steps.push(class);
                    rest = behind.chars();
                }
                '{' => self.open(),
                ',' if !self.braces.is_empty() => self.next_alternative()?,
                '}' => self.close()?,
                char => self.steps.push(Step::Literal(char)),
            }
        }
        if self.braces.is_empty() {
            return Ok(self.steps);
        }
        Err(GlobError::new(
            "a `{` of the pattern is never closed",
            "close it with `}`, or write `[{]` for a brace itself",
        ))
    }

    fn open(&mut self) {
        let fork = self.steps.len();
        self.steps.push(Step::Fork(Box::default()));
        let starts = vec![position(self.steps.len())];
        self.braces.push(Brace { fork, starts, jumps: Vec::new(), before: self.expanded, finished: 0 });
        self.expanded = 1;
    }

    fn next_alternative(&mut self) -> Result<(), GlobError> {
        if let Some(brace) = self.braces.last_mut() {
            brace.finished = brace.finished.saturating_add(self.expanded);
            brace.jumps.push(self.steps.len());
            self.steps.push(Step::Jump(0));
            brace.starts.push(position(self.steps.len()));
            self.expanded = 1;
            // One more is still to come.
            bounded(brace.finished.saturating_add(1))?;
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), GlobError> {
        let Some(brace) = self.braces.pop() else {
            let help = "remove it, or write `[}]` for a brace itself";
            return Err(GlobError::new("a `}` of the pattern closes no `{`", help));
        };
        let end = position(self.steps.len());
        for jump in brace.jumps {
            if let Some(step) = self.steps.get_mut(jump) {
                *step = Step::Jump(end);
            }
        }
        if let Some(fork) = self.steps.get_mut(brace.fork) {
            *fork = Step::Fork(brace.starts.into());
        }
        self.expanded = bounded(brace.finished.saturating_add(self.expanded).saturating_mul(brace.before))?;
        Ok(())
    }
}

fn bounded(expanded: usize) -> Result<usize, GlobError> {
    if expanded <= GLOB_ALTERNATIVES {
        return Ok(expanded);
    }
    let message = format!("the braces of the pattern expand to more than {GLOB_ALTERNATIVES} patterns");
    Err(GlobError::new(message, "use fewer alternatives, or several patterns"))
}

/// A pattern has at most [`NAME_BYTES`] steps.
fn position(steps: usize) -> u16 {
    u16::try_from(steps).unwrap_or(u16::MAX)
}

/// Reads a class from behind its `[`, and gives what follows its `]`.
fn class(text: &str) -> Result<(Step, &str), GlobError> {
    if text.starts_with('^') {
        let help = "write `[!…]` for one of the other characters, and a `^` itself behind another member";
        return Err(GlobError::new("a class of the pattern begins with `^`", help));
    }
    let inner = text.strip_prefix('!');
    let (negated, mut rest) = (inner.is_some(), inner.unwrap_or(text).chars());
    let mut ranges: Vec<(char, char)> = Vec::new();
    while let Some(low) = rest.next() {
        if low == ']' && !ranges.is_empty() {
            return Ok((Step::Class { negated, ranges: ranges.into() }, rest.as_str()));
        }
        let mut ahead = rest.clone();
        // A `-` that stands last is itself.
        let high = match (ahead.next(), ahead.next()) {
            (Some('-'), Some(high)) if high != ']' => {
                rest = ahead;
                high
            }
            _ => low,
        };
        if high < low {
            let message = format!("the range `{low}-{high}` of the pattern runs backwards");
            return Err(GlobError::new(
                message,
                &format!("write `{high}-{low}`, or put a `-` that is meant last in its class"),
            ));
        }
        ranges.push((low, high));
    }
    let help = "close it with `]` (a `]` that stands first is a member), or write `[[]` for a bracket itself";
    Err(GlobError::new("a `[` of the pattern is never closed", help))
}
