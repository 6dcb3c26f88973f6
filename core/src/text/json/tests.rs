//! Policy documents from JSON: the tree, and what authors are told.
#![expect(clippy::string_slice, reason = "a test may panic")]

use serde_json::Value;

use super::*;
use crate::ceilings::NAME_BYTES;
use crate::diagnostic::{Diagnostic, Span};
use crate::text::{Content, Node};

fn parse(text: &str) -> (Option<Tree<'_>>, Vec<Diagnostic>) {
    let mut diagnostics = Diagnostics::new(text);
    let tree = parse_json(text, &mut diagnostics);
    (tree, diagnostics.finish())
}

fn value(node: Node<'_>) -> Value {
    match node.content() {
        Content::Null => Value::Null,
        Content::Bool(value) => value.into(),
        Content::Number(literal) => serde_json::from_str(literal).unwrap(),
        Content::String(text) => text.into(),
        Content::Sequence(items) => items.map(value).collect(),
        Content::Mapping(members) => {
            members.map(|(key, member)| (key.text().to_owned(), value(member))).collect()
        }
        Content::Ambiguous { .. } => panic!("JSON is never ambiguous"),
    }
}

#[test]
fn the_tree_is_the_document() {
    let text = r#"{"version": "1", "tools": {"a\u0062": {"rules": [{"op": "in", "value": [1, -2.50e3, true, null, "\\d"]}]}, "c": {}}}"#;
    let (node, diagnostics) = parse(text);
    assert_eq!(diagnostics, []);
    assert_eq!(value(node.unwrap().root()), serde_json::from_str::<Value>(text).unwrap());
}

#[test]
fn spans_are_those_of_the_source() {
    for mark in ["", "\u{feff}"] {
        let text = format!("{mark} {{\"k\\u0065y\": [12.50, \"text\"], \"b\": {{}} }}\n");
        let (node, diagnostics) = parse(&text);
        assert_eq!(diagnostics, []);
        let tree = node.unwrap();
        let node = tree.root();
        let written = |span: Span| &text[span.start as usize..span.end as usize];
        assert_eq!(written(node.span()), text.trim_matches(['\u{feff}', ' ', '\n']));
        let Content::Mapping(members) = node.content() else { panic!() };
        let members: Vec<_> = members.collect();
        let (key, list) = members[0];
        assert_eq!((key.text(), written(key.span())), ("key", r#""k\u0065y""#));
        assert_eq!(written(members[1].1.span()), "{}");
        let Content::Sequence(items) = list.content() else { panic!() };
        let items: Vec<_> = items.collect();
        assert_eq!(written(items[1].span()), "\"text\"");
        assert!(matches!(items[0].content(), Content::Number("12.50")), "the literal as written");
        assert!(matches!(items[1].content(), Content::String("text")));
    }
}

#[test]
fn trap_2_every_duplicate_is_reported_with_its_place() {
    let text = "{\n \"default\": \"deny\",\n \"tools\": {\n  \"a/b\": {\"x\": [{\"k\": 1, \"\\u006b\": 2}]},\n  \"c~\": 1,\n  \"c~\": {\"y\": 0, \"y\": 0, \"y\": 0}\n },\n \"default\": \"allow\"\n}";
    let (node, diagnostics) = parse(text);
    assert!(node.is_some(), "the rest is worth validating");
    let found: Vec<_> = diagnostics.iter().map(|d| (d.code(), d.line(), d.pointer(), d.message())).collect();
    assert_eq!(
        found,
        [
            ("duplicate_key", 4, "/tools/a~1b/x/0/k", "duplicate key `k`, first on line 4"),
            ("duplicate_key", 6, "/tools/c~0", "duplicate key `c~`, first on line 5"),
            ("duplicate_key", 6, "/tools/c~0/y", "duplicate key `y`, first on line 6"),
            ("duplicate_key", 6, "/tools/c~0/y", "duplicate key `y`, first on line 6"),
            ("duplicate_key", 8, "/default", "duplicate key `default`, first on line 2"),
        ]
    );
    assert_eq!(&text[diagnostics[4].byte_range()], "\"default\"");
}

#[test]
fn many_long_duplicates_stay_bounded() {
    let long = "x".repeat(100_000);
    let text = format!("{{\"{long}\":\n{{{}\"a\":0}}}}", "\"a\":0,".repeat(5_000));
    let (_, diagnostics) = parse(&text);
    assert_eq!(diagnostics.len(), DIAGNOSTICS);
    assert!(diagnostics.iter().all(|d| d.pointer().len() < 2 * NAME_BYTES && d.message().len() < 200));
}

#[test]
fn syntax_errors_say_what_to_do() {
    for (text, message, help) in [
        ("{\"a\": 1,}", "expected a key in double quotes, found `}`", "remove the comma"),
        ("[1, 2,\n]", "expected a value, found `]`", "remove the comma"),
        ("{,}", "expected a key in double quotes or `}`, found `,`", "remove this comma"),
        ("{// note\n}", "expected a key in double quotes or `}`, found `/`", "no comments"),
        ("{} # note", "expected the end of the document, found `#`", "no comments"),
        ("{'a': 1}", "expected a key in double quotes or `}`, found `'`", "double quotes"),
        ("{\"a\": “x”}", "expected a value, found `“`", "double quotes"),
        ("{default: 1}", "expected a key in double quotes or `}`, found `default`", "keys in double quotes"),
        ("{\"a\": deny}", "expected a value, found `deny`", "text in double quotes"),
        ("[True]", "expected a value or `]`, found `True`", "write `true`"),
        ("[None]", "expected a value or `]`, found `None`", "write `null`"),
        ("[NaN]", "expected a value or `]`, found `NaN`", "no such number"),
        ("[.5]", "expected a value or `]`, found `.5`", "digits on both sides"),
        ("[007]", "`07` is not a number", "leading zero"),
        ("[1_000]", "expected `,` or `]`, found `_000`", "comma"),
        ("{\"a\": 1 \"b\": 2}", "expected `,` or `}`, found `\"`", "comma missing"),
        ("[1 2]", "expected `,` or `]`, found `2`", "comma missing"),
        (
            "[aaaaaaaabbbbbbbbccccccccdddddddde]",
            "expected a value or `]`, found `aaaaaaaabbbbbbbbccccccccdddddddd…`",
            "text in double quotes",
        ),
        ("{\"a\" = 1}", "expected `:`, found `=`", "by `:`"),
        ("[\"a\n\"]", "the line ends within a string", "close the string"),
        ("[\"a\tb\"]", "a string holds the control character U+0009", "write it as"),
        ("[\"\\d+\"]", "`\\d` is not an escape", "write `\\\\`"),
        ("[\"\\ud800x\"]", "`\\ud800` is half of a character", "both halves"),
        ("[\"abc", "this string is not closed", "close it"),
        ("{\"a\": ", "the document ends where a value is expected", ""),
        ("", "the document ends where a value is expected", ""),
        ("\u{feff}\u{feff}{}", "unexpected byte order mark", ""),
        ("{\"a\": \u{1}}", "expected a value, found the control character U+0001", ""),
    ] {
        let (node, diagnostics) = parse(text);
        assert!(node.is_none());
        let [diagnostic] = &diagnostics[..] else { panic!("{text}: {diagnostics:?}") };
        assert_eq!((diagnostic.code(), diagnostic.message()), ("syntax", message), "{text}");
        let said = diagnostic.help().unwrap_or_default();
        assert!(said.contains(help) && said.is_empty() == help.is_empty(), "{text}: {said}");
        assert!(text.get(diagnostic.byte_range()).is_some());
    }
    let (_, diagnostics) = parse("{\n  \"a\": é\n}");
    assert_eq!((diagnostics[0].line(), diagnostics[0].column()), (2, 8));
}

#[test]
fn trap_5_depth_and_size() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(&nested(DOCUMENT_DEPTH)).0.is_some());
    for depth in [DOCUMENT_DEPTH + 1, 100_000] {
        let text = nested(depth);
        let (node, diagnostics) = parse(&text);
        assert!(node.is_none());
        assert_eq!((diagnostics[0].code(), diagnostics[0].column()), ("too_deep", DOCUMENT_DEPTH as u32 + 1));
    }
    let large = " ".repeat(DOCUMENT_BYTES + 1);
    assert_eq!(parse(&large).1[0].code(), "too_large");
}
