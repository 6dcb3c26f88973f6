//! Declarations of counters, as they are stored beside the counters: so that these can be listed without a policy.
//!
//! In: a counter. Out: bytes, and back again. Each part is preceded by its length: a name may hold any character.

use std::sync::Arc;

use callgate::store::{Algorithm, Calendar, Counter, Owner, Window};

use crate::wire::Digits;

/// Room for a usual declaration.
const BYTES: usize = 128;

/// The bytes of a declaration.
pub(crate) fn write(counter: &Counter) -> Vec<u8> {
    let (kind, key): (&str, &str) = match counter.owner() {
        Owner::Tool(key) => ("tool", key),
        Owner::Budget => ("budget", ""),
        Owner::Request(method) => ("method", method),
        // A later kind of owner would have to be written here; until then it is listed as what has no key.
        _ => ("all_tools", ""),
    };
    let window = counter.window().to_string();
    let mut bytes = Vec::with_capacity(BYTES);
    let mut push = |part: &str| {
        bytes.extend_from_slice(Digits::of(u64::try_from(part.len()).unwrap_or(u64::MAX)).as_bytes());
        bytes.push(b':');
        bytes.extend_from_slice(part.as_bytes());
    };
    for part in [kind, key, counter.name(), &window, counter.algorithm().name(), counter.scope()] {
        push(part);
    }
    // The calendar of UTC has no parts, nor has a policy without a name: that is so of declarations which are older than both.
    if counter.zone().is_some() || counter.is_from_sunday() || counter.policy().is_some() {
        push(counter.zone().unwrap_or_default());
        push(if counter.is_from_sunday() { "sunday" } else { "" });
    }
    if let Some(policy) = counter.policy() {
        push(policy);
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
        ("budget", "") => Owner::Budget,
        ("method", method) => Owner::Request(method.into()),
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
    let Some(zone) = part() else { return rest.is_empty().then_some(counter) };
    let from_sunday = part()? == "sunday";
    let policy = part();
    let counter = match policy {
        Some(policy) => counter.of_policy(&policy.into()),
        None => counter,
    };
    if !rest.is_empty() {
        return None;
    }
    if policy.is_some() && zone.is_empty() && !from_sunday {
        return Some(counter);
    }
    Some(counter.in_calendar(&Arc::new(calendar(zone, from_sunday)?)))
}

/// The calendar of a declaration. A zone that this host does not know has a name, which is what tells counters apart; when its windows
/// end is stored with them.
fn calendar(zone: &str, from_sunday: bool) -> Option<Calendar> {
    let zone = if zone.is_empty() { None } else { Some(zone) };
    let known = Calendar::new(zone, from_sunday);
    known.or_else(|| Calendar::with_rules(zone?, "UTC0", from_sunday))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for owner in [
            Owner::AllTools,
            Owner::Budget,
            Owner::Tool("a:b\0{}é".into()),
            Owner::Tool("".into()),
            Owner::Request("resources/read".into()),
        ] {
            for window in [Window::Month, Window::Seconds(31_622_400), Window::Minute] {
                for algorithm in [Algorithm::Fixed, Algorithm::Sliding] {
                    let counter = Counter::new(owner.clone(), "3:abc", window, algorithm, "grant");
                    let named = counter.clone().of_policy(&"3:abc é".into());
                    let known = read(&write(&named)).unwrap();
                    assert_eq!((known.policy(), &known), (named.policy(), &named));
                    assert_eq!(read(&write(&counter)), Some(counter));
                }
            }
        }
    }

    #[test]
    fn a_calendar_is_part_of_a_declaration() {
        let unknown = Calendar::with_rules("Mars/Olympus", "MTC1", true).unwrap();
        let new = |zone, from_sunday| Calendar::new(zone, from_sunday).unwrap();
        for calendar in
            [new(Some("Europe/Paris"), false), new(None, true), new(Some("Asia/Tokyo"), true), unknown]
        {
            let calendar = Arc::new(calendar);
            for window in [Window::Day, Window::Week, Window::Ever] {
                let counter = Counter::new(Owner::Budget, "n", window, Algorithm::Fixed, "grant")
                    .in_calendar(&calendar);
                let read = read(&write(&counter)).unwrap();
                assert_eq!((read.zone(), read.is_from_sunday()), (counter.zone(), counter.is_from_sunday()));
                assert_eq!(read, counter);
                let named = counter.of_policy(&"team".into());
                assert_eq!(super::read(&write(&named)), Some(named));
            }
        }
        let paris = Arc::new(new(Some("Europe/Paris"), false));
        let whole = write(
            &Counter::new(Owner::AllTools, "n", Window::Day, Algorithm::Fixed, "g").in_calendar(&paris),
        );
        let plain = whole.len() - "12:Europe/Paris0:".len();
        assert!((0..whole.len()).all(|end| read(&whole[..end]).is_none() || end == plain));
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
