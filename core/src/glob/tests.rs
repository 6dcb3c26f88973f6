//! Tests of globs: the syntax by example, and matcher and index against slow ones that are obviously right.

#![expect(clippy::arithmetic_side_effects, reason = "an overflow fails the test")]

use proptest::prelude::*;
use smallvec::SmallVec;

use super::*;

fn glob(text: &str) -> Glob {
    Glob::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn matches(glob: &Glob, name: &str) -> bool {
    glob.matches(name, &mut Work::of(u64::MAX)).unwrap()
}

#[track_caller]
fn check(pattern: &str, matching: &[&str], others: &[&str]) {
    let glob = glob(pattern);
    for name in matching {
        assert!(matches(&glob, name), "`{pattern}` on `{name}`");
    }
    for name in others {
        assert!(!matches(&glob, name), "`{pattern}` on `{name}`");
    }
}

#[test]
fn wildcards() {
    check(
        "read_*",
        &["read_", "read_file", "read_a.b/c", "read_*", "read_\n"],
        &["read", "xread_", "Read_x", ""],
    );
    check("*_delete", &["_delete", "a/b._delete"], &["_delete2", "delete"]);
    check("a*b*c", &["abc", "aXbXc", "abbcc", "abcbc"], &["ab", "ac", "abcd", "cba"]);
    check("ab*ba", &["abba", "ab-ba"], &["aba", "ab"]);
    // A beginning, or an end, that would be half of a code point.
    check("ab*", &["ab", "abé"], &["aé", "é"]);
    check("*ba", &["ba", "éba"], &["éa", "é"]);
    check("*", &["", "x", "*", "é\u{200b}"], &[]);
    check("**", &["", "x"], &[]);
    check("?", &["a", "é", "𝒳", "/", "."], &["", "ab", "e\u{301}"]);
    check("a?c", &["abc", "aéc", "a𝒳c"], &["ac", "abbc"]);
    check("*?", &["a", "éé"], &[""]);
}

#[test]
fn trap_17_only_exact_code_points_match() {
    check("réad*", &["réad_x"], &["re\u{301}ad_x", "Réad_x"]);
    check("[k]", &["k"], &["K", "\u{212a}"]);
    check("s*", &["s"], &["ſ"]);
}

#[test]
fn classes() {
    check("[abc]x", &["ax", "cx"], &["dx", "x", "abcx"]);
    check("[a-c0-2]", &["b", "1"], &["-", "3", "d"]);
    check("[!a-c]", &["d", "é", "]"], &["a", "", "dd"]);
    check("[]a]", &["]", "a"], &["[", ""]);
    check("[!]a]", &["x", "["], &["]", "a"]);
    check("[-a]", &["-", "a"], &["b"]);
    check("[a-]", &["-", "a"], &["b"]);
    check("[!-a]", &["b"], &["-", "a"]);
    check("[a!^]", &["!", "^", "a"], &["b"]);
    check("[*]", &["*"], &["a", ""]);
    check("[[]", &["["], &["]"]);
    check("[{]x[}]", &["{x}"], &["x"]);
    check("[а-яё]", &["ж", "ё"], &["z"]);
    check("[,-.]", &[",", "-", "."], &["/"]);
}

#[test]
fn alternatives() {
    check("{read,list}_*", &["read_x", "list_"], &["reads_x", "_x", "read"]);
    check("x{,_y}", &["x", "x_y"], &["x_", "x,"]);
    check("{}", &[""], &["{}"]);
    check("{a}", &["a"], &["{a}"]);
    check("{a,b{c,d{e,f}}}g", &["ag", "bcg", "bdeg", "bdfg"], &["bg", "bdg", "acg"]);
    check("{a*,?b}{c,[de]}", &["ac", "axxd", "xbe"], &["a", "xc"]);
    check("{[a,]x,b}", &["ax", ",x", "b"], &["x"]);
    check("a,b*", &["a,b", "a,bc"], &["a"]);
    check("x{ab,a}b", &["xabb", "xab"], &["xb"]);
}

#[test]
fn a_backslash_is_an_ordinary_character() {
    check("a\\*", &["a\\", "a\\x"], &["a*"]);
    check("[\\]x", &["\\x"], &["]x"]);
}

#[test]
fn plain_names_match_themselves() {
    for name in ["", "a", "a}b]c,d\\", "réad"] {
        assert!(!Glob::is_glob(name));
        check(name, &[name], &["x", "aa"]);
    }
    for pattern in ["*", "a?", "[a]", "{a"] {
        assert!(Glob::is_glob(pattern));
    }
}

#[test]
fn trap_7_what_cannot_be_expressed_is_an_error() {
    for (pattern, piece) in [
        ("[a", "`[` of the pattern is never closed"),
        ("[]", "`[` of the pattern is never closed"),
        ("[!]", "`[` of the pattern is never closed"),
        ("[a-", "`[` of the pattern is never closed"),
        ("[z-a]", "`z-a` of the pattern runs backwards"),
        ("{a,b", "`{` of the pattern is never closed"),
        ("{a,{b}", "`{` of the pattern is never closed"),
        ("{a}}", "`}` of the pattern closes no `{`"),
        ("*}", "`}` of the pattern closes no `{`"),
        ("{a,[}]", "`{` of the pattern is never closed"),
    ] {
        let error = Glob::parse(pattern).unwrap_err();
        assert!(error.message.contains(piece), "{pattern}: {error}");
    }
}

#[test]
fn ceilings() {
    let wide = |count: usize| format!("{{{}}}*", vec!["a"; count].join(","));
    assert!(Glob::parse(&wide(GLOB_ALTERNATIVES)).is_ok());
    assert!(Glob::parse(&wide(GLOB_ALTERNATIVES + 1)).is_err());
    assert!(Glob::parse(&"{a,b}".repeat(8)).is_ok());
    assert!(Glob::parse(&"{a,b}".repeat(9)).is_err());
    assert!(Glob::parse(&"{a,b}".repeat(200)).is_err());
    assert!(Glob::parse(&format!("{}*", "é".repeat(NAME_BYTES / 2))).is_err());
    // As many steps as there are bytes, and positions beyond a word of the set.
    check(&"?".repeat(NAME_BYTES), &[&"é".repeat(NAME_BYTES)], &[&"é".repeat(NAME_BYTES - 1)]);
    check(
        &"{".repeat(NAME_BYTES / 2).chars().chain("}".repeat(NAME_BYTES / 2).chars()).collect::<String>(),
        &[""],
        &["x"],
    );
}

/// More globs than are looked at one by one, alike but for what no index goes by.
#[test]
fn crowds_are_found_by_their_ends() {
    for (pattern, matching, other) in [
        ("*x", "ax", "xa"),
        ("x*", "xa", "ax"),
        ("x*z", "xaz", "xz_"),
        ("x[ab]*", "xbc", "xc"),
        ("?", "a", "ab"),
    ] {
        let globs = vec![Glob::parse(pattern).unwrap(); 20];
        let index = GlobIndex::new(globs);
        for (name, expected) in [(matching, 20), (other, 0)] {
            let mut found = SmallVec::new();
            index.matching(name, &mut Work::of(u64::MAX), &mut found).unwrap();
            assert!(found.iter().copied().eq(0..expected), "{pattern} on {name}: {found:?}");
        }
    }
}

#[test]
fn hostile_names_take_no_longer_than_both_lengths() {
    let name = "a".repeat(100_000);
    check(&format!("{}b", "*a".repeat(500)), &[], &[&name]);
    check(&format!("{}{}", "{a,b}".repeat(8), "*aaaaaaaab".repeat(90)), &[], &[&name]);
}

/// Every pattern that the braces stand for.
fn expand(pattern: &[char]) -> Vec<Vec<char>> {
    let mut at = 0;
    while at < pattern.len() && pattern[at] != '{' {
        at = if pattern[at] == '[' { class_end(pattern, at) } else { at + 1 };
    }
    if at == pattern.len() {
        return vec![pattern.to_vec()];
    }
    let (mut depth, mut cuts, mut end) = (0, vec![at], at);
    loop {
        match pattern[end] {
            '[' => end = class_end(pattern, end) - 1,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => cuts.push(end),
            _ => {}
        }
        if depth == 0 {
            break;
        }
        end += 1;
    }
    cuts.push(end);
    let with = |cut: &[usize]| [&pattern[..at], &pattern[cut[0] + 1..cut[1]], &pattern[end + 1..]].concat();
    cuts.windows(2).flat_map(|cut| expand(&with(cut))).collect()
}

/// Behind the class that begins at `start`.
fn class_end(pattern: &[char], start: usize) -> usize {
    let negated = pattern[start + 1] == '!';
    let first = start + 1 + usize::from(negated);
    first + 1 + pattern[first + 1..].iter().position(|char| *char == ']').unwrap() + 1
}

fn slow(pattern: &[char], name: &[char]) -> bool {
    match (pattern.first(), name.first()) {
        (None, None) => true,
        (None, Some(_)) => false,
        (Some('*'), _) => slow(&pattern[1..], name) || (!name.is_empty() && slow(pattern, &name[1..])),
        (Some(_), None) => false,
        (Some('?'), Some(_)) => slow(&pattern[1..], &name[1..]),
        (Some('['), Some(char)) => {
            let end = class_end(pattern, 0);
            let negated = pattern[1] == '!';
            let members = &pattern[1 + usize::from(negated)..end - 1];
            let listed = match members {
                [low, '-', high] => (low..=high).contains(&char),
                members => members.contains(char),
            };
            listed != negated && slow(&pattern[end..], &name[1..])
        }
        (Some(literal), Some(char)) => literal == char && slow(&pattern[1..], &name[1..]),
    }
}

fn pattern() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[abé_]",
        2 => Just("*".to_owned()),
        1 => Just("?".to_owned()),
        1 => prop::sample::select(vec!["[ab]", "[!a]", "[!é_]", "[a-c]", "[]a]", "[,}]", "[{*]"]).prop_map(str::to_owned),
    ];
    let text = prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat());
    text.prop_recursive(2, 12, 3, |inner| {
        (inner.clone(), prop::collection::vec(inner.clone(), 1..4), inner).prop_map(
            |(before, alternatives, behind)| format!("{before}{{{}}}{behind}", alternatives.join(",")),
        )
    })
}

fn name() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "c", "é", "_", "]", ",", "{", "}"]), 0..8)
        .prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn matches_as_a_slow_matcher_does(pattern in pattern(), name in name()) {
        // Too many alternatives are an error, which another test shows.
        if let Ok(glob) = Glob::parse(&pattern) {
            let name_chars: Vec<char> = name.chars().collect();
            let chars: Vec<char> = pattern.chars().collect();
            let alternatives = if Glob::is_glob(&pattern) { expand(&chars) } else { vec![chars] };
            let expected = alternatives.iter().any(|pattern| slow(pattern, &name_chars));
            prop_assert_eq!(matches(&glob, &name), expected, "`{}` on `{}`", pattern, name);
            prop_assert!(glob.prefixes().len() <= GLOB_ALTERNATIVES);
            if expected {
                let mut rest = &*name;
                for literal in glob.literals() {
                    let found = rest.split_once(&*literal);
                    prop_assert!(found.is_some(), "`{}` of `{}` in `{}`", literal, pattern, name);
                    rest = found.unwrap().1;
                }
            }
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn the_index_finds_what_a_linear_search_finds(
        patterns in prop::collection::vec(pattern(), 0..120),
        names in prop::collection::vec(name(), 1..10),
        known in prop::collection::vec(0_u32..3, 0..3),
    ) {
        let globs: Vec<Glob> = patterns.iter().filter_map(|pattern| Glob::parse(pattern).ok()).collect();
        let index = GlobIndex::new(globs.clone());
        for name in &names {
            // What was in the list before stays there.
            let mut found: SmallVec<[u32; 8]> = known.iter().copied().collect();
            index.matching(name, &mut Work::of(u64::MAX), &mut found).unwrap();
            let linear = (0_u32..).zip(&globs).filter(|(_, glob)| matches(glob, name)).map(|(at, _)| at);
            let expected: Vec<u32> = known.iter().copied().chain(linear).collect();
            prop_assert_eq!(found.to_vec(), expected, "{}", name);
        }
    }
}
