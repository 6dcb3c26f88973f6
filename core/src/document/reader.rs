//! Reading nodes as what the language expects, with every complaint at its place (spec 1.5, 1.6, 12). Test files of policies are
//! read with it, too.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use smallvec::SmallVec;

use super::approval::Ignored;
use super::budgets::Budgets;
use super::lints::NotedPath;
use crate::bytes::same;
use crate::diagnostic::{Diagnostics, Span, push_segment};
use crate::path::{Path, PathError, Root};
use crate::pattern::Pattern;
use crate::text::{Content, Items, Members, Node};

/// Walks a document, knowing where it is.
pub struct Reader<'n, 'l> {
    /// What was found so far.
    pub diagnostics: &'n mut Diagnostics<'l>,
    /// The patterns so far, by their text.
    pub(super) patterns: HashMap<&'n str, Pattern, foldhash::fast::RandomState>,
    /// The paths so far, by their text: policies name the same few again and again.
    paths: HashMap<&'n str, Arc<Path>, foldhash::fast::RandomState>,
    /// The claims that identities have, each with its line; `None` where the policy does not say.
    pub(super) claims: Option<HashMap<&'n str, u32, foldhash::fast::RandomState>>,
    /// The budgets, once they were read.
    pub(super) budgets: Budgets<'n>,
    /// The scopes of the entry that is being read, as far as they count by arguments.
    pub(super) scopes: Vec<NotedPath>,
    /// The arguments by which its limits apply to some calls.
    pub(super) whens: Vec<NotedPath>,
    /// What approvals of its rules are not to cover.
    pub(super) ignored: Vec<Ignored>,
    /// Whether some name may be taken for another.
    pub(super) has_odd_names: bool,
    /// Whether the entry that is being read is that of a method, which has no tool.
    pub(super) is_of_request: bool,
    /// Whether some condition reads a counter.
    pub(super) reads_counters: bool,
    /// The path to the place that is being read. Few places need a pointer, so it is made on demand.
    steps: SmallVec<[Step<'n>; 16]>,
}

#[derive(Clone, Copy)]
enum Step<'n> {
    Member(&'n str),
    Item(usize),
}

/// A field of a mapping.
#[derive(Clone, Copy)]
pub struct Field<'n> {
    /// Its key.
    pub key: Node<'n>,
}

impl<'n> Field<'n> {
    /// Its value.
    pub fn value(self) -> Node<'n> {
        self.key.value()
    }
}

pub(super) fn is_free(key: &str) -> bool {
    key.starts_with("x-")
}

impl<'n, 'l> Reader<'n, 'l> {
    /// At the document's root.
    pub fn new(diagnostics: &'n mut Diagnostics<'l>) -> Self {
        Self {
            diagnostics,
            patterns: HashMap::default(),
            paths: HashMap::default(),
            claims: None,
            budgets: Budgets::default(),
            scopes: Vec::new(),
            whens: Vec::new(),
            ignored: Vec::new(),
            has_odd_names: false,
            is_of_request: false,
            reads_counters: false,
            steps: SmallVec::new(),
        }
    }

    /// The path that a text names.
    pub(super) fn path(&mut self, text: &'n str) -> Result<Arc<Path>, PathError> {
        let path = match self.paths.get(text) {
            Some(known) => Arc::clone(known),
            None => {
                let path = Arc::new(Path::parse(text)?);
                self.paths.insert(text, Arc::clone(&path));
                path
            }
        };
        if self.is_of_request && path.root == Root::Tool {
            return Err(PathError {
                message: "a request has no tool".to_owned(),
                help: "an entry of `methods` is for one method: leave the condition out".into(),
            });
        }
        Ok(path)
    }

    /// JSON Pointer to the place that is being read.
    pub fn pointer(&self) -> String {
        let mut pointer = String::new();
        self.write_pointer(&mut pointer);
        pointer
    }

    /// Appends the pointer.
    pub(super) fn write_pointer(&self, pointer: &mut String) {
        let start = pointer.len();
        for step in &self.steps {
            match step {
                Step::Member(name) if push_segment(pointer, start, name) => {}
                Step::Member(_) => return,
                // Writing to a String cannot fail.
                Step::Item(index) => _ = write!(pointer, "/{index}"),
            }
        }
    }

    /// Reads below the member `name`.
    #[inline]
    pub fn within<R>(&mut self, name: &'n str, read: impl FnOnce(&mut Self) -> R) -> R {
        self.below(Step::Member(name), read)
    }

    /// Reads below the element `index`.
    #[inline]
    pub fn item<R>(&mut self, index: usize, read: impl FnOnce(&mut Self) -> R) -> R {
        self.below(Step::Item(index), read)
    }

    #[inline]
    fn below<R>(&mut self, step: Step<'n>, read: impl FnOnce(&mut Self) -> R) -> R {
        self.steps.push(step);
        let result = read(self);
        self.steps.pop();
        result
    }

    /// Complains of a place. Without `help` there is none, unless the text itself gives some.
    pub fn error(
        &mut self,
        code: &'static str,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        if !self.is_full() {
            let help = odd_characters(self.diagnostics.lines().written(span)).unwrap_or_else(|| help.into());
            let help = if help.is_empty() { None } else { Some(help) };
            let pointer = self.pointer();
            self.diagnostics.error(code, span, pointer, message, help);
        }
    }

    /// Whether further errors change nothing. Then nothing is read any more, so that they cost nothing.
    pub fn is_full(&self) -> bool {
        self.diagnostics.is_full()
    }

    /// Warns of a place.
    pub fn warning(&mut self, code: &'static str, span: Span, message: impl Into<String>, help: &str) {
        let pointer = self.pointer();
        self.diagnostics.warning(code, span, pointer, message, Some(help.to_owned()));
    }

    /// Warns of a null that stands for nothing (spec 1.6): a document that was cut off ends in one.
    pub(super) fn null(&mut self, code: &'static str, span: Span, message: &str) {
        self.warning(code, span, message, "write what belongs here, or remove the field if nothing does");
    }

    /// Complains that a node is not what was expected.
    pub fn mismatch(&mut self, node: Node<'n>, expected: &str) {
        self.mismatch_with(node, expected, "");
    }

    /// The same, with help where there is some for this place.
    pub fn mismatch_with(&mut self, node: Node<'n>, expected: &str, help: &str) {
        let found = match node.content() {
            Content::Ambiguous { text, word } => {
                let text = shown(text);
                let other = if word { "`true` or `false`" } else { "a plain decimal number" };
                let general = || format!("write `\"{text}\"` for the text, or {other}");
                let help = if help.is_empty() { general() } else { help.to_owned() };
                let message = format!("YAML 1.1 and 1.2 read `{text}` differently; expected {expected}");
                self.error("ambiguous_scalar", node.span(), message, help);
                return;
            }
            Content::Null => "null",
            Content::Bool(_) => "a boolean",
            Content::Number(_) => "a number",
            Content::String(_) => "a string",
            Content::Sequence(_) => "a list",
            Content::Mapping(_) => "a mapping",
        };
        let is_list = expected.starts_with("a list");
        let odd;
        let help = match node.content() {
            _ if !help.is_empty() => help,
            Content::Mapping(members) if is_list => {
                // The blank behind the `-` is of another kind, so the `-` begins a key and not an item.
                let dash = members.into_iter().next().filter(|(key, _)| key.text().starts_with('-'));
                odd = dash.and_then(|(key, _)| odd_characters(key.text()));
                odd.as_deref().unwrap_or("write `- ` before each item, or `[…]` around all of them")
            }
            Content::Null => "",
            _ if is_list => "put it in brackets: `[…]`",
            Content::String(text) if expected.contains("mapping") && text.contains(':') => {
                "write a blank behind the `:` of each field"
            }
            Content::String(text)
                if text.bytes().all(|byte| byte.is_ascii_digit()) && expected.starts_with("a number") =>
            {
                "write it without quotes"
            }
            Content::String("true" | "false") if expected == "`true` or `false`" => "write it without quotes",
            _ if expected.starts_with("an entry") => {
                "write `{}` to allow the tool, and `{rules: [{action: deny}]}` to deny it"
            }
            _ if expected.starts_with("a mapping of tool names") => {
                "write `NAME: {}` for each tool that may be called"
            }
            _ => "",
        };
        self.error("wrong_type", node.span(), format!("expected {expected}, found {found}"), help);
    }

    /// The members of a mapping.
    pub fn mapping(&mut self, node: Node<'n>, expected: &str) -> Option<Members<'n>> {
        match node.content() {
            Content::Mapping(members) => Some(members),
            _ => {
                self.mismatch(node, expected);
                None
            }
        }
    }

    /// The fields of a mapping by name, in the order of `names`; all others are unknown.
    pub fn fields<const N: usize>(
        &mut self,
        node: Node<'n>,
        expected: &str,
        names: [&str; N],
    ) -> Option<[Option<Field<'n>>; N]> {
        let members = self.mapping(node, expected)?;
        let mut found = [None; N];
        for (key, _) in members {
            let place = names.iter().zip(&mut found).find(|(name, _)| same(name, key.text()));
            match place {
                Some((_, place)) => *place = Some(Field { key }),
                None => self.unknown(key, names),
            }
        }
        Some(found)
    }

    /// Complains of a field that is not known, unless it is free.
    pub(super) fn unknown<const N: usize>(&mut self, key: Node<'n>, names: [&str; N]) {
        if is_free(key.text()) || self.is_full() {
            return;
        }
        let glued = key.text().split_once(':').filter(|(name, _)| names.contains(name));
        let nearest = || self.diagnostics.suggestions.nearest(key.text(), names);
        if let Some(help) = elsewhere(key.text()) {
            let message = format!("unknown field `{}`", key.text());
            return self
                .within(key.text(), |reader| reader.error("unknown_field", key.span(), message, help));
        }
        let help = match (glued, glued.map_or_else(nearest, |_| None)) {
            (Some((name, value)), _) => format!("write a blank behind the `:`: `{name}: {}`", shown(value)),
            (None, Some(name)) => format!("did you mean `{name}`?"),
            (None, None) => {
                format!("known fields here: {}; keys that begin with `x-` are free", names.join(", "))
            }
        };
        let message = format!("unknown field `{}`", shown(key.text()));
        self.within(key.text(), |reader| reader.error("unknown_field", key.span(), message, help));
    }

    /// Complains of a field that is missing from `node`. Where a misspelt one is there, the help is to rename that.
    pub fn missing(&mut self, node: Node<'n>, name: &str, help: &str) {
        let mut keys = match node.content() {
            Content::Mapping(members) if !self.is_full() => Some(members),
            _ => None,
        }
        .into_iter()
        .flatten()
        .map(|(key, _)| key.text())
        .filter(|key| !is_free(key) && odd_characters(key).is_none());
        let misspelt = keys.find(|key| self.diagnostics.suggestions.nearest(key, [name]).is_some());
        let rename = misspelt.map(|key| format!("rename `{}` to `{name}`", shown(key)));
        let help = rename.as_deref().unwrap_or(help);
        self.error("missing_field", node.span(), format!("field `{name}` is missing"), help);
    }

    /// The items of a list.
    pub fn list(&mut self, node: Node<'n>, expected: &str) -> Option<Items<'n>> {
        match node.content() {
            Content::Sequence(items) => Some(items),
            _ => {
                self.mismatch(node, expected);
                None
            }
        }
    }

    /// A string of a few that are known, or of a form of its own; a bare YAML word is one here. `help` says which.
    pub fn string(&mut self, node: Node<'n>, expected: &str, help: &str) -> Option<&'n str> {
        match node.content() {
            Content::String(text) | Content::Ambiguous { text, word: true } => Some(text),
            _ => {
                self.mismatch_with(node, expected, help);
                None
            }
        }
    }

    /// Any string, which a number becomes in quotes.
    pub fn any_string(&mut self, node: Node<'n>, expected: &str) -> Option<&'n str> {
        let help = match node.content() {
            Content::Number(text) => format!("quote it: `\"{}\"`", shown(text)),
            Content::Bool(value) => format!("quote it: `\"{value}\"`"),
            _ => String::new(),
        };
        self.string(node, expected, &help)
    }

    /// The string in a field, if the field is there.
    pub fn text(&mut self, field: Option<Field<'n>>) -> Option<&'n str> {
        let field = field?;
        self.within(field.key.text(), |reader| reader.any_string(field.value(), "a string"))
    }
}

/// Text of the author's for a message, cut where it is long.
pub fn shown(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(80) {
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(text),
    }
}

/// What to write instead of a field that policies of other engines have.
fn elsewhere(field: &str) -> Option<&'static str> {
    Some(match field {
        "approvals" | "approval_timeout" => {
            "a rule asks with `action: require_approval`; who approves and how long a call waits is the host's to set"
        }
        "spend" => {
            "for each call write a condition on the amount, such as `{path: args.amount, op: lte, value: 500}`; for a day `limits: [{counter: spend, window: day, max: 1000, increment_from: args.amount}]`"
        }
        _ => return None,
    })
}

/// What to do about characters that look like others of the syntax: where something is wrong with a text that has them, they
/// are why.
fn odd_characters(written: &str) -> Option<String> {
    // Of a whole mapping or a text of several lines, such a character is not likely to be what is wrong.
    if written.is_ascii() || written.contains(": ") || written.contains('\n') {
        return None;
    }
    let is_quote = |c: char| matches!(c, '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}');
    if written.starts_with(is_quote) || written.ends_with(is_quote) {
        return Some("typographic quotes are part of the text: write `\"` around it, or nothing".to_owned());
    }
    let blank = written.chars().take(80).find(|c| c.is_whitespace() && !c.is_ascii())?;
    let code = u32::from(blank);
    Some(format!(
        "it has the character U+{code:04X}, which looks like a blank: write an ordinary one, or none"
    ))
}
