//! Where a test failed: the right line and column, whatever stands before it.

use super::Folder;
use crate::{callgate, json};

/// Runs a test file in which the call at `¦` fails, and checks the place.
fn fails_at(folder: &Folder, name: &str, marked: &str) {
    let at = marked.find('¦').unwrap();
    let before = marked[..at].trim_start_matches('\u{feff}');
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
    let path = folder.write(name, marked.replace('¦', ""));
    let run = callgate(&["test", "--format", "json", &path]);
    assert_eq!(run.status, 1, "{marked:?}: {}", run.out);
    let found = json(&run.out);
    let failures: Vec<_> = found["files"][0]["tests"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|test| test["failures"].as_array().unwrap())
        .map(|one| (one["line"].as_u64().unwrap(), one["column"].as_u64().unwrap()))
        .collect();
    assert_eq!(failures, [(line as u64, column as u64)], "{marked:?}");
    let run = callgate(&["test", &path]);
    assert!(
        run.out.contains(&format!("--> {path}:{line}:{column}\n")),
        "{line}:{column} of {marked:?}: {}",
        run.out
    );
    // The excerpt is of that line.
    let number = format!("\n{line} | ");
    let shown = run.out.split(&*number).nth(1).unwrap().lines().next().unwrap();
    assert!(shown.contains("\"wrong\""), "{marked:?}: {}", run.out);
}

#[test]
fn a_failure_is_shown_where_it_stands() {
    let folder = Folder::new("places");
    folder.write("p.yaml", super::POLICY);
    let flow = "policy: p.yaml\ntests:\n  - name: a\n    each:\n      - {tool: list, expect: allow}\n      - ¦{name: \"wrong\", tool: list, expect: deny}\n";
    let block = "policy: p.yaml\ntests:\n  - name: a\n    steps:\n      -   ¦name: \"wrong\"\n          tool: list\n          expect: deny\n";
    let wide = "policy: p.yaml\ntests: [{name: \"ä 漢字 \u{1f600} e\u{301}\", each: [¦{name: \"wrong\", tool: list, expect: deny}]}]\n";
    let tabs =
        "policy: p.yaml\ntests: [\t{name: a,\teach: [\t¦{name: \"wrong\", tool: list, expect: deny}]}]\n";
    let json = "{\n\t\"policy\": \"p.yaml\",\n\t\"tests\": [\n\t\t{\"name\": \"ä\", \"each\": [¦{\"name\": \"wrong\", \"tool\": \"list\", \"expect\": \"deny\"}]}\n\t]\n}\n";
    let one_line = "{\"policy\": \"p.yaml\", \"tests\": [{\"name\": \"漢\", \"each\": [¦{\"name\": \"wrong\", \"tool\": \"list\", \"expect\": \"deny\"}]}]}";
    for (index, text) in [flow, block, wide, tabs, json, one_line].into_iter().enumerate() {
        let ending = if text.starts_with('{') { "json" } else { "yaml" };
        for (form, text) in [
            ("plain", text.to_owned()),
            ("crlf", text.replace('\n', "\r\n")),
            ("bom", format!("\u{feff}{text}")),
            ("bom-crlf", format!("\u{feff}{}", text.replace('\n', "\r\n"))),
            ("comment", format!("{}{text}", if ending == "json" { "\n\n" } else { "# ünïcödé\n\n" })),
        ] {
            fails_at(&folder, &format!("{form}{index}_test.{ending}"), &text);
        }
    }
}

#[test]
fn a_cell_of_a_matrix_is_shown_where_its_outcome_stands() {
    let folder = Folder::new("places-matrix");
    let path = folder.suite(
        "policy: p.yaml\nidentities: {al: al, nobody: null}\ntests:\n  - name: who\n    matrix: {as: [al, nobody], tool: [list, wipe]}\n    expect:\n      al: {list: allow, wipe: hidden}\n      nobody: {list: deny, wipe: hidden}\n",
    );
    let run = callgate(&["test", &path]);
    assert_eq!(run.status, 1, "{}", run.out);
    assert!(run.out.contains("failed: who / nobody list\n"), "{}", run.out);
    assert!(run.out.contains(&format!("--> {path}:8:22\n")), "{}", run.out);
}

/// A long line is cut, and the place stays that of the whole line.
#[test]
fn a_failure_in_a_long_line_has_the_column_of_the_line() {
    let folder = Folder::new("places-long");
    let path = folder.suite(&format!(
        "policy: p.yaml\nx-note: 1\ntests: [{{name: \"{}\", each: [{{tool: list, expect: deny}}]}}]\n",
        "é".repeat(500)
    ));
    let run = callgate(&["test", &path]);
    assert!(run.out.contains(&format!("--> {path}:3:527\n")), "{}", run.out);
    assert!(run.out.lines().any(|line| line.starts_with("3 |") && line.len() < 700), "{}", run.out);
}
