//! What an input schema adds to a judgement. Clauses R3.9 and R3.10.
//!
//! In: a tool's properties, and the judgement by its name. Out: what they say, and a class that they raise. Reads no text that is for people.

use super::Class::{Destructive, Execute, Financial, Read, Unknown, Write};
use super::quote::quote;
use super::reading::Reading;
use super::schema;
use super::weigh::{Kind, Weigh};
use super::{Code, Finding, tokens};

impl Weigh<'_, '_> {
    pub(super) fn schema(&mut self) {
        let tool = self.tool;
        let reading = tool.reading.as_ref();
        let only_reads = reading.is_some_and(Reading::only_reads);
        let generic = reading.is_none_or(Reading::is_generic);
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
            // `invoices(page)`: a list of things.
            let many = tool.words.last().is_some_and(|last| tokens::singular(last) != *last);
            let sure = if questions > 1 || many && reading.is_none() { 66 } else { 58 };
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
        let object = tool.reading.as_ref().map_or(&tool.words, |reading| &reading.object);
        for (property, members) in tool.schema.actions(object) {
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
}
