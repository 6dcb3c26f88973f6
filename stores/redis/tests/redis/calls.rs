//! The words in which the tests are written: an engine with one limit, and its calls.

use std::sync::Arc;
use std::time::{Duration, Instant};

use callgate::store::Store;
use callgate::{Call, Code, Engine, Policy};
use callgate_redis::{RedisOptions, RedisStore};

/// The time-out of stores in these tests. Real servers answer in far less.
pub(crate) const TIMEOUT: Duration = Duration::from_millis(400);
/// What a call may take beyond it on a busy machine.
const SLACK: Duration = Duration::from_millis(1_500);

/// A store with the server's clock, which need not be there yet.
pub(crate) fn store(options: &RedisOptions) -> Arc<RedisStore> {
    Arc::new(RedisStore::lazy(&options.clone().with_timeout(TIMEOUT)).unwrap())
}

/// An engine that lets `limit` calls of `t` through in a window of a year.
pub(crate) fn engine(store: Arc<dyn Store>, limit: u32) -> Engine {
    let policy = format!(
        "version: \"1\"\ndefault: deny\ntools: {{t: {{limits: [{{counter: c, window: 366d, max: {limit}}}]}}}}"
    );
    Engine::builder(Policy::from_yaml(&policy).unwrap()).store(store).build()
}

/// The code of one call, which has its decision in time.
pub(crate) fn call(engine: &Engine) -> Code {
    let begun = Instant::now();
    let code = engine.decide(&Call::without_args("t")).code();
    assert!(begun.elapsed() < TIMEOUT + SLACK, "a call waited {:?}", begun.elapsed());
    code
}

/// Calls until one is decided by its counters, which has to happen before long; that call's code.
pub(crate) fn recovers(engine: &Engine) -> Code {
    let patience = Instant::now();
    loop {
        let code = call(engine);
        if code != Code::StoreUnavailable {
            return code;
        }
        assert!(patience.elapsed() < Duration::from_secs(25), "the service does not resume");
        std::thread::sleep(Duration::from_millis(20));
    }
}
