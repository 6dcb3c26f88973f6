//! Configurations with bytes that were changed: each is refused, or wrapped and undone as any other.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::{Configuration, enforced, fs};

const SEEDS: [&str; 3] = [
    include_str!("clients/vscode.json"),
    include_str!("clients/claude-code.own.json"),
    include_str!("clients/cursor.wrapped.json"),
];

/// A text with some of its bytes replaced, removed or doubled.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        "\"",
        ",",
        ":",
        "{",
        "}",
        "[",
        "]",
        "//",
        "/*",
        "*/",
        "\\",
        "\\ud83d",
        "\n",
        "\r",
        "\t",
        "\u{feff}",
        "é",
        "\0",
        "\"args\":",
        "\"command\":",
        "\"proxy\",",
        "\"--\",",
        "\"--name\",",
        "null",
        "1e9",
    ]);
    let edit = (any::<Index>(), 0..6_usize, pieces);
    (prop::sample::select(SEEDS.to_vec()), vec(edit, 1..4)).prop_map(|(seed, edits)| {
        let mut text = seed.as_bytes().to_owned();
        for (at, removed, piece) in edits {
            let at = at.index(text.len() + 1);
            let end = (at + removed).min(text.len());
            text.splice(at..end, piece.bytes());
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_not_refused_is_wrapped_and_undone(text in mutated()) {
        let path = super::file("mutated", &text);
        let wrapped = Configuration::read(&path).and_then(|read| read.wrap(&enforced()));
        if let Ok(change) = wrapped && !change.is_empty() {
            change.write().unwrap();
            prop_assert!(Configuration::read(&path).unwrap().wrap(&enforced()).unwrap().is_empty());
            Configuration::read(&path).unwrap().undo(super::PROGRAM, &[]).unwrap().write().unwrap();
            prop_assert_eq!(fs::read(&path).unwrap(), text);
        } else {
            prop_assert_eq!(fs::read(&path).unwrap(), text);
        }
    }
}
