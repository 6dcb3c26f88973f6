//! Calls that wait for a person's approval (spec 7.7 to 7.12).
//!
//! In: a call, or an answer. Out: one command, and from its reply the record. Must not trust the reply's form: any other is an error.

use callgate::StoreError;
use callgate::ceilings::{APPROVAL_DAYS, APPROVAL_PENDING_HOURS, FILED_APPROVALS, PENDING_APPROVALS};
use callgate::store::{
    Answered, ApprovalAnswer, ApprovalArgs, ApprovalCall, ApprovalRecord, ApprovalRequest, ApprovalState,
    Approvals, Filed, FiledCall, Transport as _, new_approval_id,
};
use callgate::time::Timestamp;
use redis::Value;

use crate::key::Keys;
use crate::reply::{integer, items, mismatch, text, time};
use crate::request::{Given, Request, clock};
use crate::script::Script;
use crate::store::RedisStore;

/// How many ids a call is filed under, one after the other: a single one is hardly ever taken.
const IDS: usize = 4;

/// The states as they are stored.
const STATES: [(i64, ApprovalState); 3] =
    [(0, ApprovalState::Pending), (1, ApprovalState::Granted), (2, ApprovalState::Denied)];

/// Files a call.
pub(crate) fn file(keys: &Keys, request: &ApprovalRequest, now: Given) -> Request {
    let mut command = begin(Script::File, keys, 8 + IDS, now);
    command.push(request.call.place().as_bytes());
    command.push(request.call.to_text().as_bytes());
    command.push(request.args.to_text().as_bytes());
    command.push_digits(APPROVAL_PENDING_HOURS.saturating_mul(3_600_000));
    for ceiling in [PENDING_APPROVALS, FILED_APPROVALS] {
        command.push_digits(i64::try_from(ceiling).unwrap_or(i64::MAX));
    }
    command.push(keys.approvals().as_bytes());
    (0..IDS).for_each(|_| command.push(new_approval_id().as_bytes()));
    command
}

/// Reads the reply to [`file`].
pub(crate) fn filed(reply: &Value) -> Result<Filed, StoreError> {
    let read = || {
        Some(match items(reply)? {
            [code, row] if integer(code) == Some(0) => Filed::New(Box::new(record(row)?)),
            [code, row] if integer(code) == Some(1) => Filed::Found(Box::new(record(row)?)),
            [code] if integer(code) == Some(2) => Filed::Full,
            _ => return None,
        })
    };
    read().ok_or_else(mismatch)
}

/// Shows all, or one.
fn show(keys: &Keys, id: Option<&str>, now: Given) -> Request {
    let mut command = begin(Script::FiledCalls, keys, if id.is_some() { 3 } else { 2 }, now);
    command.push(keys.approvals().as_bytes());
    if let Some(id) = id {
        command.push(id.as_bytes());
    }
    command
}

/// Answers one.
fn reply_to(keys: &Keys, id: &str, answer: &ApprovalAnswer, now: Given) -> Request {
    let state = STATES.iter().find(|(_, state)| *state == answer.state()).map_or(0, |(number, _)| *number);
    let mut command = begin(Script::Answer, keys, 7, now);
    command.push(id.as_bytes());
    command.push_digits(state);
    command.push(answer.by().as_bytes());
    command.push_digits(answer.lasts_millis());
    command.push(keys.approvals().as_bytes());
    command.push_digits(APPROVAL_DAYS.saturating_mul(86_400_000));
    command
}

fn answered(reply: &Value) -> Option<Answered> {
    Some(match items(reply)? {
        [code, row] if integer(code) == Some(0) => Answered::Done(Box::new(record(row)?)),
        [code, row] if integer(code) == Some(1) => Answered::Used(Box::new(record(row)?)),
        [code] if integer(code) == Some(2) => Answered::Unknown,
        _ => return None,
    })
}

/// A command on the two keys, which as many arguments follow: the time is pushed, and the others must be.
fn begin(script: Script, keys: &Keys, arguments: usize, now: Given) -> Request {
    let mut command = Request::new(script, 2, arguments);
    command.push_keys(|bytes| keys.push_filed(bytes));
    command.push(clock(now).to_string().as_bytes());
    command
}

/// A record as `lua/filed.lua` shows it; `None` for any other form, and for what this version cannot read.
fn record(row: &Value) -> Option<ApprovalRecord> {
    let [id, state, filed, ends, answered, by, call, spent] = items(row)? else { return None };
    let string = |value| String::from_utf8(text(value)?.to_vec()).ok();
    let state = integer(state)?;
    let (_, state) = STATES.into_iter().find(|(number, _)| *number == state)?;
    let call = ApprovalCall::from_text(&string(call)?)?;
    let mut record = ApprovalRecord::pending(string(id)?, call, time(filed)?);
    record.until = time(ends)?;
    record.state = state;
    if state != ApprovalState::Pending {
        record.answer = Some((string(by)?, time(answered)?));
    }
    Some(if integer(spent)? == 0 { record } else { record.spent() })
}

impl RedisStore {
    fn ask(&self, request: Request) -> Result<Value, StoreError> {
        self.remote.transport().carry(request)
    }
}

impl Approvals for RedisStore {
    fn file(&self, request: &ApprovalRequest, now: Timestamp) -> Result<Filed, StoreError> {
        let scripts = self.remote.protocol();
        filed(&self.ask(file(&scripts.keys, request, scripts.given(now)))?)
    }

    fn filed(&self, now: Timestamp) -> Result<Vec<ApprovalRecord>, StoreError> {
        let scripts = self.remote.protocol();
        let reply = self.ask(show(&scripts.keys, None, scripts.given(now)))?;
        let mut records: Vec<_> = items(&reply).ok_or_else(mismatch)?.iter().filter_map(record).collect();
        records.sort_by(|one, other| (one.filed_at, &one.id).cmp(&(other.filed_at, &other.id)));
        Ok(records)
    }

    fn find(&self, id: &str, now: Timestamp) -> Result<Option<FiledCall>, StoreError> {
        let scripts = self.remote.protocol();
        let reply = self.ask(show(&scripts.keys, Some(id), scripts.given(now)))?;
        match items(&reply).ok_or_else(mismatch)? {
            [] => Ok(None),
            [row, args] => {
                let args = text(args).and_then(|args| ApprovalArgs::from_text(str::from_utf8(args).ok()?));
                Ok(record(row).zip(args).map(|(record, args)| FiledCall { record, args }))
            }
            _ => Err(mismatch()),
        }
    }

    fn answer(&self, id: &str, answer: &ApprovalAnswer, now: Timestamp) -> Result<Answered, StoreError> {
        let scripts = self.remote.protocol();
        let reply = self.ask(reply_to(&scripts.keys, id, answer, scripts.given(now)))?;
        answered(&reply).ok_or_else(mismatch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn row(state: i64, answered: i64, spent: i64) -> Value {
        let call =
            r#"{"key":"k","server":"s","method":"m","tool":null,"caller":null,"rules":[],"policy":"p"}"#;
        Value::Array(vec![
            bulk("00000000"),
            Value::Int(state),
            Value::Int(5),
            Value::Int(9),
            Value::Int(answered),
            bulk("alice"),
            bulk(call),
            Value::Int(spent),
        ])
    }

    #[test]
    fn a_record_is_read_as_it_is_shown() {
        let read = record(&row(1, 7, 0)).unwrap();
        assert_eq!(read.answer, Some(("alice".to_owned(), Timestamp::from_millis(7))));
        assert_eq!((read.state, read.approval_id().as_deref()), (ApprovalState::Granted, Some("00000000-7")));
        assert_eq!(record(&row(1, 7, 1)).unwrap().state, ApprovalState::Used);
        assert_eq!(record(&row(0, -1, 0)).unwrap().answer, None);
        assert_eq!(record(&row(3, 7, 0)), None);
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let code = |code, row| Value::Array(vec![Value::Int(code), row]);
        assert!(matches!(filed(&code(0, row(0, -1, 0))), Ok(Filed::New(_))));
        assert_eq!(filed(&Value::Array(vec![Value::Int(2)])), Ok(Filed::Full));
        for wrong in [
            Value::Nil,
            Value::Array(vec![]),
            Value::Array(vec![Value::Int(0)]),
            code(2, row(0, -1, 0)),
            code(0, Value::Array(vec![])),
            code(1, row(9, -1, 0)),
        ] {
            assert!(filed(&wrong).is_err() && answered(&wrong).is_none(), "{wrong:?}");
        }
    }
}
