//! A disk that is full: every call gets an answer, and service resumes by itself when there is space.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use callgate::store::Algorithm;
use callgate::time::ManualClock;
use callgate::{Call, Code, Engine, Identity, Policy};

use crate::charges::{at, charge, counter, is_taken, used};
use crate::scratch::{Scratch, open};

/// A small file system of its own.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None where this user may not mount one.
    fn mount(path: &Path) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        let options = ["-t", "tmpfs", "-o", "size=1m", "tmpfs"];
        let is_mounted =
            Command::new("mount").args(options).arg(path).status().is_ok_and(|status| status.success());
        is_mounted.then(|| Self(path.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_denies_until_there_is_space() {
    let scratch = Scratch::new("full");
    let Some(disk) = SmallDisk::mount(&scratch.path("disk")) else {
        eprintln!("SKIPPED: only root may mount the small disk that this test fills");
        return;
    };
    let filler = disk.0.join("filler");
    fs::write(&filler, vec![0; 600 << 10]).unwrap();
    let (store, counter) = (Arc::new(open(disk.0.join("counters.db"))), counter("c", Algorithm::Fixed));
    let policy = "version: \"1\"\ndefault: deny\ntools: {t: {limits: [{counter: c, window: month, max: 1000, scope: identity}]}}";
    let engine = Engine::builder(Policy::from_yaml(policy).unwrap())
        .store(store.clone())
        .clock(Arc::new(ManualClock::new(at(0))))
        .build();
    // A row of the same size as the others, for each name.
    let decide = |who: &str| {
        let id = format!("{who:0>200}");
        engine.decide(&Call::without_args("t").identity(Identity::new(&id))).code()
    };
    assert_eq!(decide("first"), Code::Allowed);

    // Each scope value is a row more. What is closed after a failure gives space back, so it takes several.
    let (mut taken, mut failed_in_a_row) = (Vec::new(), 0);
    for n in 0..100_000 {
        let scope = format!("{n:0>200}");
        match charge(&*store, &counter, &scope, 1, 0) {
            Ok(outcome) => {
                assert!(is_taken(&outcome));
                taken.push(scope);
                failed_in_a_row = 0;
            }
            Err(error) => {
                assert!(error.is_transient() && error.to_string().contains("full"), "{error}");
                // What was asked may be asked again.
                assert!(error.is_certainly_undone(), "{error}");
                failed_in_a_row += 1;
            }
        }
        if failed_in_a_row == 20 {
            break;
        }
    }
    assert_eq!(failed_in_a_row, 20, "the disk never filled");
    // Its rows are elsewhere in the file, on pages that may have room for some.
    let mut denied_in_a_row = 0;
    for n in 0..100_000 {
        match decide(&n.to_string()) {
            Code::Allowed => denied_in_a_row = 0,
            code => {
                assert_eq!(code, Code::StoreUnavailable);
                denied_in_a_row += 1;
            }
        }
        if denied_in_a_row == 20 {
            break;
        }
    }
    assert_eq!(denied_in_a_row, 20, "the engine never denied");

    fs::remove_file(&filler).unwrap();
    assert_eq!(decide("second"), Code::Allowed);
    assert!(is_taken(&charge(&*store, &counter, "another", 1, 0).unwrap()));
    for scope in taken {
        assert_eq!(used(&*store, &counter, &scope, 0), 1, "a charge that was reported is lost");
    }
    drop((store, engine));
}
