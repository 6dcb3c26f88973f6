//! Keys: what belongs to a namespace, and where each counter lives (spec 8.6, trap 27).
//!
//! In: a namespace, a counter, a scope value. Out: a key, and back again. Every key begins with the namespace in braces, so
//! that a cluster keeps a namespace on one node, where a script can see all of it.

use callgate::{CounterId, ScopeValue, StoreError};

use crate::numbers::Packed;

/// Bytes of the longest namespace: it is part of every key.
const NAMESPACE_BYTES: usize = 128;
/// Hex digits of a counter's id.
const ID_DIGITS: usize = 32;

/// The keys of one namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    /// `{namespace}:1:`, the number being the format.
    prefix: String,
}

impl Keys {
    /// The keys of `namespace`.
    pub(crate) fn new(namespace: &str) -> Result<Self, StoreError> {
        let fits = (1..=NAMESPACE_BYTES).contains(&namespace.len());
        // A brace would end the part of the key by which a cluster chooses the node, and let one namespace reach into
        // another.
        if !fits || !namespace.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'{' && byte != b'}') {
            return Err(StoreError::permanent(format!(
                "a namespace in Redis has 1 to {NAMESPACE_BYTES} printable ASCII characters, without spaces and braces"
            )));
        }
        Ok(Self { prefix: format!("{{{namespace}}}:1:") })
    }

    /// A counter for one scope value. The id has a fixed length, so no other pair has this key.
    pub(crate) fn push_counter(&self, to: &mut Packed, id: CounterId, scope: &ScopeValue) {
        to.push_bytes(self.prefix.as_bytes());
        to.push_bytes(b"c:");
        to.push_bytes(&hex(id));
        to.push_bytes(b":");
        to.push_bytes(scope.as_bytes());
    }

    /// An approval that was spent.
    pub(crate) fn push_approval(&self, to: &mut Packed, id: &str) {
        to.push_bytes(self.prefix.as_bytes());
        to.push_bytes(b"a:");
        to.push_bytes(id.as_bytes());
    }

    /// The declarations of all counters.
    pub(crate) fn push_declarations(&self, to: &mut Packed) {
        to.push_bytes(self.prefix.as_bytes());
        to.push_bytes(b"d");
    }

    /// Where a counter's key has its id, counted from 1.
    pub(crate) fn id_position(&self) -> usize {
        self.prefix.len().saturating_add(b"c:".len()).saturating_add(1)
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
        pattern.push_str("c:*");
        pattern
    }

    /// The counter, in hex, and the scope value of a key that [`Self::counter`] made.
    pub(crate) fn parse<'k>(&self, key: &'k [u8]) -> Option<(&'k [u8], ScopeValue)> {
        let rest = key.strip_prefix(self.prefix.as_bytes())?.strip_prefix(b"c:")?;
        let (hex, rest) = rest.split_at_checked(ID_DIGITS)?;
        Some((hex, ScopeValue::from(rest.strip_prefix(b":")?)))
    }
}

/// The id as it stands in keys.
pub(crate) fn hex(id: CounterId) -> [u8; ID_DIGITS] {
    let mut digits = [0; ID_DIGITS];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(id.as_bytes()) {
        pair.copy_from_slice(&[hex_digit(byte >> 4), hex_digit(byte & 15)]);
    }
    digits
}

fn hex_digit(value: u8) -> u8 {
    b"0123456789abcdef".get(usize::from(value)).copied().unwrap_or(b'0')
}
