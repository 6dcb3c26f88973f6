//! Work: what comparing names with globs may take (spec 11.2).
//!
//! In: steps that stand for time, some 8 ns each. Out: whether there are any left.

/// What is left of the steps that one look-up, or one compilation, may take.
#[derive(Debug)]
pub(crate) struct Work(u64);

/// There were not enough of them: what was asked is not decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exhausted;

impl Work {
    pub(crate) const fn of(steps: u64) -> Self {
        Self(steps)
    }

    #[inline]
    pub(crate) fn take(&mut self, steps: usize) -> Result<(), Exhausted> {
        self.0 = self.0.checked_sub(steps as u64).ok_or(Exhausted)?;
        Ok(())
    }
}
