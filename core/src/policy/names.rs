//! Exact names and what is known of each (spec 6.1).
//!
//! In: names at compile time. Out: what was kept of one, for a single look-up. Must not trust a name that is looked up: it
//! is the agent's, and may be of any length.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;

use crate::bytes::same;

/// A map by exact code points that nothing is added to: a look-up goes from the place that a name's hash gives to the next that is
/// free, and at most every second place is taken. The seed is random, so that no policy is slow by design.
#[derive(Debug)]
pub(super) struct Names<T> {
    seed: RandomState,
    /// A power of two of them.
    places: Box<[Place<T>]>,
}

/// A name and what is known of it, or nothing.
type Place<T> = Option<(Box<str>, T)>;

impl<T> Names<T> {
    /// The map of names that differ, each with what is known of it.
    pub(super) fn new(named: impl ExactSizeIterator<Item = (Box<str>, T)>) -> Self {
        let count = named.len().saturating_mul(2).next_power_of_two();
        let mut places: Box<[Place<T>]> = std::iter::repeat_with(|| None).take(count).collect();
        let seed = RandomState::default();
        for (name, value) in named {
            let mut at = hash(&seed, &name);
            // INVARIANT: half of the places or more are free.
            while let Some(place) = places.get_mut(at & count.wrapping_sub(1)) {
                if place.is_none() {
                    *place = Some((name, value));
                    break;
                }
                at = at.wrapping_add(1);
            }
        }
        Self { seed, places }
    }

    /// What is known of each name, in no particular order.
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.places.iter().flatten().map(|(_, value)| value)
    }

    /// What is known of `name`.
    #[inline(always)]
    pub(super) fn get(&self, name: &str) -> Option<&T> {
        let mut at = hash(&self.seed, name);
        loop {
            let place = self.places.get(at & self.places.len().wrapping_sub(1))?;
            match place.as_ref()? {
                (known, value) if same(known, name) => return Some(value),
                _ => at = at.wrapping_add(1),
            }
        }
    }
}

/// Of the bytes alone: the end mark that `str` hashes behind them would be a second round for nothing.
#[inline(always)]
fn hash(seed: &RandomState, name: &str) -> usize {
    let mut hasher = seed.build_hasher();
    hasher.write(name.as_bytes());
    hasher.finish() as usize
}

#[cfg(test)]
mod tests {
    use super::Names;

    #[test]
    fn every_name_is_found_and_no_other() {
        for count in [0, 1, 2, 3, 4, 100, 1_000] {
            let named: Vec<(Box<str>, usize)> = (0..count).map(|n| (format!("tool_{n}").into(), n)).collect();
            let names = Names::new(named.into_iter());
            assert!(names.places.len().is_power_of_two() && names.places.len() >= count * 2);
            for n in 0..count {
                assert_eq!(names.get(&format!("tool_{n}")), Some(&n));
            }
            for other in ["", "tool_", "tool_-1", &format!("tool_{count}"), &"x".repeat(2_000)] {
                assert_eq!(names.get(other), None, "{other}");
            }
        }
    }
}
