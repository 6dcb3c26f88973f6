//! A policy under test: compiled, with the names and places of its rules.
//!
//! In: a policy's file and text. Out: a [`Subject`], or why it does not load. Decides nothing.

use std::collections::HashMap;

use callgate::__analysis::{Content, Diagnostics, Matching, Node, globs_matching, matching, parse};
use callgate::{Policy, PolicyError, StackError};

/// A policy under test.
#[derive(Debug)]
pub struct Subject {
    /// Its file, as the test names it.
    pub path: String,
    /// Its text.
    pub text: String,
    /// The policy.
    pub policy: Policy,
    /// Its rules, in the order of the document.
    pub rules: Vec<RuleName>,
    /// Its entries: those of `tools` in the order of the document, then `all_tools`.
    pub entries: Vec<EntryName>,
    /// The entries of `tools` by their keys.
    exact: HashMap<String, usize>,
    /// The policies of a stack; none for one policy.
    layers: Vec<Subject>,
}

/// What of a policy applies to a tool, whatever the call is (spec 2.8, 3.6, 6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// A name of `hide`, by its pointer.
    Hidden(String),
    /// No entry lists it, and `default` denies.
    NotListed,
    /// No call can have such a name.
    Invalid,
    /// These entries, by their index in [`Subject::entries`]; those without rules, too.
    Entries {
        /// The exact name's, those of globs, `*`, `all_tools`.
        entries: Vec<usize>,
        /// Whether the exact name or a glob is among them; else `default` allows the tool.
        listed: bool,
    },
}

/// A rule or item, or a name of `hide`.
#[derive(Debug, PartialEq, Eq)]
pub struct RuleName {
    /// JSON Pointer.
    pub pointer: String,
    /// Its name, if it has one.
    pub name: Option<String>,
}

/// An entry.
#[derive(Debug, PartialEq, Eq)]
pub struct EntryName {
    /// JSON Pointer.
    pub pointer: String,
    /// The key in `tools`; `None` for `all_tools`.
    pub key: Option<String>,
}

/// Fields of an entry that hold rules or items.
const LISTS: [&str; 4] = ["rules", "require", "deny_if", "limits"];

impl Subject {
    /// Compiles a policy.
    ///
    /// # Errors
    /// Every error in the text, each with its place.
    pub fn new(path: &str, text: &str) -> Result<Self, PolicyError> {
        let policy: Policy = text.parse()?;
        let mut subject = Self {
            path: path.to_owned(),
            text: text.to_owned(),
            policy,
            rules: Vec::new(),
            entries: Vec::new(),
            exact: HashMap::new(),
            layers: Vec::new(),
        };
        let mut diagnostics = Diagnostics::new(text);
        if let Some(tree) = parse(text, &mut diagnostics) {
            subject.read(tree.root());
        }
        Ok(subject)
    }

    /// Several policies as one, called `name`. One alone is itself. A stack has no text and no entries of its own: what is said of
    /// them is said of its policies.
    ///
    /// # Errors
    /// Why they do not go together (spec 6.10).
    pub fn stack(name: &str, mut layers: Vec<Self>) -> Result<Self, StackError> {
        if layers.len() == 1
            && let Some(only) = layers.pop()
        {
            return Ok(only);
        }
        let policy = Policy::stack(layers.iter().map(|layer| layer.policy.clone()))?;
        Ok(Self {
            path: name.to_owned(),
            text: String::new(),
            policy,
            rules: Vec::new(),
            entries: Vec::new(),
            exact: HashMap::new(),
            layers,
        })
    }

    /// Whether it is a stack of several policies.
    pub fn is_stack(&self) -> bool {
        !self.layers.is_empty()
    }

    /// The policies of a stack, or this one.
    pub fn files(&self) -> &[Self] {
        if self.layers.is_empty() { std::slice::from_ref(self) } else { &self.layers }
    }

    /// The rules of all policies, in their order.
    pub fn all_rules(&self) -> impl Iterator<Item = &RuleName> {
        self.files().iter().flat_map(|policy| &policy.rules)
    }

    fn read(&mut self, root: Node<'_>) {
        if let Some(Content::Sequence(items)) = member(root, "hide").map(Node::content) {
            for (index, _) in items.enumerate() {
                self.rules.push(RuleName { pointer: format!("/hide/{index}"), name: None });
            }
        }
        if let Some(Content::Mapping(entries)) = member(root, "tools").map(Node::content) {
            for (key, entry) in entries {
                let pointer = format!("/tools/{}", segment(key.text()));
                self.read_entry(entry, pointer, Some(key.text().to_owned()));
            }
        }
        let methods = member(root, "requests").and_then(|requests| member(requests, "methods"));
        if let Some(Content::Mapping(methods)) = methods.map(Node::content) {
            for (method, entry) in methods {
                self.read_rules(entry, &format!("/requests/methods/{}", segment(method.text())));
            }
        }
        if let Some(entry) = member(root, "all_tools") {
            self.read_entry(entry, "/all_tools".to_owned(), None);
        }
    }

    fn read_entry(&mut self, entry: Node<'_>, pointer: String, key: Option<String>) {
        self.read_rules(entry, &pointer);
        if let Some(key) = &key {
            self.exact.insert(key.clone(), self.entries.len());
        }
        self.entries.push(EntryName { pointer, key });
    }

    fn read_rules(&mut self, entry: Node<'_>, pointer: &str) {
        for list in LISTS {
            if let Some(Content::Sequence(items)) = member(entry, list).map(Node::content) {
                for (index, item) in items.enumerate() {
                    let name = member(item, "name").map(|name| name.text().to_owned());
                    self.rules.push(RuleName { pointer: format!("{pointer}/{list}/{index}"), name });
                }
            }
        }
        if member(entry, "only_args").is_some() {
            self.rules.push(RuleName { pointer: format!("{pointer}/only_args"), name: None });
        }
    }

    /// What applies to a tool.
    pub fn admission(&self, tool: &str) -> Admission {
        match matching(&self.policy, tool) {
            Matching::Hidden(pointer) => Admission::Hidden(pointer),
            Matching::NotListed => Admission::NotListed,
            Matching::Invalid => Admission::Invalid,
            // Entries without rules apply, too: they list the tool.
            Matching::Open => {
                let (entries, listed) = self.entries_of(tool);
                Admission::Entries { entries, listed }
            }
        }
    }

    /// The entries that apply to a tool if it may be called, and whether the exact name or a glob is among them.
    pub(crate) fn entries_of(&self, tool: &str) -> (Vec<usize>, bool) {
        let mut entries: Vec<usize> = self.exact.get(tool).copied().into_iter().collect();
        entries.extend(globs_matching(&self.policy, tool));
        let listed = !entries.is_empty();
        let everywhere = |entry: &EntryName| entry.key.as_deref().is_none_or(|key| key == "*");
        let indexed = self.entries.iter().enumerate();
        entries.extend(indexed.filter(|(_, entry)| everywhere(entry)).map(|(index, _)| index));
        (entries, listed)
    }

    /// The entry of `tools` with this key.
    pub(crate) fn entry(&self, key: &str) -> Option<usize> {
        self.exact.get(key).copied()
    }

    /// Whether a rule has this name, or this pointer where it begins with `/`.
    pub fn has_rule(&self, name: &str) -> bool {
        self.all_rules().any(|rule| is_named(name, &rule.pointer, rule.name.as_deref()))
    }

    /// Whether the policy names a tool: in `hide`, or by an exact name or a glob of `tools`. The wildcard entry and `all_tools` name
    /// none (spec 2.8): they apply to a misspelt name, too.
    pub fn names(&self, tool: &str) -> bool {
        let names = |policy: &Self| {
            matches!(policy.admission(tool), Admission::Hidden(_) | Admission::Entries { listed: true, .. })
        };
        self.files().iter().any(names)
    }

    /// Whether two rules of one entry have this name, so that it does not tell which of them decided. Rules of two policies of a stack
    /// may have one name: `layer` tells them apart.
    pub fn is_ambiguous(&self, name: &str) -> bool {
        self.files().iter().any(|policy| policy.repeats(name))
    }

    fn repeats(&self, name: &str) -> bool {
        let entry = |rule: &RuleName| {
            // The list and the index stand behind the entry.
            let mut parts = rule.pointer.rsplitn(3, '/');
            let _ = (parts.next(), parts.next());
            parts.next().unwrap_or_default().to_owned()
        };
        let named = self.rules.iter().filter(|rule| rule.name.as_deref() == Some(name));
        let mut entries = std::collections::BTreeSet::new();
        named.map(entry).any(|entry| !entries.insert(entry))
    }

    /// Names of tools that the policy names exactly.
    pub fn exact_names(&self) -> impl Iterator<Item = &str> {
        let entries = self.files().iter().flat_map(|policy| &policy.entries);
        let keys = entries.filter_map(|entry| entry.key.as_deref());
        keys.filter(|key| !key.contains(['*', '?', '[', '{']))
    }
}

/// Whether a rule is meant by what a test calls it: its pointer, or its name.
pub(crate) fn is_named(wanted: &str, pointer: &str, name: Option<&str>) -> bool {
    wanted == pointer || name == Some(wanted)
}

/// The value of a member.
pub(crate) fn member<'n>(node: Node<'n>, name: &str) -> Option<Node<'n>> {
    let Content::Mapping(mut members) = node.content() else { return None };
    members.find(|(key, _)| key.text() == name).map(|(_, value)| value)
}

/// A key as a segment of a JSON Pointer (RFC 6901).
pub(crate) fn segment(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
