//! Characters that a reader does not see (clause R8.3).
//!
//! In: a definition. Out: the first of them, at its place. Must not find what joins or colours a pictogram, lines, or wide blanks.

use std::ops::ControlFlow;

use callgate::__text::is_invisible;
use serde_json::Value;

use super::{Code, Finding};
use crate::texts::{self, Part, Text};

/// The finding, if there is one.
pub(super) fn find(definition: &Value) -> Option<Finding> {
    let mut found = None;
    texts::each(definition, &mut |text, way| {
        let hidden = match (text, way) {
            // A tool's name has no lines.
            (Text::String(name), [Part::Member("name")]) => name.chars().find(|c| is_invisible(*c)),
            (Text::String(text) | Text::Name(text), _) => first(text),
        };
        match hidden {
            Some(c) => {
                let text = format!("has the character U+{:04X}, which a reader does not see", u32::from(c));
                found = Some(Finding { code: Code::HiddenCharacters, text, place: texts::pointer(way) });
                ControlFlow::Break(())
            }
            None => ControlFlow::Continue(()),
        }
    });
    found
}

/// How many there are in all texts of a value, names of members among them.
pub(crate) fn count(value: &Value) -> usize {
    let mut sum = 0_usize;
    texts::each(value, &mut |text, _| {
        let (Text::String(text) | Text::Name(text)) = text;
        sum = sum.saturating_add(of(text).count());
        ControlFlow::Continue(())
    });
    sum
}

fn first(text: &str) -> Option<char> {
    if texts::is_plain(text) { None } else { of(text).next() }
}

/// The characters that are not drawn. Lines, tabs and wide blanks are no secret, and what joins or colours a pictogram is part of it.
fn of(text: &str) -> impl Iterator<Item = char> {
    let mut before = ' ';
    text.chars().filter(move |c| {
        let belongs = matches!(c, '\u{200d}' | '\u{fe0e}' | '\u{fe0f}') && is_pictogram(before);
        let is_layout = c.is_whitespace() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{b}' | '\u{c}');
        before = *c;
        is_invisible(*c) && !belongs && !is_layout
    })
}

fn is_pictogram(c: char) -> bool {
    matches!(c, '#' | '*' | '0'..='9' | '©' | '®' | '\u{2190}'..='\u{2bff}' | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}' | '\u{1f000}'..='\u{1faff}' | '\u{fe0f}')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_drawn_is_found_anywhere_in_a_definition() {
        let place = |definition: Value| find(&definition).map(|found| found.place);
        for (text, hides) in [
            ("reads\u{200b} a file", true),
            ("\u{202e}elif a sdaer", true),
            ("\u{e0041}\u{e0042}", true),
            ("a\u{1b}[2J", true),
            ("a\u{ad}b", true),
            ("a\u{200d}b", true),
            ("two\nlines\r\n\tand a\u{a0}blank", false),
            ("careful \u{26a0}\u{fe0f} \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}", false),
            ("Größe, 日本語", false),
        ] {
            let found = place(json!({"name": "a", "description": text}));
            assert_eq!(found.as_deref(), hides.then_some("/description"), "{text:?}");
        }
        let deep = json!({"name": "a", "inputSchema": {"properties": {"x/y": {"enum": ["b", "c\u{200b}"]}}}});
        assert_eq!(place(deep).as_deref(), Some("/inputSchema/properties/x~1y/enum/1"));
        assert_eq!(place(json!({"name": "a\n"})).as_deref(), Some("/name"));
        assert_eq!(place(json!({"name": "a", "x": {"k\u{202e}": 1}})).as_deref(), Some("/x/k"));
    }
}
