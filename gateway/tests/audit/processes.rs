//! Logs of processes that are killed, and whose disk is full.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use callgate_gateway::audit::{Log, Options, verify};

use crate::{call, folder, records};

const FILE: &str = "CALLGATE_TEST_LOG";

/// A command that runs one of the processes below, after some words of the shell.
fn process(name: &str, before: &str, file: &Path) -> Command {
    let mut command = Command::new("sh");
    let program = std::env::current_exe().unwrap();
    let run = format!("{before} exec \"$0\" --exact --ignored --nocapture processes::{name}");
    command.args(["-c", &run]).arg(program).env(FILE, file);
    command
}

fn file() -> PathBuf {
    std::env::var_os(FILE).unwrap().into()
}

#[test]
#[ignore = "a process that another test kills"]
fn writes_without_end() {
    let log = Log::open(Options::new(file(), "a")).unwrap();
    for request in 0.. {
        log.record(call(request));
        if request % 1_000 == 999 {
            println!("recorded {}", request + 1);
        }
    }
}

#[test]
fn a_process_that_is_killed_loses_at_most_what_waits() {
    let file = folder("killed").join("a.jsonl");
    let mut child = process("writes_without_end", "", &file).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let counts =
        lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("recorded ")?.parse::<usize>().ok());
    let recorded = { counts }.find(|count| *count >= 20_000).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    // A write that is killed ends where a page of the file does: the last line may be half of one.
    let text = fs::read_to_string(&file).unwrap();
    let (whole, _) = text.rsplit_once('\n').unwrap();
    let records: Vec<serde_json::Value> =
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(records.len() + 1_024 >= recorded, "{} of {recorded}", records.len());
    for (at, record) in records.iter().enumerate() {
        assert_eq!(record["request"], at.to_string());
    }
}

/// Under `ulimit -f`, which refuses bytes behind a file's end as a full disk does: after the first part of a write.
#[test]
#[ignore = "a process whose files another test limits"]
fn fills_its_disk() {
    let file = file();
    let log = Log::open(Options::new(&file, "a").required(true).chain(true).rotate_at(u64::MAX)).unwrap();
    let mut recorded = 0;
    while log.ready().is_ok() {
        assert!(recorded < 10_000, "nothing limits the file");
        log.record(call(recorded));
        recorded += 1;
        let _ = log.flush();
    }
    let why = log.ready().unwrap_err().to_string();
    assert!(why.contains("File too large"), "{why}");
    // More than are kept.
    for _ in 0..1_500 {
        log.record(call(recorded));
        recorded += 1;
    }
    assert!(log.flush().is_err() && log.ready().is_err());
    let lost = log.lost();
    assert_eq!(lost, 1_500 - 1_023);
    // The disk has room again.
    fs::copy(&file, file.with_extension("full")).unwrap();
    File::options().write(true).open(&file).unwrap().set_len(0).unwrap();
    log.flush().unwrap();
    log.ready().unwrap();
    log.record(call(recorded));
    log.close().unwrap();
    assert_eq!(log.lost(), lost);
}

#[test]
fn a_full_disk_leaves_whole_lines_and_says_what_is_lost() {
    let file = folder("full").join("a.jsonl");
    // In blocks of 512 bytes or of 1,024, as the shell has it. What is ignored stays so in the program that is run.
    let output = process("fills_its_disk", "trap '' XFSZ; ulimit -f 2048;", &file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(said.matches("audit records cannot be written").count(), 1, "{said}");
    let before = file.with_extension("full");
    let all = [records(&before), records(&file)].concat();
    for (at, record) in all.iter().enumerate() {
        assert_eq!(record["seq"], at + 1);
    }
    let gaps: Vec<_> = all.iter().filter(|record| record["kind"] == "gap").collect();
    assert!(matches!(gaps[..], [gap] if gap["lost"] == 1_500 - 1_023), "{gaps:?}");
    // The chain is one, over the failure, too.
    fs::write(&file, [fs::read(&before).unwrap(), fs::read(&file).unwrap()].concat()).unwrap();
    assert!(verify(&file).unwrap().is_whole());
}
