//! A wire that can be cut, or be slow: passes bytes between a store and a server until it is told otherwise.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Lets everything through.
const ALL: usize = usize::MAX;

/// Listens on a port of its own for as long as the process lives.
pub(crate) struct Proxy {
    port: u16,
    /// How many bytes of replies are let through from here on, over all connections; then each is closed.
    left: Arc<AtomicUsize>,
    /// How many milliseconds each byte of a reply takes; 0 for no time at all.
    pace: Arc<AtomicU64>,
}

impl Proxy {
    pub(crate) fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let left = Arc::new(AtomicUsize::new(ALL));
        let pace = Arc::new(AtomicU64::new(0));
        let (shared, slowness) = (left.clone(), pace.clone());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                let (requests, replies) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || pass(requests, server, &AtomicUsize::new(ALL), &AtomicU64::new(0)));
                let (left, pace) = (shared.clone(), slowness.clone());
                thread::spawn(move || pass(replies, client, &left, &pace));
            }
        });
        Self { port, left, pace }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Closes the connection after so many more bytes of replies.
    pub(crate) fn cut_after(&self, bytes: usize) {
        self.left.store(bytes, Ordering::SeqCst);
    }

    /// Lets replies through one byte at a time, each after so long.
    pub(crate) fn drip(&self, pace: Duration) {
        self.pace.store(u64::try_from(pace.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// Lets everything through again.
    pub(crate) fn pass(&self) {
        self.left.store(ALL, Ordering::SeqCst);
        self.pace.store(0, Ordering::SeqCst);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, left: &AtomicUsize, pace: &AtomicU64) {
    let mut buffer = [0; 4_096];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let allowed = left.load(Ordering::SeqCst);
        let passed = read.min(allowed);
        if allowed != ALL {
            left.fetch_sub(passed, Ordering::SeqCst);
        }
        let slowly = pace.load(Ordering::SeqCst);
        let sent = match slowly {
            0 => to.write_all(&buffer[..passed]),
            _ => buffer[..passed].iter().try_for_each(|byte| {
                thread::sleep(Duration::from_millis(slowly));
                to.write_all(&[*byte])
            }),
        };
        if sent.is_err() || passed < read {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
