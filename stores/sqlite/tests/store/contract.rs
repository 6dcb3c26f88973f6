//! The store keeps the contract, in one process and in several.

use std::fs;
use std::path::PathBuf;

use callgate_store_contract::{Counters, Subject, TimeKept, check, check_processes};

use crate::scratch::{Scratch, open, root};

/// A file for each name, in one directory.
struct Files(PathBuf);

impl Subject for Files {
    fn open(&self, name: &str) -> Box<dyn Counters> {
        Box::new(open(self.0.join(name)))
    }

    fn time_kept(&self) -> TimeKept {
        TimeKept::EachCounter
    }
}

#[test]
fn the_store_keeps_the_contract() {
    let scratch = Scratch::new("contract");
    check(&Files(scratch.path("")));
}

#[test]
fn processes_share_a_file() {
    // Every process runs this, so they meet in a directory that all know.
    let directory = root().join("callgate-processes");
    fs::create_dir_all(&directory).unwrap();
    check_processes(&Files(directory.clone()), "contract::processes_share_a_file");
    // The names hold the number of the process that started the others.
    let own = format!("contract-{}-", std::process::id());
    for file in fs::read_dir(directory).unwrap() {
        let path = file.unwrap().path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&own)) {
            fs::remove_file(path).unwrap();
        }
    }
}
