//! Tests of the YAML loader: what it builds, what it refuses and where, and that nothing grows without bound.

use std::fmt::Write as _;

use super::*;
use crate::ceilings::{ALIAS_NODES, DIAGNOSTICS};
use crate::diagnostic::Diagnostic;
use crate::text::Node;

fn load(text: &str) -> (Option<Tree<'_>>, Vec<Diagnostic>) {
    let mut diagnostics = Diagnostics::new(text);
    let tree = parse_yaml(text, &mut diagnostics);
    (tree, diagnostics.finish())
}

/// `1` is a number, `"1"` a string, `?1` ambiguous, `w?no` an ambiguous word.
fn show(node: Node<'_>) -> String {
    match node.content() {
        Content::Null => "null".into(),
        Content::Bool(value) => value.to_string(),
        Content::Number(text) => text.to_string(),
        Content::String(text) => format!("{text:?}"),
        Content::Ambiguous { text, word } => format!("{}?{text}", if word { "w" } else { "" }),
        Content::Sequence(nodes) => format!("[{}]", nodes.map(show).collect::<Vec<_>>().join(", ")),
        Content::Mapping(entries) => {
            let entries = entries.map(|(key, node)| format!("{}: {}", key.text(), show(node)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

#[track_caller]
fn gives(text: &str, expected: &str) {
    let (tree, diagnostics) = load(text);
    assert_eq!(diagnostics, [], "{text}");
    assert_eq!(show(tree.unwrap().root()), expected, "{text}");
}

/// Each expected diagnostic as `line:column code pointer`.
#[track_caller]
fn refuses(text: &str, expected: &[&str]) -> Vec<Diagnostic> {
    let (_, diagnostics) = load(text);
    let found: Vec<String> = diagnostics
        .iter()
        .map(|found| {
            format!("{}:{} {} {}", found.line, found.column, found.code, found.pointer).trim_end().to_owned()
        })
        .collect();
    assert_eq!(found, expected, "{text}");
    for found in &diagnostics {
        assert!(!found.message.is_empty() && !found.message.contains('\n'), "{found}");
    }
    diagnostics
}

#[test]
fn both_styles_give_the_same_tree() {
    let tree = r#"{tools: {read_*: {rules: [{rate_limit: "5/hour"}, {max: 50000}]}, list: null}}"#;
    gives("tools:\n  \"read_*\":\n    rules:\n    - rate_limit: 5/hour\n    - max: 50000\n  list:\n", tree);
    gives("{tools: {'read_*': {rules: [{rate_limit: 5/hour}, {max: 50000}]}, list: }}", tree);
    gives(r#"{"tools":{"read_*":{"rules":[{"rate_limit":"5/hour"},{"max":50000}]},"list":null}}"#, tree);
}

#[test]
fn an_empty_document_is_null() {
    for text in ["", "\u{feff}", "# only this\n", "---\n", "---\n...\n", "~", "\n\n"] {
        gives(text, "null");
    }
}

#[test]
fn scalars_by_style_and_tag() {
    gives(
        "- 'no'\n- \"1\"\n- |\n  1\n- >-\n  no\n- !!str 1_0\n- ! 'no'\n- !!str\n",
        r#"["no", "1", "1\n", "no", "1_0", "no", ""]"#,
    );
    gives(
        "- no\n- 1_0\n- 1\n- .5\n- +1\n- ~\n-\n- yes sir\n- True\n",
        r#"[w?no, ?1_0, 1, 0.5, 1, null, null, "yes sir", true]"#,
    );
    gives("a: one\n  two\nb: \"x\\u00e9\\n\"\n", "{a: \"one two\", b: \"xé\\n\"}");
    gives("!<tag:yaml.org,2002:str> 1", "\"1\"");
}

#[test]
fn text_is_borrowed_where_it_stands_as_it_is() {
    for (text, own) in
        [("a: plain é\nb: 'quoted'\nc: \"double\"\nd: 12\ne: no\n", 0), ("a: \"\\n\"\nb: +1\n'c''': x\n", 3)]
    {
        let tree = load(text).0.unwrap();
        let copied = (0..tree.len()).filter(|at| tree.node(*at).has_own_text()).count();
        assert_eq!(copied, own, "{text}");
    }
}

#[test]
fn spans_are_bytes_behind_other_than_ascii() {
    let text = "\u{feff}é: [ü, 'ñ', \"\\n\"]\n\"ключ\":\n  - a: 1\n    b: {c: ~}\n\n# end\n";
    let (node, diagnostics) = load(text);
    assert_eq!(diagnostics, []);
    let mut out = String::new();
    let slice = |span: Span| &text[span.start as usize..span.end as usize];
    let tree = node.unwrap();
    let mut open = vec![tree.root()];
    while let Some(node) = open.pop() {
        write!(out, "‹{}›", slice(node.span())).unwrap();
        match node.content() {
            Content::Sequence(nodes) => open.extend(nodes.collect::<Vec<_>>().into_iter().rev()),
            Content::Mapping(entries) => {
                for (key, node) in entries.collect::<Vec<_>>().into_iter().rev() {
                    write!(out, "({})", slice(key.span())).unwrap();
                    open.push(node);
                }
            }
            _ => {}
        }
    }
    let list = "- a: 1\n    b: {c: ~}";
    let map = "a: 1\n    b: {c: ~}";
    let root = text.trim_start_matches('\u{feff}').trim_end_matches("\n\n# end\n");
    assert_eq!(
        out,
        format!(
            "‹{root}›(\"ключ\")(é)‹[ü, 'ñ', \"\\n\"]›‹ü›‹'ñ'›‹\"\\n\"›‹{list}›‹{map}›(b)(a)‹1›‹{{c: ~}}›(c)‹~›"
        )
    );
}

#[test]
fn keys_are_text_as_written() {
    gives(
        "no: 1\n1: 2\ntrue: 3\n1.50: 4\n'~': 5\n'<<': 6\n'1_0': 7\n\"\": 8\n? c\n: 9\n",
        "{no: 1, 1: 2, true: 3, 1.50: 4, ~: 5, <<: 6, 1_0: 7, : 8, c: 9}",
    );
}

#[test]
fn keys_that_are_none() {
    refuses("a: {~: 1, b: 2}\n: 3\nnull: 4\n", &["1:5 bad_key /a", "2:1 bad_key", "3:1 bad_key"]);
    refuses("x: {[a]: 1, {b: 2}: 3}\n? - c\n: 4\n", &["1:5 bad_key /x", "1:13 bad_key /x", "2:3 bad_key"]);
    // Only what the errors name is left out, and what follows is checked still.
    let (node, diagnostics) = load("~: {~: 1, a: 1, a: 2}\nkeep: {{ x: [y] }: 2}\nlast: [1]\n");
    assert_eq!(show(node.unwrap().root()), "{keep: {}, last: [1]}");
    let codes: Vec<_> = diagnostics.iter().map(Diagnostic::code).collect();
    assert_eq!(codes, ["bad_key", "bad_key", "duplicate_key", "bad_key"]);
}

#[test]
fn trap_4_keys_that_readers_type_differently() {
    let found = refuses(
        "t:\n  1_000: a\n  0o17: b\n  2026-01-01: c\n",
        &[
            "2:3 ambiguous_scalar /t/1_000",
            "3:3 ambiguous_scalar /t/0o17",
            "4:3 ambiguous_scalar /t/2026-01-01",
        ],
    );
    assert_eq!(found[0].message, "YAML readers do not agree what the key `1_000` is");
}

#[test]
fn merge_keys_are_refused() {
    let found = refuses("a: &a {b: 1}\nc:\n  <<: *a\n  d: 2\n", &["3:3 merge_key /c/<<"]);
    assert!(found[0].help.as_ref().unwrap().contains("repeat the fields"));
}

#[test]
fn trap_2_duplicate_keys() {
    let found = refuses(
        "a: 1\nb:\n  c/~: 1\n  'c/~': 2\na: 3\n\"a\": 4\n",
        &["4:3 duplicate_key /b/c~1~0", "5:1 duplicate_key /a", "6:1 duplicate_key /a"],
    );
    assert_eq!(found[0].message, "key `c/~` is already on line 3");
    assert_eq!(found[2].message, "key `a` is already on line 1");
    refuses(
        "[{é: 1, \"\\u00e9\": 2}, {1: a, '1': b}]",
        &["1:9 duplicate_key /0/é", "1:30 duplicate_key /1/1"],
    );
}

#[test]
fn trap_2_duplicates_are_found_on_both_sides_of_the_hash() {
    for count in [1, 15, 16, 17, 18, 40, 3000] {
        for (first, second) in [(0, count), (count / 2, count), (count / 2, count / 2 + 1)] {
            let mut keys: Vec<String> = (0..count).map(|key| format!("k{key}: {{x: 1}}\n")).collect();
            keys.insert(second, format!("k{first}: 2\n"));
            let expected = format!("{}:1 duplicate_key /k{first}", second + 1);
            refuses(&keys.concat(), &[&expected]);
        }
    }
}

#[test]
fn a_hundred_thousand_duplicates_are_counted() {
    let text: String = (0..200_000).map(|key| format!("k{}: 1\n", key % 100_000)).collect();
    let mut diagnostics = Diagnostics::new(&text);
    parse_yaml(&text, &mut diagnostics);
    assert!(diagnostics.has_errors());
    assert_eq!(diagnostics.finish().len(), DIAGNOSTICS);
}

#[test]
fn tags_are_refused() {
    let found = refuses(
        "a: !!int 3\nb: !x [1]\nc: !!str {d: 1}\ne: ! [1]\n",
        &["1:4 yaml_tag /a", "2:4 yaml_tag /b", "3:4 yaml_tag /c", "4:4 yaml_tag /e"],
    );
    assert_eq!(found[0].message, "a policy takes no YAML tag, found `!!int`");
    refuses("!!python/object:x.y {}\n", &["1:1 yaml_tag"]);
}

#[test]
fn anchors_and_aliases() {
    gives("a: &x {b: [1, &y no]}\nc: *x\nd: *y\n", "{a: {b: [1, w?no]}, c: {b: [1, w?no]}, d: w?no}");
    gives(
        "- &a [&b [1, &c 2], *b]\n- *a\n- [*c]\n- *b\n",
        "[[[1, 2], [1, 2]], [[1, 2], [1, 2]], [2], [1, 2]]",
    );
    gives("&k key: &e\nb: *k\nc: *e\n", "{key: null, b: \"key\", c: null}");
    gives("a: &n name\nb: {*n : 1}\n", "{a: \"name\", b: {name: 1}}");
    // The nearest definition above counts.
    gives("[&a 1, *a, &a 2, *a]", "[1, 1, 2, 2]");
    // What stays open around an alias can be complete in part.
    gives(
        "a:\n  - {b: &q [x]}\n  - c: &r {d: *q}\n    e: [*r, *q]\n",
        r#"{a: [{b: ["x"]}, {c: {d: ["x"]}, e: [{d: ["x"]}, ["x"]]}]}"#,
    );
}

#[test]
fn aliases_that_lead_nowhere() {
    let found = refuses("a: 1\nb: *nope\n", &["2:4 syntax"]);
    assert_eq!(found[0].message, "the alias `*nope` names no anchor");
    let found = refuses("tools:\n  *: {}\n", &["2:3 syntax"]);
    assert!(found[0].help.as_ref().unwrap().contains("quote text that begins with `*`"));
    refuses("a: &a [1, *a]\n", &["1:11 syntax /a/1"]);
    refuses("&r\na: {b: *r}\n", &["2:8 syntax /a/b"]);
    refuses("a: &n 1\n*n : 2\n", &["2:1 bad_key"]);
    // The anchor was left out with the key that is none; its error is enough.
    refuses("~: &x [1]\nb: *x\n", &["1:1 bad_key"]);
}

#[test]
fn trap_5_alias_bombs() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        writeln!(bomb, "a{level}: &a{level} [{aliases}]").unwrap();
    }
    let (node, found) = load(&bomb);
    assert!(node.is_none());
    assert_eq!(found.iter().map(Diagnostic::code).collect::<Vec<_>>(), ["alias_bomb"]);
    // Long text counts too, as a value and as a key: 2,000 times 64 KiB.
    let long = "x".repeat(65_536);
    for (text, alias) in [
        (format!("\"\\n{long}\""), "*a,"),
        (long.clone(), "*a,"),
        (format!("1{}", "0".repeat(65_536)), "*a,"),
        (format!("1_{}", "0".repeat(65_536)), "*a,"),
        (long, "{*a : 1},"),
    ] {
        let text = format!("a: &a {text}\nb: [{}]\n", alias.repeat(2_000));
        assert_eq!(load(&text).1[0].code(), "alias_bomb", "{}", &text[..20]);
    }
}

#[test]
fn the_ceiling_for_aliases_is_exact() {
    for (count, fits) in [(ALIAS_NODES, true), (ALIAS_NODES + 1, false)] {
        let text = format!("[&a x, {}]", "*a,".repeat(count));
        assert_eq!(load(&text).1.is_empty(), fits, "{count}");
    }
}

#[test]
fn trap_5_deep_nesting() {
    let deep = |open: &str, close: &str, levels: usize| open.repeat(levels) + &close.repeat(levels);
    for (open, close) in [("[", "]"), ("- ", ""), ("{a: ", "}"), ("? ", ""), ("{? ", "}")] {
        assert!(load(&deep(open, close, DOCUMENT_DEPTH / 2)).0.is_some(), "{open}");
        for levels in [DOCUMENT_DEPTH + 1, 300, 100_000] {
            let text = deep(open, close, levels);
            let (node, found) = load(&text);
            assert!(node.is_none(), "{open}");
            let first = found.iter().find(|found| found.code() != "bad_key").unwrap();
            assert_eq!(first.code(), "too_deep", "{open}");
        }
    }
    assert_eq!(load(&deep("[", "]", DOCUMENT_DEPTH)).1, []);
    assert_eq!(load(&deep("- ", "", DOCUMENT_DEPTH)).1, []);
    // Block and flow collections count together.
    let mixed = |flow: usize| "- ".repeat(40) + &deep("[", "]", flow);
    assert_eq!(load(&mixed(24)).1, []);
    assert_eq!(load(&mixed(25)).1[0].code(), "too_deep");
    // So do aliases, though no part of the text is deep.
    let chain: String = (0..=DOCUMENT_DEPTH).map(|at| format!("- &a{} [*a{at}]\n", at + 1)).collect();
    assert_eq!(load(&format!("- &a0 x\n{chain}")).1[0].code(), "too_deep");
}

#[test]
fn one_document_only() {
    let found = refuses("a: 1\n---\nb: 2\n", &["2:1 syntax"]);
    assert_eq!(found[0].message, "a second document begins here");
    refuses("a: 1\n...\n---\n", &["3:1 syntax"]);
    gives("%YAML 1.2\n---\na: 1\n...\n", "{a: 1}");
}

#[test]
fn syntax_errors_have_a_place_and_help() {
    let help = |text: &str, place: &str, help: &str| {
        let found = refuses(text, &[place]);
        let all = format!("{} {}", found[0].message, found[0].help.as_deref().unwrap_or_default());
        assert!(all.contains(help), "{all}");
    };
    help("a:\n\tb: 1\n", "2:2 syntax", "spaces");
    help("a:\n  - b\n\t- c\n", "3:1 syntax", "spaces");
    help("é: [1, 2\n", "1:4 syntax", "`[` is never closed");
    help("a: [1}\n", "1:4 syntax", "`[` is closed by `}`");
    help("a: ]\n", "1:4 syntax", "`]` closes nothing");
    help("a: 'x\n", "2:1 syntax", "close the quote");
    help("a: \"\\d+\"\n", "1:4 syntax", "double the backslash");
    help("a: 'x' y\n", "1:8 syntax", "closing quote");
    help("a: @x\n", "1:4 syntax", "quote the text");
    help("a: x\u{0}\n", "1:5 syntax", "U+0000");
    help("a: b: c\n", "1:5 syntax", "`: `");
    help("a: 1\nb\n", "2:1 syntax", "`key: value`");
    help("a: 1\n b: 2\n", "2:3 syntax", "indentation");
    help("a: !x!y z\n", "1:4 syntax", "tag");
}

#[test]
fn long_keys_do_not_multiply_into_diagnostics() {
    let key = "k".repeat(100_000);
    let text = format!("? {key}\n: {{{}}}\n", "a: 1, ".repeat(500));
    let (_, found) = load(&text);
    assert_eq!(found.len(), 499);
    assert!(found.iter().all(|found| found.pointer.is_empty() && found.message.len() < 500));
}

#[test]
fn any_mixture_of_indicators_gives_a_tree_or_an_error() {
    // A fixed xorshift sequence: the same 20,000 texts each time.
    let pieces = [
        "a", "é", "1_0", "no", "- ", ": ", "? ", "\n", "  ", "\t", "[", "]", "{", "}", ", ", "&a ", "*a ",
        "!!str ", "! ", "'", "\"", "\\", "|", ">", "#", "%", "@", "---", "...", "\r\n", "\u{feff}", "<<",
        "~", "\u{0}", "\u{85}", ":", "-",
    ];
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..12 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            text.push_str(pieces[(state % pieces.len() as u64) as usize]);
        }
        let (node, found) = load(&text);
        assert!(node.is_some() || !found.is_empty(), "{text:?}");
        for found in found {
            assert!(text.get(found.byte_range()).is_some(), "{text:?} {found}");
        }
    }
}

/// Other readers begin a new line at these, so that what follows is part of a comment to some and a rule to others.
#[test]
fn what_ends_a_line_to_some_readers_only_is_refused() {
    for (c, message) in [
        ('\r', "a carriage return alone"),
        ('\u{85}', "the character U+0085"),
        ('\u{2028}', "the character U+2028"),
        ('\u{2029}', "the character U+2029"),
        ('\u{feff}', "a byte order mark"),
    ] {
        // With the column of each error.
        for (text, columns) in [
            (format!("# a{c}b: 1\na: 1\n"), &[4][..]),
            (format!("a: b{c}c\n"), &[5]),
            (format!("a: 'b{c} c'\n"), &[6]),
            (format!("a: \"b\" # {c} {c} \n"), &[10, 12]),
            (format!("a: 1{c} "), &[5]),
            (format!("a: [\"b\", b{c}c]\n"), &[11]),
            (format!("a: [\"b\\\"\", \"\" ,'{c}']\n"), &[17]),
            (format!("\u{feff}a: 1 #{c} \n"), &[7]),
            (format!("\u{feff}{c}a: 1\n"), &[1]),
        ] {
            let (_, found) = load(&text);
            let places: Vec<_> = found
                .iter()
                .filter(|found| found.message().starts_with(message))
                .map(|found| (found.code(), found.line(), found.column()))
                .collect();
            let expected: Vec<_> = columns.iter().map(|column| ("syntax", 1, *column)).collect();
            assert_eq!(places, expected, "{text:?}: {found:?}");
        }
        // In double quotes every reader sees where the text ends.
        let quoted = format!("\"\u{e9}{c}\": 1\na: [\"b{c} c\", {{\"d\": \"{c}\"}}]\nb: \"\\u2028\"\n");
        if c != '\r' {
            assert!(load(&quoted).1.is_empty(), "{quoted:?}");
        }
    }
    assert!(load("\u{feff}a: 1\r\n# \u{e9}\r\nb: |\r\n  c\r").1.is_empty());
    // However many there are, and whatever else is wrong.
    let (_, found) = load(&format!("# {}\na: [\n", "\u{2028}".repeat(5_000)));
    assert_eq!(found.len(), DIAGNOSTICS);
}
