//! Rules and items as decisions present them: their names, places and messages.
//!
//! In: one after another, as the document is read. Out: each by its index. Must not allocate for each: policies have many.

use std::fmt;

use crate::diagnostic::Span;

/// All rules and items of a policy.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    rules: Vec<Stored>,
    /// Of each rule its pointer, its name and its message, one behind the other.
    texts: String,
}

#[derive(Debug, Clone)]
struct Stored {
    /// Where its texts begin, and how long they are.
    start: usize,
    pointer: u32,
    name: Option<u32>,
    on_deny: Option<u32>,
    line: u32,
    span: Span,
}

/// A rule or an item.
#[derive(Clone, Copy)]
pub(crate) struct Rule<'r> {
    stored: &'r Stored,
    texts: &'r str,
}

impl Rules {
    /// Adds a rule; its index. `pointer` writes the JSON Pointer to it.
    pub(super) fn add(
        &mut self,
        pointer: impl FnOnce(&mut String),
        name: Option<&str>,
        on_deny: Option<&str>,
        line: u32,
        span: Span,
    ) -> u32 {
        let index = u32::try_from(self.rules.len()).unwrap_or(u32::MAX);
        // No text of a document is as long as 32 bits can say.
        let narrow = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let start = self.texts.len();
        pointer(&mut self.texts);
        let pointer = narrow(self.texts.len().saturating_sub(start));
        let mut push = |text: &str| {
            self.texts.push_str(text);
            narrow(text.len())
        };
        let (name, on_deny) = (name.map(&mut push), on_deny.map(&mut push));
        self.rules.push(Stored { start, pointer, name, on_deny, line, span });
        index
    }

    /// The rule with this index.
    pub(crate) fn get(&self, index: u32) -> Option<Rule<'_>> {
        self.rules.get(index as usize).map(|stored| Rule { stored, texts: &self.texts })
    }

    /// Adds all of another policy, in their order.
    pub(crate) fn append(&mut self, other: &Self) {
        let before = self.texts.len();
        self.texts.push_str(&other.texts);
        self.rules.extend(other.rules.iter().map(|stored| {
            let start = stored.start.saturating_add(before);
            Stored { start, ..stored.clone() }
        }));
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.rules.len()).unwrap_or(u32::MAX)
    }

    /// Shrinks the storage, once all are there.
    pub(crate) fn shrink_to_fit(&mut self) {
        self.rules.shrink_to_fit();
        self.texts.shrink_to_fit();
    }
}

impl<'r> Rule<'r> {
    /// The text of this length behind others that are so long together.
    fn text(self, before: u32, length: u32) -> &'r str {
        let start = self.stored.start.saturating_add(before as usize);
        self.texts.get(start..start.saturating_add(length as usize)).unwrap_or_default()
    }

    /// JSON Pointer to it.
    pub(crate) fn pointer(self) -> &'r str {
        self.text(0, self.stored.pointer)
    }

    /// Its name, where it has one.
    pub(crate) fn name(self) -> Option<&'r str> {
        self.stored.name.map(|length| self.text(self.stored.pointer, length))
    }

    /// The message for the agent, where the policy has one.
    pub(crate) fn on_deny(self) -> Option<&'r str> {
        let before = self.stored.pointer.saturating_add(self.stored.name.unwrap_or(0));
        self.stored.on_deny.map(|length| self.text(before, length))
    }

    /// Its line in the document, from 1.
    pub(crate) fn line(self) -> u32 {
        self.stored.line
    }

    /// Its place in the document.
    pub(crate) fn span(self) -> Span {
        self.stored.span
    }
}

/// Not all texts of the policy.
impl fmt::Debug for Rule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule")
            .field("pointer", &self.pointer())
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_not_empty() {
        let mut rules = Rules::default();
        let cases =
            [(None, None), (Some(""), None), (None, Some("")), (Some("n"), Some("é")), (Some("m"), None)];
        for (at, (name, on_deny)) in cases.into_iter().enumerate() {
            let pointer = |texts: &mut String| texts.push_str(&"/".repeat(at));
            assert_eq!(rules.add(pointer, name, on_deny, 7, Span::new(1, 2)) as usize, at);
        }
        for (at, (name, on_deny)) in cases.into_iter().enumerate() {
            let rule = rules.get(at as u32).unwrap();
            assert_eq!((rule.pointer(), rule.name(), rule.on_deny()), (&*"/".repeat(at), name, on_deny));
        }
        assert!(rules.get(5).is_none());
    }
}
