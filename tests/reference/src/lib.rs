//! A reference interpreter of `spec/language.md`: each clause as the simplest code that says it.
//!
//! In: the text of a valid JSON policy, calls as raw JSON texts, and the time of each. Out: decisions. It keeps the
//! counters itself, as a log of every charge. It shares no code with the engine, compiles nothing, and need not be fast;
//! it does not look for invalid documents and knows no ceiling on steps.

#![forbid(unsafe_code)]

pub mod approval;
pub mod calendar;
pub mod check;
pub mod condition;
pub mod decimal;
pub mod json;
pub mod mistake;
pub mod operator;
pub mod path;
pub mod pattern;
pub mod payment;
pub mod policy;
pub mod readings;
pub mod state;
pub mod syntax;
pub mod time;
pub mod view;

mod batch;
mod counters;
mod decision;
mod facts;
mod finish;
mod levels;
mod visible;

use std::rc::Rc;

use approval::{Asking, Covered};
use batch::Matched;
use check::Check;
use condition::{Outcome, Place};
use counters::{Batch, Bound, Kind, Logs, Slot, asks};
use decimal::amount_text;
pub use decision::{CounterUse, Decision, Wanted, WantedBy};
use decision::{about, label, wanted};
pub use facts::Facts;
pub use finish::End;
use json::Json;
use levels::Levels;
use mistake::{Mistake, is_made};
use policy::{Document, Item};

/// A call (clause 3.1).
#[derive(Debug, Clone, Copy)]
pub struct Call<'c> {
    /// The tool's name, or the method of a request of another method than `tools/call` (clause 3.10).
    pub target: Target<'c>,
    /// Arguments, or params, as raw JSON; absent ones are `{}` (clause 3.2).
    pub args: Option<&'c str>,
    /// The identity as raw JSON (clause 3.3).
    pub identity: Option<&'c str>,
    /// The name of the server, where the host gives it (clause 9.5).
    pub server: Option<&'c str>,
    /// Clause 7.2.
    pub approval: Option<approval::Approval<'c>>,
    /// What the host has checked (clauses 3.7 and 3.8).
    pub check: Option<Check<'c>>,
}

/// What is called (clause 3.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'c> {
    /// A tool.
    Tool(&'c str),
    /// Another method.
    Method(&'c str),
}

/// A policy or a stack of several (clause 6.10), its counters and the approvals that were spent.
#[derive(Clone)]
pub struct Reference {
    text: String,
    layers: Rc<Vec<Document>>,
    logs: Logs,
    /// An id for each call that an approval let through.
    spent: Vec<String>,
}

impl Reference {
    /// Reads a policy that is valid, or a list of those that are a stack. An error is something that this interpreter does not know.
    pub fn new(policy: &str) -> Result<Reference, String> {
        let mut layers = Vec::new();
        for text in policies(policy) {
            let document = Document::read(&text)?;
            let methods = document.requests.iter().flat_map(|requests| &requests.entries);
            for entry in document.entries.iter().chain(methods) {
                let conditions = entry.items.iter().flat_map(|item| item.conditions.iter().chain(&item.when));
                for pattern in conditions.flat_map(syntax::patterns) {
                    pattern::Regex::read(pattern).ok_or(format!("unknown pattern {pattern}"))?;
                }
            }
            layers.push(document);
        }
        Ok(Reference {
            text: policies(policy).join("\n"),
            layers: Rc::new(layers),
            logs: Logs::default(),
            spent: vec![],
        })
    }

    /// Puts another policy in force; counters and spent approvals stay (clause 8.6).
    pub fn replace(&mut self, policy: &str) -> Result<(), String> {
        let new = Reference::new(policy)?;
        (self.text, self.layers) = (new.text, new.layers);
        Ok(())
    }

    /// Clause 6.2: the steps of a decision, the first that decides wins.
    pub fn decide(&mut self, call: &Call<'_>, now: i64) -> Decision {
        let layers = Rc::clone(&self.layers);
        let levels = match Levels::of(&layers, call) {
            Ok(levels) => levels,
            Err(denial) => return *denial,
        };
        let decision = self.decide_levels(&layers, &levels, call, now);
        Decision { inner: levels.inner.clone(), ..decision }
    }

    /// The steps from the identity on.
    fn decide_levels(
        &mut self,
        layers: &[Document],
        levels: &Levels<'_>,
        call: &Call<'_>,
        now: i64,
    ) -> Decision {
        let Some(identity) = claims(call.identity) else {
            return Decision {
                effect: "deny",
                code: "invalid_identity",
                message: Some("Identity is neither a string nor an object".to_owned()),
                ..Decision::default()
            };
        };
        let (Target::Tool(name) | Target::Method(name)) = call.target;
        let mut facts: Vec<Facts<'_>> = Vec::new();
        for level in &levels.list {
            facts.push(Facts::new(level.tool.as_deref(), &level.args, identity.as_ref(), call.server));
        }
        let mut items: Vec<Matched<'_>> = Vec::new();
        for (level, of_level) in levels.list.iter().enumerate() {
            for (document, entry) in &of_level.entries {
                for item in &entry.items {
                    items.push(Matched { number: items.len(), item, document, level });
                }
            }
        }

        // Clause 6.3: the stateless pass.
        let mut askers = Vec::new();
        let mut counting = Vec::new();
        for matched in items {
            let (item, facts) = (matched.item, &facts[matched.level]);
            let stateless: Vec<&Json> =
                item.conditions.iter().filter(|condition| !state::is_state(condition)).collect();
            let has_state = stateless.len() < item.conditions.len();
            let outcome = condition::list(&stateless, facts, item.place);
            match item.place {
                Place::Permit if outcome != Outcome::Holds => return about(item, "deny", "condition_failed"),
                Place::Permit => counting.push(matched),
                Place::Limit => unreachable!("only `when` stands there"),
                Place::Block if outcome == Outcome::Fails => {}
                // Clause 6.4
                Place::Block if has_state => {
                    counting.push(matched);
                    askers.extend(Some(matched).filter(|matched| matched.item.approves));
                }
                Place::Block if item.approves => askers.push(matched),
                Place::Block => return about(item, "deny", "denied"),
            }
        }

        let batch = match batch::of(&counting, &facts, layers) {
            Ok(batch) => batch,
            Err(denial) => return *denial,
        };

        // Clause 6.6
        if askers.is_empty() {
            if batch.slots.is_empty() {
                return Decision { effect: "allow", code: "allowed", ..Decision::default() };
            }
            return self.settle_batch(&batch, None, None, now);
        }
        let covered = Covered {
            policy: &self.text,
            name,
            is_request: matches!(call.target, Target::Method(_)),
            levels,
            identity: identity.as_ref(),
            server: call.server,
        };
        let Some(asking) = Asking::of(askers, &covered) else { return *levels::invalid_args(None) };
        let approval = call.approval.filter(|approval| {
            approval.key == asking.key
                && (1..=256).contains(&approval.id.len())
                && (asking.valid_for.is_none() || approval.given_at.is_some() || is_made(Mistake::AgeIgnored))
        });
        let is_noted = asking.items.iter().any(|matched| !approval::may_ask(matched.item));
        if is_noted && approval.is_none() {
            return self.look(&batch, &asking, now);
        }
        self.settle_batch(&batch, Some(&asking), approval, now)
    }

    /// Clause 6.6: what the bounds say of a call that waits for approval; nothing is taken.
    fn look(&self, batch: &Batch, asking: &Asking<'_>, now: i64) -> Decision {
        let asked = || wanted(self.who_asks(batch, asking, now)[0], asking, "approval_required");
        if is_made(Mistake::ApprovalBeforeLimit) {
            return asked();
        }
        let mut decision = self.refusal(batch, now).unwrap_or_else(asked);
        decision.counters = batch.slots.iter().map(|slot| self.shown(slot, false, now)).collect();
        decision
    }

    /// Clause 6.7: the rules that ask, of those that ask or may ask.
    fn who_asks<'d>(&self, batch: &Batch, asking: &Asking<'d>, now: i64) -> Vec<&'d Item> {
        let asks_now = |matched: &&Matched<'d>| {
            let tests = batch.tests_of(matched.number);
            tests.is_none_or(|tests| asks(batch, tests, &self.logs, now))
        };
        asking.items.iter().filter(asks_now).map(|matched| matched.item).collect()
    }

    /// Clause 6.7: what is said where bounds refuse.
    fn refusal(&self, batch: &Batch, now: i64) -> Option<Decision> {
        let refused: Vec<&Bound> =
            batch.bounds.iter().filter(|bound| !bound.holds(batch, &self.logs, now)).collect();
        let first = refused.first()?;
        // Clause 6.7: the first in order is the reported rule.
        let mut decision = about(&first.item, "deny", first.code(batch, &self.logs, now));
        decision.retry_after = self.logs.retry_after(batch, &refused, now);
        let mut on_deny = first.item.on_deny.as_ref();
        if let Kind::Max(slot, _) = &first.kind {
            // Clause 8.8: a maximum refuses, or the counter can hold no more.
            let (counter, rule) = (&batch.slots[*slot].counter, label(&first.item));
            on_deny = on_deny.or(counter.on_deny.as_ref());
            let per = match counter.window {
                time::Window::Ever => String::new(),
                _ => format!(" per {}", counter.window_text),
            };
            decision.message = Some(match Bound::exceeded(batch, *slot, &self.logs, now).map(amount_text) {
                Some(max) if counter.is_in_flight => {
                    let calls = if max == "1" { "call is" } else { "calls are" };
                    format!("{max} {calls} in flight, which is the most. Try again when one has ended.")
                }
                Some(max) if counter.is_budget => {
                    format!("Budget \"{}\" of {max}{per} is used up", counter.name)
                }
                Some(max) if per.is_empty() => format!("Limit of {max} reached"),
                Some(max) => format!("Rate limit of {max}{per} reached"),
                None if Bound::overflows(batch, *slot, &self.logs, now) => {
                    format!("The counter of rule \"{rule}\" is full")
                }
                None => format!("The counter of rule \"{rule}\" is full: it keeps at most 10000 charges"),
            });
        }
        // Clause 10.5: the policy's own words, or when the limit has room again.
        decision.message = match (on_deny, decision.message, decision.code) {
            (Some(text), ..) => Some(text.clone()),
            (None, Some(text), "limit_exceeded") if !text.ends_with('.') => {
                Some(match decision.retry_after {
                    None => format!("{text}. Waiting does not help."),
                    Some(1) => format!("{text}. Try again in 1 second."),
                    Some(seconds) => format!("{text}. Try again in {seconds} seconds."),
                })
            }
            (None, text, _) => text,
        };
        Some(decision)
    }

    /// Clauses 6.7 and 8.1: the batch is taken whole, or a bound refuses, or a rule asks.
    fn settle_batch(
        &mut self,
        batch: &Batch,
        asking: Option<&Asking<'_>>,
        approval: Option<approval::Approval<'_>>,
        now: i64,
    ) -> Decision {
        self.logs.decide_at(now);
        let refusal = self.refusal(batch, now);
        let asked = asking.and_then(|asking| Some((asking, *self.who_asks(batch, asking, now).first()?)));
        let approval = approval.filter(|approval| self.is_in_time(asking, approval, now));
        let mut taken = None;
        let mut decision = match (refusal, asked) {
            (Some(_), Some((asking, item))) if is_made(Mistake::AsksBeforeBound) && approval.is_none() => {
                wanted(item, asking, "approval_required")
            }
            (Some(refusal), _) => refusal,
            (None, Some((asking, item))) => match approval {
                None => wanted(item, asking, "approval_required"),
                // Clause 7.3
                Some(approval) if self.uses(approval.id) >= asking.uses => {
                    wanted(item, asking, "approval_spent")
                }
                Some(approval) => {
                    let by_counters = asking.items.iter().all(|matched| approval::may_ask(matched.item));
                    taken = Some(
                        Some(approval.id).filter(|_| !(by_counters && is_made(Mistake::UnspentByCounters))),
                    );
                    Decision::default()
                }
            },
            (None, None) => {
                let id = approval.map(|approval| approval.id);
                taken = Some(id.filter(|_| is_made(Mistake::SpendsUnasked)));
                Decision::default()
            }
        };
        if let Some(id) = taken {
            self.spent.extend(id.map(str::to_owned));
            decision = Decision { effect: "allow", code: "allowed", ..Decision::default() };
            decision.taken = batch.slots.iter().filter_map(|slot| self.logs.charge(slot, now)).collect();
            decision.spent = id.map(str::to_owned);
        }
        let is_taken = taken.is_some();
        decision.counters = batch.slots.iter().map(|slot| self.shown(slot, is_taken, now)).collect();
        decision
    }

    /// Clause 7.2: whether an approval is neither too old nor ahead of its time.
    fn is_in_time(&self, asking: Option<&Asking<'_>>, approval: &approval::Approval<'_>, now: i64) -> bool {
        let Some(valid_for) = asking.and_then(|asking| asking.valid_for) else { return true };
        let (Some(given), now) = (approval.given_at, self.logs.time(now)) else { return true };
        (given <= now + 60_000 || is_made(Mistake::AheadIsApproved))
            && (now < given + valid_for * 1_000 || is_made(Mistake::AgeIgnored))
    }

    /// How many calls an approval let through.
    fn uses(&self, id: &str) -> u64 {
        self.spent.iter().filter(|spent| *spent == id).count() as u64
    }

    /// Clause 10.4.
    fn shown(&self, slot: &Slot, taken: bool, now: i64) -> CounterUse {
        let standing = self.logs.standing(slot, now);
        CounterUse {
            entry: slot.counter.entry.clone(),
            counter: slot.counter.name.clone(),
            scope: slot.counter.scope.text(),
            window: slot.counter.window_text.clone(),
            charged: slot.charge.filter(|_| taken).map(amount_text),
            used: amount_text(standing.used),
            max: slot.max.map(amount_text),
            resets_at: standing.resets_at.map(time::rfc3339),
            budget: Some(slot.counter.name.clone()).filter(|_| slot.counter.is_budget),
        }
    }
}

/// The texts of a stack, which is written as a list of its policies; or the one policy.
pub fn policies(text: &str) -> Vec<String> {
    match Json::read(text) {
        Ok(Json::Array(policies)) => policies.iter().map(Json::write).collect(),
        _ => vec![text.to_owned()],
    }
}

/// Clause 3.3: the claims of an identity, if there is one; none if it is not valid.
fn claims(identity: Option<&str>) -> Option<Option<Json>> {
    match identity.map(|text| Json::read(text).expect("an identity is JSON")) {
        None => Some(None),
        Some(Json::String(id)) => Some(Some(Json::Object(vec![("id".to_owned(), Json::String(id))]))),
        Some(claims @ Json::Object(_)) => Some(Some(claims)),
        Some(_) => None,
    }
}

/// Clauses 2.4 and 2.7: whether a name or glob of `hide` is about a tool.
fn names(hidden: &str, tool: &str) -> bool {
    if pattern::is_glob(hidden) { pattern::glob_matches(hidden, tool) } else { hidden == tool }
}
