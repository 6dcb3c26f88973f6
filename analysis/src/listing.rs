//! What is odd about lists of tools: names that mislead, and text that a person does not see.
//!
//! In: definitions as `tools/list` gives them, server by server. Out: findings with their places. Must not judge what a tool does.
//!
//! ```
//! use callgate_analysis::listing::{Code, Listings};
//! use serde_json::json;
//!
//! let mut listings = Listings::default();
//! listings.add("bank", &[json!({"name": "pay_bill"})]);
//! listings.add("helper", &[json!({"name": "pay-bi1l"})]);
//! let findings = listings.finish();
//! assert_eq!((findings[0].code, &*findings[0].text), (Code::LookAlike, "looks like `pay-bi1l` of server `helper`"));
//! ```

use std::collections::HashMap;

use callgate::__text::is_invisible;
use serde_json::Value;

/// The most characters of a name that the protocol has.
const NAME: usize = 128;
/// Characters of a name in a sentence.
const QUOTED: usize = 80;

/// Which kind of finding it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// The name has other characters than `A-Z a-z 0-9 _ . -`, none, or more than 128.
    BadName,
    /// A text has characters that are not drawn, or that reorder others.
    HiddenCharacters,
    /// Another tool has the same name.
    SameName,
    /// Another tool's name looks the same.
    LookAlike,
}

impl Code {
    /// The name, as it is written in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadName => "bad_name",
            Self::HiddenCharacters => "hidden_characters",
            Self::SameName => "same_name",
            Self::LookAlike => "look_alike",
        }
    }
}

/// Something odd, at its place. Text of a server in it is cut, and may hold anything: it has to be escaped where it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The server, by the order in which they were added.
    pub server: usize,
    /// The tool, by its place in the server's list.
    pub tool: usize,
    /// Which kind it is.
    pub code: Code,
    /// A sentence.
    pub text: String,
    /// A JSON pointer into the definition.
    pub place: String,
}

/// Lists that are compared with one another.
#[derive(Debug, Default)]
pub struct Listings {
    servers: Vec<String>,
    findings: Vec<Finding>,
    names: Vec<Name>,
}

/// A tool's name, where it was seen.
#[derive(Debug)]
struct Name {
    server: usize,
    tool: usize,
    name: String,
}

impl Listings {
    /// Adds the list of a server.
    pub fn add(&mut self, server: &str, tools: &[Value]) {
        let number = self.servers.len();
        self.servers.push(server.to_owned());
        for (tool, definition) in tools.iter().enumerate() {
            let name = definition.get("name").and_then(Value::as_str).unwrap_or_default();
            let finding = |code, text, place| Finding { server: number, tool, code, text, place };
            if let Some(text) = bad_name(name) {
                self.findings.push(finding(Code::BadName, text, "/name".to_owned()));
            }
            if let Some((place, character)) = hidden(definition) {
                let text =
                    format!("has the character U+{:04X}, which a reader does not see", u32::from(character));
                self.findings.push(finding(Code::HiddenCharacters, text, place));
            }
            self.names.push(Name { server: number, tool, name: name.to_owned() });
        }
    }

    /// All findings, by server, tool and code.
    pub fn finish(mut self) -> Vec<Finding> {
        let mut groups: HashMap<String, Vec<&Name>> = HashMap::new();
        for name in &self.names {
            groups.entry(skeleton(&name.name)).or_default().push(name);
        }
        for group in groups.values().filter(|group| group.len() > 1) {
            // Two of each name, and two names, are enough to name another one.
            let mut same: HashMap<&str, Vec<&Name>> = HashMap::new();
            let mut different: Vec<&Name> = Vec::new();
            for name in group {
                let same = same.entry(&name.name).or_default();
                if same.is_empty() && different.len() < 2 {
                    different.push(name);
                }
                if same.len() < 2 {
                    same.push(name);
                }
            }
            for name in group {
                let is_other = |other: &&&Name| (other.server, other.tool) != (name.server, name.tool);
                if let Some(other) = same.get(&*name.name).into_iter().flatten().find(is_other) {
                    let text = if other.server == name.server {
                        "the server lists this name twice".to_owned()
                    } else {
                        format!("{} has a tool of this name, too", self.server(other))
                    };
                    self.findings.push(named(name, Code::SameName, text));
                }
                if let Some(other) = different.iter().find(|other| other.name != name.name) {
                    let of = if other.server == name.server {
                        String::new()
                    } else {
                        format!(" of {}", self.server(other))
                    };
                    let text = format!("looks like `{}`{of}", cut(&other.name));
                    self.findings.push(named(name, Code::LookAlike, text));
                }
            }
        }
        self.findings.sort_by_key(|finding| (finding.server, finding.tool, finding.code));
        self.findings
    }

    fn server(&self, name: &Name) -> String {
        format!("server `{}`", cut(self.servers.get(name.server).map_or("", String::as_str)))
    }
}

fn named(name: &Name, code: Code, text: String) -> Finding {
    Finding { server: name.server, tool: name.tool, code, text, place: "/name".to_owned() }
}

fn cut(text: &str) -> String {
    let mut cut: String = text.chars().take(QUOTED).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

fn bad_name(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("the name is empty".to_owned());
    }
    let is_good = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if let Some(c) = name.chars().find(|c| !is_good(c)) {
        return Some(format!(
            "the name has the character U+{:04X}: names are of letters, digits, `_`, `.` and `-`",
            u32::from(c)
        ));
    }
    (name.len() > NAME).then(|| format!("the name has {} characters: {NAME} are the most", name.len()))
}

/// The first character of a definition that a reader does not see, and where it is.
fn hidden(definition: &Value) -> Option<(String, char)> {
    let name = definition.get("name").and_then(Value::as_str).unwrap_or_default();
    // A name has no lines.
    if let Some(c) = name.chars().find(|c| is_invisible(*c)) {
        return Some(("/name".to_owned(), c));
    }
    let mut place = Vec::new();
    let found = hidden_in(definition, &mut place)?;
    let mut pointer = String::new();
    for part in place.iter().rev() {
        pointer.push('/');
        pointer.push_str(&cut(part).replace('~', "~0").replace('/', "~1"));
    }
    Some((pointer, found))
}

/// Depth is bounded by whoever parsed the value. `place` gets the way there, the innermost first.
fn hidden_in(value: &Value, place: &mut Vec<String>) -> Option<char> {
    match value {
        Value::String(text) => hidden_character(text),
        Value::Array(elements) => elements.iter().enumerate().find_map(|(index, element)| {
            let found = hidden_in(element, place)?;
            place.push(index.to_string());
            Some(found)
        }),
        Value::Object(members) => members.iter().find_map(|(name, member)| {
            let found = hidden_character(name).or_else(|| hidden_in(member, place))?;
            place.push(name.clone());
            Some(found)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// A character that is not drawn. Lines, tabs and wide blanks are no secret, and what joins or colours a pictogram is part of it.
fn hidden_character(text: &str) -> Option<char> {
    let mut before = ' ';
    for c in text.chars() {
        let belongs = matches!(c, '\u{200d}' | '\u{fe0e}' | '\u{fe0f}') && is_pictogram(before);
        let is_layout = c.is_whitespace() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{b}' | '\u{c}');
        if is_invisible(c) && !belongs && !is_layout {
            return Some(c);
        }
        before = c;
    }
    None
}

fn is_pictogram(c: char) -> bool {
    matches!(c, '#' | '*' | '0'..='9' | '©' | '®' | '\u{2190}'..='\u{2bff}' | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}' | '\u{1f000}'..='\u{1faff}' | '\u{fe0f}')
}

/// What a name looks like. Letters that fonts draw alike are one.
fn skeleton(name: &str) -> String {
    let lower = name.chars().filter(|c| !is_invisible(*c)).flat_map(char::to_lowercase);
    lower.map(drawn_as).collect()
}

fn drawn_as(c: char) -> char {
    let c = match c {
        // Those of full width.
        '\u{ff01}'..='\u{ff5e}' => {
            u32::from(c).checked_sub(0xfee0).and_then(char::from_u32).map_or(c, |c| c.to_ascii_lowercase())
        }
        c => c,
    };
    match c {
        '-' | '.' | ' ' | '‐'..='―' | '−' | '\u{a0}' => '_',
        '0' | 'о' | 'ο' | 'օ' => 'o',
        '1' | 'i' | '|' | 'і' | 'ι' | 'ı' | 'ӏ' => 'l',
        'а' | 'α' => 'a',
        'в' | 'β' => 'b',
        'с' | 'ϲ' => 'c',
        'ԁ' => 'd',
        'е' | 'ε' => 'e',
        'һ' | 'н' => 'h',
        'ј' => 'j',
        'к' | 'κ' => 'k',
        'м' => 'm',
        'η' => 'n',
        'р' | 'ρ' => 'p',
        'ԛ' => 'q',
        'ѕ' => 's',
        'т' | 'τ' => 't',
        'υ' => 'u',
        'ν' | 'ѵ' => 'v',
        'ԝ' | 'ω' => 'w',
        'х' | 'χ' => 'x',
        'у' => 'y',
        c => c,
    }
}

#[cfg(test)]
mod tests;
