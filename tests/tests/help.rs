//! Help that says what to write is right: with it, the same place has no error of the same kind any more, and it never is what was written.

use callgate::{Diagnostic, Format, Policy, Severity};
use callgate_tests::invalid;

fn errors(text: &str) -> Vec<Diagnostic> {
    let found = match Policy::from_text(text, Format::Detect) {
        Ok(_) => Vec::new(),
        Err(error) => error.diagnostics().to_vec(),
    };
    found.into_iter().filter(|found| found.severity() == Severity::Error).collect()
}

/// What the help says to write in place of the value or key that is wrong, if it is that exact.
fn replacement(found: &Diagnostic) -> Option<&str> {
    // Elsewhere, the place is only where the text stops making sense.
    if found.code() == "syntax" || found.code() == "missing_field" {
        return None;
    }
    let help = found.help()?;
    let ends = [("did you mean `", "`?"), ("write `", "`"), ("quote it: `", "`")];
    ends.iter()
        .find_map(|(before, after)| help.strip_prefix(before)?.strip_suffix(after))
        .filter(|text| !text.contains('`'))
}

#[test]
fn what_help_says_to_write_is_no_error() {
    let (mut tried, mut wrong) = (0, Vec::new());
    for (file, cases) in invalid::files() {
        for case in cases {
            let text = case.text();
            if text.len() > 64 << 10 {
                continue;
            }
            for found in errors(&text) {
                let Some(new) = replacement(&found) else { continue };
                let range = found.byte_range();
                let old = &text[range.clone()];
                // A text of several lines without any is found where the next line begins.
                if old.is_empty() {
                    continue;
                }
                // In JSON, and where the author quoted, the new text stands in quotes as well, but for a number or a boolean.
                let is_word = found.code() != "invalid_operand" && !new.starts_with(['"', '\'']);
                let quote = if old.starts_with('"') && is_word { "\"" } else { "" };
                let mended = format!("{}{quote}{new}{quote}{}", &text[..range.start], &text[range.end..]);
                tried += 1;
                let is_same = |other: &Diagnostic| {
                    other.byte_range().start == range.start
                        && (other.code() == found.code() || other.code() == "wrong_type")
                };
                if mended == text || errors(&mended).iter().any(is_same) {
                    wrong.push(format!("{file}: {}: {found}\n{mended}", case.name));
                }
            }
        }
    }
    assert!(tried > 60, "help was tried only {tried} times");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
