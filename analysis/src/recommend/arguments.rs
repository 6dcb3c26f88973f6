//! Rules on single arguments: addresses, paths, and lists of many things.
//!
//! In: a tool's arguments. Out: conditions that hold for every server, and comments for what only an author knows. Must not guess a host or a
//! directory.

use super::entry::{Entry, Expect, Item, List};
use super::treatment::{Profile, Treatment};
use super::yaml;
use crate::risk::{Argument, Class};

/// An address by `https` of a host with a name, which nothing in front of it or behind it can change: no numbers of any spelling, no
/// user, no other port.
const BY_NAME: &str = "^https://[A-Za-z0-9-]+(\\.[A-Za-z0-9-]+)*\\.[A-Za-z][A-Za-z0-9-]+(:443)?([/?#]|$)";
const GOOD_ADDRESS: &str = "\"https://example.com/\"";
/// What cloud machines tell their keys to.
const BAD_ADDRESS: &str = "\"http://169.254.169.254/\"";

/// How many things one call may take.
const fn most(class: Class, profile: Profile) -> usize {
    match (class, profile) {
        (Class::Read, _) | (_, Profile::Permissive) => 100,
        _ => 20,
    }
}

/// Adds what there is to say of each argument.
pub(super) fn check(
    entry: &mut Entry,
    arguments: &[Argument<'_>],
    class: Class,
    treatment: Treatment,
    profile: Profile,
) {
    for argument in arguments {
        let is_address = matches!(argument.last(), "url" | "urls");
        if argument.takes_many() {
            let good = if is_address { GOOD_ADDRESS } else { "x" };
            count(entry, argument, most(class, profile), good);
        }
        if is_address {
            address(entry, argument, treatment, profile);
        }
        if matches!(
            argument.last(),
            "path" | "paths" | "dir" | "directory" | "file" | "folder" | "source" | "destination"
        ) {
            file(entry, argument);
        }
    }
}

/// An argument that may be left out, where the schema says so.
fn optional(argument: &Argument<'_>) -> &'static str {
    if argument.required && !argument.types.contains("null") { "" } else { ", optional: true" }
}

fn count(entry: &mut Entry, argument: &Argument<'_>, most: usize, good: &str) {
    let path = yaml::path(argument.name, ".@count");
    let condition = format!("conditions: [{{path: {path}, op: lte, value: {most}{}}}]", optional(argument));
    let shown = yaml::line(argument.name);
    let item = Item::new(List::Require, format!("at most {most} in `{shown}`"), [condition]);
    let rule =
        entry.add(item.told(&format!("One call may have at most {most} things in `{shown}`: make several.")));
    entry.call_with(argument.name, format!("[{good}]"));
    let many = vec!["x"; most.saturating_add(1)].join(", ");
    entry.case(&[(argument.name, &format!("[{many}]"))], Expect::Failed, &rule);
}

fn address(entry: &mut Entry, argument: &Argument<'_>, treatment: Treatment, profile: Profile) {
    let (rest, list) = match () {
        () if argument.is_only(&["string"]) => ("", false),
        () if argument.is_only(&["array"]) && argument.elements.contains("string") => ("[*]", true),
        () => return,
    };
    let path = yaml::path(argument.name, rest);
    let shown = yaml::line(argument.name);
    entry.stub(
        format!("the hosts that `{shown}` may name: until then any host passes"),
        format!("{{path: {path}, op: starts_with, value: {GOOD_ADDRESS}{}}}", optional(argument)),
    );
    // Where a person decides, the person sees the address.
    let asks = matches!(treatment, Treatment::Approve(_));
    if asks || profile == Profile::Permissive {
        return;
    }
    let condition = format!(
        "conditions: [{{path: {path}, op: regex, value: {}{}}}]",
        yaml::quoted(BY_NAME),
        optional(argument)
    );
    let item =
        Item::new(List::Require, format!("`{shown}` by https and by name"), [condition]).told(&format!(
            "`{shown}` has to begin with https:// and a host's name: no number, no user, no other port."
        ));
    let rule = entry.add(item);
    let value = |address: &str| if list { format!("[{address}]") } else { address.to_owned() };
    entry.call_with(argument.name, value(GOOD_ADDRESS));
    entry.case(&[(argument.name, &value(BAD_ADDRESS))], Expect::Failed, &rule);
}

/// Only a comment: the path may lie on this machine, in a repository or on a page.
fn file(entry: &mut Entry, argument: &Argument<'_>) {
    let rest = match () {
        () if argument.is_only(&["string"]) => "",
        () if argument.is_only(&["array"]) && argument.elements.contains("string") => "[*]",
        () => return,
    };
    let shown = yaml::line(argument.name);
    let path = yaml::path(argument.name, rest);
    entry.stub(
        format!("the directory that `{shown}` may lead to, where it is a file's: until then any passes"),
        format!("{{path: {path}, op: within, value: /srv/data{}}}", optional(argument)),
    );
}
