//! A reference interpreter of `spec/language.md`: each clause as the simplest code that says it.
//!
//! In: the text of a valid JSON policy, calls as raw JSON texts, and the time of each. Out: decisions. It keeps the
//! counters itself, as a log of every charge. It shares no code with the engine, compiles nothing, and need not be fast;
//! it does not look for invalid documents and knows no ceiling on steps.

#![forbid(unsafe_code)]

pub mod check;
pub mod condition;
pub mod decimal;
pub mod json;
pub mod mistake;
pub mod operator;
pub mod path;
pub mod pattern;
pub mod policy;
pub mod readings;
pub mod state;
pub mod syntax;
pub mod time;
pub mod view;

mod counters;
mod decision;
mod facts;
mod visible;

use std::rc::Rc;

use check::Check;
use condition::{Outcome, Place};
use counters::{Batch, Bound, Kind, Logs, Slot, Taken};
use decimal::amount_text;
pub use decision::{CounterUse, Decision};
use decision::{about, label, named};
pub use facts::Facts;
use json::{Json, canonical, quoted};
use mistake::{Mistake, is_made};
use path::Segment;
use policy::{Charge, Counter, Document, Entry, Item, Scope};

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
    /// Key and id of an approval (clause 7.2).
    pub approval: Option<(&'c str, &'c str)>,
    /// What the host has checked (clauses 3.7 and 3.8).
    pub check: Option<Check<'c>>,
}

/// What is called (clause 3.10).
#[derive(Debug, Clone, Copy)]
pub enum Target<'c> {
    /// A tool.
    Tool(&'c str),
    /// Another method.
    Method(&'c str),
}

/// A policy, its counters and the approvals that were spent.
pub struct Reference {
    text: String,
    document: Rc<Document>,
    logs: Logs,
    spent: Vec<String>,
}

impl Reference {
    /// Reads a policy that is valid. An error is something that this interpreter does not know.
    pub fn new(policy: &str) -> Result<Reference, String> {
        let document = Document::read(policy)?;
        for entry in &document.entries {
            let conditions = entry.items.iter().flat_map(|item| item.conditions.iter().chain(&item.when));
            for pattern in conditions.flat_map(syntax::patterns) {
                pattern::Regex::read(pattern).ok_or(format!("unknown pattern {pattern}"))?;
            }
        }
        Ok(Reference {
            text: policy.to_owned(),
            document: Rc::new(document),
            logs: Logs::default(),
            spent: vec![],
        })
    }

    /// Puts another policy in force; counters and spent approvals stay (clause 8.6).
    pub fn replace(&mut self, policy: &str) -> Result<(), String> {
        let new = Reference::new(policy)?;
        (self.text, self.document) = (new.text, new.document);
        Ok(())
    }

    /// Clause 6.2: the steps of a decision, the first that decides wins.
    pub fn decide(&mut self, call: &Call<'_>, now: i64) -> Decision {
        let deny = |code, message: String| Decision {
            effect: "deny",
            code,
            message: Some(message),
            ..Decision::default()
        };
        let document = Rc::clone(&self.document);
        let entries = match call.target {
            Target::Method(method) => {
                if method.is_empty() || method.len() > 1_024 || method.starts_with("tools/") {
                    let message = "Method is empty, too long or begins with \"tools/\"";
                    return deny("invalid_method", message.to_owned());
                }
                // Clause 3.10: a policy says nothing of other methods.
                vec![]
            }
            Target::Tool(tool) => {
                if tool.len() > 1_024 {
                    return deny("invalid_tool", "Tool name is too long".to_owned());
                }
                if let Some(index) = document.hide.iter().position(|hidden| names(hidden, tool)) {
                    let mut decision = deny("hidden", format!("Tool \"{tool}\" is hidden by policy"));
                    decision.rule = Some(format!("/hide/{index}"));
                    return decision;
                }
                if document.default_deny && !document.lists(tool) {
                    return deny("not_listed", format!("Tool \"{tool}\" is not permitted by policy"));
                }
                document.matching(tool)
            }
        };
        let invalid_args = || deny("invalid_args", "Arguments are not valid:".to_owned());
        let Ok(args) = Json::read(call.args.unwrap_or("{}")) else { return invalid_args() };
        if !matches!(args, Json::Object(_)) {
            return invalid_args();
        }
        if call.check.is_some_and(|check| self.refuses(&check, &entries, &args)) {
            return invalid_args();
        }
        let Some(identity) = claims(call.identity) else {
            return deny("invalid_identity", "Identity is neither a string nor an object".to_owned());
        };
        let (Target::Tool(name) | Target::Method(name)) = call.target;
        let facts = Facts::new(name, &args, identity.as_ref(), call.server);
        let items: Vec<&Item> = entries.iter().flat_map(|entry| &entry.items).collect();

        // Clause 6.3: the stateless pass.
        let mut askers = Vec::new();
        let mut counting = Vec::new();
        for item in items {
            let stateless: Vec<&Json> =
                item.conditions.iter().filter(|condition| !state::is_state(condition)).collect();
            let has_state = stateless.len() < item.conditions.len();
            let outcome = condition::list(&stateless, &facts, item.place);
            match item.place {
                Place::Permit if outcome != Outcome::Holds => return about(item, "deny", "condition_failed"),
                Place::Permit => counting.push(item),
                Place::Limit => unreachable!("only `when` stands there"),
                Place::Block if outcome == Outcome::Fails => {}
                Place::Block if item.approves => askers.push(item),
                // Clause 6.4
                Place::Block if has_state => counting.push(item),
                Place::Block => return about(item, "deny", "denied"),
            }
        }

        let batch = match self.batch(&counting, &facts) {
            Ok(batch) => batch,
            Err(denial) => return *denial,
        };

        // Clause 6.6
        let mut approval = None;
        if !askers.is_empty() {
            // Clause 7.1: what the key is a digest of.
            let identity = identity.as_ref().map_or(Some("absent".to_owned()), canonical);
            let (Some(args), Some(identity)) = (canonical(&args), identity) else { return invalid_args() };
            let server = call.server.filter(|_| !is_made(Mistake::ServerOutOfKey));
            let parts = [Some(self.text.as_str()), Some(name), Some(&args), Some(&identity), server];
            let key = parts.into_iter().flatten().map(quoted).collect::<Vec<_>>().join(",");
            let given = call.approval.filter(|(given, id)| *given == key && (1..=256).contains(&id.len()));
            let Some((_, id)) = given else { return self.look(&batch, &askers, key, now) };
            approval = Some((askers, key, id));
        } else if batch.slots.is_empty() {
            return Decision { effect: "allow", code: "allowed", ..Decision::default() };
        }

        self.settle_batch(&batch, approval, now)
    }

    /// Clause 10.9: whether a list that this caller asks for has a tool.
    pub fn visible(&self, tool: &str, identity: Option<&str>, server: Option<&str>) -> bool {
        if tool.len() > 1_024 || self.document.hide.iter().any(|hidden| names(hidden, tool)) {
            return false;
        }
        if !self.document.lists_callable {
            return true;
        }
        if self.document.default_deny && !self.document.lists(tool) {
            return is_made(Mistake::CallableUnlisted);
        }
        let Some(identity) = claims(identity) else { return is_made(Mistake::CallableToAnyIdentity) };
        let facts = Facts::new(tool, &Json::Null, identity.as_ref(), server);
        let entries = self.document.matching(tool);
        !entries.iter().flat_map(|entry| &entry.items).any(|item| visible::refuses_all(item, &facts))
    }

    /// Clauses 3.7 and 3.8: whether the server may read the arguments otherwise than a matching entry does.
    fn refuses(&self, check: &Check<'_>, entries: &[&Entry], args: &Json) -> bool {
        let schema = check.schema.map(|text| Json::read(text).expect("a schema is JSON"));
        entries.iter().any(|entry| {
            let mut texts: Vec<String> = Vec::new();
            let mut compared = Vec::new();
            for item in &entry.items {
                // Clause 2.20: the names of `only_args` count as read.
                let names = item.only_args.iter().filter(|_| !is_made(Mistake::OnlyArgsUnread));
                texts.extend(names.map(|name| format!("args[{}]", quoted(name))));
                let mut counters: Vec<&Counter> = item.counter.iter().collect();
                for condition in item.conditions.iter().chain(&item.when) {
                    if state::is_state(condition) {
                        let path = condition.get("path").and_then(Json::text).expect("a path");
                        counters.push(self.document.counter(path));
                    } else {
                        texts.extend(syntax::paths(condition));
                        compared.extend(syntax::compared(condition));
                    }
                }
                if let Some(Charge::From(path)) = item.counter.as_ref().map(|counter| &counter.charge) {
                    texts.push(path.clone());
                }
                for counter in counters {
                    if let Scope::Paths(paths) = &counter.scope {
                        texts.extend(paths.iter().cloned());
                    }
                }
            }
            let mut paths: Vec<_> = texts.iter().map(|text| path::read(text)).collect();
            for (text, operand) in compared {
                let (root, path) = path::read(&text);
                paths.extend(check::paths_in(operand, &path).into_iter().map(|path| (root.clone(), path)));
            }
            paths.retain(|(root, _)| root == "args");
            let read: Vec<&[Segment]> = paths.iter().map(|(_, path)| path.as_slice()).collect();
            let whole: Vec<&[Segment]> = read.iter().map(|path| check::before_views(path)).collect();
            // Nothing is looked at where no rule looks.
            !paths.is_empty()
                && (schema.as_ref().is_some_and(|schema| !check::admits(schema, schema, args, &whole))
                    || check.folding && check::folds(args, &read))
        })
    }

    /// Clause 6.5: each charge and each counter that is read, in order.
    fn batch(&self, counting: &[&Item], facts: &Facts<'_>) -> Result<Batch, Box<Decision>> {
        let mut batch = Batch { slots: vec![], bounds: vec![] };
        for item in counting {
            let label = label(item);
            // Clause 2.21: a limit that does not apply is none.
            let when: Vec<&Json> = item.when.iter().collect();
            let applies = match condition::list(&when, facts, Place::Limit) {
                Outcome::Unknown => !is_made(Mistake::WhenUnknownSpares),
                outcome => outcome != Outcome::Fails || is_made(Mistake::WhenStillCharges),
            };
            if let Some(counter) = item.counter.as_ref().filter(|_| applies) {
                let Some(amount) = facts.amount(&counter.charge) else {
                    let Charge::From(path) = &counter.charge else { unreachable!() };
                    let mut denial = about(item, "deny", "invalid_amount");
                    denial.message = Some(format!("Rule \"{label}\" needs a valid amount at {path}"));
                    return Err(Box::new(denial));
                };
                let slot = slot(&mut batch, counter, facts, item)?;
                batch.slots[slot].charge = Some(amount);
                batch.bounds.push(Bound { item: (*item).clone(), kind: Kind::Max(slot) });
            }
            let mut tests = Vec::new();
            for test in item.conditions.iter().filter(|condition| state::is_state(condition)) {
                let path = test.get("path").and_then(Json::text).expect("a path");
                let slot = slot(&mut batch, self.document.counter(path), facts, item)?;
                match item.place {
                    Place::Permit => {
                        let kind = Kind::Needs(slot, test.clone());
                        batch.bounds.push(Bound { item: (*item).clone(), kind });
                    }
                    _ => tests.push((slot, test.clone())),
                }
            }
            if !tests.is_empty() {
                // Clause 6.4: it acts when all of them hold.
                batch.bounds.push(Bound { item: (*item).clone(), kind: Kind::Blocks(tests) });
            }
        }
        Ok(batch)
    }

    /// Clause 6.6: what the bounds say of a call that waits for approval; nothing is taken.
    fn look(&self, batch: &Batch, askers: &[&Item], key: String, now: i64) -> Decision {
        let asks = || Decision {
            approval_key: Some(key),
            askers: askers.iter().copied().map(named).collect(),
            ..about(askers[0], "require_approval", "approval_required")
        };
        if is_made(Mistake::ApprovalBeforeLimit) {
            return asks();
        }
        let mut decision = self.refusal(batch, now).unwrap_or_else(asks);
        decision.counters = batch.slots.iter().map(|slot| self.shown(slot, false, now)).collect();
        decision
    }

    /// Clause 6.7: what is said where bounds refuse.
    fn refusal(&self, batch: &Batch, now: i64) -> Option<Decision> {
        let refused: Vec<&Bound> =
            batch.bounds.iter().filter(|bound| !bound.holds(batch, &self.logs, now)).collect();
        let first = refused.first()?;
        // Clause 6.7: the first in order is the reported rule.
        let mut decision = about(&first.item, "deny", first.code(batch, &self.logs, now));
        decision.retry_after = self.logs.retry_after(batch, &refused, now);
        if let Kind::Max(slot) = &first.kind {
            // Clause 8.8: a maximum refuses, or the counter can hold no more.
            decision.message = Some(match Bound::exceeded(batch, *slot, &self.logs, now) {
                Some(max) => {
                    let (max, window) = (amount_text(max), &batch.slots[*slot].counter.window_text);
                    format!("Rate limit of {max} per {window} reached")
                }
                None => format!("The counter of rule \"{}\" is full", label(&first.item)),
            });
        }
        // Clause 10.5: the policy's own words, or when the limit has room again.
        decision.message = match (&first.item.on_deny, decision.message, decision.code) {
            (Some(text), ..) => Some(text.clone()),
            (None, Some(text), "limit_exceeded") => Some(match decision.retry_after {
                None => format!("{text}. Waiting does not help."),
                Some(1) => format!("{text}. Try again in 1 second."),
                Some(seconds) => format!("{text}. Try again in {seconds} seconds."),
            }),
            (None, text, _) => text,
        };
        Some(decision)
    }

    /// Clauses 6.7 and 8.1: the batch is taken whole, or a bound refuses.
    fn settle_batch(
        &mut self,
        batch: &Batch,
        approval: Option<(Vec<&Item>, String, &str)>,
        now: i64,
    ) -> Decision {
        self.logs.decide_at(now);
        let mut taken = false;
        let mut decision = if let Some(refusal) = self.refusal(batch, now) {
            refusal
        } else if let Some((askers, key, _)) = approval.as_ref().filter(|(_, _, id)| self.is_spent(id)) {
            // Clause 7.3
            let item = askers[0];
            let mut decision = about(item, "require_approval", "approval_spent");
            decision.message = Some(format!("The approval for rule \"{}\" was already used", label(item)));
            decision.approval_key = Some(key.clone());
            decision.askers = askers.iter().copied().map(named).collect();
            decision
        } else {
            taken = true;
            self.spent.extend(approval.iter().map(|(_, _, id)| (*id).to_owned()));
            Decision { effect: "allow", code: "allowed", ..Decision::default() }
        };
        if taken {
            decision.taken = batch.slots.iter().filter_map(|slot| self.logs.charge(slot, now)).collect();
        }
        decision.counters = batch.slots.iter().map(|slot| self.shown(slot, taken, now)).collect();
        decision
    }

    fn is_spent(&self, id: &str) -> bool {
        self.spent.iter().any(|spent| spent == id)
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
            max: slot.counter.max.map(amount_text),
            resets_at: time::rfc3339(standing.resets_at),
        }
    }

    /// Clause 8.13: takes all charges of a call back that did not run.
    pub fn not_run(&mut self, decision: &Decision, now: i64) {
        for taken in &decision.taken {
            self.logs.refund(taken, taken.amount, now);
        }
    }

    /// Clause 8.14: makes charges that came from `increment_from` smaller, of the only such counter or of those with a name.
    /// Whether that could be done.
    pub fn settle(&mut self, decision: &Decision, counter: Option<&str>, actual: i128, now: i64) -> bool {
        let open: Vec<&Taken> = decision.taken.iter().filter(|taken| taken.from_args).collect();
        let from: Vec<&Taken> = match counter {
            None if open.len() > 1 => return false,
            None => open,
            Some(name) => open.into_iter().filter(|taken| taken.counter() == name).collect(),
        };
        if from.is_empty() || from.iter().any(|taken| actual > taken.amount) {
            return false;
        }
        for taken in from {
            self.logs.refund(taken, taken.amount - actual, now);
        }
        true
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

/// The slot of a counter, made on first mention (clause 10.4); clause 9.4: a missing scope denies.
fn slot(
    batch: &mut Batch,
    counter: &Counter,
    facts: &Facts<'_>,
    item: &Item,
) -> Result<usize, Box<Decision>> {
    let same = |slot: &Slot| slot.counter.entry == counter.entry && slot.counter.name == counter.name;
    if let Some(slot) = batch.slots.iter().position(same) {
        return Ok(slot);
    }
    let Some(scope) = facts.scope(&counter.scope) else {
        let mut denial = about(item, "deny", "identity_required");
        let scope = counter.scope.text();
        denial.message = Some(format!("Rule \"{}\" needs an identity for scope {scope}", label(item)));
        return Err(Box::new(denial));
    };
    batch.slots.push(Slot { counter: counter.clone(), scope, charge: None });
    Ok(batch.slots.len() - 1)
}

/// Clauses 2.4 and 2.7: whether a name or glob of `hide` is about a tool.
fn names(hidden: &str, tool: &str) -> bool {
    if pattern::is_glob(hidden) { pattern::glob_matches(hidden, tool) } else { hidden == tool }
}
