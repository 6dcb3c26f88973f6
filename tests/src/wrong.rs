//! Long policies that are wrong in one way everywhere.
//!
//! In: an entry, and how often to write it. Out: a policy in JSON, in whose entries `@` is the number of the entry. Must not know
//! what is wrong with it.

/// Entries, each wrong in a way of its own: everything that names what the author meant, or repeats what was written.
pub const ENTRIES: [(&str, &str); 18] = [
    (
        "a counter that no entry declares",
        r#"{"rules":[{"state":{"counter":"spent@","window":"hour"}},{"conditions":[{"path":"state.t@.spend@x","op":"lt","value":5}]}]}"#,
    ),
    ("a counter of another entry", r#"{"require":[{"path":"state.tool@.c","op":"lt","value":5}]}"#),
    (
        "a counter that is declared twice",
        r#"{"rules":[{"rate_limit":"5/hour"},{"rate_limit":"7/hour"},{"rate_limit":"9/hour"}]}"#,
    ),
    (
        "an unknown field",
        r#"{"require":[],"deny_iff@":[],"a_field_of_many_letters_that_is_none":[],"limitss":[]}"#,
    ),
    ("an unknown operator", r#"{"deny_if":[{"path":"args.a","op":"contians@","value":5}]}"#),
    ("an unknown action", r#"{"rules":[{"action":"require_aproval@"}]}"#),
    ("no rate", r#"{"rules":[{"rate_limit":"@/houre"}]}"#),
    ("no window", r#"{"limits":[{"counter":"c","window":"minuet@","max":5}]}"#),
    ("no scope", r#"{"limits":[{"counter":"c","window":"minute","max":5,"scope":"sessoin@"}]}"#),
    (
        "a list of scopes",
        r#"{"limits":[{"counter":"c","window":"minute","max":5,"scope":["arg.@","state.c@"]}]}"#,
    ),
    ("no path", r#"{"deny_if":[{"path":"argz.a@","op":"eq","value":5}]}"#),
    ("no pattern", r#"{"deny_if":[{"path":"args.a","op":"regex","value":"(@"}]}"#),
    ("an operand of another type", r#"{"deny_if":[{"path":"args.a","op":"lte","value":"@"}]}"#),
    ("a missing field", r#"{"deny_if":[{"path":"args.a@"}],"limits":[{}]}"#),
    ("a list of another type", r#"{"require":{"path":"args.a@","op":"eq","value":5}}"#),
    (
        "fields that exclude each other",
        r#"{"rules":[{"action":"deny","rate_limit":"5/hour","on_deny":"@","reason":"@"}]}"#,
    ),
    ("a key that stands twice", r#"{"x-a@":1,"x-a@":2,"x-a@":3}"#),
    (
        "names that differ in case",
        r#"{"rules":[{"state":{"counter":"c@","window":"hour","increment":0}}]},"T@":{}"#,
    ),
];

/// A policy of `count` such entries.
pub fn policy(entry: &str, count: usize) -> String {
    let mut text = String::from(r#"{"version":"1","default":"deny","tools":{"#);
    for number in 0..count {
        let separator = if number > 0 { ",\n" } else { "\n" };
        let number = number.to_string();
        text.push_str(&format!("{separator}\"t{number}\":{}", entry.replace('@', &number)));
    }
    text.push_str("\n}}\n");
    text
}
