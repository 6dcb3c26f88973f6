//! Raw JSON arguments are read as `serde_json` reads them, but for what the language refuses (spec 3.5).

use std::ops::ControlFlow;

use callgate::ceilings::{ARGUMENT_BYTES, ARGUMENT_DEPTH};
use callgate::value::{Kind, RawErrorKind, RawJson, RawView, View};

use super::oracle::{self, Reading, Tree};

/// A text is accepted exactly if `serde_json` accepts it, no key stands twice and it is within the ceilings; and then it
/// has the same values.
pub fn arguments_are_read_as_another_parser_reads_them(text: &str) {
    let raw = RawJson::parse(text);
    if let Err(error) = &raw {
        assert!(error.offset() <= text.len(), "{error}: outside of the text");
    }
    let is_above = text.len() > ARGUMENT_BYTES || oracle::depth(text) > ARGUMENT_DEPTH;
    match (raw, oracle::read(text)) {
        (Ok(raw), Reading::Value(tree)) if !is_above => {
            assert!(!tree.repeats_a_key(), "accepted, though a key stands twice");
            same(&raw.root(), &tree);
        }
        (Ok(_), Reading::Beyond) if !is_above => {}
        (Ok(_), reading) => panic!("accepted, though it is above a ceiling or no JSON: {reading:?}"),
        (Err(error), Reading::Value(tree)) if !is_above => {
            assert!(tree.repeats_a_key(), "{error}: serde_json accepts it");
            assert_eq!(error.kind(), RawErrorKind::DuplicateKey);
        }
        (Err(_), _) => {}
    }
}

/// The view shows what the tree holds.
fn same(view: &RawView<'_>, tree: &Tree) {
    match (view.kind().expect("raw text is readable"), tree) {
        (Kind::Null, Tree::Null) => {}
        (Kind::Bool(one), Tree::Bool(other)) if one == *other => {}
        (Kind::String(one), Tree::String(other)) if one == *other => {}
        (Kind::Number(one), Tree::Number(other)) => {
            // Integers of any length are exact in callgate; where serde_json has to round, so does this comparison.
            let exact = one.to_string();
            let integer = other.as_i64().map(i128::from).or(other.as_u64().map(i128::from));
            match integer {
                Some(integer) => assert_eq!(exact, integer.to_string()),
                None => assert_eq!(
                    exact.parse::<f64>().ok().map(f64::abs),
                    other.as_f64().map(f64::abs),
                    "{exact}"
                ),
            }
        }
        // A fraction that a double reads as zero has no type (spec 5.2).
        (Kind::Foreign, Tree::Number(other)) => assert_eq!(other.as_f64().map(f64::abs), Some(0.0)),
        (Kind::Array, Tree::Array(elements)) => {
            assert_eq!(view.size().unwrap(), elements.len());
            let mut left = elements.iter();
            let mut last = None;
            let walked = view.elements(|element| {
                same(&element, left.next().expect("as many elements"));
                last = Some(element);
                ControlFlow::Continue(())
            });
            assert!(walked.is_ok() && left.next().is_none());
            let by_index = elements.len().checked_sub(1).map(|index| view.element(index));
            assert_eq!(by_index.map(|found| place(found.ok().flatten())), last.map(|last| place(Some(last))));
            assert!(matches!(view.element(elements.len()), Ok(None)));
        }
        (Kind::Object, Tree::Object(members)) => {
            assert_eq!(view.size().unwrap(), members.len());
            let mut left = members.iter();
            let mut last = None;
            let walked = view.members(|key, value| {
                let (expected, tree) = left.next().expect("as many members");
                assert_eq!(key, expected);
                same(&value, tree);
                last = Some(value);
                ControlFlow::Continue(())
            });
            assert!(walked.is_ok() && left.next().is_none());
            let by_key = members.last().map(|(key, _)| view.member(key));
            assert_eq!(by_key.map(|found| place(found.ok().flatten())), last.map(|last| place(Some(last))));
        }
        (kind, tree) => panic!("{kind:?} where serde_json has {tree:?}"),
    }
}

/// Where a value stands in the text.
fn place(view: Option<RawView<'_>>) -> Option<(*const u8, usize)> {
    view.map(|view| (view.text().as_ptr(), view.text().len()))
}
