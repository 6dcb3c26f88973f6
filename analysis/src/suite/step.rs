//! Steps: a call, what happens around it, and what must be decided.

use std::collections::HashMap;

use callgate::__analysis::{Content, Field, Node, Reader, shown};
use callgate::Outcome;

use super::calls::{Args, Fixtures, Template, members_of, read_args, read_check, read_flag};
use super::file::{located, place, stack, time};
use super::{ApprovalKey, Approve, Ending, Finish, Given, Step, expect, file};

const FIELDS: [&str; 30] = [
    "name",
    "description",
    "at",
    "after",
    "reload",
    "call",
    "tool",
    "method",
    "args",
    "raw",
    "with",
    "without",
    "as",
    "identity",
    "raw_identity",
    "server",
    "unlisted",
    "check",
    "explain",
    "repeat",
    "approve",
    "finish",
    "finish_of",
    "finish_error",
    "expect",
    "rule",
    "message",
    "retry_after",
    "counters",
    "approval_rules",
];

/// The names of the steps so far, each with its index.
type Earlier<'n> = HashMap<&'n str, usize>;

/// Reads a list of steps. `shared` says that they share counters, so that one may refer to an earlier one.
pub(super) fn read_list<'n>(
    reader: &mut Reader<'n, '_>,
    node: Node<'n>,
    fixtures: &mut Fixtures<'n>,
    shared: bool,
) -> Vec<Step> {
    let Some(items) = reader.list(node, "a list of calls") else { return Vec::new() };
    if items.len() == 0 {
        reader.error("empty_test", node.span(), "the test makes no call", "write a call, or remove the test");
    }
    let (mut steps, mut earlier) = (Vec::new(), Earlier::new());
    for (index, item) in items.enumerate() {
        if reader.is_full() {
            break;
        }
        reader.item(index, |reader| {
            let step = read(reader, item, fixtures, if shared { Some(&earlier) } else { None });
            let Some(step) = step else { return };
            if let Some(name) = name_of(item)
                && earlier.insert(name, index).is_some()
            {
                let message = format!("a step before has the name `{}`, too", shown(name));
                reader.error("duplicate_step", item.span(), message, "give each step its own name, or none");
            }
            steps.push(step);
        });
    }
    steps
}

fn name_of<'n>(node: Node<'n>) -> Option<&'n str> {
    let Content::Mapping(mut members) = node.content() else { return None };
    let (_, name) = members.find(|(key, _)| key.text() == "name")?;
    Some(name.text())
}

fn read<'n>(
    reader: &mut Reader<'n, '_>,
    node: Node<'n>,
    fixtures: &mut Fixtures<'n>,
    earlier: Option<&Earlier<'n>>,
) -> Option<Step> {
    let fields = reader.fields(node, "a mapping, a call", FIELDS)?;
    let [
        name,
        _,
        at,
        after,
        reload,
        call,
        tool,
        method,
        args,
        raw,
        with,
        without,
        named,
        inline,
        raw_identity,
        server,
        unlisted,
        check,
        explain,
        repeat,
        approve,
        finish,
        finish_of,
        finish_error,
        wanted,
        rule,
        message,
        retry_after,
        counters,
        approval_rules,
    ] = fields;
    let name = name.and_then(|field| reader.within("name", |reader| located(reader, field.value())));
    let at = at.and_then(|field| reader.within("at", |reader| time(reader, field.value())));
    let after = after.and_then(|field| reader.within("after", |reader| duration(reader, field.value())));
    let reload = reload.and_then(|field| reader.within("reload", |reader| stack(reader, field.value())));
    let template = read_call(reader, node, fixtures, [call, tool.or(method), args, raw]);
    if let (Some(field), true) = (method, call.or(tool).is_some()) {
        reader.within("method", |reader| {
            let message = "a request of another method has neither `tool` nor `call`";
            reader.error("conflicting_fields", field.key.span(), message, "write one of them");
        });
        return None;
    }
    let identity = fixtures.read_caller(reader, named, inline, raw_identity);
    let own_server = reader.text(server).map(str::to_owned);
    let own_check = check.and_then(|field| read_check(reader, field));
    let own_unlisted = read_flag(reader, unlisted);
    let explain = read_flag(reader, explain);
    let repeat =
        repeat.map_or(Some(1), |field| reader.within("repeat", |reader| count(reader, field.value())));
    let approve = approve
        .and_then(|field| reader.within("approve", |reader| read_approve(reader, field.value(), earlier)));
    let finish = read_finish(reader, [finish, finish_of, finish_error], earlier);
    let wanted = match wanted {
        Some(field) => reader.within("expect", |reader| expect::read(reader, field.value())),
        None => {
            reader.missing(
                node,
                "expect",
                "write `expect:` with `allow`, `deny`, `approval`, or a code such as `limit_exceeded`",
            );
            None
        }
    };
    let details = expect::Details { rule, message, retry_after, counters, approval_rules };
    let wanted = wanted.map(|wanted| expect::read_details(reader, wanted, details));
    let mut template = template?;
    change_args(reader, &mut template, with, without)?;
    let tool = reader.any_string(template.tool, "a string, a tool's name")?;
    let (args, identity) = (template.args.text(), identity?.or(template.identity).flatten());
    if !fixtures.admit(reader, node, [&args, &identity]) {
        return None;
    }
    Some(Step {
        place: place(reader, node),
        name: name.map(|name| name.value),
        at,
        after,
        reload,
        tool: super::Located { value: tool.to_owned(), place: place(reader, template.tool) },
        request: method.is_some(),
        unlisted: template.unlisted || own_unlisted,
        args,
        identity,
        server: own_server.or(template.server),
        check: own_check.or(template.check),
        explain,
        repeat: repeat?,
        approve,
        finish,
        expect: wanted?,
    })
}

/// The call as it is named or written; `None` after an error.
fn read_call<'n>(
    reader: &mut Reader<'n, '_>,
    node: Node<'n>,
    fixtures: &mut Fixtures<'n>,
    [call, tool, args, raw]: [Option<Field<'n>>; 4],
) -> Option<Template<'n>> {
    match (call, tool) {
        (Some(field), None) => {
            let mut template = reader.within("call", |reader| fixtures.call(reader, field.value()))?;
            if let Some(field) = args {
                reader.within("args", |reader| {
                    let message = "`args` would replace all arguments of the call";
                    let help = "write `with` and the members to change, or `tool` in place of `call`";
                    reader.error("conflicting_fields", field.key.span(), message, help);
                });
                return None;
            }
            if raw.is_some() {
                template.args = read_args(reader, None, raw)?;
            }
            Some(template)
        }
        (None, Some(field)) => {
            let args = read_args(reader, args, raw)?;
            Some(Template {
                tool: field.value(),
                args,
                identity: None,
                server: None,
                unlisted: false,
                check: None,
            })
        }
        (Some(_), Some(field)) => {
            reader.within("tool", |reader| {
                reader.error(
                    "conflicting_fields",
                    field.key.span(),
                    "`call` and `tool` stand together",
                    "write one of them",
                );
            });
            None
        }
        (None, None) => {
            reader.missing(
                node,
                "tool",
                "write `tool:` and the tool's name, or `call:` and the name of a call in `calls`",
            );
            None
        }
    }
}

/// Replaces and drops members of the arguments, one level deep; `None` after an error.
fn change_args<'n>(
    reader: &mut Reader<'n, '_>,
    template: &mut Template<'n>,
    with: Option<Field<'n>>,
    without: Option<Field<'n>>,
) -> Option<()> {
    for field in [with, without].into_iter().flatten() {
        let name = field.key.text();
        reader.within(name, |reader| {
            if matches!(template.args, Args::Absent) {
                template.args = Args::Members(Vec::new());
            }
            let Args::Members(members) = &mut template.args else {
                reader.error(
                    "conflicting_fields",
                    field.key.span(),
                    format!("`{name}` changes the members of an object, and the arguments are none"),
                    "write `args` with the members to change",
                );
                return None;
            };
            match field.value().content() {
                Content::Mapping(changes) if changes.len() == 0 => unchanged(reader, field),
                Content::Sequence(items) if items.len() == 0 => unchanged(reader, field),
                Content::Mapping(changes) if name == "with" => {
                    let places = members.iter().enumerate().map(|(at, (name, _))| (*name, at));
                    let places: HashMap<&str, usize> = places.collect();
                    for (key, _) in changes.clone().filter(|(key, _)| !places.contains_key(key.text())) {
                        let near = reader.diagnostics.nearest(key.text(), places.keys().copied());
                        if let Some(near) = near {
                            let message = format!("`{}` is added beside `{near}`", shown(key.text()));
                            let help = "write it in `args` of the call if both are meant";
                            reader.warning("near_argument", key.span(), message, help);
                        }
                    }
                    for (key, json) in members_of(reader, changes)? {
                        match places.get(key).and_then(|at| members.get_mut(*at)) {
                            Some((_, place)) => *place = json,
                            None => members.push((key, json)),
                        }
                    }
                    Some(())
                }
                Content::Sequence(items) if name == "without" => drop_members(reader, members, items),
                _ => {
                    let expected = if name == "with" { "a mapping of members" } else { "a list of members" };
                    reader.mismatch(field.value(), expected);
                    None
                }
            }
        })?;
    }
    Some(())
}

/// Complains of a change that changes nothing.
fn unchanged<'n>(reader: &mut Reader<'n, '_>, field: Field<'n>) -> Option<()> {
    let message = format!("`{}` changes nothing", field.key.text());
    reader.error("empty_change", field.value().span(), message, "name a member, or remove it");
    None
}

fn drop_members<'n>(
    reader: &mut Reader<'n, '_>,
    members: &mut Vec<(&'n str, String)>,
    items: impl Iterator<Item = Node<'n>>,
) -> Option<()> {
    for (index, item) in items.enumerate() {
        reader.item(index, |reader| {
            let name = reader.any_string(item, "a string, the name of a member")?;
            if let Some(at) = members.iter().position(|(known, _)| *known == name) {
                members.remove(at);
                return Some(());
            }
            let nearest = reader.diagnostics.nearest(name, members.iter().map(|(known, _)| *known));
            let help = nearest.map_or_else(String::new, |nearest| format!("did you mean `{nearest}`?"));
            let message = format!("the arguments have no member `{}`", shown(name));
            reader.error("unknown_argument", item.span(), message, help);
            None
        })?;
    }
    Some(())
}

fn count<'n>(reader: &mut Reader<'n, '_>, node: Node<'n>) -> Option<u32> {
    let number = match node.content() {
        Content::Number(text) => text.parse().ok().filter(|count| (1..=MOST_REPEATS).contains(count)),
        _ => None,
    };
    if number.is_none() {
        let message = format!("expected a whole number from 1 to {MOST_REPEATS}");
        let help = "write how often the call is made, without quotes";
        reader.error("invalid_repeat", node.span(), message, help);
    }
    number
}

/// A call is repeated at most so often: a test that runs for minutes is a slip.
const MOST_REPEATS: u32 = 1_000_000;

/// Milliseconds of a duration such as `90s`.
fn duration<'n>(reader: &mut Reader<'n, '_>, node: Node<'n>) -> Option<i64> {
    let help = "write a number and a unit: `ms`, `s`, `m`, `h` or `d`, such as `90s`";
    let text = reader.string(node, "a duration", help)?;
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let unit: Option<i64> = match unit {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    };
    let millis = unit.and_then(|unit| number.parse::<i64>().ok()?.checked_mul(unit));
    if millis.is_none() {
        reader.error("invalid_duration", node.span(), format!("`{}` is no duration", shown(text)), help);
    }
    millis
}

/// The index of an earlier step; `None` after an error.
fn earlier_step<'n>(
    reader: &mut Reader<'n, '_>,
    node: Node<'n>,
    earlier: Option<&Earlier<'n>>,
) -> Option<usize> {
    let name = reader.any_string(node, "a string, the name of an earlier step")?;
    if let Some(index) = earlier.and_then(|earlier| earlier.get(name)) {
        return Some(*index);
    }
    let nearest = earlier.and_then(|earlier| reader.diagnostics.nearest(name, earlier.keys().copied()));
    let help = match (nearest, earlier) {
        (Some(nearest), _) => format!("did you mean `{nearest}`?"),
        (None, Some(_)) => "give a step before this one that `name`".to_owned(),
        (None, None) => "calls of `each` share nothing: write them as `steps`".to_owned(),
    };
    reader.error("unknown_step", node.span(), format!("no step before has the name `{}`", shown(name)), help);
    None
}

/// An id alone, for the key of this call, or `{id, key}` or `{id, key_of}`, perhaps with the time at which it was given.
fn read_approve<'n>(
    reader: &mut Reader<'n, '_>,
    node: Node<'n>,
    earlier: Option<&Earlier<'n>>,
) -> Option<Approve> {
    let Content::Mapping(_) = node.content() else {
        let id = reader.any_string(node, "a string, the id of an approval")?;
        return Some(Approve { id: id.to_owned(), key: ApprovalKey::Same, given: Given::First });
    };
    let fields = ["id", "key", "key_of", "given_at"];
    let [id, key, key_of, given_at] = reader.fields(node, "an id or a mapping", fields)?;
    let Some(id) = id else {
        reader.missing(node, "id", "write the approval's id");
        return None;
    };
    let id = reader.text(Some(id))?.to_owned();
    let key = match (key, key_of) {
        (Some(_), Some(field)) => {
            reader.within("key_of", |reader| {
                let message = "`key` and `key_of` stand together";
                reader.error("conflicting_fields", field.key.span(), message, "write one of them");
            });
            return None;
        }
        (Some(field), None) => ApprovalKey::Text(reader.text(Some(field))?.to_owned()),
        (None, Some(field)) => {
            let step = reader.within("key_of", |reader| earlier_step(reader, field.value(), earlier))?;
            ApprovalKey::Of(step)
        }
        (None, None) => ApprovalKey::Same,
    };
    let given = match given_at {
        None => Given::First,
        Some(field) if field.value().is_null() => Given::At(None),
        Some(field) => {
            Given::At(Some(reader.within("given_at", |reader| file::time(reader, field.value()))?))
        }
    };
    Some(Approve { id, key, given })
}

fn read_finish<'n>(
    reader: &mut Reader<'n, '_>,
    [finish, of, error]: [Option<Field<'n>>; 3],
    earlier: Option<&Earlier<'n>>,
) -> Option<Finish> {
    let Some(finish) = finish else {
        if let Some(field) = of.or(error) {
            let name = field.key.text();
            reader.within(name, |reader| {
                let message = format!("`{name}` stands without `finish`");
                reader.error(
                    "missing_field",
                    field.key.span(),
                    message,
                    "write `finish:` and how the call ended",
                );
            });
        }
        return None;
    };
    let how = reader.within("finish", |reader| read_ending(reader, finish.value()));
    let of = match of {
        Some(field) => {
            Some(reader.within("finish_of", |reader| earlier_step(reader, field.value(), earlier))?)
        }
        None => None,
    };
    let error = reader.text(error).map(str::to_owned);
    Some(Finish { how: how?, of, error })
}

/// An outcome of clause 8.13, or `{settle: AMOUNT}` or `{settle: {COUNTER: AMOUNT}}`.
fn read_ending<'n>(reader: &mut Reader<'n, '_>, node: Node<'n>) -> Option<Ending> {
    let known = Outcome::ALL.map(Outcome::as_str);
    let help = format!("known: {}; or `{{settle: AMOUNT}}`", known.join(", "));
    let Content::Mapping(_) = node.content() else {
        let text = reader.string(node, "how the call ended", &help)?;
        return match text.parse() {
            Ok(outcome) => Some(Ending::Outcome(outcome)),
            Err(_) => {
                let nearest = reader.diagnostics.nearest(text, known);
                let help = nearest.map_or(help, |nearest| format!("did you mean `{nearest}`?"));
                reader.error("invalid_finish", node.span(), format!("`{}` is no outcome", shown(text)), help);
                None
            }
        };
    };
    let [settle] = reader.fields(node, "an outcome or a mapping", ["settle"])?;
    let Some(settle) = settle else {
        reader.missing(node, "settle", &help);
        return None;
    };
    reader.within("settle", |reader| match settle.value().content() {
        Content::Mapping(members) => {
            let mut amounts = Vec::new();
            for (key, value) in members {
                amounts.push((
                    key.text().to_owned(),
                    reader.within(key.text(), |reader| amount(reader, value))?,
                ));
            }
            if amounts.is_empty() {
                let help = "write the names of counters with their amounts";
                reader.error("empty_change", settle.value().span(), "nothing is settled", help);
                return None;
            }
            Some(Ending::SettleEach(amounts))
        }
        _ => amount(reader, settle.value()).map(Ending::Settle),
    })
}

/// An amount as a number or a string (spec 8.2).
fn amount<'n>(reader: &mut Reader<'n, '_>, node: Node<'n>) -> Option<String> {
    let text = match node.content() {
        Content::Number(text) | Content::String(text) => text,
        _ => {
            reader.mismatch(node, "an amount");
            return None;
        }
    };
    if let Err(error) = text.parse::<callgate::Amount>() {
        reader.error(
            "invalid_number",
            node.span(),
            format!("`{}` is no amount", shown(text)),
            error.to_string(),
        );
        return None;
    }
    Some(text.to_owned())
}
