//! The watcher, on real files. Everything waits for a message; nothing sleeps.

use std::fs;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callgate::{Call, Engine, Policy};
use callgate_host::{LoadError, PolicyWatcher, WatchOptions, load_policy, watch_engine};

use crate::scratch::Scratch;

/// Longer than any machine needs.
const PATIENCE: Duration = Duration::from_secs(60);

fn policy(tool: &str) -> String {
    format!("version: \"1\"\ndefault: deny\ntools: {{{tool}: {{}}}}\n")
}

fn allows(policy: &Policy, tool: &str) -> bool {
    policy.evaluate(&Call::without_args(tool)).decided().unwrap().allowed()
}

fn quick() -> WatchOptions {
    WatchOptions::new().with_interval(Duration::from_millis(5))
}

fn start(
    path: &std::path::Path,
    options: WatchOptions,
) -> (PolicyWatcher, Receiver<Result<Policy, LoadError>>) {
    let (send, changes) = mpsc::channel();
    let watcher = PolicyWatcher::start(path, options, move |change| {
        let _ = send.send(change);
    });
    (watcher.unwrap(), changes)
}

#[test]
fn reports_each_new_text_once_good_or_bad() {
    let scratch = Scratch::new("watch-each");
    let path = scratch.write("p.yaml", &policy("first"));
    let (_watcher, changes) = start(&path, quick());

    // Written in place, with the same length.
    fs::write(&path, policy("other")).unwrap();
    assert!(allows(&changes.recv_timeout(PATIENCE).unwrap().unwrap(), "other"), "the first text was known");

    fs::write(&path, "defualt: deny\n").unwrap();
    let error = changes.recv_timeout(PATIENCE).unwrap().unwrap_err();
    assert!(error.to_string().contains("p.yaml:1:1: error[unknown_field]"), "{error}");

    // Back to what it was before the error: the host learns that all is well.
    fs::write(&path, policy("other")).unwrap();
    assert!(allows(&changes.recv_timeout(PATIENCE).unwrap().unwrap(), "other"));

    fs::write(&path, b"\xff").unwrap();
    assert!(matches!(changes.recv_timeout(PATIENCE).unwrap(), Err(LoadError::Read(_))));

    fs::write(&path, policy("last")).unwrap();
    assert!(allows(&changes.recv_timeout(PATIENCE).unwrap().unwrap(), "last"), "nothing came twice");
}

#[test]
fn survives_absence_emptiness_and_replacement() {
    let scratch = Scratch::new("watch-replace");
    let path = scratch.write("p.yaml", &policy("first"));
    let (_watcher, changes) = start(&path, quick());

    // Gone, blank, then another by renaming: the only news is the other.
    fs::remove_file(&path).unwrap();
    fs::write(&path, "").unwrap();
    fs::write(&path, "\n").unwrap();
    let beside = scratch.write("p.yaml.new", &policy("second"));
    fs::rename(beside, &path).unwrap();
    assert!(allows(&changes.recv_timeout(PATIENCE).unwrap().unwrap(), "second"));

    // As editors do: the old one moves away, a new one appears.
    fs::rename(&path, scratch.path("p.yaml~")).unwrap();
    fs::write(&path, policy("third")).unwrap();
    assert!(allows(&changes.recv_timeout(PATIENCE).unwrap().unwrap(), "third"));
}

#[test]
fn a_file_that_appears_later_is_a_change() {
    let scratch = Scratch::new("watch-later");
    let path = scratch.path("p.yaml");
    let (_watcher, changes) = start(&path, quick());
    fs::write(&path, policy("here")).unwrap();
    assert!(allows(&changes.recv_timeout(PATIENCE).unwrap().unwrap(), "here"));
}

#[test]
fn what_changed_before_the_start_is_a_change_for_a_host_that_says_what_it_has() {
    let scratch = Scratch::new("watch-known");
    let path = scratch.write("p.yaml", &policy("old"));
    let known = load_policy(&path).unwrap();
    fs::write(&path, policy("new")).unwrap();
    let (_watcher, changes) = start(&path, quick().with_known(known));
    assert!(allows(&changes.recv_timeout(PATIENCE).unwrap().unwrap(), "new"));

    // What it has already is none.
    let known = load_policy(&path).unwrap();
    let (_watcher, changes) = start(&path, quick().with_known(known));
    fs::write(&path, policy("newer")).unwrap();
    assert!(allows(&changes.recv_timeout(PATIENCE).unwrap().unwrap(), "newer"));
}

#[test]
fn an_engine_keeps_the_old_policy_until_there_is_a_good_one() {
    let scratch = Scratch::new("watch-engine");
    let path = scratch.write("p.yaml", &policy("old"));
    let engine = Arc::new(Engine::new(load_policy(&path).unwrap()));
    fs::write(&path, "default: perhaps\n").unwrap();
    let (send, reloads) = mpsc::channel();
    let _watcher = watch_engine(engine.clone(), &path, move |reload| {
        let _ = send.send(reload);
    });
    let error = reloads.recv_timeout(PATIENCE).unwrap().unwrap_err();
    assert!(error.to_string().contains("invalid_default"), "{error}");
    assert!(allows(&engine.policy(), "old"), "trap 32: one whole policy, always");

    // It is in force when it is reported, and its warnings refuse nothing.
    fs::write(&path, "version: '1'\ndefault: deny\ntools: {new: {}, New: {}}\n").unwrap();
    let reloaded = reloads.recv_timeout(PATIENCE).unwrap().unwrap();
    assert!(allows(&engine.policy(), "new"));
    assert_eq!(engine.policy().digest(), reloaded.digest());
    assert_eq!(reloaded.warnings().len(), 2, "confusable names");

    // What the host puts in force itself is what the next text is compared with.
    engine.replace("version: '1'\ntools: {own: {}}\n".parse().unwrap());
    fs::write(&path, "version: '1'\ntools: {open: {}}\n").unwrap();
    assert!(reloads.recv_timeout(PATIENCE).unwrap().is_ok(), "no default, as in the host's own");
}

#[test]
fn stops_at_once_and_calls_nobody_afterwards() {
    let scratch = Scratch::new("watch-stop");
    let path = scratch.write("p.yaml", &policy("first"));
    // With an interval of a day, only a prompt stop ends this test.
    let (watcher, changes) = start(&path, WatchOptions::new().with_interval(Duration::from_secs(86_400)));
    drop(watcher);
    fs::write(&path, policy("second")).unwrap();
    assert!(changes.recv().is_err(), "the callback is gone with the watcher");
}

#[test]
fn a_callback_may_panic_or_drop_its_watcher() {
    let scratch = Scratch::new("watch-callback");
    let path = scratch.write("p.yaml", &policy("first"));
    let (send, changes) = mpsc::channel();
    let held: Arc<Mutex<Option<PolicyWatcher>>> = Arc::default();
    let own = held.clone();
    let mut calls = 0;
    let watcher = PolicyWatcher::start(&path, quick(), move |_| {
        calls += 1;
        let _ = send.send(calls);
        if calls == 1 {
            panic!("the first call fails (this message is part of the test)");
        }
        let _ = own.lock().unwrap().take();
    });
    *held.lock().unwrap() = Some(watcher.unwrap());
    fs::write(&path, policy("second")).unwrap();
    assert_eq!(changes.recv_timeout(PATIENCE), Ok(1));
    fs::write(&path, policy("third")).unwrap();
    assert_eq!(changes.recv_timeout(PATIENCE), Ok(2), "watching goes on after a panic");
    assert!(changes.recv_timeout(PATIENCE).is_err(), "the thread ended and dropped the callback");
}

#[test]
#[cfg(unix)]
fn a_pipe_is_not_read() {
    let scratch = Scratch::new("watch-pipe");
    let (pipe, path) = (scratch.path("pipe"), scratch.write("p.yaml", &policy("first")));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // Opened, it would wait for a writer that never comes, and hold up the other.
    let (_pipe, _never) = start(&pipe, quick());
    let (_watcher, changes) = start(&path, quick());
    fs::write(&path, policy("second")).unwrap();
    assert!(allows(&changes.recv_timeout(PATIENCE).unwrap().unwrap(), "second"));
}

#[test]
fn a_watched_stack_outlives_a_bad_file_until_it_is_mended() {
    let scratch = Scratch::new("watch-stack");
    let named = |name: &str, tool: &str| policy(tool).replace("default", &format!("name: {name}\ndefault"));
    let base = scratch.write("base.yaml", &named("base", "old"));
    let team = scratch.write("team.yaml", &named("team", "'?*'"));
    let engine = Arc::new(Engine::new(load_policy([&base, &team]).unwrap()));
    let (send, reloads) = mpsc::channel();
    let options = quick().with_in_force({
        let engine = engine.clone();
        move || engine.policy()
    });
    let replaced = engine.clone();
    let options = options.with_replace(move |policy| replaced.replace(policy));
    let _watcher = PolicyWatcher::start([&base, &team], options, move |reload| {
        let _ = send.send(reload);
    })
    .unwrap();
    fs::write(&team, "version: '1'\nname: team\ndefault: perhaps\n").unwrap();
    let error = reloads.recv_timeout(PATIENCE).unwrap().unwrap_err();
    assert_eq!(error.path(), team);
    assert!(allows(&engine.policy(), "old"), "the whole stack stays");
    fs::write(&base, named("base", "new")).unwrap();
    assert_eq!(reloads.recv_timeout(PATIENCE).unwrap().unwrap_err().path(), team, "still the same file");
    assert!(allows(&engine.policy(), "old"));
    fs::write(&team, named("team", "'n*'")).unwrap();
    assert!(reloads.recv_timeout(PATIENCE).unwrap().is_ok());
    assert!(allows(&engine.policy(), "new") && !allows(&engine.policy(), "old"));
    assert_eq!(engine.policy().digest(), load_policy([&base, &team]).unwrap().digest());
}
