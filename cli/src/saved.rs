//! A list of tools that was saved.
//!
//! In: a file, in any form that `check --tools` takes. Out: its tools, where each stands, and what the file calls their server.

use std::ops::ControlFlow;
use std::path::Path;

use callgate::value::{Kind, RawJson, View as _};
use callgate_gateway::offer::{Offer, Tools};

use crate::failure::Failure;
use crate::input::{STDIN, read_text};
use crate::tools::{self, member};

/// Characters of a name that are kept. Nobody calls a tool by a longer one: the protocol has 128.
const NAME: usize = 256;

/// A file's tools.
pub(crate) struct Saved {
    /// What the file calls their server. A list alone does not tell.
    pub(crate) server: Option<String>,
    pub(crate) offer: Offer,
    /// Where each tool begins.
    pub(crate) places: Vec<Place>,
}

/// A line and a column in code points, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Saved {
    /// Reads a file; `-` is standard input.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        Self::parse(path, &read_text(path)?)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, Failure> {
        let failed = |error: String| Failure::with_help(format!("{}: {error}", path.display()), tools::HELP);
        let raw = RawJson::parse(text).map_err(|error| failed(error.to_string()))?;
        let list = tools::listed(path, &raw)?;
        let (mut tools, mut places, mut broken) = (Tools::with_texts(), Vec::new(), None);
        let mut cursor = Cursor { text, at: 0, place: Place { line: 1, column: 1 } };
        let _ = list.elements(|tool| match tools.add(tool.text()) {
            Ok(()) => {
                places.push(cursor.go_to(tool.text()));
                ControlFlow::Continue(())
            }
            Err(error) => {
                broken = Some(error);
                ControlFlow::Break(())
            }
        });
        if let Some(error) = broken {
            return Err(failed(error.to_string()));
        }
        let server = member(raw.root(), "server").and_then(|name| match name.kind() {
            Ok(Kind::String(name)) if !name.trim().is_empty() => Some(cut(&name)),
            _ => None,
        });
        let (tools, texts) = tools.into_parts();
        let offer = Offer { tools, texts, has_more: tools::has_more(&raw), ..Offer::default() };
        Ok(Self { server, offer, places })
    }

    /// What their server is called, where nobody says: as in the file, else as the file.
    pub(crate) fn server_or_stem(&self, path: &Path) -> String {
        self.server
            .clone()
            .unwrap_or_else(|| if path == Path::new(STDIN) { "stdin".to_owned() } else { tools::stem(path) })
    }
}

/// A name that is not longer than anybody's.
pub(crate) fn cut(name: &str) -> String {
    let mut cut: String = name.chars().take(NAME).collect();
    if cut.len() < name.len() {
        cut.push('…');
    }
    cut
}

/// Walks through a text once, from part to part.
struct Cursor<'t> {
    text: &'t str,
    at: usize,
    place: Place,
}

impl Cursor<'_> {
    /// The place of a part of the text that lies behind the last one.
    fn go_to(&mut self, part: &str) -> Place {
        let to = part.as_ptr().addr().saturating_sub(self.text.as_ptr().addr());
        for c in self.text.get(self.at..to).unwrap_or_default().chars() {
            if c == '\n' {
                self.place = Place { line: self.place.line.saturating_add(1), column: 1 };
            } else {
                self.place.column = self.place.column.saturating_add(1);
            }
        }
        self.at = to;
        self.place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tool_has_its_place_and_the_file_its_server() {
        let saved = |text: &str| Saved::parse(Path::new("tools.json"), text).unwrap();
        let two =
            saved("{\"server\": \"bänk\", \"é\": 1, \"tools\": [{\"name\": \"a\"},\n  {\"name\": \"b\"}]}");
        assert_eq!(two.server.as_deref(), Some("bänk"));
        assert_eq!(two.places, [Place { line: 1, column: 38 }, Place { line: 2, column: 3 }]);
        assert_eq!(two.offer.tools.len(), 2);
        for text in
            ["[{\"name\": \"a\"}]", "{\"server\": 1, \"tools\": []}", "{\"server\": \" \", \"tools\": []}"]
        {
            assert_eq!(saved(text).server, None, "{text}");
        }
    }
}
