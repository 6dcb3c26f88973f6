//! Every trap that core can show has a test or a case that names it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use callgate::Policy;
use callgate_tests::{decisions, guards, invalid, project};

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
    for (_, file) in guards::files() {
        found.extend(file.scenarios.iter().flat_map(|scenario| &scenario.traps).copied());
    }
    for folder in ["core", "host", "stores", "relay", "gateway", "cli", "adapters", "tests"] {
        cited_in_sources(&project().join(folder), &mut found);
    }
    // The rows of the tables, so that a trap which is written down has its test.
    let page = fs::read_to_string(project().join("spec/traps.md")).unwrap();
    let traps: Vec<u32> =
        page.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse().ok()).collect();
    assert!(traps.len() >= 38, "only {} traps found", traps.len());
    let missing: Vec<u32> = traps.into_iter().filter(|trap| !found.contains(trap)).collect();
    assert!(missing.is_empty(), "no test names these traps: {missing:?}");
}

/// Clauses that describe documents or hosts rather than behaviour that a case can show.
#[test]
fn every_clause_is_proved_by_a_case() {
    let language = fs::read_to_string(project().join("spec/language.md")).unwrap();
    let mut clauses = BTreeSet::new();
    // Paths have `**`, too, so a part is told by what it is.
    for part in language.split("**") {
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
    for (_, file) in guards::files() {
        proved.extend(file.scenarios.iter().flat_map(|scenario| scenario.clauses.clone()));
    }
    // Shown by Rust tests, since a case cannot: the API's own results, failing stores, reloads, the ceilings on memory and time, lints.
    let by_rust = [
        "1.8", "6.9", "7.5", "7.7", "7.8", "7.9", "7.10", "7.11", "7.12", "8.11", "8.12", "8.15", "8.16",
        "10.7", "10.8", "10.9", "10.10", "11.1", "11.2", "12.2",
    ];
    let missing: Vec<&String> = clauses
        .iter()
        .filter(|clause| !proved.contains(*clause) && !by_rust.contains(&clause.as_str()))
        .collect();
    assert!(missing.is_empty(), "no case proves these clauses: {missing:?}");
}

/// Those that are left out are shown by tests of the relay and of each guard, since a scenario cannot: bytes of messages, callbacks,
/// warnings, records, and what pages say.
#[test]
fn every_clause_of_guards_is_proved_by_a_scenario() {
    let page = fs::read_to_string(project().join("spec/guards.md")).unwrap();
    let clauses: Vec<&str> =
        page.lines().filter_map(|line| Some(line.strip_prefix("- **G")?.split_once("**")?.0)).collect();
    assert!(clauses.len() > 60, "only {} clauses found", clauses.len());
    let mut proved: BTreeSet<String> = BTreeSet::new();
    for (_, file) in guards::files() {
        proved.extend(file.scenarios.iter().flat_map(|scenario| scenario.clauses.clone()));
    }
    let by_tests = [
        "1.7", "1.8", "2.1", "2.2", "2.3", "2.4", "2.5", "3.5", "3.6", "4.3", "6.11", "6.12", "7.6", "7.8",
        "7.9", "8.3", "8.4", "8.5", "9.3", "10.3", "11.1", "11.2", "11.3", "12.1", "12.2", "13.4", "13.5",
    ];
    let missing: Vec<&&str> = clauses
        .iter()
        .filter(|clause| proved.contains(&format!("G{clause}")) == by_tests.contains(clause))
        .collect();
    assert!(
        missing.is_empty(),
        "no scenario proves these clauses, or one does that is left out: {missing:?}"
    );
}

/// The guards themselves are run in their own languages, each with this data.
#[test]
fn every_guard_scenario_can_be_run() {
    const GUARDS: [&str; 8] = [
        "python-mcp1",
        "python-mcp2",
        "python-fastmcp",
        "python-streams",
        "node",
        "node-v2",
        "rmcp",
        "gateway",
    ];
    let page = fs::read_to_string(project().join("spec/guards.md")).unwrap();
    for (name, file) in guards::files() {
        let mut names = BTreeSet::new();
        for scenario in &file.scenarios {
            let about = format!("{name}: {}", scenario.name);
            assert!(names.insert(&scenario.name), "{about}: there are two of this name");
            Policy::from_yaml(&scenario.policy()).unwrap_or_else(|error| panic!("{about}: {error}"));
            for guard in scenario.only.iter().chain(scenario.except.keys()) {
                assert!(GUARDS.contains(&&**guard), "{about}: no guard is called {guard}");
            }
            let is_for_all = scenario.only.is_empty();
            assert_eq!(is_for_all, scenario.because.is_none(), "{about}: `because` stands beside `only`");
            for clause in scenario.clauses.iter().filter(|clause| clause.starts_with('G')) {
                assert!(page.contains(&format!("- **{clause}**")), "{about}: there is no clause {clause}");
            }
            let changes =
                scenario.steps.iter().flat_map(|step| step.change.iter().flat_map(|it| it.values()));
            let new: Vec<&String> = changes.filter_map(|change| change.name.as_ref()).collect();
            for step in &scenario.steps {
                for tool in step.call.iter().chain(step.used.iter().flat_map(|used| used.keys())) {
                    let is_there = scenario.tools.contains_key(tool) || new.contains(&tool);
                    assert!(is_there, "{about}: the server has no tool {tool}");
                }
                for name in step.ran.iter().flat_map(|ran| ran.keys()) {
                    let is_there = scenario.tools.contains_key(name)
                        || scenario.resources.contains(name)
                        || scenario.prompts.contains(name);
                    assert!(is_there, "{about}: the server has no {name}");
                }
            }
        }
    }
}
