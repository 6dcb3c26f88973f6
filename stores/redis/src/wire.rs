//! Commands as they go over the wire (pure).
//!
//! In: the parts of a command. Out: its bytes. The client library can do this too, but allocates several times for it.

/// A number in digits.
#[derive(Clone, Copy)]
pub(crate) struct Digits {
    /// Appends it.
    bytes: [u8; 20],
    first: usize,
}

impl Digits {
    pub(crate) fn of(number: u64) -> Self {
        let (mut bytes, mut first, mut rest) = ([0; 20], 20_usize, number);
        for place in bytes.iter_mut().rev() {
            *place = digit(rest % 10);
            rest /= 10;
            first = first.wrapping_sub(1);
            if rest == 0 {
                break;
            }
        }
        Self { bytes, first }
    }

    /// The digits of a number that is not negative.
    pub(crate) fn of_signed(number: i64) -> Self {
        Self::of(u64::try_from(number).unwrap_or_default())
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(self.first..).unwrap_or_default()
    }
}

fn digit(number: u64) -> u8 {
    b'0'.wrapping_add(u8::try_from(number).unwrap_or_default())
}

/// Appends a header line: how many parts follow, or how many bytes. Most numbers are short.
pub(crate) fn push_line(bytes: &mut Vec<u8>, kind: u8, count: usize) {
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    match count {
        0..=9 => bytes.extend_from_slice(&[kind, digit(count), b'\r', b'\n']),
        10..=99 => bytes.extend_from_slice(&[kind, digit(count / 10), digit(count % 10), b'\r', b'\n']),
        _ => {
            bytes.push(kind);
            bytes.extend_from_slice(Digits::of(count).as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
    }
}

/// Appends one part of a command, given in pieces.
pub(crate) fn push_bulk(bytes: &mut Vec<u8>, pieces: &[&[u8]]) {
    push_line(bytes, b'$', pieces.iter().map(|piece| piece.len()).sum());
    for piece in pieces {
        bytes.extend_from_slice(piece);
    }
    bytes.extend_from_slice(b"\r\n");
}

/// The parts of a command that was written here.
pub(crate) fn parts(command: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_line(command).map_or(command, |(_, rest)| rest);
    std::iter::from_fn(move || {
        let (length, after) = after_line(rest)?;
        let (part, after) = after.split_at_checked(length)?;
        rest = after.strip_prefix(b"\r\n")?;
        Some(part)
    })
}

/// What a line announces, and what comes after it.
fn after_line(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\r')?;
    let count = std::str::from_utf8(bytes.get(1..end)?).ok()?.parse().ok()?;
    Some((count, bytes.get(end..)?.strip_prefix(b"\r\n")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_says_its_length() {
        for length in [0, 1, 9, 10, 99, 100, 12_345] {
            let (part, mut bytes) = (vec![b'x'; length], Vec::new());
            push_bulk(&mut bytes, &[&part[..length / 3], &part[length / 3..]]);
            assert_eq!(bytes, format!("${length}\r\n{}\r\n", "x".repeat(length)).into_bytes());
        }
        let mut bytes = Vec::new();
        push_line(&mut bytes, b'*', usize::MAX);
        assert_eq!(bytes, format!("*{}\r\n", usize::MAX).into_bytes());
    }

    #[test]
    fn the_parts_are_found_again() {
        let (all, mut bytes) = ([&b"EVALSHA"[..], b"", b"\r\n$3\r\n", b"0"], Vec::new());
        push_line(&mut bytes, b'*', all.len());
        all.iter().for_each(|part| push_bulk(&mut bytes, &[part]));
        assert_eq!(parts(&bytes).collect::<Vec<_>>(), all);
    }
}
