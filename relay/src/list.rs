//! The answer to `tools/list`: which tools it names, and the same answer without some of them.
//!
//! In: a result's text. Out: its tools, or the result written anew. Must not pass on a list that cannot be read: a filter that gives
//! up shows what it should hide.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::ControlFlow;

use callgate::__relay::parse;
use callgate::lock::Pins;
use callgate::value::{Kind, RawView, View as _};

use crate::answer::quoted;
use crate::frame::{folds, string};
use crate::mistake::{Mistake::*, is_made};

/// Of what a list is that is filtered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listing {
    Tools,
    Resources,
    Templates,
    Prompts,
}

impl Listing {
    /// By the method that asks for it.
    pub(crate) fn of(method: &str) -> Option<Self> {
        Some(match method {
            "tools/list" => Self::Tools,
            "resources/list" => Self::Resources,
            "resources/templates/list" => Self::Templates,
            "prompts/list" => Self::Prompts,
            _ => return None,
        })
    }

    /// The method that asks for it.
    pub(crate) const fn method(self) -> &'static str {
        match self {
            Self::Tools => "tools/list",
            Self::Resources => "resources/list",
            Self::Templates => "resources/templates/list",
            Self::Prompts => "prompts/list",
        }
    }

    /// The member that holds it, and the member of an item that tells which it is.
    const fn members(self) -> (&'static str, &'static str) {
        match self {
            Self::Tools => ("tools", "name"),
            Self::Resources => ("resources", "uri"),
            Self::Templates => ("resourceTemplates", "uriTemplate"),
            Self::Prompts => ("prompts", "name"),
        }
    }

    /// By which request an item is got, as far as that is known; `None` for a tool.
    pub(crate) fn params(self, name: &str) -> Option<(&'static str, String)> {
        let with = |member: &str| format!("{{\"{member}\":{}}}", quoted(name));
        match self {
            Self::Tools => None,
            Self::Resources => Some(("resources/read", with("uri"))),
            // Which resource it is for is open.
            Self::Templates => Some(("resources/read", "{}".to_owned())),
            Self::Prompts => Some(("prompts/get", with("name"))),
        }
    }
}

/// A tool in a server's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// The text of its input schema, JSON; `None` where the list has none.
    pub schema: Option<String>,
    /// Whether its definition is another one than the lock has of this name; never without a lock.
    pub is_changed: bool,
}

/// A page of a list.
pub(crate) struct Page {
    pub(crate) tools: Vec<Listed>,
    /// The text of `nextCursor`, a string.
    pub(crate) next: Option<String>,
}

/// Reads a page, strictly: a name that stands twice may be read either way.
pub(crate) fn read(result: &str, most: usize, pins: Option<&Pins>) -> Result<Page, &'static str> {
    let raw = parse(result, most).map_err(|_| "the list of tools cannot be read")?;
    let (tools, next) = parts(raw.root(), Listing::Tools, pins)?;
    let tools = tools.into_iter().map(|(listed, _)| listed).collect();
    Ok(Page { tools, next })
}

/// The most tools of one list.
pub(crate) const MOST_TOOLS: usize = 10_000;

/// The most milliseconds for which a client may keep a list that is not the server's own.
const LONGEST_KEPT: f64 = 60_000.0;

type Tools<'t> = Vec<(Listed, RawView<'t>)>;

fn parts<'t>(
    root: RawView<'t>,
    kind: Listing,
    pins: Option<&Pins>,
) -> Result<(Tools<'t>, Option<String>), &'static str> {
    let (list, key) = kind.members();
    // A client that ignores case would show what is left out here.
    if folds(root, &[list, "nextCursor", "cacheScope", "ttlMs"]) && !is_made(ListFolds) {
        return Err("a member of the list reads like another in some parsers");
    }
    let tools = member(root, list).ok_or("the list has no items")?;
    if !matches!(tools.kind(), Ok(Kind::Array)) {
        return Err("its items are not a list");
    }
    let mut found = Vec::new();
    let (mut broken, mut too_many) = (false, false);
    // A text that was read whole has elements that can be read.
    let _ = tools.elements(|tool| match member(tool, key).map(string) {
        _ if folds(tool, &[key, "inputSchema"]) => {
            broken = true;
            ControlFlow::Break(())
        }
        _ if found.len() >= MOST_TOOLS => {
            too_many = true;
            ControlFlow::Break(())
        }
        Some(Some(name)) => {
            let schema = member(tool, "inputSchema").map(|schema| schema.text().to_owned());
            let is_changed = pins.is_some_and(|pins| !pins.admits(tool.text()));
            found.push((Listed { name, schema, is_changed }, tool));
            ControlFlow::Continue(())
        }
        _ => {
            broken = true;
            ControlFlow::Break(())
        }
    });
    if too_many {
        return Err("the list has too many tools");
    }
    let mut names = BTreeSet::new();
    if kind != Listing::Tools && broken {
        return Err("an item of the list cannot be read");
    }
    if kind == Listing::Tools
        && (broken || !found.iter().all(|(listed, _)| names.insert(listed.name.as_str())))
    {
        return Err("a tool has no clear name, or two have one");
    }
    let next = member(root, "nextCursor").filter(|next| !matches!(next.kind(), Ok(Kind::Null)));
    Ok((found, next.map(|next| next.text().to_owned())))
}

/// A page without what may not be seen.
pub(crate) struct Filtered {
    /// Its text, and how many items were left out; `None` where it is as the server gave it.
    pub(crate) written: Option<(String, usize)>,
    /// Whether no other page follows.
    pub(crate) is_last: bool,
}

/// The result without the tools that may not be seen. `by_caller` says
/// that another caller may see other tools.
pub(crate) fn filtered(
    result: &str,
    kind: Listing,
    most: usize,
    pins: Option<&Pins>,
    visible: &mut dyn FnMut(&Listed) -> bool,
    by_caller: bool,
) -> Result<Filtered, &'static str> {
    let raw = parse(result, most).map_err(|_| "the list of tools cannot be read")?;
    let root = raw.root();
    let (tools, next) = parts(root, kind, pins)?;
    let is_last = next.is_none();
    let kept: Vec<&str> =
        tools.iter().filter(|(listed, _)| visible(listed)).map(|(_, tool)| tool.text()).collect();
    let hidden = tools.len().saturating_sub(kept.len());
    // What may be kept and names no scope may be shared.
    let is_kept = ["ttlMs", "cacheScope"].into_iter().any(|name| member(root, name).is_some());
    let is_private = is_kept && (by_caller || hidden > 0);
    if hidden == 0 && !is_private {
        return Ok(Filtered { written: None, is_last });
    }
    let mut out = String::with_capacity(result.len());
    let mut first = true;
    out.push('{');
    let _ = root.members(|name, value| {
        if !first {
            out.push(',');
        }
        first = false;
        // Writing to a String cannot fail, and a name is always written.
        let _ = write!(out, "{}:", serde_json::to_string(name).unwrap_or_default());
        match name {
            _ if name == kind.members().0 => {
                out.push('[');
                out.push_str(&kept.join(","));
                out.push(']');
            }
            "ttlMs" if !is_made(ListKept) => out.push_str(&shortened(value)),
            // What one caller may see is not for a cache that others share.
            "cacheScope" if !is_made(ListShared) => out.push_str("\"private\""),
            _ => out.push_str(value.text()),
        }
        ControlFlow::Continue(())
    });
    if is_private && member(root, "cacheScope").is_none() {
        out.push_str(",\"cacheScope\":\"private\"");
    }
    out.push('}');
    Ok(Filtered { written: Some((out, hidden)), is_last })
}

/// For how long a client may keep a list that a reload may change: at most [`LONGEST_KEPT`].
fn shortened(millis: RawView<'_>) -> String {
    let text = millis.text();
    let is_short = text.parse::<f64>().is_ok_and(|millis| millis <= LONGEST_KEPT);
    if is_short { text.to_owned() } else { LONGEST_KEPT.to_string() }
}

fn member<'t>(object: RawView<'t>, name: &str) -> Option<RawView<'t>> {
    if !matches!(object.kind(), Ok(Kind::Object)) {
        return None;
    }
    object.member(name).ok().flatten()
}
