//! JSON texts as trees: members keep their order, numbers their text.
//!
//! In: text. Out: a tree, or why there is none (clauses 1.4, 3.5). Must not repair or round anything.

use crate::decimal::Decimal;
use crate::readings::Other;

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// The literal as it was written.
    Number(String),
    /// The text, unescaped.
    String(String),
    /// The elements.
    Array(Vec<Json>),
    /// The members in document order; no key stands twice.
    Object(Vec<(String, Json)>),
    /// A string with two readings, for conditions alone (clause 5.27).
    Open {
        /// What else the text is.
        other: Other,
    },
}

/// Levels of nesting of arguments (clause 11).
const DEPTH: usize = 128;
/// Bytes of raw arguments (clause 11).
const BYTES: usize = 4 << 20;

impl Json {
    /// Clause 3.5: text that is exactly one JSON value.
    pub fn read(text: &str) -> Result<Json, String> {
        if text.len() > BYTES {
            return Err("too long".to_owned());
        }
        let mut reader = Reader { chars: text.chars().collect(), at: 0 };
        let value = reader.value(1)?;
        reader.space();
        if reader.at < reader.chars.len() { Err("text after the value".to_owned()) } else { Ok(value) }
    }

    /// Clause 5.2: the type of a value; none for what JSON has no type for, and for what has two.
    pub fn kind(&self) -> Option<&'static str> {
        Some(match self {
            Json::Null => "null",
            Json::Bool(_) => "boolean",
            Json::Number(literal) => {
                Decimal::read(literal)?;
                "number"
            }
            Json::String(_) => "string",
            Json::Open { .. } => return None,
            Json::Array(_) => "array",
            Json::Object(_) => "object",
        })
    }

    /// Whether it has a type.
    pub fn has_type(&self) -> bool {
        self.kind().is_some()
    }

    /// The member of an object.
    pub fn get(&self, key: &str) -> Option<&Json> {
        match self {
            Json::Object(members) => members.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The text of a string.
    pub fn text(&self) -> Option<&str> {
        match self {
            Json::String(text) => Some(text),
            _ => None,
        }
    }

    /// The elements of a list; clause 1.6: null is empty.
    pub fn list(&self) -> &[Json] {
        match self {
            Json::Array(elements) => elements,
            _ => &[],
        }
    }

    /// The members of a mapping; clause 1.6: null is empty.
    pub fn members(&self) -> &[(String, Json)] {
        match self {
            Json::Object(members) => members,
            _ => &[],
        }
    }

    /// The value as JSON text, numbers as they were written.
    pub fn write(&self) -> String {
        match self {
            Json::Null => "null".to_owned(),
            Json::Bool(value) => value.to_string(),
            Json::Number(literal) => literal.clone(),
            Json::String(text) => quoted(text),
            Json::Open { .. } => unreachable!("only conditions see it"),
            Json::Array(elements) => {
                format!("[{}]", elements.iter().map(Json::write).collect::<Vec<_>>().join(","))
            }
            Json::Object(members) => {
                let members: Vec<_> =
                    members.iter().map(|(key, value)| format!("{}:{}", quoted(key), value.write())).collect();
                format!("{{{}}}", members.join(","))
            }
        }
    }
}

/// A string in quotes, escaped as little as JSON allows (clause 10.7).
pub fn quoted(text: &str) -> String {
    let mut out = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out + "\""
}

/// Clause 10.7: the canonical form; none where a value has no type.
pub fn canonical(value: &Json) -> Option<String> {
    Some(match value {
        Json::Number(literal) => Decimal::read(literal)?.plain(),
        Json::Array(elements) => {
            let elements: Option<Vec<_>> = elements.iter().map(canonical).collect();
            format!("[{}]", elements?.join(","))
        }
        Json::Object(members) => {
            let mut members = members.clone();
            members.sort_by(|(one, _), (other, _)| one.chars().cmp(other.chars()));
            let member =
                |(key, value): &(String, Json)| Some(format!("{}:{}", quoted(key), canonical(value)?));
            let members: Option<Vec<_>> = members.iter().map(member).collect();
            format!("{{{}}}", members?.join(","))
        }
        other => other.write(),
    })
}

struct Reader {
    chars: Vec<char>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn take(&mut self) -> Result<char, String> {
        let c = self.peek().ok_or("the text ends early")?;
        self.at += 1;
        Ok(c)
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\n' | '\r')) {
            self.at += 1;
        }
    }

    fn word(&mut self, word: &str, value: Json) -> Result<Json, String> {
        for expected in word.chars() {
            if self.take()? != expected {
                return Err(format!("expected {word}"));
            }
        }
        Ok(value)
    }

    fn value(&mut self, depth: usize) -> Result<Json, String> {
        self.space();
        match self.peek().ok_or("no value")? {
            'n' => self.word("null", Json::Null),
            't' => self.word("true", Json::Bool(true)),
            'f' => self.word("false", Json::Bool(false)),
            '"' => Ok(Json::String(self.string()?)),
            '[' | '{' if depth > DEPTH => Err("nested too deeply".to_owned()),
            '[' => self.array(depth),
            '{' => self.object(depth),
            _ => self.number(),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json, String> {
        self.take()?;
        let mut elements = Vec::new();
        self.space();
        if self.peek() == Some(']') {
            self.take()?;
            return Ok(Json::Array(elements));
        }
        loop {
            elements.push(self.value(depth + 1)?);
            self.space();
            match self.take()? {
                ',' => {}
                ']' => return Ok(Json::Array(elements)),
                _ => return Err("expected , or ]".to_owned()),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, String> {
        self.take()?;
        let mut members: Vec<(String, Json)> = Vec::new();
        self.space();
        if self.peek() == Some('}') {
            self.take()?;
            return Ok(Json::Object(members));
        }
        loop {
            self.space();
            if self.peek() != Some('"') {
                return Err("expected a key".to_owned());
            }
            let key = self.string()?;
            // Clauses 1.4 and 3.5: compared after unescaping.
            if members.iter().any(|(name, _)| *name == key) {
                return Err("duplicate key".to_owned());
            }
            self.space();
            if self.take()? != ':' {
                return Err("expected :".to_owned());
            }
            members.push((key, self.value(depth + 1)?));
            self.space();
            match self.take()? {
                ',' => {}
                '}' => return Ok(Json::Object(members)),
                _ => return Err("expected , or }".to_owned()),
            }
        }
    }

    fn hex(&mut self) -> Result<u32, String> {
        let mut code = 0;
        for _ in 0..4 {
            code = code * 16 + self.take()?.to_digit(16).ok_or("invalid escape")?;
        }
        Ok(code)
    }

    fn string(&mut self) -> Result<String, String> {
        self.take()?;
        let mut text = String::new();
        loop {
            match self.take()? {
                '"' => return Ok(text),
                c if c < ' ' => return Err("control character".to_owned()),
                '\\' => match self.take()? {
                    c @ ('"' | '\\' | '/') => text.push(c),
                    'b' => text.push('\u{8}'),
                    'f' => text.push('\u{c}'),
                    'n' => text.push('\n'),
                    'r' => text.push('\r'),
                    't' => text.push('\t'),
                    'u' => {
                        let mut code = self.hex()?;
                        if (0xd800..0xdc00).contains(&code) {
                            if self.take()? != '\\' || self.take()? != 'u' {
                                return Err("lone surrogate".to_owned());
                            }
                            let low = self.hex()?;
                            if !(0xdc00..0xe000).contains(&low) {
                                return Err("lone surrogate".to_owned());
                            }
                            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                        }
                        text.push(char::from_u32(code).ok_or("lone surrogate")?);
                    }
                    _ => return Err("invalid escape".to_owned()),
                },
                c => text.push(c),
            }
        }
    }

    fn digits(&mut self) -> Result<(), String> {
        let from = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == from { Err("invalid number".to_owned()) } else { Ok(()) }
    }

    fn number(&mut self) -> Result<Json, String> {
        let from = self.at;
        if self.peek() == Some('-') {
            self.at += 1;
        }
        if self.peek() == Some('0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some('.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some('e' | 'E')) {
            self.at += 1;
            if matches!(self.peek(), Some('+' | '-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Json::Number(self.chars[from..self.at].iter().collect()))
    }
}
