//! `rate_limit` as written: a counter that is declared, charged and limited in one field (spec 2.13, 8.7).

use super::counters::{
    Names, check_ever, check_reachable, check_sliding, claim, meant_window, push, push_declared,
    read_algorithm, read_scope, read_window,
};
use super::notation;
use super::payments::read_refund;
use super::reader::{Field, Reader, shown};
use super::{Charge, Declared, Document, Payment};
use crate::amount::Amount;
use crate::number::Number;
use crate::scope::Scope;
use crate::store::{Counter, Owner};
use crate::text::{Content, Node};
use crate::window::{Algorithm, Window};

pub(super) fn read_rate_limit<'n>(
    reader: &mut Reader<'n, '_>,
    field: Field<'n>,
    [scope, algorithm, refund]: [Option<Field<'n>>; 3],
    owner: &Owner,
    names: &mut Names,
    document: &mut Document,
) -> Option<u32> {
    let node = field.value();
    let limit = reader.within("rate_limit", |reader| match node.content() {
        Content::Mapping(_) => rate_mapping(reader, node),
        Content::String(text) => rate_text(reader, node, text),
        _ => {
            let help = match node.content() {
                Content::Number(count) => {
                    format!("say for how long: `{0}/minute`, `{0}/hour`, `{0}/day`", shown(count))
                }
                _ => RATE.to_owned(),
            };
            let expected = "`N/WINDOW`, such as `5/hour` (a string), or `{max: N, window: SECONDS}`";
            reader.mismatch_with(node, expected, &help);
            None
        }
    });
    let scope_field = scope;
    let scope = match scope_field {
        Some(field) => read_scope(reader, field),
        None => Some(Scope::agent()),
    };
    let algorithm = read_algorithm(reader, algorithm);
    let refund = read_refund(reader, refund);
    if let (Some((max, window, _)), Some(Algorithm::Sliding)) = (&limit, algorithm) {
        reader.within("rate_limit", |reader| {
            check_sliding(reader, *window, node.span())?;
            let one = Amount::from_whole(1)?;
            check_reachable(reader, *max, one, *window, node.span(), "invalid_rate_limit")
        })?;
    }
    let (max, window, written) = limit?;
    // By the window itself, not as it is written: `60`, `60s` and `1m` are one window, so they are one counter.
    let name = format!("_rate_{window}");
    reader.within("rate_limit", |reader| claim(reader, names, &name, node.span()))?;
    let (scope, algorithm) = (scope?, algorithm?);
    check_ever(reader, window, &scope, scope_field)?;
    let counter = Counter::new(owner.clone(), &name, window, algorithm, &scope.to_string());
    let amount = Charge::Fixed(Amount::from_whole(1)?);
    let declared =
        Declared { counter, scope, max: Some(max), max_from: None, window: written, on_deny: None };
    let declared = push_declared(document, declared);
    Some(push(document, Payment { declared, amount, refund: refund?, settles: false }))
}

const RATE: &str = "write `5/hour`: a positive whole number, `/`, and minute, hour, day, week, month, ever or 90s, 15m, 6h, 7d";

/// The largest whole number that is an amount.
const LARGEST: i64 = Amount::MAX.as_micros() / Amount::SCALE;

fn too_large() -> String {
    format!("a maximum is at most {LARGEST}; without one, leave the rate out")
}

/// Whether it is a whole number, however long.
fn is_whole(count: &str) -> bool {
    count.bytes().all(|byte| byte.is_ascii_digit()) && !count.is_empty() && !count.starts_with('0')
}

const WHOLE: &str =
    "the number is positive and whole, without a leading zero; to deny always, use `action: deny`";

fn rate_text<'n>(
    reader: &mut Reader<'n, '_>,
    node: Node<'n>,
    text: &str,
) -> Option<(Amount, Window, Box<str>)> {
    let whole = |count: &str| count.parse().ok().filter(|_| is_whole(count)).and_then(Amount::from_whole);
    let parsed = text
        .split_once('/')
        .and_then(|(count, window)| Some((whole(count)?, Window::parse(window)?, window.into())));
    if parsed.is_none() {
        let help = match notation::rate(text) {
            Some((count, _)) if whole(count).is_none() && is_whole(count) => too_large(),
            Some((count, _)) if whole(count).is_none() => WHOLE.to_owned(),
            Some((count, window)) => match meant_window(reader, window) {
                Some(window) => format!("did you mean `{count}/{window}`?"),
                None => RATE.to_owned(),
            },
            None => RATE.to_owned(),
        };
        reader.error("invalid_rate_limit", node.span(), format!("`{}` is not a rate", shown(text)), help);
    }
    parsed
}

fn rate_mapping<'n>(reader: &mut Reader<'n, '_>, node: Node<'n>) -> Option<(Amount, Window, Box<str>)> {
    let [max, window] = reader.fields(node, "`{max: N, window: SECONDS}`", ["max", "window"])?;
    if max.is_none() {
        reader.missing(node, "max", "write `{max: 10, window: 60}`");
    }
    if window.is_none() {
        reader.missing(node, "window", "write `{max: 10, window: 60}`: the window is in seconds");
    }
    let max = max.and_then(|field| {
        reader.within("max", |reader| {
            let count = match field.value().content() {
                Content::Number(literal) => {
                    Number::from_literal(literal).and_then(|number| number.to_amount())
                }
                _ => {
                    reader.mismatch(field.value(), "a positive whole number");
                    return None;
                }
            };
            let whole = count.filter(|count| *count > Amount::ZERO && count.as_micros() % Amount::SCALE == 0);
            if whole.is_none() {
                let is_large =
                    matches!(field.value().content(), Content::Number(literal) if is_whole(literal));
                let (message, help) = if is_large {
                    ("the maximum is too large", too_large())
                } else {
                    let help = "to deny always, use `action: deny`; to count fractions, use `limits`";
                    ("the maximum is not a positive whole number", help.to_owned())
                };
                reader.error("invalid_rate_limit", field.value().span(), message, help);
            }
            whole
        })
    });
    let window = window.and_then(|field| {
        reader.within("window", |reader| read_window(reader, field.value(), "invalid_rate_limit"))
    });
    let (window, written) = window?;
    Some((max?, window, written))
}
