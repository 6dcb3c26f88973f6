//! Diagnostics as annotated excerpts of the policy's text.
//!
//! In: a policy file and its diagnostics. Out: text for people. The time for a diagnostic must not depend on the document's
//! size: only its line is read, and only a part of a very long line.

use std::io;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use callgate::{Diagnostic, Severity};
use callgate_host::PolicyFile;

use crate::terminal::{colours, shown};

/// Bytes shown on either side of the place. More does not fit a terminal.
const AROUND: usize = 100;

/// Renders excerpts, in colours or not.
pub(crate) struct Excerpts {
    renderer: Renderer,
}

impl Excerpts {
    pub(crate) fn new(coloured: bool) -> Self {
        Self { renderer: if coloured { Renderer::styled() } else { Renderer::plain() } }
    }

    pub(crate) fn for_stderr() -> Self {
        Self::new(colours(&io::stderr()))
    }

    /// The errors among some diagnostics, each with an empty line after it.
    pub(crate) fn errors(&self, file: &PolicyFile, diagnostics: &[Diagnostic]) -> String {
        let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity() == Severity::Error);
        errors.map(|diagnostic| self.excerpt(file, diagnostic)).collect()
    }

    /// One diagnostic of a policy file, with an empty line after it.
    pub(crate) fn excerpt(&self, file: &PolicyFile, diagnostic: &Diagnostic) -> String {
        self.finding(&file.path().display().to_string(), file.text(), diagnostic)
    }

    /// One diagnostic of a text, with an empty line after it.
    pub(crate) fn finding(&self, path: &str, text: &str, diagnostic: &Diagnostic) -> String {
        let pointer = Some(diagnostic.pointer()).filter(|pointer| !pointer.is_empty());
        let pointer = pointer.map(|pointer| format!("at {pointer}"));
        self.place(&Placed {
            level: match diagnostic.severity() {
                Severity::Warning => Level::WARNING,
                _ => Level::ERROR,
            },
            title: diagnostic.message(),
            code: Some(diagnostic.code()),
            path,
            text,
            range: diagnostic.byte_range(),
            line: diagnostic.line(),
            column: diagnostic.column(),
            notes: pointer.as_slice(),
            help: diagnostic.help(),
        })
    }

    /// A place in a text and what there is to say of it, with an empty line after it.
    pub(crate) fn place(&self, placed: &Placed<'_>) -> String {
        let path = shown(placed.path);
        let (line, column) = (placed.line as usize, placed.column as usize);
        let title = placed.level.clone().primary_title(shown(placed.title));
        let mut group = Group::with_title(match placed.code {
            Some(code) => title.id(code),
            None => title,
        });
        let part = part_of(placed.text, placed.range.clone());
        let snippet = part.map(|part| {
            (
                part.cut,
                Snippet::source(part.text)
                    .line_start(line)
                    .annotation(AnnotationKind::Primary.span(part.place)),
            )
        });
        group = match snippet {
            // The renderer counts the column itself, from the beginning of what it is given.
            Some((false, snippet)) => group.element(snippet.path(path)),
            Some((true, snippet)) => {
                group.element(Origin::path(path).line(line).char_column(column)).element(snippet)
            }
            None => group.element(Origin::path(path).line(line).char_column(column)),
        };
        for note in placed.notes {
            group = group.element(Level::NOTE.message(shown(note)));
        }
        if let Some(help) = placed.help {
            group = group.element(Level::HELP.message(shown(help)));
        }
        let mut text = self.renderer.render(&[group]);
        text.push_str("\n\n");
        text
    }
}

/// A place in a text, and what there is to say of it.
pub(crate) struct Placed<'p> {
    pub(crate) level: Level<'p>,
    pub(crate) title: &'p str,
    pub(crate) code: Option<&'p str>,
    pub(crate) path: &'p str,
    pub(crate) text: &'p str,
    /// Bytes of the text.
    pub(crate) range: Range<usize>,
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) notes: &'p [String],
    pub(crate) help: Option<&'p str>,
}

/// What is shown of a line.
#[derive(Debug, PartialEq, Eq)]
struct Part<'t> {
    text: &'t str,
    /// Where the place that is meant lies in it.
    place: Range<usize>,
    /// Whether the line begins earlier.
    cut: bool,
}

/// The part of the first line of `place` to show. `None` where there is nothing: an empty document, or one that ends too
/// early.
fn part_of(text: &str, place: Range<usize>) -> Option<Part<'_>> {
    let start = boundary(text, place.start);
    // Only what may be shown is searched for the ends of the line: a line may be as long as the document.
    let from = boundary(text, start.saturating_sub(AROUND));
    let line_start = text.get(from..start)?.rfind('\n').map(|at| from.saturating_add(at).saturating_add(1));
    let cut = line_start.is_none() && from > 0;
    let from = line_start.unwrap_or(from);
    let to = boundary(text, start.saturating_add(2 * AROUND));
    let to = text.get(start..to)?.find(['\n', '\r']).map_or(to, |at| start.saturating_add(at));
    let text = text.get(from..to).filter(|part| !part.trim().is_empty())?;
    let end = boundary(text, place.end.saturating_sub(from));
    let start = start.saturating_sub(from);
    Some(Part { text, place: start..end.max(start), cut })
}

/// The last boundary between characters that is not behind `offset`.
fn boundary(text: &str, offset: usize) -> usize {
    let offset = offset.min(text.len());
    (0..4).map(|back| offset.saturating_sub(back)).find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, place: Range<usize>) -> Option<(&str, &str)> {
        part_of(text, place).map(|part| (part.text, part.text.get(part.place).unwrap()))
    }

    #[test]
    fn shows_the_first_line_that_is_meant() {
        assert_eq!(check("a: 1\nbé: 2\nc: 3\n", 5..8), Some(("bé: 2", "bé")));
        assert_eq!(check("a: 1\nb: 2\nc: 3\n", 8..14), Some(("b: 2", "2")), "not more than a line");
        assert_eq!(check("a: 1\r\nb: 2\r\n", 0..9), Some(("a: 1", "a: 1")));
        assert_eq!(check("a: 1", 4..4), Some(("a: 1", "")));
    }

    #[test]
    fn survives_any_place() {
        let text = "é: \u{1f600}\n\n";
        for start in 0..12 {
            for end in 0..12 {
                let _ = check(text, start..end);
            }
        }
        assert_eq!(check("", 0..0), None);
        assert_eq!(check("a: 1\n\n", usize::MAX - 1..usize::MAX), None);
    }

    /// Trap 5: a policy of one line of 20 MiB.
    #[test]
    fn shows_a_part_of_a_long_line() {
        let text =
            format!("{{\"a\": \"{}\", \"defualt\": \"{}\"}}", "x".repeat(20 << 20), "é".repeat(20 << 20));
        let at = text.find("defualt").unwrap();
        let (part, place) = check(&text, at..at + 7).unwrap();
        assert!(part.len() <= 3 * AROUND);
        assert_eq!(place, "defualt");
    }
}
