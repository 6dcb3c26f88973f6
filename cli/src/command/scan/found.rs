//! What was found on all servers.
//!
//! In: offers, one after another. Out: rows. Must not keep an offer longer than it takes to look at it: servers together would fill the memory.

use callgate_analysis::flow::{self, Flow};
use callgate_analysis::listing::Listings;
use callgate_analysis::overrides::Applied;
use callgate_analysis::risk::{Class, Options, Risk, Severity, classify};
use callgate_gateway::offer::Offer;

use crate::saved::{Place, cut};

/// A server that was asked.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) name: String,
    /// What it says of itself; nothing where it was not asked.
    pub(super) protocol: String,
    pub(super) own_name: String,
    pub(super) version: String,
    pub(super) tools: usize,
    /// Why there is no list.
    pub(super) error: Option<String>,
}

/// A tool: what it can do, and what is odd about it.
#[derive(Debug)]
pub(super) struct Tool {
    /// The server's place in the list of servers.
    pub(super) server: usize,
    /// Its name, and what it can do. Findings are moved out of it.
    pub(super) risk: Risk,
    pub(super) findings: Vec<Finding>,
}

/// Something odd.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) code: &'static str,
    pub(super) text: String,
    pub(super) place: String,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Found<'k> {
    pub(super) servers: Vec<Server>,
    pub(super) tools: Vec<Tool>,
    /// Findings that somebody knows, and that are left out.
    pub(super) ignored: usize,
    known: &'k Options,
    /// What the tools can do together.
    pub(super) flow: Option<Flow>,
    /// Where the tools of a saved list stand in their file.
    pub(super) places: Vec<Place>,
    listings: Listings,
}

impl<'k> Found<'k> {
    /// Nothing yet. Tools are judged with what is known of them.
    pub(super) fn new(known: &'k Options) -> Self {
        Self {
            servers: Vec::new(),
            tools: Vec::new(),
            ignored: 0,
            known,
            flow: None,
            places: Vec::new(),
            listings: Listings::default(),
        }
    }

    /// Takes a server's offer in.
    pub(super) fn add(&mut self, name: &str, offer: Offer) {
        let server = self.servers.len();
        self.listings.add(name, &offer.tools);
        for mut risk in classify(name, &offer.tools, self.known) {
            risk.name = cut(&risk.name);
            let findings = std::mem::take(&mut risk.findings).into_iter().map(|finding| Finding {
                code: finding.code.name(),
                text: finding.text,
                place: finding.place,
            });
            let findings = findings.collect();
            self.tools.push(Tool { server, risk, findings });
        }
        self.servers.push(Server {
            name: name.to_owned(),
            protocol: offer.protocol,
            own_name: offer.name,
            version: offer.version,
            tools: offer.tools.len(),
            error: None,
        });
    }

    /// Notes a server that has no list.
    pub(super) fn fail(&mut self, name: &str, error: String) {
        self.listings.add(name, &[]);
        self.servers.push(Server {
            name: name.to_owned(),
            protocol: String::new(),
            own_name: String::new(),
            version: String::new(),
            tools: 0,
            error: Some(error),
        });
    }

    /// Compares all servers with one another, and leaves out findings that somebody knows.
    pub(super) fn finish(mut self, mut applied: Option<&mut Applied<'_>>) -> Self {
        let starts: Vec<usize> = self
            .servers
            .iter()
            .scan(0_usize, |next, server| {
                let start = *next;
                *next = next.saturating_add(server.tools);
                Some(start)
            })
            .collect();
        for found in std::mem::take(&mut self.listings).finish() {
            let start = starts.get(found.server).copied().unwrap_or_default();
            if let Some(tool) = self.tools.get_mut(start.saturating_add(found.tool)) {
                let finding = Finding { code: found.code.name(), text: found.text, place: found.place };
                tool.findings.push(finding);
            }
        }
        if let Some(applied) = &mut applied {
            for (index, server) in self.servers.iter().enumerate() {
                if server.error.is_some() {
                    applied.failed(&server.name);
                } else {
                    let tools = self.tools.iter().filter(|tool| tool.server == index);
                    applied.server(&server.name, tools.map(|tool| &*tool.risk.name));
                }
            }
            for tool in &mut self.tools {
                let server = self.servers.get(tool.server).map_or("", |server| &server.name);
                let before = tool.findings.len();
                tool.findings.retain(|finding| !applied.ignores(server, &tool.risk.name, finding.code));
                self.ignored = self.ignored.saturating_add(before.saturating_sub(tool.findings.len()));
            }
        }
        self.flow = flow::toxic(self.tools.iter().map(|tool| &tool.risk));
        self
    }

    /// The name of a tool's server.
    pub(super) fn server_of(&self, tool: &Tool) -> &str {
        self.servers.get(tool.server).map_or("", |server| &server.name)
    }

    /// Whether a tool is as severe as this, or worse.
    pub(super) fn has(&self, severity: Severity) -> bool {
        self.tools.iter().any(|tool| tool.risk.severity >= severity)
    }

    /// Whether there is a tool of which too little is known.
    pub(super) fn has_unknown(&self) -> bool {
        self.tools.iter().any(|tool| tool.risk.class == Class::Unknown)
    }

    /// How many findings there are.
    pub(super) fn findings(&self) -> usize {
        let of_tools = self.tools.iter().map(|tool| tool.findings.len());
        of_tools.chain([usize::from(self.flow.is_some())]).sum()
    }

    /// `2 servers, 14 tools, 1 finding`.
    pub(super) fn total(&self) -> String {
        let count = |number: usize, what: &str| {
            let s = if number == 1 { "" } else { "s" };
            format!("{number} {what}{s}")
        };
        let failed = self.servers.iter().filter(|server| server.error.is_some()).count();
        let failed = if failed > 0 { format!(", {failed} not listed") } else { String::new() };
        let (servers, tools) = (count(self.servers.len(), "server"), count(self.tools.len(), "tool"));
        let ignored = if self.ignored > 0 { format!(", {} left out", self.ignored) } else { String::new() };
        format!("{servers}{failed}, {tools}, {}{ignored}", count(self.findings(), "finding"))
    }
}
