//! What a record tells of.
//!
//! In: what the gateway knows. Out: values that [`Log::record`](super::Log::record) takes. Must not hold the value of an argument.

use std::time::Duration;

use callgate::Outcome;
use callgate_relay::{Note, Peer};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The gateway began.
    Start(Start),
    /// It ended.
    Stop(Stop),
    /// A policy's file changed.
    Reload(Reload),
    /// A call ended, or was refused.
    Call(Box<Call>),
    /// A message was not passed on.
    FrameRefused {
        /// Who sent it.
        from: Peer,
        /// Why.
        reason: String,
        /// How many so far, with this one: of more than a hundred for one reason, those are recorded whose number is a power of two.
        times: u64,
    },
    /// Tools, resources or prompts were left out of a list.
    ListFiltered {
        /// The method that asked for it.
        method: &'static str,
        /// How many.
        hidden: usize,
    },
    /// The server's tools are not known.
    ListFailed {
        /// Why.
        reason: String,
    },
    /// A call waits for a person, or a person decided.
    Approval(Approval),
    /// Records were lost before this one, because the file could not be written. The log itself says so.
    Gap {
        /// How many.
        lost: u64,
    },
}

impl Event {
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Start(_) => "start",
            Self::Stop(_) => "stop",
            Self::Reload(_) => "reload",
            Self::Call(_) => "call",
            Self::FrameRefused { .. } => "frame_refused",
            Self::ListFiltered { .. } => "list_filtered",
            Self::ListFailed { .. } => "list_failed",
            Self::Approval(_) => "approval",
            Self::Gap { .. } => "gap",
        }
    }

    /// What a relay notes; `None` for what belongs in no record, or in that of a call.
    pub fn of_note(note: &Note) -> Option<Self> {
        Some(match note {
            Note::FrameRefused { from, reason } => {
                Self::FrameRefused { from: *from, reason: (*reason).to_owned(), times: 1 }
            }
            Note::ListFiltered { method, hidden } => Self::ListFiltered { method, hidden: *hidden },
            Note::ListFailed(reason) => Self::ListFailed { reason: (*reason).to_owned() },
            Note::Unchecked { .. } | Note::Changed { .. } | Note::Withdrawn { .. } | Note::Listed(_) => {
                return None;
            }
        })
    }
}

/// How a gateway treats what its policy decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// The policy is enforced.
    #[default]
    Enforce,
    /// The policy is enforced, and a candidate decides beside it.
    Observe,
    /// No policy is in force: a candidate decides, and every call runs.
    DryRun,
}

impl Mode {
    /// `enforce`, `observe` or `dry_run`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Observe => "observe",
            Self::DryRun => "dry_run",
        }
    }
}

/// How a gateway began.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Start {
    /// The gateway's version.
    pub version: String,
    /// The server's program, without its arguments.
    pub program: String,
    /// The policy's file.
    pub policy_file: Option<String>,
    /// The policy's digest, `sha256:` and 64 digits; `None` in a dry run.
    pub policy: Option<String>,
    /// The candidate's digest, where there is a candidate.
    pub candidate: Option<String>,
    /// How decisions are treated.
    pub mode: Mode,
    /// The store's URL. Its user, password and query are left out of the record.
    pub store: String,
}

/// How a gateway ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stop {
    /// Why: `client_closed`, `server_exited`, `signal`, or another word.
    pub why: String,
    /// The server's exit code, where it had one.
    pub code: Option<i32>,
}

/// Which policy a reload is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Target {
    /// The policy in force.
    #[default]
    Policy,
    /// The candidate.
    Candidate,
}

/// A policy's file changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reload {
    /// Which policy.
    pub target: Target,
    /// The digest before.
    pub old: Option<String>,
    /// The digest since; `None` where the file could not be used, and the old policy stays.
    pub new: Option<String>,
    /// What is wrong with the file: a code and a place, without the policy's text.
    pub error: Option<String>,
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Principal {
    /// The caller's id.
    pub id: Option<String>,
    /// The grant that the caller used.
    pub grant: Option<String>,
}

/// What a record shows of arguments. Made by [`Log::args`](super::Log::args).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Args {
    /// The names of the arguments, sorted; `None` where they are not shown.
    pub keys: Option<Vec<String>>,
    /// Their digest; `None` where it is not shown, or they have no canonical form.
    pub hash: Option<String>,
}

/// What a candidate policy decided of the same call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Candidate {
    /// Its decision as JSON (spec 10.3); `None` where there is none.
    pub decision: Option<String>,
    /// Why there is none.
    pub error: Option<String>,
}

/// What became of the charges of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Charge {
    /// Nothing was charged.
    #[default]
    None,
    /// The charges stand.
    Kept,
    /// They were given back.
    Released,
    /// They were settled at the actual amount.
    Settled,
}

impl Charge {
    /// `none`, `kept`, `released` or `settled`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Kept => "kept",
            Self::Released => "released",
            Self::Settled => "settled",
        }
    }
}

/// How a call went at the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upstream {
    /// How it ended; `not_run` for a call that was refused.
    pub outcome: Outcome,
    /// The code of a protocol error.
    pub code: Option<i64>,
    /// From the message to the server until its answer.
    pub latency: Option<Duration>,
    /// Bytes of the message to the server.
    pub bytes_out: u64,
    /// Bytes of its answer.
    pub bytes_in: u64,
}

impl Default for Upstream {
    /// Of a call that never reached the server.
    fn default() -> Self {
        Self { outcome: Outcome::NotRun, code: None, latency: None, bytes_out: 0, bytes_in: 0 }
    }
}

/// A call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Call {
    /// The request's id, as its JSON text; `None` for a notification.
    pub request: Option<String>,
    /// The generation of the protocol, such as `2025-11-25`, where it is known.
    pub protocol: Option<String>,
    /// Who calls.
    pub principal: Principal,
    /// The method: `tools/call`, or another one that is decided.
    pub method: String,
    /// The tool's name; `None` for another method.
    pub name: Option<String>,
    /// The decision as JSON (spec 10.3); `None` in a dry run, and where the gateway refused without one.
    pub decision: Option<String>,
    /// Why the gateway itself refused, such as `audit_unavailable`, `unchecked` or `withdrawn`; `None` where it did not.
    pub refusal: Option<String>,
    /// What the candidate decided; `None` where there is none.
    pub candidate: Option<Candidate>,
    /// How decisions were treated.
    pub mode: Mode,
    /// What is shown of the arguments.
    pub args: Args,
    /// How it went at the server.
    pub upstream: Upstream,
    /// What became of its charges.
    pub charge: Charge,
}

/// What became of an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApprovalOutcome {
    /// A call was refused, and waits for a person.
    Asked,
    /// A person said yes.
    Approved,
    /// A person said no.
    Denied,
    /// The call ran with it.
    Used,
    /// Nobody decided in time.
    Expired,
}

impl ApprovalOutcome {
    /// `asked`, `approved`, `denied`, `used` or `expired`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Used => "used",
            Self::Expired => "expired",
        }
    }
}

/// An approval that was asked for, given, refused or used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The approval key of the call (spec 7.1).
    pub key: String,
    /// Who decided; `None` where nobody did.
    pub who: Option<String>,
    /// What became of it.
    pub outcome: ApprovalOutcome,
}
