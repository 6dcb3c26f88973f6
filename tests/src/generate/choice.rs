//! Where choices come from: first the bytes that were given, then random numbers (SplitMix64: 64 bits of state, no
//! dependency).

use std::collections::VecDeque;

use super::Generator;

impl Generator {
    /// A generator of its own sequence.
    pub fn new(seed: u64) -> Self {
        Self {
            given: VecDeque::new(),
            state: seed,
            counts: false,
            extended: false,
            pointed: false,
            permits: false,
            budgets: vec![],
            nested: None,
            changes: None,
        }
    }

    /// A generator whose first choices are the given bytes, one each; a fixed sequence follows them. So a fuzzer that
    /// changes a byte changes a choice.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self { given: bytes.iter().copied().collect(), ..Self::new(0) }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 up to, not including, `bound`, which is at most 256.
    pub fn below(&mut self, bound: usize) -> usize {
        let number = self.given.pop_front().map_or_else(|| self.next(), u64::from);
        (number % bound as u64) as usize
    }

    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(super) fn pick<'p>(&mut self, from: &[&'p str]) -> &'p str {
        from[self.below(from.len())]
    }
}
