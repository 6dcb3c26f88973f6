//! A tool's name as a key of `tools` (spec 2.5, 2.7, 12.1).
//!
//! In: a name of the server's. Out: the key that is this name and no other. Must not give a key that means more than one tool.

use callgate::__text::is_invisible;
use callgate::ceilings::NAME_BYTES;

/// The key that names just this tool. What makes a glob stands in a class of its own: `pay*` is `pay[*]`.
pub(super) fn key(name: &str) -> Result<String, &'static str> {
    match name {
        "" => return Err("it has no name"),
        "all_tools" | "_global" => return Err("a policy has another meaning for this name"),
        _ => {}
    }
    let mut key = String::with_capacity(name.len());
    let is_glob = name.contains(['*', '?', '[', '{']);
    for c in name.chars() {
        if is_glob && matches!(c, '*' | '?' | '[' | '{' | '}') {
            key.extend(['[', c, ']']);
        } else {
            key.push(c);
        }
    }
    if key.len() > NAME_BYTES { Err("its name is longer than a policy takes") } else { Ok(key) }
}

/// Names of one folding are taken for one another.
pub(super) fn folded(key: &str) -> String {
    key.chars().flat_map(char::to_lowercase).collect()
}

/// Whether a reader may take the name for another one.
pub(super) fn is_odd(key: &str) -> bool {
    key.starts_with(' ') || key.ends_with(' ') || key.chars().any(|c| !c.is_ascii() || is_invisible(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_name() {
        assert_eq!(key("pay").as_deref(), Ok("pay"));
        assert_eq!(key("pay*").as_deref(), Ok("pay[*]"));
        assert_eq!(key("a{b}[c]?").as_deref(), Ok("a[{]b[}][[]c][?]"));
        assert_eq!(key("b}").as_deref(), Ok("b}"));
        for name in ["", "all_tools", "_global", &"x".repeat(2_000), &"*".repeat(500)] {
            assert!(key(name).is_err(), "{name}");
        }
    }
}
