//! A client's configuration, and what wrapping and undoing change in it.
//!
//! In: a file; which servers, program and policy. Out: a [`Change`]. Must not write.

use std::path::{Path, PathBuf};

use super::change::{Backup, Change, Server, ServerState};
use super::document::{Document, Entry, Fault};
use super::edit::{Edit, Word, apply, relaunch};
use super::error::WrapError;
use super::file::{self, Source};
use super::launch::{Front, Started, front_len, started};

/// What some editors put in front of UTF-8 text. It stays.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A client's configuration, as it was read.
#[derive(Debug)]
pub struct Configuration {
    source: Source,
    /// The text behind a byte order mark.
    text: String,
}

/// How servers are to be wrapped.
#[derive(Debug, Clone)]
pub struct Wrapping {
    program: String,
    policies: Vec<String>,
    servers: Vec<String>,
}

impl Wrapping {
    /// All servers, without a policy: every call is recorded and none is stopped. A server that has a policy keeps it.
    ///
    /// `program` is callgate as the client is to start it: desktop clients have another `PATH` than shells, so its absolute path.
    pub fn new(program: impl Into<String>) -> Self {
        Self { program: program.into(), policies: Vec::new(), servers: Vec::new() }
    }

    /// By this policy, as it is to be written: an absolute path, or one that begins with a variable of the client. Several are a
    /// stack, in their order.
    #[must_use]
    pub fn policy(mut self, policy: impl Into<String>) -> Self {
        self.policies.push(policy.into());
        self
    }

    /// Only servers of these names; all if there is none.
    #[must_use]
    pub fn servers(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.servers = names.into_iter().map(Into::into).collect();
        self
    }
}

impl Configuration {
    /// Reads a configuration: JSON in UTF-8, with comments and trailing commas or without, of at most 64 MiB.
    ///
    /// # Errors
    /// It is not a regular file, cannot be read, or is not text.
    pub fn read(path: &Path) -> Result<Self, WrapError> {
        let source = Source::read(path)?;
        let text = text_of(&source.bytes)
            .ok_or_else(|| WrapError::unusable(path, "it is not UTF-8 text"))?
            .to_owned();
        Ok(Self { source, text })
    }

    /// Puts callgate in front of servers that are processes. What is wrapped already gets this name, program and policy, and keeps its other flags.
    ///
    /// # Errors
    /// The text is no JSON, has no servers, has a name twice where it decides, or has a server that is not as clients read it; or a server that was asked for
    /// is not there.
    pub fn wrap(&self, wrapping: &Wrapping) -> Result<Change, WrapError> {
        let document = self.document()?;
        let program = Word::new(&wrapping.program);
        let mut edits = Vec::new();
        let mut servers = Vec::new();
        for entry in self.chosen(&document, &wrapping.servers)? {
            let (launch, count, front, state) = match self.started(entry, &wrapping.program)? {
                Started::Remote => {
                    servers.push(server(&document, entry, ServerState::Remote, Vec::new()));
                    continue;
                }
                Started::Guarded => {
                    servers.push(server(&document, entry, ServerState::Guarded, Vec::new()));
                    continue;
                }
                Started::Bare(launch) => (launch, 0, Front::new(launch), ServerState::Wrapped),
                Started::Wrapped(launch, front) => (launch, front_len(launch), front, ServerState::Changed),
            };
            let front = front.with(&entry.name, &wrapping.policies);
            let edit = relaunch(&document, launch, &program, count, &front.words());
            let state = if edit.is_empty() { ServerState::Kept } else { state };
            servers.push(server(&document, entry, state, front.policies()));
            edits.extend(edit);
        }
        let mut change = self.change(edits, servers);
        if !change.is_empty() {
            let is_wrapped = |entry| matches!(started(entry, &wrapping.program), Some(Started::Wrapped(..)));
            change.backup = Some(self.backup_before(document.entries.iter().any(is_wrapped))?);
        }
        Ok(change)
    }

    /// Takes callgate away from servers: from these, or from all if no name is given. Callgate is what is called so, and `program`.
    ///
    /// If a backup holds what the file was, and nothing but callgate's words has changed since, the file gets the backup's bytes. Else these
    /// words alone are taken out of the file; an empty list `args` may then stand where there was none.
    ///
    /// # Errors
    /// As [`wrap`](Self::wrap).
    pub fn undo(&self, program: &str, names: &[String]) -> Result<Change, WrapError> {
        let document = self.document()?;
        let mut edits = Vec::new();
        let mut servers = Vec::new();
        for entry in self.chosen(&document, names)? {
            let state = match self.started(entry, program)? {
                Started::Remote => ServerState::Remote,
                Started::Guarded => ServerState::Guarded,
                Started::Bare(_) => ServerState::Bare,
                Started::Wrapped(launch, front) => {
                    edits.extend(relaunch(&document, launch, &front.command, front_len(launch), &[]));
                    ServerState::Unwrapped
                }
            };
            servers.push(server(&document, entry, state, Vec::new()));
        }
        let mut change = self.change(edits, servers);
        if change.is_empty() {
            return Ok(change);
        }
        let wrapped = wrapped(&document, program);
        let is_whole = change.servers.iter().filter(|server| server.state == ServerState::Unwrapped).count()
            == wrapped.len();
        let backups = self.source.backups();
        let exact = backups.iter().rev().filter(|_| is_whole).find_map(|path| {
            let bytes = file::read(path).ok()?;
            self.is_wrapped_form_of(&bytes, program, &wrapped).then(|| (path.clone(), bytes))
        });
        if let Some((path, bytes)) = exact {
            keep_wrapped(&bytes, program, &mut change.servers);
            change.bytes = bytes;
            change.backup = Some(Backup::Restored(path));
        } else {
            change.backup = backups.last().cloned().map(Backup::Kept);
        }
        Ok(change)
    }

    /// Whether a text, its servers started as those of this file are, is this file.
    fn is_wrapped_form_of(&self, bytes: &[u8], program: &str, wrapped: &[(&Entry, Word, Front)]) -> bool {
        let Some(before) = text_of(bytes) else { return false };
        let is_marked = |bytes: &[u8]| bytes.starts_with(BYTE_ORDER_MARK);
        if is_marked(bytes) != is_marked(&self.source.bytes) {
            return false;
        }
        let Ok(document) = Document::parse(before) else { return false };
        let mut edits = Vec::new();
        for (entry, command, front) in wrapped {
            let same = document
                .entries
                .iter()
                .find(|old| (&old.project, &old.name) == (&entry.project, &entry.name));
            let (launch, count) = match same.and_then(|old| started(old, program)) {
                Some(Started::Bare(launch)) if launch.command.word == front.command => (launch, 0),
                Some(Started::Wrapped(launch, old)) if old.command == front.command => {
                    (launch, front_len(launch))
                }
                _ => return false,
            };
            edits.extend(relaunch(&document, launch, command, count, &front.words()));
        }
        apply(before, edits) == self.text
    }

    /// A backup holds the file as it was without callgate: no other is made of a file that has it.
    fn backup_before(&self, was_wrapped: bool) -> Result<Backup, WrapError> {
        let backups = self.source.backups();
        let same = |path: &PathBuf| file::read(path).is_ok_and(|bytes| bytes == self.source.bytes);
        let kept = if was_wrapped { backups.last() } else { backups.iter().rev().find(|path| same(path)) };
        match kept {
            Some(kept) => Ok(Backup::Kept(kept.clone())),
            None => Ok(Backup::Made(self.source.next_backup()?)),
        }
    }

    pub(super) fn document(&self) -> Result<Document<'_>, WrapError> {
        let document = Document::parse(&self.text).map_err(|fault| self.content(&fault, None))?;
        if document.entries.is_empty() {
            let why = "it has no MCP servers: they stand in `mcpServers`, or in `servers` for VS Code";
            return Err(WrapError::unusable(&self.source.named, why));
        }
        Ok(document)
    }

    pub(super) fn chosen<'d>(
        &self,
        document: &'d Document<'_>,
        names: &[String],
    ) -> Result<Vec<&'d Entry>, WrapError> {
        let entries = &document.entries;
        if let Some(name) = names.iter().find(|name| entries.iter().all(|entry| entry.name != **name)) {
            let mut known = entries.iter().map(|entry| entry.name.clone()).collect::<Vec<_>>();
            known.sort();
            known.dedup();
            let file = self.source.named.clone();
            return Err(WrapError::NoSuchServer { file, name: name.clone(), known });
        }
        Ok(entries.iter().filter(|entry| names.is_empty() || names.contains(&entry.name)).collect())
    }

    pub(super) fn started<'e>(&self, entry: &'e Entry, program: &str) -> Result<Started<'e>, WrapError> {
        match &entry.kind {
            Err(fault) => Err(self.content(fault, Some(&entry.name))),
            // Of an entry without a fault it is always told.
            Ok(_) => Ok(started(entry, program).unwrap_or(Started::Remote)),
        }
    }

    fn change(&self, edits: Vec<Edit>, servers: Vec<Server>) -> Change {
        let mark = self.source.bytes.len().saturating_sub(self.text.len());
        let mut bytes = self.source.bytes.get(..mark).unwrap_or_default().to_owned();
        bytes.extend(apply(&self.text, edits).into_bytes());
        Change { source: self.source.clone(), bytes, servers, backup: None }
    }

    pub(super) fn content(&self, fault: &Fault, server: Option<&str>) -> WrapError {
        let (line, column) = place(&self.text, fault.at);
        let what = match server {
            Some(name) => format!("server `{name}`: {}", fault.what),
            None => fault.what.clone(),
        };
        WrapError::Content { file: self.source.named.clone(), line, column, what }
    }
}

fn server(document: &Document<'_>, entry: &Entry, state: ServerState, policies: Vec<String>) -> Server {
    let (project, name, line) = (entry.project.clone(), entry.name.clone(), document.line(entry.at));
    Server { project, name, line, state, policies }
}

/// The servers that are behind callgate, with the program and the words that make it so.
fn wrapped<'d>(document: &'d Document<'_>, program: &str) -> Vec<(&'d Entry, Word, Front)> {
    let wrapped = document.entries.iter().filter_map(|entry| match started(entry, program)? {
        Started::Wrapped(launch, front) => Some((entry, launch.command.word.clone(), front)),
        _ => None,
    });
    wrapped.collect()
}

/// Says of servers that were behind callgate in the backup, too, that they stay so.
fn keep_wrapped(backup: &[u8], program: &str, servers: &mut [Server]) {
    let Some(Ok(document)) = text_of(backup).map(Document::parse) else { return };
    for (entry, _, front) in wrapped(&document, program) {
        let same = |server: &&mut Server| (&server.project, &server.name) == (&entry.project, &entry.name);
        if let Some(server) = servers.iter_mut().find(same) {
            server.state = ServerState::Kept;
            server.policies = front.policies();
        }
    }
}

fn text_of(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes)).ok()
}

/// Line and column of a byte, from 1, the column in characters.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count().saturating_add(1);
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count().saturating_add(1);
    (line, column)
}
