//! Keys: the namespace's prefix, and the key of each counter (spec 8.6, trap 27).
//!
//! In: a namespace, a counter, a scope value. Out: a key as part of a command, and back again. Every key begins with the
//! namespace in braces (a hash tag), so a cluster keeps a namespace on one node and a script can reach all its keys.

use std::sync::Arc;

use callgate::StoreError;
use callgate::store::{CounterId, ScopeValue};
use callgate::time::Timestamp;

use crate::wire::{Digits, push_bulk};

/// Bytes of the longest namespace: it is part of every key.
const NAMESPACE_BYTES: usize = 128;
/// Hex digits of a counter's id.
const ID_DIGITS: usize = 32;

/// The keys of one namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Keys {
    /// `{namespace}:2:`, the number being the format.
    prefix: Arc<str>,
}

impl Keys {
    /// The keys of `namespace`.
    pub(crate) fn new(namespace: &str) -> Result<Self, StoreError> {
        let fits = (1..=NAMESPACE_BYTES).contains(&namespace.len());
        // A brace would end the hash tag, and let one namespace reach into another.
        if !fits || !namespace.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'{' && byte != b'}') {
            return Err(StoreError::permanent(format!(
                "a namespace in Redis has 1 to {NAMESPACE_BYTES} printable ASCII characters, without spaces and braces"
            )));
        }
        Ok(Self { prefix: format!("{{{namespace}}}:2:").into() })
    }

    /// A fixed window that begins at `start`, for one scope value. The id has a fixed length and the start an end, so no
    /// other window has this key.
    pub(crate) fn push_fixed(&self, to: &mut Vec<u8>, id: CounterId, scope: &ScopeValue, start: Timestamp) {
        let start = Digits::of_signed(start.as_millis());
        push_bulk(
            to,
            &[self.prefix.as_bytes(), b"f:", &hex(id), b":", start.as_bytes(), b":", scope.as_bytes()],
        );
    }

    /// A sliding window for one scope value.
    pub(crate) fn push_sliding(&self, to: &mut Vec<u8>, id: CounterId, scope: &ScopeValue) {
        push_bulk(to, &[self.prefix.as_bytes(), b"s:", &hex(id), b":", scope.as_bytes()]);
    }

    /// A window of a time zone for one scope value: hosts that know other rules of the zone compute other starts, so it has none.
    pub(crate) fn push_zoned(&self, to: &mut Vec<u8>, id: CounterId, scope: &ScopeValue) {
        push_bulk(to, &[self.prefix.as_bytes(), b"z:", &hex(id), b":", scope.as_bytes()]);
    }

    /// An approval that was spent.
    pub(crate) fn push_approval(&self, to: &mut Vec<u8>, id: &str) {
        push_bulk(to, &[self.prefix.as_bytes(), b"a:", id.as_bytes()]);
    }

    /// What the keys of all spent approvals begin with.
    pub(crate) fn approvals(&self) -> String {
        format!("{}a:", self.prefix)
    }

    /// The filed calls: their records, and their details.
    pub(crate) fn push_filed(&self, to: &mut Vec<u8>) {
        push_bulk(to, &[self.prefix.as_bytes(), b"r"]);
        push_bulk(to, &[self.prefix.as_bytes(), b"i"]);
    }

    /// The declarations of all counters.
    pub(crate) fn push_declarations(&self, to: &mut Vec<u8>) {
        push_bulk(to, &[self.prefix.as_bytes(), b"d"]);
    }

    /// How many kinds of keys there are.
    pub(crate) const KINDS: usize = 6;

    /// One key of each kind: a fixed window, a sliding one, an approval, the declarations, what filed calls are kept in, a window of a time
    /// zone. Of these only
    /// the declarations can exist: an id is never all zeros, an approval's is never empty, and that of filed calls is a name like theirs,
    /// which may hold much.
    pub(crate) fn push_unused(&self, to: &mut Vec<u8>) {
        let (prefix, id) = (self.prefix.as_bytes(), &[b'0'; ID_DIGITS][..]);
        push_bulk(to, &[prefix, b"f:", id, b":0:"]);
        push_bulk(to, &[prefix, b"s:", id, b":"]);
        self.push_approval(to, "");
        self.push_declarations(to);
        push_bulk(to, &[prefix, b"r:"]);
        push_bulk(to, &[prefix, b"z:", id, b":"]);
    }

    /// Where a counter's key has its id, counted from 1.
    pub(crate) fn id_position(&self) -> usize {
        self.prefix.len().saturating_add(b"f:".len()).saturating_add(1)
    }

    /// The pattern that finds every counter.
    pub(crate) fn pattern(&self) -> String {
        let mut pattern = String::new();
        for character in self.prefix.chars() {
            if matches!(character, '*' | '?' | '[' | ']' | '^' | '\\') {
                pattern.push('\\');
            }
            pattern.push(character);
        }
        pattern.push_str("[fsz]:*");
        pattern
    }

    /// Parses a key that [`Self::push_fixed`], [`Self::push_sliding`] or [`Self::push_zoned`] wrote.
    pub(crate) fn parse<'k>(&self, key: &'k [u8]) -> Option<Named<'k>> {
        let rest = key.strip_prefix(self.prefix.as_bytes())?;
        let is_fixed = rest.starts_with(b"f:");
        let named = [b"f:", b"s:", b"z:"].into_iter().find_map(|kind| rest.strip_prefix(kind));
        let (id, rest) = named?.split_at_checked(ID_DIGITS)?;
        let mut scope = rest.strip_prefix(b":")?;
        let mut start = None;
        if is_fixed {
            let (digits, rest) = scope.split_at(scope.iter().position(|byte| *byte == b':')?);
            start = Some(Timestamp::from_millis(std::str::from_utf8(digits).ok()?.parse().ok()?));
            scope = rest.strip_prefix(b":")?;
        }
        Some(Named { id, start, scope: ScopeValue::from(scope) })
    }
}

/// What a key names.
pub(crate) struct Named<'k> {
    /// The counter, in hex.
    pub(crate) id: &'k [u8],
    /// When the window starts; nothing of one that slides, or of a time zone.
    pub(crate) start: Option<Timestamp>,
    pub(crate) scope: ScopeValue,
}

/// The id as it stands in keys.
pub(crate) fn hex(id: CounterId) -> [u8; ID_DIGITS] {
    let mut digits = [0; ID_DIGITS];
    for (pair, byte) in digits.as_chunks_mut().0.iter_mut().zip(id.as_bytes()) {
        *pair = [hex_digit(byte >> 4), hex_digit(byte & 15)];
    }
    digits
}

/// Without a table, so that a whole id is written in few instructions.
fn hex_digit(value: u8) -> u8 {
    value.wrapping_add(if value < 10 { b'0' } else { b'a'.wrapping_sub(10) })
}
