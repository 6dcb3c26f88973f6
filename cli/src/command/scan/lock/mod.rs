//! `callgate scan --lock`: how tools differ from those that were approved, and what is approved now.
//!
//! In: a lock, and what servers list. Out: rows of drift; a new lock, if that is asked for. Must not write a lock by a list that is not whole, nor
//! approve what nobody named.

mod file;
mod report;

use std::path::{Path, PathBuf};

use callgate::lock::{Definition, Entry, Lock, Origin};
use callgate::time::{Clock as _, SystemClock};
use callgate_analysis::drift::{Drift, Kind, compare};
use callgate_gateway::offer::Offer;
use callgate_host::read_lock;

use super::found::{Found, Tool};
use crate::args::{FailOn, ScanArgs};
use crate::failure::{Failure, tell};

/// A tool that differs.
pub(super) struct Row {
    pub(super) server: String,
    pub(super) drift: Drift,
    /// Whether it is approved now.
    pub(super) is_accepted: bool,
}

/// All that differs.
pub(super) struct Report {
    path: PathBuf,
    pub(super) rows: Vec<Row>,
    /// Whether a server could not be compared.
    pub(super) has_failed: bool,
}

/// What is compared, server by server.
pub(super) struct Comparison<'a> {
    path: &'a Path,
    update: bool,
    /// Kinds whose drift is approved.
    kinds: Vec<Kind>,
    /// Names that are approved, and whether there was one.
    names: Vec<(&'a str, bool)>,
    is_missing: bool,
    /// As it was read.
    lock: Lock,
    /// As it is to be written.
    next: Lock,
    rows: Vec<Row>,
    /// A name that a server lists twice.
    twice: Option<String>,
    has_failed: bool,
}

/// What a server lists, as a lock has it.
pub(super) struct Seen {
    protocol: String,
    definitions: Result<Vec<Definition>, String>,
}

impl Seen {
    pub(super) fn of(offer: &mut Offer) -> Self {
        let texts = std::mem::take(&mut offer.texts);
        let read = texts.iter().enumerate().map(|(index, text)| {
            Definition::read(text).map_err(|error| format!("the tool at index {index}: {error}"))
        });
        let definitions = match offer.has_more {
            true => Err("has only the first tools of the server: such a list cannot be compared".to_owned()),
            false => read.collect(),
        };
        Self { protocol: offer.protocol.clone(), definitions }
    }
}

impl<'a> Comparison<'a> {
    /// Reads the lock, before any server is asked.
    pub(super) fn begin(args: &'a ScanArgs) -> Result<Option<Self>, Failure> {
        let Some(path) = &args.lock else {
            return match args.fail_on.contains(&FailOn::Drift) {
                true => Err(Failure::new("`--fail-on drift` needs `--lock FILE` to compare with")),
                false => Ok(None),
            };
        };
        let (lock, is_missing) = match read_lock(path) {
            Ok(lock) => (lock, false),
            Err(error) if error.is_missing() && args.update => (Lock::new(), true),
            Err(error) if error.is_missing() => {
                let help = "`--update` writes it, and approves every tool that the servers list now";
                return Err(Failure::with_help(format!("there is no lock {}", path.display()), help));
            }
            Err(error) => return Err(Failure::new(error.to_string())),
        };
        let kind =
            |text: &String| [Kind::Wording, Kind::Narrower].into_iter().find(|kind| kind.name() == text);
        let names = args.accept.iter().filter(|text| kind(text).is_none());
        Ok(Some(Self {
            path,
            update: args.update,
            kinds: args.accept.iter().filter_map(kind).collect(),
            names: names.map(|name| (&**name, false)).collect(),
            is_missing,
            next: lock.clone(),
            lock,
            rows: Vec::new(),
            twice: None,
            has_failed: false,
        }))
    }

    /// Compares the server that was added last.
    pub(super) fn see(&mut self, server: &str, seen: Seen, found: &Found) -> Result<(), Failure> {
        let Seen { protocol, definitions } = seen;
        let definitions = match definitions {
            Ok(definitions) => definitions,
            Err(why) => {
                tell("error", &format!("server `{server}`: {why}"), None);
                self.has_failed = true;
                return Ok(());
            }
        };
        let others: Vec<String> = self.lock.servers().map(|(name, _)| format!("`{name}`")).collect();
        if self.lock.origin(server).is_none() && !others.is_empty() {
            let text = format!("the lock has no server `{server}`: it has {}", others.join(", "));
            tell("note", &text, Some("`--name` says what the server is called"));
        }
        let first = found.tools.len().saturating_sub(definitions.len());
        let tools = found.tools.get(first..).unwrap_or_default();
        let drifts = compare(server, &self.lock, &definitions);
        let rows: Vec<Row> = drifts
            .into_iter()
            .map(|drift| {
                let is_accepted = self.accepts(server, &drift);
                Row { server: server.to_owned(), drift, is_accepted }
            })
            .collect();
        let is_new = self.update && self.lock.origin(server).is_none();
        if is_new || rows.iter().any(|row| row.is_accepted) {
            let now = SystemClock.now().to_string();
            let date = now.split_once('T').map_or(&*now, |(day, _)| day).to_owned();
            self.next.put_server(server, Origin { protocol, date }).map_err(failed)?;
        }
        for row in rows.iter().filter(|row| row.is_accepted) {
            let of_name = |definition: &&Definition| definition.name() == row.drift.name;
            if definitions.iter().filter(of_name).count() > 1 {
                self.twice.get_or_insert_with(|| row.drift.name.clone());
            }
            let gone = row.drift.was.as_deref().or((row.drift.kind == Kind::Gone).then_some(&row.drift.name));
            if let Some(gone) = gone {
                self.next.remove(server, gone);
            }
            if let Some((definition, tool)) =
                definitions.iter().zip(tools).find(|(definition, _)| of_name(definition))
            {
                self.next.put(server, entry(definition, tool)).map_err(failed)?;
            }
        }
        self.rows.extend(rows);
        Ok(())
    }

    fn accepts(&mut self, server: &str, drift: &Drift) -> bool {
        let mut is_named = false;
        for (name, was_there) in &mut self.names {
            let of_server = name.strip_prefix(server).and_then(|rest| rest.strip_prefix('/'));
            if *name == drift.name || of_server == Some(&*drift.name) {
                (*was_there, is_named) = (true, true);
            }
        }
        self.update || is_named || drift.is_only(&self.kinds)
    }

    /// Writes the lock, if something is approved; not where a server has no list.
    pub(super) fn end(self, are_all_listed: bool) -> Result<Report, Failure> {
        let Self { path, mut rows, has_failed, .. } = self;
        let is_asked = self.update || !self.names.is_empty() || !self.kinds.is_empty();
        if is_asked && (has_failed || !are_all_listed) {
            let text = format!("{}: not written, since a server has no whole list", path.display());
            tell("error", &text, None);
            rows.iter_mut().for_each(|row| row.is_accepted = false);
        } else if is_asked {
            if let Some((name, _)) = self.names.iter().find(|(_, was_there)| !was_there) {
                let help = "`--accept` takes the name of a tool that differs, or `wording` or `narrower`";
                return Err(Failure::with_help(format!("no tool that differs has the name `{name}`"), help));
            }
            if let Some(name) = self.twice {
                let text =
                    format!("a server lists `{name}` twice: no lock can hold it, and nothing is written");
                return Err(Failure::new(text));
            }
            let count = rows.iter().filter(|row| row.is_accepted).count();
            if self.is_missing || self.next != self.lock {
                file::replace(path, &self.next.to_string())?;
                let left = rows.len().saturating_sub(count);
                tell("note", &format!("{}: written, {count} accepted, {left} not", path.display()), None);
            } else {
                tell("note", &format!("{}: nothing to write", path.display()), None);
            }
        }
        Ok(Report { path: path.to_owned(), rows, has_failed: has_failed || !are_all_listed })
    }
}

fn entry(definition: &Definition, tool: &Tool) -> Entry {
    let (class, severity) = (tool.risk.class.name().to_owned(), tool.risk.severity.name().to_owned());
    Entry { class, severity, definition: definition.clone() }
}

fn failed(error: impl ToString) -> Failure {
    Failure::new(error.to_string())
}
