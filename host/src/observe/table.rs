//! What came of all calls that a candidate was asked about.
//!
//! In: decisions of both policies. Out: a row for each kind of call. Must not grow without bound: an agent chooses names.

use std::collections::HashMap;

use callgate::time::Timestamp;
use callgate::{Code, Decision, Policy};
use serde_json::json;

use super::observed::{DecisionSummary, Flip};

/// The most rows.
const ROWS: usize = 1_024;

/// All calls since a candidate began to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Observations {
    /// SHA-256 of the candidate's text.
    pub policy: [u8; 32],
    /// Calls that came to an end, whether the candidate decided them or failed. Those that wait for its store are not among them.
    pub calls: u64,
    /// Of these, calls of which the candidate said nothing: its store did not answer, or had too much to do.
    pub failed: u64,
    /// Of these, calls that no row has: there are 1,024 at most.
    pub omitted: u64,
    /// The others, in the order of their names. Rows differ in tool, method, or what both policies decided.
    pub rows: Vec<Observation>,
}

/// Calls of one tool about which both policies decided the same each time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Observation {
    /// The tool; `None` for another method than `tools/call`, and for names that neither policy lists.
    pub tool: Option<String>,
    /// The method.
    pub method: String,
    /// What was enforced; `None` in a dry run.
    pub enforced: Option<DecisionSummary>,
    /// What the candidate decided.
    pub candidate: DecisionSummary,
    /// How they differ.
    pub flip: Flip,
    /// How many calls.
    pub count: u64,
    /// The first one's time.
    pub first: Timestamp,
    /// The last one's time.
    pub last: Timestamp,
}

impl Observations {
    /// `{policy, calls, failed, omitted, rows}` as JSON, the same in every language: a row is `{tool, method, enforced, candidate,
    /// flip, count, first, last}`, and `enforced` and `candidate` are `{effect, code, rule}`.
    pub fn to_json(&self) -> String {
        let rows = self.rows.iter().map(|row| {
            json!({
                "tool": row.tool, "method": row.method, "enforced": row.enforced.as_ref().map(DecisionSummary::json),
                "candidate": row.candidate.json(), "flip": row.flip.as_str(), "count": row.count,
                "first": row.first.to_string(), "last": row.last.to_string(),
            })
        });
        let digest: String = self.policy.iter().map(|byte| format!("{byte:02x}")).collect();
        json!({
            "policy": format!("sha256:{digest}"), "calls": self.calls, "failed": self.failed, "omitted": self.omitted,
            "rows": rows.collect::<Vec<_>>(),
        })
        .to_string()
    }
}

#[derive(PartialEq, Eq, Hash)]
struct Kind {
    tool: Option<String>,
    method: String,
    enforced: Option<DecisionSummary>,
    candidate: DecisionSummary,
    flip: Flip,
}

struct Seen {
    count: u64,
    first: Timestamp,
    last: Timestamp,
}

#[derive(Default)]
pub(super) struct Table {
    calls: u64,
    failed: u64,
    omitted: u64,
    rows: HashMap<Kind, Seen>,
}

impl Table {
    pub(super) fn add(
        &mut self,
        decision: &Decision<'_>,
        enforced: Option<DecisionSummary>,
        flip: Flip,
        now: Timestamp,
    ) {
        self.calls = self.calls.saturating_add(1);
        let is_unlisted = |code| matches!(code, Code::NotListed | Code::InvalidTool | Code::InvalidMethod);
        // Made up by an agent, it would take the place of a tool.
        let is_made_up = is_unlisted(decision.code())
            && enforced.as_ref().is_none_or(|enforced| is_unlisted(enforced.code));
        let kind = Kind {
            tool: decision.tool().filter(|_| !is_made_up).map(str::to_owned),
            method: if decision.code() == Code::InvalidMethod { "" } else { decision.method() }.to_owned(),
            enforced,
            candidate: DecisionSummary::new(decision),
            flip,
        };
        if let Some(seen) = self.rows.get_mut(&kind) {
            seen.count = seen.count.saturating_add(1);
            seen.last = now;
        } else if self.rows.len() < ROWS {
            self.rows.insert(kind, Seen { count: 1, first: now, last: now });
        } else {
            self.omitted = self.omitted.saturating_add(1);
        }
    }

    pub(super) fn fail(&mut self) {
        self.calls = self.calls.saturating_add(1);
        self.failed = self.failed.saturating_add(1);
    }

    pub(super) fn observations(&self, policy: &Policy) -> Observations {
        let mut rows: Vec<_> = self.rows.iter().map(|(kind, seen)| row(kind, seen)).collect();
        rows.sort_by(|one, other| key(one).cmp(&key(other)));
        let Self { calls, failed, omitted, .. } = *self;
        Observations { policy: *policy.digest(), calls, failed, omitted, rows }
    }
}

fn row(kind: &Kind, seen: &Seen) -> Observation {
    Observation {
        tool: kind.tool.clone(),
        method: kind.method.clone(),
        enforced: kind.enforced.clone(),
        candidate: kind.candidate.clone(),
        flip: kind.flip,
        count: seen.count,
        first: seen.first,
        last: seen.last,
    }
}

/// The order of rows.
fn key(row: &Observation) -> impl Ord + '_ {
    let of = |summary: &DecisionSummary| (summary.code.as_str(), summary.rule.as_ref().map(|rule| rule.line));
    (&row.method, &row.tool, row.flip, row.enforced.as_ref().map(of), of(&row.candidate))
}
