//! What calls of hidden tools would come to, were they not hidden.
//!
//! In: a policy and the name of a hidden tool. Out: names of `hide`, the default and entries that are about it, too. For reasons alone:
//! counts nothing.

use callgate::__analysis::{Matching, matching};
use callgate::Policy;

use super::group::Shape;
use super::points::Points;
use crate::document::Json;
use crate::subject::{Admission, Subject};

/// A policy taken apart.
pub(super) struct Behind {
    /// Each name of `hide` by its group, with a policy that hides it alone.
    names: Vec<(usize, Policy)>,
    default: Option<usize>,
    /// The policy that hides nothing.
    open: Option<Subject>,
}

impl Behind {
    pub(super) fn of(text: &str, points: &Points) -> Self {
        let mut document = Json::parse(text).unwrap_or(Json::Null);
        let hide = match document.take("hide") {
            Some(Json::List(names)) => names,
            _ => Vec::new(),
        };
        let hides = points.groups.iter().enumerate().filter(|(_, group)| matches!(group.shape, Shape::Hide));
        let alone = |name: Json| {
            let text = Json::map([
                ("version", Json::string("1")),
                ("default", Json::string("allow")),
                ("hide", Json::List(vec![name])),
            ]);
            text.to_text().parse::<Policy>().ok()
        };
        let names = hides.zip(hide).filter_map(|((group, _), name)| Some((group, alone(name)?)));
        Self {
            names: names.collect(),
            default: points.by_pointer.get("/default").copied(),
            open: Subject::new("", &document.to_text()).ok(),
        }
    }

    /// The groups that are in no entry, and the entries.
    pub(super) fn what(&self, tool: &str) -> (Vec<usize>, Vec<usize>) {
        let hides = |policy: &Policy| matches!(matching(policy, tool), Matching::Hidden(_));
        let names = self.names.iter().filter(|(_, policy)| hides(policy)).map(|(group, _)| *group);
        let mut groups: Vec<usize> = names.collect();
        match self.open.as_ref().map(|open| open.admission(tool)) {
            Some(Admission::Entries { entries, listed }) => {
                groups.extend(self.default.filter(|_| !listed));
                (groups, entries)
            }
            Some(Admission::NotListed) => {
                groups.extend(self.default);
                (groups, Vec::new())
            }
            _ => (groups, Vec::new()),
        }
    }
}
