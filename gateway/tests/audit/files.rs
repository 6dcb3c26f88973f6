//! Where records lie, who may read them, and that none is lost.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use callgate_gateway::audit::{Log, Options};

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
