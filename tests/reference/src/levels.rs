//! What a call is decided by: all that matches it in every policy of a stack, and then all that matches the call inside of it
//! (clauses 3.10, 3.11 and 6.10).
//!
//! In: the policies and a call. Out: its levels, outer first, each with its own name, arguments and entries; or the denial of a step before
//! the identity is looked at. Must not test any rule.

use crate::check::{self, folded};
use crate::condition::Place;
use crate::decision::Decision;
use crate::json::Json;
use crate::mistake::{Mistake::*, is_made};
use crate::path::{self, At, Leaf, Segment};
use crate::policy::{Dispatcher, Document, Entry};
use crate::{Call, Target, names};

/// The outer call, or the one inside of it.
pub(crate) struct Level<'d> {
    /// What `tool` is; a request has none (clause 3.10).
    pub(crate) tool: Option<String>,
    pub(crate) args: Json,
    /// What matches, with the policy that it is of.
    pub(crate) entries: Vec<(&'d Document, &'d Entry)>,
    /// Where its arguments stand in those of the outer call.
    origin: Origin,
}

/// Where arguments stand in those of the outer call.
enum Origin {
    /// They are these.
    Outer,
    /// At a path of a dispatcher, which is written so.
    At(String),
    /// They are made of a completion's `ref` and `context`.
    Completion,
}

/// All levels of a call.
pub(crate) struct Levels<'d> {
    pub(crate) list: Vec<Level<'d>>,
    /// The name of the inner tool.
    pub(crate) inner: Option<String>,
    /// The paths that say which tool or what is completed: an approval always covers them.
    pub(crate) choosing: Vec<String>,
}

fn deny(code: &'static str, message: String, inner: Option<&str>) -> Box<Decision> {
    let inner = inner.map(str::to_owned);
    Box::new(Decision { effect: "deny", code, message: Some(message), inner, ..Decision::default() })
}

/// Clause 10.5: why is the engine's to say.
pub(crate) fn invalid_args(inner: Option<&str>) -> Box<Decision> {
    deny("invalid_args", "Arguments are not valid:".to_owned(), inner)
}

impl<'d> Levels<'d> {
    /// Clause 6.2: the steps before the identity.
    pub(crate) fn of(layers: &'d [Document], call: &Call<'_>) -> Result<Levels<'d>, Box<Decision>> {
        let (tool, entries, dispatcher) = match call.target {
            Target::Method(method) => {
                if method.is_empty() || method.len() > 1_024 || method.starts_with("tools/") {
                    let message = "Method is empty, too long or begins with \"tools/\"";
                    return Err(deny("invalid_method", message.to_owned(), None));
                }
                (None, of_method(layers, method, method)?, None)
            }
            Target::Tool(tool) => {
                if tool.len() > 1_024 {
                    return Err(deny("invalid_tool", "Tool name is too long".to_owned(), None));
                }
                (Some(tool), of_tool(layers, tool, None)?, dispatcher(layers, tool))
            }
        };
        let Ok(args @ Json::Object(_)) = Json::read(call.args.unwrap_or("{}")) else {
            return Err(invalid_args(None));
        };
        let outer = Level { tool: tool.map(str::to_owned), args, entries, origin: Origin::Outer };
        let mut levels = Levels { list: vec![outer], inner: None, choosing: vec![] };
        if let Some(dispatcher) = dispatcher {
            levels.add_inner(layers, dispatcher)?;
        }
        let is_completion = call.target == Target::Method("completion/complete");
        if is_completion && layers.iter().any(|layer| layer.requests.is_some()) {
            levels.add_completed(layers)?;
        }
        let inner = levels.inner.as_deref();
        let Some(asked) = call.check else { return Ok(levels) };
        for (depth, level) in levels.list.iter().enumerate() {
            // Clause 3.7: the schema is that of the tool which is called.
            let check = check::Check { schema: asked.schema.filter(|_| depth == 0), ..asked };
            let refuses = |(document, entry): &(&Document, &Entry)| {
                check::refuses(document, &check, &[entry], &level.args)
            };
            if level.entries.iter().any(refuses) {
                return Err(invalid_args(inner));
            }
        }
        if let Some(dispatcher) = dispatcher.filter(|_| asked.folding) {
            let paths = [path::read(&dispatcher.tool).1, path::read(&dispatcher.args).1];
            let paths: Vec<&[Segment]> = paths.iter().map(Vec::as_slice).collect();
            if !is_made(DispatcherUnread) && check::folds(&levels.list[0].args, &paths) {
                return Err(invalid_args(inner));
            }
        }
        Ok(levels)
    }

    /// Clause 3.11.
    fn add_inner(&mut self, layers: &'d [Document], of: &Dispatcher) -> Result<(), Box<Decision>> {
        let leaves = |path: &str| {
            let args = At { value: self.list[0].args.clone(), readings: false };
            args.follow(&path::read(path).1, Place::Permit)
        };
        let name = match &leaves(&of.tool)[..] {
            [Leaf::Value(Json::String(name))] if !name.is_empty() && name.len() <= 1_024 => name.clone(),
            _ => return Err(invalid_args(None)),
        };
        let inner = Some(name.as_str());
        if !is_made(DispatcherInDispatcher) && dispatcher(layers, &name).is_some() {
            return Err(invalid_args(inner));
        }
        if layers.iter().any(|layer| is_disguised(layer, &name)) {
            return Err(invalid_args(inner));
        }
        let args = match leaves(&of.args).pop() {
            Some(Leaf::Value(args @ Json::Object(_))) => args,
            None | Some(Leaf::Absent | Leaf::Value(Json::Null)) => Json::Object(vec![]),
            Some(_) if is_made(InnerArgsOfAnyType) => Json::Object(vec![]),
            Some(_) => return Err(invalid_args(inner)),
        };
        let args = if is_made(InnerSeesOuterArgs) { self.list[0].args.clone() } else { args };
        let entries = of_tool(layers, &name, inner)?;
        let called = if is_made(InnerSeesOuterTool) { self.list[0].tool.clone() } else { Some(name.clone()) };
        let origin = Origin::At(of.args.clone());
        self.list.push(Level { tool: called, args, entries, origin });
        self.choosing.push(of.tool.clone());
        self.inner = Some(name);
        Ok(())
    }

    /// Clause 3.10: what a completion is decided as beside itself.
    fn add_completed(&mut self, layers: &'d [Document]) -> Result<(), Box<Decision>> {
        if is_made(CompletionAsItself) {
            return Ok(());
        }
        let args = &self.list[0].args;
        let text =
            |field: &str| args.get("ref").and_then(|of| of.get(field)).filter(|value| value.text().is_some());
        let member = |name: &str, value: &Json| (name.to_owned(), value.clone());
        let (method, members) = match text("type").and_then(Json::text) {
            Some("ref/prompt") => {
                let name = text("name").ok_or_else(|| invalid_args(None))?;
                let mut members = vec![member("name", name)];
                if args.get("context").is_some_and(|context| !matches!(context, Json::Object(_) | Json::Null))
                {
                    return Err(invalid_args(None));
                }
                let given = args.get("context").and_then(|context| context.get("arguments"));
                let given = given.filter(|_| !is_made(CompletionWithoutContext));
                members.extend(given.map(|given| member("arguments", given)));
                ("prompts/get", members)
            }
            Some("ref/resource") => {
                let uri = text("uri").ok_or_else(|| invalid_args(None))?;
                ("resources/read", vec![member("uri", uri)])
            }
            _ => return Err(invalid_args(None)),
        };
        let entries = of_method(layers, method, "completion/complete")?;
        let args = Json::Object(members);
        self.list.push(Level { tool: None, args, entries, origin: Origin::Completion });
        self.choosing.extend(["args.ref", "args.context"].map(str::to_owned));
        Ok(())
    }
}

impl Level<'_> {
    /// A path of this level as the outer call has it; none where no member of it stands there.
    pub(crate) fn outside(&self, path: &str) -> Option<String> {
        let Some(rest) = path.strip_prefix("args") else { return Some(path.to_owned()) };
        match &self.origin {
            Origin::Outer => Some(path.to_owned()),
            Origin::At(place) => Some(format!("{place}{rest}")),
            // `ref` and `context` are covered whole (clause 3.10).
            Origin::Completion => None,
        }
    }

    /// Clause 3.11: whether what this level ignores is ignored: names alone lead to it.
    pub(crate) fn ignores(&self) -> bool {
        let is_name = |segment: &Segment| matches!(segment, Segment::Name(_));
        match &self.origin {
            Origin::At(place) => is_made(IgnoresBehindJson) || path::read(place).1.iter().all(is_name),
            Origin::Outer | Origin::Completion => true,
        }
    }
}

fn dispatcher<'d>(layers: &'d [Document], tool: &str) -> Option<&'d Dispatcher> {
    let mut all = layers.iter().flat_map(|layer| &layer.dispatchers);
    all.find(|dispatcher| dispatcher.name == tool)
}

/// Clauses 6.2 and 6.10: what matches a tool, unless a policy hides it, or does not list it.
fn of_tool<'d>(
    layers: &'d [Document],
    tool: &str,
    inner: Option<&str>,
) -> Result<Vec<(&'d Document, &'d Entry)>, Box<Decision>> {
    let unlisted = |layer: &&Document| layer.default_deny && !layer.lists(tool);
    for layer in layers.iter().filter(|_| !(inner.is_some() && is_made(InnerHiddenPasses))) {
        let hidden = layer.hide.iter().position(|hidden| names(hidden, tool));
        if let Some(index) = hidden {
            let mut decision = deny("hidden", format!("Tool \"{tool}\" is hidden by policy"), inner);
            decision.rule = Some(format!("/hide/{index}"));
            decision.layer.clone_from(&layer.name);
            return Err(decision);
        }
    }
    let count = layers.iter().filter(unlisted).count();
    let is_unlisted = if is_made(ListedByAnyLayer) { count == layers.len() } else { count > 0 };
    if is_unlisted && !(inner.is_some() && is_made(InnerUnlistedPasses)) {
        return Err(deny("not_listed", format!("Tool \"{tool}\" is not permitted by policy"), inner));
    }
    let of_layer = |layer: &'d Document| layer.matching(tool).into_iter().map(move |entry| (layer, entry));
    Ok(if is_made(LaterLayerFirst) {
        layers.iter().rev().flat_map(of_layer).collect()
    } else {
        layers.iter().flat_map(of_layer).collect()
    })
}

/// Clause 3.10: the entries of a method for a request that is `called` so, unless a policy does not list it.
fn of_method<'d>(
    layers: &'d [Document],
    method: &str,
    called: &str,
) -> Result<Vec<(&'d Document, &'d Entry)>, Box<Decision>> {
    let asked = match method {
        "resources/subscribe" if is_made(SubscribePasses) => return Ok(vec![]),
        "resources/subscribe" if !is_made(SubscribeAsItself) => "resources/read",
        other => other,
    };
    let always = [
        "initialize",
        "server/discover",
        "ping",
        "logging/setLevel",
        "subscriptions/listen",
        "resources/unsubscribe",
    ];
    let passes = always.contains(&asked)
        || asked.starts_with("tasks/")
        || asked.starts_with("notifications/")
        || asked.ends_with("/list") && (asked != "roots/list" || is_made(RootsAlwaysPass));
    if passes && !is_made(NothingAlwaysPasses) {
        return Ok(vec![]);
    }
    let mut entries = Vec::new();
    for layer in layers {
        let Some(requests) = &layer.requests else { continue };
        let of_default =
            if is_made(RequestsByDocumentDefault) { layer.default_deny } else { requests.default_deny };
        match requests.entries.iter().find(|entry| entry.key.as_deref() == Some(asked)) {
            Some(entry) => entries.push((layer, entry)),
            None if of_default => {
                return Err(deny(
                    "not_listed",
                    format!("Method \"{called}\" is not permitted by policy"),
                    None,
                ));
            }
            None => {}
        }
    }
    Ok(entries)
}

/// Clause 3.11: whether a name is none that a policy has, but becomes one without white space around it, cut at the first NUL, or folded.
fn is_disguised(layer: &Document, name: &str) -> bool {
    let keys = layer.entries.iter().filter_map(|entry| entry.key.as_ref());
    let known: Vec<&String> = keys
        .chain(&layer.hide)
        .chain(layer.dispatchers.iter().map(|one| &one.name))
        .filter(|known| !crate::pattern::is_glob(known) && *known != "*")
        .collect();
    if known.iter().any(|known| *known == name) {
        return false;
    }
    let bare = |name: &str| {
        let cut = if is_made(InnerNulUncut) { name } else { name.split('\0').next().unwrap_or_default() };
        let is_left_out = |one: char| {
            one.is_whitespace()
                || one.is_control()
                || "\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{2060}\u{feff}".contains(one)
        };
        let trimmed = if is_made(InnerBlanksStay) { cut } else { cut.trim_matches(is_left_out) };
        // Folding cuts at a NUL, too.
        let trimmed = trimmed.replace('\0', "\u{1}");
        if is_made(InnerCaseStays) { trimmed } else { folded(&trimmed) }
    };
    known.iter().any(|known| bare(known) == bare(name) || folded(known) == bare(name))
}
