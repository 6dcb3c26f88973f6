//! The thread that writes a log.
//!
//! In: events, from a bounded queue. Out: lines in the log's file. Must not stop taking events while the file cannot be written: who records them
//! would wait for ever.

use std::collections::VecDeque;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use callgate::time::{Clock as _, SystemClock, Timestamp};

use super::file::LogFile;
use super::line::Heading;
use super::log::{Health, Message};
use super::{Event, Reload, Start, Target};
use crate::say;

/// Records that wait for the writer: the most that a process loses that is killed, with those in the writer's hands.
pub(super) const QUEUE: usize = 1_024 - BATCH;
/// Records that are written in one go.
const BATCH: usize = 64;
/// Records that are kept while the file cannot be written.
const BACKLOG: usize = 1_024;
/// How often the file is tried again.
const RETRY: Duration = Duration::from_secs(1);

pub(super) struct Writer {
    file: LogFile,
    heading: Heading,
    health: Arc<Health>,
    /// What is not written yet.
    waiting: VecDeque<(Timestamp, Event)>,
    /// How the gateway began, with the policies since.
    start: Option<(Timestamp, Start)>,
    /// Records that were lost since the last that was written.
    lost: u64,
    is_failing: bool,
}

impl Writer {
    pub(super) fn new(file: LogFile, server: String, health: Arc<Health>) -> Self {
        let instance = format!("{:016x}", RandomState::new().build_hasher().finish());
        let is_failing = !file.is_open();
        Self {
            file,
            heading: Heading { instance, server },
            health,
            waiting: VecDeque::new(),
            start: None,
            lost: 0,
            is_failing,
        }
    }

    pub(super) fn run(&mut self, receiver: &Receiver<Message>) {
        loop {
            let first = if self.waiting.is_empty() {
                receiver.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                receiver.recv_timeout(RETRY)
            };
            let mut next = match first {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => Some(Message::Close),
            };
            let mut answer = None;
            let mut ends = false;
            let mut taken = 0_usize;
            while let Some(message) = next.take() {
                match message {
                    Message::Event(event) => self.take(*event),
                    Message::Flush(done) => {
                        answer = Some(done);
                        break;
                    }
                    Message::Close => {
                        ends = true;
                        break;
                    }
                }
                taken = taken.saturating_add(1);
                if taken < BATCH {
                    next = receiver.try_recv().ok();
                }
            }
            self.write();
            if let Some(done) = answer {
                let _ = done.send(());
            }
            if ends {
                return self.end();
            }
        }
    }

    fn take(&mut self, event: (Timestamp, Event)) {
        self.note(&event);
        if self.is_failing && self.waiting.len() >= BACKLOG {
            self.lost = self.lost.saturating_add(1);
            self.health.lose(1);
        } else {
            self.waiting.push_back(event);
        }
    }

    /// Keeps how the gateway began and what it decides by, for those who ask when these records are gone.
    fn note(&mut self, (at, event): &(Timestamp, Event)) {
        match (event, &mut self.start) {
            (Event::Start(start), noted) => *noted = Some((*at, start.clone())),
            (Event::Reload(Reload { target, new: Some(new), .. }), Some((_, start))) => match target {
                Target::Policy => start.policy = Some(new.clone()),
                Target::Candidate => start.candidate = Some(new.clone()),
            },
            _ => return,
        }
        if let Some((at, start)) = &self.start {
            self.file.note_start(&self.heading, *at, &Event::Start(start.clone()));
        }
    }

    /// Writes what waits.
    fn write(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        if self.lost > 0 {
            // Where records are missing: behind those that were kept.
            let gap = Event::Gap { lost: self.lost };
            self.waiting.push_back((SystemClock.now(), gap));
        }
        let mut result = Ok(());
        // In parts: while the file cannot be written, an attempt costs no more than one of them.
        while result.is_ok() && !self.waiting.is_empty() {
            let part = self.waiting.iter().take(BATCH);
            let (written, ended) = self.file.append(&self.heading, part);
            self.waiting.drain(..written.min(self.waiting.len()));
            result = ended;
        }
        match result {
            Ok(()) => {
                self.lost = 0;
                if std::mem::take(&mut self.is_failing) {
                    self.health.set(None);
                }
            }
            Err(error) => {
                if self.lost > 0 {
                    self.waiting.pop_back();
                }
                if !std::mem::replace(&mut self.is_failing, true) {
                    say_failure(self.file.path(), &error);
                    self.health.set(Some(error.to_string()));
                }
            }
        }
    }

    fn end(&mut self) {
        let left = self.waiting.len() as u64;
        if left > 0 {
            self.health.lose(left);
            let file = self.file.path().display();
            say::line(&format!("{left} audit records are lost: {file} cannot be written"));
        }
        self.file.end();
    }
}

/// Says once that records cannot be written.
pub(super) fn say_failure(file: &Path, error: &io::Error) {
    say::line(&format!("audit records cannot be written to {}: {error}", file.display()));
}
