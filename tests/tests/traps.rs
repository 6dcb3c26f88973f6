//! Every trap that core can show has a test or a case that names it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use callgate_tests::{decisions, invalid, project};

fn cited_in_sources(folder: &Path, found: &mut BTreeSet<u32>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") && !path.ends_with("node_modules") {
            cited_in_sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !path.ends_with("tests/traps.rs")
        {
            let text = fs::read_to_string(&path).unwrap();
            // A citation counts where there are tests: `trap 25`, `Traps 19 and 20`.
            if !text.contains("#[test]") && !text.contains("#[tokio::test]") {
                continue;
            }
            for after in text.to_lowercase().split("trap").skip(1) {
                let after = after.strip_prefix('s').unwrap_or(after);
                let list: String =
                    after.chars().take_while(|c| c.is_ascii_digit() || " ,and-".contains(*c)).collect();
                found.extend(
                    list.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse::<u32>().ok()),
                );
            }
        }
    }
}

#[test]
fn every_trap_is_named_by_a_test_or_a_case() {
    let mut found = BTreeSet::new();
    for (_, file) in decisions::files() {
        found.extend(file.cases.iter().flat_map(|case| &case.traps).copied());
    }
    for (_, cases) in invalid::files() {
        found.extend(cases.iter().flat_map(|case| &case.traps).copied());
    }
    for folder in ["core", "host", "stores", "cli", "adapters", "tests"] {
        cited_in_sources(&project().join(folder), &mut found);
    }
    let missing: Vec<u32> = (1..=36).filter(|trap| !found.contains(trap)).collect();
    assert!(missing.is_empty(), "no test names these traps: {missing:?}");
}

/// Clauses that describe documents or hosts rather than behaviour that a case can show.
#[test]
fn every_clause_is_proved_by_a_case() {
    let language = fs::read_to_string(project().join("spec/language.md")).unwrap();
    let mut clauses = BTreeSet::new();
    for part in language.split("**").skip(1).step_by(2) {
        if part
            .split_once('.')
            .is_some_and(|(section, clause)| section.parse::<u32>().is_ok() && clause.parse::<u32>().is_ok())
        {
            clauses.insert(part.to_owned());
        }
    }
    assert!(clauses.len() > 90, "only {} clauses found", clauses.len());
    let mut proved: BTreeSet<String> = BTreeSet::new();
    for (_, file) in decisions::files() {
        proved.extend(file.cases.iter().flat_map(|case| case.clauses.clone()));
    }
    for (_, cases) in invalid::files() {
        proved.extend(cases.iter().flat_map(|case| case.clauses.clone()));
    }
    // Shown by Rust tests, since a case cannot: the API's own results, failing stores, the ceilings on memory and time, lints.
    let by_rust = ["6.9", "7.5", "8.11", "8.12", "10.6", "10.7", "10.8", "10.9", "11.1", "12.2"];
    let missing: Vec<&String> = clauses
        .iter()
        .filter(|clause| !proved.contains(*clause) && !by_rust.contains(&clause.as_str()))
        .collect();
    assert!(missing.is_empty(), "no case proves these clauses: {missing:?}");
}
