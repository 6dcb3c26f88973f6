//! Locks: every case of `spec/lock`, and its schema.

use std::collections::BTreeMap;

use callgate::lock::{Definition, Entry, Field, Lock, Origin};
use callgate_analysis::drift::{Drift, Kind, compare};
use callgate_tests::{json_files, project};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[expect(dead_code, reason = "for readers")]
    about: String,
    definition: String,
    digests: BTreeMap<String, String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    clauses: Vec<String>,
    replace: Vec<(String, String)>,
    #[serde(default)]
    also: Vec<String>,
    expect: String,
    #[serde(default)]
    fields: Vec<String>,
    places: Option<Vec<String>>,
}

/// A lock of one definition.
fn lock(definition: &str) -> Lock {
    let mut lock = Lock::new();
    let origin = Origin { protocol: "2025-11-25".to_owned(), date: "2026-11-30".to_owned() };
    lock.put_server("server", origin).unwrap();
    let definition = Definition::read(definition).unwrap();
    let entry = Entry { class: "Write".to_owned(), severity: "medium".to_owned(), definition };
    lock.put("server", entry).unwrap();
    lock
}

impl Case {
    fn listed(&self, approved: &str) -> String {
        self.replace.iter().fold(approved.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{}: there is no {from:?}", self.name);
            text.replacen(from, to, 1)
        })
    }

    fn run(&self, approved: &str) -> Vec<String> {
        let old = Definition::read(approved).unwrap();
        let text = self.listed(approved);
        let lock = lock(approved);
        let is_pinned = lock.pins(None).unwrap().admits(&text);
        let Ok(new) = Definition::read(&text) else {
            let is_right = self.expect == "refused" && !is_pinned;
            return if is_right { Vec::new() } else { vec!["it is refused".to_owned()] };
        };
        let mut wrong = Vec::new();
        let fields: Vec<&str> =
            Field::ALL.into_iter().filter(|it| old.field(*it) != new.field(*it)).map(Field::name).collect();
        if fields != self.fields {
            wrong.push(format!("other digests: {fields:?}"));
        }
        let is_same = old.digest() == new.digest();
        if is_same != is_pinned || (is_same != (self.expect == "same") && self.also.is_empty()) {
            wrong.push(format!("same: {is_same}, admitted: {is_pinned}"));
        }
        let mut listed = vec![new];
        listed.extend(self.also.iter().map(|text| Definition::read(text).unwrap()));
        let drifts = compare("server", &lock, &listed);
        let kind = drifts.first().map_or("same", |drift| drift.kind.name());
        if kind != self.expect {
            wrong.push(format!("{drifts:#?}"));
        }
        if let (Some(places), Some(drift)) = (&self.places, drifts.first()) {
            let mut found: Vec<_> = drift.changes.iter().map(|change| change.place.clone()).collect();
            found.sort();
            if *places != found {
                wrong.push(format!("places {found:?}"));
            }
        }
        wrong
    }
}

#[test]
fn every_case_of_locks_holds() {
    let clauses = std::fs::read_to_string(project().join("spec/lock.md")).unwrap();
    let (mut failures, mut count) = (Vec::new(), 0);
    for (path, text) in json_files("spec/lock") {
        let file: File = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
        let approved = Definition::read(&file.definition).unwrap();
        let mut digests = BTreeMap::from([("digest".to_owned(), approved.digest().to_string())]);
        for field in Field::ALL {
            digests.extend(approved.field(field).map(|it| (field.name().to_owned(), it.to_string())));
        }
        assert_eq!(digests, file.digests, "{path}");
        for case in &file.cases {
            count += 1;
            let wrong = case.run(&file.definition);
            failures.extend(wrong.into_iter().map(|wrong| format!("{path}: {}: {wrong}", case.name)));
            let unknown = case.clauses.iter().filter(|clause| !clauses.contains(&format!("**{clause}**")));
            failures.extend(unknown.map(|clause| format!("{path}: {}: no clause {clause}", case.name)));
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    assert!(count >= 60, "only {count} cases");
}

/// What is written has the schema, and what is not read has not.
#[test]
fn a_lock_has_its_schema() {
    let schema = std::fs::read_to_string(project().join("spec/lock.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let approved = r#"{"name": "read", "description": "Reads.", "inputSchema": {}, "_meta": {}}"#;
    let value: Value = serde_json::from_str(&lock(approved).to_string()).unwrap();
    let errors: Vec<_> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    for (pointer, wrong) in [
        ("/version", Value::from("2")),
        ("/servers/0/complete", false.into()),
        ("/servers/0/date", "today".into()),
        ("/tools/0/digest", "md5:0".into()),
        ("/tools/0/fields/other", "sha256:0".into()),
        ("/tools/0/class", "Harmless".into()),
        ("/tools/0/definition/name", 1.into()),
    ] {
        let mut other = value.clone();
        *other.pointer_mut(pointer).unwrap() = wrong;
        assert!(!validator.is_valid(&other), "{pointer}");
    }
}

/// A change of wording that comes with another one is not accepted as wording.
#[test]
fn only_what_is_nothing_else_is_accepted_by_its_kind() {
    let approved =
        r#"{"name": "read", "description": "Reads.", "inputSchema": {"type": "object", "maxProperties": 2}}"#;
    let drift = |listed: &str| -> Drift {
        compare("server", &lock(approved), &[Definition::read(listed).unwrap()]).remove(0)
    };
    let both = drift(&approved.replace("Reads.", "Reads it.").replace(":2", ":1").replace(": 2", ": 1"));
    assert_eq!(both.kind, Kind::Narrower);
    assert!(!both.is_only(&[Kind::Narrower]) && !both.is_only(&[Kind::Wording]));
    assert!(both.is_only(&[Kind::Narrower, Kind::Wording]));
    let renamed = drift(&approved.replace("\"read\"", "\"raed\""));
    assert_eq!((renamed.kind, renamed.was.as_deref()), (Kind::Renamed, Some("read")));
    assert!(!renamed.is_only(&Kind::ALL));
}
