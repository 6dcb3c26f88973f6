//! What is odd about lists of tools: names that mislead, and texts that name tools of other servers.
//!
//! In: definitions as `tools/list` gives them, server by server. Out: findings with their places. Must not judge what a tool does, nor keep texts:
//! those of all servers would fill the memory.
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

mod mentions;

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use crate::drawn::skeleton;
use mentions::Mentions;

/// The most characters of a name that the protocol has.
const NAME: usize = 128;
/// Characters of a name in a sentence.
const QUOTED: usize = 80;

/// Which kind of finding it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// The name has other characters than `A-Z a-z 0-9 _ . -`, none, or more than 128.
    BadName,
    /// Another tool has the same name.
    SameName,
    /// Another tool's name looks the same.
    LookAlike,
    /// A text names a tool that another server has, and its own has not.
    Shadowing,
}

impl Code {
    /// All codes.
    pub const ALL: [Self; 4] = [Self::BadName, Self::SameName, Self::LookAlike, Self::Shadowing];

    /// The name, as it is written in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadName => "bad_name",
            Self::SameName => "same_name",
            Self::LookAlike => "look_alike",
            Self::Shadowing => "shadowing",
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
    mentions: Vec<Mentions>,
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
        let mut mentions = Mentions::default();
        for (tool, definition) in tools.iter().enumerate() {
            let name = definition.get("name").and_then(Value::as_str).unwrap_or_default();
            let finding = |code, text, place| Finding { server: number, tool, code, text, place };
            if let Some(text) = bad_name(name) {
                self.findings.push(finding(Code::BadName, text, "/name".to_owned()));
            }
            mentions.add(tool, definition);
            self.names.push(Name { server: number, tool, name: name.to_owned() });
        }
        self.mentions.push(mentions);
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
                        format!("{} has a tool of this name, too", self.server(other.server))
                    };
                    self.findings.push(named(name, Code::SameName, text));
                }
                if let Some(other) = different.iter().find(|other| other.name != name.name) {
                    let of = if other.server == name.server {
                        String::new()
                    } else {
                        format!(" of {}", self.server(other.server))
                    };
                    let text = format!("looks like `{}`{of}", cut(&other.name));
                    self.findings.push(named(name, Code::LookAlike, text));
                }
            }
        }
        self.find_shadowing();
        self.findings.sort_by_key(|finding| (finding.server, finding.tool, finding.code));
        self.findings
    }

    /// Names of tools in texts of servers that do not have them. What two servers have, each may speak of.
    fn find_shadowing(&mut self) {
        let mut servers: HashMap<&str, BTreeSet<usize>> = HashMap::new();
        for name in &self.names {
            servers.entry(&name.name).or_default().insert(name.server);
        }
        let mut found = Vec::new();
        for (server, mentions) in self.mentions.iter().enumerate() {
            for (name, mention) in mentions.iter() {
                let Some(others) = servers.get(name).filter(|servers| !servers.contains(&server)) else {
                    continue;
                };
                let other = others.first().copied().unwrap_or_default();
                let text = format!("a text names `{}`, a tool of {}", cut(name), self.server(other));
                let place = mention.place.clone();
                found.push(Finding { server, tool: mention.tool, code: Code::Shadowing, text, place });
            }
        }
        found.sort_by(|one, other| one.text.cmp(&other.text));
        self.findings.append(&mut found);
    }

    fn server(&self, number: usize) -> String {
        format!("server `{}`", cut(self.servers.get(number).map_or("", String::as_str)))
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

#[cfg(test)]
mod tests;
