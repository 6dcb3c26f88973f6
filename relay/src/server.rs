//! Messages of the server.

use std::collections::HashSet;

use callgate::Outcome;
use callgate::lock::OnDrift;

use crate::answer;
use crate::client::{LONGEST_ID, own_question};
use crate::frame::{INTERNAL_ERROR, INVALID_REQUEST};
use crate::id::Id;
use crate::list::{self, Listed, Listing};
use crate::machine::{
    Action, Asked, Called, Caller, InFlight, Note, Peer, Relay, Resumable, RoundKey, Running, State, digest,
    to_client,
};
use crate::members::{Members, string};
use crate::mistake::{Mistake::*, is_made};
use crate::server_frame::{self, Answer, Ended, ServerFrame};
use crate::tools::Step;

/// The most bytes of a revision's name: they are dates.
pub(crate) const LONGEST_VERSION: usize = 64;

impl Relay {
    /// A message of the server, without its line feed. `now` is in milliseconds from the same start as for the client's.
    /// `tag` as for the client's.
    pub fn from_server(&mut self, line: &[u8], tag: u64, now: u64) -> Vec<Action> {
        let read = server_frame::read(line);
        // Where a client may read another list or request than is judged here, nothing has been judged.
        if self.decides_requests() || self.pinned.is_some() {
            let (id, method) = match &read {
                Ok(ServerFrame::Request { id, method }) => (Some(id), Some(method)),
                Ok(ServerFrame::Notification { method }) => (None, Some(method)),
                Ok(ServerFrame::Response { id, .. }) => (Some(id), None),
                Err((_, id)) => (id.as_ref(), None),
            };
            if read.is_ok() && Self::is_ambiguous(line) {
                let reason = "some readers may read another message in it";
                let request = id.filter(|_| method.is_none()).and_then(|id| self.take(id));
                return match request {
                    Some(request) => unreadable(request, reason, tag),
                    None => vec![dropped(reason)],
                };
            }
        }
        if let Ok(ServerFrame::Request { id, .. }) = &read {
            if self.asked_by_server.len() >= self.options.max_in_flight && id.len() <= LONGEST_ID {
                const REASON: &str = "the server has too many requests in flight";
                let error = answer::error(Some(&id.text()), INVALID_REQUEST, REASON, None);
                let message = error.into_bytes();
                let told = Action::Send { to: Peer::Server, tag, call: None, message };
                return vec![told, dropped(REASON)];
            }
            if id.len() > LONGEST_ID {
                return vec![dropped("the server's request has an id that is too long")];
            }
            if self.asked_by_server.contains_key(id) {
                return vec![dropped("the server's request has the id of another")];
            }
        }
        if let Ok(ServerFrame::Request { method, .. } | ServerFrame::Notification { method }) = &read
            && !(is_made(FullServerPasses) && self.asked_by_server.len() >= self.options.max_in_flight)
            && let Some(actions) = self.server_asks(line, tag, method)
        {
            return actions;
        }
        match read {
            Ok(ServerFrame::Request { id, .. }) => {
                self.asked_by_server.insert(id, Asked::Passed);
                vec![pass(line, tag)]
            }
            Ok(ServerFrame::Notification { method }) => {
                let mut actions = vec![pass(line, tag)];
                match &*method {
                    "notifications/tools/list_changed" if self.tools.was_asked() => {
                        self.ask_again(None, tag, now, &mut actions);
                    }
                    "notifications/subscriptions/acknowledged" => {
                        let listens = server_frame::acknowledged(line);
                        if let Some(InFlight::Other(listens)) =
                            listens.and_then(|id| self.in_flight.get_mut(&id))
                        {
                            listens.hears_of_tools = true;
                        }
                    }
                    "notifications/cancelled" => {
                        if let Some(id) = server_frame::cancelled(line) {
                            let (is_known, finish) = self.server_gave_up(&id);
                            if !is_known {
                                actions.clear();
                            }
                            actions.extend(finish);
                        }
                    }
                    _ => {}
                }
                actions
            }
            Ok(ServerFrame::Response { id, answer }) => self.answered(line, tag, &id, answer, now),
            Err((reason, id)) => {
                let mut actions = vec![dropped(reason)];
                // Its client would wait for ever.
                if let Some(request) = id.and_then(|id| self.take(&id)) {
                    actions.extend(unreadable(request, reason, tag));
                }
                actions
            }
        }
    }

    /// Takes a request out whose answer is here.
    pub(crate) fn take(&mut self, id: &Id) -> Option<InFlight> {
        let request = self.in_flight.remove(id)?;
        let is_known = match &request {
            InFlight::Call(running) => matches!(running.state, State::Sent),
            InFlight::List(list) => list.waits.is_none(),
            InFlight::Initialize { .. } | InFlight::Other(_) => true,
        };
        if !is_known {
            // The server cannot answer what it does not know, nor twice.
            self.in_flight.insert(id.clone(), request);
            return None;
        }
        if let InFlight::Call(running) = &request {
            self.calls.remove(&running.call);
        }
        Some(request)
    }

    fn answered(&mut self, line: &[u8], tag: u64, id: &Id, answer: Answer<'_>, now: u64) -> Vec<Action> {
        if self.tools.asked_with(id) {
            return self.tools_answered(answer);
        }
        if self.cancelled.remove(&id.digest()) {
            return vec![dropped("an answer to a request that was cancelled")];
        }
        let Some(request) = self.take(id) else {
            let reason = "an answer that nobody asked for";
            return vec![if is_made(AnswersForNobody) { pass(line, tag) } else { dropped(reason) }];
        };
        let request = match self.hold_for_inputs(line, tag, id, request, answer) {
            Ok(actions) => return actions,
            Err(request) => request,
        };
        match (request, answer) {
            (InFlight::List(list), Answer::Result(result)) => {
                let caller = if is_made(ListOfNobody) { Caller::default() } else { list.caller };
                let kind = list.kind;
                if kind != Listing::Tools && !self.decides_requests() {
                    return vec![pass(line, tag)];
                }
                let options = &self.options;
                let pins = self.pinned.as_ref().filter(|_| kind == Listing::Tools);
                let hides =
                    pins.is_some_and(|pinned| pinned.on_drift == OnDrift::Hide) && !is_made(ChangedListed);
                let mut seen: Vec<(String, bool)> = Vec::new();
                let mut shows = |listed: &Listed| match kind.params(&listed.name) {
                    None => {
                        if pins.is_some() {
                            seen.push((listed.name.clone(), listed.is_changed));
                        }
                        (is_made(HiddenListed) || (options.visible)(caller, &listed.name))
                            && !(listed.is_changed && hides)
                    }
                    Some((method, params)) => {
                        is_made(ResourcesListed) || (options.shows)(caller, method, &params)
                    }
                };
                // What may be read can depend on who asks.
                let by_caller = kind != Listing::Tools || (options.by_caller)(caller);
                let pins = pins.map(|pinned| &pinned.pins);
                let filtered = list::filtered(result, kind, options.max_list, pins, &mut shows, by_caller);
                let is_last = filtered.as_ref().is_ok_and(|page| page.is_last);
                let again = match kind {
                    Listing::Tools => self.saw(caller, &seen, (list.begins, is_last), (tag, now)),
                    _ => Vec::new(),
                };
                let mut actions = match filtered.map(|page| page.written) {
                    Ok(None) => vec![pass(line, tag)],
                    Ok(Some((result, hidden))) => {
                        let mut actions = vec![to_client(tag, answer::result(&list.id_text, &result))];
                        let note = Note::ListFiltered { method: kind.method(), hidden };
                        actions.extend((hidden > 0).then_some(Action::Note(note)));
                        actions
                    }
                    Err(_) if is_made(BrokenListPasses) => vec![pass(line, tag)],
                    Err(reason) => unreadable(InFlight::List(list), reason, tag),
                };
                actions.extend(again);
                actions
            }
            (InFlight::Call(running), answer) => self.call_answered(line, tag, *running, answer, now),
            (InFlight::Initialize { .. }, Answer::Result(result)) => {
                let members = Members::read(result);
                let member = |name| members.as_ref().and_then(|members| members.only(name));
                let version = member("protocolVersion").and_then(string);
                self.protocol = version.filter(|version| version.len() <= LONGEST_VERSION);
                self.tells_of_tools = member("capabilities")
                    .and_then(|all| Members::read(all)?.only("tools"))
                    .and_then(|tools| Members::read(tools)?.only("listChanged"))
                    .is_some_and(|tells| tells == "true");
                vec![pass(line, tag)]
            }
            (InFlight::List(_) | InFlight::Initialize { .. } | InFlight::Other(_), _) => {
                vec![pass(line, tag)]
            }
        }
    }

    /// A caller gets a page of these tools, with whether each is another one than was approved. If that is not what is known, the server is
    /// asked again. Behind the last of several pages it always is: which tools a caller has seen in all is not remembered.
    fn saw(
        &mut self,
        caller: Caller,
        tools: &[(String, bool)],
        (begins, is_last): (bool, bool),
        (tag, now): (u64, u64),
    ) -> Vec<Action> {
        let mut actions = Vec::new();
        let Some(pinned) = &mut self.pinned else { return actions };
        let mut is_news = false;
        for (tool, is_changed) in tools {
            pinned.saw(caller, tool, *is_changed, begins);
            is_news |= !self.tools.has(tool) || self.tools.is_changed(tool) != *is_changed;
        }
        if is_last && !is_news {
            let seen: HashSet<&str> = tools.iter().map(|(tool, _)| &**tool).collect();
            is_news = self.tools.names().any(|(name, _)| !seen.contains(name));
        }
        if is_news && self.tools.is_whole() {
            self.ask_again(None, tag, now, &mut actions);
        }
        actions
    }

    fn call_answered(
        &mut self,
        line: &[u8],
        tag: u64,
        running: Running,
        answer: Answer<'_>,
        now: u64,
    ) -> Vec<Action> {
        let call = running.call;
        // A client that calls again at once finds what was given back.
        let ended = |action| {
            let mut actions = vec![action, pass(line, tag)];
            if is_made(AnswerFirst) {
                actions.reverse();
            }
            actions
        };
        let outcome = match answer {
            Answer::Error(_) if is_made(ErrorIsNotRun) => Outcome::NotRun,
            Answer::Error(_) => Outcome::Error,
            Answer::Result(result) => match server_frame::ended(result, running.task) {
                Ended::Done | Ended::InputRequired(None) => Outcome::Done,
                // Only a tool's result says so.
                Ended::ToolError if !matches!(running.called, Called::Tool(_)) => Outcome::Done,
                Ended::ToolError if is_made(ToolErrorIsDone) => Outcome::Done,
                Ended::ToolError => Outcome::ToolError,
                Ended::Accepted if is_made(TaskIsDone) => Outcome::Done,
                Ended::Accepted => return ended(Action::Accepted { call }),
                // It is a new call when it comes again.
                Ended::InputRequired(Some(_)) if self.resumable.len() >= self.options.max_in_flight => {
                    Outcome::Done
                }
                Ended::InputRequired(Some(state)) => {
                    let until = now.saturating_add(self.options.resume_for);
                    let next = Resumable { call, rounds: running.rounds, until };
                    // Two calls that are alike in all cannot be told apart: the earlier one has ended.
                    let key = RoundKey::of(&running, digest(&state));
                    let before = self.resumable.insert(key, next).map(|before| before.call);
                    let before = before.map(|call| Action::Finish { call, outcome: Outcome::Done });
                    return before.into_iter().chain([pass(line, tag), Action::WakeAt(until)]).collect();
                }
            },
        };
        ended(Action::Finish { call, outcome })
    }

    /// An answer whose requests for input are allowed.
    pub(crate) fn call_asks_for_input(
        &mut self,
        line: &[u8],
        tag: u64,
        running: Running,
        now: u64,
    ) -> Vec<Action> {
        match server_frame::read(line) {
            Ok(ServerFrame::Response { answer, .. }) => self.call_answered(line, tag, running, answer, now),
            // It was read before.
            _ => Vec::new(),
        }
    }

    fn tools_answered(&mut self, answer: Answer<'_>) -> Vec<Action> {
        let result = match answer {
            Answer::Result(result) => Some(result),
            Answer::Error(_) => None,
        };
        let mut actions = Vec::new();
        let pins = self.pinned.as_ref().map(|pinned| &pinned.pins);
        match self.tools.answered(result, self.options.max_list, pins) {
            Step::Ask(message) => {
                actions.push(own_question(self.tools.tag(), message));
            }
            Step::Done(names) => {
                actions.push(Action::Note(Note::Listed(names)));
                self.release(&mut actions);
            }
            Step::Failed(why) => {
                actions.push(Action::Note(Note::ListFailed(why)));
                self.release(&mut actions);
            }
        }
        actions
    }
}

/// What a client is told whose answer cannot be passed on.
pub(crate) fn unreadable(request: InFlight, reason: &'static str, tag: u64) -> Vec<Action> {
    let (id_text, call) = match request {
        InFlight::List(list) => (list.id_text, None),
        InFlight::Initialize { id_text, .. } => (id_text, None),
        InFlight::Other(passed) => (passed.id_text, None),
        InFlight::Call(running) => (running.id_text, Some(running.call)),
    };
    let message = format!("The server's answer cannot be passed on: {reason}");
    // The tool ran. An error would be one that a client can cause, and it might give a charge back.
    let outcome = if is_made(UnreadableIsFree) { Outcome::NotRun } else { Outcome::Done };
    let ends = call.map(|call| Action::Finish { call, outcome });
    let told = to_client(tag, answer::error(Some(&id_text), INTERNAL_ERROR, &message, None));
    ends.into_iter().chain([told, dropped(reason)]).collect()
}

fn pass(line: &[u8], tag: u64) -> Action {
    Action::Send { to: Peer::Client, tag, call: None, message: line.to_vec() }
}

pub(crate) fn dropped(reason: &'static str) -> Action {
    Action::Note(Note::FrameRefused { from: Peer::Server, reason })
}
