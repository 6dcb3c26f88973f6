//! What was found on all servers.
//!
//! In: offers, one after another. Out: rows. Must not keep an offer longer than it takes to look at it: servers together would fill the memory.

use callgate_analysis::listing::Listings;
use callgate_analysis::risk::{Class, Options, Risk, Severity, classify};
use callgate_gateway::offer::Offer;

/// Characters of a name that are kept. Nobody calls a tool by a longer one: the protocol has 128.
const NAME: usize = 256;

/// What [`Listings`] finds, too.
const HIDDEN: &str = callgate_analysis::listing::Code::HiddenCharacters.name();

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
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) servers: Vec<Server>,
    pub(super) tools: Vec<Tool>,
    listings: Listings,
}

impl Found {
    /// Takes a server's offer in.
    pub(super) fn add(&mut self, name: &str, offer: Offer) {
        let server = self.servers.len();
        self.listings.add(name, &offer.tools);
        for mut risk in classify(name, &offer.tools, &Options::new()) {
            risk.name = cut(&risk.name);
            let findings = std::mem::take(&mut risk.findings).into_iter().map(|finding| Finding {
                code: finding.code.name(),
                text: finding.text,
                place: finding.place,
            });
            // The list is searched for them whole, and not only where a person reads.
            let findings = findings.filter(|finding| finding.code != HIDDEN).collect();
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

    /// Compares all servers with one another.
    pub(super) fn finish(mut self) -> Self {
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

    /// `2 servers, 14 tools, 1 finding`.
    pub(super) fn total(&self) -> String {
        let count = |number: usize, what: &str| {
            let s = if number == 1 { "" } else { "s" };
            format!("{number} {what}{s}")
        };
        let findings = self.tools.iter().map(|tool| tool.findings.len()).sum();
        let failed = self.servers.iter().filter(|server| server.error.is_some()).count();
        let failed = if failed > 0 { format!(", {failed} not listed") } else { String::new() };
        let (servers, tools) = (count(self.servers.len(), "server"), count(self.tools.len(), "tool"));
        format!("{servers}{failed}, {tools}, {}", count(findings, "finding"))
    }
}

fn cut(name: &str) -> String {
    let mut cut: String = name.chars().take(NAME).collect();
    if cut.len() < name.len() {
        cut.push('…');
    }
    cut
}
