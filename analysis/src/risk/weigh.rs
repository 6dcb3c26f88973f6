//! Evidence into a class, a confidence and the reasons for and against.
//!
//! In: what the parts of a definition say. Out: the verdict. The name and the schema give the class at least; description, title and hints may
//! raise it (R7). Of a trusted server they may lower it, too.

use super::Class::{self, Destructive, Execute, Financial, Read, Unknown, Write};
use super::evidence::Tool;
use super::quote::quote;
use super::schema;
use super::{Code, Direction, Finding, Reason};

/// Below this a class is not said.
pub(super) const LEAST: u8 = 60;

pub(super) struct Verdict {
    pub(super) class: Class,
    pub(super) confidence: u8,
    pub(super) reasons: Vec<Reason>,
    pub(super) findings: Vec<Finding>,
}

/// One thing that speaks for a class.
struct Said {
    class: Class,
    text: String,
    place: String,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Name,
    Schema,
    Text,
    Hint,
}

/// The state of one judgement.
struct Weigh<'a, 'b> {
    tool: &'a Tool<'b>,
    said: Vec<Said>,
    findings: Vec<Finding>,
    class: Class,
    sure: u8,
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
    fn say(&mut self, kind: Kind, class: Class, text: String, place: &str) {
        self.said.push(Said { class, text, place: place.to_owned(), kind });
    }

    /// Takes a class that is stronger than what there is. Before the floor stands, anything is more than nothing.
    fn raise(&mut self, class: Class, sure: u8) {
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

    fn schema(&mut self) {
        let tool = self.tool;
        let reading = tool.reading.as_ref();
        let only_reads = reading.is_some_and(super::reading::Reading::only_reads);
        let generic = reading.is_none_or(super::reading::Reading::is_generic);
        self.actions(generic, only_reads);
        if let Some((property, query)) = tool.schema.program() {
            let free = reading.is_none_or(|reading| {
                reading.is_generic()
                    || reading.class == Execute
                    || query
                        && reading
                            .verb
                            .is_none_or(|verb| matches!(verb.word, "query" | "run" | "explore" | "ask"))
                    || property.is_run()
            });
            if free {
                self.say(
                    Kind::Schema,
                    Execute,
                    format!("takes `{}`, which a call writes freely", quote(&property.name)),
                    &property.place,
                );
                self.raise(Execute, if generic { 72 } else { 80 });
            }
        }
        // A definite change may carry the method of a call-back.
        let changes = reading.is_some_and(|reading| reading.class == Write && reading.sure >= 84);
        if let Some(property) = tool.schema.method().filter(|_| !changes) {
            self.say(
                Kind::Schema,
                Execute,
                "a request whose method the call chooses".to_owned(),
                &property.place,
            );
            self.raise(Execute, 78);
        }
        if self.class != Read
            && reading.is_some()
            && let Some(flag) = tool.schema.flag(
                "permanent permanently hard_delete hard permanent_delete skip_trash purge delete_permanently delete",
            )
        {
            self.say(Kind::Schema, Destructive, format!("flag `{}`", quote(&flag.name)), &flag.place);
            self.raise(Destructive, 80);
        }
        if self.class == Write
            && let Some(flag) =
                tool.schema.flag("overwrite force_overwrite overwrite_existing allow_overwrite")
        {
            self.say(Kind::Schema, Destructive, format!("flag `{}`", quote(&flag.name)), &flag.place);
            self.raise(Destructive, 66);
        }
        if let Some(property) = tool.schema.saves() {
            self.say(Kind::Schema, Write, format!("writes to `{}`", quote(&property.name)), &property.place);
            self.raise(Write, 72);
        }
        let picks = reading
            .and_then(|reading| reading.verb)
            .is_some_and(|verb| matches!(verb.word, "select" | "set" | "check"));
        if let Some(property) = tool.schema.element().filter(|_| picks) {
            self.say(Kind::Schema, Execute, format!("acts on `{}`", quote(&property.name)), &property.place);
            self.raise(Execute, 80);
        }
        if let Some(property) =
            tool.schema.open_choice().filter(|_| reading.is_some_and(|reading| reading.verb.is_none()))
        {
            self.say(
                Kind::Schema,
                Unknown,
                format!("`{}` may be anything", quote(&property.name)),
                &property.place,
            );
            self.raise(Unknown, 0);
        }
        if let (Some(amount), Some(_)) = (tool.schema.first("amount"), tool.schema.first("currency"))
            && (self.class == Financial || generic)
        {
            self.say(Kind::Schema, Financial, "an `amount` and its `currency`".to_owned(), &amount.place);
            self.raise(Financial, 70);
        }
        if let Some(flag) = tool.schema.flag("dry_run dryrun confirm confirmed force")
            && self.class != Read
        {
            let class = if reading.is_some() { self.class } else { Unknown };
            self.say(
                Kind::Schema,
                class,
                format!("flag `{}` is for something that changes", quote(&flag.name)),
                &flag.place,
            );
        }
        let questions = tool.schema.questions();
        if questions > 0 && (reading.is_none() && self.said.is_empty() || self.class == Read) {
            let sure = if questions > 1 { 66 } else { 58 };
            self.say(
                Kind::Schema,
                Read,
                "its arguments are those of a question".to_owned(),
                "/inputSchema/properties",
            );
            self.raise(Read, sure);
        }
    }

    /// `action: create | delete`: each member is a tool of its own, and the strongest counts.
    fn actions(&mut self, generic: bool, only_reads: bool) {
        let tool = self.tool;
        for (property, members) in tool.schema.actions() {
            let Some((class, member, several)) = schema::strongest(&members) else { continue };
            // What lists events may filter them by what was done; it has no `get` among these.
            if only_reads && !members.iter().any(|(_, one)| one.as_ref().is_some_and(|one| one.only_reads()))
            {
                continue;
            }
            let text = format!("`{}` may be `{}`", quote(&property.name), quote(&member));
            if several && class.strength() > Write.strength() {
                let text = format!("two tools in one: {text}, or less");
                self.findings.push(Finding { code: Code::SeveralTools, text, place: property.place.clone() });
            }
            self.say(Kind::Schema, class, text, &property.place);
            // What manages is what its actions are.
            if generic && self.class.strength() < Execute.strength() {
                (self.class, self.sure) = (class, 80);
            }
            self.raise(class, 80);
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

    fn done(self) -> Verdict {
        let Self { tool, said, findings, class, sure, floor: _ } = self;
        let agrees = |kind| said.iter().any(|one| one.kind == kind && one.class == class);
        let weaker = |kind| said.iter().any(|one| one.kind == kind && one.class != class) && !agrees(kind);
        let stronger =
            |kind| said.iter().any(|one| one.kind == kind && one.class.strength() > class.strength());
        let mut points = i32::from(sure);
        let mut lowered = Vec::new();
        let mut lower = |points: &mut i32, by: i32, text: &str, place: &str| {
            *points = points.saturating_sub(by);
            lowered.push(Reason {
                direction: Direction::Against,
                text: format!("{text}: −{by}"),
                place: place.to_owned(),
            });
        };
        for (kind, more) in [(Kind::Text, 7), (Kind::Hint, 5), (Kind::Schema, 3)] {
            if agrees(kind) && said.iter().any(|one| one.kind != kind && one.class == class) {
                points = points.saturating_add(more);
            }
        }
        points = points.min(99);
        if class.strength() < Execute.strength() && doubtful(tool, class) {
            lower(&mut points, 12, "its text has words of something stronger", "/description");
        }
        if tool.description.trim().is_empty() {
            lower(&mut points, 10, "no description", "/description");
        }
        if !tool.has_schema {
            lower(&mut points, 4, "no schema", "/inputSchema");
        }
        if tool.schema.cut {
            lower(&mut points, 20, "the schema is deeper or longer than what is read", "/inputSchema");
        }
        let kinds = [Kind::Name, Kind::Text, Kind::Hint, Kind::Schema]
            .into_iter()
            .filter(|kind| agrees(*kind))
            .count();
        if kinds == 1 {
            lower(&mut points, 8, "only one kind of evidence", "");
        }
        for (kind, what, by) in [
            (Kind::Name, "the name", 6),
            (Kind::Text, "the description", 8),
            (Kind::Hint, "a hint", 6),
            (Kind::Schema, "the schema", 4),
        ] {
            if stronger(kind) {
                lower(&mut points, 14, &format!("{what} says more"), "");
            } else if weaker(kind) {
                lower(&mut points, by, &format!("{what} says otherwise"), "");
            }
        }
        if class == Unknown {
            lower(&mut points, 0, "no verb that is known, and nothing else that decides", "/name");
        }
        let (least, most) =
            if class == Unknown { (0, i32::from(LEAST).saturating_sub(1)) } else { (i32::from(LEAST), 99) };
        let confidence = u8::try_from(points.clamp(least, most)).unwrap_or(LEAST);
        let mut reasons: Vec<Reason> = said
            .into_iter()
            .map(|one| Reason {
                direction: if one.class == class { Direction::For } else { Direction::Against },
                text: if one.class == class {
                    one.text
                } else {
                    format!("{} ({})", one.text, one.class.name())
                },
                place: one.place,
            })
            .collect();
        reasons.append(&mut lowered);
        Verdict { class, confidence, reasons, findings }
    }
}

/// Whether a text speaks of more than the class that was found, such that it could mean this tool.
fn doubtful(tool: &Tool<'_>, class: Class) -> bool {
    const STRONGER: &str = "overwrit, replace, delet, remov, permanent, irrevers, undone, execut, payment, charge, purchas, destroy, terminat, force, cost, fee";
    let leads = tool.leads.iter().any(|lead| lead.class.strength() > class.strength() && lead.sure >= LEAST);
    let low = tool.description.to_ascii_lowercase();
    leads || class == Write && STRONGER.split(", ").any(|stem| low.contains(stem))
}
