//! Where records lie, who may read them, and that none is lost.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use callgate_gateway::audit::{Log, Options, verify};

use crate::{call, folder, records};

#[test]
fn records_lie_in_a_private_file_in_order() {
    let folder = folder("private");
    let log = Log::open(Options::in_directory(&folder.join("audit"), "git/hub")).unwrap();
    let file = log.file().unwrap().to_owned();
    assert_eq!(file, folder.join("audit/git%2fhub.jsonl"));
    for request in 0..5_000 {
        log.record(call(request));
    }
    log.clone().close().unwrap();
    let records = records(&file);
    assert_eq!(records.len(), 5_000);
    for (at, record) in records.iter().enumerate() {
        assert_eq!((&record["seq"], &record["request"]), (&(at + 1).into(), &at.to_string().into()));
    }
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(&folder.join("audit")), 0o700);
}

#[test]
fn gateways_of_one_server_write_to_files_of_their_own() {
    let folder = folder("slots");
    let open = || Log::open(Options::in_directory(&folder, "a").chain(true)).unwrap();
    let name = |log: &Log| log.file().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    let (one, two, three) = (open(), open(), open());
    assert_eq!([&one, &two, &three].map(name), ["a.jsonl", "a.2.jsonl", "a.3.jsonl"]);
    for log in [&one, &two, &three] {
        log.record(call(1));
        log.flush().unwrap();
    }
    // What is free is taken again.
    drop(two);
    let four = open();
    assert_eq!(name(&four), "a.2.jsonl");
    four.record(call(2));
    four.close().unwrap();
    assert_eq!(records(four.file().unwrap()).len(), 2);
    assert!(verify(four.file().unwrap()).unwrap().is_whole());
}

#[test]
fn old_files_are_put_aside_and_few_are_kept() {
    let folder = folder("rotate");
    for (keep, expected) in
        [(2, &["a.jsonl", "a.jsonl.1", "a.jsonl.2", "a.jsonl.lock"][..]), (0, &["a.jsonl", "a.jsonl.lock"])]
    {
        let _ = fs::remove_dir_all(&folder);
        let log = Log::open(Options::in_directory(&folder, "a").rotate_at(1_500).keep(keep)).unwrap();
        for request in 0..20 {
            log.record(call(request));
        }
        log.close().unwrap();
        let mut names: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, expected);
        // The newest are kept, and none is in two files.
        let mut seqs = Vec::new();
        for name in names.iter().filter(|name| !name.ends_with("lock")).rev() {
            assert!(fs::metadata(folder.join(name)).unwrap().len() <= 1_500);
            seqs.extend(records(&folder.join(name)).iter().map(|record| record["seq"].as_u64().unwrap()));
        }
        seqs.sort();
        assert_eq!(seqs.last(), Some(&20));
        assert!(seqs.windows(2).all(|pair| matches!(pair, [one, two] if one + 1 == *two)), "{seqs:?}");
    }
}

/// A record that is longer than a file may become has a file of its own.
#[test]
fn a_long_record_does_not_rotate_without_end() {
    let folder = folder("rotate-long");
    let log = Log::open(Options::in_directory(&folder, "a").rotate_at(1).keep(9)).unwrap();
    for request in 0..3 {
        log.record(call(request));
    }
    log.close().unwrap();
    for name in ["a.jsonl", "a.jsonl.1", "a.jsonl.2"] {
        assert_eq!(records(&folder.join(name)).len(), 1);
    }
    assert!(!folder.join("a.jsonl.3").exists());
}

/// What a power cut leaves: the next gateway begins a line of its own.
#[test]
fn a_line_that_was_cut_off_stays_one_line() {
    let folder = folder("torn");
    let write = || {
        let log = Log::open(Options::in_directory(&folder, "a").chain(true)).unwrap();
        log.record(call(1));
        log.close().unwrap();
        log.file().unwrap().to_owned()
    };
    let file = write();
    write();
    let whole = fs::read_to_string(&file).unwrap();
    fs::write(&file, whole.get(..whole.len() - 9).unwrap()).unwrap();
    write();
    let text = fs::read_to_string(&file).unwrap();
    let seqs: Vec<_> = text
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .map(|record| record["seq"].as_u64().unwrap())
        .collect();
    // The head names the second record, which was cut: the next is the third.
    assert_eq!((text.lines().count(), seqs), (3, vec![1, 3]));
    assert!(!verify(&file).unwrap().is_whole());
}

/// Trap 44, what a process leaves that is killed while it writes: the head does not name it yet, so it was no record.
#[test]
fn a_line_that_was_never_written_whole_is_taken_away() {
    let folder = folder("unnamed");
    let write = || {
        let log = Log::open(Options::in_directory(&folder, "a").chain(true)).unwrap();
        log.record(call(1));
        log.close().unwrap();
        log.file().unwrap().to_owned()
    };
    let file = write();
    let whole = fs::read_to_string(&file).unwrap();
    let half: String = whole.chars().take(whole.len() / 2).collect();
    fs::write(&file, whole + &half).unwrap();
    assert!(!verify(&file).unwrap().is_whole());
    write();
    assert_eq!(records(&file).len(), 2);
    assert!(verify(&file).unwrap().is_whole());
}

#[test]
fn many_threads_lose_nothing() {
    let log = Log::open(Options::new(folder("threads").join("a.jsonl"), "a").chain(true)).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let log = log.clone();
            scope.spawn(move || (0..2_500).for_each(|at| log.record(call(thread * 2_500 + at))));
        }
    });
    log.close().unwrap();
    let file = log.file().unwrap();
    let mut requests: Vec<u64> =
        records(file).iter().map(|record| record["request"].as_str().unwrap().parse().unwrap()).collect();
    requests.sort();
    assert!(requests.into_iter().eq(0..20_000));
    assert!(verify(file).unwrap().is_whole());
    // What comes later is counted.
    log.record(call(1));
    assert_eq!(log.lost(), 1);
}

#[test]
fn a_full_device_is_said_where_records_are_required() {
    let full = std::path::Path::new("/dev/full");
    if !full.exists() {
        return;
    }
    for required in [true, false] {
        let log = Log::open(Options::new(full, "a").required(required).chain(true)).unwrap();
        assert_eq!(log.ready(), Ok(()));
        log.record(call(1));
        let why = log.flush().unwrap_err().to_string();
        assert!(why.contains("No space left on device"), "{why}");
        assert_eq!(log.ready().is_err(), required);
        assert!(log.close().is_err());
        assert_eq!(log.lost(), 1);
    }
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error_where_records_are_required() {
    let folder = folder("unopened");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("file"), "").unwrap();
    let options = || Options::new(folder.join("file/a.jsonl"), "a");
    assert!(Log::open(options().required(true)).is_err());
    let log = Log::open(options()).unwrap();
    log.record(call(1));
    assert!(log.flush().is_err() && log.ready().is_ok());
    // It is tried again.
    fs::remove_file(folder.join("file")).unwrap();
    log.flush().unwrap();
    assert_eq!(records(log.file().unwrap()).len(), 1);
    log.close().unwrap();
    let off = Log::off();
    off.record(call(1));
    assert!(off.close().is_ok() && off.file().is_none() && off.args(Some("{\"a\":1}")).keys.is_none());
}

/// Records are worth more than the size of a file.
#[test]
fn where_files_cannot_be_put_aside_records_go_on() {
    let folder = folder("rotate-failing");
    fs::create_dir_all(folder.join("a.jsonl.1/full")).unwrap();
    let log = Log::open(Options::in_directory(&folder, "a").rotate_at(1_500).keep(1)).unwrap();
    for request in 0..20 {
        log.record(call(request));
    }
    log.close().unwrap();
    let written =
        ["a.jsonl.0", "a.jsonl"].map(|name| folder.join(name)).into_iter().filter(|file| file.exists());
    assert_eq!(written.map(|file| records(&file).len()).sum::<usize>(), 20);
    assert_eq!(log.lost(), 0);
}

/// As programs that rotate logs do, and people who tidy up.
#[test]
fn a_file_that_was_moved_or_removed_is_begun_anew() {
    let folder = folder("moved");
    let log = Log::open(Options::in_directory(&folder, "a").chain(true)).unwrap();
    let file = log.file().unwrap();
    log.record(call(0));
    log.record(call(1));
    log.flush().unwrap();
    fs::rename(file, folder.join("elsewhere")).unwrap();
    log.record(call(2));
    log.flush().unwrap();
    assert_eq!((records(&folder.join("elsewhere")).len(), records(file).len()), (2, 1));
    assert!(verify(file).unwrap().is_whole());
    fs::remove_file(file).unwrap();
    log.record(call(3));
    log.close().unwrap();
    assert_eq!(records(file)[0]["seq"], 4);
}

#[test]
fn a_head_that_cannot_be_written_costs_no_record() {
    let folder = folder("no-head");
    let log = Log::open(Options::in_directory(&folder, "a").chain(true).required(true)).unwrap();
    fs::create_dir(folder.join("a.jsonl.head")).unwrap();
    for request in 0..3 {
        log.record(call(request));
        log.flush().unwrap();
    }
    log.close().unwrap();
    let seqs: Vec<_> =
        records(log.file().unwrap()).iter().map(|record| record["seq"].as_u64().unwrap()).collect();
    assert_eq!((seqs, log.lost()), (vec![1, 2, 3], 0));
}

/// Systems bound the length of a file's name. Two names that begin alike are two files all the same.
#[test]
fn a_server_of_any_name_has_a_file() {
    let folder = folder("names");
    let names = ["é".repeat(60), format!("{}a", "é".repeat(60)), "x".repeat(10_000), "/".repeat(255)];
    let files: Vec<_> = names
        .iter()
        .map(|name| {
            let log = Log::open(Options::in_directory(&folder, name).required(true)).unwrap();
            log.close().unwrap();
            log.file().unwrap().to_owned()
        })
        .collect();
    assert!(files.iter().all(|file| file.parent() == Some(&*folder) && file.exists()), "{files:?}");
    assert_eq!(files.iter().collect::<std::collections::BTreeSet<_>>().len(), names.len());
}
