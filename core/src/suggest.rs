//! "Did you mean": the nearest of a few known names.

/// The candidate nearest to `text`, if it is near enough to be a slip: at most a third of its length in edits. Of equally near
/// ones the first by the alphabet, in whatever order they come.
pub(crate) fn nearest<'c>(text: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let limit = (text.chars().count() / 3).clamp(1, 3);
    // A long name is no slip of a short one, and the distance costs the product of both lengths.
    if text.len() > 64 {
        return None;
    }
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= 80)
        .map(|candidate| (distance(text, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Edit distance with transpositions (optimal string alignment), ASCII case ignored.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().map(|c| c.to_ascii_lowercase()).collect();
    let b: Vec<char> = b.chars().map(|c| c.to_ascii_lowercase()).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
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
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_nothing_else() {
        let fields = ["default", "tools", "hide", "version"];
        assert_eq!(nearest("defualt", fields), Some("default"));
        assert_eq!(nearest("Tools", fields), Some("tools"));
        assert_eq!(nearest("tool", fields), Some("tools"));
        assert_eq!(nearest("banana", fields), None);
        assert_eq!(nearest("cart", ["card", "care", "carb"]), Some("carb"));
        assert_eq!(nearest(&"x".repeat(1_000_000), fields), None);
    }
}
