//! Lines and columns of many places in one text.
//!
//! In: a text, then offsets. Out: line and column of each. The time for a place must not depend on the text's size: a test file may hold
//! thousands of tests, all on one line.

/// Bytes of the text between two counts.
const BLOCK: usize = 256;

/// A text with what is counted in it.
#[derive(Debug)]
pub(crate) struct Lines<'t> {
    text: &'t str,
    /// Where lines begin.
    starts: Vec<usize>,
    /// Code points that begin before each block.
    before: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        // A byte order mark is in no column.
        let first = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let feeds = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(first).chain(feeds.map(|(at, _)| at.saturating_add(1))).collect();
        let mut before = Vec::with_capacity(text.len().div_ceil(BLOCK));
        let mut count = 0_usize;
        for block in text.as_bytes().chunks(BLOCK) {
            before.push(count);
            count = count.saturating_add(beginnings(block));
        }
        Self { text, starts, before }
    }

    /// Line and column of a byte, both from 1; the column in code points.
    pub(crate) fn place(&self, at: usize) -> (u32, u32) {
        let line = self.starts.partition_point(|start| *start <= at).max(1);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let column = self.code_points(at).saturating_sub(self.code_points(start)).saturating_add(1);
        let fit = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        (fit(line), fit(column))
    }

    /// Code points before a byte.
    fn code_points(&self, at: usize) -> usize {
        let at = at.min(self.text.len());
        // Behind the last block, which is full, there is none.
        let Some(last) = self.before.len().checked_sub(1) else { return 0 };
        let block = (at / BLOCK).min(last);
        let inside = self.text.as_bytes().get(block.saturating_mul(BLOCK)..at).unwrap_or_default();
        self.before.get(block).copied().unwrap_or(0).saturating_add(beginnings(inside))
    }
}

/// How many code points begin among some bytes of UTF-8.
fn beginnings(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_that_are_counted_from_the_beginning() {
        for pattern in ["a", "é\n", "漢a\r\n", "\u{1f600}\t", "\n", "abc\u{1f600}é漢\n\n"] {
            for marked in ["", "\u{feff}"] {
                let text = format!("{marked}{}", pattern.repeat(300));
                let lines = Lines::new(&text);
                for at in (marked.len()..=text.len()).filter(|at| text.is_char_boundary(*at)) {
                    let before = text.get(marked.len()..at).unwrap();
                    let line = before.matches('\n').count() + 1;
                    let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
                    assert_eq!(lines.place(at), (line as u32, column as u32), "{pattern:?} at {at}");
                }
            }
        }
        assert_eq!(Lines::new("").place(5), (1, 1));
    }
}
