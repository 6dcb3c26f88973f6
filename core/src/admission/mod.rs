//! Optional checks of arguments before any rule: whether the server may read them otherwise than the rules do (spec 3.7,
//! 3.8).
//!
//! In: the entries that apply to a call, its arguments, and what the host knows about the server. Out: a denial, or nothing.
//! Must look only at the places that the entries read.

mod confusable;
mod folding;
mod places;

pub(crate) use confusable::report_confusable;
pub(crate) use places::Place;

use crate::condition::Steps;
use crate::decision::Ruling;
use crate::evaluate::unreadable;
use crate::policy::Compiled;
use crate::schema::{InputSchema, Walk};
use crate::trace::{Sink, Step as At};
use crate::view::{Unreadable, View};

/// Checks of a call's arguments before any rule (spec 3.7, 3.8).
///
/// Rules read arguments as they are written. A server may read them in another way: it converts `"42"` to a number, parses text
/// that is JSON, or takes `Amount` for `amount`. A guard in front of a server knows its schema. A host that decides its own
/// calls may not need these checks.
///
/// ```
/// use callgate::{ArgsCheck, Call, Code, Policy};
/// use serde_json::json;
/// let policy = Policy::from_yaml("
/// version: \"1\"
/// default: deny
/// tools:
///   pay: {deny_if: [{path: args.amount, op: gt, value: 5}]}
/// ")?;
/// let check = ArgsCheck::new();
/// let args = json!({"Amount": 10});
/// let decision = policy.evaluate(&Call::new("pay", &args).checked(&check)).decided().unwrap();
/// assert_eq!(decision.code(), Code::InvalidArgs);
/// # Ok::<(), callgate::PolicyError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ArgsCheck {
    schema: Option<InputSchema>,
    folding: bool,
}

impl Default for ArgsCheck {
    fn default() -> Self {
        Self::new()
    }
}

impl ArgsCheck {
    /// Denies members that fold to one that a rule reads. No schema is known.
    pub const fn new() -> Self {
        Self { schema: None, folding: true }
    }

    /// Denies what the server's own schema does not admit by its JSON type, too.
    pub fn schema(mut self, schema: InputSchema) -> Self {
        self.schema = Some(schema);
        self
    }

    /// Lets members pass that fold to one that a rule reads: the server tells them apart.
    pub const fn without_folding(mut self) -> Self {
        self.folding = false;
        self
    }
}

impl Compiled {
    /// The denial of arguments that the server may read otherwise than the entries do.
    #[cold]
    #[inline(never)]
    pub(crate) fn refused<A: View, S: Sink>(
        &self,
        entries: &[u32],
        args: &A,
        check: &ArgsCheck,
        steps: &Steps,
        sink: &mut S,
    ) -> Option<Ruling> {
        sink.open(At::Root(""), || check.describe());
        let found = self.first_refused(entries, args, check, steps);
        let ruling = match found {
            Ok(None) => None,
            Ok(Some(why)) => Some(Ruling::invalid_args(why)),
            Err(why) => Some(unreadable(why)),
        };
        sink.close(if ruling.is_some() { "denies" } else { "passes" }, None);
        ruling
    }

    fn first_refused<A: View>(
        &self,
        entries: &[u32],
        args: &A,
        check: &ArgsCheck,
        steps: &Steps,
    ) -> Result<Option<String>, Unreadable> {
        for entry in entries {
            let Some(places) = self.places(*entry) else { continue };
            if let Some(schema) = &check.schema
                && let Some(place) = Walk::new(schema, steps).refused(args, places)?
            {
                let path = place.path();
                return Ok(Some(format!("{path} is of another type than the tool's schema admits")));
            }
            if check.folding
                && let Some(place) = folding::refused(args, places, steps)?
            {
                let path = place.path();
                return Ok(Some(format!("some servers take a member of another name for {path}")));
            }
        }
        Ok(None)
    }

    /// What an entry reads of arguments; `None` where that is nothing.
    fn places(&self, index: u32) -> Option<&Place> {
        let entry = self.entries.get(index as usize)?;
        let places = entry.places.get_or_init(|| {
            let mut places = Place::default();
            self.paths_of(index, &mut |_, path, operator| places.add(path, operator));
            Box::new(places.finished())
        });
        (!places.is_idle()).then_some(places)
    }
}

impl ArgsCheck {
    fn describe(&self) -> String {
        match (&self.schema, self.folding) {
            (Some(_), true) => "arguments against the tool's schema, and members that fold",
            (Some(_), false) => "arguments against the tool's schema",
            (None, true) => "members of the arguments that fold",
            (None, false) => "nothing of the arguments",
        }
        .to_owned()
    }
}
