//! Reads the text of a lock, strictly: a lock that is not wholly understood approves nothing (spec L2.4).

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::{Definition, DefinitionError, Digest, Entry, Field, Lock, LockError, Origin, VERSION};
use crate::ceilings::{ARGUMENT_DEPTH, LOCK_BYTES};
use crate::raw::{Limits, RawJson, RawView};
use crate::time::Timestamp;
use crate::view::{Kind, View as _};

/// Levels around a definition: the lock, the list, the tool.
const AROUND: usize = 3;

pub(super) fn read(text: &str) -> Result<Lock, LockError> {
    let limits = Limits { bytes: LOCK_BYTES, depth: ARGUMENT_DEPTH.saturating_add(AROUND) };
    let raw = RawJson::parse_within(text, limits)
        .map_err(|error| LockError::new(line_of(text, error.offset()), error.to_string()))?;
    let reader = Reader { text };
    let lock = reader.object(raw.root(), "a lock", &["version", "servers", "tools"])?;
    let version = reader.string(&lock, "version")?;
    if version != VERSION {
        // What another version means is not known.
        let at = lock.at("version");
        return Err(
            reader.wrong(at, format!("version `{}` of a lock is not known: {VERSION} is", cut(&version)))
        );
    }
    let mut read = Lock::new();
    for server in reader.list(&lock, "servers")? {
        let members = reader.object(server, "a server", &["name", "protocol", "complete", "date"])?;
        let name = reader.string(&members, "name")?;
        let is_complete =
            members.get("complete").is_some_and(|value| matches!(value.kind(), Ok(Kind::Bool(true))));
        if !is_complete {
            let what =
                format!("of server `{}` not all pages were seen: such a list approves nothing", cut(&name));
            return Err(reader.wrong(members.at("complete"), what));
        }
        let (protocol, date) = (reader.string(&members, "protocol")?, reader.string(&members, "date")?);
        if !is_date(&date) {
            return Err(reader.wrong(members.at("date"), "the date is not of the form `2026-11-30`"));
        }
        if read.servers.insert(name.clone(), Origin { protocol, date }).is_some() {
            return Err(reader.wrong(server, format!("server `{}` stands twice", cut(&name))));
        }
    }
    for tool in reader.list(&lock, "tools")? {
        let (server, entry) = reader.tool(tool)?;
        if !read.servers.contains_key(&server) {
            return Err(reader.wrong(tool, format!("server `{}` is not among the servers", cut(&server))));
        }
        let name = entry.definition.name().to_owned();
        if read.tools.insert((server, name.clone()), entry).is_some() {
            return Err(reader.wrong(tool, format!("tool `{}` stands twice", cut(&name))));
        }
    }
    Ok(read)
}

/// Whether a text is a day of the calendar's form.
pub(super) fn is_date(text: &str) -> bool {
    format!("{text}T00:00:00Z").parse::<Timestamp>().is_ok()
}

struct Reader<'t> {
    text: &'t str,
}

/// The members of an object that has no others.
struct Members<'t> {
    object: RawView<'t>,
    members: BTreeMap<&'static str, RawView<'t>>,
}

impl<'t> Members<'t> {
    fn get(&self, name: &str) -> Option<RawView<'t>> {
        self.members.get(name).copied()
    }

    /// Where a member is, or should be.
    fn at(&self, name: &str) -> RawView<'t> {
        self.get(name).unwrap_or(self.object)
    }
}

impl Reader<'_> {
    fn tool(&self, tool: RawView<'_>) -> Result<(String, Entry), LockError> {
        const MEMBERS: [&str; 7] = ["server", "name", "class", "severity", "digest", "fields", "definition"];
        let members = self.object(tool, "a tool", &MEMBERS)?;
        let (server, name) = (self.string(&members, "server")?, self.string(&members, "name")?);
        let (class, severity) = (self.string(&members, "class")?, self.string(&members, "severity")?);
        let of = cut(&name);
        let Some(definition) = members.get("definition") else {
            return Err(self.wrong(tool, format!("tool `{of}` has no `definition`")));
        };
        let definition = Definition::read(definition.text()).map_err(|error| match error {
            DefinitionError::Json(error) => {
                let from = definition.span().start as usize;
                LockError::new(line_of(self.text, from.saturating_add(error.offset())), error.to_string())
            }
            error => self.wrong(definition, error.to_string()),
        })?;
        if definition.name() != name {
            let what = format!("the definition of tool `{of}` has the name `{}`", cut(definition.name()));
            return Err(self.wrong(tool, what));
        }
        let digest = self.digest(&members, "digest", &of)?;
        if digest != definition.digest() {
            return Err(self.wrong(tool, format!("tool `{of}` has another digest than its definition")));
        }
        let Some(fields) = members.get("fields") else {
            return Err(self.wrong(tool, format!("tool `{of}` has no `fields`")));
        };
        let fields = self.object(fields, "`fields`", &Field::ALL.map(Field::name))?;
        for field in Field::ALL {
            let name = field.name();
            let digest = fields.get(name).map(|_| self.digest(&fields, name, &of)).transpose()?;
            if digest != definition.field(field) {
                let what = format!("tool `{of}` has another digest of `{name}` than its definition");
                return Err(self.wrong(fields.at(name), what));
            }
        }
        Ok((server, Entry { class, severity, definition }))
    }

    fn digest(&self, members: &Members<'_>, name: &str, tool: &str) -> Result<Digest, LockError> {
        let text = self.string(members, name)?;
        Digest::parse(&text).ok_or_else(|| {
            let what = format!(
                "tool `{tool}` has a `{name}` that is not `sha256:` and 64 lowercase hexadecimal digits"
            );
            self.wrong(members.at(name), what)
        })
    }

    fn object<'v>(
        &self,
        value: RawView<'v>,
        what: &str,
        known: &[&'static str],
    ) -> Result<Members<'v>, LockError> {
        if !matches!(value.kind(), Ok(Kind::Object)) {
            return Err(self.wrong(value, format!("{what} is an object")));
        }
        let (mut members, mut unknown) = (BTreeMap::new(), None);
        // What was scanned can be read.
        let _ = value.members(|name, member| match known.iter().find(|known| **known == name) {
            Some(name) => {
                members.insert(*name, member);
                ControlFlow::Continue(())
            }
            None => {
                unknown = Some(self.wrong(member, format!("{what} has no member `{}`", cut(name))));
                ControlFlow::Break(())
            }
        });
        unknown.map_or(Ok(Members { object: value, members }), Err)
    }

    fn string(&self, members: &Members<'_>, name: &str) -> Result<String, LockError> {
        match members.get(name).as_ref().map(|value| value.kind()) {
            Some(Ok(Kind::String(text))) => Ok(text.into_owned()),
            _ => Err(self.wrong(members.at(name), format!("`{name}` is missing, or no string"))),
        }
    }

    fn list<'v>(&self, members: &Members<'v>, name: &str) -> Result<Vec<RawView<'v>>, LockError> {
        let list = members.get(name).filter(|list| matches!(list.kind(), Ok(Kind::Array)));
        let list =
            list.ok_or_else(|| self.wrong(members.at(name), format!("`{name}` is missing, or no list")))?;
        Ok(list.items().collect())
    }

    fn wrong(&self, value: RawView<'_>, message: impl Into<String>) -> LockError {
        LockError::new(line_of(self.text, value.span().start as usize), message)
    }
}

impl Digest {
    fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("sha256:")?.as_bytes();
        let (pairs, rest) = digits.as_chunks::<2>();
        let mut bytes = [0_u8; 32];
        if pairs.len() != bytes.len() || !rest.is_empty() {
            return None;
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            let digit = |c: u8| match c {
                b'0'..=b'9' | b'a'..=b'f' => char::from(c).to_digit(16),
                _ => None,
            };
            *byte = u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()?;
        }
        Some(Self(bytes))
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    before.iter().filter(|byte| **byte == b'\n').count().saturating_add(1)
}

/// Somebody's text in a message.
fn cut(text: &str) -> String {
    const MOST: usize = 80;
    let mut cut: String = text.chars().take(MOST).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}
