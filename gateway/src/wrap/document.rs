//! A client's configuration as text: which servers it has, and where their commands are written.
//!
//! In: JSON, with comments and trailing commas as VS Code allows them. Out: servers in the order of the text, with the places of what may be
//! changed. Must not accept what two readers could read differently: a name that occurs twice.

use std::collections::HashSet;
use std::ops::Range;

use jsonc_parser::ast::{Object, ObjectProp, Value};
use jsonc_parser::common::Ranged as _;
use jsonc_parser::tokens::{Token, TokenAndRange};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::edit::{Word, joined};

/// Members of an entry that decide how its server is reached.
const DECIDING: [&str; 4] = ["command", "args", "type", "url"];
/// What `type` says of a server that is a process: clients differ in the name.
const PROCESS_TYPES: [&str; 2] = ["stdio", "local"];

/// What is wrong at a byte of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) what: String,
}

/// The text with its servers.
#[derive(Debug)]
pub(super) struct Document<'t> {
    pub(super) text: &'t str,
    pub(super) entries: Vec<Entry>,
    /// Where lines end.
    line_ends: Vec<usize>,
    newline: &'static str,
}

/// A server of the configuration.
#[derive(Debug)]
pub(super) struct Entry {
    /// The project that it belongs to, in Claude Code's own file.
    pub(super) project: Option<String>,
    pub(super) name: String,
    /// Where its name is written.
    pub(super) at: usize,
    pub(super) kind: Result<Kind, Fault>,
    pub(super) surroundings: Surroundings,
}

/// What an entry says beside a command: texts alone, in the order of the text.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    pub(super) environment: Vec<(String, String)>,
    pub(super) url: Option<String>,
    pub(super) headers: Vec<(String, String)>,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// A process that the client starts.
    Process(Launch),
    /// Reached in another way, by URL for example.
    Remote,
}

/// How a server is started.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) command: Placed,
    /// Where the server's name is written.
    entry_start: usize,
    /// Where the member `command` begins.
    pub(super) key_start: usize,
    /// What stands between the name `command` and its value.
    pub(super) colon: String,
    pub(super) args: Option<Array>,
}

impl Launch {
    /// What stands between words on one line.
    fn comma(&self) -> &'static str {
        if self.colon.ends_with(':') { "," } else { ", " }
    }
}

/// A list of words.
#[derive(Debug)]
pub(super) struct Array {
    pub(super) at: Range<usize>,
    pub(super) words: Vec<Placed>,
}

/// A word with its place.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) word: Word,
    pub(super) at: Range<usize>,
    /// The end of the comma behind it; its own end if there is none.
    pub(super) comma_end: usize,
}

impl<'t> Document<'t> {
    /// Reads a text without a byte order mark.
    ///
    /// # Errors
    /// It is no JSON, a name that decides occurs twice, or what should be an object of servers is none.
    pub(super) fn parse(text: &'t str) -> Result<Self, Fault> {
        let options = ParseOptions {
            allow_comments: true,
            allow_trailing_commas: true,
            allow_loose_object_property_names: false,
            allow_missing_commas: false,
            allow_single_quoted_strings: false,
            allow_hexadecimal_numbers: false,
            allow_unary_plus_numbers: false,
            allow_bare_decimal_point_numbers: false,
            allow_non_finite_numbers: false,
            allow_extended_string_escapes: false,
        };
        let collect = CollectOptions { tokens: true, ..CollectOptions::default() };
        let parsed = parse_to_ast(text, &collect, &options).map_err(|error| {
            let mut what = error.kind().to_string();
            if let Some(first) = what.get_mut(..1) {
                first.make_ascii_lowercase();
            }
            Fault { at: error.range().start, what: format!("no JSON: {what}") }
        })?;
        let tokens = parsed.tokens.unwrap_or_default();
        let reader = Reader { text, tokens: &tokens };
        let entries = match &parsed.value {
            Some(Value::Object(root)) => reader.root(root)?,
            Some(other) => return Err(fault(other, "a configuration is an object")),
            None => return Err(Fault { at: 0, what: "no JSON: it is empty".to_owned() }),
        };
        let line_ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at);
        let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
        Ok(Self { text, entries, line_ends: line_ends.collect(), newline })
    }

    /// The line of a byte, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.line_ends.partition_point(|end| *end < at).saturating_add(1)
    }

    /// What stands between two words of a list.
    pub(super) fn separator(&self, launch: &Launch, args: &Array) -> String {
        if let [first, second, ..] = &*args.words
            && let Some(between) = self.text.get(first.at.end..second.at.start)
            && between.trim() == ","
        {
            return between.to_owned();
        }
        let first = args.words.first();
        match first.and_then(|first| self.indent(first.at.start)) {
            Some(indent) => format!(",{}{indent}", self.newline),
            None => launch.comma().to_owned(),
        }
    }

    /// The words of a list that had none, between its brackets: each on a line of its own where other lists of the file are written so.
    pub(super) fn inside(&self, launch: &Launch, words: &[Word]) -> String {
        let outer = self.indent(launch.key_start);
        match outer.filter(|_| self.has_tall_lists()) {
            Some(outer) => {
                let entry = self.indent(launch.entry_start).unwrap_or_default();
                let level = outer.strip_prefix(entry).filter(|level| !level.is_empty()).unwrap_or("  ");
                let inner = format!("{}{outer}{level}", self.newline);
                format!("{inner}{}{}{outer}", joined(words, &format!(",{inner}")), self.newline)
            }
            None => joined(words, launch.comma()),
        }
    }

    /// What stands before a member that is written behind the command.
    pub(super) fn before(&self, launch: &Launch) -> String {
        match self.indent(launch.key_start) {
            Some(indent) => format!("{}{indent}", self.newline),
            None => launch.comma().trim_start_matches(',').to_owned(),
        }
    }

    /// The white space before a place, if nothing else is on its line.
    fn indent(&self, at: usize) -> Option<&'t str> {
        let before = self.text.get(..at)?;
        let line = before.rfind('\n').map_or(Some(before), |end| before.get(end.checked_add(1)?..))?;
        line.chars().all(char::is_whitespace).then_some(line)
    }

    /// Whether the first list that has words begins each on a line of its own.
    fn has_tall_lists(&self) -> bool {
        let lists = self.entries.iter().filter_map(|entry| match &entry.kind {
            Ok(Kind::Process(launch)) => launch.args.as_ref()?.words.first(),
            _ => None,
        });
        lists.take(1).any(|word| self.indent(word.at.start).is_some())
    }
}

fn fault(value: &Value<'_>, what: impl Into<String>) -> Fault {
    Fault { at: value.start(), what: what.into() }
}

struct Reader<'a, 't> {
    text: &'t str,
    tokens: &'a [TokenAndRange<'t>],
}

impl Reader<'_, '_> {
    fn root(&self, root: &Object<'_>) -> Result<Vec<Entry>, Fault> {
        unique(&root.properties, Some(&["mcpServers", "servers", "projects"]))?;
        let mut entries = Vec::new();
        for member in &root.properties {
            match (member.name.as_str(), &member.value) {
                ("mcpServers" | "servers", servers) => self.servers(None, servers, &mut entries)?,
                ("projects", Value::Object(projects)) => {
                    unique(&projects.properties, None)?;
                    for project in &projects.properties {
                        self.project(project, &mut entries)?;
                    }
                }
                _ => {}
            }
        }
        Ok(entries)
    }

    fn project(&self, project: &ObjectProp<'_>, entries: &mut Vec<Entry>) -> Result<(), Fault> {
        let Value::Object(members) = &project.value else { return Ok(()) };
        unique(&members.properties, Some(&["mcpServers"]))?;
        match members.properties.iter().find(|member| member.name.as_str() == "mcpServers") {
            Some(servers) => self.servers(Some(project.name.as_str()), &servers.value, entries),
            None => Ok(()),
        }
    }

    fn servers(
        &self,
        project: Option<&str>,
        servers: &Value<'_>,
        entries: &mut Vec<Entry>,
    ) -> Result<(), Fault> {
        let Value::Object(servers) = servers else {
            return Err(fault(servers, "servers are an object"));
        };
        unique(&servers.properties, None)?;
        entries.extend(servers.properties.iter().map(|member| Entry {
            project: project.map(str::to_owned),
            name: member.name.as_str().to_owned(),
            at: member.start(),
            kind: self.entry(member),
            surroundings: surroundings(&member.value),
        }));
        Ok(())
    }

    fn entry(&self, entry: &ObjectProp<'_>) -> Result<Kind, Fault> {
        let entry_start = entry.start();
        if entry.name.as_str().is_empty() {
            return Err(Fault { at: entry_start, what: "a server has a name".to_owned() });
        }
        let Value::Object(entry) = &entry.value else {
            return Err(fault(&entry.value, "a server is an object"));
        };
        unique(&entry.properties, Some(&DECIDING))?;
        let member = |name: &str| entry.properties.iter().find(|member| member.name.as_str() == name);
        let Some(command) = member("command") else { return Ok(Kind::Remote) };
        if let Some(url) = member("url") {
            let what = "it has a `command` and a `url`: which one a client takes is not known";
            return Err(Fault { at: url.start(), what: what.to_owned() });
        }
        if let Some(kind) = member("type")
            && !kind.value.as_string_lit().is_some_and(|kind| PROCESS_TYPES.contains(&&*kind.value))
        {
            return Err(fault(&kind.value, "it has a `command`, and its `type` is not `stdio`"));
        }
        let placed = match &command.value {
            Value::StringLit(word) if !word.value.is_empty() => self.placed(&command.value)?,
            other => return Err(fault(other, "a `command` is a string that is not empty")),
        };
        let colon = self.text.get(command.name.end()..placed.at.start).unwrap_or(": ").to_owned();
        let args = match member("args").map(|args| &args.value) {
            None => None,
            Some(Value::Array(args)) => {
                let words = args.elements.iter().map(|word| self.placed(word));
                let words = words.collect::<Result<_, _>>()?;
                Some(Array { at: args.start()..args.end(), words })
            }
            Some(other) => return Err(fault(other, "`args` is a list")),
        };
        Ok(Kind::Process(Launch { command: placed, entry_start, key_start: command.start(), colon, args }))
    }

    fn placed(&self, value: &Value<'_>) -> Result<Placed, Fault> {
        let Value::StringLit(word) = value else { return Err(fault(value, "an argument is a string")) };
        let at = word.start()..word.end();
        let next = self.tokens.partition_point(|token| token.start() < at.end);
        let comma_end = match self.tokens.get(next) {
            Some(TokenAndRange { range, token: Token::Comma }) => range.end,
            _ => at.end,
        };
        let raw = self.text.get(at.clone()).unwrap_or_default().to_owned();
        Ok(Placed { word: Word { value: word.value.clone().into_owned(), raw }, at, comma_end })
    }
}

fn surroundings(entry: &Value<'_>) -> Surroundings {
    let Value::Object(entry) = entry else { return Surroundings::default() };
    let member = |name: &str| entry.properties.iter().find(|member| member.name.as_str() == name);
    let text = |value: &Value<'_>| value.as_string_lit().map(|text| text.value.clone().into_owned());
    let texts = |name| match member(name).map(|member| &member.value) {
        Some(Value::Object(members)) => {
            let members = members.properties.iter();
            members
                .filter_map(|member| Some((member.name.as_str().to_owned(), text(&member.value)?)))
                .collect()
        }
        _ => Vec::new(),
    };
    Surroundings {
        environment: texts("env"),
        url: member("url").and_then(|url| text(&url.value)),
        headers: texts("headers"),
    }
}

/// Refuses a name that occurs twice: one reader takes the first, another the last.
fn unique(members: &[ObjectProp<'_>], names: Option<&[&str]>) -> Result<(), Fault> {
    let mut seen = HashSet::new();
    for member in members {
        let name = member.name.as_str();
        if names.is_none_or(|names| names.contains(&name)) && !seen.insert(name) {
            return Err(Fault { at: member.start(), what: format!("`{name}` occurs twice") });
        }
    }
    Ok(())
}
