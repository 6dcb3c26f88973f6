//! What a network and a server can do: every call has its decision in time, and service resumes by itself.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use callgate::store::{Batch, Store as _};
use callgate::time::Timestamp;
use callgate::{Code, StoreError};
use callgate_redis::{RedisOptions, RedisStore};

use crate::calls::{TIMEOUT, call, engine, recovers, store};
use crate::proxy::Proxy;
use crate::server::Server;

fn refused(options: &RedisOptions) -> StoreError {
    RedisStore::open(options).expect_err("the store opened")
}

#[test]
fn a_server_that_restarts_denies_for_as_long_as_it_is_gone() {
    let mut server = Server::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let engine = engine(store(&server.options()), 2);
    assert_eq!(call(&engine), Code::Allowed);
    server.kill();
    for _ in 0..3 {
        assert_eq!(call(&engine), Code::StoreUnavailable);
    }
    server.resume_service();
    // What was charged is still there.
    assert_eq!([recovers(&engine), call(&engine)], [Code::Allowed, Code::LimitExceeded]);
}

#[test]
fn a_frozen_server_denies_within_the_timeout() {
    let server = Server::start();
    let engine = engine(store(&server.options()), 1_000);
    assert_eq!(call(&engine), Code::Allowed);
    server.signal("STOP");
    for _ in 0..3 {
        assert_eq!(call(&engine), Code::StoreUnavailable);
    }
    server.signal("CONT");
    assert_eq!(recovers(&engine), Code::Allowed);
}

/// As by Ctrl-Z and `fg`, a debugger, or a machine that is saved and goes on elsewhere.
#[test]
fn a_process_that_is_stopped_and_goes_on_has_its_answer() {
    const STOPPED: &str = "sleep 0.2; kill -STOP $PPID; sleep 0.1; kill -CONT $PPID";
    let server = Server::start();
    let engine = engine(store(&server.options().with_timeout(Duration::from_secs(30))), 1_000);
    assert_eq!(call(&engine), Code::Allowed);
    server.signal("STOP");
    std::thread::scope(|threads| {
        let waits = threads.spawn(|| call(&engine));
        assert!(Command::new("sh").args(["-c", STOPPED]).status().unwrap().success());
        server.signal("CONT");
        assert_eq!(waits.join().unwrap(), Code::Allowed);
    });
    assert_eq!(server.counted(), "2");
}

/// Whether the charge was made is not known, so the call is denied and the charge is not made again.
#[test]
fn a_reply_that_is_cut_off_denies_and_is_not_asked_for_again() {
    let server = Server::start();
    let proxy = Proxy::to(server.port());
    let engine = engine(store(&RedisOptions::from_url(&proxy.url()).unwrap()), 1_000);
    // The server knows all scripts.
    assert_eq!([call(&engine), call(&engine)], [Code::Allowed; 2]);
    // The shortest reply is ten bytes.
    for cut in 1..10 {
        proxy.cut_after(cut);
        assert_eq!(call(&engine), Code::StoreUnavailable, "after {cut} bytes");
        proxy.pass();
        assert_eq!(call(&engine), Code::Allowed);
    }
    // 11 that passed and 9 whose replies were lost: each was charged once.
    assert_eq!(server.counted(), "20");
}

/// A time-out is for the whole call, not for each read: on a connection that is there, and on one that has to be made.
#[test]
fn a_server_that_answers_byte_by_byte_denies_within_the_timeout() {
    let server = Server::start();
    let proxy = Proxy::to(server.port());
    let options = RedisOptions::from_url(&proxy.url()).unwrap();
    let warm = engine(store(&options), 1_000);
    assert_eq!([call(&warm), call(&warm)], [Code::Allowed; 2]);
    let pace = TIMEOUT * 3 / 4;
    proxy.drip(pace);
    // The first one has a connection, the second one makes one: by then, the first is given up.
    for engine in [&warm, &warm, &engine(store(&options), 1_000)] {
        assert_eq!(call(engine), Code::StoreUnavailable);
    }
    proxy.pass();
    assert_eq!(recovers(&warm), Code::Allowed);
}

/// A server that takes no more connections does not keep who asks for one over its socket's path.
#[test]
fn a_socket_that_takes_no_connections_denies_within_the_timeout() {
    let server = Server::start();
    let path = server.directory().join("deaf");
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let connect = || {
        let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket.connect(&socket2::SockAddr::unix(&path).unwrap()).map(|()| socket)
    };
    let mut waiting = Vec::new();
    while let Ok(socket) = connect() {
        waiting.push(socket);
    }
    let options = RedisOptions::from_url(&format!("unix://{}", path.display())).unwrap();
    assert_eq!(call(&engine(store(&options), 9)), Code::StoreUnavailable);
}

/// A release whose reply was lost has happened, and happens once.
#[test]
fn a_release_is_not_sent_again() {
    let server = Server::start();
    let proxy = Proxy::to(server.port());
    let engine = engine(store(&RedisOptions::from_url(&proxy.url()).unwrap()), 9);
    let decisions: Vec<_> = (0..3).map(|_| engine.decide(&callgate::Call::without_args("t"))).collect();
    let mut reservations = decisions.iter().map(|decision| decision.take_reservation().unwrap());
    // The first one loads the script.
    engine.finish(&mut reservations.next().unwrap(), callgate::Outcome::NotRun).unwrap();
    proxy.cut_after(2);
    let lost = engine.finish(&mut reservations.next().unwrap(), callgate::Outcome::NotRun);
    assert!(matches!(&lost, Err(callgate::SettleError::Store(error)) if error.is_transient()), "{lost:?}");
    proxy.pass();
    assert_eq!(server.counted(), "1");
}

#[test]
fn a_full_server_denies_and_charges_nothing() {
    let server = Server::with(&["--save", "", "--maxmemory-policy", "noeviction"]);
    let engine = engine(store(&server.options()), 3);
    assert_eq!(call(&engine), Code::Allowed);
    server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    for _ in 0..3 {
        assert_eq!(call(&engine), Code::StoreUnavailable);
    }
    server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(
        [call(&engine), call(&engine), call(&engine)],
        [Code::Allowed, Code::Allowed, Code::LimitExceeded]
    );
}

/// What is given back needs no memory. The documented rule of a script's first write, on every version that is supported.
#[test]
fn a_full_server_takes_charges_back() {
    let server = Server::with(&["--save", "", "--maxmemory-policy", "noeviction"]);
    let store = store(&server.options());
    for algorithm in ["fixed", "sliding"] {
        let policy = format!(
            "version: \"1\"\ndefault: deny\ntools: {{t: {{limits: [\
             {{counter: c, window: day, max: 4.5, algorithm: {algorithm}, increment: 1.5}}]}}}}"
        );
        let policy = callgate::Policy::from_yaml(&policy).unwrap();
        let engine = callgate::Engine::builder(policy).store(store.clone()).build();
        let mut reservations = Vec::new();
        for _ in 0..2 {
            reservations.extend(engine.decide(&callgate::Call::without_args("t")).take_reservation());
        }
        assert_eq!(reservations.len(), 2);
        server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
        assert_eq!(call(&engine), Code::StoreUnavailable);
        // The first one leaves something in the counter, the second one does not.
        for mut reservation in reservations {
            engine.finish(&mut reservation, callgate::Outcome::NotRun).unwrap();
        }
        server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
        let codes: Vec<_> = (0..4).map(|_| call(&engine)).collect();
        assert_eq!(codes, [Code::Allowed, Code::Allowed, Code::Allowed, Code::LimitExceeded]);
    }
}

/// What certainly did not happen may be tried again, what may have happened may not.
#[test]
fn a_release_that_was_not_sent_can_be_repeated() {
    let mut server = Server::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let engine = engine(store(&server.options()), 9);
    let decisions: Vec<_> = (0..3).map(|_| engine.decide(&callgate::Call::without_args("t"))).collect();
    let mut reservations: Vec<_> =
        decisions.iter().map(|decision| decision.take_reservation().unwrap()).collect();
    server.signal("STOP");
    assert!(engine.finish(&mut reservations[0], callgate::Outcome::NotRun).is_err());
    assert!(!reservations[0].is_open(), "the server may have read it");
    server.signal("CONT");
    assert_eq!(recovers(&engine), Code::Allowed);
    server.kill();
    // The connection of before is given up: there is none to send anything on.
    assert_eq!(call(&engine), Code::StoreUnavailable);
    for _ in 0..2 {
        assert!(engine.finish(&mut reservations[1], callgate::Outcome::NotRun).is_err());
        assert!(reservations[1].is_open(), "there was nobody to read it");
    }
    server.resume_service();
    engine.finish(&mut reservations[1], callgate::Outcome::NotRun).unwrap();
    assert!(matches!(
        engine.finish(&mut reservations[1], callgate::Outcome::NotRun),
        Err(callgate::SettleError::Finished)
    ));
    let counted: u32 = server.counted().parse().unwrap();
    // Three and one were charged; the first release may have happened.
    assert!((2..=3).contains(&counted), "{counted}");
}

/// What cannot be read is passed over and told of, and hides nothing else.
#[test]
fn what_cannot_be_read_hides_no_other_counter() {
    let server = Server::start();
    let store = store(&server.options());
    let policy = "version: \"1\"\ndefault: deny\ntools: {\
                  good: {limits: [{counter: a, window: day, max: 9}, {counter: b, window: 60, max: 9, algorithm: sliding}]}, \
                  bad: {limits: [{counter: c, window: day, max: 9}, {counter: d, window: 60, max: 9, algorithm: sliding}]}}";
    let engine = callgate::Engine::builder(callgate::Policy::from_yaml(policy).unwrap()).store(store.clone());
    let engine = engine.build();
    let keys = || -> Vec<String> { server.ask(&["KEYS", "*:2:[fs]:*"]).lines().map(str::to_owned).collect() };
    assert!(engine.decide(&callgate::Call::without_args("good")).allowed());
    let good = keys();
    assert!(engine.decide(&callgate::Call::without_args("bad")).allowed());
    let bad: Vec<String> = keys().into_iter().filter(|key| !good.contains(key)).collect();
    let list = || {
        let mut held = Vec::new();
        let listed =
            callgate::store::Inspect::each(&*store, Timestamp::MIN, &mut |counter| held.push(counter));
        (held, listed.map_err(|error| error.to_string()))
    };
    assert_eq!(list().0.len(), 4);
    // Text, another type, a sorted set of something else, a counter without a declaration, a key that names none.
    for key in &bad {
        server.ask(&["SET", key, "hello"]);
    }
    server.ask(&["RPUSH", "{callgate}:2:f:list", "x"]);
    server.ask(&["ZADD", "{callgate}:2:s:set", "1", "x"]);
    server.ask(&["SET", "{callgate}:2:f:short", "5000000"]);
    server.ask(&["SET", "{callgate}:2:f:00000000000000000000000000000000:0:", "5000000"]);
    let (held, listed) = list();
    assert_eq!(held.len(), 2);
    assert!(
        listed.as_ref().unwrap_err().starts_with("5 keys of this namespace cannot be read"),
        "{listed:?}"
    );
    for counter in held {
        assert!(
            callgate::store::Inspect::reset(&*store, counter.counter.id(), &counter.scope, Timestamp::MIN)
                .unwrap()
        );
    }
    assert_eq!(list().0.len(), 0);
}

#[test]
fn a_server_that_forgets_its_scripts_is_told_again() {
    let server = Server::start();
    let engine = engine(store(&server.options()), 100);
    for _ in 0..3 {
        assert_eq!(call(&engine), Code::Allowed);
        server.ask(&["SCRIPT", "FLUSH"]);
    }
}

#[test]
fn a_server_that_evicts_is_refused() {
    for policy in ["allkeys-lru", "volatile-ttl"] {
        let server = Server::with(&["--save", "", "--maxmemory", "100mb", "--maxmemory-policy", policy]);
        let error = refused(&server.options());
        assert!(!error.is_transient());
        assert!(error.to_string().contains("noeviction"), "{error}");
        // A store that is opened all the same denies.
        assert_eq!(call(&engine(store(&server.options()), 9)), Code::StoreUnavailable);
    }
    let server = Server::with(&["--save", "", "--maxmemory", "100mb", "--maxmemory-policy", "noeviction"]);
    drop(server.open());
}

/// Trap 34.
#[test]
fn a_wrong_password_is_refused_and_not_repeated() {
    let server = Server::with(&["--save", "", "--requirepass", "open sesame"]);
    let at = |credentials: &str| {
        RedisOptions::from_url(&format!("redis://{credentials}127.0.0.1:{}", server.port())).unwrap()
    };
    for credentials in ["", ":hunter2@", "alice:hunter2@"] {
        let error = refused(&at(credentials));
        assert!(!error.is_transient());
        let shown = format!("{error} {error:?}");
        for secret in ["hunter2", "alice", "127.0.0.1"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
    assert!(RedisStore::open(&at(":open%20sesame@")).is_ok());
}

#[test]
fn a_server_that_is_not_there_says_what_to_do() {
    let options =
        RedisOptions::from_url(&format!("redis://127.0.0.1:{}", crate::server::free_port())).unwrap();
    let error = refused(&options);
    assert!(error.is_transient());
    assert!(error.to_string().contains("start it"), "{error}");
}

/// The user that the README tells of can do everything, on the keys of its namespace and nowhere else.
#[test]
fn the_documented_permissions_are_enough() {
    let server = Server::start();
    let permissions = crate::readme::permissions();
    let user: Vec<&str> = permissions.split_whitespace().collect();
    assert_eq!(server.ask(&user), "OK");
    let url = format!("redis://callgate:secret@127.0.0.1:{}", server.port());
    let options = RedisOptions::from_url(&url).unwrap().with_namespace("prod");
    let ours = Arc::new(RedisStore::open(&options).unwrap());
    let engine = engine(ours.clone(), 2);
    let first = engine.decide(&callgate::Call::without_args("t"));
    engine.finish(&mut first.take_reservation().unwrap(), callgate::Outcome::NotRun).unwrap();
    assert_eq!(call(&engine), Code::Allowed);
    // Enough for the short way, too, which gives way to the long one without saying so.
    server.ask(&["CONFIG", "RESETSTAT"]);
    assert_eq!(call(&engine), Code::Allowed);
    assert_eq!(call(&engine), Code::LimitExceeded);
    assert!(!server.ask(&["INFO", "commandstats"]).contains("cmdstat_set:"));
    let approved = Batch { approval: Some("ticket".into()), asks: true, ..Batch::default() };
    ours.reserve(&approved, Timestamp::MIN).unwrap();
    ours.purge(Timestamp::MIN).unwrap();
    let mut held = Vec::new();
    callgate::store::Inspect::each(&*ours, Timestamp::MIN, &mut |counter| held.push(counter)).unwrap();
    assert_eq!(held.len(), 1);
    assert!(
        callgate::store::Inspect::reset(&*ours, held[0].counter.id(), &held[0].scope, Timestamp::MIN)
            .unwrap()
    );
    let error = refused(&options.with_namespace("other"));
    assert!(!error.is_transient() && error.to_string().contains("README"), "{error}");
}

/// A script stops at a command that it may not run, and what it did before stays: so no call may begin it.
#[test]
fn a_missing_permission_is_found_before_anything_is_charged() {
    let server = Server::start();
    let all = crate::readme::permissions();
    let options =
        RedisOptions::from_url(&format!("redis://callgate:secret@127.0.0.1:{}", server.port())).unwrap();
    let options = options.with_namespace("prod");
    let set_user = |permissions: &str| {
        assert_eq!(server.ask(&permissions.split_whitespace().collect::<Vec<_>>()), "OK");
    };
    let needed = all.split_whitespace().filter_map(|word| word.strip_prefix('+'));
    // What only lists and resets, and what only a cluster is asked.
    for command in needed.filter(|command| !["type", "scan", "asking"].contains(command)) {
        set_user(&format!("{all} -{command}"));
        let error = refused(&options);
        assert!(!error.is_transient() && error.to_string().contains("README"), "{command}: {error}");
        if !["evalsha", "script|load", "info"].contains(&command) {
            assert!(error.to_string().contains(&format!("({})", command.to_uppercase())), "{error}");
        }
    }
    // A part of the namespace is not enough, either.
    set_user(&all.replace("~{prod}:*", "resetkeys ~{prod}:2:[adf]*"));
    assert!(refused(&options).to_string().contains("README"));
    set_user(&format!("{all} -type -scan resetkeys ~{{prod}}:2:*"));
    assert!(RedisStore::open(&options).is_ok());
    assert_eq!(server.ask(&["DBSIZE"]), "0");
}

/// A permission that is withdrawn while calls are made denies them from the first one that meets it on.
#[test]
fn a_permission_that_is_withdrawn_denies() {
    let server = Server::start();
    let all = crate::readme::permissions();
    assert_eq!(server.ask(&all.split_whitespace().collect::<Vec<_>>()), "OK");
    let url = format!("redis://callgate:secret@127.0.0.1:{}", server.port());
    let options = RedisOptions::from_url(&url).unwrap().with_namespace("prod");
    let engine = engine(store(&options), 9);
    assert_eq!([call(&engine), call(&engine)], [Code::Allowed; 2]);
    server.ask(&["ACL", "SETUSER", "callgate", "-incrby", "-set"]);
    assert_eq!([call(&engine), call(&engine)], [Code::StoreUnavailable; 2]);
    server.ask(&["ACL", "SETUSER", "callgate", "+incrby", "+set"]);
    assert_eq!(call(&engine), Code::Allowed);
    let keys = server.ask(&["KEYS", "*:f:*"]);
    assert_eq!(server.ask(&["GET", &keys]), "3000000");
}

/// Trap 28, for connections that are there already.
#[test]
fn a_server_that_is_made_to_evict_is_noticed_by_busy_connections() {
    let server = Server::with(&["--save", "", "--maxmemory", "100mb", "--maxmemory-policy", "noeviction"]);
    let engine = engine(store(&server.options()), 1_000_000);
    let denied = || {
        let patience = Instant::now();
        while call(&engine) != Code::StoreUnavailable {
            assert!(patience.elapsed() < Duration::from_secs(25), "it goes on charging");
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    assert_eq!(call(&engine), Code::Allowed);
    server.ask(&["CONFIG", "SET", "maxmemory-policy", "volatile-ttl"]);
    denied();
    assert_eq!(call(&engine), Code::StoreUnavailable);
    server.ask(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    assert_eq!(call(&engine), Code::Allowed);
}

#[test]
fn many_threads_are_answered_while_the_server_comes_and_goes() {
    let mut server = Server::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let engine = engine(store(&server.options()), 200);
    let allowed: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let mut allowed = 0;
                    loop {
                        match recovers(&engine) {
                            Code::Allowed => allowed += 1,
                            _ => return allowed,
                        }
                        std::thread::sleep(TIMEOUT / 100);
                    }
                })
            })
            .collect();
        for _ in 0..3 {
            std::thread::sleep(TIMEOUT / 20);
            server.kill();
            server.resume_service();
        }
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    // Never more than the limit. A charge whose reply was lost stands, and there is one for each thread and kill at most.
    assert!((200 - 8 * 3..=200).contains(&allowed), "{allowed}");
    assert_eq!(server.counted(), "200");
}
