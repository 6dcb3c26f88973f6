//! Calls that wait for a person, as every guard files them and every host answers them (spec 7.7 to 7.9).
//!
//! In: what a store says of a filed call; who answers a record. Out: where the call stands, in words for its caller; the answer as the call's
//! rules admit it. Must not decide: a grant is shown to the engine, and nothing else lets a call through. Must not tell a caller how a person
//! answers: it may have a shell.

use std::time::Duration;

use callgate::StoreError;
use callgate::store::{ApprovalAnswer, ApprovalRecord, ApprovalState, Filed};
use callgate::time::Timestamp;

/// For how long a grant holds where neither the host nor the policy says.
const HOUR: Duration = Duration::from_secs(3_600);

/// Where a call stands that a rule asks to approve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is filed, by this call or by an earlier one, and waits.
    Waits {
        /// The record's id.
        id: String,
        /// Whether this call filed it.
        is_new: bool,
    },
    /// A person said no.
    Denied {
        /// The record's id.
        id: String,
        /// Who said so.
        who: Option<String>,
    },
    /// A person said yes: the call is to be decided once more, with this approval.
    Granted {
        /// The approval's own id.
        approval: String,
        /// When it was given.
        given_at: Timestamp,
        /// Who gave it.
        who: Option<String>,
    },
    /// It was not filed: as many calls wait as may (spec 7.11).
    Full,
    /// The store cannot say.
    Unavailable,
}

impl Standing {
    /// What a store's answer to a call that is filed means for the call.
    pub fn of(filed: Result<Filed, StoreError>) -> Self {
        let (record, is_new) = match filed {
            Ok(Filed::New(record)) => (*record, true),
            Ok(Filed::Found(record)) => (*record, false),
            Ok(Filed::Full) => return Self::Full,
            Err(_) => return Self::Unavailable,
        };
        let granted = record.approval_id().zip(record.given_at());
        let who = record.answer.map(|(who, _)| who);
        match (record.state, granted) {
            (ApprovalState::Granted, Some((approval, given_at))) => Self::Granted { approval, given_at, who },
            (ApprovalState::Denied, _) => Self::Denied { id: record.id, who },
            _ => Self::Waits { id: record.id, is_new },
        }
    }

    /// The record's id, for a caller that is refused.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Waits { id, .. } | Self::Denied { id, .. } => Some(id),
            Self::Granted { .. } | Self::Full | Self::Unavailable => None,
        }
    }

    /// What a caller that is refused is told behind the decision's own words; `None` of a grant.
    pub fn told(&self) -> Option<String> {
        Some(match self {
            Self::Waits { id, .. } => {
                format!(
                    "It waits for a person's approval as {id}. Once it is approved, make the same call again."
                )
            }
            Self::Denied { id, .. } => format!("A person has denied it ({id}). Do not make it again."),
            Self::Full => "It was not filed: too many calls wait for a person already.".to_owned(),
            Self::Unavailable => "It could not be filed for a person. Try again later.".to_owned(),
            Self::Granted { .. } => return None,
        })
    }
}

/// Somebody answered whom the rules that ask do not name. Holds those that they do: empty where no name is in the `approvers` of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAnApprover(pub Vec<String>);

/// The grant of a filed call by `by`: for as long as is asked, else as its rules say, else an hour, and no longer than its rules let an
/// approval hold, so that the call is filed anew once that has passed.
///
/// # Errors
/// [`NotAnApprover`] where the call's rules name who may approve, and `by` is none of them.
pub fn grant(
    record: &ApprovalRecord,
    by: &str,
    asked: Option<Duration>,
) -> Result<ApprovalAnswer, NotAnApprover> {
    if let Some(names) = record.call.may_approve().filter(|names| !names.contains(&by)) {
        return Err(NotAnApprover(names.into_iter().map(str::to_owned).collect()));
    }
    let valid_for = record.call.valid_for.map(Duration::from_secs);
    let lasts = asked.or(valid_for).unwrap_or(HOUR);
    Ok(ApprovalAnswer::grant(by, valid_for.map_or(lasts, |most| lasts.min(most))))
}
