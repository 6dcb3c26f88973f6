//! `value_from` and `optional` as written (spec 5.30, 5.31).
//!
//! In: the fields of a test. Out: the path of its operand, and whether its value may be left out, or what is wrong with them.

use std::sync::Arc;

use super::conditions::Site;
use super::given::misfit_from_call;
use super::reader::{Field, Reader, shown};
use super::{claims, lints};
use crate::condition::{Comparison, More, Operator, Place, Test};
use crate::path::{Path, Root};
use crate::text::Content;

const OPERATORS: &str = "operators with `value_from`: eq, neq, in, not_in, includes, not_includes, lt, lte, gt, gte, subset_of, within";

/// The path of an operand, with the operator that takes it and whether that is negated.
pub(super) fn read_operand<'n>(
    reader: &mut Reader<'n, '_>,
    field: Field<'n>,
    site: Site,
    name: Option<&str>,
    compared: Option<&Path>,
) -> Option<(Operator, bool, Arc<Path>)> {
    reader.within("value_from", |reader| {
        let span = field.value().span();
        let text =
            reader.string(field.value(), "a string, a path", "write a path like `identity.account`")?;
        let (message, help) = match reader.path(text) {
            Ok(path) if path.has_each => {
                let message = format!("`{}` leads to several values, and an operand is one", shown(text));
                (message, "name one value, or compare with the whole list by `in`".into())
            }
            Ok(path) if path.root.counts() => {
                let message = format!("`{}` is a counter, which is no operand", shown(text));
                (message, "use an `args.` or `identity.` path, `tool` or `server`".into())
            }
            Ok(path) => {
                claims::check_path(reader, &path, span);
                if site.place == Place::Limit {
                    lints::note_when(reader, &path, span);
                }
                let Some((comparison, negated)) = Comparison::named(name?) else {
                    let message = format!("`{}` takes no `value_from`", name?);
                    reader.error("invalid_operand", span, message, OPERATORS);
                    return None;
                };
                if comparison == Comparison::Within && path.root != Root::Identity {
                    let message =
                        format!("`{}` is not a directory that the caller cannot choose", shown(text));
                    reader.error("invalid_operand", span, message, "`within` takes an `identity.` path");
                    return None;
                }
                if compared.is_some_and(|compared| compared.root.counts()) {
                    let message = "a counter is compared with a number of the policy";
                    reader.error("invalid_operand", span, message, "write it as `value`");
                    return None;
                }
                if let Some((message, help)) =
                    compared.and_then(|compared| misfit_from_call(compared, name?, comparison))
                {
                    reader.error("invalid_operand", span, message, help);
                    return None;
                }
                if compared.is_some_and(|compared| compared.leads_where(&path)) {
                    let message = format!("`{}` is compared with itself", shown(text));
                    reader.warning("compares_itself", span, message, "name the value that it is to equal");
                }
                return Some((Operator::FromCall(comparison), negated, path));
            }
            Err(error) => (error.message, error.help),
        };
        reader.error("invalid_path", span, message, help);
        None
    })
}

/// Whether a value may be left out; `None` after an error.
pub(super) fn read_optional<'n>(
    reader: &mut Reader<'n, '_>,
    field: Field<'n>,
    site: Site,
    path: Option<&Path>,
    name: Option<&str>,
) -> Option<bool> {
    reader.within("optional", |reader| {
        match field.value().content() {
            Content::Bool(true) => {}
            Content::Bool(false) => return Some(false),
            _ => {
                reader.mismatch(field.value(), "`true` or `false`");
                return None;
            }
        }
        let (message, help) = if path.is_some_and(|path| path.root.counts()) {
            ("a counter is never left out", "remove it: an unused counter reads 0")
        } else if site.place == Place::Block {
            let help = "remove it: without the value only `neq` and the operators with `not_` act here; `{path: …, op: exists, value: true}` beside it spares such calls";
            ("`optional` cannot stand in `deny_if`, nor in a rule that denies or asks for approval", help)
        } else if site.negated {
            ("`optional` cannot stand under `not`", "write the opposite operator, such as `not_in`, without `not`")
        } else if name == Some("exists") {
            ("`exists` itself says whether a value is there", "remove `optional`")
        } else {
            return Some(true);
        };
        reader.error("misplaced_optional", field.key.span(), message, help);
        None
    })
}

/// A test that has more than most.
pub(super) fn test(path: &Arc<Path>, operator: Operator, negated: bool, more: More) -> Test {
    // Without the short way, on which nobody looks at what it has more.
    let path = Arc::new(Path { member: None, ..Path::clone(path) });
    Test { path, operator, negated, more: Some(Box::new(more)) }
}

/// A path up to its first wildcard.
pub(super) fn before_wildcard(path: &Arc<Path>) -> Arc<Path> {
    match path.segments.iter().position(|segment| segment.is_wildcard()) {
        None => Arc::clone(path),
        Some(end) => {
            let segments = path.segments.get(..end).unwrap_or_default().into();
            Arc::new(Path::new(path.root, segments, path.text.clone()))
        }
    }
}
