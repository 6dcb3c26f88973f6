//! A record as a line of JSON: `spec/audit.schema.json`.
//!
//! In: an event, with what every record says. Out: the line's bytes, its fields always present and in a fixed order. Must not show a URL's
//! credentials.

use std::io::Write as _;

use callgate::time::Timestamp;
use callgate_relay::Peer;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::event::{Args, Call, Candidate, Event, Start, Target};

/// What all records of a gateway say.
pub(super) struct Heading {
    /// This gateway, told from others that write to the same log, before it and after it.
    pub(super) instance: String,
    pub(super) server: String,
}

/// What a record holds of the one before.
pub(super) enum Link<'d> {
    /// The log has no chain.
    Off,
    /// The digest of the record before; `None` for the first.
    To(Option<&'d str>),
}

/// Adds a line, and returns its digest where the log has a chain.
pub(super) fn write(
    out: &mut Vec<u8>,
    heading: &Heading,
    seq: u64,
    at: Timestamp,
    event: &Event,
    link: &Link<'_>,
) -> Option<String> {
    let begin = out.len();
    let mut object = Object::new(out);
    object.number("v", 1).number("seq", seq).display("ts", at);
    object.text("instance", &heading.instance).text("kind", event.kind()).text("server", &heading.server);
    body(&mut object, event);
    let digest = match link {
        Link::Off => {
            object.null("prev").null("digest");
            None
        }
        Link::To(prev) => {
            object.optional("prev", *prev);
            let digest = digest_of(object.out.get(begin..).unwrap_or_default());
            object.text("digest", &digest);
            Some(digest)
        }
    };
    object.end();
    out.push(b'\n');
    digest
}

/// Whether a line, without its line feed, ends with this digest and it is the digest of what stands before.
pub(super) fn has_digest(line: &[u8], digest: &str) -> bool {
    let end = format!(",\"digest\":\"{digest}\"}}");
    line.strip_suffix(end.as_bytes()).is_some_and(|body| digest_of(body) == digest)
}

fn digest_of(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut out = "sha256:".to_owned();
    for byte in Sha256::digest(bytes) {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}

fn body(object: &mut Object<'_>, event: &Event) {
    match event {
        Event::Start(start) => write_start(object, start),
        Event::Stop(stop) => {
            object.text("why", &stop.why).value("code", &stop.code);
        }
        Event::Reload(reload) => {
            let target = match reload.target {
                Target::Policy => "policy",
                Target::Candidate => "candidate",
            };
            object.text("target", target).value("old", &reload.old).value("new", &reload.new);
            object.value("error", &reload.error);
        }
        Event::Call(call) => write_call(object, call),
        Event::FrameRefused { from, reason, times } => {
            let from = match from {
                Peer::Client => "client",
                Peer::Server => "server",
            };
            object.text("from", from).text("reason", reason).value("times", times);
        }
        Event::ListFiltered { method, hidden } => {
            object.text("method", method).value("hidden", hidden);
        }
        Event::ListFailed { reason } => {
            object.text("method", "tools/list").text("reason", reason);
        }
        Event::Approval(approval) => {
            object.text("key", &approval.key).value("who", &approval.who);
            object.text("outcome", approval.outcome.as_str());
        }
        Event::Gap { lost } => {
            object.number("lost", *lost);
        }
    }
}

fn write_start(object: &mut Object<'_>, start: &Start) {
    object.text("version", &start.version).number("pid", std::process::id().into());
    object.text("program", &start.program).text("transport", "stdio");
    object.value("policy_file", &start.policy_file).value("policy", &start.policy);
    object.value("candidate", &start.candidate).text("mode", start.mode.as_str());
    object.text("store", &without_credentials(&start.store));
}

fn write_call(object: &mut Object<'_>, call: &Call) {
    object.text("transport", "stdio").value("protocol", &call.protocol).value("request", &call.request);
    object.null("session").null("trace");
    object.nested("principal", |object| {
        object.value("id", &call.principal.id).value("grant", &call.principal.grant);
    });
    object.text("method", &call.method).value("name", &call.name);
    object.raw("decision", call.decision.as_deref()).value("refusal", &call.refusal);
    match &call.candidate {
        Some(Candidate { decision, error }) => {
            object.nested("candidate", |object| {
                object.raw("decision", decision.as_deref()).value("error", error);
            });
        }
        None => {
            object.null("candidate");
        }
    }
    object.text("mode", call.mode.as_str());
    let Args { keys, hash } = &call.args;
    object.nested("args", |object| {
        object.value("keys", keys).value("hash", hash);
    });
    object.nested("upstream", |object| {
        let upstream = &call.upstream;
        let latency = upstream.latency.map(|latency| u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
        object.text("outcome", upstream.outcome.as_str()).value("code", &upstream.code);
        object.value("latency_us", &latency);
        object.number("bytes_out", upstream.bytes_out).number("bytes_in", upstream.bytes_in);
    });
    object.text("charge", call.charge.as_str());
}

/// A store's URL without user, password and query, as records show it. A file's path has neither.
pub fn without_credentials(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, url),
    };
    // A password may hold `/` and `?` where nobody escaped them, so everything before the last `@` goes.
    let rest = match rest.rsplit_once('@') {
        Some((_, host)) if scheme != Some("sqlite") => host,
        _ => rest,
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    scheme.map_or_else(|| rest.to_owned(), |scheme| format!("{scheme}://{rest}"))
}

/// An object that is being written. Writing to a `Vec` cannot fail, and neither can a text, a number or a list of texts as JSON.
struct Object<'o> {
    out: &'o mut Vec<u8>,
    is_empty: bool,
}

impl<'o> Object<'o> {
    fn new(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, is_empty: true }
    }

    fn name(&mut self, name: &str) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.is_empty) {
            self.out.push(b',');
        }
        let _ = write!(self.out, "\"{name}\":");
        self.out
    }

    fn value(&mut self, name: &str, value: &impl Serialize) -> &mut Self {
        let _ = serde_json::to_writer(self.name(name), value);
        self
    }

    fn text(&mut self, name: &str, text: &str) -> &mut Self {
        self.value(name, &text)
    }

    fn optional(&mut self, name: &str, text: Option<&str>) -> &mut Self {
        self.value(name, &text)
    }

    fn number(&mut self, name: &str, number: u64) -> &mut Self {
        let _ = write!(self.name(name), "{number}");
        self
    }

    fn null(&mut self, name: &str) -> &mut Self {
        self.raw(name, None)
    }

    /// A value whose text needs no escaping.
    fn display(&mut self, name: &str, value: impl std::fmt::Display) -> &mut Self {
        let _ = write!(self.name(name), "\"{value}\"");
        self
    }

    /// JSON as it stands.
    fn raw(&mut self, name: &str, json: Option<&str>) -> &mut Self {
        let json = json.unwrap_or("null").as_bytes();
        self.name(name).extend_from_slice(json);
        self
    }

    fn nested(&mut self, name: &str, write: impl FnOnce(&mut Object<'_>)) -> &mut Self {
        let mut object = Object::new(self.name(name));
        write(&mut object);
        object.end();
        self
    }

    fn end(self) {
        self.out.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stores_url_shows_no_credentials() {
        for (url, shown) in [
            ("memory", "memory"),
            ("sqlite:///home/a@b/store.db?durability=power", "sqlite:///home/a@b/store.db"),
            ("redis://localhost:6379/1", "redis://localhost:6379/1"),
            ("rediss://user:pass@host/0?password=word#more", "rediss://host/0"),
            ("redis://:p@ss/w?rd@host", "redis://host"),
            ("redis+cluster://u:p@one:1,two:2", "redis+cluster://one:1,two:2"),
            ("user:pass@host?password", "host"),
        ] {
            assert_eq!(without_credentials(url), shown);
        }
    }
}
