//! Evidence into a class, a confidence and the reasons for and against.
//!
//! In: what the parts of a definition say. Out: the verdict. The name and the schema give the class at least; description, title and hints may
//! raise it (R7). Of a trusted server they may lower it, too.

use super::Class::{self, Destructive, Execute, Read, Unknown, Write};
use super::evidence::Tool;
use super::quote::quote;
use super::{Code, Finding, Reason};

/// Below this a class is not said.
pub(super) const LEAST: u8 = 60;

pub(super) struct Verdict {
    pub(super) class: Class,
    pub(super) confidence: u8,
    pub(super) reasons: Vec<Reason>,
    pub(super) findings: Vec<Finding>,
}

/// One thing that speaks for a class.
pub(super) struct Said {
    pub(super) class: Class,
    pub(super) text: String,
    pub(super) place: String,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Name,
    Schema,
    Text,
    Hint,
}

/// The state of one judgement.
pub(super) struct Weigh<'a, 'b> {
    pub(super) tool: &'a Tool<'b>,
    pub(super) said: Vec<Said>,
    pub(super) findings: Vec<Finding>,
    pub(super) class: Class,
    pub(super) sure: u8,
    /// What name and schema give, before anything that the server may write as it likes.
    floor: Option<(Class, u8)>,
}

pub(super) fn weigh(tool: &Tool<'_>, trusted: bool) -> Verdict {
    let mut weigh =
        Weigh { tool, said: Vec::new(), findings: Vec::new(), class: Unknown, sure: 0, floor: None };
    weigh.name();
    weigh.schema();
    // What was not read could be an action of a tool whose name leaves that open.
    let open = tool.reading.as_ref().is_none_or(|reading| reading.is_generic() || reading.sure < 80);
    if weigh.sure < LEAST || tool.schema.cut && open && weigh.class.strength() < Unknown.strength() {
        weigh.class = Unknown;
    }
    weigh.floor = Some((weigh.class, weigh.sure));
    weigh.text(trusted);
    weigh.hints(trusted);
    weigh.done()
}

impl Weigh<'_, '_> {
    pub(super) fn say(&mut self, kind: Kind, class: Class, text: String, place: &str) {
        self.said.push(Said { class, text, place: place.to_owned(), kind });
    }

    /// Takes a class that is stronger than what there is. Before the floor stands, anything is more than nothing.
    pub(super) fn raise(&mut self, class: Class, sure: u8) {
        let nothing = self.floor.is_none() && self.class == Unknown;
        if nothing || class.strength() > self.class.strength() || class == Execute && self.class == Unknown {
            self.class = class;
            self.sure = sure;
        }
    }

    fn name(&mut self) {
        if let Some(reading) = &self.tool.reading {
            let (class, sure) = (reading.class, reading.sure);
            self.say(Kind::Name, class, quote(&reading.why), "/name");
            (self.class, self.sure) = (class, sure);
        }
    }

    fn text(&mut self, trusted: bool) {
        let tool = self.tool;
        let floor = tool.reading.as_ref();
        let only_reads = floor.is_some_and(super::reading::Reading::only_reads);
        let answers = only_reads || floor.is_some_and(|reading| reading.verb.is_none());
        let definite = floor.is_some_and(|reading| reading.sure >= 80 && !reading.is_generic());
        let leads = tool
            .leads
            .iter()
            .map(|lead| (lead, "/description"))
            .chain(tool.titles.iter().map(|(lead, place)| (lead, *place)));
        for (lead, place) in leads {
            let named =
                floor.is_some_and(|reading| reading.verb.is_some_and(|verb| verb.word == lead.verb.word));
            let heard = match lead.class {
                Read | Unknown => false,
                // The name says the same with its object.
                _ if named && lead.class != Execute && !lead.raised => false,
                _ if lead.verb.noun && !lead.raised && floor.is_some() || lead.item && definite => false,
                Write => !answers && lead.sure >= 80,
                _ if only_reads => lead.sure >= 78 && !lead.item,
                _ if lead.raised => lead.sure >= 74,
                _ if definite => lead.sure >= 84 || lead.class == Execute && lead.sure >= 78,
                _ => lead.sure >= 76,
            };
            if heard || lead.first {
                self.say(
                    Kind::Text,
                    lead.class,
                    format!("verb `{}`: {}", lead.verb.word, quote(lead.said)),
                    place,
                );
            }
            if heard {
                self.raise(lead.class, lead.sure.min(82));
            }
        }
        for phrase in tool.phrases.iter() {
            self.say(Kind::Text, phrase.class, quote(phrase.said), "/description");
            if phrase.class != Read && (!only_reads || phrase.sure >= 84) {
                self.raise(phrase.class, phrase.sure);
            }
        }
        if trusted {
            let first = tool
                .leads
                .iter()
                .filter(|lead| lead.first)
                .max_by_key(|lead| (lead.class.strength(), lead.sure));
            if tool.phrases.iter().any(|phrase| phrase.class == Read)
                && tool.phrases.iter().all(|phrase| phrase.class == Read)
            {
                (self.class, self.sure) = (Read, 84);
            } else if let Some(lead) = first.filter(|lead| self.class == Unknown && lead.sure >= LEAST) {
                (self.class, self.sure) = (lead.class, lead.sure);
            }
        }
    }

    fn hints(&mut self, trusted: bool) {
        let (reads, destroys) = (self.tool.hint("readOnlyHint"), self.tool.hint("destructiveHint"));
        let only_reads = self.tool.reading.as_ref().is_some_and(super::reading::Reading::only_reads);
        if reads == Some(true) {
            let text = "the server says that it only reads";
            self.say(Kind::Hint, Read, text.to_owned(), "/annotations/readOnlyHint");
            if trusted {
                (self.class, self.sure) = (Read, 88);
            } else if self.class != Read && self.class != Unknown {
                self.contradicts(text, "/annotations/readOnlyHint");
            }
        }
        if destroys == Some(true) {
            // Many servers give this hint to all that they change; it decides only where the verb leaves it open.
            let open = self
                .tool
                .reading
                .as_ref()
                .is_some_and(|reading| reading.verb.is_some_and(|verb| verb.class == Destructive));
            let unsure = self.floor.is_some_and(|(class, _)| class == Unknown || open && class == Write);
            self.say(
                Kind::Hint,
                Destructive,
                "the server says that it may destroy".to_owned(),
                "/annotations/destructiveHint",
            );
            if unsure {
                self.raise(Destructive, 64);
            }
        }
        if reads == Some(false) {
            let class = if self.class == Read { Write } else { self.class };
            self.say(
                Kind::Hint,
                class,
                "the server says that it does not only read".to_owned(),
                "/annotations/readOnlyHint",
            );
            if !only_reads {
                self.raise(Write, 66);
            }
        }
        if destroys == Some(false) && self.class.strength() > Execute.strength() {
            let text = "the server says that it destroys nothing";
            self.say(Kind::Hint, Write, text.to_owned(), "/annotations/destructiveHint");
            if self.class == Destructive {
                if trusted {
                    (self.class, self.sure) = (Write, 70);
                } else {
                    self.contradicts(text, "/annotations/destructiveHint");
                }
            }
        }
    }

    fn contradicts(&mut self, text: &str, place: &str) {
        let text = format!("{text}, and its definition says {}", self.class.name());
        self.findings.push(Finding { code: Code::ContradictingHint, text, place: place.to_owned() });
    }
}
