//! Policy files, as they lie on a disk.

use std::fs::{self, File};
use std::io::ErrorKind;

use callgate::{Call, Format};
use callgate_host::{LoadError, PolicyFile, load_policy};

use crate::scratch::Scratch;

const POLICY: &str = "version: \"1\"\ndefault: deny\ntools: {read: {}}\n";

fn read_error(result: Result<callgate::Policy, LoadError>) -> (ErrorKind, String) {
    match result {
        Err(LoadError::Read(error)) => (error.kind(), error.to_string()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn loads_what_the_extension_says() {
    let scratch = Scratch::new("formats");
    let json = r#"{"version": "1", "default": "deny", "tools": {"read": {}}}"#;
    let files = [
        ("a.yaml", POLICY),
        ("b.yml", POLICY),
        ("c.JSON", json),
        ("d", json),
        ("e", POLICY),
        ("f.policy", json),
    ];
    for (name, text) in files {
        let path = scratch.write(name, text);
        let policy = load_policy(&path).unwrap();
        assert!(policy.evaluate(&Call::without_args("read")).decided().unwrap().allowed(), "{name}");
    }
    // YAML in a file that calls itself JSON is no JSON.
    let path = scratch.write("g.json", POLICY);
    assert!(matches!(load_policy(path), Err(LoadError::Policy(_))));
    assert_eq!(PolicyFile::from_reader("x.yml", POLICY.as_bytes()).unwrap().format(), Format::Yaml);
}

#[test]
fn every_error_begins_with_path_line_and_column() {
    let scratch = Scratch::new("errors");
    let path = scratch.write("typo.yaml", "version: \"1\"\ndefualt: deny\ntools:\n  pay: {rulez: []}\n");
    let error = load_policy(&path).unwrap_err();
    assert_eq!(error.path(), path);
    let text = error.to_string();
    assert!(text.contains(&format!("{}:2:1: error[unknown_field]", path.display())), "{text}");
    assert!(text.contains(&format!("{}:4:9: error[unknown_field]", path.display())), "{text}");
    let LoadError::Policy(invalid) = error else { panic!() };
    assert!(invalid.diagnostics().len() >= 2);
}

#[test]
fn a_missing_file_and_a_directory_say_so() {
    let scratch = Scratch::new("missing");
    let (kind, text) = read_error(load_policy(scratch.path("none.yaml")));
    assert_eq!(kind, ErrorKind::NotFound);
    assert!(text.contains("none.yaml: "), "{text}");
    assert_ne!(read_error(load_policy(scratch.path(""))).0, ErrorKind::NotFound);
}

#[test]
fn text_that_is_no_utf8_is_an_error() {
    let scratch = Scratch::new("utf8");
    let path = scratch.path("latin.yaml");
    fs::write(&path, b"version: \"1\"\ndescription: caf\xe9\n").unwrap();
    let (kind, text) = read_error(load_policy(&path));
    assert_eq!(kind, ErrorKind::InvalidData);
    assert!(text.contains("offset 29"), "{text}");
}

/// Trap 5: a sparse file of a terabyte takes no memory.
#[test]
fn a_file_above_the_ceiling_is_not_read() {
    let scratch = Scratch::new("huge");
    let path = scratch.path("huge.yaml");
    File::create(&path).unwrap().set_len(1 << 40).unwrap();
    assert_eq!(read_error(load_policy(&path)).0, ErrorKind::FileTooLarge);
}

/// Trap 5: what has no size is cut off.
#[test]
fn an_endless_reader_is_cut_off() {
    let error = PolicyFile::from_reader("-", std::io::repeat(b' ')).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FileTooLarge);
}

/// Spec 6.10: a stack of one is that policy, and a stack of two names the file that does not fit.
#[test]
fn several_files_are_one_stack_in_their_order() {
    let scratch = Scratch::new("stacks");
    let named = |name: &str| POLICY.replace("default", &format!("name: {name}\ndefault"));
    let base = scratch.write("base.yaml", &named("base"));
    let team = scratch.write("team.yaml", &named("team"));
    let plain = scratch.write("plain.yaml", POLICY);
    let alone = load_policy([&plain]).unwrap();
    assert_eq!(alone.digest(), load_policy(&plain).unwrap().digest());

    let layers = |policy: callgate::Policy| -> Vec<String> {
        policy.layers().map(|layer| layer.name().unwrap().to_owned()).collect()
    };
    assert_eq!(layers(load_policy([&base, &team]).unwrap()), ["base", "team"]);
    assert_eq!(layers(load_policy(vec![team.as_path(), &base]).unwrap()), ["team", "base"]);

    for (paths, named, code) in [
        (vec![&base, &plain, &team], &plain, "unnamed_layer"),
        (vec![&base, &team, &base], &base, "duplicate_layer"),
        (vec![&base; 17], &base, "layer_count"),
    ] {
        let error = load_policy(paths).unwrap_err();
        assert_eq!(error.path(), named);
        assert!(error.to_string().starts_with(&format!("{}: ", named.display())), "{error}");
        let LoadError::Stack(error) = error else { panic!("{error}") };
        assert_eq!(error.stack_error().code(), code);
    }
    let none = load_policy(Vec::<&str>::new()).unwrap_err();
    assert_eq!(none.to_string(), "a stack has 1 to 16 policies, not 0");
}
