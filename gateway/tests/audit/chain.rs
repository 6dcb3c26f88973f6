//! Chains: that a whole one is found whole, and that every change is found.

use std::fs;
use std::path::{Path, PathBuf};

use callgate_gateway::audit::{Event, Fault, Log, Options, Stop, Verified, VerifyError, verify};

use crate::{call, folder, records};

/// A log of so many calls, in files of at most so many bytes.
fn log_of(folder: &Path, calls: u64, rotate: u64) -> PathBuf {
    let options = Options::new(folder.join("a.jsonl"), "a").chain(true).rotate_at(rotate);
    let log = Log::open(options).unwrap();
    for request in 0..calls {
        log.record(call(request));
    }
    log.record(Event::Stop(Stop::default()));
    log.close().unwrap();
    log.file().unwrap().to_owned()
}

fn faults(found: &Verified) -> Vec<Fault> {
    found.faults.iter().map(|found| found.fault).collect()
}

#[test]
fn a_whole_chain_goes_over_files_and_restarts() {
    let folder = folder("chain-whole");
    let file = log_of(&folder, 20, 4_000);
    let first = verify(&file).unwrap();
    assert!(first.is_whole(), "{first:?}");
    assert_eq!((first.records, first.first), (21, Some(1)));
    assert!(first.files.len() > 3 && first.headless.is_empty());
    // It goes on where it ended.
    log_of(&folder, 5, 4_000);
    let second = verify(&file).unwrap();
    assert!(second.is_whole(), "{second:?}");
    assert_eq!((second.records, second.last.clone().unwrap().0), (27, 27));
    for older in &second.files {
        assert!(fs::metadata(older).unwrap().len() <= 4_000);
        // Each alone, too.
        assert!(verify(older).unwrap().is_whole());
    }
    // Old files that are no longer kept leave a shorter chain.
    fs::remove_file(second.files.first().unwrap()).unwrap();
    assert!(verify(&file).unwrap().is_whole());
    fs::remove_file(&second.files[2]).unwrap();
    assert_eq!(faults(&verify(&file).unwrap()), [Fault::OutOfOrder]);
}

#[test]
fn every_byte_that_is_edited_is_found() {
    let file = log_of(&folder("chain-edit"), 3, u64::MAX);
    let whole = fs::read(&file).unwrap();
    for at in 0..whole.len() {
        for bits in [1, 2, 0x20, 0x80] {
            let mut bytes = whole.clone();
            bytes[at] ^= bits;
            fs::write(&file, &bytes).unwrap();
            assert!(!verify(&file).unwrap().is_whole(), "byte {at} ^ {bits}");
        }
    }
    fs::write(&file, &whole).unwrap();
    assert!(verify(&file).unwrap().is_whole());
}

#[test]
fn lines_that_are_gone_moved_doubled_or_cut_are_found() {
    let file = log_of(&folder("chain-lines"), 5, u64::MAX);
    let whole = fs::read_to_string(&file).unwrap();
    let lines: Vec<_> = whole.split_inclusive('\n').collect();
    let check = |lines: &[&str], what: &str| {
        fs::write(&file, lines.concat()).unwrap();
        let found = verify(&file).unwrap();
        assert!(!found.is_whole(), "{what}");
        found
    };
    for at in 0..lines.len() {
        let mut fewer = lines.clone();
        fewer.remove(at);
        let found = check(&fewer, "removed");
        let last = lines.len() - 1;
        let expected = match at {
            0 => Fault::BeginMissing,
            _ if at == last => Fault::EndMissing,
            _ => Fault::OutOfOrder,
        };
        assert_eq!(faults(&found), [expected]);
    }
    for at in 1..lines.len() {
        let mut swapped = lines.clone();
        swapped.swap(at - 1, at);
        check(&swapped, "swapped");
        let mut doubled = lines.clone();
        doubled.insert(at, lines[at]);
        check(&doubled, "doubled");
    }
    for end in (0..whole.len()).filter(|end| *end > 0) {
        check(&[whole.get(..end).unwrap()], "cut");
    }
    check(&[], "emptied");
    check(&[&whole, "{}\n"], "added");
    check(&[&whole, "\n"], "an empty line added");
}

#[test]
fn without_a_chain_there_is_nothing_to_verify() {
    let folder = folder("chain-none");
    let path = folder.join("a.jsonl");
    let write = |chain: bool| {
        let log = Log::open(Options::new(&path, "a").chain(chain)).unwrap();
        log.record(call(1));
        log.close().unwrap();
    };
    write(false);
    assert!(matches!(verify(&path), Err(VerifyError::NoChain { .. })));
    assert!(matches!(verify(&folder.join("b.jsonl")), Err(VerifyError::Unreadable { .. })));
    // A file has a chain from its first record to its last, or none.
    write(true);
    write(true);
    let found = verify(&path).unwrap();
    assert!(found.is_whole(), "{found:?}");
    assert_eq!((found.files.len(), found.unchained.len(), records(&path).len()), (2, 1, 2));
    write(false);
    assert_eq!(records(&path).len(), 1);
    let found = verify(&path).unwrap();
    assert!(found.is_whole() && found.unchained.contains(&path), "{found:?}");
    write(true);
    assert!(verify(&path).unwrap().is_whole());
}

/// Whoever removes records while no gateway runs is found, also after the next one has gone on.
#[test]
fn what_was_removed_does_not_become_whole_again() {
    let path = folder("chain-removed");
    let lines = |file: &Path| {
        fs::read_to_string(file).unwrap().split_inclusive('\n').map(str::to_owned).collect::<Vec<_>>()
    };
    let removals: [fn(&mut Vec<String>); 4] = [
        |lines| drop(lines.pop()),
        |lines| drop(lines.remove(0)),
        |lines| lines.clear(),
        |lines| lines.truncate(2),
    ];
    for remove in removals {
        let _ = fs::remove_dir_all(&path);
        let file = log_of(&path, 4, u64::MAX);
        let mut left = lines(&file);
        remove(&mut left);
        fs::write(&file, left.concat()).unwrap();
        assert!(!verify(&file).unwrap().is_whole());
        log_of(&path, 4, u64::MAX);
        assert!(!verify(&file).unwrap().is_whole());
    }
}

/// A file that was put aside is known by its own head.
#[test]
fn an_old_file_alone_shows_what_is_missing() {
    let file = log_of(&folder("chain-old"), 20, 4_000);
    let old = PathBuf::from(format!("{}.2", file.display()));
    let text = fs::read_to_string(&old).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    for (text, fault) in [(rest, Fault::BeginMissing), (&*format!("{first}\n"), Fault::EndMissing)] {
        fs::write(&old, text).unwrap();
        assert_eq!(faults(&verify(&old).unwrap()), [fault]);
        assert!(!verify(&file).unwrap().is_whole());
    }
    // Without its head, one says that it is not known.
    fs::remove_file(format!("{}.head", old.display())).unwrap();
    let found = verify(&old).unwrap();
    assert!(found.is_whole() && found.headless == [old], "{found:?}");
}
