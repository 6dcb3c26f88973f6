//! A record as far as a status needs it.
//!
//! In: a line. Out: its fields, borrowed where nothing in them is escaped. Must read what later versions add to a record, too.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// What every record says, and what a call says: most records are of calls.
#[derive(Deserialize)]
pub(super) struct Record<'l> {
    pub(super) v: u64,
    #[serde(borrow)]
    pub(super) ts: Cow<'l, str>,
    #[serde(borrow)]
    pub(super) kind: Cow<'l, str>,
    #[serde(borrow)]
    pub(super) server: Cow<'l, str>,
    #[serde(borrow)]
    pub(super) candidate: Option<&'l RawValue>,
    #[serde(borrow)]
    pub(super) decision: Option<Decision<'l>>,
    #[serde(borrow)]
    pub(super) refusal: Option<Cow<'l, str>>,
    #[serde(borrow)]
    pub(super) name: Option<Cow<'l, str>>,
    #[serde(borrow)]
    pub(super) method: Option<Cow<'l, str>>,
    #[serde(borrow)]
    pub(super) principal: Option<Principal<'l>>,
}

/// What a record of a gateway's start says beside.
#[derive(Deserialize)]
pub(super) struct Start {
    pub(super) pid: u32,
    pub(super) version: String,
    pub(super) program: String,
    pub(super) policy_file: Option<String>,
    pub(super) policy: Option<String>,
    pub(super) candidate: Option<String>,
    pub(super) mode: String,
    pub(super) store: String,
}

/// What a record of a reload says beside.
#[derive(Deserialize)]
pub(super) struct Reload {
    pub(super) target: String,
    pub(super) new: Option<String>,
    pub(super) error: Option<String>,
}

/// What a record of lost records says beside.
#[derive(Deserialize)]
pub(super) struct Gap {
    pub(super) lost: u64,
}

#[derive(Deserialize)]
pub(super) struct Principal<'l> {
    #[serde(borrow)]
    pub(super) id: Option<Cow<'l, str>>,
}

#[derive(Deserialize)]
pub(super) struct Decision<'l> {
    #[serde(borrow)]
    pub(super) effect: Cow<'l, str>,
    #[serde(borrow)]
    pub(super) code: Cow<'l, str>,
    #[serde(borrow)]
    pub(super) message: Option<Cow<'l, str>>,
    #[serde(borrow)]
    pub(super) rule: Option<Rule<'l>>,
}

impl Decision<'_> {
    pub(super) fn allows(&self) -> bool {
        self.effect == "allow"
    }
}

#[derive(Deserialize)]
pub(super) struct Rule<'l> {
    #[serde(borrow)]
    pub(super) name: Option<Cow<'l, str>>,
    #[serde(borrow)]
    pub(super) pointer: Cow<'l, str>,
}

impl<'l> Rule<'l> {
    pub(super) fn called(self) -> Cow<'l, str> {
        self.name.unwrap_or(self.pointer)
    }
}

#[derive(Deserialize)]
pub(super) struct Candidate<'l> {
    #[serde(borrow)]
    pub(super) decision: Option<Decision<'l>>,
}
