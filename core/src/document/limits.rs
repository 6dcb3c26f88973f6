//! Items of `limits`: a counter with a maximum, a payment into a budget, or calls in flight (spec 2.16, 2.25, 2.28).
//!
//! In: an item as written. Out: its step, its counter where it declares one, and what it pays.

use super::counters::{
    Names, Parts, check_reachable, claim_in_flight, declare, push, push_declared, read_scope, read_window,
};
use super::entry::{conflict, presentation, read_when};
use super::payments::{Paying, read_amount, read_max_from, read_payment};
use super::reader::{Field, Reader, shown};
use super::{Charge, Checks, Declared, Document, Payment, Refund, Step, budgets};
use crate::amount::Amount;
use crate::ceilings::{SLIDING_CHARGES, SLIDING_SECONDS};
use crate::condition::Place;
use crate::number::Number;
use crate::scope::Scope;
use crate::store::{Counter, Owner};
use crate::text::{Content, Node};
use crate::window::Algorithm;

/// The counter of calls in flight.
pub(super) const IN_FLIGHT: &str = "_in_flight";

const FIELDS: [&str; 17] = [
    "counter",
    "window",
    "max",
    "max_from",
    "increment",
    "increment_from",
    "scope",
    "algorithm",
    "budget",
    "in_flight",
    "lease",
    "when",
    "settle",
    "refund",
    "name",
    "on_deny",
    "reason",
];

/// What an item is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Counter,
    Budget,
    InFlight,
}

impl Form {
    /// The form of an item by the fields that tell forms apart.
    fn of(has: impl Fn(&str) -> bool) -> Self {
        match () {
            () if has("budget") => Self::Budget,
            () if has("in_flight") || (has("lease") && !has("counter")) => Self::InFlight,
            () => Self::Counter,
        }
    }

    /// The fields of its items, beside those of all.
    const fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Counter => &[
                "counter",
                "window",
                "max",
                "max_from",
                "increment",
                "increment_from",
                "scope",
                "algorithm",
                "settle",
                "refund",
            ],
            Self::Budget => &["budget", "increment", "increment_from", "settle", "refund"],
            Self::InFlight => &["in_flight", "lease", "scope"],
        }
    }

    const fn what(self) -> &'static str {
        match self {
            Self::Counter => "a limit with a `counter`",
            Self::Budget => "an item that pays into a budget",
            Self::InFlight => "a limit of calls in flight",
        }
    }

    const fn help(self) -> &'static str {
        match self {
            Self::Counter => "`lease` needs `in_flight`, in an item of its own",
            Self::Budget => {
                "the budget itself says it, in `budgets`; for a counter of this entry write an item of its own"
            }
            Self::InFlight => "remove it, or give the counter an item of its own",
        }
    }
}

const COMMON: [&str; 4] = ["when", "name", "on_deny", "reason"];

pub(super) fn read_limit<'n>(
    reader: &mut Reader<'n, '_>,
    node: Node<'n>,
    owner: &Owner,
    names: &mut Names,
    document: &mut Document,
) -> Option<Step> {
    let expected = "a limit: `{counter, window, max}`, `{budget}` or `{in_flight, lease}`";
    let fields = reader.fields(node, expected, FIELDS)?;
    let field = |name: &str| {
        FIELDS.iter().zip(fields).find(|(known, _)| **known == name).and_then(|(_, field)| field)
    };
    let rule = presentation(reader, node, field("name"), field("on_deny"), field("reason"), document);
    let form = Form::of(|name| field(name).is_some());
    let anchor = form.fields().iter().find_map(|name| field(name));
    let strays = fields.into_iter().flatten().filter(|field| {
        let name = field.key.text();
        !form.fields().contains(&name) && !COMMON.contains(&name)
    });
    let mut strayed = false;
    for (stray, anchor) in strays.filter_map(|stray| Some((stray, anchor?))) {
        strayed = true;
        let message = format!("{} takes no `{}`", form.what(), stray.key.text());
        conflict(reader, anchor, stray, &message, form.help());
    }
    let paying = Paying {
        increment: field("increment"),
        from: field("increment_from"),
        settle: field("settle"),
        refund: field("refund"),
    };
    let charge = match form {
        Form::Counter => {
            let parts = Parts {
                counter: field("counter"),
                window: field("window"),
                scope: field("scope"),
                algorithm: field("algorithm"),
                paying,
            };
            read_counter(reader, node, parts, [field("max"), field("max_from")], owner, names, document)
        }
        Form::Budget => {
            let budget = field("budget").and_then(|field| budgets::paid(reader, field));
            let payment = read_payment(reader, paying, false);
            budget.zip(payment).map(|(declared, payment)| push(document, Payment { declared, ..payment }))
        }
        Form::InFlight => {
            let parts = [field("in_flight"), field("lease"), field("scope")];
            read_in_flight(reader, node, parts, owner, names, document)
        }
    };
    let checks = field("when").map(|field| read_when(reader, field));
    let charge = charge.filter(|_| !strayed)?;
    let (place, checks) = match checks {
        Some(checks) => (Place::Limit, checks?),
        None => (Place::Permit, Checks::default()),
    };
    Some(Step::new(rule, place, false, checks, Some(charge)))
}

/// Reads a counter with a maximum; the index of its payment.
fn read_counter<'n>(
    reader: &mut Reader<'n, '_>,
    node: Node<'n>,
    parts: Parts<'n>,
    [max_field, from]: [Option<Field<'n>>; 2],
    owner: &Owner,
    names: &mut Names,
    document: &mut Document,
) -> Option<u32> {
    if max_field.or(from).is_none() {
        let help =
            "write `max: 10`, or `max_from` and a claim; to count without a limit, use `state` in a rule";
        reader.missing(node, "max", help);
    }
    let max = max_field.and_then(|field| reader.within("max", |reader| read_amount(reader, field.value())));
    let max_from = read_max_from(reader, from);
    let (declared, payment) = declare(reader, node, parts, false, owner, names)?;
    let declared = Declared { max, max_from: max_from?, ..declared };
    if max.is_none() && (max_field.is_some() || declared.max_from.is_none()) {
        return None;
    }
    if let (Some(max), Charge::Fixed(one), Some(field)) = (max, &payment.amount, max_field)
        && declared.counter.algorithm() == Algorithm::Sliding
    {
        reader.within("max", |reader| {
            let (span, window) = (field.value().span(), declared.counter.window());
            check_reachable(reader, max, *one, window, span, "invalid_number")
        })?;
    }
    let declared = push_declared(document, declared);
    Some(push(document, Payment { declared, ..payment }))
}

/// Reads a limit of calls in flight; the index of its payment.
fn read_in_flight<'n>(
    reader: &mut Reader<'n, '_>,
    node: Node<'n>,
    [count, lease, scope]: [Option<Field<'n>>; 3],
    owner: &Owner,
    names: &mut Names,
    document: &mut Document,
) -> Option<u32> {
    if count.is_none() {
        reader.missing(node, "in_flight", "write how many calls may run at a time, such as `in_flight: 5`");
    }
    if lease.is_none() {
        let help = "write the longest time that a call takes, such as `lease: 5m`: what a host that died holds is free after it";
        reader.missing(node, "lease", help);
    }
    let max = count.and_then(|field| reader.within("in_flight", |reader| read_count(reader, field.value())));
    let window = lease.and_then(|field| {
        reader.within("lease", |reader| {
            let (window, written) = read_window(reader, field.value(), "invalid_window")?;
            if window.seconds().is_none_or(|length| length > SLIDING_SECONDS) {
                let message = format!("`{}` is no lease: one is at most 31 days long", shown(&written));
                let help = "write the longest time that a call takes, such as `lease: 5m`";
                reader.error("invalid_window", field.value().span(), message, help);
                return None;
            }
            Some((window, written))
        })
    });
    let scope_field = scope;
    let scope = match scope {
        Some(field) => read_scope(reader, field),
        None => Some(Scope::Global),
    };
    let scope = scope?;
    let kind = scope.to_string();
    // Where it stands is where its scope does, or where the item says that it is one.
    if let Some(field) = scope_field.or(count) {
        reader
            .within(field.key.text(), |reader| claim_in_flight(reader, names, &kind, field.value().span()))?;
    }
    let (window, written) = window?;
    let counter = Counter::new(owner.clone(), IN_FLIGHT, window, Algorithm::Sliding, &kind);
    let declared =
        Declared { counter, scope, max: Some(max?), max_from: None, window: written, on_deny: None };
    let declared = push_declared(document, declared);
    let amount = Charge::Fixed(Amount::from_whole(1)?);
    Some(push(document, Payment { declared, amount, refund: Refund::Always, settles: false }))
}

/// How many calls may be in flight.
fn read_count<'n>(reader: &mut Reader<'n, '_>, node: Node<'n>) -> Option<Amount> {
    let Content::Number(literal) = node.content() else {
        reader.mismatch(node, "a number, how many calls");
        return None;
    };
    let most = i64::try_from(SLIDING_CHARGES).ok().and_then(Amount::from_whole).unwrap_or(Amount::MAX);
    let count = Number::from_literal(literal).and_then(|number| number.to_amount());
    let count = count.filter(|count| {
        *count > Amount::ZERO && *count <= most && count.as_micros().checked_rem(Amount::SCALE) == Some(0)
    });
    if count.is_none() {
        let message = format!("`{}` is not a number of calls", shown(literal));
        let help = format!("write a whole number from 1 to {most}; to deny always, use `action: deny`");
        reader.error("invalid_number", node.span(), message, help);
    }
    count
}
