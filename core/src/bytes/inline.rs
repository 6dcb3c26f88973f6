//! A byte string with inline storage for short values, so that reading one needs no second memory access.
//!
//! In: bytes, whole or in pieces. Out: the same bytes as a slice.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

/// Up to `N` bytes inline, more on the heap. `N` is best two less than a multiple of eight. Unused inline bytes are zero.
#[derive(Clone)]
pub(crate) enum Short<const N: usize> {
    Here { len: u8, bytes: [u8; N] },
    Apart(Box<[u8]>),
}

impl<const N: usize> Short<N> {
    #[inline]
    pub(crate) fn append(&mut self, more: &[u8]) {
        const { assert!(N <= u8::MAX as usize, "a byte counts the bytes in place") };
        if let Self::Here { len, bytes } = self {
            let start = usize::from(*len);
            let end = start.saturating_add(more.len());
            if let Some(room) = bytes.get_mut(start..end) {
                room.copy_from_slice(more);
                *len = end as u8;
                return;
            }
        }
        self.append_apart(more);
    }

    /// Whether the bytes are the same. Quicker than comparing slices: as many as fit into both are compared, whatever the length.
    #[inline]
    pub(crate) fn is<const M: usize>(&self, other: &Short<M>) -> bool {
        if let (Self::Here { len, bytes }, Short::Here { len: others, bytes: other }) = (self, other)
            && let Some(other) = other.first_chunk()
        {
            return len == others && bytes == other;
        }
        **self == **other
    }

    #[cold]
    fn append_apart(&mut self, more: &[u8]) {
        *self = Self::Apart([&**self, more].concat().into());
    }
}

impl<const N: usize> Default for Short<N> {
    #[inline]
    fn default() -> Self {
        Self::Here { len: 0, bytes: [0; N] }
    }
}

impl<const N: usize> From<&[u8]> for Short<N> {
    fn from(bytes: &[u8]) -> Self {
        let mut short = Self::default();
        short.append(bytes);
        short
    }
}

impl<const N: usize> Deref for Short<N> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Here { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Self::Apart(bytes) => bytes,
        }
    }
}

impl<const N: usize> PartialEq for Short<N> {
    fn eq(&self, other: &Self) -> bool {
        self.is(other)
    }
}

impl<const N: usize> Eq for Short<N> {}

impl<const N: usize> Ord for Short<N> {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl<const N: usize> PartialOrd for Short<N> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<const N: usize> Hash for Short<N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the pieces, the bytes are theirs, and where they lie makes no difference.
    #[test]
    fn pieces_make_one_text() {
        let text: Vec<u8> = (0..40).collect();
        for whole in 0..text.len() {
            for cut in 0..=whole {
                let (one, other) = text[..whole].split_at(cut);
                let mut short = Short::<22>::from(one);
                short.append(other);
                assert_eq!(*short, text[..whole]);
                assert_eq!(matches!(short, Short::Here { .. }), whole <= 22, "{cut} of {whole}");
                let long = Short::<22>::Apart(text[..whole].into());
                assert!(short == long && short.cmp(&long).is_eq());
                let wide = Short::<46>::from(&text[..whole]);
                assert!(short.is(&wide) && wide.is(&short) && long.is(&wide) && short.is(&long));
                let longer = Short::<46>::from(&text[..=whole]);
                let other = Short::<46>::from(&text[1..=whole]);
                assert!(!short.is(&longer) && short.is(&other) == other.is_empty());
                assert!(whole == 0 || short > Short::from(&text[..whole - 1]));
            }
        }
        assert!(Short::<22>::default().is_empty());
    }

    #[test]
    fn it_takes_no_more_than_its_bytes_and_two() {
        assert_eq!((size_of::<Short<22>>(), size_of::<Short<46>>()), (24, 48));
    }
}
