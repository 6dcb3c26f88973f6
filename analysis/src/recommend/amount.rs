//! Caps on money that fail closed.
//!
//! In: a tool that moves money, and which argument says how much. Out: rules by which no real amount passes until an author writes
//! numbers. Must not guess a number: the unit, often cents, is the server's.

use super::entry::{Entry, Expect, Flow, Item, List};
use super::{Options, Profile, yaml};
use crate::risk::{Argument, Class};

/// The smallest amount that there is (spec 8.2). A cap of 0 would leave the rules behind it without a test.
const SMALLEST: &str = "0.000001";

/// The argument that says how much, where the schema shows just one.
pub(super) fn find<'a>(class: Class, arguments: &'a [Argument<'a>]) -> Option<&'a Argument<'a>> {
    if class != Class::Financial {
        return None;
    }
    let is_amount = |one: &&Argument<'_>| {
        one.words.split('_').any(|word| word == "amount") && one.is_only(&["number", "integer"])
    };
    let mut found = arguments.iter().filter(is_amount);
    match (found.next(), found.next()) {
        (only, None) => only,
        _ => arguments.iter().filter(is_amount).find(|one| one.words == "amount"),
    }
}

/// The rules on the amount. Returns whether they say how many calls pass, so that no other limit has to.
pub(super) fn write(entry: &mut Entry, argument: &Argument<'_>, class: Class, options: &Options<'_>) -> bool {
    let path = yaml::path(argument.name, "");
    let shown = yaml::line(argument.name);
    let is = |op: &str, value: &str| [format!("conditions: [{{path: {path}, op: {op}, value: {value}}}]")];
    let above = Item::new(List::Require, "amount above zero", is("gt", "0"));
    let above = entry.add(above.told(&format!("`{shown}` has to be a number above zero.")));
    entry.call_with(argument.name, SMALLEST);
    entry.case(&[(argument.name, "0")], Expect::Failed, &above);
    entry.case(&[(argument.name, "\"1\"")], Expect::Failed, &above);
    if options.profile != Profile::Recommended {
        return false;
    }
    entry.mark("x-fill-in: [cap of one call, sum of a day]".to_owned());
    let cap = Item::new(List::Require, "cap of one call", is("lte", SMALLEST))
        .told("This is more than one call may move. Where no amount passes, the author of this policy has not filled it in.")
        .note("FILL IN the most that one call may move, in the unit of the server, which is often cents.")
        .note(format!("{SMALLEST} is the smallest amount that there is: no real one passes."));
    let cap = entry.add(cap);
    entry.case(&[(argument.name, "1")], Expect::Failed, &cap);
    let mut fields = vec![
        "counter: sum".to_owned(),
        "window: day".to_owned(),
        format!("max: {SMALLEST}"),
        format!("increment_from: {path}"),
    ];
    fields.extend(options.scope.name().map(|name| format!("scope: {name}")));
    let sum = Item::new(List::Limits, "sum of a day", fields)
        .told("The amounts of this day have come to what the policy permits.")
        .note("FILL IN the most that all calls of a day may move.");
    let limit = entry.add(sum);
    entry.approve(class);
    entry.flow = Flow::Asked { most: 1, limit };
    true
}
