//! What an item or rule pays into a counter, as written: how much, and when it is given back or settled (spec 2.17, 2.18, 2.26,
//! 2.27).
//!
//! In: the fields of one item. Out: its amount and terms, a maximum, and errors at their places. Must not know which counter it is.

use std::sync::Arc;

use super::reader::{Field, Reader, shown};
use super::{Charge, Payment, Refund, claims};
use crate::amount::Amount;
use crate::number::Number;
use crate::path::{Path, PathView, Root, Segment};
use crate::text::{Content, Node};

const REFUNDS: [&str; 3] = ["never", "error", "tool_error"];
const REFUND_HELP: &str =
    "write `never`, `error` for protocol errors, or `tool_error` for those and for failures of the tool";

/// The fields that say what is paid.
#[derive(Clone, Copy, Default)]
pub(super) struct Paying<'n> {
    pub(super) increment: Option<Field<'n>>,
    pub(super) from: Option<Field<'n>>,
    pub(super) settle: Option<Field<'n>>,
    pub(super) refund: Option<Field<'n>>,
}

/// Reads a payment into a counter that is not known yet. `zero_is_one`: as `state` counts (spec 2.17).
pub(super) fn read_payment<'n>(
    reader: &mut Reader<'n, '_>,
    fields: Paying<'n>,
    zero_is_one: bool,
) -> Option<Payment> {
    let fixed = match fields.increment {
        None => Amount::from_whole(1),
        Some(field) => {
            reader.within("increment", |reader| read_increment(reader, field.value(), zero_is_one))
        }
    };
    let amount = match fields.from {
        None => fixed.map(Charge::Fixed),
        Some(field) => reader.within("increment_from", |reader| read_from(reader, field)),
    };
    let settles = match fields.settle {
        None => Some(fields.from.is_some()),
        Some(field) => reader.within("settle", |reader| match field.value().content() {
            Content::Bool(settles) => Some(settles),
            _ => {
                reader.mismatch(field.value(), "`true` or `false`");
                None
            }
        }),
    };
    let refund = read_refund(reader, fields.refund);
    if let (Some(field), Some(Refund::Error | Refund::ToolError), Some(_)) =
        (fields.refund, refund, fields.from)
    {
        let message = "the arguments say the amount, so a client that provokes the error spends nothing";
        let help = "write `refund: never`, or a fixed `increment`";
        reader.within("refund", |reader| {
            reader.warning("provoked_refund", field.value().span(), message, help);
        });
    }
    fixed?;
    Some(Payment { declared: u32::MAX, amount: amount?, refund: refund?, settles: settles? })
}

fn read_increment<'n>(reader: &mut Reader<'n, '_>, node: Node<'n>, zero_is_one: bool) -> Option<Amount> {
    let increment = read_amount(reader, node)?;
    if zero_is_one && increment == Amount::ZERO {
        let message = "an increment of 0 counts as 1 here";
        reader.warning("zero_increment", node.span(), message, "write `increment: 1`, or remove it");
        return Amount::from_whole(1);
    }
    Some(increment)
}

fn read_from<'n>(reader: &mut Reader<'n, '_>, field: Field<'n>) -> Option<Charge> {
    let text =
        reader.string(field.value(), "a string, an `args.` path", "write a path like `args.amount`")?;
    let (message, help) = match reader.path(text) {
        Ok(path) if !path.views().all(PathView::may_count) || path.segments.contains(&Segment::Scalars) => (
            format!("`{}` gives no amount", shown(text)),
            "an amount is a number at a path, perhaps behind `@json`, or what `@length` and `@count` give"
                .into(),
        ),
        Ok(path) if path.root == Root::Args => return Some(Charge::From(path)),
        Ok(_) => (
            format!("`{}` does not read the arguments", shown(text)),
            "write a path like `args.amount`".into(),
        ),
        Err(error) => (error.message, error.help),
    };
    reader.error("invalid_path", field.value().span(), message, help);
    None
}

/// Reads which ends of a call give the charge back.
pub(super) fn read_refund<'n>(reader: &mut Reader<'n, '_>, field: Option<Field<'n>>) -> Option<Refund> {
    let Some(field) = field else { return Some(Refund::Never) };
    reader.within("refund", |reader| {
        let expected = "a string, `never`, `error` or `tool_error`";
        match reader.string(field.value(), expected, REFUND_HELP)? {
            "never" => Some(Refund::Never),
            "error" => Some(Refund::Error),
            "tool_error" => Some(Refund::ToolError),
            other => {
                let help = match reader.diagnostics.suggestions.nearest(other, REFUNDS) {
                    Some(known) => format!("did you mean `{known}`?"),
                    None => REFUND_HELP.to_owned(),
                };
                let message = format!("`{}` is not a value of `refund`", shown(other));
                reader.error("invalid_refund", field.value().span(), message, help);
                None
            }
        }
    })
}

/// Reads the claim that says a maximum; `None` after an error.
pub(super) fn read_max_from<'n>(
    reader: &mut Reader<'n, '_>,
    field: Option<Field<'n>>,
) -> Option<Option<Arc<Path>>> {
    const HELP: &str = "write a path like `identity.plan.calls`";
    let Some(field) = field else { return Some(None) };
    reader.within("max_from", |reader| {
        let span = field.value().span();
        let text = reader.string(field.value(), "a string, an `identity.` path", HELP)?;
        let (message, help) = match reader.path(text) {
            Ok(path) if path.root != Root::Identity => (
                format!("`{}` does not read the identity, which alone says a maximum", shown(text)),
                HELP.into(),
            ),
            Ok(path) if !path.is_direct => {
                let message = format!("`{}` is not the one number that a maximum is", shown(text));
                (message, "name the claim itself, without wildcards and views".into())
            }
            Ok(path) => {
                claims::check_path(reader, &path, span);
                return Some(Some(path));
            }
            // What is near by is mostly a path that says no maximum.
            Err(error) => (error.message, HELP.to_owned()),
        };
        reader.error("invalid_path", span, message, help);
        None
    })
}

/// An amount that the policy gives: a number, 0 or more, exact.
pub(super) fn read_amount<'n>(reader: &mut Reader<'n, '_>, node: Node<'n>) -> Option<Amount> {
    let Content::Number(literal) = node.content() else {
        reader.mismatch(node, "a number, 0 or more");
        return None;
    };
    let amount = Number::from_literal(literal).and_then(|number| number.to_amount());
    if amount.is_none() {
        let message = format!("`{}` is not an amount", shown(literal));
        let help = "amounts are 0 to 9223372036854.775807, in steps of 0.000001";
        reader.error("invalid_number", node.span(), message, help);
    }
    amount
}
