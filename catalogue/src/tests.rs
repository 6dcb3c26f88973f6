//! The data is whole, and small.

use super::{PROFILES, server, servers};

/// Bytes that the catalogue may add to a program.
const MOST: usize = 500_000;

#[test]
fn every_server_has_its_files() {
    assert!(!servers().is_empty());
    assert!(servers().is_sorted_by_key(|server| server.name()));
    for one in servers() {
        let files = one.files().unwrap();
        let text = |name: &str| &files.iter().find(|file| file.name == name).unwrap().text;
        for profile in PROFILES {
            assert!(text(&format!("{profile}.yaml")).contains("default: deny"), "{}", one.name());
            // What `callgate init` replaces.
            let names =
                text(&format!("{profile}_test.yaml")).matches(&format!("\npolicy: {profile}.yaml\n")).count();
            assert_eq!(names, 1, "{}: {profile}", one.name());
        }
        assert!(text("tools.json").contains(one.package()));
        assert!(text("README.md").contains(one.version()), "{}", one.name());
        assert_eq!(server(one.name()).map(super::Server::name), Some(one.name()));
    }
    assert!(server("Filesystem").is_none());
}

#[test]
fn all_of_it_is_small() {
    let bytes: usize = servers().iter().map(|server| server.data.len()).sum();
    println!("{bytes} bytes of {} servers", servers().len());
    assert!(bytes < MOST, "{bytes}");
}
