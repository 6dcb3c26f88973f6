//! Canonical JSON and digests over it (spec 10.7, 10.8): the same bytes for the same value from every host.

use std::fmt;
use std::ops::{ControlFlow, Range};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use crate::budget::Budget;
use crate::ceilings::{ARGUMENT_BYTES, ARGUMENT_DEPTH};
use crate::json_text::{hex, write_string};
use crate::raw::plain_end;
use crate::view::{Kind, Unreadable, View};

/// The canonical JSON of a value, for steps of the call that it is made for.
pub(crate) fn canonical<V: View>(value: &V, steps: &Budget) -> Result<String, Unreadable> {
    canonical_without(value, &[], steps)
}

/// The same without the members that these names lead to. They must have a canonical form all the same.
pub(crate) fn canonical_without<V: View>(
    value: &V,
    without: &[Vec<&str>],
    steps: &Budget,
) -> Result<String, Unreadable> {
    let mut writer = Writer { out: String::new(), names: String::new(), steps };
    let without: Vec<&[&str]> = without.iter().map(Vec::as_slice).collect();
    writer.value(value, 0, &without)?;
    writer.is_within_ceiling(0)?;
    Ok(writer.out)
}

/// Steps of a value, and of being a member: both are looked at, written and hashed.
const EACH: u64 = 5;

struct Writer<'s> {
    out: String,
    /// The names of the objects around, each object's behind those of the one around it.
    names: String,
    steps: &'s Budget,
}

/// A member of an object that is being written.
struct Member<V> {
    name: Range<usize>,
    value: V,
}

/// Members of an object that are put in order without an allocation.
const FEW: usize = 4;

impl Writer<'_> {
    /// Recursion is bounded by the ceiling on depth.
    fn value<V: View>(&mut self, value: &V, depth: usize, without: &[&[&str]]) -> Result<(), Unreadable> {
        // `1e308` has 309 digits here, so a short text can have a long canonical form.
        self.is_within_ceiling(0)?;
        let deeper = depth.saturating_add(1);
        self.steps.take(EACH)?;
        self.steps.take_value(value)?;
        match value.kind()? {
            Kind::Null => self.out.push_str("null"),
            Kind::Bool(value) => self.out.push_str(if value { "true" } else { "false" }),
            Kind::Number(number) => {
                // Writing to a String cannot fail.
                let _ = number.write_canonical(&mut self.out);
            }
            Kind::String(text) => self.string(&text)?,
            // Levels are counted as in raw text: scalars in the innermost container add none.
            Kind::Array | Kind::Object if depth >= ARGUMENT_DEPTH => return Err(Unreadable::TooDeep),
            Kind::Array => {
                self.out.push('[');
                let mut result = Ok(());
                let mut first = true;
                value.elements(|element| {
                    if !std::mem::take(&mut first) {
                        self.out.push(',');
                    }
                    result = self.value(&element, deeper, &[]);
                    if result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                })?;
                result?;
                self.out.push(']');
            }
            Kind::Object => self.object(value, deeper, without)?,
            Kind::Foreign => return Err(Unreadable::Foreign),
        }
        Ok(())
    }

    fn string(&mut self, text: &str) -> Result<(), Unreadable> {
        self.is_within_ceiling(text.len())?;
        self.steps.take_text(text)?;
        let (plain, rest) = text.split_at_checked(plain_end(text.as_bytes(), 0)).unwrap_or((text, ""));
        if rest.is_empty() {
            self.out.push('"');
            self.out.push_str(plain);
            self.out.push('"');
            return Ok(());
        }
        let escaped = rest.bytes().filter(|byte| matches!(byte, b'"' | b'\\' | ..0x20)).count();
        self.steps.take(escaped as u64)?;
        let _ = write_string(&mut self.out, text);
        Ok(())
    }

    /// Members are collected before they are written, since their order is found last. Not inlined: arrays around one another
    /// need no room for members.
    #[inline(never)]
    fn object<V: View>(&mut self, object: &V, depth: usize, without: &[&[&str]]) -> Result<(), Unreadable> {
        let mut members = SmallVec::<[Member<V>; FEW]>::new();
        let outer = self.names.len();
        let mut last = outer..outer;
        let mut in_order = true;
        let mut result = Ok(());
        object.members(|name, value| {
            result = self.steps.take(EACH);
            if result.is_err() {
                return ControlFlow::Break(());
            }
            in_order = in_order && self.name(&last) <= name;
            last = last.end..last.end.saturating_add(name.len());
            self.names.push_str(name);
            members.push(Member { name: last.clone(), value });
            ControlFlow::Continue(())
        })?;
        result?;
        if !in_order {
            let count = members.len() as u64;
            self.steps.take(count.saturating_mul(count.checked_ilog2().unwrap_or(0).into()))?;
            members.sort_unstable_by(|one, other| self.name(&one.name).cmp(self.name(&other.name)));
        }
        self.out.push('{');
        let mut first = true;
        for member in &members {
            let start = self.out.len();
            if !first {
                self.out.push(',');
            }
            self.steps.take(without.len() as u64)?;
            let name = self.name(&member.name);
            let below: SmallVec<[&[&str]; 2]> = without
                .iter()
                .filter_map(|names| {
                    names.split_first().filter(|(one, _)| **one == name).map(|(_, rest)| rest)
                })
                .collect();
            // Taken out while it is written, and put back.
            let names = std::mem::take(&mut self.names);
            let written = self.string(names.get(member.name.clone()).unwrap_or_default());
            self.names = names;
            written?;
            self.out.push(':');
            self.value(&member.value, depth, &below)?;
            if below.iter().any(|rest| rest.is_empty()) {
                // It was read whole, so that it has a canonical form.
                self.out.truncate(start);
            } else {
                first = false;
            }
        }
        self.out.push('}');
        self.names.truncate(outer);
        Ok(())
    }

    fn name(&self, at: &Range<usize>) -> &str {
        self.names.get(at.clone()).unwrap_or_default()
    }

    /// Whether so many bytes more may be written.
    fn is_within_ceiling(&self, more: usize) -> Result<(), Unreadable> {
        let length = self.out.len().saturating_add(more);
        if length > ARGUMENT_BYTES { Err(Unreadable::TooLarge) } else { Ok(()) }
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// How an audit record identifies arguments (spec 10.8).
#[derive(Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ArgsHash<'k> {
    /// Not at all.
    #[default]
    None,
    /// By their SHA-256. Anybody who can guess the arguments can confirm the guess.
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
            canonical(&&value, &Budget::new()).unwrap(),
            "{\"\":true,\"a\":\"\\u0001\\\"é\",\"b\":[1.5,1000,9007199254740993],\"é\":null}"
        );
        let escaped = r#""\"\\/\b\t\n\f\r\u0000\u001f""#;
        let text: serde_json::Value = serde_json::from_str(escaped).unwrap();
        assert_eq!(canonical(&&text, &Budget::new()).unwrap(), escaped);
    }

    #[test]
    fn what_is_left_out_leaves_no_trace_and_must_be_readable() {
        let value = json!({"a": 1, "b": {"c": 2, "d": [{"c": 3}]}, "e": {"c": 4}});
        let without = |paths: &[Vec<&str>]| canonical_without(&&value, paths, &Budget::new()).unwrap();
        assert_eq!(without(&[vec!["a"], vec!["b", "c"]]), r#"{"b":{"d":[{"c":3}]},"e":{"c":4}}"#);
        assert_eq!(without(&[vec!["e"], vec!["b", "d", "c"]]), r#"{"a":1,"b":{"c":2,"d":[{"c":3}]}}"#);
        assert_eq!(without(&[vec!["b"], vec!["a"], vec!["e"]]), "{}");
        assert_eq!(without(&[vec!["e", "c"], vec!["none"]]), r#"{"a":1,"b":{"c":2,"d":[{"c":3}]},"e":{}}"#);
        let mut deep = json!(1);
        for _ in 0..200 {
            deep = json!([deep]);
        }
        let found = canonical_without(&&json!({"a": deep}), &[vec!["a"]], &Budget::new());
        assert_eq!(found, Err(Unreadable::TooDeep));
    }

    #[test]
    fn strings_escape_only_what_they_must() {
        let escaped = r#""\"\\/\b\t\n\f\r\u0000\u001f~é""#;
        let value: serde_json::Value = serde_json::from_str(escaped).unwrap();
        assert_eq!(canonical(&&value, &Budget::new()).unwrap(), escaped);
    }

    #[test]
    fn a_canonical_form_is_bounded() {
        for value in
            [json!(vec![1e308; 20_000]), json!({"a": "x".repeat(5 << 20)}), json!([["x".repeat(5 << 20)], 1])]
        {
            assert_eq!(canonical(&&value, &Budget::new()), Err(Unreadable::TooLarge));
        }
        assert!(canonical(&&json!("x".repeat(3 << 20)), &Budget::new()).is_ok());
    }

    /// Trap 35: numbers above 2^53 that a double cannot tell apart have different hashes.
    #[test]
    fn hashes_tell_large_numbers_apart() {
        let of = |n: u64| ArgsHash::Sha256.of(&canonical(&&json!({"n": n}), &Budget::new()).unwrap());
        assert_ne!(of(9_007_199_254_740_992), of(9_007_199_254_740_993));
        assert_eq!(
            ArgsHash::HmacSha256(b"key").of("The quick brown fox jumps over the lazy dog").unwrap(),
            "hmac-sha256:f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"
        );
    }
}
