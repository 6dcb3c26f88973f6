//! One session: a client, a server, and the loop between them.
//!
//! In: lines of both, decisions, signals, new policies. Out: messages to both. Must not read what it has no room for, and must not let the
//! reader of one side wait for the writer of another.

use std::future::pending;
use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::sync::mpsc::error::SendError;
use tokio::sync::mpsc::{Permit, Sender};
use tokio::time::{Instant, sleep_until, timeout};

use super::client::{self, Client};
use super::ending::{Ending, Pressed, Why, after};
use super::guard::{Done, Guard};
use super::line::Line;
use super::policy::Policies;
use super::server::{self, Server};
use super::signals::Signals;
use super::{Options, PolicyOfFile, digest};
use crate::audit::{Event, Log, Stop};
use crate::say;

/// Bytes of calls that may wait for a decision.
const WAITING: usize = 32 << 20;
/// How long a client that gave its input up may have to wait for the decisions of its last calls: as long as the relay waits for a list.
const LAST_DECISIONS: Duration = Duration::from_secs(11);
/// How long a client of a server that cannot be started has to make its first request, which is told so.
const FIRST_REQUEST: Duration = Duration::from_secs(5);
/// How long a client may take for the last message where somebody does not want to wait.
const LAST_MESSAGES: Duration = Duration::from_millis(200);
/// How often a group that should be gone is looked for.
const LOOK: Duration = Duration::from_millis(10);

/// What is said of a policy that denies by default, and says nothing of requests.
const UNDECIDED: &str = "resources, prompts and other requests pass: the policy has no `requests`";

/// What a client is told whose request waits for a server that is gone.
const SERVER_CLOSED: &str = "the server closed the connection";

/// How often a client is looked for of which nothing is read.
const LOOK_FOR_CLIENT: Duration = Duration::from_secs(1);

/// Exit code of a command that cannot be started, as shells have it.
const NOT_STARTED: u8 = 127;

pub(super) async fn run(options: Options, log: Log) -> io::Result<u8> {
    let mut signals = Signals::listen()?;
    let mut client = Client::start(options.max_message)?;
    log.record(Event::Start(options.start()));
    say::line(&opening(&options, &log));
    if let Some(given) = &options.policy
        && given.policy.denies_by_default()
        && !given.policy.decides_request("")
    {
        say::line(UNDECIDED);
    }
    let policies = Policies::new(&options)?;
    let mut guard = Guard::new(&options, &policies, log.clone());
    let started = server::start(&options.command, options.stderr, options.max_message, &options.name);
    let Over { why, code, patience } = match started {
        Ok(server) => {
            let session = Session {
                grace: options.grace,
                guard,
                client: &mut client,
                server,
                client_reads: true,
                client_writes: true,
                server_writes: true,
                ending: None,
                look_for_client: None,
            };
            session.run(&mut signals, policies).await
        }
        Err(error) => {
            let program =
                options.command.first().map(|program| program.to_string_lossy()).unwrap_or_default();
            let reason = format!("the server cannot be started: {program}: {error}");
            say::line(&reason);
            let over = tokio::select! {
                () = not_started(&mut guard, &mut client, &reason) => {
                    Over { why: "not_started", code: NOT_STARTED, patience: options.grace }
                }
                signal = signals.next() => Over::by(Why::Signal(signal), None, options.grace),
            };
            guard.end().await;
            over
        }
    };
    let Client { messages, written, .. } = client;
    drop(messages);
    let _ = timeout(patience, written).await;
    log.record(Event::Stop(Stop { why: why.to_owned(), code: Some(code.into()) }));
    say::flush();
    Ok(code)
}

/// How a session ended.
struct Over {
    why: &'static str,
    code: u8,
    /// How long the client may take for the last messages.
    patience: Duration,
}

impl Over {
    fn by(why: Why, status: Option<ExitStatus>, patience: Duration) -> Self {
        let code = match (why, status) {
            (Why::Signal(signal), _) => signal.saturating_add(128),
            (_, Some(status)) => exit_code(status),
            (_, None) => 0,
        };
        Self { why: why.as_str(), code, patience }
    }
}

/// One line for whoever looks at the client's logs.
fn opening(options: &Options, log: &Log) -> String {
    let named = |policy: &PolicyOfFile| {
        let digest = digest(&policy.policy);
        format!("policy {} ({})", policy.files, digest.get(..19).unwrap_or(&digest))
    };
    let passes = match &options.lock {
        Some(_) => "no policy, a dry run: every call of a tool that is as it was approved passes",
        None => "no policy, a dry run: every call passes",
    };
    let mut policy = options.policy.as_ref().map_or(passes.to_owned(), named);
    if let Some(candidate) = &options.candidate {
        policy = format!("{policy}; beside it {}", named(candidate));
    }
    let store = format!("{} `{}`", options.store.kind(), options.store.namespace());
    let audit = log.file().map_or("off".to_owned(), |file| file.display().to_string());
    format!("{}: {policy}; counters {store}; audit {audit}", options.name)
}

/// Tells the client's first requests that there is no server.
async fn not_started(guard: &mut Guard, client: &mut Client, reason: &str) {
    let told = async {
        while let Some(line) = client.lines.recv().await {
            guard.client_wrote(line);
            guard.server_closed(reason);
            let mut answered = false;
            while let Some(message) = guard.to_client.pop() {
                answered = true;
                if client.messages.send(message).await.is_err() {
                    return;
                }
            }
            if answered {
                return;
            }
        }
    };
    let _ = timeout(FIRST_REQUEST, told).await;
}

struct Session<'c> {
    grace: Duration,
    guard: Guard,
    client: &'c mut Client,
    server: Server,
    /// Whether the client still sends, takes, and the server still sends.
    client_writes: bool,
    client_reads: bool,
    server_writes: bool,
    ending: Option<Ending>,
    /// When to look whether the client is still there, though nothing is read of it.
    look_for_client: Option<Instant>,
}

/// Room for a message to the server; never, once its standard input is closed.
async fn room(to: Option<&Sender<Vec<u8>>>) -> Result<Permit<'_, Vec<u8>>, SendError<()>> {
    match to {
        Some(to) => to.reserve().await,
        None => pending().await,
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}

impl Session<'_> {
    async fn run(mut self, signals: &mut Signals, mut policies: Policies) -> Over {
        while !self.is_over() {
            let looks = self.server_has_ended();
            let guard = &mut self.guard;
            let reads_client = self.client_writes
                && !guard.to_client.is_full()
                && !guard.to_server.is_full()
                && guard.waiting_bytes() < WAITING;
            // Its end does not show while there is no room for what comes before.
            self.look_for_client = match self.look_for_client {
                _ if reads_client || !self.client_writes => None,
                None => Some(after(self.grace)),
                at => at,
            };
            let look_for_client = self.look_for_client;
            let reads_server =
                self.server_writes && !guard.to_client.is_full() && guard.deciding_bytes() < WAITING;
            let deadline = self.ending.as_ref().map(|ending| ending.deadline);
            // Whether processes that should be gone are: nothing tells.
            let look = looks.then(|| Instant::now().checked_add(LOOK)).flatten();
            let wake = guard.next_wake();
            let (to_client, to_server) = (self.client.messages.clone(), self.server.messages.clone());
            let (child, lines) = (&mut self.server.child, &mut self.server.lines);
            tokio::select! {
                line = self.client.lines.recv(), if reads_client => match line {
                    Some(line) => self.client_wrote(line),
                    None => self.client_closed(),
                },
                line = lines.recv(), if reads_server => match line {
                    Some(line) => guard.server_wrote(line),
                    None => self.server_closed(),
                },
                sent = to_client.reserve(), if !guard.to_client.is_empty() => match sent {
                    Ok(permit) => if let Some(message) = guard.to_client.pop() {
                        permit.send(message);
                        self.client_took();
                    },
                    Err(_) => {
                        self.client_reads = false;
                        self.client_closed();
                    }
                },
                sent = room(to_server.as_ref()), if !guard.to_server.is_empty() => match sent {
                    Ok(permit) => if let Some(message) = guard.to_server.pop() { permit.send(message) },
                    // It closed its standard input. What it still says is passed on.
                    Err(_) => self.server.messages = None,
                },
                done = guard.tasks.join_next(), if !guard.tasks.is_empty() => self.done(done),
                status = child.inner_mut().wait(), if self.server.status.is_none() => {
                    self.server.status = Some(status.unwrap_or_default());
                    self.server.messages = None;
                    self.end(Why::ServerExited, self.grace);
                }
                signal = signals.next() => self.signal(signal),
                loaded = policies.next() => guard.reloaded(loaded),
                () = at(wake) => guard.wake(),
                () = at(look) => {}
                () = at(look_for_client) => self.look_for_client(),
                () = at(deadline) => self.press_harder(),
            }
            self.advance();
        }
        self.finish().await
    }

    fn end(&mut self, why: Why, patience: Duration) {
        self.ending.get_or_insert_with(|| Ending::new(why, patience));
    }

    fn client_wrote(&mut self, line: Line) {
        self.guard.client_wrote(line);
        if !self.server_writes {
            self.guard.server_closed(SERVER_CLOSED);
        }
    }

    fn look_for_client(&mut self) {
        self.look_for_client = Some(after(LOOK_FOR_CLIENT));
        if client::is_gone() {
            self.client_closed();
        }
    }

    fn client_closed(&mut self) {
        self.client_writes = false;
        let patience = self.grace.saturating_add(LAST_DECISIONS);
        match &mut self.ending {
            // It has so long for the last answers.
            Some(ending) if ending.pressed == Pressed::Killed => ending.deadline = after(self.grace),
            _ => self.end(Why::ClientClosed, patience),
        }
    }

    fn client_took(&mut self) {
        if self.is_server_gone()
            && let Some(ending) = &mut self.ending
        {
            ending.client_took(self.grace);
        }
    }

    fn server_closed(&mut self) {
        self.server_writes = false;
        self.server.messages = None;
        self.guard.server_closed(SERVER_CLOSED);
        self.end(Why::ServerExited, self.grace);
    }

    fn signal(&mut self, signal: u8) {
        self.client_writes = false;
        let grace = self.grace;
        match &mut self.ending {
            Some(ending @ Ending { why: Why::Signal(_), .. }) => {
                ending.is_hurried = true;
                self.press(Pressed::Killed);
            }
            Some(ending) => {
                *ending = Ending { pressed: ending.pressed, ..Ending::new(Why::Signal(signal), grace) }
            }
            None => self.ending = Some(Ending::new(Why::Signal(signal), grace)),
        }
    }

    fn done(&mut self, done: Option<Result<Done, tokio::task::JoinError>>) {
        match done {
            Some(Ok(done)) => self.guard.done(done),
            // What became of the call is not known: nothing more passes.
            Some(Err(_)) => self.server_closed(),
            None => {}
        }
    }

    /// Time is up for what the session waits for.
    fn press_harder(&mut self) {
        let pressed = self.ending.as_ref().map(|ending| ending.pressed);
        match pressed {
            Some(Pressed::Not | Pressed::Closed) => self.press(Pressed::Terminated),
            Some(Pressed::Terminated) => self.press(Pressed::Killed),
            // What is left cannot be ended.
            Some(Pressed::Killed) | None => {
                self.server_writes = false;
                // A client that is still there may take its time with the last answers.
                self.client_reads &= self.client_writes;
                self.ending.iter_mut().for_each(Ending::wait);
            }
        }
    }

    fn press(&mut self, pressed: Pressed) {
        let Some(ending) = &mut self.ending else { return };
        if pressed <= ending.pressed {
            return;
        }
        ending.press(pressed, self.grace);
        self.server.messages = None;
        match pressed {
            Pressed::Terminated => self.server.terminate(),
            Pressed::Killed => self.server.kill(),
            Pressed::Not | Pressed::Closed => {}
        }
    }

    /// Takes the next step of an ending that needs no waiting.
    fn advance(&mut self) {
        if !self.client_reads {
            self.guard.to_client.clear();
        }
        if self.server.messages.is_none() {
            self.guard.to_server.clear();
        }
        if self.ending.is_none() {
            return;
        }
        let is_idle = self.guard.to_server.is_empty() && self.guard.waiting_bytes() == 0;
        if is_idle && !self.client_writes {
            self.press(Pressed::Closed);
        }
        // The server is gone, and has left others behind.
        if self.server_has_ended() && !self.server.is_gone() {
            self.press(Pressed::Terminated);
        }
    }

    /// Whether the process that was started has ended, and all is read that it and its children wrote.
    fn server_has_ended(&self) -> bool {
        self.server.status.is_some() && !self.server_writes
    }

    /// Whether its children have ended, too.
    fn is_server_gone(&mut self) -> bool {
        self.server_has_ended() && self.server.is_gone()
    }

    fn is_over(&mut self) -> bool {
        let Some(ending) = &self.ending else { return false };
        let has_given_up = ending.pressed == Pressed::Killed && !self.server_writes && !self.client_reads;
        has_given_up
            || self.is_server_gone() && self.guard.tasks.is_empty() && self.guard.to_client.is_empty()
    }

    async fn finish(mut self) -> Over {
        self.guard.client_closed();
        self.guard.end().await;
        self.server.last_words().await;
        let (why, is_hurried) =
            self.ending.map_or((Why::ServerExited, false), |ending| (ending.why, ending.is_hurried));
        let patience = if is_hurried { self.grace.min(LAST_MESSAGES) } else { self.grace };
        Over::by(why, self.server.status, patience)
    }
}

/// The exit code for a process that ended so: its own, or 128 and its signal's number.
fn exit_code(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal: Option<i32> = None;
    let code = signal.map(|signal| signal.saturating_add(128)).or(status.code());
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
