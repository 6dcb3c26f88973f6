//! How calls end, and what they really cost (clauses 8.10, 8.13 and 8.14).

use crate::counters::{Part, Taken};
use crate::decimal::LARGEST;
use crate::mistake::{Mistake::*, is_made};
use crate::payment::Refund;
use crate::{Decision, Reference};

/// How a call ended (clause 8.13).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It never reached its tool.
    NotRun,
    /// A protocol error was the answer.
    Error,
    /// A result with `isError` was.
    ToolError,
    /// `done`, `cancelled`, `timed_out` and `lost`.
    Other,
}

impl Decision {
    /// Clause 8.10: whether there is something to finish: a charge, or one of 0 that may be settled.
    pub fn is_reserved(&self) -> bool {
        self.taken.iter().any(|taken| taken.amount > 0 || taken.settles())
    }
}

impl Reference {
    /// Clause 8.13: takes back what this end of a call gives back.
    pub fn finish(&mut self, decision: &Decision, end: End, now: i64) {
        let given_back = |part: &Part| match (part.refund, end) {
            (Refund::Always, _) if is_made(InFlightStays) => end == End::NotRun,
            (Refund::Always, End::Other) if is_made(InFlightOfErrors) => false,
            (Refund::Always, _) | (_, End::NotRun) => true,
            (Refund::ToolError, End::Error) => !is_made(ErrorKeepsToolErrors),
            (Refund::Error, End::Error) | (Refund::ToolError, End::ToolError) => true,
            (Refund::Error, End::ToolError) => is_made(ToolErrorGivesErrors),
            (Refund::Error, End::Other) => is_made(DoneGivesBack),
            _ => false,
        };
        for taken in &decision.taken {
            let back = taken.sum_of(given_back);
            self.logs.become_of(taken, taken.amount - back, now);
        }
        if is_made(ApprovalGivenBack) && end == End::NotRun {
            let at = self.spent.iter().position(|id| decision.spent.as_ref() == Some(id));
            at.map(|at| self.spent.remove(at));
        }
    }

    /// Clause 8.14: makes charges what the call really cost, each by the name of its counter or budget, or the only one that may be
    /// settled. Else the code of an error, and nothing has changed.
    pub fn settle(
        &mut self,
        decision: &Decision,
        actual: &[(Option<&str>, i128)],
        now: i64,
    ) -> Result<(), &'static str> {
        let open: Vec<&Taken> = decision.taken.iter().filter(|taken| taken.settles()).collect();
        if open.is_empty() || actual.is_empty() {
            return Err("nothing_to_settle");
        }
        for (name, _) in actual {
            match name {
                None if open.len() > 1 => return Err("ambiguous"),
                None => {}
                Some(name) if open.iter().all(|taken| taken.counter() != *name) => {
                    return Err("unknown_counter");
                }
                Some(_) => {}
            }
        }
        for taken in &open {
            let named = actual.iter().find(|(name, _)| name.is_none_or(|name| name == taken.counter()));
            if let Some((_, amount)) = named {
                // What other items paid stands.
                let fixed = taken.sum_of(|part| !part.settles);
                let fixed = if is_made(SettleTakesAll) { 0 } else { fixed };
                self.logs.become_of(taken, (fixed + amount).min(LARGEST), now);
            }
        }
        // Calls in flight are given back.
        for taken in decision.taken.iter().filter(|_| !is_made(InFlightAfterSettling)) {
            let back = taken.sum_of(|part| part.refund == Refund::Always);
            if back > 0 {
                self.logs.become_of(taken, taken.amount - back, now);
            }
        }
        Ok(())
    }
}
