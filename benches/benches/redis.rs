//! One call with counters in Redis against one run of the smallest script, both over a connection of the same kind to the same
//! server, in turns: `cargo bench -p callgate-benches --bench redis`. Needs `redis-server`, which it starts.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use callgate::{Call, Engine, Identity, Policy};
use callgate_benches::{Record, Role};
use callgate_redis::{RedisOptions, RedisStore};

/// Calls in one turn, and how often each kind has its turn.
const CALLS: u32 = 2_000;
const TURNS: usize = 25;

/// A server that listens on a socket in a directory of its own.
struct Server {
    process: Child,
    directory: std::path::PathBuf,
}

impl Server {
    fn start() -> Self {
        let directory = std::env::temp_dir().join(format!("callgate-bench-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("there is a directory for temporary files");
        let process = Command::new("redis-server")
            .current_dir(&directory)
            .args(["--port", "0", "--unixsocket", "socket", "--save", ""])
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        let server = Self { process, directory };
        while !server.directory.join("socket").exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        server
    }

    fn url(&self) -> String {
        format!("unix://{}/socket", self.directory.display())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// An engine for a tool with so many counters of one algorithm.
fn engine(server: &Server, algorithm: &str, counters: usize) -> Engine {
    let limits: String = (0..counters)
        .map(|n| {
            format!("{{counter: c{n}, window: hour, max: 10000, scope: identity, algorithm: {algorithm}}}, ")
        })
        .collect();
    let policy =
        Policy::from_yaml(&format!("version: 1\ndefault: deny\ntools: {{t: {{limits: [{limits}]}}}}"));
    let options = RedisOptions::from_url(&server.url()).expect("the URL is one");
    let options = options.with_namespace(format!("{algorithm}-{counters}"));
    let store = RedisStore::open(&options).expect("the server answers");
    Engine::builder(policy.expect("the policy loads")).store(Arc::new(store)).build()
}

fn main() {
    let server = Server::start();
    let client = redis::Client::open(server.url()).expect("the URL is one");
    let mut connection = client.get_connection().expect("the server answers");
    let script = redis::Script::new("return 1");
    let mut kinds: Vec<(String, Box<dyn FnMut()>)> = vec![(
        "smallest script".to_owned(),
        Box::new(move || {
            let one: i64 = script.invoke(&mut connection).expect("the server answers");
            assert_eq!(one, 1);
        }),
    )];
    // What a server's author would write: no maximum, no clock, and nothing that could be given back.
    let counts = redis::Script::new(
        "local sum = redis.call('INCRBY', KEYS[1], ARGV[1]) \
         if sum == tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return sum",
    );
    let mut connection = client.get_connection().expect("the server answers");
    kinds.push((
        "counting script".to_owned(),
        Box::new(move || {
            let mut call = counts.key("counter:alice");
            let sum: i64 = call.arg(1).arg(3_600_000).invoke(&mut connection).expect("the server answers");
            assert!(sum > 0);
        }),
    ));
    for (algorithm, counters) in [("fixed", 1), ("fixed", 4), ("sliding", 1)] {
        let engine = engine(&server, algorithm, counters);
        let mut made = 0_u32;
        let run = move || {
            // A sliding counter keeps 10,000 charges, so that another caller's has to follow.
            let caller = (made / 5_000).to_string();
            made += 1;
            let call = Call::without_args("t").identity(Identity::new(&caller));
            assert!(engine.decide(&call).allowed());
        };
        kinds.push((format!("{counters} {algorithm}"), Box::new(run)));
    }
    let mut times = vec![Vec::new(); kinds.len()];
    for _ in 0..TURNS {
        for ((_, run), times) in kinds.iter_mut().zip(&mut times) {
            let begun = Instant::now();
            (0..CALLS).for_each(|_| run());
            times.push(begun.elapsed().as_nanos() / u128::from(CALLS));
        }
    }
    for (at, ((name, _), times)) in kinds.iter().zip(&times).enumerate() {
        let role = if at < 2 { Role::Floor } else { Role::Ours };
        let found = times.iter().map(|&time| time as f64).collect();
        Record { bench: "redis", case: "one call", subject: name, role, unit: "ns", x: None, found }.write();
    }
    times.iter_mut().for_each(|times| times.sort_unstable());
    let floor = times[0][TURNS / 2];
    for ((name, _), times) in kinds.iter().zip(&times) {
        let [low, median, high] = [1, TURNS / 2, TURNS - 2].map(|rank| times[rank]);
        println!(
            "{name:16} {median:6} ns ({low} to {high}), {:.2} x the floor's rate",
            floor as f64 / median as f64
        );
    }
}
