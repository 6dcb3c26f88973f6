//! Declarations of counters, as they are stored beside the counters: so that these can be listed without a policy.
//!
//! In: a counter. Out: bytes, and back again. Each part is preceded by its length: a name may hold any character.

use callgate::store::{Algorithm, Counter, Owner, Window};

use crate::wire::Digits;

/// Room for a usual declaration.
const BYTES: usize = 128;

/// The bytes of a declaration.
pub(crate) fn write(counter: &Counter) -> Vec<u8> {
    let (kind, key): (&str, &str) = match counter.owner() {
        Owner::Tool(key) => ("tool", key),
        // A later kind of owner would have to be written here; until then it is listed as what has no key.
        _ => ("all_tools", ""),
    };
    let window = counter.window().to_string();
    let mut bytes = Vec::with_capacity(BYTES);
    for part in [kind, key, counter.name(), &window, counter.algorithm().name(), counter.scope()] {
        bytes.extend_from_slice(Digits::of(u64::try_from(part.len()).unwrap_or(u64::MAX)).as_bytes());
        bytes.push(b':');
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

/// The counter that `bytes` declare; `None` if they are no declaration.
pub(crate) fn read(bytes: &[u8]) -> Option<Counter> {
    let mut rest = std::str::from_utf8(bytes).ok()?;
    let mut part = || {
        let (length, after) = rest.split_once(':')?;
        let (part, after) = after.split_at_checked(length.parse().ok()?)?;
        rest = after;
        Some(part)
    };
    let owner = match (part()?, part()?) {
        ("tool", key) => Owner::Tool(key.into()),
        ("all_tools", "") => Owner::AllTools,
        _ => return None,
    };
    let name = part()?;
    let window = Window::parse(part()?)?;
    let algorithm = match part()? {
        "fixed" => Algorithm::Fixed,
        "sliding" => Algorithm::Sliding,
        _ => return None,
    };
    let counter = Counter::new(owner, name, window, algorithm, part()?);
    rest.is_empty().then_some(counter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for owner in [Owner::AllTools, Owner::Tool("a:b\0{}é".into()), Owner::Tool("".into())] {
            for window in [Window::Month, Window::Seconds(31_622_400), Window::Minute] {
                for algorithm in [Algorithm::Fixed, Algorithm::Sliding] {
                    let counter = Counter::new(owner.clone(), "3:abc", window, algorithm, "grant");
                    assert_eq!(read(&write(&counter)), Some(counter));
                }
            }
        }
    }

    #[test]
    fn anything_else_is_no_declaration() {
        let whole = write(&Counter::new(Owner::AllTools, "n", Window::Day, Algorithm::Fixed, "global"));
        for end in 0..whole.len() {
            assert_eq!(read(&whole[..end]), None);
        }
        for bytes in [&b"4:tool"[..], b"-1:", b"99999999999999999999:x", b"\xff", b"4:\xc3\xa9\xc3\xa9"] {
            assert_eq!(read(bytes), None);
        }
        assert_eq!(read(&[&whole[..], b"1:x"].concat()), None);
    }
}
