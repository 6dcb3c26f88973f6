//! The document: what the author wrote, checked and typed (spec 2).
//!
//! In: nodes with spans. Out: a [`Document`], and every error at its place. Resolves nothing across entries; that is
//! `policy::compile`'s work.

mod approval;
mod budgets;
mod calendar;
mod claims;
mod conditions;
mod counters;
mod entry;
mod from_call;
mod given;
mod limits;
mod lints;
mod names;
mod notation;
mod only_args;
mod payments;
mod ranges;
mod rates;
pub(crate) mod reader;
mod requests;
mod rules;

use std::sync::Arc;

use crate::amount::Amount;
use crate::condition::{Condition, Place};
use crate::diagnostic::{Diagnostics, Span};
use crate::outcome::Outcome;
use crate::path::Path;
use crate::scope::Scope;
use crate::store::{Counter, Owner};
use crate::text::{Content, Tree};
pub(crate) use approval::{Counted, Terms, covered, overlap};
pub(crate) use counters::report_unreachable;
pub(crate) use lints::drop_ignored;
use reader::{Reader, shown};
pub(crate) use rules::{Rule, Rules};

/// A whole policy document.
#[derive(Debug, Default)]
pub(crate) struct Document {
    /// What it is called in a stack of policies.
    pub(crate) name: Option<Box<str>>,
    pub(crate) default_deny: bool,
    /// Whether requests without an entry are denied; `None` where the policy says nothing of requests.
    pub(crate) requests_deny: Option<bool>,
    /// Tools that call other tools, by their names.
    pub(crate) dispatchers: Vec<(Box<str>, Dispatcher)>,
    /// `list: callable`.
    pub(crate) lists_callable: bool,
    /// Names and globs, each with its rule.
    pub(crate) hide: Vec<(Box<str>, u32)>,
    /// In document order; `all_tools` last.
    pub(crate) entries: Vec<Entry>,
    /// All rules and items, those of `dispatchers` and `hide` first; a step's rule is an index into it.
    pub(crate) rules: Rules,
    /// Whether any condition reads a counter.
    pub(crate) reads_counters: bool,
    /// All counters that the entries declare, and the budgets.
    pub(crate) declared: Vec<Declared>,
    /// What calls pay into them; a [`Step::charge`] is an index into it.
    pub(crate) payments: Vec<Payment>,
    /// The terms of rules that ask for approval and have some, in ascending order of the rules.
    pub(crate) terms: Vec<(u32, Terms)>,
}

/// An entry of `tools`, or `all_tools`.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) owner: Owner,
    pub(crate) span: Span,
    pub(crate) steps: Box<[Step]>,
    pub(crate) only_args: Option<Box<OnlyArgs>>,
}

/// Where the inner call of a tool that calls other tools stands in its arguments (spec 2.31).
#[derive(Debug, Clone)]
pub(crate) struct Dispatcher {
    /// Its place, as that of a rule.
    pub(crate) rule: u32,
    /// The name of the inner tool.
    pub(crate) tool: Arc<Path>,
    pub(crate) args: Arc<Path>,
}

impl Dispatcher {
    /// Whether the inner call of both stands in the same place.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.tool.leads_where(&other.tool) && self.args.leads_where(&other.args)
    }
}

/// The names that the arguments may have (spec 2.20). They count as read (spec 3.8).
#[derive(Debug, Clone)]
pub(crate) struct OnlyArgs {
    pub(crate) rule: u32,
    /// Of the condition on the names.
    pub(crate) path: Arc<Path>,
    /// Sorted.
    pub(crate) names: Box<[Box<str>]>,
}

/// A rule or an item: what the policy checks, in document order.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) rule: u32,
    pub(crate) place: Place,
    /// Whether a block place asks for approval instead of denying.
    pub(crate) approves: bool,
    /// Whether its stateless conditions alone can deny.
    pub(crate) denies: bool,
    /// Whether it needs more than that: an approval, or counters.
    pub(crate) asks: bool,
    pub(crate) conditions: Box<[Clause]>,
    pub(crate) states: Box<[StateTest]>,
    pub(crate) charge: Option<u32>,
}

impl Step {
    fn new(rule: u32, place: Place, approves: bool, checks: Checks, charge: Option<u32>) -> Self {
        Self {
            rule,
            place,
            approves,
            denies: match place {
                Place::Permit => true,
                Place::Block => !approves && checks.states.is_empty(),
                Place::Limit => false,
            },
            asks: approves || charge.is_some() || !checks.states.is_empty(),
            conditions: checks.clauses.into(),
            states: checks.states.into(),
            charge,
        }
    }

    /// The field that its conditions stand in.
    pub(crate) const fn field(&self) -> &'static str {
        match self.place {
            Place::Permit | Place::Block => "conditions",
            Place::Limit => "when",
        }
    }
}

/// The conditions of a step, as they are read.
#[derive(Default)]
struct Checks {
    clauses: Vec<Clause>,
    states: Vec<StateTest>,
}

/// A condition of a rule, with its index in `conditions`; none for a bare condition.
#[derive(Debug, Clone)]
pub(crate) struct Clause {
    pub(crate) index: Option<usize>,
    pub(crate) condition: Condition,
}

/// A condition on a counter.
#[derive(Debug, Clone)]
pub(crate) struct StateTest {
    pub(crate) index: Option<usize>,
    /// The counter; which one it is, the whole document tells.
    pub(crate) declared: u32,
    pub(crate) path: Arc<Path>,
    /// The place of the path.
    pub(crate) span: Span,
    pub(crate) pointer: Box<str>,
    /// The condition as text, for explanations.
    pub(crate) text: Box<str>,
    /// The amounts that satisfy it, in units of 10^-6: inclusive, ascending, disjoint.
    pub(crate) ranges: Box<[(i64, i64)]>,
}

/// A counter that an entry declares and charges, or a budget.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    pub(crate) counter: Counter,
    pub(crate) scope: Scope,
    pub(crate) max: Option<Amount>,
    /// The claim that says the maximum, where the policy leaves it to one (spec 2.26).
    pub(crate) max_from: Option<Arc<Path>>,
    /// The window as written, for messages.
    pub(crate) window: Box<str>,
    /// What the agent is told where a budget refuses and the item that pays has no words of its own.
    pub(crate) on_deny: Option<Box<str>>,
}

/// What a rule or item pays into a counter.
#[derive(Debug, Clone)]
pub(crate) struct Payment {
    /// Into which.
    pub(crate) declared: u32,
    pub(crate) amount: Charge,
    /// By which ends of a call it is given back.
    pub(crate) refund: Refund,
    /// Whether the host may say what it really was.
    pub(crate) settles: bool,
}

impl Payment {
    /// By which ends it is given back, where its charge is that of an outer and an inner call, too, or not (spec 3.11).
    pub(crate) fn refund_of(&self, joined: bool) -> Refund {
        if joined && self.refund != Refund::Always { Refund::Never } else { self.refund }
    }
}

/// By which ends of a call, other than one that did not run, a payment is given back (spec 8.13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Refund {
    /// By none.
    #[default]
    Never,
    /// By a protocol error.
    Error,
    /// By that, and by a result with `isError`.
    ToolError,
    /// By any: it counts calls in flight.
    Always,
}

impl Refund {
    /// Whether a call that ended so gives the payment back.
    pub(crate) const fn gives_back(self, outcome: Outcome) -> bool {
        match outcome {
            Outcome::NotRun => true,
            Outcome::Error => !matches!(self, Self::Never),
            Outcome::ToolError => matches!(self, Self::ToolError | Self::Always),
            Outcome::Done | Outcome::Cancelled | Outcome::TimedOut | Outcome::Lost => {
                matches!(self, Self::Always)
            }
        }
    }
}

/// How much a call charges.
#[derive(Debug, Clone)]
pub(crate) enum Charge {
    Fixed(Amount),
    From(Arc<Path>),
}

const FIELDS: [&str; 14] = [
    "version",
    "name",
    "description",
    "default",
    "list",
    "claims",
    "time_zone",
    "week_start",
    "budgets",
    "dispatchers",
    "requests",
    "hide",
    "all_tools",
    "tools",
];
const LISTS: [&str; 2] = ["all", "callable"];

/// Reads the whole document. The result is complete only if there are no errors.
pub(crate) fn read<'n>(tree: &'n Tree<'_>, diagnostics: &'n mut Diagnostics<'_>) -> Document {
    let mut document = Document::default();
    let root = tree.root();
    let whole = root.span();
    let mut reader = Reader::new(diagnostics);
    let members = match root.content() {
        Content::Null => [None; FIELDS.len()],
        _ => match reader.fields(root, "a mapping", FIELDS) {
            Some(fields) => fields,
            None => return document,
        },
    };
    let [
        version,
        name,
        description,
        default,
        list,
        claims,
        time_zone,
        week_start,
        budgets,
        dispatchers,
        requests,
        hide,
        all_tools,
        tools,
    ] = members;
    let mut sources = [hide, all_tools, tools, requests].into_iter().flatten();
    // A misspelt field was meant to decide something, and is reported already.
    let decides_nothing = default.is_none()
        && sources.all(|field| field.value().is_empty())
        && !reader.diagnostics.has_errors();

    match version {
        None => reader.warning("missing_version", whole, "`version` is missing", "write `version: \"1\"`"),
        Some(field) => reader.within("version", |reader| match field.value().content() {
            Content::String("1") | Content::Number("1") => {}
            Content::String(_) | Content::Number(_) => {
                reader.error(
                    "invalid_version",
                    field.value().span(),
                    "only version 1 is known",
                    "write `version: \"1\"`",
                );
            }
            _ => reader.mismatch_with(field.value(), "a string, `\"1\"`", "write `version: \"1\"`"),
        }),
    }
    if let Some(field) = name {
        document.name = reader.within("name", |reader| read_name(reader, field)).map(Box::from);
    }
    let _ = reader.text(description);
    match default {
        // INVARIANT: without this error, a file that is written in place and still empty would allow everything (trap 41).
        None if decides_nothing => reader.error(
            "empty_policy",
            whole,
            "the policy decides nothing: it has no `default`, and nothing in `tools`, `all_tools` or `hide`",
            "write `default: deny`, or `default: allow` if every call is to be allowed",
        ),
        None => reader.warning(
            "missing_default",
            whole,
            "`default` is missing: tools that the policy does not name are allowed",
            "write `default: deny`, or `default: allow` to say that this is meant",
        ),
        Some(field) => reader.within("default", |reader| {
            match reader.string(field.value(), "a string, `allow` or `deny`", "write `allow` or `deny`") {
                Some("deny") => document.default_deny = true,
                Some("allow") | None => {}
                Some(other) => reader.error(
                    "invalid_default",
                    field.value().span(),
                    format!("`{}` is not a default", shown(other)),
                    "write `allow` or `deny`",
                ),
            }
        }),
    }
    if let Some(field) = list {
        document.lists_callable = reader.within("list", |reader| lists_callable(reader, field));
    }
    if let Some(field) = claims {
        reader.within("claims", |reader| claims::read_claims(reader, field));
    }
    let calendar = calendar::read(&mut reader, time_zone, week_start);
    if let Some(field) = budgets {
        reader.within("budgets", |reader| budgets::read_budgets(reader, field, &mut document));
    }
    if let Some(field) = dispatchers {
        reader.within("dispatchers", |reader| requests::read_dispatchers(reader, field, &mut document));
    }
    if let Some(field) = hide {
        reader.within("hide", |reader| names::read_hide(reader, field, &mut document));
    }
    if let Some(field) = tools {
        reader.within("tools", |reader| entry::read_tools(reader, field, &mut document));
    }
    if let Some(field) = requests {
        reader.within("requests", |reader| requests::read_requests(reader, field, &mut document));
    }
    if let Some(field) = all_tools {
        reader.within("all_tools", |reader| {
            entry::read_entry(reader, field.value(), Owner::AllTools, field.key.span(), &mut document);
        });
    }
    if let Some(name) = &document.name {
        let name: Arc<str> = Arc::from(&**name);
        for declared in &mut document.declared {
            declared.counter = declared.counter.clone().of_policy(&name);
        }
    }
    if let Some(calendar) = calendar {
        calendar::apply(&calendar, &mut document.declared);
    }
    budgets::warn_of_unpaid(&mut reader);
    warn_unlisted(&mut reader, &document);
    document.reads_counters = reader.reads_counters;
    // After an error, such as a key that repeats, not every name has been looked at.
    if reader.has_odd_names || reader.diagnostics.has_errors() {
        names::warn_confusable(&mut reader, root);
    }
    document
}

/// The name of the policy (spec 2.33).
fn read_name<'n>(reader: &mut Reader<'n, '_>, field: reader::Field<'n>) -> Option<&'n str> {
    let name = reader.any_string(field.value(), "a string, the policy's name")?;
    if !name.is_empty() {
        return Some(name);
    }
    let help = "give it a name, such as `name: team`, or remove the field";
    reader.error("invalid_name", field.value().span(), "the policy's name is empty", help);
    None
}

/// Whether lists leave out what a caller can never call.
fn lists_callable<'n>(reader: &mut Reader<'n, '_>, field: reader::Field<'n>) -> bool {
    let help = "write `all`, or `callable` to leave out what the caller can never call";
    match reader.string(field.value(), "a string, `all` or `callable`", help) {
        Some("callable") => true,
        Some("all") | None => false,
        Some(other) => {
            let help = match reader.diagnostics.suggestions.nearest(other, LISTS) {
                Some(known) => format!("did you mean `{known}`?"),
                None => help.to_owned(),
            };
            let message = format!("`{}` is not a value of `list`", shown(other));
            reader.error("invalid_list", field.value().span(), message, help);
            false
        }
    }
}

/// Warns of rules that no call gets to: under `default: deny` only an exact name or a glob lists a tool (spec 2.8).
fn warn_unlisted(reader: &mut Reader<'_, '_>, document: &Document) {
    let says = |entry: &&Entry| match entry.owner {
        Owner::AllTools => !entry.steps.is_empty(),
        // They are listed in `requests`.
        Owner::Request(_) => false,
        Owner::Tool(_) | Owner::Budget => true,
    };
    let Some(Entry { owner, span, .. }) = document.entries.iter().find(says) else { return };
    let (pointer, span) = (if *owner == Owner::AllTools { "/all_tools" } else { "/tools/*" }, *span);
    let lists = |entry: &Entry| matches!(&entry.owner, Owner::Tool(key) if &**key != "*");
    if document.default_deny && !document.entries.iter().any(lists) {
        let message = "no tool is listed, so `default: deny` denies every call";
        let help =
            "name the tools in `tools`, each or by a glob such as `read_*`; `*` and `all_tools` list none";
        reader.diagnostics.warning("nothing_listed", span, pointer, message, Some(help.to_owned()));
    }
}
