//! A process that is told of forks. That a forked process counts on is tested where something forks: in Python's package.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use callgate::store::Algorithm;
use callgate_sqlite::{after_fork_in_parent, before_fork};

use crate::charges::{charge, counter, is_taken, used};
use crate::scratch::{Scratch, open};

/// The file is closed while the process forks, and no call is lost around it.
#[test]
fn calls_go_on_in_the_process_that_forks() {
    let scratch = Scratch::new("forking");
    let (file, counter) = (scratch.path("counters.db"), counter("c", Algorithm::Fixed));
    let (stores, is_over) = ([open(&file), open(&file)], AtomicBool::new(false));
    let charged = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|n| {
                let (store, counter, is_over) = (&stores[n % 2], &counter, &is_over);
                scope.spawn(move || {
                    let mut charged = 0;
                    while !is_over.load(Ordering::Relaxed) || charged == 0 {
                        assert!(is_taken(&charge(store, counter, "a", 1_000_000, 0).unwrap()));
                        charged += 1;
                    }
                    charged
                })
            })
            .collect();
        for _ in 0..100 {
            before_fork();
            assert!(!scratch.path("counters.db-wal").exists(), "a file is open");
            after_fork_in_parent();
        }
        is_over.store(true, Ordering::Relaxed);
        threads.into_iter().map(|thread| thread.join().unwrap()).sum::<i64>()
    });
    assert_eq!(used(&stores[0], &counter, "a", 0), charged);
}
