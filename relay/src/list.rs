//! The answer to `tools/list`: which tools it names, and the same answer without some of them.
//!
//! In: a result's text. Out: its tools, or the result written anew. Must not pass on a list that cannot be read: a filter that gives
//! up shows what it should hide.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::ControlFlow;

use callgate::__relay::parse;
use callgate::value::{Kind, RawView, View as _};

use crate::frame::string;

/// A tool in a server's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// The text of its input schema, JSON; `None` where the list has none.
    pub schema: Option<String>,
}

/// A page of a list.
pub(crate) struct Page {
    pub(crate) tools: Vec<Listed>,
    /// The text of `nextCursor`, a string.
    pub(crate) next: Option<String>,
}

/// Reads a page, strictly: a name that stands twice may be read either way.
pub(crate) fn read(result: &str, most: usize) -> Result<Page, &'static str> {
    let raw = parse(result, most).map_err(|_| "the list of tools cannot be read")?;
    let (tools, next) = parts(raw.root())?;
    let tools = tools.into_iter().map(|(listed, _)| listed).collect();
    Ok(Page { tools, next })
}

/// The most tools of one list.
pub(crate) const MOST_TOOLS: usize = 10_000;

type Tools<'t> = Vec<(Listed, RawView<'t>)>;

fn parts(root: RawView<'_>) -> Result<(Tools<'_>, Option<String>), &'static str> {
    let tools = member(root, "tools").ok_or("the list has no `tools`")?;
    if !matches!(tools.kind(), Ok(Kind::Array)) {
        return Err("`tools` is not a list");
    }
    let mut found = Vec::new();
    let (mut broken, mut too_many) = (false, false);
    // A text that was read whole has elements that can be read.
    let _ = tools.elements(|tool| match member(tool, "name").map(string) {
        _ if found.len() >= MOST_TOOLS => {
            too_many = true;
            ControlFlow::Break(())
        }
        Some(Some(name)) => {
            let schema = member(tool, "inputSchema").map(|schema| schema.text().to_owned());
            found.push((Listed { name, schema }, tool));
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
    if broken || !found.iter().all(|(listed, _)| names.insert(listed.name.as_str())) {
        return Err("a tool has no name, or two have one");
    }
    let next = member(root, "nextCursor").filter(|next| !matches!(next.kind(), Ok(Kind::Null)));
    Ok((found, next.map(|next| next.text().to_owned())))
}

/// The result without the tools that may not be seen, and how many these are; `None` where it is as the server gave it. `by_caller` says
/// that another caller may see other tools.
pub(crate) fn filtered(
    result: &str,
    most: usize,
    visible: &dyn Fn(&str) -> bool,
    by_caller: bool,
) -> Result<Option<(String, usize)>, &'static str> {
    let raw = parse(result, most).map_err(|_| "the list of tools cannot be read")?;
    let root = raw.root();
    let (tools, _) = parts(root)?;
    let kept: Vec<&str> =
        tools.iter().filter(|(listed, _)| visible(&listed.name)).map(|(_, tool)| tool.text()).collect();
    let hidden = tools.len().saturating_sub(kept.len());
    // What may be kept and names no scope may be shared.
    let is_kept = ["ttlMs", "cacheScope"].into_iter().any(|name| member(root, name).is_some());
    let is_private = by_caller && is_kept;
    if hidden == 0 && !is_private {
        return Ok(None);
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
            "tools" => {
                out.push('[');
                out.push_str(&kept.join(","));
                out.push(']');
            }
            // What one caller may see is not for a cache that others share.
            "cacheScope" => out.push_str("\"private\""),
            _ => out.push_str(value.text()),
        }
        ControlFlow::Continue(())
    });
    if is_private && member(root, "cacheScope").is_none() {
        out.push_str(",\"cacheScope\":\"private\"");
    }
    out.push('}');
    Ok(Some((out, hidden)))
}

fn member<'t>(object: RawView<'t>, name: &str) -> Option<RawView<'t>> {
    if !matches!(object.kind(), Ok(Kind::Object)) {
        return None;
    }
    object.member(name).ok().flatten()
}
