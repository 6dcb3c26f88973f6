//! What gives a model orders.
//!
//! In: the tokens of a text. Out: the kinds of orders in it, each with where it begins. Time is linear in the text.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::table::{GROUPS, Kind, RULES};
use super::words::{COLON, END, FIRST, Token, Vocabulary, Word, drawn};

/// How many words before an order may negate it.
const BEFORE: usize = 4;

/// A part of a rule.
#[derive(Debug)]
enum Step {
    /// One of these words.
    Words(Vec<Word>),
    /// So many other words at most, and whether a sentence may end among them.
    Gap(usize, bool),
}

#[derive(Debug)]
struct Rule {
    kind: Kind,
    steps: Vec<Step>,
    begins: bool,
    unnegated: bool,
}

/// Rules by the word that they begin with.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) vocabulary: Vocabulary,
    rules: Vec<Rule>,
    by_word: HashMap<Word, Vec<usize>>,
    negations: Vec<Word>,
}

/// All rules, read once.
pub(super) fn rules() -> &'static Rules {
    static ALL: OnceLock<Rules> = OnceLock::new();
    ALL.get_or_init(Rules::new)
}

impl Rules {
    fn new() -> Self {
        let mut all = Self {
            vocabulary: Vocabulary::new(),
            rules: Vec::new(),
            by_word: HashMap::new(),
            negations: Vec::new(),
        };
        all.negations = all.words("$nor");
        for (kind, text) in RULES {
            let mut rule = Rule { kind: *kind, steps: Vec::new(), begins: false, unnegated: false };
            for part in text.split_whitespace() {
                let gap = |part: &str, crosses| Step::Gap(part.parse().unwrap_or_default(), crosses);
                match (part, part.strip_prefix("~~"), part.strip_prefix('~')) {
                    ("!", ..) => rule.unnegated = true,
                    ("^", ..) => rule.begins = true,
                    (_, Some(most), _) => rule.steps.push(gap(most, true)),
                    (_, _, Some(most)) => rule.steps.push(gap(most, false)),
                    _ => rule.steps.push(Step::Words(all.words(part))),
                }
            }
            if let Some(Step::Words(words)) = rule.steps.first() {
                for word in words {
                    all.by_word.entry(*word).or_default().push(all.rules.len());
                }
            }
            all.rules.push(rule);
        }
        all
    }

    /// The numbers of words, which are added to the vocabulary.
    fn words(&mut self, alternatives: &str) -> Vec<Word> {
        let mut words = Vec::new();
        for word in alternatives.split('/') {
            match word.strip_prefix('$') {
                Some(group) => {
                    let group =
                        GROUPS.iter().find(|(name, _)| *name == group).map_or("", |(_, words)| *words);
                    words.extend(self.words(group));
                }
                None if word == ":" => words.push(COLON),
                None => {
                    let next =
                        Word::try_from(self.vocabulary.len()).unwrap_or(Word::MAX).saturating_add(FIRST);
                    words.push(*self.vocabulary.entry(drawn(word)).or_insert(next));
                }
            }
        }
        words
    }

    /// The first order of each kind, with the token that it begins with.
    pub(super) fn find(&self, tokens: &[Token]) -> Vec<(Kind, usize)> {
        let mut found: Vec<(Kind, usize)> = Vec::new();
        for (at, token) in tokens.iter().enumerate() {
            for rule in
                self.by_word.get(&token.word).into_iter().flatten().filter_map(|at| self.rules.get(*at))
            {
                if found.iter().all(|(kind, _)| *kind != rule.kind) && self.fits(rule, tokens, at) {
                    found.push((rule.kind, at));
                }
            }
        }
        found
    }

    fn fits(&self, rule: &Rule, tokens: &[Token], at: usize) -> bool {
        let before = tokens.get(at.saturating_sub(BEFORE)..at).unwrap_or_default();
        let is_first = before.last().is_none_or(|last| last.word == END);
        let mut near = before.iter().rev().take_while(|token| token.word != END);
        if rule.begins && !is_first
            || rule.unnegated && near.any(|token| self.negations.contains(&token.word))
        {
            return false;
        }
        // Where the next step may begin. There are no more of these than a rule's gaps together allow.
        let mut places = vec![at];
        for step in &rule.steps {
            let mut next: Vec<usize> = Vec::new();
            for place in places {
                match step {
                    Step::Words(words) => {
                        if tokens.get(place).is_some_and(|token| words.contains(&token.word)) {
                            next.push(place.saturating_add(1));
                        }
                    }
                    Step::Gap(most, crosses) => {
                        next.push(place);
                        let passed = tokens.iter().skip(place).take(*most);
                        let passed = passed.take_while(|token| *crosses || token.word != END);
                        next.extend((place.saturating_add(1)..).zip(passed).map(|(place, _)| place));
                    }
                }
            }
            next.sort_unstable();
            next.dedup();
            if next.is_empty() {
                return false;
            }
            places = next;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_begins_with_a_word_and_each_group_is_there() {
        for rule in &rules().rules {
            assert!(matches!(rule.steps.first(), Some(Step::Words(words)) if !words.is_empty()), "{rule:?}");
            for step in &rule.steps {
                assert!(!matches!(step, Step::Words(words) if words.is_empty()), "{rule:?}");
            }
        }
        let text = RULES.iter().map(|(_, text)| *text).collect::<Vec<_>>().join(" ");
        for name in text.split(['/', ' ']).filter_map(|part| part.strip_prefix('$')) {
            assert!(GROUPS.iter().any(|(group, _)| *group == name), "{name}");
        }
    }
}
