//! Canonical JSON and digests over it (spec 7.1, 10.7, 10.8): the same bytes for the same value from every host.

use std::fmt::{self, Write};
use std::ops::ControlFlow;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::ceilings::{ARGUMENT_BYTES, ARGUMENT_DEPTH};
use crate::identity::Identity;
use crate::view::{Kind, Unreadable, View};

/// Writes a JSON string with only the escapes that JSON requires.
pub(crate) fn write_string(out: &mut impl Write, text: &str) -> fmt::Result {
    out.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            '\u{8}' => out.write_str("\\b")?,
            '\t' => out.write_str("\\t")?,
            '\n' => out.write_str("\\n")?,
            '\u{c}' => out.write_str("\\f")?,
            '\r' => out.write_str("\\r")?,
            c if c < ' ' => write!(out, "\\u{:04x}", c as u32)?,
            c => out.write_char(c)?,
        }
    }
    out.write_char('"')
}

/// The canonical JSON of a value.
pub(crate) fn canonical<V: View>(value: &V) -> Result<String, Unreadable> {
    let mut out = String::new();
    write_value(value, 0, &mut out)?;
    Ok(out)
}

/// Recursion is bounded by the ceiling on depth.
fn write_value<V: View>(value: &V, depth: usize, out: &mut String) -> Result<(), Unreadable> {
    // `1e308` has 309 digits here, so a short text can have a long canonical form.
    if out.len() > ARGUMENT_BYTES {
        return Err(Unreadable::TooLarge);
    }
    let deeper = depth.saturating_add(1);
    // Writing to a String cannot fail.
    match value.kind()? {
        Kind::Null => out.push_str("null"),
        Kind::Bool(value) => out.push_str(if value { "true" } else { "false" }),
        Kind::Number(number) => {
            let _ = number.write_canonical(out);
        }
        Kind::String(text) => {
            let _ = write_string(out, &text);
        }
        // As raw text counts levels: what lies in the innermost is no level more.
        Kind::Array | Kind::Object if depth >= ARGUMENT_DEPTH => return Err(Unreadable::TooDeep),
        Kind::Array => {
            out.push('[');
            let mut failure = None;
            let mut first = true;
            value.elements(|element| {
                if !std::mem::take(&mut first) {
                    out.push(',');
                }
                match write_value(&element, deeper, out) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(unreadable) => {
                        failure = Some(unreadable);
                        ControlFlow::Break(())
                    }
                }
            })?;
            if let Some(unreadable) = failure {
                return Err(unreadable);
            }
            out.push(']');
        }
        Kind::Object => {
            let mut members = Vec::new();
            let mut length = out.len();
            let mut failure = None;
            value.members(|name, member| {
                let mut text = String::new();
                match write_value(&member, deeper, &mut text) {
                    Ok(()) => {
                        length = length.saturating_add(name.len()).saturating_add(text.len());
                        members.push((name.to_owned(), text));
                        if length > ARGUMENT_BYTES {
                            failure = Some(Unreadable::TooLarge);
                            return ControlFlow::Break(());
                        }
                        ControlFlow::Continue(())
                    }
                    Err(unreadable) => {
                        failure = Some(unreadable);
                        ControlFlow::Break(())
                    }
                }
            })?;
            if let Some(unreadable) = failure {
                return Err(unreadable);
            }
            members.sort();
            out.push('{');
            for (index, (name, text)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                let _ = write_string(out, name);
                out.push(':');
                out.push_str(text);
            }
            out.push('}');
        }
        Kind::Foreign => return Err(Unreadable::Foreign),
    }
    Ok(())
}

/// Lowercase hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The approval key of a call (spec 7.1): parts are preceded by their lengths, so no two calls have one encoding.
pub(crate) fn approval_key<A: View, I: View>(
    policy: &[u8; 32],
    tool: &str,
    args: Option<&A>,
    identity: &Identity<'_, I>,
) -> Result<String, Unreadable> {
    let args = args.map_or_else(|| Ok("{}".to_owned()), canonical)?;
    let identity = match identity {
        Identity::Absent => String::new(),
        Identity::Id(id) => {
            let mut text = String::from("{\"id\":");
            let _ = write_string(&mut text, id);
            text.push('}');
            text
        }
        Identity::Claims(claims) => canonical(claims)?,
    };
    let mut hash = Sha256::new();
    for part in
        [b"callgate approval 1".as_slice(), policy, tool.as_bytes(), args.as_bytes(), identity.as_bytes()]
    {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    Ok(format!("ak1:{}", hex(&hash.finalize())))
}

/// How an audit record identifies arguments (spec 10.8).
#[derive(Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ArgsHash<'k> {
    /// Not at all.
    #[default]
    None,
    /// By their SHA-256. Whoever can guess the arguments can confirm the guess.
    Sha256,
    /// By their HMAC-SHA-256 under the host's key.
    HmacSha256(&'k [u8]),
}

impl fmt::Debug for ArgsHash<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Sha256 => "Sha256",
            Self::HmacSha256(_) => "HmacSha256(..)",
        })
    }
}

impl ArgsHash<'_> {
    /// The digest of a canonical text, with the name of the method.
    pub(crate) fn of(self, canonical: &str) -> Option<String> {
        match self {
            Self::None => None,
            Self::Sha256 => Some(format!("sha256:{}", hex(&sha256(canonical.as_bytes())))),
            Self::HmacSha256(key) => {
                // A key of any length is a key for HMAC.
                let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
                mac.update(canonical.as_bytes());
                Some(format!("hmac-sha256:{}", hex(&mac.finalize().into_bytes())))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn canonical_json_is_exact_and_sorted() {
        let value: serde_json::Value =
            serde_json::from_str(r#"{"b":[1.50,1e3,9007199254740993],"a":"\u0001\"é","é":null,"":true}"#)
                .unwrap();
        assert_eq!(
            canonical(&&value).unwrap(),
            "{\"\":true,\"a\":\"\\u0001\\\"é\",\"b\":[1.5,1000,9007199254740993],\"é\":null}"
        );
        let escaped = r#""\"\\/\b\t\n\f\r\u0000\u001f""#;
        let text: serde_json::Value = serde_json::from_str(escaped).unwrap();
        assert_eq!(canonical(&&text).unwrap(), escaped);
    }

    #[test]
    fn strings_escape_only_what_they_must() {
        let escaped = r#""\"\\/\b\t\n\f\r\u0000\u001f~é""#;
        let value: serde_json::Value = serde_json::from_str(escaped).unwrap();
        assert_eq!(canonical(&&value).unwrap(), escaped);
    }

    #[test]
    fn a_canonical_form_is_bounded() {
        for value in
            [json!(vec![1e308; 20_000]), json!({"a": "x".repeat(5 << 20)}), json!([["x".repeat(5 << 20)], 1])]
        {
            assert_eq!(canonical(&&value), Err(Unreadable::TooLarge));
        }
        assert!(canonical(&&json!("x".repeat(3 << 20))).is_ok());
    }

    /// Trap 35: numbers above 2^53 that a double cannot tell apart have different hashes.
    #[test]
    fn hashes_tell_large_numbers_apart() {
        let of = |n: u64| ArgsHash::Sha256.of(&canonical(&&json!({"n": n})).unwrap());
        assert_ne!(of(9_007_199_254_740_992), of(9_007_199_254_740_993));
        assert_eq!(
            ArgsHash::HmacSha256(b"key").of("The quick brown fox jumps over the lazy dog").unwrap(),
            "hmac-sha256:f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"
        );
    }
}
