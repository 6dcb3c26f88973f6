//! Files of overrides, and what is wrong in each: a code, and whether a schema can tell.

/// A text, the code of its first error, and whether the error is one of shape.
pub(crate) const CASES: &[(&str, Option<&str>, bool)] = &[
    ("classes: [{tool: a, class: Read, reason: why}]", None, false),
    (
        "version: \"1\"\nx-owner: me\nignore: [{tool: a, code: look_alike, reason: why, x-since: 2}]",
        None,
        false,
    ),
    (
        r#"{"classes": [{"tool": "a", "server": "s", "class": "Unknown", "reason": "7"}], "ignore": []}"#,
        None,
        false,
    ),
    ("classes: []", None, false),
    ("", Some("wrong_type"), true),
    ("{}", Some("missing_field"), true),
    ("[]", Some("wrong_type"), true),
    ("version: \"2\"\nclasses: []", Some("invalid_version"), true),
    ("classes: {a: Read}", Some("wrong_type"), true),
    ("clases: []", Some("unknown_field"), true),
    ("classes: [{tool: a, class: Read}]", Some("missing_field"), true),
    ("classes: [{tool: a, reason: why}]", Some("missing_field"), true),
    ("classes: [{class: Read, reason: why}]", Some("missing_field"), true),
    ("classes: [{tool: a, class: Read, reason: '…'}]", Some("missing_reason"), true),
    ("classes: [{tool: a, class: Read, reason: ''}]", Some("missing_reason"), true),
    ("classes: [{tool: a, class: read, reason: why}]", Some("invalid_class"), true),
    ("classes: [{tool: a, class: Read, reason: why, servers: b}]", Some("unknown_field"), true),
    ("classes: [{tool: 7, class: Read, reason: why}]", Some("wrong_type"), true),
    ("ignore: [{tool: a, code: ugly, reason: why}]", Some("invalid_code"), true),
    ("ignore: [{tool: a, reason: why}]", Some("missing_field"), true),
    ("ignore: [{tool: a, code: bad_name, reason: ' '}]", Some("missing_reason"), true),
    (
        "classes: [{tool: a, class: Read, reason: x}, {tool: a, class: Write, reason: y}]",
        Some("duplicate_item"),
        false,
    ),
    (
        "ignore: [{tool: a, code: bad_name, reason: x}, {tool: a, code: bad_name, reason: y}]",
        Some("duplicate_item"),
        false,
    ),
    ("classes: [{tool: a, tool: b, class: Read, reason: x}]", Some("duplicate_key"), false),
    ("classes: [{tool: a, class: Read, reason: no}]", None, false),
];
