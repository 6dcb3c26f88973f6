//! Streams of calls, as `callgate eval --calls` reads them.

use std::io::Read;

use callgate_cli::read_calls;
use serde::Deserialize;
use serde_json::Value;

/// Hands out a few bytes at a time, as a pipe may.
struct Trickle<'t> {
    bytes: &'t [u8],
    next: usize,
}

impl Read for Trickle<'_> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        self.next = self.next % 7 + 1;
        let count = self.next.min(self.bytes.len()).min(to.len());
        let (now, later) = self.bytes.split_at(count);
        to[..count].copy_from_slice(now);
        self.bytes = later;
        Ok(count)
    }
}

/// Every line that is not blank gives one call or one error, in order. A call has the line's tool, and the text of its
/// arguments is a part of the line that means what another parser reads there.
pub fn a_stream_is_read_line_by_line(text: &str) {
    let is_blank = |line: &str| line.bytes().all(|byte| byte.is_ascii_whitespace());
    let mut lines = text.split('\n').enumerate().filter(|(_, line)| !is_blank(line));
    let reader = Trickle { bytes: text.as_bytes(), next: 0 };
    read_calls(reader, |number, call| {
        let (index, line) = lines.next().expect("no more calls than lines");
        assert_eq!(number, index as u64 + 1);
        match call {
            Ok((tool, args)) => {
                assert!(args == "{}" || line.contains(args), "the arguments are not the line's");
                // What `Value` rounds or merges inside the arguments is not compared.
                let Ok(value) = serde_json::from_str::<Value>(line) else { return };
                assert_eq!(value["tool"], tool);
                let read = Value::deserialize(&mut serde_json::Deserializer::from_str(args));
                let given = value.get("args").cloned().unwrap_or_else(|| Value::Object(Default::default()));
                assert_eq!(read.ok(), Some(given));
            }
            Err(message) => assert!(!message.is_empty()),
        }
    })
    .expect("bytes are readable");
    assert!(lines.next().is_none(), "a line was left out");
}
