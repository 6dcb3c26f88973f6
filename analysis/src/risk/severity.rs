//! How much a call of a tool can harm: one table over class and labels, so that the two cannot contradict each other.

use std::collections::BTreeSet;

use super::{Class, Label, Severity};

/// Clause R5.1. A stronger class, or another label, never makes it less.
pub(super) fn severity(class: Class, labels: &BTreeSet<Label>) -> Severity {
    let has = |label| labels.contains(&label);
    let keys = has(Label::Credentials) || has(Label::IdentityAdmin);
    match class {
        Class::Read if has(Label::Credentials) => Severity::High,
        Class::Read if has(Label::PrivateData) => Severity::Medium,
        Class::Read => Severity::Low,
        Class::Write if keys => Severity::Critical,
        Class::Write => Severity::Medium,
        Class::Execute | Class::Unknown if keys => Severity::Critical,
        Class::Execute | Class::Unknown => Severity::High,
        Class::Destructive if keys || has(Label::Batch) => Severity::Critical,
        Class::Destructive => Severity::High,
        Class::Financial => Severity::Critical,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELS: [Label; 6] = [
        Label::Batch,
        Label::Credentials,
        Label::IdentityAdmin,
        Label::Outbound,
        Label::PrivateData,
        Label::UntrustedInput,
    ];

    fn sets() -> impl Iterator<Item = BTreeSet<Label>> {
        (0..1_u32 << LABELS.len()).map(|bits| {
            LABELS.iter().enumerate().filter(|(at, _)| bits & 1 << at != 0).map(|(_, label)| *label).collect()
        })
    }

    #[test]
    fn another_label_never_makes_it_less() {
        for class in Class::ALL {
            for set in sets() {
                for label in LABELS {
                    let mut more = set.clone();
                    more.insert(label);
                    assert!(severity(class, &more) >= severity(class, &set), "{class:?} {set:?} {label:?}");
                }
            }
        }
    }

    #[test]
    fn a_stronger_class_never_makes_it_less() {
        for set in sets() {
            for one in Class::ALL {
                for other in Class::ALL.into_iter().filter(|other| other.strength() >= one.strength()) {
                    assert!(severity(other, &set) >= severity(one, &set), "{one:?} {other:?} {set:?}");
                }
            }
        }
    }
}
