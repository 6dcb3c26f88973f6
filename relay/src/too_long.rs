//! A message that is too long to be kept: whose request it is, as far as its ends tell.
//!
//! In: the first and the last bytes of a line. Out: an error for the request that would wait for ever. Must not take text inside of a
//! string for a member.

use serde_json::value::RawValue;

use crate::answer;
use crate::client::LONGEST_ID;
use crate::frame::INVALID_REQUEST;
use crate::id::Id;
use crate::machine::{Action, Note, Peer, Relay, to_client};
use crate::server::{dropped, unreadable};

const REASON: &str = "the message is too long";

impl Relay {
    /// A message that was longer than [`Options::max_message`](crate::Options::max_message), of which only the first and the last bytes were
    /// kept: some thousand each, and none twice.
    pub fn too_long(&mut self, from: Peer, head: &[u8], tail: &[u8], tag: u64) -> Vec<Action> {
        let id = id_in_head(head).or_else(|| id_in_tail(tail)).filter(|id| id.len() <= LONGEST_ID);
        let id_of = |text: &str| Id::from_json(text);
        match from {
            Peer::Client => {
                let id = id.filter(|id| id_of(id).is_some());
                let error = answer::error(id.as_deref(), INVALID_REQUEST, REASON, None);
                vec![to_client(tag, error), Action::Note(Note::FrameRefused { from, reason: REASON })]
            }
            Peer::Server => {
                let Some(id) = id.as_deref().and_then(id_of) else { return vec![dropped(REASON)] };
                if self.tools.asked_with(&id) {
                    self.tools.forget();
                    return self.list_failed("the list of tools is too large");
                }
                match self.take(&id) {
                    Some(request) => unreadable(request, REASON, tag),
                    None => vec![dropped(REASON)],
                }
            }
        }
    }
}

/// The text of the member `id` among those with which the message begins.
fn id_in_head(head: &[u8]) -> Option<String> {
    let mut rest = valid(head).trim_start().strip_prefix('{')?;
    loop {
        let name = value(&mut rest)?;
        rest = rest.trim_start().strip_prefix(':')?;
        let found = value(&mut rest)?;
        // A number at the cut may go on.
        rest = rest.trim_start();
        if rest.is_empty() {
            return None;
        }
        if name == "\"id\"" {
            return Some(found.to_owned());
        }
        rest = rest.strip_prefix(',')?;
    }
}

/// The next JSON value; `None` where it is cut.
fn value<'t>(rest: &mut &'t str) -> Option<&'t str> {
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
    let found = values.next()?.ok()?.get();
    *rest = rest.get(values.byte_offset()..)?;
    Some(found)
}

/// The text of the member `id` with which the message ends. In JSON, a quote inside of a string stands behind a backslash: what looks like
/// a member here is one, and before the last bracket it is one of the message itself.
fn id_in_tail(tail: &[u8]) -> Option<String> {
    let start = (0..tail.len())
        .find(|start| tail.get(*start..).is_some_and(|rest| std::str::from_utf8(rest).is_ok()))?;
    let text = std::str::from_utf8(tail.get(start..)?).ok()?.trim_end().strip_suffix('}')?.trim_end();
    let at = text.rfind("\"id\"")?;
    let before = text.get(..at)?.trim_end();
    let found = text.get(at..)?.strip_prefix("\"id\"")?.trim_start().strip_prefix(':')?.trim();
    let is_one = serde_json::from_str::<&RawValue>(found).is_ok();
    (before.ends_with([',', '{']) && is_one).then(|| found.to_owned())
}

/// The text up to what is no UTF-8, as the last character that is cut.
fn valid(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => bytes
            .get(..error.valid_up_to())
            .and_then(|valid| std::str::from_utf8(valid).ok())
            .unwrap_or_default(),
    }
}
