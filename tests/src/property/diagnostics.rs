//! Diagnostics lie inside the text, at the line and column that their bytes have (spec 12).

use std::collections::BTreeSet;
use std::sync::OnceLock;

use callgate::{Diagnostic, Severity};

/// Codes of section 12 of the language.
fn codes() -> &'static BTreeSet<String> {
    static CODES: OnceLock<BTreeSet<String>> = OnceLock::new();
    CODES.get_or_init(|| {
        let language = include_str!("../../../spec/language.md");
        let (_, section) = language.split_once("## 12. Diagnostics").expect("section 12");
        section.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    })
}

/// Checks each, and their order.
pub(super) fn check(text: &str, found: &[Diagnostic]) {
    let starts = found.iter().map(|diagnostic| diagnostic.byte_range().start);
    assert!(starts.is_sorted(), "not in document order: {found:#?}");
    let (mut line, mut counted) = (1, 0);
    for diagnostic in found {
        let range = diagnostic.byte_range();
        let before = text.get(..range.start).unwrap_or_else(|| panic!("{diagnostic}: starts in no text"));
        assert!(text.get(range).is_some(), "{diagnostic}: ends outside of the text");
        line += before[counted..].matches('\n').count();
        counted = before.len();
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        // A byte order mark has no width.
        let column = 1 + before[start..]
            .strip_prefix(if start == 0 { "\u{feff}" } else { "" })
            .unwrap_or(&before[start..])
            .chars()
            .count();
        assert_eq!(
            (diagnostic.line() as usize, diagnostic.column() as usize),
            (line, column),
            "{diagnostic}"
        );
        assert!(codes().contains(diagnostic.code()), "{diagnostic}: not in section 12");
        assert!(!diagnostic.message().is_empty(), "{diagnostic}");
        let written = &text[diagnostic.byte_range()];
        let suggested =
            diagnostic.help().and_then(|help| help.strip_prefix("did you mean `")?.strip_suffix("`?"));
        // Quotes around a word are not its own; one alone is.
        let unquoted = written.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(written);
        assert!(suggested.is_none_or(|suggested| suggested != unquoted), "{diagnostic}");
        assert!(diagnostic.pointer().is_empty() || diagnostic.pointer().starts_with('/'), "{diagnostic}");
    }
}

/// Those of a policy that does not load.
pub(super) fn check_errors(text: &str, found: &[Diagnostic]) {
    check(text, found);
    let has_error = found.iter().any(|diagnostic| diagnostic.severity() == Severity::Error);
    assert!(has_error, "a policy that does not load has an error");
}

/// Those of a policy that loads.
pub(super) fn check_warnings(text: &str, found: &[Diagnostic]) {
    check(text, found);
    let all_warn = found.iter().all(|diagnostic| diagnostic.severity() == Severity::Warning);
    assert!(all_warn, "a policy that loads has no error: {found:#?}");
}
