//! A server's list of tools, from a file.
//!
//! In: JSON. Out: the list of tools in it. Must not take anything else for an empty list: then every entry of a policy would
//! match nothing, and every warning about arguments would be lost.

use std::ops::ControlFlow;
use std::path::Path;

use crate::failure::{Failure, tell};
use callgate::value::{Kind, RawJson, RawView, View as _};

pub(crate) const HELP: &str = "give what `tools/list` answers, its result, or the list alone: \
                    `{\"tools\": [{\"name\": …, \"inputSchema\": {…}}]}`";

/// The list of tools in a list, a result of `tools/list`, or an answer with one.
pub(crate) fn listed<'t>(path: &Path, raw: &'t RawJson<'_>) -> Result<RawView<'t>, Failure> {
    let failed = |what: String| Failure::with_help(format!("{}: {what}", path.display()), HELP);
    let result = result(raw);
    let list = member(result, "tools").unwrap_or(result);
    if !matches!(list.kind(), Ok(Kind::Array)) {
        return Err(failed("not a list of tools".to_owned()));
    }
    let (mut index, mut broken) = (0_usize, None);
    let _ = list.elements(|tool| {
        let has_name = member(tool, "name").is_some_and(|name| matches!(name.kind(), Ok(Kind::String(_))));
        let has_schema = member(tool, "inputSchema").is_none_or(|schema| is_object(&schema));
        if !(has_name && has_schema) {
            let what = if has_name { "has an `inputSchema` that is not an object" } else { "has no name" };
            broken = Some(format!("the tool at index {index} {what}"));
            return ControlFlow::Break(());
        }
        index = index.saturating_add(1);
        ControlFlow::Continue(())
    });
    if let Some(what) = broken {
        return Err(failed(what));
    }
    if has_more(raw) {
        let message = format!("{}: has only the first tools of the server (`nextCursor`)", path.display());
        tell("warning", &message, None);
    }
    Ok(list)
}

/// A file's name without its ending.
pub(crate) fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Whether it names a next page.
pub(crate) fn has_more(raw: &RawJson<'_>) -> bool {
    member(result(raw), "nextCursor").is_some_and(|cursor| !matches!(cursor.kind(), Ok(Kind::Null)))
}

fn result<'t>(raw: &'t RawJson<'_>) -> RawView<'t> {
    let root = raw.root();
    member(root, "result").filter(is_object).unwrap_or(root)
}

fn is_object(view: &RawView<'_>) -> bool {
    matches!(view.kind(), Ok(Kind::Object))
}

/// The member of an object.
pub(crate) fn member<'t>(view: RawView<'t>, name: &str) -> Option<RawView<'t>> {
    // Only an object has members.
    if is_object(&view) { view.member(name).ok().flatten() } else { None }
}
