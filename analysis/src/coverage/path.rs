//! Paths as policies write them: which numbers of arguments they lead to, and which counter they name.
//!
//! In: a path of a policy that loads, and arguments. Out: the numbers there; the names of a path to a counter. What cannot be read gives
//! none.

use std::ops::ControlFlow;

use callgate::__analysis::{Segment, segments};
use callgate::value::{Kind, Number, RawView, Reached, View as _};

/// A path into the arguments.
#[derive(Debug, Clone)]
pub(super) struct ArgsPath(Box<[Segment]>);

impl ArgsPath {
    /// Reads a path; `None` where it does not read the arguments, or has a view.
    pub(super) fn parse(path: &str) -> Option<Self> {
        path.starts_with("args").then(|| segments(path)).flatten().map(Self)
    }

    /// Whether the path leads to a number above 0.
    pub(super) fn leads_above_zero(&self, args: RawView<'_>) -> bool {
        let mut is_above = false;
        self.numbers(args, &mut |number| is_above |= number.compare(&Number::from(0_u64)).is_gt());
        is_above
    }

    /// Calls `each` for every number that the path leads to.
    pub(super) fn numbers(&self, args: RawView<'_>, each: &mut dyn FnMut(Number<'_>)) {
        walk(args, &self.0, each);
    }
}

/// Whether a path of a condition leads to a counter or a budget.
pub(super) fn reads_counter(path: &str) -> bool {
    path.starts_with("state") || reads_budget(path)
}

/// Whether a path of a condition leads to a budget.
pub(super) fn reads_budget(path: &str) -> bool {
    path.starts_with("budget")
}

/// The names of a path to a counter of an entry, and whether the first is in brackets, which makes it an entry's key.
pub(super) fn state_names(path: &str) -> Option<(bool, Vec<String>)> {
    let segments = path.starts_with("state").then(|| segments(path)).flatten()?;
    let is_exact = matches!(segments.first(), Some(Segment::Quoted(_)));
    let names = segments.iter().map(|segment| match segment {
        Segment::Name(name) | Segment::Quoted(name) => Some(name.to_string()),
        Segment::Index(_) | Segment::Each | Segment::Members | Segment::Scalars | Segment::View(_) => None,
    });
    names.collect::<Option<_>>().map(|names| (is_exact, names))
}

/// Recursion is as deep as the path has segments, of which there are few.
fn walk(value: RawView<'_>, segments: &[Segment], each: &mut dyn FnMut(Number<'_>)) {
    match segments.split_first() {
        None => {
            if let Ok(Kind::Number(number)) = value.kind() {
                each(number);
            }
        }
        Some((Segment::Name(name) | Segment::Quoted(name), rest)) => {
            if let Ok(Reached::Value(next)) = value.step(name) {
                walk(next, rest, each);
            }
        }
        Some((Segment::Index(index), rest)) => {
            if matches!(value.kind(), Ok(Kind::Array))
                && let Ok(Some(next)) = value.element(*index)
            {
                walk(next, rest, each);
            }
        }
        Some((Segment::Each, rest)) => {
            if matches!(value.kind(), Ok(Kind::Array)) {
                // Unreadable elements have no numbers.
                let _ = value.elements(|next| {
                    walk(next, rest, each);
                    ControlFlow::Continue(())
                });
            }
        }
        Some((Segment::Members, rest)) => {
            if matches!(value.kind(), Ok(Kind::Object)) {
                let _ = value.members(|_, next| {
                    walk(next, rest, each);
                    ControlFlow::Continue(())
                });
            }
        }
        // Only text is tested there, and paths with views are not read.
        Some((Segment::Scalars | Segment::View(_), _)) => {}
    }
}
