//! Lines of a stream, none longer than the gateway keeps.
//!
//! In: bytes as they come. Out: lines, or the ends of one that is too long. Must not keep more than one line.

/// How many bytes of each end of a line that is too long are kept: its request's id stands there.
const END: usize = 4 << 10;

/// A line, without its line feed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Whole(Vec<u8>),
    /// Its first and its last bytes.
    TooLong {
        head: Vec<u8>,
        tail: Vec<u8>,
    },
}

/// Makes lines of what comes.
pub(crate) struct Lines {
    most: usize,
    /// The line so far, or the end of one that is too long.
    line: Vec<u8>,
    /// The beginning of a line that is too long.
    head: Option<Vec<u8>>,
}

impl Lines {
    /// Lines of at most so many bytes.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, line: Vec::new(), head: None }
    }

    /// The next line of these bytes, which loses them; `None` once all are taken in. Empty lines are skipped.
    pub(crate) fn next(&mut self, chunk: &mut &[u8]) -> Option<Line> {
        while !chunk.is_empty() {
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let (part, rest) = chunk.split_at(end.unwrap_or(chunk.len()));
            self.take_in(part);
            *chunk = rest.get(usize::from(end.is_some())..).unwrap_or_default();
            if end.is_some()
                && let Some(line) = self.finish()
            {
                return Some(line);
            }
        }
        None
    }

    /// The line that the stream ended in, if any.
    pub(crate) fn finish(&mut self) -> Option<Line> {
        let mut line = std::mem::take(&mut self.line);
        if let Some(head) = self.head.take() {
            let tail = line.split_off(line.len().saturating_sub(END));
            return Some(Line::TooLong { head, tail });
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        (!line.is_empty()).then_some(Line::Whole(line))
    }

    fn take_in(&mut self, part: &[u8]) {
        if self.head.is_none() && self.line.len().saturating_add(part.len()) > self.most {
            self.line.extend_from_slice(part.get(..END).unwrap_or(part));
            let mut head = std::mem::take(&mut self.line);
            head.truncate(END);
            head.shrink_to_fit();
            self.head = Some(head);
        }
        if self.head.is_none() {
            self.line.extend_from_slice(part);
            return;
        }
        self.line.extend_from_slice(part.get(part.len().saturating_sub(END)..).unwrap_or(part));
        if self.line.len() > END {
            self.line.drain(..self.line.len().saturating_sub(END));
        }
    }
}

#[cfg(test)]
mod tests;
