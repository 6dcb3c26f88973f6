//! One server: its page and its tools, or a file of it.

use std::io::{self, Write as _};

use callgate_analysis::risk::{Class, Risk, classify};
use callgate_catalogue::Server;
use serde_json::{Value, json};

use super::{file, find, list};
use crate::args::{CatalogueFormat, CatalogueShowArgs};
use crate::command::output;
use crate::failure::{Failure, Outcome, answered};
use crate::terminal::{Paint, colours, shown};

pub(super) fn run(args: &CatalogueShowArgs) -> Outcome {
    let server = find(&args.server)?;
    let mut out = output();
    let written = match (&args.file, args.format) {
        (Some(name), _) => out.write_all(file(server, name)?.text.as_bytes()),
        (None, CatalogueFormat::Human) => {
            let (page, risks) = (file(server, "README.md")?.text, risks(server)?);
            page_of(&mut out, &page, &risks)
        }
        (None, CatalogueFormat::Json) => {
            let json = to_json(server, &risks(server)?)?;
            writeln!(out, "{json}")
        }
    };
    let written = written.and_then(|()| out.flush());
    answered(written.map_err(Failure::from), 0)
}

/// What each tool can do, with the classes that were given by hand.
fn risks(server: &Server) -> Result<Vec<Risk>, Failure> {
    let list: Value = serde_json::from_str(&file(server, "tools.json")?.text)
        .map_err(|error| Failure::new(format!("tools.json: {error}")))?;
    let tools = list.get("tools").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    Ok(classify(server.name(), tools, &super::given(server)?))
}

/// The page as it is, and its tools by class, the strongest first.
fn page_of(out: &mut dyn io::Write, page: &str, risks: &[Risk]) -> io::Result<()> {
    let coloured = colours(&io::stdout());
    writeln!(out, "{}", page.trim_end())?;
    writeln!(out, "\n## Tools by class\n")?;
    let mut classes = Class::ALL.to_vec();
    classes.sort_by_key(|class| std::cmp::Reverse(class.strength()));
    for class in classes {
        let names: Vec<_> =
            risks.iter().filter(|risk| risk.class == class).map(|risk| shown(&risk.name)).collect();
        if !names.is_empty() {
            let title = format!("{} ({})", class.name(), names.len());
            writeln!(out, "- {}: {}", Paint::Bold.on(coloured, &title), names.join(", "))?;
        }
    }
    Ok(())
}

fn to_json(server: &Server, risks: &[Risk]) -> Result<Value, Failure> {
    let mut json = list::to_json(server);
    let tools: Vec<Value> = risks
        .iter()
        .map(|risk| {
            let labels: Vec<&str> = risk.labels.iter().map(|label| label.name()).collect();
            json!({"name": risk.name, "class": risk.class.name(), "severity": risk.severity.name(), "labels": labels})
        })
        .collect();
    let files = server.files().map_err(|error| Failure::new(error.to_string()))?;
    let files: Vec<&str> = files.iter().map(|file| file.name).collect();
    if let Some(json) = json.as_object_mut() {
        json.insert("tools".to_owned(), tools.into());
        json.insert("files".to_owned(), files.into());
    }
    Ok(json)
}
