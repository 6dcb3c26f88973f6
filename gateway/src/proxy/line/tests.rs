use super::*;

/// The lines of a stream that comes in pieces of this size.
fn lines(most: usize, size: usize, stream: &[u8]) -> Vec<Line> {
    let mut lines = Lines::new(most);
    let mut found = Vec::new();
    for mut chunk in stream.chunks(size) {
        while let Some(line) = lines.next(&mut chunk) {
            found.push(line);
        }
    }
    found.extend(lines.finish());
    found
}

#[test]
fn lines_are_the_same_however_they_come() {
    let whole = |text: &str| Line::Whole(text.as_bytes().to_vec());
    for size in 1..20 {
        let found = lines(10, size, b"one\r\n\n\r\ntwo\n0123456789\nthree");
        assert_eq!(found, [whole("one"), whole("two"), whole("0123456789"), whole("three")], "{size}");
    }
}

#[test]
fn a_long_line_keeps_its_ends_and_the_next_is_whole() {
    let long: Vec<u8> = (0..100_000_u32).map(|at| b'a' + u8::try_from(at % 26).unwrap()).collect();
    for (most, size) in [(9_000, 1), (9_000, 4_096), (9_000, 7_777), (9_000, 200_000), (99_999, 65_536)] {
        let stream = [&long[..], b"\nnext\n"].concat();
        let [Line::TooLong { head, tail }, Line::Whole(next)] = &*lines(most, size, &stream) else {
            panic!("{most} {size}")
        };
        assert!(long.starts_with(head) && long.ends_with(tail), "{most} {size}");
        assert_eq!((tail.len(), next.as_slice()), (END, b"next".as_slice()));
        assert!(head.len() <= END && head.len() > END / 2);
    }
    assert_eq!(lines(100_000, 512, &long), [Line::Whole(long)]);
}
