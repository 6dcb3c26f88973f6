//! Messages of the server.

use callgate::Outcome;

use crate::answer;
use crate::client::LONGEST_ID;
use crate::frame::INTERNAL_ERROR;
use crate::id::Id;
use crate::list;
use crate::machine::{Action, InFlight, Note, Peer, Relay, Resumable, Running, State, digest, to_client};
use crate::members::{Members, string};
use crate::server_frame::{self, Answer, Ended, ServerFrame, ended};
use crate::tools::Step;

/// The most bytes of a revision's name: they are dates.
pub(crate) const LONGEST_VERSION: usize = 64;

impl Relay {
    /// A message of the server, without its line feed. `now` is in milliseconds from the same start as for the client's.
    pub fn from_server(&mut self, line: &[u8], now: u64) -> Vec<Action> {
        match server_frame::read(line) {
            Ok(ServerFrame::Request { id }) => {
                if self.asked_by_server.len() >= self.options.max_in_flight {
                    return vec![dropped("the server has too many requests in flight")];
                }
                if id.len() > LONGEST_ID {
                    return vec![dropped("the server's request has an id that is too long")];
                }
                if self.asked_by_server.insert(id, ()).is_some() {
                    return vec![dropped("the server's request has the id of another")];
                }
                vec![pass(line)]
            }
            Ok(ServerFrame::Notification { method }) => {
                let mut actions = vec![pass(line)];
                match &*method {
                    "notifications/tools/list_changed" if self.tools.was_asked() => {
                        self.ask_again(None, now, &mut actions);
                    }
                    "notifications/cancelled" => {
                        if let Some(id) = server_frame::cancelled(line) {
                            self.asked_by_server.remove(&id);
                        }
                    }
                    _ => {}
                }
                actions
            }
            Ok(ServerFrame::Response { id, answer }) => self.answered(line, &id, answer, now),
            Err((reason, id)) => {
                let mut actions = vec![dropped(reason)];
                // Its client would wait for ever.
                if let Some(request) = id.and_then(|id| self.take(&id)) {
                    actions.extend(unreadable(request, reason));
                }
                actions
            }
        }
    }

    /// Takes a request out whose answer is here.
    pub(crate) fn take(&mut self, id: &Id) -> Option<InFlight> {
        let request = self.in_flight.remove(id)?;
        if let InFlight::Call(running) = &request {
            if matches!(running.state, State::Held(..) | State::Deciding(_)) {
                // The server cannot answer what it does not know.
                self.in_flight.insert(id.clone(), request);
                return None;
            }
            self.calls.remove(&running.call);
        }
        Some(request)
    }

    fn answered(&mut self, line: &[u8], id: &Id, answer: Answer<'_>, now: u64) -> Vec<Action> {
        if self.tools.asked_with(id) {
            return self.tools_answered(answer);
        }
        if self.cancelled.remove(&id.digest()) {
            return vec![dropped("an answer to a request that was cancelled")];
        }
        let Some(request) = self.take(id) else { return vec![dropped("an answer that nobody asked for")] };
        match (request, answer) {
            (InFlight::List { id_text }, Answer::Result(result)) => {
                match list::filtered(
                    result,
                    self.options.max_list,
                    &*self.options.visible,
                    (self.options.by_caller)(),
                ) {
                    Ok(None) => vec![pass(line)],
                    Ok(Some((result, 0))) => vec![to_client(answer::result(&id_text, &result))],
                    Ok(Some((result, hidden))) => vec![
                        to_client(answer::result(&id_text, &result)),
                        Action::Note(Note::ListFiltered { hidden }),
                    ],
                    Err(reason) => unreadable(InFlight::List { id_text }, reason),
                }
            }
            (InFlight::Call(running), answer) => self.call_answered(line, *running, answer, now),
            (InFlight::Initialize { .. }, Answer::Result(result)) => {
                let version = Members::read(result)
                    .and_then(|members| members.only("protocolVersion").and_then(string));
                self.protocol = version.filter(|version| version.len() <= LONGEST_VERSION);
                vec![pass(line)]
            }
            (InFlight::List { .. } | InFlight::Initialize { .. } | InFlight::Other { .. }, _) => {
                vec![pass(line)]
            }
        }
    }

    fn call_answered(&mut self, line: &[u8], running: Running, answer: Answer<'_>, now: u64) -> Vec<Action> {
        let call = running.call;
        let mut actions = vec![pass(line)];
        let outcome = match answer {
            Answer::Error => Outcome::Error,
            Answer::Result(result) => match ended(result) {
                Ended::Done | Ended::InputRequired(None) => Outcome::Done,
                Ended::ToolError => Outcome::ToolError,
                Ended::InputRequired(Some(state)) => {
                    let until = now.saturating_add(self.options.resume_for);
                    let Running { tool, args, rounds, .. } = running;
                    let next = Resumable { call, tool, args, rounds, until };
                    if self.resumable.len() >= self.options.max_in_flight {
                        // It is a new call when it comes again.
                        actions.push(Action::Finish { call, outcome: Outcome::Done });
                        return actions;
                    }
                    if let Some(before) = self.resumable.insert(digest(&state), next) {
                        // Two calls with one state cannot be told apart: the earlier one has ended.
                        actions.push(Action::Finish { call: before.call, outcome: Outcome::Done });
                    }
                    actions.push(Action::WakeAt(until));
                    return actions;
                }
            },
        };
        actions.push(Action::Finish { call, outcome });
        actions
    }

    fn tools_answered(&mut self, answer: Answer<'_>) -> Vec<Action> {
        let result = match answer {
            Answer::Result(result) => Some(result),
            Answer::Error => None,
        };
        let mut actions = Vec::new();
        match self.tools.answered(result, self.options.max_list) {
            Step::Ask(message) => {
                actions.push(Action::Send { to: Peer::Server, message: message.into_bytes() });
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
pub(crate) fn unreadable(request: InFlight, reason: &'static str) -> Vec<Action> {
    let (id_text, call) = match request {
        InFlight::List { id_text } | InFlight::Initialize { id_text } | InFlight::Other { id_text } => {
            (id_text, None)
        }
        InFlight::Call(running) => (running.id_text, Some(running.call)),
    };
    let message = format!("The server's answer cannot be passed on: {reason}");
    let mut actions = vec![to_client(answer::error(Some(&id_text), INTERNAL_ERROR, &message, None))];
    actions.extend(call.map(|call| Action::Finish { call, outcome: Outcome::Error }));
    actions.push(dropped(reason));
    actions
}

fn pass(line: &[u8]) -> Action {
    Action::Send { to: Peer::Client, message: line.to_vec() }
}

pub(crate) fn dropped(reason: &'static str) -> Action {
    Action::Note(Note::FrameRefused { from: Peer::Server, reason })
}
