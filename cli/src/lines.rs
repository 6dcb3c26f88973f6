//! Streams of calls: JSON lines.
//!
//! In: any reader. Out: one call a line, or the error in that line; the stream goes on after it. Must not hold more than one
//! line, nor an endless one.

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, Read};

use callgate::ceilings::ARGUMENT_BYTES;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use callgate_analysis::caller::Caller;

use crate::call::{GivenCall, NO_ARGS, caller_of};
use crate::input::BYTE_ORDER_MARK;

/// The most bytes of a line. Arguments above core's ceiling still fit, so that core denies them.
const LINE_BYTES: usize = 2 * ARGUMENT_BYTES;

/// A line that is not a call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LineError {
    /// From 1; `None` where the whole line is meant.
    pub(crate) column: Option<usize>,
    pub(crate) message: String,
}

impl LineError {
    fn whole(message: impl Into<String>) -> Self {
        Self { column: None, message: message.into() }
    }
}

/// Reads line after line into one buffer.
pub(crate) struct Lines<R> {
    reader: BufReader<R>,
    buffer: Vec<u8>,
    too_long: bool,
    number: u64,
}

impl<R: Read> Lines<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self {
            reader: BufReader::with_capacity(64 << 10, reader),
            buffer: Vec::new(),
            too_long: false,
            number: 0,
        }
    }

    /// Number of the line that was read last, from 1.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Whether reading the next line may block.
    pub(crate) fn may_wait(&self) -> bool {
        self.reader.buffer().is_empty()
    }

    /// Goes to the next line that is not blank; false at the end.
    pub(crate) fn advance(&mut self) -> io::Result<bool> {
        loop {
            self.buffer.clear();
            let limit = (LINE_BYTES as u64).saturating_add(1);
            if (&mut self.reader).take(limit).read_until(b'\n', &mut self.buffer)? == 0 {
                return Ok(false);
            }
            self.number = self.number.saturating_add(1);
            if self.number == 1 && self.buffer.starts_with(BYTE_ORDER_MARK.as_bytes()) {
                self.buffer.drain(..BYTE_ORDER_MARK.len());
            }
            self.too_long = self.buffer.len() > LINE_BYTES && self.buffer.last() != Some(&b'\n');
            if self.too_long {
                self.skip_rest()?;
            }
            if !self.buffer.iter().all(u8::is_ascii_whitespace) {
                return Ok(true);
            }
        }
    }

    fn skip_rest(&mut self) -> io::Result<()> {
        loop {
            let read = self.reader.fill_buf()?;
            let (skipped, done) = match read.iter().position(|byte| *byte == b'\n') {
                Some(end) => (end.saturating_add(1), true),
                None => (read.len(), read.is_empty()),
            };
            self.reader.consume(skipped);
            if done {
                return Ok(());
            }
        }
    }

    /// The call of the line that was read last.
    pub(crate) fn call(&self) -> Result<GivenCall<'_>, LineError> {
        if self.too_long {
            return Err(LineError::whole(format!("the line is longer than {LINE_BYTES} bytes")));
        }
        parse(&self.buffer)
    }
}

/// Reads the lines of a stream as `callgate eval --calls` does: each call's tool and the text of its arguments, or what is
/// wrong with its line, with the line's number, from 1. Blank lines are left out.
///
/// # Errors
/// Whatever the reader says.
pub fn read_calls(calls: impl Read, mut each: impl FnMut(u64, Result<(&str, &str), &str>)) -> io::Result<()> {
    let mut lines = Lines::new(calls);
    while lines.advance()? {
        match lines.call() {
            Ok(call) => each(lines.number(), Ok((&call.tool, &call.args))),
            Err(error) => each(lines.number(), Err(&error.message)),
        }
    }
    Ok(())
}

/// A line. Unknown fields are errors: every rule would miss an argument under a misspelt name (trap 1).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'l> {
    #[serde(borrow)]
    tool: Cow<'l, str>,
    #[serde(borrow, default, deserialize_with = "present")]
    args: Option<&'l RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    identity: Option<&'l RawValue>,
    #[serde(borrow)]
    server: Option<Cow<'l, str>>,
    at: Option<String>,
}

/// A value as it is written, `null` too: core decides what it means.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

fn parse(line: &[u8]) -> Result<GivenCall<'_>, LineError> {
    let text = std::str::from_utf8(line).map_err(|error| LineError {
        column: Some(error.valid_up_to().saturating_add(1)),
        message: "not UTF-8 text".to_owned(),
    })?;
    // serde would read an array as the fields in their order.
    if !text.trim_start().starts_with('{') {
        return Err(LineError::whole(
            "expected a JSON object such as {\"tool\": \"create_charge\", \"args\": {}}",
        ));
    }
    let line: Line<'_> = serde_json::from_str(text).map_err(|error| {
        let message = error.to_string();
        let end = message.rfind(" at line ").unwrap_or(message.len());
        let message = message.get(..end).unwrap_or_default().to_owned();
        LineError { column: Some(error.column()).filter(|column| *column > 0), message }
    })?;
    let identity = match line.identity {
        None => Caller::Nobody,
        Some(identity) => caller_of(identity.get())
            .map_err(|error| LineError::whole(format!("`identity` is not valid: {error}")))?,
    };
    let at = line
        .at
        .as_deref()
        .map(str::parse::<callgate::time::Timestamp>)
        .transpose()
        .map_err(|error| LineError::whole(format!("`at`: {error}")))?;
    let args = line.args.map_or(NO_ARGS, RawValue::get);
    Ok(GivenCall { tool: line.tool, args: Cow::Borrowed(args), identity, server: line.server, at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_stay_the_text_that_was_given() {
        // Traps 14 and 18: core must see the text itself, not another parser's reading.
        let args = r#"{"a": 1, "a": 2, "b": 1e400, "c": "\ud800", "d": 12345678901234567890.10}"#;
        let line =
            format!("{{\"tool\": \"t\\u0041\", \"args\": {args}, \"at\": \"2026-11-21T10:00:00Z\"}}\r\n");
        let call = parse(line.as_bytes()).unwrap();
        assert_eq!((&*call.tool, &*call.args), ("tA", args));
        assert_eq!(call.at.unwrap().to_string(), "2026-11-21T10:00:00.000Z");
        assert_eq!(parse(br#"{"tool": "t", "args": null}"#).unwrap().args, "null");
        assert_eq!(parse(br#"{"tool": "t"}"#).unwrap().args, "{}");
    }

    #[test]
    fn identities_are_ids_claims_or_nobody() {
        for (identity, label) in [
            ("\"al\\u0069ce\"", Some("alice")),
            ("null", None),
            (r#"{"id": "a", "grant": "g"}"#, Some("a")),
            (r#"{"id": 7, "session": "s"}"#, Some("s")),
            ("[1]", None),
        ] {
            let line = format!("{{\"tool\": \"t\", \"identity\": {identity}}}");
            assert_eq!(parse(line.as_bytes()).unwrap().label().as_deref(), label, "{identity}");
        }
    }

    #[test]
    fn lines_that_are_no_calls_say_why() {
        for (line, part) in [
            (&br#"["t", {}]"#[..], "expected a JSON object"),
            (br#"{"args": {}}"#, "missing field `tool`"),
            (br#"{"tool": "t", "arg": {}}"#, "unknown field `arg`"),
            (br#"{"tool": "t", "tool": "u"}"#, "duplicate field `tool`"),
            (br#"{"tool": "t", "args": {}"#, "EOF"),
            (br#"{"tool": "t"} x"#, "trailing characters"),
            (br#"{"tool": "t", "at": "noon"}"#, "RFC 3339"),
            (br#"{"tool": "t", "identity": {"id": "a", "id": "b"}}"#, "duplicate key"),
            (b"{\"tool\": \"\xff\"}", "not UTF-8"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.message.contains(part), "{error:?}");
            assert!(!error.message.contains(" at line "), "{error:?}");
        }
    }

    #[test]
    fn a_line_without_end_takes_bounded_memory_and_the_next_is_read() {
        let tail = b"\n\n{\"tool\": \"t\"}";
        let stream = io::repeat(b'x').take(3 * LINE_BYTES as u64).chain(&tail[..]);
        let mut lines = Lines::new(stream);
        assert!(lines.advance().unwrap());
        assert!(lines.call().unwrap_err().message.contains("longer than"));
        assert!(lines.buffer.capacity() < 3 * LINE_BYTES);
        assert!(lines.advance().unwrap());
        assert_eq!((lines.number(), &*lines.call().unwrap().tool), (3, "t"));
        assert!(!lines.advance().unwrap());
    }
}
