//! Tests of patterns: RE2's meaning where the `regex` crate has another, refusals, ceilings and weights.

use super::*;

fn pattern(text: &str) -> Pattern {
    Pattern::compile(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[track_caller]
fn check(text: &str, matching: &[&str], others: &[&str]) {
    let pattern = pattern(text);
    for name in matching {
        assert!(pattern.is_match(name), "`{text}` on {name:?}");
    }
    for name in others {
        assert!(!pattern.is_match(name), "`{text}` on {name:?}");
    }
}

#[test]
fn searches_are_unanchored() {
    check("b", &["abc"], &["ac", ""]);
    check("^b$", &["b"], &["ab", "b\n", "a\nb"]);
    check("(?m)^b$", &["a\nb\nc"], &["ab"]);
    check("", &["", "x"], &[]);
    check("a.c", &["aéc"], &["a\nc"]);
    check("(?s)a.c", &["a\nc"], &[]);
    check("(?U)a+?$", &["aa"], &["b"]);
}

#[test]
fn perl_classes_are_ascii() {
    check(r"^\d+$", &["019"], &["١", "１"]);
    check(r"^\D$", &["١", "x"], &["1"]);
    check(r"^\w+$", &["aZ_9"], &["é", "ſ", "-"]);
    check(r"^\W$", &["é", " "], &["a", "_"]);
    check(r"^\s$", &["\t", "\n", "\x0c", "\r", " "], &["\x0b", "\u{a0}", "\u{85}"]);
    check(r"^\S$", &["\x0b", "\u{a0}"], &[" "]);
    check(r"^[\d\-x]+$", &["1-x"], &["١"]);
    check(r"^[^\d]$", &["١", "a"], &["1"]);
    check(r"^[\D5]$", &["5", "a", "é"], &["4"]);
    check(r"^[^\W_]$", &["a", "1"], &["_", "é"]);
    check(r"^[[:alpha:]\s]$", &["a", " "], &["é", "1"]);
    check(r"^[\[\w\]]+$", &["[a]"], &["-"]);
}

#[test]
fn word_boundaries_are_ascii() {
    check(r"\bid\b", &["id", "x id y", "éidé"], &["idx", "_id"]);
    check(r"a\b", &["aé", "a"], &["ab"]);
    check(r"\Bid", &["xid"], &["id", "éid"]);
    check(r"é\B", &["éé", "é ", "é"], &["éa"]);
    check(r"^\B$", &[""], &["a"]);
    // Not between the bytes of one character.
    check(r"\B", &["aa", "é"], &["aéa", "a"]);
}

#[test]
fn what_both_have_stays() {
    check(r"^\pL+$", &["éa"], &["1"]);
    check(r"^\p{Greek}$", &["λ"], &["l"]);
    check(r"^\p{Lu}\P{Lu}\p{Any}[\p{Cyrillic}\pN]$", &["Aa-\u{436}", "\u{c9}\u{e9}x7"], &["aa-7"]);
    check("^a{2,3}b{0}c{1,}?$", &["aac", "aaacc"], &["ac", "aabc"]);
    // Folding adds what folds to a letter of the class, as in RE2.
    check(r"(?i)^\w$", &["a", "Z", "\u{17f}", "\u{212a}"], &["\u{e9}", "-"]);
    check(r"(?i)^[\w-]$", &["\u{17f}", "-"], &["\u{e9}"]);
    check(r"(?i)^\W$", &["-", "\u{e9}"], &["s", "\u{17f}", "\u{212a}"]);
    check(r"(?i)^\d$", &["7"], &["\u{661}"]);
    check(r"^[^\PN]$", &["١"], &["a"]);
    check(r"^[[:^alpha:][:digit:]]$", &["1", "é"], &["a"]);
    check(r"^(?P<x>a)(?<y>b)(?:c)(d)$", &["abcd"], &["abc"]);
    check(r"^(?i:É)x$", &["éx"], &["éX"]);
    check(r"^\x41\x{e9}\.\-\/$", &["Aé.-/"], &[]);
    check(r"^[]a]$", &["]"], &["b"]);
    check(r"^(a|b){2,3}?$", &["ab", "aba"], &["a"]);
    check(r"^\$\^\*$", &["$^*"], &[]);
    check(r"(?-s)^(?i-s)K", &["\u{212a}"], &[]);
}

#[track_caller]
fn refuses(text: &str, message: &str, help: &str) {
    let error = Pattern::compile(text).unwrap_err();
    assert!(error.message.contains(message), "{}", error.message);
    assert!(error.help.contains(help), "{}", error.help);
    assert!(!error.message.contains('\n') && !error.help.contains('\n'));
}

#[test]
fn what_re2_reads_differently_is_refused() {
    refuses("é[a[b]]", "`[b]` at character 4 of the pattern: a class inside of a class", "`\\[`");
    refuses("[[:foo:]]", "`[:foo:]` at character 2", "`\\[`");
    refuses("[a&&b]", "`a&&b` at character 2 of the pattern: an operation on classes", "backslash");
    refuses("[a--b]", "`a--b`", "RE2");
    refuses("[a~~b]", "`a~~b`", "RE2");
    refuses("(?x)a b", "`x` at character 3 of the pattern: RE2 has no such flag", "`i`");
    refuses("(?-u:a)", "`u` at character 4", "");
    refuses("a(?iR:b)", "`R` at character 5", "");
    refuses(r"\<a", r"`\<` at character 1", "without a backslash");
    refuses(r"a\>", r"`\>` at character 2", "without a backslash");
    refuses(r"\b{start}a", r"`\b{start}`", "`\\b`");
    refuses(r"\u{e9}", r"`\u{e9}` at character 1", r"`\x{...}`");
    refuses(r"[\u00e9]", r"`\u00e9` at character 2", r"`\x{...}`");
    refuses(r"[a-\U000000e9]", r"`\U000000e9` at character 4", r"`\x{...}`");
    refuses(r"\p{sc=Greek}", r"`\p{sc=Greek}`", r"`\p{Greek}`");
    refuses("a**", "`*` at character 3 of the pattern: repeats a repetition", "group");
    refuses("a++", "`+` at character 3", "possessive");
    refuses("(?:a{2}){3}{4}", "`{4}`", "group");
}

#[test]
fn what_is_not_linear_is_refused() {
    refuses("a(?=b)", "`(?=` at character 2 of the pattern: look-around is not supported", "linear");
    refuses("(?<!a)b", "`(?<!` at character 1", "`not_regex`");
    refuses(r"(a)\1", r"`\1` at character 4 of the pattern: backreferences", "linear");
}

#[test]
fn syntax_errors_name_the_place() {
    refuses("é(a", "`(` at character 2 of the pattern: unclosed group", r"`\(`");
    refuses("a)", "`)` at character 2", r"`\)`");
    refuses("[a", "`[` at character 1 of the pattern: unclosed character class", "`]`");
    refuses("*a", "`*` at character 1 of the pattern: nothing to repeat", "backslash");
    refuses("a{,5}", "at character 3 of the pattern: a repetition count that is none", r"`\{`");
    refuses("a{", "a repetition count that is none", r"`\{`");
    refuses("a{3,1}", "`{3,1}` at character 2", "RE2");
    refuses(r"a\", r"`\` at character 2", r"`\\`");
    refuses(r"\Qa\E", r"`\Q` at character 1 of the pattern: unrecognized escape", r"`\\`");
    refuses(r"[\w-.]", "a range of other than single characters", r"`\-`");
    refuses(r"\p{Foo}", r"`\p{Foo}` at character 1 of the pattern: RE2 has no such class", "RE2");
    for name in [
        r"\p{greek}",
        r"\p{Letter}",
        r"\p{Uppercase_Letter}",
        r"\p{Alphabetic}",
        r"\p{Uppercase}",
        r"\p{White_Space}",
        r"\p{Emoji}",
        r"\p{ASCII}",
        r"\p{any}",
        r"\p{Cn}",
        r"\p{LC}",
        r"\p{Assigned}",
        r"\p{lu}",
        r"\p{ Lu}",
        r"\p{Old Italic}",
        r"\p{OldItalic}",
        r"\p{Grek}",
        r"\p{isGreek}",
        r"\p{Age=6.0}",
        r"\p{Unknown}",
        r"\P{letter}",
        r"[\p{Letter}]",
        r"[^\P{alpha}]",
        r"\pl",
        r"\PX",
    ] {
        assert!(Pattern::compile(name).is_err(), "{name}");
    }
    for count in
        ["a{2, 3}", "a{ 2}", "a{2 }", "a{2 ,3}", "a{02}", "a{1,03}", "a{,3}", "a{2, 3}?", "(?:ab){ 1,}"]
    {
        refuses(count, "", "`{n,m}`");
    }
    // Every name that is taken is one of the library below.
    assert!(Pattern::compile(r"\p{Zanabazar_Square}\p{SignWriting}\p{Zs}").is_ok());
    refuses("a\n(", "`(` at character 3", "");
}

#[test]
fn trap_5_ceilings() {
    refuses(&"a".repeat(REGEX_TEXT_BYTES + 1), "longer than 16384 bytes", "shorten");
    pattern(&"a".repeat(REGEX_TEXT_BYTES / 8));
    let nested = |levels: usize| "(".repeat(levels) + "a" + &")".repeat(levels);
    pattern(&nested(REGEX_DEPTH as usize - 1));
    refuses(&nested(REGEX_DEPTH as usize + 1), "nested more than 64 levels deep", "flatten");
    refuses(&"(".repeat(REGEX_TEXT_BYTES), "unclosed group", "");
    refuses(&nested(REGEX_TEXT_BYTES / 2 - 1), "nested more than 64 levels deep", "");
    refuses(&"[".repeat(REGEX_TEXT_BYTES), "unclosed", "");
    // What rewriting adds does not count.
    pattern(&format!(
        r"{}[\d]\b{}",
        "(".repeat(REGEX_DEPTH as usize - 2),
        ")".repeat(REGEX_DEPTH as usize - 2)
    ));
    pattern("a{1000}");
    refuses("a{1001}", "`{1001}` at character 2 of the pattern: repeats more than 1000 times", "smaller");
    refuses("a{2,1001}", "`{2,1001}`", "");
    pattern("(?:(?:a{10}){10}){10}");
    refuses("(?:(?:a{11}){10}){10}", "`{11}` at character 8", "");
    pattern("(?:a{10}){100}b{1000}");
    refuses(r"\pL{1000}", "takes more than 1048576 bytes", "smaller");
}

#[test]
fn groups_take_no_memory() {
    // Capturing, these would need a table of groups times states.
    let text = "(a)(?P<n>b)".to_owned() + &"()".repeat(2_000);
    assert_eq!(pattern(&text).0.regex.captures_len(), 1);
}

#[test]
fn weights_count_what_repetition_writes_out() {
    // Each of these can be at many of its places at once.
    let weight = |text: &str| pattern(text).weight();
    assert!((60..=150).contains(&weight("[ab]*a[ab]{60}c")));
    assert!((600..=1_500).contains(&weight("[ab]*a(?:[ab]{10}){60}c")));
    assert!(weight("[ab]*a[ab]{500}") > weight("[ab]*a[ab]{60}"));
    // Forty times: a class, the group, and the repetition itself. Four around them.
    assert_eq!(weight("[ab]*a(?:[ab](?:ab|)){40}c"), 40 * (1 + (2 + 2) + 1) + 4);
    assert_eq!(weight("[ab]*a(?:[ab](?:a[bé]|c|x?)){40}c"), 40 * (1 + (3 + 3 + 1 + 2) + 1) + 4);
}

#[test]
fn ordinary_patterns_weigh_one() {
    for text in [
        "",
        "abc",
        "^[a-z]+$",
        r"^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Z]{2,}$",
        r"(?i)drop\s+table",
        r"\b(delete|drop|truncate)\b",
        r"^https?://[^/]*\.example\.com/",
        r"[0-9]{3}-[0-9]{2}-[0-9]{4}",
        r"\b[0-9]{13,19}\b",
        r"(?m)^\s*rm\s+-rf\b",
        r"^(?:[a-z0-9]+/)*[a-z0-9]+\.(?:py|rs|ts|js)$",
        r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
        ".*.*=.*",
    ] {
        assert_eq!(pattern(text).weight(), 1, "{text}");
    }
}

#[test]
fn patterns_that_a_text_can_slow_down_weigh_more() {
    for text in [
        "(a|b)*a(a|b){20}",
        "[ab]*a[ab]{12}c",
        r"\w{1,1000}!",
        "(?:a{1,10}){100}[c-h]",
        "(?:[ab]?){900}[c-h]",
        // Slow only backwards, which is how the `$` makes the search run.
        "(a|b){60}a(a|b)*$",
        r"(?:\b\w+\b.{3}){20}",
        r"\pL{3}\d",
    ] {
        assert!(pattern(text).weight() >= 10, "{text}");
    }
}
