//! Keys: what belongs to a namespace, and where each counter lives (spec 8.6, trap 27).
//!
//! In: a namespace, a counter, a scope value. Out: a key, and back again. Every key begins with the namespace in braces, so
//! that a cluster keeps a namespace on one node, where a script can see all of it.

use callgate::{CounterId, ScopeValue, StoreError, Timestamp};

use crate::numbers::Packed;

/// Bytes of the longest namespace: it is part of every key.
const NAMESPACE_BYTES: usize = 128;
/// Hex digits of a counter's id.
const ID_DIGITS: usize = 32;

/// The keys of one namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    /// `{namespace}:2:`, the number being the format.
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
        Ok(Self { prefix: format!("{{{namespace}}}:2:") })
    }

    /// A fixed window that begins at `start`, for one scope value. The id has a fixed length and the start an end, so no
    /// other window has this key.
    pub(crate) fn push_fixed(&self, to: &mut Packed, id: CounterId, scope: &ScopeValue, start: Timestamp) {
        to.push_bytes(self.prefix.as_bytes());
        to.push_bytes(b"f:");
        to.push_bytes(&hex(id));
        to.push_bytes(b":");
        to.push_digits(start.as_millis());
        to.push_bytes(b":");
        to.push_bytes(scope.as_bytes());
    }

    /// A sliding window for one scope value.
    pub(crate) fn push_sliding(&self, to: &mut Packed, id: CounterId, scope: &ScopeValue) {
        to.push_bytes(self.prefix.as_bytes());
        to.push_bytes(b"s:");
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
        pattern.push_str("[fs]:*");
        pattern
    }

    /// What a key says that [`Self::push_fixed`] or [`Self::push_sliding`] made.
    pub(crate) fn parse<'k>(&self, key: &'k [u8]) -> Option<Named<'k>> {
        let rest = key.strip_prefix(self.prefix.as_bytes())?;
        let is_fixed = rest.starts_with(b"f:");
        let (id, rest) =
            rest.strip_prefix(b"f:").or(rest.strip_prefix(b"s:"))?.split_at_checked(ID_DIGITS)?;
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
    /// When the window starts; nothing of one that slides.
    pub(crate) start: Option<Timestamp>,
    pub(crate) scope: ScopeValue,
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
