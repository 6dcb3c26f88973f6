//! The ceilings of a document that are counted in millions (spec 11): what is at one loads, what is above it does not.

#![expect(clippy::string_slice, reason = "a test fails by panicking, and computes")]

use callgate::{Format, Policy, Severity};

/// The code and place of the only error of a text; warnings are not looked at.
fn error(text: &str, format: Format) -> Option<(&'static str, String)> {
    let error = Policy::from_text(text, format).err()?;
    let mut errors = error.diagnostics().iter().filter(|found| found.severity() == Severity::Error);
    let first = errors.next().map(|found| (found.code(), found.pointer().to_owned()));
    assert!(errors.next().is_none(), "{error}");
    first
}

#[test]
fn a_document_has_four_million_nodes_in_either_form() {
    // The mapping and its two keys, the word and the list are nodes as well.
    let with =
        |elements: usize| format!("{{\"default\": \"deny\", \"x-a\": [{}0]}}", "0,".repeat(elements - 1));
    assert_eq!(error(&with(4_000_000 - 5), Format::Json), None);
    for format in [Format::Json, Format::Yaml] {
        let found = error(&with(4_000_001 - 5), format);
        assert_eq!(found.map(|(code, _)| code), Some("too_large"), "{format:?}");
    }
}

/// Every part of a long text is a glob, and the text is in every name, so that all pairs of them match.
#[test]
fn exact_names_and_their_globs_make_four_million_pairs() {
    let long: String = ('!'..='z').filter(|c| c.is_ascii_alphanumeric()).chain("-_".chars()).collect();
    let parts = (0..long.len()).flat_map(|from| (from + 1..=long.len()).map(move |to| (from, to)));
    let globs: Vec<String> =
        parts.take(2_000).map(|(from, to)| format!("'*{}*': {{}}", &long[from..to])).collect();
    let policy = |names: usize| {
        let names: Vec<String> = (0..names).map(|name| format!("'{long}.{name}': {{}}")).collect();
        format!("{{version: '1', default: deny, tools: {{{}, {}}}}}", globs.join(", "), names.join(", "))
    };
    assert_eq!(error(&policy(2_000), Format::Yaml), None);
    assert_eq!(error(&policy(2_001), Format::Yaml), Some(("too_many_entries", "/tools".to_owned())));
}

/// Clause 11.2: the work of comparing exact names with globs is bounded, whether they match or not.
#[test]
fn exact_names_are_compared_with_globs_within_a_bound() {
    let name = "a".repeat(1_000);
    let glob = "[a]*".repeat(200);
    let policy = |globs: usize, names: usize| {
        let globs = (0..globs).map(|number| format!("'{glob}[b]{number}[c]': {{}}"));
        let names = (0..names).map(|number| format!("'{name}{number}c': {{}}"));
        let entries: Vec<String> = globs.chain(names).collect();
        format!("{{version: '1', default: deny, tools: {{{}}}}}", entries.join(", "))
    };
    assert_eq!(error(&policy(4, 4), Format::Yaml), None);
    assert_eq!(error(&policy(400, 400), Format::Yaml), Some(("too_many_entries", "/tools".to_owned())));
}
