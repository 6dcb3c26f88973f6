//! The warnings of a policy reach the host's log.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex};

use callgate::{Engine, Policy};
use callgate_rmcp::Guard;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Keeps the events of the test's own thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = format!("{} {} ", event.metadata().level(), event.metadata().target());
        event.record(&mut Message(&mut text));
        self.0.lock().unwrap().push(text);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Message<'t>(&'t mut String);

impl Visit for Message<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            write!(self.0, "{value:?}").unwrap();
        }
    }
}

fn logged(policy: &str) -> Vec<String> {
    let log = Log::default();
    let engine = Engine::new(policy.parse::<Policy>().unwrap());
    tracing::subscriber::with_default(log.clone(), || drop(Guard::new((), engine)));
    let logged = log.0.lock().unwrap();
    logged.clone()
}

#[test]
fn each_is_logged_with_its_line_and_help_when_a_server_is_guarded() {
    let logged = logged("version: '1'\ndefault: deny\ntools:\n  pay: {}\n  list:\n");
    assert_eq!(logged.len(), 1, "{logged:?}");
    for part in ["WARN callgate policy:5:3: warning[null_entry]: ", "\n  help: write what belongs here"] {
        assert!(logged.iter().all(|line| line.contains(part)), "{part}: {logged:?}");
    }
    assert!(self::logged("version: '1'\ndefault: deny\n").is_empty());
}
