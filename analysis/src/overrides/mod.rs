//! What somebody knows better than a server's definitions say: classes of tools, and findings that are none.
//!
//! In: a file, YAML or JSON, and what a scan found. Out: [`risk::Options`], findings that are left out, and an error for each item that matched nothing.
//! Reads no file.
//!
//! ```
//! use callgate_analysis::{overrides::Overrides, risk};
//! use serde_json::json;
//!
//! let text = "classes:\n  - {tool: query_sql, server: warehouse, class: Read, reason: the role of the database only reads}\n";
//! let overrides = Overrides::read(text).expect("it has no error");
//! let tools = [json!({"name": "query_sql"})];
//! let risks = risk::classify("warehouse", &tools, &overrides.options(risk::Options::new()));
//! assert_eq!(risks[0].class, risk::Class::Read);
//! let mut applied = overrides.apply();
//! applied.server("warehouse", risks.iter().map(|risk| &*risk.name));
//! assert!(applied.finish().is_empty());
//! ```

mod read;

use std::collections::{BTreeSet, HashSet};

use callgate::__analysis::{Diagnostics, Reader, Span, parse, shown};
use callgate::{Diagnostic, Severity};

use crate::risk::{self, Override};

/// What a file says.
#[derive(Debug)]
pub struct Overrides {
    text: String,
    classes: Vec<Item<Override>>,
    ignored: Vec<Item<&'static str>>,
}

/// An item of either list.
#[derive(Debug)]
struct Item<T> {
    tool: String,
    /// Every server, where it names none.
    server: Option<String>,
    what: T,
    span: Span,
    pointer: String,
}

impl<T> Item<T> {
    fn is_for(&self, server: &str) -> bool {
        self.server.as_deref().is_none_or(|name| name == server)
    }
}

impl Overrides {
    /// Reads a file.
    ///
    /// # Errors
    /// Every error, each with its place.
    pub fn read(text: &str) -> Result<Self, Vec<Diagnostic>> {
        let mut diagnostics = Diagnostics::new(text);
        let mut overrides = Self { text: text.to_owned(), classes: Vec::new(), ignored: Vec::new() };
        if let Some(tree) = parse(text, &mut diagnostics) {
            overrides.read_file(&mut Reader::new(&mut diagnostics), tree.root());
        }
        let found = diagnostics.finish();
        if found.iter().any(|one| one.severity() == Severity::Error) { Err(found) } else { Ok(overrides) }
    }

    /// Gives the classes to a classifier.
    #[must_use]
    pub fn options(&self, options: risk::Options) -> risk::Options {
        self.classes.iter().fold(options, |options, item| {
            options.override_class(item.server.as_deref(), &*item.tool, item.what.clone())
        })
    }

    /// Notes what a scan finds.
    pub fn apply(&self) -> Applied<'_> {
        Applied {
            overrides: self,
            servers: Vec::new(),
            failed: HashSet::new(),
            tools: BTreeSet::new(),
            classes: vec![false; self.classes.len()],
            ignored: vec![false; self.ignored.len()],
        }
    }
}

/// What a scan has found so far of what a file names.
#[derive(Debug)]
pub struct Applied<'o> {
    overrides: &'o Overrides,
    servers: Vec<String>,
    /// Of these nothing is known.
    failed: HashSet<String>,
    tools: BTreeSet<String>,
    classes: Vec<bool>,
    ignored: Vec<bool>,
}

impl Applied<'_> {
    /// A server, and the names of its tools.
    pub fn server<'t>(&mut self, server: &str, tools: impl Iterator<Item = &'t str>) {
        self.servers.push(server.to_owned());
        for tool in tools {
            for (item, used) in self.overrides.classes.iter().zip(&mut self.classes) {
                *used |= item.tool == tool && item.is_for(server);
            }
            self.tools.insert(tool.to_owned());
        }
    }

    /// A server that did not list its tools: what is said of it alone may be right.
    pub fn failed(&mut self, server: &str) {
        self.servers.push(server.to_owned());
        self.failed.insert(server.to_owned());
    }

    /// Whether a finding is left out.
    pub fn ignores(&mut self, server: &str, tool: &str, code: &str) -> bool {
        let mut found = false;
        for (item, used) in self.overrides.ignored.iter().zip(&mut self.ignored) {
            let is_meant = item.what == code && item.tool == tool && item.is_for(server);
            *used |= is_meant;
            found |= is_meant;
        }
        found
    }

    /// An error for each item that matched nothing.
    pub fn finish(self) -> Vec<Diagnostic> {
        let mut diagnostics = Diagnostics::new(&self.overrides.text);
        let unused = |used: &[bool]| used.iter().map(|used| !used).collect::<Vec<_>>();
        let (classes, ignored) = (unused(&self.classes), unused(&self.ignored));
        for (item, _) in self.overrides.classes.iter().zip(classes).filter(|(_, unused)| *unused) {
            self.complain(&mut diagnostics, item, None);
        }
        for (item, _) in self.overrides.ignored.iter().zip(ignored).filter(|(_, unused)| *unused) {
            self.complain(&mut diagnostics, item, Some(item.what));
        }
        diagnostics.finish()
    }

    fn complain<T>(&self, diagnostics: &mut Diagnostics<'_>, item: &Item<T>, code: Option<&str>) {
        let tool = shown(&item.tool);
        let nearest =
            |diagnostics: &mut Diagnostics<'_>, text: &str, known: &mut dyn Iterator<Item = &str>| {
                diagnostics
                    .nearest(text, known.collect::<Vec<_>>())
                    .map(|near| format!("did you mean `{}`?", shown(near)))
            };
        let (error, message, help) = match &item.server {
            Some(server) if self.failed.contains(server) => return,
            None if !self.failed.is_empty() => return,
            Some(server) if !self.servers.contains(server) => {
                let help = nearest(diagnostics, server, &mut self.servers.iter().map(String::as_str));
                let help = help.unwrap_or_else(|| "a server is called as the scan shows it".to_owned());
                ("unknown_server", format!("the scan has no server `{}`", shown(server)), Some(help))
            }
            _ if !self.tools.contains(&item.tool) || code.is_none() => {
                let help = nearest(diagnostics, &item.tool, &mut self.tools.iter().map(String::as_str));
                let of = item.server.as_deref().map(|server| format!("server `{}`", shown(server)));
                let of = of.unwrap_or_else(|| "no server of the scan".to_owned());
                let lists = if item.server.is_some() { "does not list" } else { "lists" };
                ("unknown_tool", format!("{of} {lists} a tool `{tool}`"), help)
            }
            _ => {
                let code = code.unwrap_or_default();
                let help = "remove the item: there is nothing to leave out".to_owned();
                ("unknown_finding", format!("the tool `{tool}` has no finding `{code}`"), Some(help))
            }
        };
        diagnostics.error(error, item.span, &*item.pointer, message, help);
    }
}

impl Item<()> {
    fn with<T>(self, what: T) -> Item<T> {
        Item { tool: self.tool, server: self.server, what, span: self.span, pointer: self.pointer }
    }
}
