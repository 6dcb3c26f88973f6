//! URLs: what opens, what does not, and what errors say.

#[cfg(feature = "redis")]
use callgate::OnStoreError;

use super::*;

fn error(url: &str) -> OpenError {
    match open_store(url, &StoreOptions::new()) {
        Ok(_) => panic!("{url} opened"),
        Err(error) => error,
    }
}

#[test]
fn memory_counts() {
    let store = open_store("memory", &StoreOptions::new()).unwrap().blocking();
    let policy = callgate::Policy::from_yaml(
        "version: \"1\"\ndefault: deny\ntools: {t: {limits: [{counter: c, window: day, max: 1}]}}",
    );
    let engine = callgate::Engine::builder(policy.unwrap()).store(store).build();
    let call = callgate::Call::without_args("t");
    assert!(engine.decide(&call).allowed());
    assert!(!engine.decide(&call).allowed());
}

#[test]
#[cfg(feature = "sqlite")]
fn sqlite_is_shared_by_all_who_open_the_file() {
    let directory = std::env::temp_dir().join(format!("callgate-open-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let url = |query: &str| format!("SQLite://{}{query}", directory.join("counters.db").display());
    let policy = || {
        callgate::Policy::from_yaml(
            "version: \"1\"\ndefault: deny\ntools: {t: {limits: [{counter: c, window: month, max: 2}]}}",
        )
        .unwrap()
    };
    let options = StoreOptions::new();
    for (query, expected) in
        [("", true), ("?durability=power", true), ("?durability=process", false), ("", false)]
    {
        let store = open_store(&url(query), &options).unwrap().blocking();
        let engine = callgate::Engine::builder(policy()).store(store).build();
        assert_eq!(engine.decide(&callgate::Call::without_args("t")).allowed(), expected);
    }
    let other = open_store(&url(""), &StoreOptions::new().with_namespace("other")).unwrap().blocking();
    let engine = callgate::Engine::builder(policy()).store(other).build();
    assert!(engine.decide(&callgate::Call::without_args("t")).allowed(), "another namespace");
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
#[cfg(feature = "redis")]
fn a_server_that_is_down_is_told_from_a_url_that_is_wrong() {
    // A port that was free a moment ago, below those that the system gives to clients.
    let port =
        (20_000..30_000).find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap();
    for url in [format!("redis://127.0.0.1:{port}"), format!("redis+cluster://127.0.0.1:{port}")] {
        let OpenError::Failed(failed) = error(&url) else { panic!("{url}") };
        assert!(failed.is_transient(), "{failed}");
        // Where calls pass without a store, an engine begins without it, too.
        let lenient = StoreOptions::new().with_on_error(OnStoreError::Allow);
        let policy = callgate::Policy::from_yaml(
            "version: \"1\"\ndefault: deny\ntools: {t: {limits: [{counter: c, window: day, max: 1}]}}",
        );
        let store = open_store(&url, &lenient).unwrap().blocking();
        let engine = callgate::Engine::builder(policy.unwrap())
            .store(store)
            .on_store_error(lenient.on_error())
            .build();
        let decision = engine.decide(&callgate::Call::without_args("t"));
        assert_eq!((decision.allowed(), decision.code()), (true, callgate::Code::StoreUnavailable));
    }
    for on_error in [OnStoreError::Deny, OnStoreError::Allow] {
        let opened = open_store("redis://localhost:port", &StoreOptions::new().with_on_error(on_error));
        assert!(matches!(opened, Err(OpenError::Malformed(_))));
    }
}

#[test]
#[cfg(not(feature = "redis"))]
fn what_this_build_leaves_out_is_named() {
    for (url, scheme) in [
        ("redis://localhost:6379", "redis"),
        ("REDISS://localhost", "rediss"),
        ("redis+cluster://a:1,b:2", "redis+cluster"),
        ("unix:///run/redis.sock", "unix"),
    ] {
        let OpenError::Missing(missing) = error(url) else { panic!("{url}") };
        assert_eq!(missing.scheme(), scheme);
        assert!(missing.to_string().contains(&format!("`{scheme}://`")), "{missing}");
    }
}

#[test]
fn anything_else_is_refused_with_the_known_forms() {
    for url in [
        "",
        "Memory",
        "memory ",
        "postgres://x",
        "redis:localhost",
        "localhost:6379",
        "://",
        "sqlite:counters.db",
        "sqlite://",
        "sqlite://:memory:",
        "sqlite://counters.db?durability=Power",
        "sqlite://counters.db?synchronous=full",
    ] {
        let error = error(url);
        // Without files, nobody asks what a file's URL says.
        if cfg!(not(feature = "sqlite")) && url.starts_with("sqlite://") {
            assert!(matches!(error, OpenError::Missing(_)), "{url}");
            continue;
        }
        assert!(matches!(error, OpenError::Unknown(_)), "{url}");
        for form in ["memory", "sqlite://", "redis://", "rediss://", "redis+cluster://", "unix://"] {
            assert!(error.to_string().contains(form), "{error}");
        }
    }
}

/// Trap 34.
#[test]
fn no_error_repeats_a_password_or_a_user() {
    for url in [
        "redis://alice:hunter2@db.internal:6379/0",
        "rediss://:hunter2@db.internal",
        "redis+cluster://alice:hunter2@a:1,b:2",
        "sqlite:///alice/hunter2/internal.db",
        "sqlite://alice?hunter2=internal",
        "postgres://alice:hunter2@db.internal",
        "alice:hunter2@db.internal",
        "hunter2://alice@db.internal",
        "redis:/alice:hunter2@db.internal",
    ] {
        let error = error(url);
        let shown = format!("{error} {error:?} {:?}", std::error::Error::source(&error));
        for secret in ["alice", "hunter2", "internal"] {
            assert!(!shown.contains(secret), "{url} gave {shown}");
        }
    }
}
