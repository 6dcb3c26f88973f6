//! Many watchers of one process: one thread watches, and a callback that hangs holds up no other.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "tests fail by panicking, also in what they share")]

use std::fs;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, SystemTime};

use callgate::{Call, Engine, Policy};
use callgate_host::{PolicyWatcher, WatchOptions, load_policy};

#[path = "files/scratch.rs"]
mod scratch;

use scratch::Scratch;

const PATIENCE: Duration = Duration::from_secs(60);
const ENGINES: usize = 50;

fn policy(tool: &str) -> String {
    format!("{{version: '1', default: deny, tools: {{{tool}: {{}}}}}}")
}

fn allows(engine: &Engine, tool: &str) -> bool {
    engine.policy().evaluate(&Call::without_args(tool)).decided().unwrap().allowed()
}

/// Puts a file in place of another. An old one: what was just written is read again at every poll, for three seconds.
fn put(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::File::options().append(true).open(&new).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    fs::rename(new, path).unwrap();
}

fn watch(
    engine: &Arc<Engine>,
    path: &Path,
    on_change: impl FnMut(Result<Policy, callgate_host::LoadError>) + Send + 'static,
) -> PolicyWatcher {
    let (in_force, replaced) = (engine.clone(), engine.clone());
    let options = WatchOptions::new()
        .with_interval(Duration::from_millis(5))
        .with_in_force(move || in_force.policy())
        .with_replace(move |policy| replaced.replace(policy));
    PolicyWatcher::start(path, options, on_change).unwrap()
}

/// Threads of this process with a name. One that has just begun has that of the thread that began it.
fn threads(name: &str) -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    tasks
        .filter(|task| {
            // A thread may end while they are listed.
            let name_of = task.as_ref().map(|task| fs::read_to_string(task.path().join("comm")));
            name_of.is_ok_and(|found| found.is_ok_and(|found| found.trim_end() == name))
        })
        .count()
}

fn until(is_so: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "it never came");
        thread::yield_now();
    }
}

/// One test: threads are counted in the whole process.
#[test]
fn one_thread_watches_for_all_and_no_callback_holds_up_another() {
    let scratch = Scratch::new("watch-threads");
    let paths: Vec<_> =
        (0..ENGINES).map(|engine| scratch.write(&format!("{engine}.yaml"), &policy("old"))).collect();
    let engines: Vec<_> =
        paths.iter().map(|path| Arc::new(Engine::new(load_policy(path).unwrap()))).collect();

    // Started at once on many threads; the first one's callback hangs until it is let go.
    let ((let_go, hanging), (begins, begun)) = (mpsc::channel::<()>(), mpsc::channel());
    let mut hanging: Option<(Sender<()>, Receiver<()>)> = Some((begins, hanging));
    let (send, heard) = mpsc::channel();
    let at_once = Barrier::new(ENGINES);
    let mut watchers: Vec<_> = thread::scope(|scope| {
        let starts: Vec<_> = engines
            .iter()
            .zip(&paths)
            .enumerate()
            .map(|(number, (engine, path))| {
                let (send, hanging, at_once) = (send.clone(), hanging.take(), &at_once);
                scope.spawn(move || {
                    at_once.wait();
                    watch(engine, path, move |change| {
                        change.unwrap();
                        if let Some((begins, hanging)) = &hanging {
                            let _ = begins.send(());
                            let _ = hanging.recv();
                        }
                        let _ = send.send(number);
                    })
                })
            })
            .collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    // Those of starts that another was quicker than end by themselves.
    until(|| threads("callgate-watch") == 1);

    for tool in ["new", "newer"] {
        paths.iter().for_each(|path| put(path, &policy(tool)));
        let mut others: Vec<_> = (1..ENGINES).map(|_| heard.recv_timeout(PATIENCE).unwrap()).collect();
        others.sort_unstable();
        assert!(others.into_iter().eq(1..ENGINES), "all but the one that hangs, once");
        until(|| allows(&engines[0], tool));
        assert!(engines.iter().all(|engine| allows(engine, tool)));
        until(|| threads("callgate-watch") == 1);
    }

    // What it missed is told afterwards. Its drop waits for its callback.
    begun.recv_timeout(PATIENCE).unwrap();
    let_go.send(()).unwrap();
    assert_eq!(heard.recv_timeout(PATIENCE), Ok(0));
    begun.recv_timeout(PATIENCE).unwrap();
    let first = watchers.remove(0);
    thread::scope(|scope| {
        scope.spawn(|| let_go.send(()).unwrap());
        drop(first);
    });
    assert_eq!(heard.try_recv(), Ok(0), "told before the drop returned");
    put(&paths[0], &policy("unwatched"));

    drop(watchers);
    until(|| threads("callgate-watch") + threads("callgate-reload") == 0);
    assert!(allows(&engines[0], "newer"));
    assert!(engines.iter().all(|engine| Arc::strong_count(engine) == 1), "nobody holds them any more");

    // The next watcher has a thread again.
    let _again = watch(&engines[0], &paths[0], |_| ());
    until(|| allows(&engines[0], "unwatched"));
    until(|| threads("callgate-watch") == 1);
}
