//! The server's tools, as the relay asks for them itself: all pages, with ids that no client uses.
//!
//! In: answers of the server. Out: the next question, or what each tool's arguments may be. Must not wait for a client to ask.

use std::collections::BTreeMap;

use callgate::lock::Pins;
use callgate::{ArgsCheck, InputSchema};

use crate::answer::quoted;
use crate::id::Id;
use crate::list::{self, Listed, Page};
use crate::members::Members;

/// What is known of the server's tools.
pub(crate) struct Tools {
    nonce: String,
    asked: u64,
    known: Option<BTreeMap<String, Known>>,
    asking: Option<Asking>,
    /// The text of `_meta` that the server wants with every request.
    meta: Option<String>,
    /// Whether the list changed while it was asked for.
    again: bool,
    /// Whether what was asked last could not be had.
    failed: bool,
    /// The tag of the message that made the relay ask.
    tag: u64,
}

/// A tool of the list.
struct Known {
    check: ArgsCheck,
    /// Whether it is not as it was approved.
    is_changed: bool,
}

struct Asking {
    id: Id,
    until: u64,
    /// Whether calls wait no longer for it. An answer that comes late counts all the same.
    is_overdue: bool,
    found: BTreeMap<String, Known>,
    listed: Vec<Listed>,
    bytes: usize,
    pages: u32,
}

/// Pages of one list: more is a server that never ends.
const MOST_PAGES: u32 = 1_000;

/// What comes of an answer.
pub(crate) enum Step {
    /// Send this.
    Ask(String),
    /// All tools are known.
    Done(Vec<Listed>),
    /// They are not.
    Failed(&'static str),
}

impl Tools {
    pub(crate) fn new(nonce: &str) -> Self {
        Self {
            nonce: nonce.to_owned(),
            asked: 0,
            known: None,
            asking: None,
            meta: None,
            again: false,
            failed: false,
            tag: 0,
        }
    }

    /// Whether they are being asked for.
    pub(crate) fn is_asking(&self) -> bool {
        self.asking.as_ref().is_some_and(|asking| !asking.is_overdue)
    }

    /// Whether they are not known, and no answer is to come.
    pub(crate) fn is_wanted(&self) -> bool {
        self.known.is_none() && self.asking.is_none()
    }

    /// Whether the list was ever asked for.
    pub(crate) fn was_asked(&self) -> bool {
        self.asked > 0
    }

    /// Whether all that the server lists is known: what it does not name is not listed.
    pub(crate) fn is_whole(&self) -> bool {
        self.known.is_some() && !self.failed
    }

    /// The tag of the message that made the relay ask.
    pub(crate) fn tag(&self) -> u64 {
        self.tag
    }

    /// What is known of a tool.
    pub(crate) fn check(&self, tool: &str) -> Option<&ArgsCheck> {
        self.known.as_ref()?.get(tool).map(|known| &known.check)
    }

    /// Whether the server lists a tool.
    pub(crate) fn has(&self, tool: &str) -> bool {
        self.known.as_ref().is_some_and(|known| known.contains_key(tool))
    }

    /// Whether a tool is another one than the lock has, or is not listed.
    pub(crate) fn is_changed(&self, tool: &str) -> bool {
        self.known.as_ref().and_then(|known| known.get(tool)).is_none_or(|known| known.is_changed)
    }

    /// Whether what is known may be old, and no answer is to come.
    pub(crate) fn is_stale(&self) -> bool {
        self.failed && self.asking.is_none()
    }

    /// The names that are known, and whether each is not as it was approved.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&str, bool)> {
        self.known.iter().flat_map(|known| known.iter().map(|(name, known)| (&**name, known.is_changed)))
    }

    /// Begins to ask: the message, or `None` where it is under way and is repeated at its end.
    pub(crate) fn ask(&mut self, meta: Option<&str>, tag: u64, until: u64) -> Option<String> {
        if let Some(meta) = meta {
            self.meta = Some(shared(meta));
        }
        if self.is_asking() {
            self.again = true;
            return None;
        }
        self.again = false;
        self.tag = tag;
        let asking = Asking {
            id: self.next_id(),
            until,
            is_overdue: false,
            found: BTreeMap::new(),
            listed: Vec::new(),
            bytes: 0,
            pages: 0,
        };
        let message = self.question(&asking.id, None);
        self.asking = Some(asking);
        Some(message)
    }

    fn next_id(&mut self) -> Id {
        self.asked = self.asked.saturating_add(1);
        Id::Text(format!("callgate-{}-{}", self.nonce, self.asked))
    }

    fn question(&self, id: &Id, cursor: Option<&str>) -> String {
        let Id::Text(id) = id else { return String::new() };
        let parts = [("cursor", cursor), ("_meta", self.meta.as_deref())];
        let parts = parts.iter().filter_map(|(name, text)| Some(format!(r#""{name}":{}"#, (*text)?)));
        let params = parts.collect::<Vec<_>>().join(",");
        let id = quoted(id);
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/list","params":{{{params}}}}}"#)
    }

    /// Whether this is the id of the question.
    pub(crate) fn asked_with(&self, id: &Id) -> bool {
        self.asking.as_ref().is_some_and(|asking| asking.id == *id)
    }

    /// Whether an id is one that only the relay uses.
    pub(crate) fn is_own(&self, id: &Id) -> bool {
        matches!(id, Id::Text(text) if text.strip_prefix("callgate-").is_some_and(|rest| rest.starts_with(&self.nonce)))
    }

    pub(crate) fn is_late(&self, now: u64) -> bool {
        self.asking.as_ref().is_some_and(|asking| !asking.is_overdue && asking.until <= now)
    }

    /// Calls wait no longer for the answer; what was known before stays.
    pub(crate) fn give_up(&mut self) {
        if let Some(asking) = &mut self.asking {
            asking.is_overdue = true;
        }
        self.failed = true;
    }

    /// The answer came, and cannot be used.
    pub(crate) fn forget(&mut self) {
        self.asking = None;
        self.failed = true;
    }

    /// The server's answer to the question: the text of its result; `None` for an error.
    pub(crate) fn answered(&mut self, result: Option<&str>, most: usize, pins: Option<&Pins>) -> Step {
        let Some(mut asking) = self.asking.take() else { return Step::Failed("nothing was asked") };
        // Until the last page is here.
        self.failed = true;
        let Some(result) = result else { return Step::Failed("the server lists no tools") };
        asking.bytes = asking.bytes.saturating_add(result.len());
        asking.pages = asking.pages.saturating_add(1);
        if asking.bytes > most || asking.pages > MOST_PAGES || asking.found.len() > list::MOST_TOOLS {
            return Step::Failed("the list of tools is too large");
        }
        let Page { tools, next } = match list::read(result, most, pins) {
            Ok(page) => page,
            Err(why) => return Step::Failed(why),
        };
        for tool in tools {
            let Some(check) = check_of(tool.schema.as_deref()) else {
                return Step::Failed("a tool's input schema cannot be read");
            };
            let known = Known { check, is_changed: tool.is_changed };
            if asking.found.insert(tool.name.clone(), known).is_some() {
                return Step::Failed("two tools have one name");
            }
            asking.listed.push(tool);
        }
        if let Some(cursor) = next {
            asking.id = self.next_id();
            let message = self.question(&asking.id, Some(&cursor));
            self.asking = Some(asking);
            return Step::Ask(message);
        }
        let until = asking.until;
        self.known = Some(asking.found);
        self.failed = false;
        if self.again
            && let Some(message) = self.ask(None, self.tag, until)
        {
            return Step::Ask(message);
        }
        Step::Done(asking.listed)
    }
}

/// Members of `_meta` that are about the request which has them: who asks for progress, and a task, which gets its answers.
const OF_ONE_REQUEST: [&str; 2] = ["progressToken", "io.modelcontextprotocol/related-task"];

/// What every request of a client says in its `_meta`.
fn shared(meta: &str) -> String {
    let members = Members::read(meta);
    let members = members.iter().flat_map(Members::all).filter(|(name, _)| !OF_ONE_REQUEST.contains(name));
    let members: Vec<String> = members.map(|(name, value)| format!("{}:{value}", quoted(name))).collect();
    format!("{{{}}}", members.join(","))
}

fn check_of(schema: Option<&str>) -> Option<ArgsCheck> {
    let Some(schema) = schema else { return Some(ArgsCheck::new()) };
    let schema: serde_json::Value = serde_json::from_str(schema).ok()?;
    Some(ArgsCheck::new().schema(InputSchema::new(&schema)))
}
