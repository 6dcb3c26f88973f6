//! The points of a policy: every outcome that a rule, a condition, a limit, an entry or a name can have.
//!
//! In: a policy's nodes. Out: groups of points, one for each place, with the pointers that explanations give. Decides nothing.

use std::collections::HashMap;
use std::ops::Range;

use callgate::__analysis::{Content, Diagnostics, Node, parse, shown};

use super::group::{ConditionShape, Form, Group, Shape};
use super::kinds::{Branch, Kind};
use super::path::{ArgsPath, reads_counter};
use crate::subject::{Subject, member, segment};

/// All groups of a policy, and where to find them.
#[derive(Debug, Default)]
pub(super) struct Points {
    pub(super) groups: Vec<Group>,
    /// The groups of each entry, those of its rules and conditions included.
    pub(super) of_entry: Vec<Vec<usize>>,
    /// The group of each entry, of each name of `hide` and of `default`, by pointer.
    pub(super) by_pointer: HashMap<String, usize>,
    /// By the pointer of a rule or item: the rule or approval, and the limit.
    pub(super) rules: HashMap<String, RuleGroups>,
    /// Conditions by their pointer.
    pub(super) conditions: HashMap<String, usize>,
    /// Limits by the key of their entry and the counter's name; of several for calls in flight the last.
    pub(super) limits: HashMap<(Option<String>, String), usize>,
    /// Budgets that have a maximum, by their name.
    pub(super) budgets: HashMap<String, usize>,
}

/// The groups of a rule or item.
#[derive(Debug, Default, Clone)]
pub(super) struct RuleGroups {
    pub(super) rule: Option<usize>,
    pub(super) limit: Option<usize>,
    /// Its conditions that read counters.
    pub(super) states: Vec<usize>,
}

/// Where conditions are read.
#[derive(Clone, Copy)]
pub(super) struct Within<'w> {
    pub(super) rule: &'w str,
    pub(super) entry: usize,
    pub(super) name: Option<&'w str>,
    pub(super) blocks: bool,
}

impl Within<'_> {
    /// A group of a rule or item, at its place.
    pub(super) fn group(
        self,
        kind: Kind,
        node: Node<'_>,
        text: String,
        branches: Vec<Branch>,
        shape: Shape,
    ) -> Group {
        Group {
            kind,
            pointer: self.rule.to_owned(),
            rule: self.rule.to_owned(),
            entry: Some(self.entry),
            name: self.name.map(str::to_owned),
            text,
            range: range(node),
            branches,
            shape,
        }
    }
}

impl Points {
    /// The points of a policy.
    pub(super) fn of(subject: &Subject) -> Self {
        let mut points = Self::default();
        let mut diagnostics = Diagnostics::new(&subject.text);
        // A subject loads, so there is a tree.
        if let Some(tree) = parse(&subject.text, &mut diagnostics) {
            points.read(subject, tree.root());
        }
        points
    }

    fn read(&mut self, subject: &Subject, root: Node<'_>) {
        let default = member(root, "default");
        let start = |node: Node<'_>| node.span().start as usize;
        let place = default.map_or(start(root)..start(root), range);
        let value = default.map_or("allow", Node::text);
        self.add(Group {
            kind: Kind::Default,
            pointer: "/default".to_owned(),
            rule: "/default".to_owned(),
            entry: None,
            name: None,
            text: format!("default: {value}"),
            range: place,
            branches: vec![Branch::Hit],
            shape: Shape::Default,
        });
        if let Some(Content::Sequence(items)) = member(root, "hide").map(Node::content) {
            for (index, item) in items.enumerate() {
                let pointer = format!("/hide/{index}");
                self.add(Group {
                    kind: Kind::Hide,
                    rule: pointer.clone(),
                    pointer,
                    entry: None,
                    name: None,
                    text: format!("hide {}", shown(item.text())),
                    range: range(item),
                    branches: vec![Branch::Hit],
                    shape: Shape::Hide,
                });
            }
        }
        self.of_entry = vec![Vec::new(); subject.entries.len()];
        let budgets = member(root, "budgets");
        if let Some(Content::Mapping(budgets)) = budgets.map(Node::content) {
            for (name, budget) in budgets {
                self.read_budget(name, budget);
            }
        }
        let mut index = 0;
        if let Some(Content::Mapping(entries)) = member(root, "tools").map(Node::content) {
            for (key, entry) in entries {
                let pointer = format!("/tools/{}", segment(key.text()));
                self.read_entry(index, pointer, Some(key.text()), range(key), entry, budgets);
                index = index.saturating_add(1);
            }
        }
        if let Content::Mapping(mut fields) = root.content()
            && let Some((key, entry)) = fields.find(|(key, _)| key.text() == "all_tools")
        {
            self.read_entry(index, "/all_tools".to_owned(), None, range(key), entry, budgets);
        }
    }

    pub(super) fn add(&mut self, group: Group) -> usize {
        let index = self.groups.len();
        if let Some(of_entry) = group.entry.and_then(|entry| self.of_entry.get_mut(entry)) {
            of_entry.push(index);
        }
        match &group.shape {
            Shape::Default | Shape::Hide | Shape::Entry => {
                self.by_pointer.insert(group.pointer.clone(), index);
            }
            Shape::Rule { .. } | Shape::Approval => {
                self.rules.entry(group.rule.clone()).or_default().rule = Some(index);
            }
            Shape::Condition(condition) => {
                if condition.reads_counter() {
                    self.rules.entry(group.rule.clone()).or_default().states.push(index);
                }
                self.conditions.insert(group.pointer.clone(), index);
            }
            Shape::Limit(limit) => {
                self.rules.entry(group.rule.clone()).or_default().limit = Some(index);
                // A budget is no counter of the entry that pays into it.
                if !matches!(limit.form, Form::Budget { .. }) {
                    self.limits.insert((limit.entry.clone(), limit.counter.clone()), index);
                }
            }
            Shape::Budget { name, .. } => {
                self.budgets.insert(name.clone(), index);
            }
        }
        self.groups.push(group);
        index
    }

    fn read_entry(
        &mut self,
        index: usize,
        pointer: String,
        key: Option<&str>,
        place: Range<usize>,
        entry: Node<'_>,
        budgets: Option<Node<'_>>,
    ) {
        self.add(Group {
            kind: Kind::Entry,
            rule: pointer.clone(),
            pointer: pointer.clone(),
            entry: Some(index),
            name: None,
            text: format!("entry {}", shown(key.unwrap_or("all_tools"))),
            range: place,
            branches: vec![Branch::Hit],
            shape: Shape::Entry,
        });
        let Content::Mapping(fields) = entry.content() else { return };
        for (field, list) in fields {
            let Content::Sequence(items) = list.content() else { continue };
            if field.text() == "only_args" {
                self.read_only_args(index, &format!("{pointer}/only_args"), list);
                continue;
            }
            for (at, item) in items.enumerate() {
                let rule = format!("{pointer}/{}/{at}", field.text());
                match field.text() {
                    "rules" => self.read_rule(index, key, &rule, item),
                    "require" => self.read_item(index, &rule, item, false),
                    "deny_if" => self.read_item(index, &rule, item, true),
                    "limits" => self.read_limit(index, key, &rule, item, budgets),
                    _ => {}
                }
            }
        }
    }

    /// The condition on the names of the arguments.
    fn read_only_args(&mut self, entry: usize, pointer: &str, list: Node<'_>) {
        let within = Within { rule: pointer, entry, name: None, blocks: false };
        let shape = ConditionShape { unknown_holds: false, counter: None, number: None };
        let branches = vec![Branch::Holds, Branch::Fails];
        let (text, shape) = ("only_args".to_owned(), Shape::Condition(shape));
        self.add(within.group(Kind::Condition, list, text, branches, shape));
    }

    fn read_item(&mut self, entry: usize, rule: &str, item: Node<'_>, blocks: bool) {
        let name = text_of(item, "name");
        let within = Within { rule, entry, name, blocks };
        let is_bare = ["path", "any", "all", "not"].iter().any(|field| member(item, field).is_some());
        let conditions = member(item, "conditions");
        let count = if is_bare { 1 } else { length(conditions) };
        let at = self.add_rule(within, item, count > 0, false);
        if is_bare {
            self.read_condition(within, rule.to_owned(), item, blocks);
        } else {
            self.read_conditions(within, item, "conditions");
        }
        self.note_counters(at, rule);
    }

    fn read_rule(&mut self, entry: usize, key: Option<&str>, rule: &str, node: Node<'_>) {
        let name = text_of(node, "name");
        let action = text_of(node, "action").unwrap_or("evaluate");
        let blocks = matches!(action, "deny" | "require_approval");
        let within = Within { rule, entry, name, blocks };
        if let Some(rate) = member(node, "rate_limit") {
            self.read_rate(within, key, rate);
            return self.read_when(within, node);
        }
        let conditions = member(node, "conditions");
        let state = member(node, "state");
        let has_conditions = length(conditions) > 0;
        if action == "require_approval" {
            let mut branches = vec![Branch::Asked, Branch::Given];
            if has_conditions {
                branches.push(Branch::Passed);
            }
            let text = titled("require_approval", name);
            self.add(within.group(Kind::Approval, node, text, branches, Shape::Approval));
        } else if has_conditions || state.is_none() {
            let at = self.add_rule(within, node, has_conditions, action == "allow");
            self.read_conditions(within, node, "conditions");
            self.note_counters(at, rule);
        }
        if action == "require_approval" {
            self.read_conditions(within, node, "conditions");
        }
        if let Some(state) = state {
            self.read_state(within, key, state);
        }
    }

    /// The conditions of a limit that applies to some calls: an unknown one makes it apply.
    pub(super) fn read_when(&mut self, within: Within<'_>, node: Node<'_>) {
        self.read_conditions(Within { blocks: true, ..within }, node, "when");
    }

    /// A rule that permits or denies. One without conditions has one outcome: it always acts, or always lets pass.
    fn add_rule(&mut self, within: Within<'_>, node: Node<'_>, has_conditions: bool, allows: bool) -> usize {
        let Within { blocks, .. } = within;
        let branches = match (has_conditions, blocks) {
            (true, _) => vec![Branch::Acted, Branch::Passed],
            (false, true) => vec![Branch::Acted],
            (false, false) => vec![Branch::Passed],
        };
        let what = match (blocks, allows) {
            (true, _) => "deny",
            (false, true) => "allow",
            (false, false) => "permit",
        };
        let shape = Shape::Rule { blocks, reads_counters: false };
        let text = titled(what, within.name);
        self.add(within.group(Kind::Rule, node, text, branches, shape))
    }

    /// Notes whether a rule has conditions on counters, once they are read.
    fn note_counters(&mut self, at: usize, rule: &str) {
        let some = self.rules.get(rule).is_some_and(|groups| !groups.states.is_empty());
        if let Some(Shape::Rule { reads_counters, .. }) =
            self.groups.get_mut(at).map(|group| &mut group.shape)
        {
            *reads_counters = some;
        }
    }

    fn read_conditions(&mut self, within: Within<'_>, node: Node<'_>, field: &str) {
        let Some(Content::Sequence(items)) = member(node, field).map(Node::content) else { return };
        for (index, item) in items.enumerate() {
            self.read_condition(within, format!("{}/{field}/{index}", within.rule), item, within.blocks);
        }
    }

    /// Recursion is as deep as the document, which has a ceiling. `unknown_holds`: each `not` around swaps it.
    fn read_condition(&mut self, within: Within<'_>, pointer: String, node: Node<'_>, unknown_holds: bool) {
        if let Some(inner) = member(node, "not") {
            return self.read_condition(within, format!("{pointer}/not"), inner, !unknown_holds);
        }
        for field in ["any", "all"] {
            if let Some(Content::Sequence(items)) = member(node, field).map(Node::content) {
                for (index, item) in items.enumerate() {
                    self.read_condition(within, format!("{pointer}/{field}/{index}"), item, unknown_holds);
                }
                return;
            }
        }
        let path = text_of(node, "path").unwrap_or_default().to_owned();
        let op = text_of(node, "op").unwrap_or_default().to_owned();
        let value = member(node, "value");
        let operand = value.map_or("", |value| match value.content() {
            Content::Null => "null",
            Content::Bool(true) => "true",
            Content::Bool(false) => "false",
            Content::Sequence(_) => "[…]",
            Content::Mapping(_) => "{…}",
            _ => value.text(),
        });
        let compares = matches!(op.as_str(), "lt" | "lte" | "gt" | "gte");
        let number = match value.map(Node::content) {
            Some(Content::Number(number)) if compares => {
                ArgsPath::parse(&path).map(|path| (path, number.to_owned()))
            }
            _ => None,
        };
        let operand = text_of(node, "value_from").unwrap_or(operand);
        let text = format!("{} {op} {}", shown(&path), shown(operand));
        let counter = reads_counter(&path).then_some(path);
        let shape = Shape::Condition(ConditionShape { unknown_holds, counter, number });
        let branches = vec![Branch::Holds, Branch::Fails];
        self.add(Group { pointer, ..within.group(Kind::Condition, node, text, branches, shape) });
    }
}

fn titled(what: &str, name: Option<&str>) -> String {
    name.map_or_else(|| what.to_owned(), |name| format!("{what} \"{}\"", shown(name)))
}

pub(super) fn text_of<'n>(node: Node<'n>, field: &str) -> Option<&'n str> {
    member(node, field).filter(|value| !value.is_null()).map(Node::text)
}

fn length(list: Option<Node<'_>>) -> usize {
    match list.map(Node::content) {
        Some(Content::Sequence(items)) => items.len(),
        _ => 0,
    }
}

pub(super) fn range(node: Node<'_>) -> Range<usize> {
    node.span().start as usize..node.span().end as usize
}
