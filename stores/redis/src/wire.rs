//! Commands as they go over the wire (pure).
//!
//! In: what a command consists of. Out: its bytes. The client library can do that, too, but takes several steps for it, and
//! memory in each.

/// Appends a number in digits.
pub(crate) fn push_digits(bytes: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let (mut rest, mut used) = (number, 0_usize);
    for digit in digits.iter_mut().rev() {
        *digit = b'0'.saturating_add(u8::try_from(rest % 10).unwrap_or_default());
        rest /= 10;
        used = used.saturating_add(1);
        if rest == 0 {
            break;
        }
    }
    bytes.extend_from_slice(digits.split_at(digits.len().saturating_sub(used)).1);
}

/// Appends a number, and the end of its line.
pub(crate) fn push_decimal(bytes: &mut Vec<u8>, number: usize) {
    push_digits(bytes, u64::try_from(number).unwrap_or(u64::MAX));
    bytes.extend_from_slice(b"\r\n");
}

/// Appends one part of a command.
pub(crate) fn push_bulk(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.push(b'$');
    push_decimal(bytes, part.len());
    bytes.extend_from_slice(part);
    bytes.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_says_its_length() {
        for length in [0, 1, 9, 10, 12_345] {
            let (part, mut bytes) = (vec![b'x'; length], Vec::new());
            push_bulk(&mut bytes, &part);
            assert_eq!(bytes, format!("${length}\r\n{}\r\n", "x".repeat(length)).into_bytes());
        }
        let mut bytes = Vec::new();
        push_decimal(&mut bytes, usize::MAX);
        assert_eq!(bytes, format!("{}\r\n", usize::MAX).into_bytes());
    }
}
