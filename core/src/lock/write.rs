//! A lock as text: one line a tool, in order, so that a change is one line of a diff.

use std::fmt;

use super::{Definition, Entry, Field, Lock, VERSION};
use crate::json_text::{escaped, write_string};

impl fmt::Display for Lock {
    /// The text that [`Lock::parse`] reads. What a reader would not see in it is escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{\n\"version\":\"{VERSION}\",\n\"servers\":[")?;
        let mut first = true;
        for (name, origin) in &self.servers {
            next(f, &mut first)?;
            let mut line = String::from("{");
            member(&mut line, "name", name)?;
            member(&mut line, "protocol", &origin.protocol)?;
            line.push_str(",\"complete\":true");
            member(&mut line, "date", &origin.date)?;
            line.push('}');
            f.write_str(&escaped(&line))?;
        }
        f.write_str("\n],\n\"tools\":[")?;
        let mut first = true;
        for ((server, _), entry) in &self.tools {
            next(f, &mut first)?;
            f.write_str(&escaped(&tool(server, entry)?))?;
        }
        f.write_str("\n]\n}\n")
    }
}

fn tool(server: &str, entry: &Entry) -> Result<String, fmt::Error> {
    let Entry { class, severity, definition } = entry;
    let mut line = String::from("{");
    member(&mut line, "server", server)?;
    member(&mut line, "name", definition.name())?;
    member(&mut line, "class", class)?;
    member(&mut line, "severity", severity)?;
    member(&mut line, "digest", &definition.digest().to_string())?;
    line.push_str(",\"fields\":");
    line.push_str(&fields(definition)?);
    line.push_str(",\"definition\":");
    line.push_str(definition.canonical());
    line.push('}');
    Ok(line)
}

fn fields(definition: &Definition) -> Result<String, fmt::Error> {
    let mut out = String::from("{");
    for field in Field::ALL {
        if let Some(digest) = definition.field(field) {
            member(&mut out, field.name(), &digest.to_string())?;
        }
    }
    out.push('}');
    Ok(out)
}

fn member(out: &mut String, name: &str, value: &str) -> fmt::Result {
    if out.len() > 1 {
        out.push(',');
    }
    write_string(out, name)?;
    out.push(':');
    write_string(out, value)
}

/// Begins the next line of a list.
fn next(f: &mut fmt::Formatter<'_>, first: &mut bool) -> fmt::Result {
    f.write_str(if std::mem::take(first) { "\n" } else { ",\n" })
}
