//! Real servers for tests: started on a free port, and stopped when the test ends, however it ends.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use callgate_redis::{RedisOptions, RedisStore};

/// Waits for the end of its standard input, which is the end of the test or of its process, and takes the server with it.
const KEEPER: &str = r#""$@" > log 2>&1 & echo $!; cat > /dev/null; kill -9 $!"#;

/// A server of one test.
pub(crate) struct Server {
    directory: PathBuf,
    port: u16,
    arguments: Vec<String>,
    running: Option<Running>,
}

struct Running {
    keeper: Child,
    pid: u32,
}

/// A port that nobody listens on. Not one that the system gives to clients: while the server is gone, one of those that try to
/// reach it might get its port.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 1_000).unwrap() * 10;
    loop {
        let port = 12_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Server {
    /// A server without persistence.
    pub(crate) fn start() -> Self {
        Self::with(&["--save", ""])
    }

    /// A server with these arguments.
    pub(crate) fn with(arguments: &[&str]) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("callgate-redis-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let mut server = Self { directory, port: free_port(), arguments, running: None };
        server.resume_service();
        server
    }

    /// Starts it again where it listened before.
    pub(crate) fn resume_service(&mut self) {
        assert!(self.running.is_none());
        let port = self.port.to_string();
        let mut keeper = Command::new("sh")
            .current_dir(&self.directory)
            .args(["-c", KEEPER, "keeper", "redis-server", "--bind", "127.0.0.1", "--port", &port])
            .args(["--unixsocket", "socket", "--dir", "."])
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut pid = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut pid).unwrap();
        self.running = Some(Running { keeper, pid: pid.trim().parse().unwrap() });
        let patience = Instant::now();
        while !["PONG", "NOAUTH"].iter().any(|ready| self.ask(&["PING"]).starts_with(ready)) {
            let log = || std::fs::read_to_string(self.directory.join("log")).unwrap_or_default();
            assert!(patience.elapsed() < Duration::from_secs(10), "redis-server did not start: {}", log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) {
        if let Some(Running { mut keeper, .. }) = self.running.take() {
            drop(keeper.stdin.take());
            keeper.wait().unwrap();
        }
    }

    /// Sends it a signal, such as `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.running.as_ref().unwrap().pid.to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap();
        assert!(sent.success());
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn options(&self) -> RedisOptions {
        RedisOptions::from_url(&self.url()).unwrap()
    }

    /// A store with the server's clock and a time-out of a second.
    pub(crate) fn open(&self) -> RedisStore {
        RedisStore::open(&self.options()).unwrap()
    }

    /// What it answers to a command, as redis-cli prints it.
    pub(crate) fn ask(&self, command: &[&str]) -> String {
        ask(self.port, command)
    }

    /// How often it ran a command since its statistics were set back.
    pub(crate) fn calls(&self, command: &str) -> u64 {
        self.told("commandstats", &format!("cmdstat_{command}:calls=")).unwrap_or_default()
    }

    /// How many bytes it has read of its clients.
    pub(crate) fn read(&self) -> u64 {
        self.told("stats", "total_net_input_bytes:").unwrap()
    }

    /// How many bytes it has sent to its clients.
    pub(crate) fn sent(&self) -> u64 {
        self.told("stats", "total_net_output_bytes:").unwrap()
    }

    /// The number behind `field` in a section of what it tells of itself.
    fn told(&self, section: &str, field: &str) -> Option<u64> {
        let info = self.ask(&["INFO", section]);
        let number = info.lines().find_map(|line| line.strip_prefix(field))?;
        Some(number.split(',').next().unwrap().trim().parse().unwrap())
    }

    /// What the only counter of the only namespace holds, in whole units.
    pub(crate) fn counted(&self) -> String {
        let mut held = Vec::new();
        callgate::store::Inspect::each(&self.open(), callgate::time::Timestamp::MIN, &mut |counter| {
            held.push(counter)
        })
        .unwrap();
        assert_eq!(held.len(), 1);
        held[0].used.to_string()
    }
}

/// What the server on a port answers to a command, as redis-cli prints it.
pub(crate) fn ask(port: u16, command: &[&str]) -> String {
    let output = Command::new("redis-cli").args(["-p", &port.to_string()]).args(command).output();
    String::from_utf8(output.expect("redis-cli is installed").stdout).unwrap().trim().to_owned()
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
