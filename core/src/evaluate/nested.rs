//! Calls that have another call in them: those of dispatchers, and completions (spec 3.10, 3.11).
//!
//! In: the entries of the outer call, and what is called. Out: one ruling or one batch for both. Must not decide the inner call by less
//! than a call of its own would be, and must not charge what both charge twice.

use std::ops::ControlFlow;

use super::completion::Completed;
use super::{Charger, PendingBatch, Remaining, code, undecided, unreadable};
use crate::admission::folding;
use crate::args_check::ArgsCheck;
use crate::budget::Budget;
use crate::call::{Beside, Target};
use crate::canonical::canonical;
use crate::ceilings::NAME_BYTES;
use crate::condition::{CallContext, Leaf, Visitor};
use crate::identity::Identity;
use crate::policy::nested::{Dispatches, NESTED, Nested, Nesting};
use crate::policy::{Compiled, Found};
use crate::ruling::{Code, Effect, Ruling};
use crate::trace::{Sink, Step as At};
use crate::view::{Kind, Unreadable, View};

/// What is decided, or `None` where counters decide it; or why a value cannot be read.
type Decided = Result<Option<Ruling>, Unreadable>;

/// The outer call.
struct Outer<'p, 'c, A, I> {
    compiled: &'p Compiled,
    /// Those that apply to it.
    entries: &'c [u32],
    facts: &'c CallContext<'c, A, I>,
    /// Where the inner call stands, if it stands in the arguments.
    dispatches: Option<&'p Dispatches>,
}

impl Compiled {
    /// Decides a call that was admitted, and that has another one in it: the first of its entries says which.
    #[cold]
    #[inline(never)]
    #[expect(clippy::too_many_arguments, reason = "those of `check`")]
    pub(super) fn check_nested<'p, A: View, I: View, S: Sink>(
        &'p self,
        entries: &[u32],
        target: Target<'_>,
        args: Option<&A>,
        identity: &Identity<'_, I>,
        beside: &Beside<'_>,
        sink: &mut S,
        ask: &mut dyn Charger<'p>,
    ) -> Option<Ruling> {
        match args.map_or(Ok(true), View::is_object) {
            Ok(true) => {}
            Ok(false) => return Some(Ruling::invalid_args("they are not an object")),
            Err(why) => return Some(unreadable(why)),
        }
        let facts = &CallContext::new(target, args, identity, beside);
        let Some((mark, entries)) = entries.split_first() else { return Some(undecided()) };
        let nesting = self.nesting.as_deref();
        let outer = Outer { compiled: self, entries, facts, dispatches: None };
        let decided = match (Nesting::nested(*mark, nesting), nesting) {
            (Some(Nested::Dispatcher(dispatches)), Some(nesting)) => {
                Outer { dispatches: Some(dispatches), ..outer }.dispatch(dispatches, nesting, sink, ask)
            }
            (Some(Nested::Completion), _) => outer.complete(sink, ask),
            _ => return Some(undecided()),
        };
        decided.unwrap_or_else(|why| Some(unreadable(why)))
    }

    /// The stateless pass over entries (spec 6.3).
    fn pass<'p, A: View, I: View, S: Sink>(
        &'p self,
        entries: &[u32],
        facts: &CallContext<'_, A, I>,
        left: &mut Remaining<'p>,
        sink: &mut S,
    ) -> Decided {
        for entry in entries {
            let Some(entry) = self.entries.get(*entry as usize) else { continue };
            for step in &entry.steps {
                let outcome = self.stateless(step, facts, sink)?;
                if step.denies && outcome != step.place.passing() {
                    return Ok(Some(Ruling::deny(code(step.place), Some(step.rule))));
                }
                if step.asks {
                    left.add(step, outcome);
                }
            }
        }
        Ok(None)
    }
}

impl<'p, A: View, I: View> Outer<'p, '_, A, I> {
    /// Decides a call of a dispatcher.
    fn dispatch<S: Sink>(
        &self,
        dispatches: &Dispatches,
        nesting: &Nesting,
        sink: &mut S,
        ask: &mut dyn Charger<'p>,
    ) -> Decided {
        let invalid = |why: &str| Some(Ruling::invalid_args(why));
        let dispatcher = dispatches.dispatcher();
        let mut name = Name(None);
        self.facts.reach(&dispatcher.tool, &mut name)?;
        let Some(name) = name.0 else {
            return Ok(invalid("the name of the inner tool is not one string"));
        };
        if !(1..=NAME_BYTES).contains(&name.len()) {
            return Ok(invalid("the name of the inner tool is empty or too long"));
        }
        let decided = if nesting.has(&name) {
            Ok(invalid("the inner tool calls other tools, too"))
        } else if !self.compiled.is_named(&name) && nesting.is_written_like_another(&name) {
            Ok(invalid("the name of the inner tool is written like that of another"))
        } else {
            let mut inner = Inner { outer: self, name: &name, sink, ask, decided: Some(undecided()) };
            self.facts.reach(&dispatcher.args, &mut inner).map(|()| inner.decided)
        };
        Ok(decided.unwrap_or_else(|why| Some(unreadable(why))).map(|ruling| ruling.of_inner(&name)))
    }

    /// Decides a completion.
    fn complete<S: Sink>(&self, sink: &mut S, ask: &mut dyn Charger<'p>) -> Decided {
        match self.facts.args.map(|args| Completed::of(args, &self.facts.steps)) {
            Some(Ok(Some((method, params)))) => {
                self.both(Target::Method(method), Some(&params), None, sink, ask)
            }
            Some(Err(why)) => Err(why),
            Some(Ok(None)) | None => {
                Ok(Some(Ruling::invalid_args("`ref` is neither that of a prompt nor that of a resource")))
            }
        }
    }

    /// Decides this call and the inner one. `name` is that of the inner tool, where one is called.
    fn both<V: View, S: Sink>(
        &self,
        target: Target<'_>,
        args: Option<&V>,
        name: Option<&str>,
        sink: &mut S,
        ask: &mut dyn Charger<'p>,
    ) -> Decided {
        let Self { compiled, facts, .. } = self;
        let mut found = Found::new();
        let entries = match compiled.admit(target, &mut found) {
            Ok(entries) if entries.first().is_some_and(|first| *first >= NESTED) => {
                return Ok(Some(undecided()));
            }
            Ok(entries) => entries,
            Err(ruling) => return Ok(Some(ruling)),
        };
        let inner = &CallContext::new(target, args, facts.identity, facts.beside);
        inner.steps.goes_on_from(&facts.steps);
        if let Some(check) = facts.beside.checked
            && let Some(ruling) = self.refused(entries, inner, check, sink)?
        {
            return Ok(Some(ruling));
        }
        if let Identity::Claims(claims) = facts.identity
            && !matches!(claims.is_object(), Ok(true))
        {
            return Ok(Some(Ruling::deny(Code::InvalidIdentity, None)));
        }
        let (mut left, mut inner_left) = (Remaining::default(), Remaining::default());
        facts.steps.goes_on_from(&inner.steps);
        if let Some(ruling) = compiled.pass(self.entries, facts, &mut left, sink)? {
            return Ok(Some(ruling));
        }
        sink.open(At::Root(""), || match target {
            Target::Tool(tool) => format!("inner call of \"{tool}\""),
            Target::Method(method) => format!("decided as \"{method}\", too"),
        });
        inner.steps.goes_on_from(&facts.steps);
        let passed = compiled.pass(entries, inner, &mut inner_left, sink)?;
        sink.close(if passed.is_some() { "denies" } else { "passes" }, None);
        if passed.is_some() {
            return Ok(passed);
        }
        if left.is_nothing() && inner_left.is_nothing() {
            return Ok(Some(Ruling::new(Effect::Allow, Code::Allowed, None)));
        }
        let (mut prepared, mut inner_prepared) = (PendingBatch::default(), PendingBatch::default());
        facts.steps.goes_on_from(&inner.steps);
        if let Some(ruling) = compiled.prepare(&left.counting, facts, &mut prepared)? {
            return Ok(Some(ruling));
        }
        inner.steps.goes_on_from(&facts.steps);
        if let Some(ruling) = compiled.prepare(&inner_left.counting, inner, &mut inner_prepared)? {
            return Ok(Some(ruling));
        }
        facts.steps.goes_on_from(&inner.steps);
        prepared.join(inner_prepared);
        prepared.inner = name.map(Box::from);
        if left.askers.is_empty() && inner_left.askers.is_empty() {
            return Ok(ask.decide(&mut prepared));
        }
        let place = self.dispatches.map(Dispatches::dispatcher);
        let rules = [left.askers.as_slice(), &inner_left.askers];
        let asking = compiled.asking_of_both(rules, [self.entries, entries], place, facts)?;
        let mut noted = left.noted();
        noted.extend(inner_left.noted());
        Ok(Compiled::ask_prepared(asking, &noted, facts, &mut prepared, ask))
    }

    /// The denial of arguments that a server may read otherwise than the entries do (spec 3.7, 3.8). Nobody knows the inner tool's schema.
    fn refused<V: View, S: Sink>(
        &self,
        entries: &[u32],
        inner: &CallContext<'_, V, I>,
        check: &ArgsCheck,
        sink: &mut S,
    ) -> Decided {
        let (compiled, steps) = (self.compiled, &inner.steps);
        if let Some(args) = self.facts.args {
            let refused = compiled.refused(self.entries, args, check, steps, sink);
            if refused.is_some() {
                return Ok(refused);
            }
            if let Some(dispatches) = self.dispatches.filter(|_| check.folding)
                && let Some(place) = folding::refused(args, dispatches.places(), steps)?
            {
                return Ok(Some(Ruling::invalid_args(folded(place.path()))));
            }
        }
        let without_schema =
            if check.folding { ArgsCheck::new() } else { ArgsCheck::new().without_folding() };
        Ok(inner.args.and_then(|args| compiled.refused(entries, args, &without_schema, steps, sink)))
    }
}

impl Compiled {
    /// The call that stands in the arguments of a dispatcher: its tool, and its arguments as canonical JSON. `None` where it is decided as
    /// no call (spec 3.11).
    pub(crate) fn inner_call<A: View>(&self, tool: &str, args: &A) -> Option<(String, String)> {
        let mut dispatchers = self.nesting.as_deref()?.dispatchers();
        let dispatcher = &dispatchers.find(|(name, _)| **name == *tool)?.1;
        let (identity, beside) = (Identity::absent(), Beside::default());
        let facts = CallContext::new(Target::Tool(tool), Some(args), &identity, &beside);
        let (mut name, mut inner) = (Name(None), InnerArgs(None));
        facts.reach(&dispatcher.tool, &mut name).ok()?;
        facts.reach(&dispatcher.args, &mut inner).ok()?;
        name.0.zip(inner.0)
    }
}

/// The object at a path, as canonical JSON.
struct InnerArgs(Option<String>);

impl Visitor for InnerArgs {
    fn leaf<V: View>(&mut self, leaf: Leaf<'_, V>) -> Result<ControlFlow<()>, Unreadable> {
        self.0 = match leaf {
            Leaf::Absent => Some("{}".to_owned()),
            Leaf::WrongType(_) => None,
            Leaf::Value(value, _) => match value.kind()? {
                Kind::Null => Some("{}".to_owned()),
                Kind::Object => Some(canonical(value, &Budget::without_end())?),
                _ => None,
            },
        };
        Ok(ControlFlow::Break(()))
    }
}

/// Why arguments are refused that have a member which some servers take for that of a place.
fn folded(path: &str) -> String {
    format!("some servers take a member of another name for {path}")
}

/// The string at a path.
struct Name(Option<String>);

impl Visitor for Name {
    fn leaf<V: View>(&mut self, leaf: Leaf<'_, V>) -> Result<ControlFlow<()>, Unreadable> {
        self.0 = match leaf {
            Leaf::Value(value, _) => match value.kind()? {
                Kind::String(text) => Some(text.into_owned()),
                _ => None,
            },
            Leaf::Absent | Leaf::WrongType(_) => None,
        };
        Ok(ControlFlow::Break(()))
    }
}

/// Decides the call once its inner arguments are reached, whatever view they are of.
struct Inner<'r, 'p, 'c, A, I, S> {
    outer: &'r Outer<'p, 'c, A, I>,
    name: &'r str,
    sink: &'r mut S,
    ask: &'r mut dyn Charger<'p>,
    decided: Option<Ruling>,
}

impl<A: View, I: View, S: Sink> Visitor for Inner<'_, '_, '_, A, I, S> {
    fn leaf<V: View>(&mut self, leaf: Leaf<'_, V>) -> Result<ControlFlow<()>, Unreadable> {
        let args = match leaf {
            Leaf::Absent => Some(None),
            Leaf::WrongType(_) => None,
            Leaf::Value(value, _) => match value.kind()? {
                Kind::Null => Some(None),
                Kind::Object => Some(Some(value)),
                _ => None,
            },
        };
        self.decided = match args {
            Some(args) => {
                let target = Target::Tool(self.name);
                self.outer.both(target, args, Some(self.name), &mut *self.sink, &mut *self.ask)?
            }
            None => Some(Ruling::invalid_args("the arguments of the inner tool are not an object")),
        };
        Ok(ControlFlow::Break(()))
    }
}
