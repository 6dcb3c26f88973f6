//! Calls that wait for a person's approval, in a store (spec 7.7 to 7.12).
//!
//! In: a decision that asks for approval, to file it; a record's id, to show or answer it. Out: where the call stands; records as plain
//! objects. Must not decide: a grant is an approval for the engine.

use std::sync::Arc;
use std::time::Duration;

use callgate::store::{
    Answered, ApprovalAnswer, ApprovalArgs, ApprovalCall, ApprovalRecord, ApprovalRequest, Approvals,
    FiledCall,
};
use callgate::time::Timestamp;
use callgate::value::RawJson;
use callgate::{ArgsHash, AuditedCall, Call, StoreError};
use callgate_host::{NotAnApprover, SharedStore, Standing, grant};
use napi::bindgen_prelude::Either;
use napi::{Env, JsValue as _, Task, Unknown};
use napi_derive::napi;

use crate::failure::{Failure, failure, parts, store_failure};
use crate::promise::{carried, resolved};

/// What a store is told of a call beside its decision.
#[napi(object, object_to_js = false)]
pub struct Filing {
    /// The server that would run it.
    pub server: String,
    /// The caller's id.
    pub caller: Option<String>,
    /// What is kept of the arguments: `none`, `keys` or `full`.
    pub shown: String,
    /// Their text.
    pub args: String,
    /// What the host's clock shows, in milliseconds since the epoch.
    pub now: Option<f64>,
}

/// Where a filed call stands.
#[napi(object, object_from_js = false)]
pub(crate) struct Stands {
    /// `waits`, `denied`, `granted`, `full` or `unavailable`.
    pub state: String,
    /// The record's id, if the caller may be told one.
    pub id: Option<String>,
    /// What a caller that is refused is told.
    pub told: Option<String>,
    /// Whether this call filed it.
    pub is_new: bool,
    /// Who answered.
    pub who: Option<String>,
    /// The approval's own id, of a grant.
    pub approval: Option<String>,
    /// When it was given, in milliseconds since the epoch.
    pub given_at: Option<f64>,
}

impl From<Standing> for Stands {
    fn from(standing: Standing) -> Self {
        let (id, told) = (standing.id().map(str::to_owned), standing.told());
        let none =
            Self { state: String::new(), id, told, is_new: false, who: None, approval: None, given_at: None };
        match standing {
            Standing::Waits { is_new, .. } => Self { state: "waits".to_owned(), is_new, ..none },
            Standing::Denied { who, .. } => Self { state: "denied".to_owned(), who, ..none },
            Standing::Granted { approval, given_at, who } => {
                let given_at = Some(given_at.as_millis() as f64);
                Self { state: "granted".to_owned(), who, approval: Some(approval), given_at, ..none }
            }
            Standing::Full => Self { state: "full".to_owned(), ..none },
            Standing::Unavailable => Self { state: "unavailable".to_owned(), ..none },
        }
    }
}

/// What is kept of the arguments.
pub(crate) fn kept(shown: &str, text: &str) -> Result<ApprovalArgs, Failure> {
    match shown {
        "none" => Ok(ApprovalArgs::Omitted),
        "keys" => {
            let names = RawJson::parse(text)
                .map(|raw| AuditedCall::new(&Call::new("", raw.root()), ArgsHash::None).keys().to_vec());
            Ok(ApprovalArgs::keys(&names.unwrap_or_default()))
        }
        "full" => Ok(ApprovalArgs::full(text)),
        _ => Err(failure("invalid_option", "what is kept of arguments is `none`, `keys` or `full`")),
    }
}

/// The promise of where a call stands that is filed now.
pub(crate) fn file<'e>(
    env: &'e Env,
    store: &SharedStore,
    call: ApprovalCall,
    args: ApprovalArgs,
    now: Timestamp,
) -> Result<Unknown<'e>, Failure> {
    let request = ApprovalRequest { call, args };
    let promise = match store.approvals_nonblocking() {
        None => resolved(env, Stands::from(Standing::of(store.approvals().file(&request, now)))),
        Some(approvals) => {
            let file = async move { Standing::of(approvals.file(&request, now).await) };
            carried(env, file, |standing| Ok(Stands::from(standing.unwrap_or(Standing::Unavailable))))
        }
    };
    promise.map_err(|error| failure("internal", error.reason))
}

/// A record of a store.
#[napi(object, object_from_js = false)]
pub(crate) struct FiledRecord {
    /// Its id.
    pub id: String,
    /// `pending`, `granted`, `denied` or `used`.
    pub state: String,
    /// The server that would run it.
    pub server: String,
    /// The method.
    pub method: String,
    /// The tool; none for another method.
    pub tool: Option<String>,
    /// The caller's id, if it has one.
    pub caller: Option<String>,
    /// The rules that ask, by name or place.
    pub rules: Vec<String>,
    /// The policy's digest.
    pub policy: String,
    /// The approval key.
    pub key: String,
    /// How many calls an approval lets through.
    pub uses: u32,
    /// For how many seconds, where the rules say so.
    pub valid_for: Option<f64>,
    /// Who may approve; none for anybody.
    pub approvers: Option<Vec<String>>,
    /// The paths that an approval does not cover.
    pub ignored: Vec<String>,
    /// When it was filed, in milliseconds since the epoch.
    pub filed_at: f64,
    /// Until when it stands.
    pub until: f64,
    /// When it was answered.
    pub answered_at: Option<f64>,
    /// Who answered.
    pub by: Option<String>,
    /// What is kept of the arguments, where one record was asked for.
    pub args: Option<FiledArgs>,
}

/// What is kept of a call's arguments.
#[napi(object, object_from_js = false)]
pub(crate) struct FiledArgs {
    /// `none`, `keys`, `full` or `cut`.
    pub kind: String,
    /// Their names.
    pub keys: Option<Vec<String>>,
    /// Their text, or its beginning.
    pub text: Option<String>,
    /// Bytes of the whole text.
    pub bytes: Option<f64>,
}

impl From<ApprovalRecord> for FiledRecord {
    fn from(record: ApprovalRecord) -> Self {
        let (by, answered_at) = record.answer.clone().unzip();
        let ApprovalRecord { id, state, call, filed_at, until, .. } = record;
        let approvers = call.may_approve().map(|names| names.into_iter().map(str::to_owned).collect());
        Self {
            id,
            state: state.as_str().to_owned(),
            server: call.server,
            method: call.method,
            tool: call.tool,
            caller: call.caller,
            rules: call.rules,
            policy: call.policy,
            key: call.key,
            uses: call.uses,
            valid_for: call.valid_for.map(|seconds| seconds as f64),
            approvers,
            ignored: call.ignored,
            filed_at: filed_at.as_millis() as f64,
            until: until.as_millis() as f64,
            answered_at: answered_at.map(|at| at.as_millis() as f64),
            by,
            args: None,
        }
    }
}

impl From<FiledCall> for FiledRecord {
    fn from(FiledCall { record, args }: FiledCall) -> Self {
        let kind = args.kind().to_owned();
        let (keys, text, bytes) = match args {
            ApprovalArgs::Omitted => (None, None, None),
            ApprovalArgs::Keys(names) => (Some(names), None, None),
            ApprovalArgs::Full(text) => {
                let bytes = text.len() as f64;
                (None, Some(text), Some(bytes))
            }
            ApprovalArgs::Cut { text, bytes } => (None, Some(text), Some(bytes as f64)),
        };
        Self { args: Some(FiledArgs { kind, keys, text, bytes }), ..Self::from(record) }
    }
}

/// What a person does with the calls that wait.
pub(crate) enum Desk {
    List,
    Find(String),
    Answer { id: String, grants: bool, by: String, lasts: Option<Duration> },
}

/// A question to a store, on a thread where blocking is no harm.
pub(crate) struct AtDesk {
    pub(crate) approvals: Arc<dyn Approvals>,
    pub(crate) desk: Desk,
    pub(crate) now: Timestamp,
}

/// Records: all, or at most one.
type Shown = Vec<FiledRecord>;

/// For how long a denial holds where nobody says.
const DAY: Duration = Duration::from_secs(86_400);

impl AtDesk {
    fn ask(&self) -> Result<Shown, Failure> {
        let failed = |error: StoreError| store_failure(&error);
        match &self.desk {
            Desk::List => Ok(self
                .approvals
                .filed(self.now)
                .map_err(failed)?
                .into_iter()
                .map(FiledRecord::from)
                .collect()),
            Desk::Find(id) => Ok(self
                .approvals
                .find(id, self.now)
                .map_err(failed)?
                .map(FiledRecord::from)
                .into_iter()
                .collect()),
            Desk::Answer { id, grants, by, lasts } => {
                let Some(found) = self.approvals.find(id, self.now).map_err(failed)? else {
                    return Ok(Vec::new());
                };
                let answer = match grants {
                    true => grant(&found.record, by, *lasts).map_err(|NotAnApprover(names)| {
                        failure(
                            "not_an_approver",
                            format!("the policy's approvers are: {}", names.join(", ")),
                        )
                    })?,
                    false => ApprovalAnswer::deny(by, lasts.unwrap_or(DAY)),
                };
                match self.approvals.answer(id, &answer, self.now).map_err(failed)? {
                    Answered::Done(record) => Ok(vec![FiledRecord::from(*record)]),
                    Answered::Used(record) => Err(failure(
                        "approval_used",
                        format!("{} was let through before: the same call, repeated, asks again", record.id),
                    )),
                    Answered::Unknown => Ok(Vec::new()),
                }
            }
        }
    }

    /// The promise of the records, or of the code and the message of what went wrong.
    pub(crate) fn promise(self, env: &Env) -> Result<Unknown<'_>, Failure> {
        let promise = env.spawn(self).map(|task| task.promise_object().to_unknown());
        promise.map_err(|error| failure("internal", error.reason))
    }
}

impl Task for AtDesk {
    type Output = Either<Shown, Vec<String>>;
    type JsValue = Either<Shown, Vec<String>>;

    fn compute(&mut self) -> napi::Result<Self::Output> {
        Ok(match self.ask() {
            Ok(records) => Either::A(records),
            Err(failed) => Either::B(parts(failed)),
        })
    }

    fn resolve(&mut self, _env: Env, output: Self::Output) -> napi::Result<Self::JsValue> {
        Ok(output)
    }
}
