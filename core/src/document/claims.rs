//! The claims that a policy says identities have: any other is a slip (spec 2.22).
//!
//! In: `claims` as written, and the paths and scopes that read an identity. Out: errors at what reads another claim. Without the
//! field nothing is checked.

use std::collections::HashMap;

use super::reader::{Field, Reader, shown};
use crate::diagnostic::Span;
use crate::path::{Path, Root, Segment};

/// Reads the field. It must be known before the first path is read.
pub(super) fn read_claims<'n>(reader: &mut Reader<'n, '_>, field: Field<'n>) {
    let Some(items) = reader.list(field.value(), "a list of names of claims") else { return };
    let (mut claims, mut failed) = (HashMap::default(), false);
    for (index, item) in items.enumerate() {
        if reader.is_full() {
            return;
        }
        reader.item(index, |reader| {
            let Some(name) = reader.any_string(item, "a string, the name of a claim") else {
                failed = true;
                return;
            };
            if name.is_empty() {
                failed = true;
                let help = "give the name of a claim, such as `roles`";
                return reader.error("invalid_name", item.span(), "a claim's name is empty", help);
            }
            let line = reader.diagnostics.lines().line(item.span().start);
            if let Some(first) = claims.insert(name, line) {
                let message = format!("the claim `{}` is already named, on line {first}", shown(name));
                reader.error("duplicate_item", item.span(), message, "remove one of them");
            }
        });
    }
    // A name that could not be read may be the one that a path means.
    reader.claims = (!failed).then_some(claims);
}

/// Reports a path that reads a claim that no identity has.
pub(super) fn check_path(reader: &mut Reader<'_, '_>, path: &Path, span: Span) {
    if path.root != Root::Identity {
        return;
    }
    if let Some(Segment::Name(name) | Segment::Quoted(name)) = path.segments.first() {
        check(reader, &format!("`{}`", shown(&path.text)), &[name], span);
    }
}

/// Reports a named scope none of whose claims an identity has.
pub(super) fn check_scope(reader: &mut Reader<'_, '_>, name: &str, span: Span) {
    let claims: &[&str] = match name {
        "grant" => &["grant", "id"],
        "session" => &["session"],
        "identity" => &["id"],
        _ => return,
    };
    check(reader, &format!("scope `{name}`"), claims, span);
}

/// Reports what reads `claims`, if there is none of them.
fn check(reader: &mut Reader<'_, '_>, what: &str, read: &[&str], span: Span) {
    let Some(claims) =
        reader.claims.as_ref().filter(|claims| !read.iter().any(|name| claims.contains_key(name)))
    else {
        return;
    };
    let names = read.iter().map(|name| format!("`{}`", shown(name))).collect::<Vec<_>>().join(" or ");
    let nearest =
        read.first().and_then(|name| reader.diagnostics.suggestions.nearest(name, claims.keys().copied()));
    let help = match nearest {
        Some(known) => format!("did you mean `{}`? Else add {names} to `claims`", shown(known)),
        None => format!("add {names} to `claims`, or remove this"),
    };
    let message = format!("{what} reads the claim {names}, which `claims` does not name");
    reader.error("unknown_claim", span, message, help);
}
