//! The contract of every store.

use std::path::PathBuf;
use std::time::Duration;

use callgate_redis::{RedisOptions, RedisStore};
use callgate_store_contract::{
    Counters, Subject, TimeKept, check, check_approvals, check_namespaces, check_processes,
};

use crate::server::Server;

/// Stores of one server, which take the time that they are given.
struct Redis {
    socket: PathBuf,
}

impl Subject for Redis {
    fn open(&self, name: &str) -> Box<dyn Counters> {
        let url = format!("unix://{}", self.socket.display());
        let options = RedisOptions::from_url(&url).unwrap().with_namespace(name).with_callers_time();
        // What the contract says holds on a machine that is slow, too.
        let options = options.with_timeout(Duration::from_secs(30));
        Box::new(RedisStore::open(&options).unwrap())
    }

    fn time_kept(&self) -> TimeKept {
        TimeKept::Store
    }
}

#[test]
fn it_keeps_the_contract() {
    let server = Server::start();
    check(&Redis { socket: server.directory().join("socket") });
}

#[test]
fn namespaces_over_one_pool_are_apart() {
    let server = Server::start();
    let store = RedisStore::open(&server.options().with_callers_time()).unwrap();
    check_namespaces(&|name| Box::new(store.namespaced(name).unwrap()));
}

#[test]
fn calls_that_wait_for_approval_are_filed() {
    let server = Server::start();
    let store = RedisStore::open(&server.options().with_callers_time()).unwrap();
    check_approvals(&|name| Box::new(store.namespaced(name).unwrap()));
}

/// The processes that the contract starts find the server by the process that started them.
#[test]
fn processes_share_the_counters() {
    let place = |process: u32| std::env::temp_dir().join(format!("callgate-redis-shared-{process}"));
    let shared = place(std::os::unix::process::parent_id());
    if std::fs::exists(&shared).unwrap() {
        let socket = PathBuf::from(std::fs::read_to_string(&shared).unwrap());
        return check_processes(&Redis { socket }, "contract::processes_share_the_counters");
    }
    let server = Server::start();
    let socket = server.directory().join("socket");
    let own = place(std::process::id());
    std::fs::write(&own, socket.to_str().unwrap()).unwrap();
    check_processes(&Redis { socket }, "contract::processes_share_the_counters");
    std::fs::remove_file(own).unwrap();
}
