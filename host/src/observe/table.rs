//! What came of all calls that a candidate was asked about.
//!
//! In: decisions of both policies. Out: a row for each kind of call. Must not grow without bound: an agent chooses names.

use std::hash::BuildHasher as _;

use callgate::time::Timestamp;
use callgate::{Code, Decision, Effect, Policy};
use foldhash::fast::RandomState;
use hashbrown::HashTable;
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

/// Effect and code, with the rule's pointer and line.
type Essence<'a> = (Effect, Code, Option<(&'a str, u32)>);

/// What rows differ in: tool, method, and both decisions.
type Key<'a> = (Option<&'a str>, &'a str, Option<Essence<'a>>, Essence<'a>);

fn essence(decision: &DecisionSummary) -> Essence<'_> {
    let rule = decision.rule.as_ref().map(|rule| (&*rule.pointer, rule.line));
    (decision.effect, decision.code, rule)
}

impl Observation {
    fn key(&self) -> Key<'_> {
        let enforced = self.enforced.as_ref().map(essence);
        (self.tool.as_deref(), &self.method, enforced, essence(&self.candidate))
    }
}

#[derive(Default)]
pub(super) struct Table {
    calls: u64,
    failed: u64,
    omitted: u64,
    rows: HashTable<Observation>,
    hasher: RandomState,
}

impl Table {
    pub(super) fn add(
        &mut self,
        decision: &Decision<'_>,
        enforced: Option<&DecisionSummary>,
        flip: Flip,
        now: Timestamp,
    ) {
        self.calls = self.calls.saturating_add(1);
        let is_unlisted = |code| matches!(code, Code::NotListed | Code::InvalidTool | Code::InvalidMethod);
        // Made up by an agent, it would take the place of a tool.
        let is_made_up =
            is_unlisted(decision.code()) && enforced.is_none_or(|enforced| is_unlisted(enforced.code));
        let tool = decision.tool().filter(|_| !is_made_up);
        let method = if decision.code() == Code::InvalidMethod { "" } else { decision.method() };
        let rule = decision.rule().map(|rule| (rule.pointer(), rule.line()));
        let key: Key<'_> = (tool, method, enforced.map(essence), (decision.effect(), decision.code(), rule));
        let hash = self.hasher.hash_one(key);
        if let Some(row) = self.rows.find_mut(hash, |row| row.key() == key) {
            row.count = row.count.saturating_add(1);
            row.last = now;
        } else if self.rows.len() < ROWS {
            let row = Observation {
                tool: tool.map(str::to_owned),
                method: method.to_owned(),
                enforced: enforced.cloned(),
                candidate: DecisionSummary::new(decision),
                flip,
                count: 1,
                first: now,
                last: now,
            };
            let hasher = &self.hasher;
            self.rows.insert_unique(hash, row, |row| hasher.hash_one(row.key()));
        } else {
            self.omitted = self.omitted.saturating_add(1);
        }
    }

    pub(super) fn fail(&mut self) {
        self.calls = self.calls.saturating_add(1);
        self.failed = self.failed.saturating_add(1);
    }

    pub(super) fn observations(&self, policy: &Policy) -> Observations {
        let mut rows: Vec<_> = self.rows.iter().cloned().collect();
        rows.sort_by(|one, other| order(one).cmp(&order(other)));
        let Self { calls, failed, omitted, .. } = *self;
        Observations { policy: *policy.digest(), calls, failed, omitted, rows }
    }
}

/// The order of rows.
fn order(row: &Observation) -> impl Ord + '_ {
    let of = |(_, code, rule): Essence<'_>| (code.as_str(), rule.map(|(_, line)| line));
    let (tool, method, enforced, candidate) = row.key();
    (method, tool, row.flip, enforced.map(of), of(candidate))
}
