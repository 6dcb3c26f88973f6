//! `callgate approvals`: lists, shows and answers calls that wait for a person's approval (spec 7.7 to 7.12).
//!
//! In: a store's URL, and ids. Out: a row or a JSON object for each call. Must not print an argument but for `show`.

mod show;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::Duration;

use callgate::ceilings::APPROVAL_DAYS;
use callgate::store::{Answered, ApprovalAnswer, ApprovalArgs, ApprovalRecord, ApprovalState, FiledCall};
use callgate::time::{Clock as _, SystemClock, Timestamp};
use callgate_gateway::state;
use callgate_host::{NotAnApprover, SharedStore, StoreOptions, open_store};

use super::output;
use crate::args::{
    ApprovalsCommand, ApprovalsFormat, ApprovalsListArgs, ApproveArgs, DenyArgs, Place, ShowArgs,
};
use crate::failure::{Failure, NO, Outcome, answered, tell};
use crate::terminal::shown;

/// A record, and the namespace that it is in.
struct Entry {
    namespace: String,
    record: ApprovalRecord,
}

pub(crate) fn run(command: &ApprovalsCommand) -> Outcome {
    match command {
        ApprovalsCommand::List(args) => list(args),
        ApprovalsCommand::Show(args) => show(args),
        ApprovalsCommand::Approve(ApproveArgs { ids, lasts, by, unseen, place }) => {
            let lasts = lasts.map(checked).transpose()?;
            let answer = ApprovalAnswer::grant(&name(by.as_deref())?, lasts.unwrap_or_default());
            answer_all(ids, &answer, lasts, *unseen, place)
        }
        ApprovalsCommand::Deny(DenyArgs { ids, lasts, by, place }) => {
            let answer = ApprovalAnswer::deny(&name(by.as_deref())?, checked(*lasts)?);
            answer_all(ids, &answer, None, true, place)
        }
    }
}

fn list(args: &ApprovalsListArgs) -> Outcome {
    let now = SystemClock.now();
    let mut entries = Vec::new();
    for (namespace, store) in desks(&args.place)? {
        let filed = store.approvals().filed(now)?.into_iter();
        let shown = filed.filter(|record| args.all || record.state == ApprovalState::Pending);
        entries.extend(shown.map(|record| Entry { namespace: namespace.clone(), record }));
    }
    entries.sort_by_key(|entry| entry.record.filed_at);
    let mut out = output();
    let written = show::rows(&mut out, args.place.format, args.all, &entries, now);
    answered(written.and_then(|()| Ok(out.flush()?)), 0)
}

fn show(args: &ShowArgs) -> Outcome {
    let now = SystemClock.now();
    let Some((_, namespace, FiledCall { record, args: kept })) = find(&args.place, &args.id, now)? else {
        return unknown(&args.id);
    };
    let mut out = output();
    let entry = Entry { namespace, record };
    let written = show::whole(&mut out, args.place.format, &entry, &kept, now);
    answered(written.and_then(|()| Ok(out.flush()?)), 0)
}

/// Answers calls one after the other. One that cannot be answered keeps no other from being answered.
fn answer_all(
    ids: &[String],
    answer: &ApprovalAnswer,
    asked: Option<Duration>,
    unseen: bool,
    place: &Place,
) -> Outcome {
    let now = SystemClock.now();
    let mut out = output();
    let mut status = 0;
    let mut done = BTreeSet::new();
    for id in ids.iter().filter(|id| done.insert(spelt(id))) {
        let Some((store, namespace, found)) = find(place, id, now)? else {
            unknown(id)?;
            status = NO;
            continue;
        };
        if let (ApprovalArgs::Cut { bytes, .. }, false) = (&found.args, unseen) {
            let message = format!(
                "{id} was not approved: its arguments have {bytes} bytes, and only the beginning can be shown"
            );
            tell("error", &message, Some("`--unseen` approves it all the same"));
            status = NO;
            continue;
        }
        let answer = &match answer.state() {
            ApprovalState::Granted => match grant(id, &found.record, answer.by(), asked) {
                Ok(grant) => grant,
                Err(who) => {
                    tell(
                        "error",
                        &format!("{id} was not approved: {} may not approve it", answer.by()),
                        Some(&who),
                    );
                    status = NO;
                    continue;
                }
            },
            _ => answer.clone(),
        };
        match store.approvals().answer(&found.record.id, answer, now)? {
            Answered::Done(record) => {
                let entry = Entry { namespace, record: *record };
                show::answer(&mut out, place.format, &entry)?;
            }
            Answered::Used(_) => {
                let help = "the same call, repeated, asks for approval again";
                tell("error", &format!("{id} was let through before"), Some(help));
                status = NO;
            }
            Answered::Unknown => {
                unknown(id)?;
                status = NO;
            }
        }
    }
    answered(out.flush().map_err(Failure::from), status)
}

/// The grant of a call. Where its rules do not name who answers, who may.
fn grant(
    id: &str,
    record: &ApprovalRecord,
    by: &str,
    asked: Option<Duration>,
) -> Result<ApprovalAnswer, String> {
    let answer = callgate_host::grant(record, by, asked).map_err(|NotAnApprover(names)| {
        let names: Vec<_> = names.iter().map(|name| shown(name)).collect();
        match names.is_empty() {
            true => "no name is in the `approvers` of every rule that asks: the policy has to be changed"
                .to_owned(),
            false => {
                format!("the policy's `approvers` are {}: name yourself by `--by NAME`", names.join(", "))
            }
        }
    })?;
    if let Some(valid_for) = record.call.valid_for
        && asked.is_some_and(|asked| asked > Duration::from_secs(valid_for))
    {
        tell("note", &format!("{id}: the policy lets an approval hold {valid_for} seconds, no longer"), None);
    }
    Ok(answer)
}

fn unknown(id: &str) -> Outcome {
    let help = "`callgate approvals list --all` shows those that are there; a call that nobody answers goes after a day";
    tell("error", &format!("no call has the id {id}"), Some(help));
    answered(Ok(()), NO)
}

/// The record with an id, and the handle on its namespace.
fn find(
    place: &Place,
    id: &str,
    now: Timestamp,
) -> Result<Option<(SharedStore, String, FiledCall)>, Failure> {
    let id = spelt(id);
    let mut found = None;
    for (namespace, store) in desks(place)? {
        if let Some(filed) = store.approvals().find(&id, now)?
            && found.replace((store, namespace, filed)).is_some()
        {
            return Err(Failure::with_help(
                format!("calls of several namespaces have the id {id}"),
                "say which by `--namespace`",
            ));
        }
    }
    Ok(found)
}

/// An id as stores spell it, however it was read out and typed.
fn spelt(id: &str) -> String {
    let letter = |letter: char| match letter.to_ascii_lowercase() {
        'o' => '0',
        'i' | 'l' => '1',
        letter => letter,
    };
    id.trim().chars().map(letter).collect()
}

/// The namespaces in which to look, with a handle on each.
fn desks(place: &Place) -> Result<Vec<(String, SharedStore)>, Failure> {
    let url = match &place.store {
        Some(url) if url == "memory" => {
            return Err(Failure::with_help(
                "calls that are filed in memory are those of one process",
                "give the gateway a store that other processes can open, such as `sqlite:///path`",
            ));
        }
        Some(url) => url.clone(),
        None => {
            let file = state::store().ok_or_else(|| {
                Failure::with_help("there is no state directory", "name a store by `--store URL`")
            })?;
            // No gateway has made it yet.
            if !file.exists() {
                return Ok(Vec::new());
            }
            let path = file.to_str().ok_or_else(|| {
                Failure::new(format!("{} is not UTF-8: name a store by --store", file.display()))
            })?;
            format!("sqlite://{path}")
        }
    };
    let mut options = StoreOptions::new().existing_only();
    if let Some(namespace) = &place.namespace {
        options = options.with_namespace(namespace);
    }
    let store = open_store(&url, &options)?;
    if let Some(namespace) = &place.namespace {
        return Ok(vec![(namespace.clone(), store)]);
    }
    let names = store.filed_namespaces()?.ok_or_else(|| {
        let help = "name one by `--namespace`: a gateway takes its server's name, unless told otherwise";
        Failure::with_help("this store cannot tell which namespaces it has", help)
    })?;
    names.into_iter().map(|name| Ok((name.clone(), store.namespaced(&name)?))).collect()
}

fn checked(lasts: Duration) -> Result<Duration, Failure> {
    let most = Duration::from_secs(APPROVAL_DAYS.unsigned_abs().saturating_mul(86_400));
    if lasts.is_zero() || lasts > most {
        return Err(Failure::new(format!("`--for` takes more than nothing and at most {APPROVAL_DAYS}d")));
    }
    Ok(lasts)
}

/// Who answers: as given, else the user that the system knows.
fn name(given: Option<&str>) -> Result<String, Failure> {
    let name = given.map(str::to_owned).or_else(user).filter(|name| !name.trim().is_empty());
    name.ok_or_else(|| Failure::with_help("nobody is named who answers", "name yourself by `--by NAME`"))
}

/// By the process's user id: a variable of the environment could name anybody.
#[cfg(unix)]
fn user() -> Option<String> {
    use nix::unistd::{Uid, User};
    let id = Uid::current();
    let user = User::from_uid(id).ok().flatten();
    Some(user.map_or_else(|| format!("user {id}"), |user| user.name))
}

#[cfg(not(unix))]
fn user() -> Option<String> {
    std::env::var("USERNAME").ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_people_type_them() {
        assert_eq!(spelt(" K3X9M2AB "), "k3x9m2ab");
        assert_eq!(spelt("OIL0"), "0110");
    }
}
