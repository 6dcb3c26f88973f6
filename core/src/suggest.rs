//! "Did you mean": the nearest of a few known names.
//!
//! In: what an author wrote, and the names that are known there. Out: the one that was probably meant. Must not suggest what
//! was written, nor a name of another meaning, nor take longer the more is wrong with a document.

/// Cells of distance tables that the suggestions for one document may take together: some 20 ms.
const CELLS: usize = 4_000_000;
/// The length above which a name is not a misspelling of a known one.
const LONGEST: usize = 64;

/// Makes the suggestions for one document, as long as its budget lasts.
#[derive(Debug)]
pub(crate) struct Suggestions {
    /// Cells that are left.
    cells: usize,
}

impl Suggestions {
    pub(crate) fn new() -> Self {
        Self { cells: CELLS }
    }

    /// The candidate nearest to `text`, if it is near enough to be a slip: at most a third of its length in edits. Of equally
    /// near ones the first by the alphabet.
    pub(crate) fn nearest<'c>(
        &mut self,
        text: &str,
        candidates: impl IntoIterator<Item = &'c str>,
    ) -> Option<&'c str> {
        let limit = (text.chars().count() / 3).clamp(1, 3);
        let mut nearest: Option<(usize, &str)> = None;
        self.each_within(limit, text, candidates, |distance, candidate| {
            nearest = Some(nearest.map_or((distance, candidate), |known| known.min((distance, candidate))));
        });
        nearest.map(|(_, candidate)| candidate)
    }

    /// The candidate that is one edit away from `text`, if there is only one: for names of which another near one may mean the
    /// opposite.
    pub(crate) fn one_slip<'c>(
        &mut self,
        text: &str,
        candidates: impl IntoIterator<Item = &'c str>,
    ) -> Option<&'c str> {
        let mut found = (0_usize, None);
        self.each_within(1, text, candidates, |_, candidate| {
            found = (found.0.saturating_add(1), Some(candidate));
        });
        if found.0 == 1 { found.1 } else { None }
    }

    /// Gives `take` every candidate that `text` may mean and that is at most `limit` edits away; none once the budget is spent.
    fn each_within<'c>(
        &mut self,
        limit: usize,
        text: &str,
        candidates: impl IntoIterator<Item = &'c str>,
        mut take: impl FnMut(usize, &'c str),
    ) {
        if text.len() > LONGEST {
            return;
        }
        let written: Vec<char> = text.chars().map(|c| c.to_ascii_lowercase()).collect();
        let mut known: Vec<char> = Vec::new();
        for candidate in candidates {
            // A candidate is looked at whole only where its length allows it to be near.
            let near = candidate.len() <= 4 * LONGEST && candidate != text;
            known.clear();
            known.extend(candidate.chars().map(|c| c.to_ascii_lowercase()).take(if near {
                usize::MAX
            } else {
                0
            }));
            let Some(left) = self.cells.checked_sub(known.len().saturating_add(1)) else {
                self.cells = 0;
                return;
            };
            self.cells = left;
            if near
                && known.len().abs_diff(written.len()) <= limit
                && may_mean(&written, &known)
                && let Some(distance) = self.distance(&written, &known, limit)
            {
                take(distance, candidate);
            }
        }
    }

    /// Edit distance with transpositions (optimal string alignment), if it is at most `limit` and the budget suffices.
    fn distance(&mut self, a: &[char], b: &[char], limit: usize) -> Option<usize> {
        let mut before: Vec<usize> = Vec::new();
        let mut last: Vec<usize> = (0..=b.len()).collect();
        for (i, from) in a.iter().enumerate() {
            self.cells = self.cells.checked_sub(b.len())?;
            let mut row = vec![i.saturating_add(1)];
            for (j, to) in b.iter().enumerate() {
                let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX / 2);
                let mut best = at(&last, j).saturating_add(usize::from(from != to));
                best = best.min(at(&last, j.saturating_add(1)).saturating_add(1));
                best = best.min(at(&row, j).saturating_add(1));
                if let (Some(previous_i), Some(previous_j)) = (i.checked_sub(1), j.checked_sub(1))
                    && a.get(previous_i) == Some(to)
                    && b.get(previous_j) == Some(from)
                {
                    best = best.min(at(&before, previous_j).saturating_add(1));
                }
                row.push(best);
            }
            // No later row gets below two that follow each other.
            if row.iter().chain(&last).all(|distance| *distance > limit) {
                return None;
            }
            before = std::mem::replace(&mut last, row);
        }
        last.last().copied().filter(|distance| *distance <= limit)
    }
}

/// The operator that other languages write so. None that admits more or less.
pub(crate) fn operator(written: &str) -> Option<&'static str> {
    Some(match written.to_ascii_lowercase().replace(['_', '-', ' '], "").as_str() {
        "=" | "==" | "===" | "equal" | "equals" | "is" => "eq",
        "!=" | "!==" | "<>" | "ne" | "noteq" | "notequal" | "notequals" | "isnot" => "neq",
        "<" | "lessthan" => "lt",
        "<=" | "=<" | "le" => "lte",
        ">" | "greaterthan" => "gt",
        ">=" | "=>" | "ge" => "gte",
        "oneof" | "isin" => "in",
        "nin" | "notin" | "noneof" => "not_in",
        "=~" | "~" | "~=" | "match" | "matches" | "regexp" => "regex",
        "!~" | "notmatch" | "notmatches" | "nregex" | "notregexp" => "not_regex",
        "include" => "includes",
        "has" => "contains",
        "startswith" | "beginswith" | "prefix" => "starts_with",
        "endswith" | "suffix" => "ends_with",
        _ => return None,
    })
}

/// Whether one name may be a slip of the other, however near they are. Digits are meant as they stand: `10minute` is no
/// `minute`. Neither is what stands before a name a slip: `nin` and `!in` are the opposite of `in`.
fn may_mean(written: &[char], known: &[char]) -> bool {
    let digits = |text: &[char]| text.iter().copied().filter(char::is_ascii_digit).collect::<String>();
    let is_behind_something = written.windows(known.len().max(1)).skip(1).any(|part| part == known);
    digits(written) == digits(known) && !is_behind_something
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nearest<'c>(text: &str, candidates: &[&'c str]) -> Option<&'c str> {
        Suggestions::new().nearest(text, candidates.iter().copied())
    }

    #[test]
    fn finds_slips_and_nothing_else() {
        let fields = ["default", "tools", "hide", "version"];
        assert_eq!(nearest("defualt", &fields), Some("default"));
        assert_eq!(nearest("Tools", &fields), Some("tools"));
        assert_eq!(nearest("tool", &fields), Some("tools"));
        assert_eq!(nearest("banana", &fields), None);
        assert_eq!(nearest("cart", &["card", "care", "carb"]), Some("carb"));
        assert_eq!(nearest(&"x".repeat(1_000_000), &fields), None);
        assert_eq!(nearest("tool", &[&"x".repeat(1_000_000), "tools"]), Some("tools"));
    }

    #[test]
    fn suggests_neither_what_was_written_nor_another_meaning() {
        for (text, known) in [
            ("hour", "hour"),
            ("90 minute", "minute"),
            ("90minutes", "minute"),
            ("minute5", "minute"),
            ("nin", "in"),
            ("!in", "in"),
            ("nregex", "regex"),
            ("unallow", "allow"),
            ("counter_1", "counter_2"),
        ] {
            assert_eq!(nearest(text, &[known]), None, "{text}");
        }
        let mut suggestions = Suggestions::new();
        assert_eq!(suggestions.one_slip("contians", ["contains", "not_contains"]), Some("contains"));
        assert_eq!(suggestions.one_slip("qt", ["gt", "lt", "eq"]), None);
        assert_eq!(suggestions.one_slip("not_eq", ["not_in", "neq"]), None);
    }

    /// However much is wrong, only so much work goes into suggestions, and they end alike each time.
    #[test]
    fn suggestions_have_a_budget() {
        let known: Vec<String> = (0..2_000).map(|n| format!("pay.counter_of_{n:04}_x")).collect();
        let suggested = || {
            let mut suggestions = Suggestions::new();
            let found: Vec<bool> = (0..2_000)
                .map(|n| {
                    let text = format!("pay.counter_of_{n:04}_y");
                    suggestions.nearest(&text, known.iter().map(String::as_str)).is_some()
                })
                .collect();
            assert!(suggestions.cells < CELLS);
            found
        };
        let found = suggested();
        let count = found.iter().filter(|found| **found).count();
        assert!((20..200).contains(&count), "{count} suggestions");
        assert!(found[..count].iter().all(|found| *found));
        assert_eq!(suggested(), found);
    }
}
