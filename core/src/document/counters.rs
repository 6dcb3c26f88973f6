//! Counters as written: their names, windows and scopes, and `state` (spec 2.13 to 2.19, 8.2, 8.3, 9.2).

use std::collections::HashMap;

use smallvec::SmallVec;

use super::limits::IN_FLIGHT;
use super::lints;
use super::notation;
use super::payments::{Paying, read_payment};
use super::reader::{Field, Reader, shown};
use super::{Charge, Declared, Document, Payment, StateTest, claims};
use crate::amount::Amount;
use crate::ceilings::{SLIDING_CHARGES, SLIDING_EXACT_SECONDS, SLIDING_SECONDS};
use crate::diagnostic::{Diagnostics, Span};
use crate::number::Number;
use crate::path::{Path, PathView, Root};
use crate::scope::Scope;
use crate::store::{Counter, Owner};
use crate::text::{Content, Node};
use crate::window::{Algorithm, Window};

/// Counters of one entry whose names are compared one by one; beyond it they are hashed. Nearly all entries stay below.
const FEW: usize = 8;

/// The names of the counters that one entry declares, with the lines that declare them.
#[derive(Default)]
pub(super) struct Names {
    few: SmallVec<[(Box<str>, u32); 2]>,
    many: HashMap<Box<str>, u32, foldhash::fast::RandomState>,
    /// The scopes by which calls in flight are counted: one counter of one name for each.
    in_flight: HashMap<Box<str>, u32, foldhash::fast::RandomState>,
    /// The line of the first of them.
    first_in_flight: Option<u32>,
}

impl Names {
    fn line(&self, name: &str) -> Option<u32> {
        let few = self.few.iter().find(|(known, _)| **known == *name).map(|(_, line)| *line);
        few.or_else(|| self.many.get(name).copied())
    }

    fn insert(&mut self, name: &str, line: u32) {
        if self.few.len() < FEW {
            self.few.push((name.into(), line));
        } else {
            self.many.insert(name.into(), line);
        }
    }
}

const STATE_FIELDS: [&str; 8] =
    ["counter", "window", "increment", "increment_from", "scope", "algorithm", "settle", "refund"];
const WINDOWS: &str =
    "windows: minute, hour, day, week, month, ever, a number of seconds, or 90s, 15m, 6h, 7d";
const WINDOW_NAMES: [&str; 6] = ["minute", "hour", "day", "week", "month", "ever"];
const SCOPES: [&str; 4] = ["global", "grant", "session", "identity"];

pub(super) fn read_state<'n>(
    reader: &mut Reader<'n, '_>,
    field: Field<'n>,
    owner: &Owner,
    names: &mut Names,
    document: &mut Document,
) -> Option<u32> {
    reader.within("state", |reader| {
        let [counter, window, increment, from, scope, algorithm, settle, refund] =
            reader.fields(field.value(), "a counter: `{counter, window}`", STATE_FIELDS)?;
        let paying = Paying { increment, from, settle, refund };
        let parts = Parts { counter, window, scope, algorithm, paying };
        let (declared, payment) = declare(reader, field.value(), parts, true, owner, names)?;
        let declared = push_declared(document, declared);
        Some(push(document, Payment { declared, ..payment }))
    })
}

/// The window that was meant, where it is not written as one, or around it is something wrong.
pub(super) fn meant_window(reader: &mut Reader<'_, '_>, written: &str) -> Option<String> {
    if Window::parse(written).is_some() {
        return Some(written.to_owned());
    }
    let slip = |reader: &mut Reader<'_, '_>| reader.diagnostics.suggestions.nearest(written, WINDOW_NAMES);
    notation::window(written).or_else(|| slip(reader).map(str::to_owned))
}

/// The fields of a counter, wherever it is declared.
pub(super) struct Parts<'n> {
    pub(super) counter: Option<Field<'n>>,
    pub(super) window: Option<Field<'n>>,
    pub(super) scope: Option<Field<'n>>,
    pub(super) algorithm: Option<Field<'n>>,
    pub(super) paying: Paying<'n>,
}

/// Reads a counter without a maximum, and what is paid into it; neither is stored yet.
pub(super) fn declare<'n>(
    reader: &mut Reader<'n, '_>,
    node: Node<'n>,
    parts: Parts<'n>,
    zero_is_one: bool,
    owner: &Owner,
    names: &mut Names,
) -> Option<(Declared, Payment)> {
    if parts.counter.is_none() {
        reader.missing(node, "counter", "give the counter a name, such as `counter: calls`");
    }
    if parts.window.is_none() {
        reader.missing(node, "window", WINDOWS);
    }
    let name = parts.counter.and_then(|field| {
        reader.within("counter", |reader| {
            let name = reader.any_string(field.value(), "a string, the counter's name")?;
            if name.is_empty() {
                reader.error(
                    "invalid_name",
                    field.value().span(),
                    "the counter's name is empty",
                    "give it a name",
                );
                return None;
            }
            claim(reader, names, name, field.value().span())?;
            Some(name)
        })
    });
    let window = parts.window.and_then(|field| {
        reader.within("window", |reader| read_window(reader, field.value(), "invalid_window"))
    });
    let payment = read_payment(reader, parts.paying, zero_is_one);
    let scope = match parts.scope {
        Some(field) => read_scope(reader, field),
        None => Some(Scope::Global),
    };
    let algorithm = read_algorithm(reader, parts.algorithm);
    if let (Some((window, _)), Some(Algorithm::Sliding), Some(field)) = (&window, algorithm, parts.window) {
        reader.within("window", |reader| check_sliding(reader, *window, field.value().span()))?;
    }
    let (name, (window, written), scope) = (name?, window?, scope?);
    check_ever(reader, window, &scope, parts.scope)?;
    let counter = Counter::new(owner.clone(), name, window, algorithm?, &scope.to_string());
    let declared = Declared { counter, scope, max: None, max_from: None, window: written, on_deny: None };
    Some((declared, payment?))
}

pub(super) fn push_declared(document: &mut Document, declared: Declared) -> u32 {
    let index = u32::try_from(document.declared.len()).unwrap_or(u32::MAX);
    document.declared.push(declared);
    index
}

pub(super) fn push(document: &mut Document, payment: Payment) -> u32 {
    let index = u32::try_from(document.payments.len()).unwrap_or(u32::MAX);
    document.payments.push(payment);
    index
}

/// Takes a counter's name for an entry, once.
pub(super) fn claim<'n>(
    reader: &mut Reader<'n, '_>,
    names: &mut Names,
    name: &str,
    span: Span,
) -> Option<()> {
    let line = reader.diagnostics.lines().line(span.start);
    let in_flight = || names.first_in_flight.filter(|_| name == IN_FLIGHT);
    if let Some(first) = names.line(name).or_else(in_flight) {
        let message = format!("counter `{}` is already declared in this entry, on line {first}", shown(name));
        let help =
            "give one of them another name; two rates with one window need `limits` with a `counter` each";
        reader.error("duplicate_counter", span, message, help);
        return None;
    }
    names.insert(name, line);
    Some(())
}

/// Takes the counter of calls in flight for an entry, once for each kind of scope.
pub(super) fn claim_in_flight<'n>(
    reader: &mut Reader<'n, '_>,
    names: &mut Names,
    scope: &str,
    span: Span,
) -> Option<()> {
    let line = reader.diagnostics.lines().line(span.start);
    let same = names.in_flight.get(scope).copied();
    if let Some(first) = same.or_else(|| names.line(IN_FLIGHT)) {
        let message =
            format!("calls in flight are already counted by this scope in this entry, on line {first}");
        let help = "give one of them another scope, or keep the lower number";
        reader.error("duplicate_counter", span, message, help);
        return None;
    }
    names.in_flight.insert(scope.into(), line);
    names.first_in_flight.get_or_insert(line);
    Some(())
}

pub(super) fn read_window<'n>(
    reader: &mut Reader<'n, '_>,
    node: Node<'n>,
    code: &'static str,
) -> Option<(Window, Box<str>)> {
    let (text, found) = match node.content() {
        Content::String(text) => (text, Window::parse(text).map(|window| (window, text.into()))),
        Content::Number(literal) => {
            let seconds = Number::from_literal(literal).and_then(|number| number.to_amount());
            let whole = seconds.filter(|seconds| seconds.as_micros() % Amount::SCALE == 0);
            let window = whole.and_then(|seconds| Window::from_seconds(seconds.as_micros() / Amount::SCALE));
            (literal, window.map(|window| (window, window.to_string().into())))
        }
        Content::Ambiguous { .. }
        | Content::Null
        | Content::Bool(_)
        | Content::Sequence(_)
        | Content::Mapping(_) => {
            reader.mismatch(node, "a window: a string or a whole number of seconds");
            return None;
        }
    };
    if found.is_none() {
        let meant =
            if matches!(node.content(), Content::String(_)) { meant_window(reader, text) } else { None };
        let help = match meant {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("{WINDOWS}; at most 366 days"),
        };
        reader.error(code, node.span(), format!("`{}` is not a window", shown(text)), help);
    }
    found
}

pub(super) fn read_algorithm<'n>(reader: &mut Reader<'n, '_>, field: Option<Field<'n>>) -> Option<Algorithm> {
    let Some(field) = field else { return Some(Algorithm::Fixed) };
    reader.within("algorithm", |reader| {
        match reader.string(field.value(), "a string, `fixed` or `sliding`", "write `fixed` or `sliding`")? {
            "fixed" => Some(Algorithm::Fixed),
            "sliding" => Some(Algorithm::Sliding),
            other => {
                let message = format!("`{}` is not an algorithm", shown(other));
                reader.error(
                    "invalid_algorithm",
                    field.value().span(),
                    message,
                    "write `fixed` or `sliding`",
                );
                None
            }
        }
    })
}

pub(super) fn check_sliding<'n>(reader: &mut Reader<'n, '_>, window: Window, span: Span) -> Option<()> {
    if window.seconds().is_some_and(|length| length <= SLIDING_SECONDS) {
        return Some(());
    }
    let (message, help) = match window {
        Window::Ever => ("a window that does not end does not slide", "use `algorithm: fixed`"),
        Window::Month => ("a month does not slide", "write `31d`, or use `algorithm: fixed`"),
        _ => ("a sliding window is at most 31 days long", "shorten the window, or use `algorithm: fixed`"),
    };
    reader.error("invalid_window", span, message, help);
    None
}

/// Reports a counter that never resets and counts by an argument: a call chooses those, and each value would be kept for good.
pub(super) fn check_ever<'n>(
    reader: &mut Reader<'n, '_>,
    window: Window,
    scope: &Scope,
    field: Option<Field<'n>>,
) -> Option<()> {
    let by_args = scope.paths().position(|path| path.root == Root::Args);
    let (Window::Ever, Some(index), Some(field)) = (window, by_args, field) else { return Some(()) };
    let item = match field.value().content() {
        Content::Sequence(mut items) => items.nth(index),
        _ => None,
    };
    reader.within("scope", |reader| {
        reader.item(index, |reader| {
            let span = item.unwrap_or(field.value()).span();
            let message = "a counter that never resets cannot count by an argument";
            let help = "use an `identity.` path or `tool`, or a window that ends";
            reader.error("invalid_scope", span, message, help);
        })
    });
    None
}

/// Whether charges of one amount make so many micros in a sliding window.
fn is_reachable(micros: i64, charge: Amount, window: Window) -> bool {
    let most = i64::try_from(SLIDING_CHARGES).unwrap_or(i64::MAX);
    let length = window.seconds().unwrap_or(SLIDING_SECONDS);
    // A long one keeps a charge for each quarter of an hour, of which there are few enough.
    let keeps_all = length.saturating_mul(1_000) <= most || length > SLIDING_EXACT_SECONDS;
    keeps_all || micros.checked_div(charge.as_micros()).is_none_or(|charges| charges <= most)
}

/// What a sliding window can hold of charges of one amount.
fn highest(charge: Amount) -> Amount {
    let most = i64::try_from(SLIDING_CHARGES).unwrap_or(i64::MAX);
    Amount::from_micros(charge.as_micros().saturating_mul(most)).unwrap_or(Amount::MAX)
}

/// Reports a condition on a counter without a maximum that tells amounts apart only where the counter never gets: it would be
/// full before. [`check_reachable`] does the same for maxima.
pub(crate) fn report_unreachable(
    state: &StateTest,
    declared: &Declared,
    charge: &Charge,
    diagnostics: &mut Diagnostics<'_>,
) {
    let (Declared { counter, max: None, .. }, Charge::Fixed(charge)) = (declared, charge) else { return };
    let mut lines = state.ranges.iter().flat_map(|(low, high)| [*low, *high]);
    if counter.algorithm() == Algorithm::Sliding
        && lines.any(|line| line != i64::MAX && !is_reachable(line, *charge, counter.window()))
    {
        let text = &state.text;
        let message = format!(
            "`{text}`: a sliding window keeps {SLIDING_CHARGES} charges, too few to reach this number"
        );
        let help = format!("use `algorithm: fixed`, or a number of {} or less", highest(*charge));
        diagnostics.error("invalid_operand", state.span, &*state.pointer, message, Some(help));
    }
}

/// Reports a maximum that a sliding window never reaches by charges of one amount, because it keeps only so many. Charges of
/// one millisecond are one, so a short window cannot have too many.
pub(super) fn check_reachable<'n>(
    reader: &mut Reader<'n, '_>,
    max: Amount,
    charge: Amount,
    window: Window,
    span: Span,
    code: &'static str,
) -> Option<()> {
    if is_reachable(max.as_micros(), charge, window) {
        return Some(());
    }
    let message = format!("a sliding window keeps {SLIDING_CHARGES} charges, too few to reach this maximum");
    let highest = highest(charge);
    reader.error(code, span, message, format!("use `algorithm: fixed`, or a maximum of {highest} or less"));
    None
}

pub(super) fn read_scope<'n>(reader: &mut Reader<'n, '_>, field: Field<'n>) -> Option<Scope> {
    const MOST: usize = 8;
    reader.within("scope", |reader| {
        let node = field.value();
        let items = match node.content() {
            Content::Sequence(items) => items,
            Content::String(name) => {
                let scope = Scope::named(name);
                claims::check_scope(reader, name, node.span());
                if scope.is_none() {
                    let help = match reader.diagnostics.suggestions.nearest(name, SCOPES) {
                        Some(known) => format!("did you mean `{known}`?"),
                        None if !name.contains('*')
                            && Path::parse(name).is_ok_and(|path| {
                                matches!(path.root, Root::Args | Root::Identity | Root::Tool)
                            }) =>
                        {
                            format!("put it in brackets: `[{}]`", shown(name))
                        }
                        None => format!("scopes: {}, or a list of paths", SCOPES.join(", ")),
                    };
                    reader.error(
                        "invalid_scope",
                        node.span(),
                        format!("`{}` is not a scope", shown(name)),
                        help,
                    );
                }
                return scope;
            }
            _ => {
                let help = "scopes: global, grant, session, identity, or a list of paths";
                reader.mismatch_with(node, "a scope: a string, or a list of paths", help);
                return None;
            }
        };
        if items.len() == 0 || items.len() > MOST {
            let message = format!("a scope of {} paths", items.len());
            reader.error("invalid_scope", node.span(), message, format!("give it 1 to {MOST} paths"));
            return None;
        }
        let mut paths: Vec<Path> = Vec::new();
        let mut failed = false;
        for (index, item) in items.enumerate() {
            let path = reader.item(index, |reader| {
                let text = reader.string(
                    item,
                    "a string, a path",
                    "write a path like `identity.tenant` or `args.account`",
                )?;
                let (message, help) = match Path::parse(text) {
                    Ok(path) if path.root == Root::Tool && reader.is_of_request => {
                        ("a request has no tool".into(), "use an `identity.` or `args.` path".into())
                    }
                    Ok(path) if path.root == Root::Server => (
                        "a server is no scope".into(),
                        "use an `identity.` or `args.` path, or `tool`; give each server a store of its own"
                            .into(),
                    ),
                    Ok(path) if path.root.counts() => (
                        "a counter cannot count by a counter".into(),
                        "use an `identity.` or `args.` path, or `tool`".into(),
                    ),
                    Ok(path) if path.has_each => (
                        "a scope is one value, so a wildcard cannot stand here".into(),
                        "name one element".into(),
                    ),
                    Ok(path) if !path.views().all(PathView::may_scope) => (
                        format!("`{}` gives no scope", shown(text)),
                        "of the views, a scope takes `@text`, `@lower` and `@json`".into(),
                    ),
                    Ok(path) => match paths.iter().find(|known| known.leads_where(&path)) {
                        Some(known) => {
                            (format!("`{}` is named twice", shown(&known.text)), "name it once".into())
                        }
                        None => {
                            claims::check_path(reader, &path, item.span());
                            lints::note_scope(reader, &path, item.span());
                            return Some(path);
                        }
                    },
                    Err(error) => (error.message, error.help),
                };
                reader.error("invalid_scope", item.span(), message, help);
                None
            });
            match path {
                Some(path) => paths.push(path),
                None => failed = true,
            }
        }
        if failed { None } else { Some(Scope::Each(paths.into())) }
    })
}
