//! Calls that wait for a person's approval: filed in a store, and answered there from another process (spec 7.7 to 7.12).
//!
//! In: a call whose decision asks for approval; later, a person's answer. Out: a record with an id that people can read out. A store
//! keeps what it is given. It must not decide whether a call may run: a grant is an [`Approval`](crate::Approval) for the engine,
//! and the batch spends it (spec 7.3).
//!
//! ```
//! use callgate::store::{ApprovalAnswer, ApprovalArgs, ApprovalCall, ApprovalRequest, Approvals, ApprovalState, Filed};
//! use callgate::{Approval, Call, Engine, MemoryStore, Policy, time::Timestamp};
//! use std::{sync::Arc, time::Duration};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let policy: Policy = "{version: '1', default: deny, tools: {pay: {rules: [{action: require_approval}]}}}".parse()?;
//! let store = Arc::new(MemoryStore::new());
//! let engine = Engine::builder(policy).store(store.clone()).build();
//! let args = serde_json::json!({"to": "bob"});
//! let call = Call::new("pay", &args);
//! let now = Timestamp::from_millis(1_000);
//!
//! let decision = engine.decide(&call);
//! let asked = ApprovalCall::new(&decision, "bank", None).ok_or("nothing to approve")?;
//! let request = ApprovalRequest { call: asked, args: ApprovalArgs::full(r#"{"to":"bob"}"#) };
//! let Filed::New(record) = store.file(&request, now)? else { panic!("it was filed before") };
//!
//! store.answer(&record.id, &ApprovalAnswer::grant("alice", Duration::from_secs(600)), now)?;
//!
//! // The same call, repeated.
//! let Filed::Found(record) = store.file(&request, now)? else { panic!("it is not there") };
//! assert_eq!(record.state, ApprovalState::Granted);
//! let (id, at) = record.approval_id().zip(record.given_at()).ok_or("not granted")?;
//! assert!(engine.decide(&call.approved(Approval::new(&record.call.key, &id).given_at(at))).allowed());
//! // Once more is another request: a grant lets one call through, unless its rules say otherwise.
//! assert!(matches!(store.file(&request, now)?, Filed::New(_)));
//! # Ok(()) }
//! ```

mod args;
mod call;

use std::sync::Arc;
use std::time::Duration;

pub use args::ApprovalArgs;
pub use call::ApprovalCall;

use super::error::StoreError;
use super::remote::StoreFuture;
use crate::ceilings::{APPROVAL_DAYS, APPROVAL_PENDING_HOURS};
use crate::time::Timestamp;

/// How long an unanswered record stands, in milliseconds.
const PENDING: i64 = APPROVAL_PENDING_HOURS.saturating_mul(3_600_000);
/// The longest that an answer holds, in milliseconds: spent ids are remembered for as long (spec 7.5).
const LONGEST: i64 = APPROVAL_DAYS.saturating_mul(86_400_000);
/// Bytes of the name of who answered. Longer ones are cut.
const BY_BYTES: usize = 256;
/// Characters of an id: 40 bits, in letters that are not taken for each other.
const ID_CHARS: usize = 8;
const ID_ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A call to be filed: what it is, and what of its arguments is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRequest {
    /// What a list shows.
    pub call: ApprovalCall,
    /// What only the record itself shows.
    pub args: ApprovalArgs,
}

/// A filed call as a store has it, without its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApprovalRecord {
    /// 8 characters of `0-9a-z` without `i`, `l`, `o` and `u`: names this record among those of its namespace.
    pub id: String,
    /// What was called.
    pub call: ApprovalCall,
    /// When it was filed.
    pub filed_at: Timestamp,
    /// Until when the record stands: unanswered, [`APPROVAL_PENDING_HOURS`] after it was filed, else as the answer says. The
    /// same call is filed anew from then on.
    pub until: Timestamp,
    /// Where it stands.
    pub state: ApprovalState,
    /// Who answered, and when; `None` while it is pending.
    pub answer: Option<(String, Timestamp)>,
}

/// Where a filed call stands (spec 7.9, 7.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ApprovalState {
    /// Nobody has answered.
    Pending,
    /// The call may be let through, as often as its rules say.
    Granted,
    /// The call must not be let through.
    Denied,
    /// It was granted, and has been let through as often as that.
    Used,
}

impl ApprovalState {
    /// `pending`, `granted`, `denied` or `used`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Granted => "granted",
            Self::Denied => "denied",
            Self::Used => "used",
        }
    }

    /// The state that a store keeps under this name; `None` for any other. [`ApprovalState::Used`] is none: a grant is used where its id
    /// is spent.
    pub fn from_text(text: &str) -> Option<Self> {
        [Self::Pending, Self::Granted, Self::Denied].into_iter().find(|state| state.as_str() == text)
    }
}

/// A person's answer, and for how long it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalAnswer {
    state: ApprovalState,
    by: String,
    lasts: i64,
}

impl ApprovalAnswer {
    /// Lets the call through as often as its rules say, within `lasts`; at most [`APPROVAL_DAYS`].
    pub fn grant(by: &str, lasts: Duration) -> Self {
        Self::new(ApprovalState::Granted, by, lasts)
    }

    /// Refuses the call for `lasts`; at most [`APPROVAL_DAYS`].
    pub fn deny(by: &str, lasts: Duration) -> Self {
        Self::new(ApprovalState::Denied, by, lasts)
    }

    fn new(state: ApprovalState, by: &str, lasts: Duration) -> Self {
        let lasts = i64::try_from(lasts.as_millis()).unwrap_or(LONGEST).min(LONGEST);
        Self { state, by: args::cut(by, BY_BYTES).to_owned(), lasts }
    }

    /// [`ApprovalState::Granted`] or [`ApprovalState::Denied`].
    pub fn state(&self) -> ApprovalState {
        self.state
    }

    /// Who answers; at most 256 bytes.
    pub fn by(&self) -> &str {
        &self.by
    }

    /// For how many milliseconds it holds.
    pub fn lasts_millis(&self) -> i64 {
        self.lasts
    }
}

impl ApprovalRecord {
    /// A record that nobody has answered yet.
    pub fn pending(id: String, call: ApprovalCall, now: Timestamp) -> Self {
        let until = now.plus_millis(PENDING);
        Self { id, call, filed_at: now, until, state: ApprovalState::Pending, answer: None }
    }

    /// The record with an answer that was given at `now`.
    #[must_use]
    pub fn answered(mut self, answer: &ApprovalAnswer, now: Timestamp) -> Self {
        self.state = answer.state;
        self.until = now.plus_millis(answer.lasts);
        self.answer = Some((answer.by.clone(), now));
        self
    }

    /// The id of the [`Approval`](crate::Approval) that a grant is; `None` unless it is one. Each grant has its own, so that one which was
    /// withdrawn stays spent when the call is granted again.
    pub fn approval_id(&self) -> Option<String> {
        let (_, at) = self.answer.as_ref()?;
        let is_grant = matches!(self.state, ApprovalState::Granted | ApprovalState::Used);
        is_grant.then(|| format!("{}-{}", self.id, at.as_millis()))
    }

    /// When a grant was given, for [`Approval::given_at`](crate::Approval::given_at).
    pub fn given_at(&self) -> Option<Timestamp> {
        self.answer.as_ref().map(|(_, at)| *at)
    }

    /// The same record as it is seen where its [`ApprovalRecord::approval_id`] has been spent: the grant was used.
    #[must_use]
    pub fn spent(mut self) -> Self {
        if self.state == ApprovalState::Granted {
            self.state = ApprovalState::Used;
        }
        self
    }
}

/// What a store says of a call that is to be filed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filed {
    /// It was not there, and is pending now.
    New(Box<ApprovalRecord>),
    /// It is there: pending, granted or denied.
    Found(Box<ApprovalRecord>),
    /// It was not filed: as many wait as a namespace holds (spec 7.11).
    Full,
}

/// What became of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// It holds: the record as it stands now.
    Done(Box<ApprovalRecord>),
    /// Too late: it was granted before, and has been let through. The record is unchanged.
    Used(Box<ApprovalRecord>),
    /// No record has this id, or it has ended.
    Unknown,
}

/// A store in which calls that wait for approval are filed, beside its counters and in the same namespaces (spec 7.7 to 7.12).
///
/// # Atomicity
/// [`Approvals::file`] and [`Approvals::answer`] are one step each, over threads and processes: of two who file the same call, one
/// gets [`Filed::New`] and both the same record.
///
/// # Time
/// `now` is the caller's. A store with a clock of its own goes by that.
pub trait Approvals: Send + Sync {
    /// Looks a call up, and files it if it is not there: if it never was, if its record has ended, or if its grant was used. May
    /// be repeated after any error.
    ///
    /// # Errors
    /// [`StoreError`] where it is unknown whether the call was filed.
    fn file(&self, request: &ApprovalRequest, now: Timestamp) -> Result<Filed, StoreError>;

    /// Every record that stands at `now`, the oldest first; at most [`FILED_APPROVALS`](crate::ceilings::FILED_APPROVALS).
    ///
    /// # Errors
    /// [`StoreError`] where they cannot be read.
    fn filed(&self, now: Timestamp) -> Result<Vec<ApprovalRecord>, StoreError>;

    /// One record with what is kept of its arguments; `None` where none that stands at `now` has this id.
    ///
    /// # Errors
    /// [`StoreError`] where it cannot be read.
    fn find(&self, id: &str, now: Timestamp) -> Result<Option<FiledCall>, StoreError>;

    /// Answers a call, or answers it otherwise than before. Another answer to a granted call spends the grant in the same step: no
    /// call can still be let through by it.
    ///
    /// # Errors
    /// [`StoreError`] where it is unknown whether the answer holds.
    fn answer(&self, id: &str, answer: &ApprovalAnswer, now: Timestamp) -> Result<Answered, StoreError>;
}

/// A record, and what is kept of the arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FiledCall {
    /// The record.
    pub record: ApprovalRecord,
    /// Of the call that was filed first. The same call may come with its members in another order.
    pub args: ApprovalArgs,
}

/// Filing without blocking. Listing and answering are for people, who may wait. Object-safe.
pub trait AsyncApprovals: Send + Sync {
    /// [`Approvals::file`].
    fn file<'f>(&'f self, request: &'f ApprovalRequest, now: Timestamp) -> StoreFuture<'f, Filed>;
}

/// A store that several hold, as each of them.
impl<S: Approvals + ?Sized> Approvals for Arc<S> {
    fn file(&self, request: &ApprovalRequest, now: Timestamp) -> Result<Filed, StoreError> {
        (**self).file(request, now)
    }

    fn filed(&self, now: Timestamp) -> Result<Vec<ApprovalRecord>, StoreError> {
        (**self).filed(now)
    }

    fn find(&self, id: &str, now: Timestamp) -> Result<Option<FiledCall>, StoreError> {
        (**self).find(id, now)
    }

    fn answer(&self, id: &str, answer: &ApprovalAnswer, now: Timestamp) -> Result<Answered, StoreError> {
        (**self).answer(id, answer, now)
    }
}

/// A new id for a record. For stores, which see to it that no two records of a namespace have the same.
pub fn new_approval_id() -> String {
    use std::collections::hash_map::RandomState;
    use std::hash::{BuildHasher as _, Hasher as _};
    // Keyed by the system's random numbers, and anew for each: nobody can choose or foresee an id.
    let mut bits = RandomState::new().build_hasher().finish();
    let digits = (0..ID_CHARS).map(|_| {
        let digit = ID_ALPHABET.get(usize::try_from(bits & 31).unwrap_or_default()).copied();
        bits >>= 5;
        char::from(digit.unwrap_or(b'0'))
    });
    digits.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_eight_letters_and_differ() {
        let ids: BTreeSet<String> = (0..1_000).map(|_| new_approval_id()).collect();
        assert_eq!(ids.len(), 1_000);
        assert!(ids.iter().flat_map(|id| id.bytes()).all(|byte| ID_ALPHABET.contains(&byte)));
        assert!(ids.iter().all(|id| id.len() == ID_CHARS));
        // Every place has every letter.
        for place in 0..ID_CHARS {
            let letters: BTreeSet<u8> = ids.iter().map(|id| id.as_bytes()[place]).collect();
            assert_eq!(letters.len(), 32, "place {place}");
        }
    }

    #[test]
    fn an_answer_holds_no_longer_than_spent_ids_are_remembered() {
        let longest = APPROVAL_DAYS * 86_400_000;
        for lasts in [Duration::MAX, Duration::from_secs(366 * 86_400 + 1)] {
            assert_eq!(ApprovalAnswer::grant("a", lasts).lasts_millis(), longest);
        }
        let answer = ApprovalAnswer::deny(&"é".repeat(200), Duration::from_millis(5));
        assert_eq!((answer.lasts_millis(), answer.by().len()), (5, 256));
    }
}
