//! A cluster of three masters with a replica each: the counters live on one, and go on when it dies.

use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use callgate::Code;
use callgate::store::AsyncStore as _;
use callgate::time::Timestamp;
use callgate_redis::{AsyncRedisStore, RedisOptions, RedisStore};

use crate::async_calls::runtime;
use crate::calls::{call, engine, recovers, store};
use crate::server::{Server, ask};

/// Masters, and as many replicas.
const MASTERS: usize = 3;

struct Cluster(Vec<Server>);

impl Cluster {
    fn start() -> Self {
        let arguments = [
            "--save",
            "",
            "--cluster-enabled",
            "yes",
            "--cluster-node-timeout",
            "500",
            "--cluster-replica-validity-factor",
            "0",
        ];
        let cluster = Self((0..2 * MASTERS).map(|_| Server::with(&arguments)).collect());
        let nodes = cluster.0.iter().map(|node| format!("127.0.0.1:{}", node.port()));
        let mut command = std::process::Command::new("redis-cli");
        command.args(["--cluster", "create"]).args(nodes);
        command.args(["--cluster-replicas", "1", "--cluster-yes"]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        until("the cluster is ready", || {
            cluster.0.iter().all(|node| node.ask(&["CLUSTER", "INFO"]).contains("cluster_state:ok"))
        });
        until("every master has its replica", || {
            let masters =
                cluster.0.iter().filter(|node| node.ask(&["INFO", "replication"]).contains("role:master"));
            masters.filter(|node| node.ask(&["INFO", "replication"]).contains("state=online")).count()
                == MASTERS
        });
        cluster
    }

    fn options(&self, nodes: &[usize]) -> RedisOptions {
        let hosts: Vec<_> = nodes.iter().map(|node| format!("127.0.0.1:{}", self.0[*node].port())).collect();
        RedisOptions::from_url(&format!("redis+cluster://{}", hosts.join(","))).unwrap()
    }

    /// The master that has the keys of the namespace `callgate`.
    fn master(&self) -> usize {
        let slot = self.0[0].ask(&["CLUSTER", "KEYSLOT", "{callgate}"]);
        let has = |node: &Server| node.ask(&["CLUSTER", "COUNTKEYSINSLOT", &slot]) != "0";
        let is_master = |node: &Server| node.ask(&["INFO", "replication"]).contains("role:master");
        self.0.iter().position(|node| has(node) && is_master(node)).unwrap()
    }
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let patience = Instant::now();
    while !holds() {
        assert!(patience.elapsed() < Duration::from_secs(30), "waited in vain until {what}");
        sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_counters_are_found_from_any_node_and_survive_a_failover() {
    let mut cluster = Cluster::start();
    let all: Vec<usize> = (0..2 * MASTERS).collect();
    namespaces_on_several_nodes_keep_their_connections(&cluster);
    // Each knows another node, a replica among them.
    for node in &all {
        assert_eq!(call(&engine(store(&cluster.options(&[*node])), 100)), Code::Allowed);
    }
    let engine = engine(store(&cluster.options(&all)), 10);
    for _ in 0..3 {
        assert_eq!(call(&engine), Code::Allowed);
    }
    let master = cluster.master();
    // What was acknowledged has to be on the replica, or the failover may lose it.
    assert_eq!(cluster.0[master].ask(&["WAIT", "1", "5000"]), "1");
    cluster.0[master].kill();
    assert_eq!(call(&engine), Code::StoreUnavailable);
    // Six by the others, three before the failover: one is left.
    assert_eq!([recovers(&engine), call(&engine)], [Code::Allowed, Code::LimitExceeded]);
}

/// Each namespace is on one master. One that is elsewhere must not cost the others their connection.
fn namespaces_on_several_nodes_keep_their_connections(cluster: &Cluster) {
    // All three masters have some of them.
    let names: Vec<String> = (0..12).map(|n| format!("tenant-{n}")).collect();
    let made = || -> usize {
        let told = |node: &Server| node.ask(&["INFO", "stats"]);
        let number = |text: String| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix("total_connections_received:").map(str::to_owned));
            line.unwrap().trim().parse::<usize>().unwrap()
        };
        cluster.0.iter().map(|node| number(told(node))).sum()
    };
    let options = cluster.options(&[0]);
    let blocking = RedisStore::open(&options).unwrap();
    let engines: Vec<_> =
        names.iter().map(|name| engine(Arc::new(blocking.namespaced(name).unwrap()), 100)).collect();
    let runtime = runtime();
    let unblocking = AsyncRedisStore::lazy(&options).unwrap();
    let others: Vec<_> = names.iter().map(|name| unblocking.namespaced(name).unwrap()).collect();
    let round = || {
        for (engine, other) in engines.iter().zip(&others) {
            assert_eq!(call(engine), Code::Allowed);
            runtime.block_on(other.purge(Timestamp::MIN)).unwrap();
        }
    };
    round();
    let before = made();
    for _ in 0..5 {
        round();
    }
    let asking = 2 * MASTERS;
    // Replicas and masters have connections among themselves, which come and go; each question of this test is one, too.
    let after = made();
    assert!(after - before <= 2 * asking, "{} connections for calls that had some", after - before);
}

#[test]
fn the_counters_are_found_while_and_after_their_slot_moves() {
    let cluster = Cluster::start();
    let engine = engine(store(&cluster.options(&[0])), 3);
    assert_eq!(call(&engine), Code::Allowed);
    let from = cluster.master();
    let to = (0..2 * MASTERS)
        .find(|node| *node != from && cluster.0[*node].ask(&["INFO", "replication"]).contains("role:master"))
        .unwrap();
    let slot = cluster.0[from].ask(&["CLUSTER", "KEYSLOT", "{callgate}"]);
    let (from_port, to_port) = (cluster.0[from].port(), cluster.0[to].port());
    let id = |port| ask(port, &["CLUSTER", "MYID"]);
    let (from_id, to_id) = (id(from_port), id(to_port));
    ask(to_port, &["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id]);
    ask(from_port, &["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id]);
    let keys = ask(from_port, &["CLUSTER", "GETKEYSINSLOT", &slot, "100"]);
    for key in keys.lines() {
        assert_eq!(ask(from_port, &["MIGRATE", "127.0.0.1", &to_port.to_string(), key, "0", "5000"]), "OK");
    }
    // All keys are there already, and the slot is still here.
    assert_eq!(call(&engine), Code::Allowed);
    for port in [to_port, from_port] {
        assert_eq!(ask(port, &["CLUSTER", "SETSLOT", &slot, "NODE", &to_id]), "OK");
    }
    assert_eq!([call(&engine), call(&engine)], [Code::Allowed, Code::LimitExceeded]);
}
