//! Server-sent events, as far as messages need them.
//!
//! In: bytes as they come. Out: the data of each event. Must not keep more than one event.

use super::OfferError;

/// Makes events of what comes.
pub(super) struct Events {
    most: usize,
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    /// Whether a carriage return was last: a line feed behind it ends no other line.
    after_return: bool,
}

impl Events {
    /// Events of at most so many bytes.
    pub(super) fn new(most: usize) -> Self {
        Self { most, line: Vec::new(), data: Vec::new(), has_data: false, after_return: false }
    }

    /// The events that end in these bytes.
    ///
    /// # Errors
    /// One is too long.
    pub(super) fn take_in(&mut self, mut bytes: &[u8]) -> Result<Vec<Vec<u8>>, OfferError> {
        let mut events = Vec::new();
        while let Some(first) = bytes.first() {
            if std::mem::take(&mut self.after_return) && *first == b'\n' {
                bytes = bytes.get(1..).unwrap_or_default();
                continue;
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let (part, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            if self.line.len().saturating_add(self.data.len()).saturating_add(part.len()) > self.most {
                return Err(OfferError::LongMessage);
            }
            self.line.extend_from_slice(part);
            if end.is_some() {
                self.after_return = rest.first() == Some(&b'\r');
                events.extend(self.end_line());
            }
            bytes = rest.get(usize::from(end.is_some())..).unwrap_or_default();
        }
        Ok(events)
    }

    /// An event ends with an empty line.
    fn end_line(&mut self) -> Option<Vec<u8>> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            return std::mem::take(&mut self.has_data).then_some(data);
        }
        // Names, numbers and comments are nothing to us.
        if let Some(value) = line.strip_prefix(b"data:") {
            if std::mem::replace(&mut self.has_data, true) {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(value.strip_prefix(b" ").unwrap_or(value));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_the_same_in_whatever_pieces_they_come() {
        let stream = b": hello\r\n\r\nevent: message\r\nid: 1\r\ndata: {\"a\":\r\ndata:1}\r\n\r\ndata\n\ndata: x\ry: z\r\rdata: lost";
        for size in 1..=stream.len() {
            let mut events = Events::new(64);
            let found: Vec<Vec<u8>> =
                stream.chunks(size).flat_map(|part| events.take_in(part).unwrap()).collect();
            assert_eq!(found, [b"{\"a\":\n1}".to_vec(), b"x".to_vec()], "{size}");
        }
    }

    #[test]
    fn one_that_is_too_long_is_refused_before_it_ends() {
        let mut events = Events::new(64);
        assert!(events.take_in(&[b'x'; 64]).is_ok());
        assert!(events.take_in(b"x").is_err());
        let mut events = Events::new(64);
        assert!(events.take_in(b"data: 0123456789012345678901234567890123456789\n").is_ok());
        assert!(events.take_in(b"data: 0123456789012345678901234567890123456789\n").is_err());
    }
}
