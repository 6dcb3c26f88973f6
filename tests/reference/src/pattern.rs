//! Globs (clause 2.7) and regular expressions (clause 5.24), by trying everything.
//!
//! Regular expressions are the part of RE2 that policies commonly use; others are refused by [`Regex::read`], never
//! matched wrongly.

use std::collections::BTreeSet;

/// Clause 2.5: whether a key is a glob.
pub fn is_glob(key: &str) -> bool {
    key.contains(['*', '?', '[', '{'])
}

/// Clause 2.7: whether a glob matches the whole name.
pub fn glob_matches(glob: &str, name: &str) -> bool {
    let glob: Vec<char> = glob.chars().collect();
    let name: Vec<char> = name.chars().collect();
    expand(&glob).iter().any(|glob| plain_glob(glob, &name))
}

/// The end of the class that begins at `open`.
fn class_end(glob: &[char], open: usize) -> usize {
    let first = if glob.get(open + 1) == Some(&'!') { open + 2 } else { open + 1 };
    (first + 1..glob.len()).find(|at| glob[*at] == ']').expect("a class ends")
}

/// All globs without braces that a glob stands for.
fn expand(glob: &[char]) -> Vec<Vec<char>> {
    let mut at = 0;
    while at < glob.len() {
        match glob[at] {
            '[' => at = class_end(glob, at),
            '{' => {
                // The alternatives of this brace, at its own level.
                let (mut depth, mut end, mut from) = (0, at, at + 1);
                let mut alternatives = Vec::new();
                loop {
                    match glob[end] {
                        '[' => end = class_end(glob, end),
                        '{' => depth += 1,
                        ',' if depth == 1 => {
                            alternatives.push(&glob[from..end]);
                            from = end + 1;
                        }
                        '}' => depth -= 1,
                        _ => {}
                    }
                    if depth == 0 {
                        break;
                    }
                    end += 1;
                }
                alternatives.push(&glob[from..end]);
                let whole = |middle: &&[char]| expand(&[&glob[..at], middle, &glob[end + 1..]].concat());
                return alternatives.iter().flat_map(whole).collect();
            }
            _ => {}
        }
        at += 1;
    }
    vec![glob.to_vec()]
}

fn plain_glob(glob: &[char], name: &[char]) -> bool {
    match glob.first() {
        None => name.is_empty(),
        Some('*') => (0..=name.len()).any(|skip| plain_glob(&glob[1..], &name[skip..])),
        Some('?') => !name.is_empty() && plain_glob(&glob[1..], &name[1..]),
        Some('[') => {
            let end = class_end(glob, 0);
            let negated = glob[1] == '!';
            let class = &glob[if negated { 2 } else { 1 }..end];
            let Some(c) = name.first() else { return false };
            let mut within = false;
            let mut at = 0;
            while at < class.len() {
                if class.get(at + 1) == Some(&'-') && at + 2 < class.len() {
                    within |= (class[at]..=class[at + 2]).contains(c);
                    at += 3;
                } else {
                    within |= class[at] == *c;
                    at += 1;
                }
            }
            within != negated && plain_glob(&glob[end + 1..], &name[1..])
        }
        Some(c) => name.first() == Some(c) && plain_glob(&glob[1..], &name[1..]),
    }
}

/// A regular expression.
#[derive(Debug, Clone)]
pub enum Regex {
    /// One character of a class: negated, ignoring case, the ranges.
    Class(bool, bool, Vec<(char, char)>),
    /// `^`, for each line or not.
    Start(bool),
    /// `$`, for each line or not.
    End(bool),
    /// `\b` or `\B`.
    Border(bool),
    /// One after the other.
    All(Vec<Regex>),
    /// One of them.
    Any(Vec<Regex>),
    /// So often.
    Repeat(Box<Regex>, usize, Option<usize>),
}

#[derive(Clone, Copy)]
struct Flags {
    fold: bool,
    lines: bool,
    dot: bool,
}

const WORD: [(char, char); 4] = [('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];
const SPACE: [(char, char); 3] = [('\t', '\n'), ('\u{c}', '\r'), (' ', ' ')];

/// The characters that are not in the ranges.
fn negate(ranges: &[(char, char)]) -> Vec<(char, char)> {
    let mut sorted = ranges.to_vec();
    sorted.sort_unstable();
    let (mut out, mut next) = (Vec::new(), 0_u32);
    for (low, high) in sorted {
        if next < low as u32 {
            out.push((char::from_u32(next).unwrap(), char::from_u32(low as u32 - 1).unwrap()));
        }
        next = next.max(high as u32 + 1);
    }
    out.push((char::from_u32(next).unwrap(), char::MAX));
    out
}

struct Reader<'t> {
    text: &'t [char],
    at: usize,
}

impl Regex {
    /// Clause 5.24; none where this reader does not know the syntax.
    pub fn read(pattern: &str) -> Option<Regex> {
        let text: Vec<char> = pattern.chars().collect();
        let mut reader = Reader { text: &text, at: 0 };
        let regex = reader.alternatives(&mut Flags { fold: false, lines: false, dot: false })?;
        (reader.at == text.len()).then_some(regex)
    }

    /// Clause 5.15: whether it matches somewhere.
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        (0..=text.len()).any(|at| !self.ends(&text, at).is_empty())
    }

    /// All places where a match that begins at `at` can end.
    fn ends(&self, text: &[char], at: usize) -> BTreeSet<usize> {
        let here = |holds: bool| if holds { BTreeSet::from([at]) } else { BTreeSet::new() };
        let is_word = |at: Option<usize>| {
            at.and_then(|at| text.get(at)).is_some_and(|c| c.is_ascii_alphanumeric() || *c == '_')
        };
        match self {
            Regex::Class(negated, fold, ranges) => match text.get(at) {
                Some(c) => {
                    let within = |c: char| ranges.iter().any(|(low, high)| (*low..=*high).contains(&c));
                    let found = within(*c) || *fold && variants(*c).into_iter().any(within);
                    if found != *negated { BTreeSet::from([at + 1]) } else { BTreeSet::new() }
                }
                None => BTreeSet::new(),
            },
            Regex::Start(lines) => here(at == 0 || *lines && text[at - 1] == '\n'),
            Regex::End(lines) => here(at == text.len() || *lines && text[at] == '\n'),
            Regex::Border(wanted) => here((is_word(at.checked_sub(1)) != is_word(Some(at))) == *wanted),
            Regex::All(parts) => parts.iter().fold(BTreeSet::from([at]), |starts, part| {
                starts.into_iter().flat_map(|at| part.ends(text, at)).collect()
            }),
            Regex::Any(parts) => parts.iter().flat_map(|part| part.ends(text, at)).collect(),
            Regex::Repeat(part, least, most) => {
                let mut current = BTreeSet::from([at]);
                for _ in 0..*least {
                    current = current.into_iter().flat_map(|at| part.ends(text, at)).collect();
                }
                let mut all = current.clone();
                let mut turns = *least;
                while !current.is_empty() && most.is_none_or(|most| turns < most) {
                    current = current.into_iter().flat_map(|at| part.ends(text, at)).collect();
                    current.retain(|at| all.insert(*at));
                    turns += 1;
                }
                all
            }
        }
    }
}

/// The characters that are the same but for case, by simple folding.
fn variants(c: char) -> Vec<char> {
    let mut all: Vec<char> = c.to_lowercase().chain(c.to_uppercase()).collect();
    let more: Vec<char> = all.iter().flat_map(|c| c.to_lowercase().chain(c.to_uppercase())).collect();
    all.extend(more);
    match c {
        'k' | 'K' => all.push('\u{212a}'),
        's' | 'S' => all.push('\u{17f}'),
        _ => {}
    }
    all
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    fn eat(&mut self, word: &str) -> bool {
        let found = word.chars().enumerate().all(|(index, c)| self.text.get(self.at + index) == Some(&c));
        if found {
            self.at += word.chars().count();
        }
        found
    }

    fn alternatives(&mut self, flags: &mut Flags) -> Option<Regex> {
        let (mut all, mut parts) = (Vec::new(), Vec::new());
        loop {
            match self.peek() {
                None | Some(')') => {
                    all.push(Regex::All(parts));
                    return Some(Regex::Any(all));
                }
                Some('|') => {
                    self.at += 1;
                    all.push(Regex::All(std::mem::take(&mut parts)));
                }
                Some(_) => {
                    let part = self.atom(flags)?;
                    parts.push(self.repeated(part)?);
                }
            }
        }
    }

    fn repeated(&mut self, part: Regex) -> Option<Regex> {
        let (least, most) = match self.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => {
                let close = self.text[self.at..].iter().position(|c| *c == '}')? + self.at;
                let inner: String = self.text[self.at + 1..close].iter().collect();
                let (least, most) = match inner.split_once(',') {
                    None => (inner.parse().ok()?, Some(inner.parse().ok()?)),
                    Some((least, "")) => (least.parse().ok()?, None),
                    Some((least, most)) => (least.parse().ok()?, Some(most.parse().ok()?)),
                };
                self.at = close;
                (least, most)
            }
            _ => return Some(part),
        };
        self.at += 1;
        // Whether it prefers more or fewer does not change whether it matches.
        self.eat("?");
        if matches!(self.peek(), Some('*' | '+' | '?' | '{')) {
            return None;
        }
        Some(Regex::Repeat(Box::new(part), least, most))
    }

    fn atom(&mut self, flags: &mut Flags) -> Option<Regex> {
        match self.take()? {
            '.' if flags.dot => Some(Regex::Class(true, false, vec![])),
            '.' => Some(Regex::Class(true, false, vec![('\n', '\n')])),
            '^' => Some(Regex::Start(flags.lines)),
            '$' => Some(Regex::End(flags.lines)),
            '(' => self.group(flags),
            '[' => self.class(flags),
            '\\' => match self.take()? {
                'b' => Some(Regex::Border(true)),
                'B' => Some(Regex::Border(false)),
                'A' => Some(Regex::Start(false)),
                'z' => Some(Regex::End(false)),
                c => Some(Regex::Class(false, flags.fold, escape(c, flags.fold)?)),
            },
            '*' | '+' | '?' | '{' | '}' | ']' => None,
            c => Some(Regex::Class(false, flags.fold, vec![(c, c)])),
        }
    }

    fn group(&mut self, outer: &mut Flags) -> Option<Regex> {
        let mut inner = *outer;
        if self.eat("?P<") || self.eat("?<") {
            while self.take()? != '>' {}
        } else if self.eat("?") {
            let mut on = true;
            loop {
                match self.take()? {
                    '-' => on = false,
                    'i' => inner.fold = on,
                    'm' => inner.lines = on,
                    's' => inner.dot = on,
                    ':' => break,
                    ')' => {
                        *outer = inner;
                        return Some(Regex::All(vec![]));
                    }
                    _ => return None,
                }
            }
        }
        let regex = self.alternatives(&mut inner)?;
        (self.take()? == ')').then_some(regex)
    }

    fn class(&mut self, flags: &Flags) -> Option<Regex> {
        let negated = self.eat("^");
        let mut ranges = Vec::new();
        loop {
            let low = match self.take()? {
                ']' if !ranges.is_empty() => return Some(Regex::Class(negated, flags.fold, ranges)),
                ']' | '[' | '&' | '~' => return None,
                '\\' => {
                    let escaped = escape(self.take()?, flags.fold)?;
                    if escaped.len() > 1 || escaped[0].0 != escaped[0].1 {
                        ranges.extend(escaped);
                        continue;
                    }
                    escaped[0].0
                }
                c => c,
            };
            if self.peek() == Some('-') && self.text.get(self.at + 1).is_some_and(|c| *c != ']') {
                self.at += 1;
                let high = match self.take()? {
                    '\\' => self.take().filter(|c| !c.is_alphanumeric())?,
                    '[' => return None,
                    c => c,
                };
                ranges.push((low, high));
            } else {
                ranges.push((low, low));
            }
        }
    }
}

/// Clause 5.24: what a backslash and a character stand for; `\d \w \s` are ASCII, and with the flag `i` `\W` lacks what folds to a letter.
fn escape(c: char, fold: bool) -> Option<Vec<(char, char)>> {
    Some(match c {
        'd' => vec![('0', '9')],
        'D' => negate(&[('0', '9')]),
        'w' => WORD.to_vec(),
        'W' if fold => {
            let folded = [('\u{17f}', '\u{17f}'), ('\u{212a}', '\u{212a}')];
            negate(&[&WORD[..], &folded[..]].concat())
        }
        'W' => negate(&WORD),
        's' => SPACE.to_vec(),
        'S' => negate(&SPACE),
        'n' => vec![('\n', '\n')],
        't' => vec![('\t', '\t')],
        'r' => vec![('\r', '\r')],
        'f' => vec![('\u{c}', '\u{c}')],
        c if c.is_ascii_punctuation() && c != '<' && c != '>' => vec![(c, c)],
        _ => return None,
    })
}
