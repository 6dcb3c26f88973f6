//! Many namespaces of one open file: what they share, what a file that was replaced means to them, and closing.

use std::fs;
#[cfg(target_os = "linux")]
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use callgate::Amount;
use callgate::store::{Algorithm, AsyncStore as _, Inspect as _, Store};
use callgate_sqlite::SqliteStore;

use crate::async_calls::block_on;
use crate::charges::{at, charge, counter, is_taken, slot, used};
use crate::scratch::{Scratch, open, options};

/// How many descriptors of this process lead to a file or to one beside it.
#[cfg(target_os = "linux")]
fn opened(path: &Path) -> usize {
    let descriptors = fs::read_dir("/proc/self/fd").unwrap();
    let links = descriptors.filter_map(|descriptor| fs::read_link(descriptor.unwrap().path()).ok());
    let path = path.to_str().unwrap();
    links.filter(|link| link.to_string_lossy().starts_with(path)).count()
}

#[test]
#[cfg(target_os = "linux")]
fn fifty_tenants_have_one_open_file() {
    let scratch = Scratch::new("tenants");
    let (file, counter) = (scratch.path("counters.db"), counter("c", Algorithm::Fixed));
    let store = open(&file);
    assert!(is_taken(&charge(&store, &counter, "a", 9, 0).unwrap()));
    let alone = opened(&file);
    assert!(alone > 0);
    let tenants: Vec<_> = (0..50).map(|n| store.namespaced(&format!("tenant {n}"))).collect();
    let start = Barrier::new(4);
    thread::scope(|scope| {
        for part in 0..4 {
            let (tenants, counter, start) = (&tenants, &counter, &start);
            scope.spawn(move || {
                start.wait();
                for tenant in tenants.iter().skip(part).step_by(4) {
                    for n in 1..4 {
                        let outcome = charge(tenant, counter, "a", 9, 0).unwrap();
                        assert_eq!(outcome.usage[0].used, Amount::from_whole(n).unwrap());
                    }
                    let batch = [slot(counter, "a", 9)].into_iter().collect();
                    let batch = callgate::store::Batch { slots: batch, ..Default::default() };
                    let outcome = block_on(tenant.nonblocking().reserve(&batch, at(0))).unwrap();
                    assert_eq!(outcome.usage[0].used, Amount::from_whole(4).unwrap());
                }
            });
        }
    });
    assert_eq!(opened(&file), alone, "a tenant opened the file again");
    assert_eq!(used(&store, &counter, "a", 0), 1);
}

#[test]
fn counters_are_known_by_file_and_namespace() {
    let scratch = Scratch::new("identities");
    let store = open(scratch.path("counters.db"));
    let id = |store: &SqliteStore| Store::id(store);
    assert_eq!(id(&store), id(&store.namespaced("callgate")), "the name that a store has by itself");
    assert_eq!(id(&store.namespaced("a")), id(&store.namespaced("b").namespaced("a")));
    assert_ne!(id(&store.namespaced("a")), id(&store.namespaced("b")));
    assert_eq!(
        id(&store.namespaced("a")),
        callgate::store::AsyncStore::id(&store.namespaced("a").nonblocking())
    );
    let again = SqliteStore::open(scratch.path("counters.db"), &options().with_namespace("a")).unwrap();
    assert_eq!(id(&store.namespaced("a")), id(&again));
}

/// The numbers of namespaces are those of one file. In the next they may belong to others.
#[test]
fn namespaces_are_found_again_in_a_file_that_took_the_place() {
    let scratch = Scratch::new("replaced-namespaces");
    let (file, counter) = (scratch.path("counters.db"), counter("c", Algorithm::Fixed));
    let store = open(&file);
    let [one, other] = ["one", "other"].map(|name| store.namespaced(name));
    for (tenant, calls) in [(&one, 1), (&other, 2)] {
        for _ in 0..calls {
            charge(tenant, &counter, "a", 9, 0).unwrap();
        }
    }
    let beside = scratch.path("beside.db");
    {
        // Numbered the other way round.
        let next = open(&beside);
        for (name, calls) in [("other", 5), ("one", 4)] {
            for _ in 0..calls {
                charge(&next.namespaced(name), &counter, "a", 9, 0).unwrap();
            }
        }
    }
    fs::rename(&beside, &file).unwrap();
    // Longer than the open file goes unchecked.
    thread::sleep(std::time::Duration::from_millis(20));
    assert_eq!([&one, &other].map(|tenant| used(tenant, &counter, "a", 0)), [4, 5]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_store_that_is_closed_has_no_file_open_and_does_nothing() {
    let scratch = Scratch::new("closed");
    let (file, counter) = (scratch.path("counters.db"), counter("c", Algorithm::Fixed));
    let store = open(&file);
    let tenant = store.namespaced("tenant");
    let unblocking = tenant.nonblocking();
    assert!(is_taken(&charge(&tenant, &counter, "a", 9, 0).unwrap()));
    store.close();
    assert_eq!(opened(&file), 0);
    for _ in 0..2 {
        let errors = [
            charge(&store, &counter, "a", 9, 0).unwrap_err(),
            charge(&tenant, &counter, "a", 9, 0).unwrap_err(),
            tenant.purge(at(0)).unwrap_err(),
            tenant.each(at(0), &mut |_| ()).unwrap_err(),
            block_on(unblocking.purge(at(0))).unwrap_err(),
            charge(&store.namespaced("another"), &counter, "a", 9, 0).unwrap_err(),
        ];
        for error in errors {
            assert!(error.is_certainly_undone() && !error.is_transient(), "{error}");
            assert!(error.to_string().contains("closed"), "{error}");
        }
        store.close();
    }
    assert_eq!(opened(&file), 0);
    assert_eq!(used(&open(&file).namespaced("tenant"), &counter, "a", 0), 1);
}

/// Each call is answered or refused, and none is lost, whenever the store is closed.
#[test]
fn calls_that_meet_the_closing_are_answered() {
    let scratch = Scratch::new("closing");
    let (file, counter) = (scratch.path("counters.db"), counter("c", Algorithm::Fixed));
    let mut charged = 0;
    for _ in 0..20 {
        let (store, start) = (open(&file), Barrier::new(5));
        charged += thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    let (store, counter, start) = (store.namespaced("busy"), &counter, &start);
                    scope.spawn(move || {
                        start.wait();
                        let mut charged = 0;
                        loop {
                            match charge(&store, counter, "a", 1_000_000, 0) {
                                Ok(outcome) => {
                                    assert!(is_taken(&outcome));
                                    charged += 1;
                                }
                                Err(error) => {
                                    assert!(error.is_certainly_undone(), "{error}");
                                    return charged;
                                }
                            }
                        }
                    })
                })
                .collect();
            start.wait();
            while used(&open(&file).namespaced("busy"), &counter, "a", 0) <= charged {
                thread::yield_now();
            }
            store.close();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<i64>()
        });
        #[cfg(target_os = "linux")]
        assert_eq!(opened(&file), 0);
    }
    assert_eq!(used(&open(&file).namespaced("busy"), &counter, "a", 0), charged);
}
