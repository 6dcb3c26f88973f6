//! Paths with views and wildcards, with the operands that fit what they give; and operands from the call.

use super::Generator;
use super::feature::Feature;

/// What a path gives (spec 4.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gives {
    /// Whatever is there.
    Any,
    /// Strings.
    Text,
    /// Strings in lower case.
    Lower,
    /// Whole numbers.
    Number,
    /// The names of an object.
    Keys,
    /// All text below.
    Below,
    /// All text below, in lower case.
    BelowLower,
}

use Gives::{Any, Below, BelowLower, Keys, Lower, Number, Text};

const PATHS: [(Gives, &str); 67] = [
    (Any, "args.s"),
    (Any, "args.s"),
    (Any, "args.o.x"),
    (Any, "args.o[\\\"*\\\"]"),
    (Any, "args.o[\\\"@id\\\"]"),
    (Any, "args.*"),
    (Any, "args.o.*"),
    (Any, "args.o.*"),
    (Any, "args.c.*"),
    (Any, "args.o.*.x"),
    (Any, "args.o.*[*]"),
    (Any, "args.items[*].*"),
    (Any, "args.s.@json"),
    (Any, "args.s.@json.x"),
    (Any, "args.s.@json.x"),
    (Any, "args.s.@json[0]"),
    (Any, "args.s.@json.*"),
    (Any, "args.s.@json.x[*]"),
    (Any, "args.s.@json.x.@json"),
    (Any, "args.a.@json"),
    (Any, "args.list[*].@json"),
    (Any, "args.items[*].@json.x"),
    (Any, "identity.*"),
    (Any, "identity.doc.@json.x"),
    (Any, "identity.level.@json"),
    (Number, "args.a.@length"),
    (Number, "args.b.@text.@length"),
    (Number, "args.b.@lower.@length"),
    (Number, "args.list.@count"),
    (Number, "args.c.@count"),
    (Number, "args.@count"),
    (Number, "args.list[*].@length"),
    (Number, "args.o.*.@count"),
    (Number, "args.o.@keys.@count"),
    (Number, "args.o.@keys[*].@length"),
    (Number, "args.s.@json.@count"),
    (Number, "args.s.@json.x.@length"),
    (Number, "identity.id.@length"),
    (Number, "identity.roles.@count"),
    (Keys, "args.@keys"),
    (Keys, "args.o.@keys"),
    (Keys, "args.c.@keys"),
    (Keys, "args.o.*.@keys"),
    (Keys, "args.s.@json.@keys"),
    (Text, "args.o.@keys[*]"),
    (Text, "args.o.@keys[0]"),
    (Text, "args.o.@keys[1]"),
    (Text, "args.@keys[0]"),
    (Text, "args.@keys[1]"),
    (Text, "args.@keys[*]"),
    (Text, "args.o.*.@text"),
    (Lower, "args.a.@lower"),
    (Lower, "args.b.@text.@lower"),
    (Lower, "args.list[*].@lower"),
    (Lower, "args.o.@keys[*].@lower"),
    (Lower, "args.s.@json.x.@lower"),
    (Lower, "identity.id.@lower"),
    (Below, "args.**"),
    (Below, "args.o.**"),
    (Below, "args.c.**"),
    (Below, "args.items[*].**"),
    (Below, "args.o.**.@text"),
    (Below, "args.s.@json.**"),
    (Below, "identity.**"),
    (BelowLower, "args.**.@lower"),
    (BelowLower, "args.o.**.@text.@lower"),
    (BelowLower, "args.list.**.@lower"),
];

/// Text that is its own lower case, and text that is so only by other mappings.
const LOWER: [&str; 18] = [
    "\"a\"",
    "\"a\"",
    "\"ab\"",
    "\"alice\"",
    "\"é\"",
    "\"i\"",
    "\"i\"",
    "\"i\u{307}\"",
    "\"i\u{307}\"",
    "\"ασ\"",
    "\"ασ\"",
    "\"ας\"",
    "\"ας\"",
    "\"k\"",
    "\"ß\"",
    "\"ss\"",
    "\"\"",
    "\"/srv/data\"",
];
const NAMES: [&str; 12] = [
    "\"items\"",
    "\"list\"",
    "\"a\"",
    "\"b\"",
    "\"x\"",
    "\"X\"",
    "\"*\"",
    "\"@id\"",
    "\"\u{130}\"",
    "\"[1]\"",
    "\"null\"",
    "\"alice\"",
];
const PATTERNS: [&str; 5] = ["\"^a\"", "\"b$\"", "\"(?i)ALICE\"", "\"^.{1,2}$\"", "\"^\\\\w*$\""];

impl Generator {
    /// An operator and its operand for a path that gives this; no operand where it is to come from the call.
    pub(super) fn fitting(&mut self, gives: Gives, from: bool) -> (&'static str, String) {
        match gives {
            Any if from => {
                let ops =
                    ["eq", "eq", "neq", "in", "not_in", "includes", "not_includes", "lt", "gte", "subset_of"];
                (self.pick(&ops), String::new())
            }
            Any => self.ordinary(),
            Number => self.of_number(from),
            Keys => self.of_keys(from),
            Text => self.of_strings(false, true, from, |own| {
                if own.chance(60) { own.pick(&NAMES) } else { own.pick(&LOWER) }.to_owned()
            }),
            Lower => self.of_strings(true, true, from, |own| own.pick(&LOWER).to_owned()),
            Below => self.of_strings(false, false, from, |own| match own.below(3) {
                0 => own.pick(&NAMES).to_owned(),
                1 => own.text(),
                _ => own.pick(&["\"a\"", "\"A\"", "\"alice\"", "\"\""]).to_owned(),
            }),
            BelowLower => self.of_strings(true, false, from, |own| own.pick(&LOWER).to_owned()),
        }
    }

    fn some(&mut self, least: usize, item: impl Fn(&mut Self) -> String) -> String {
        let items: Vec<String> = (0..least + self.below(4)).map(|_| item(self)).collect();
        format!("[{}]", items.join(","))
    }

    fn of_number(&mut self, from: bool) -> (&'static str, String) {
        let whole = |own: &mut Self| own.pick(&["0", "1", "2", "2", "3", "4", "5", "5.0", "9"]).to_owned();
        match self.below(if from { 6 } else { 8 }) {
            0 => (self.pick(&["eq", "neq"]), whole(self)),
            1 => (self.pick(&["in", "not_in"]), self.some(1, whole)),
            2..6 => {
                let number = self.pick(&["0", "1", "2", "2.5", "3", "5", "-1"]).to_owned();
                (self.pick(&["lt", "lte", "gt", "gte"]), number)
            }
            6 => ("exists", self.pick(&["true", "false"]).to_owned()),
            _ if self.may(Feature::Operators) => {
                ("type", self.pick(&["\"number\"", "\"integer\""]).to_owned())
            }
            _ => ("eq", whole(self)),
        }
    }

    fn of_keys(&mut self, from: bool) -> (&'static str, String) {
        let name = |own: &mut Self| own.pick(&NAMES).to_owned();
        let names = |own: &mut Self| own.some(0, name);
        let of_args = "[\"a\",\"b\",\"c\",\"list\",\"items\",\"a.b\",\"o\",\"s\"]";
        match self.below(if from { 5 } else { 8 }) {
            0 => (self.pick(&["eq", "neq"]), names(self)),
            1 => (self.pick(&["in", "not_in"]), self.some(1, names)),
            2 if self.may(Feature::Operators) => (self.pick(&["includes", "not_includes"]), name(self)),
            2 | 3 => ("subset_of", self.some(3, name)),
            4 => ("subset_of", of_args.to_owned()),
            5 => (self.pick(&["contains", "not_contains"]), name(self)),
            6 => ("exists", self.pick(&["true", "false"]).to_owned()),
            _ if self.may(Feature::Operators) => {
                ("type", self.pick(&["\"array\"", "[\"array\"]"]).to_owned())
            }
            _ => ("eq", names(self)),
        }
    }

    /// Strings, in lower case or as they are; `single` where the path leads to values and not to all text below it.
    fn of_strings(
        &mut self,
        lower: bool,
        single: bool,
        from: bool,
        text: impl Fn(&mut Self) -> String,
    ) -> (&'static str, String) {
        let last = match (from, single) {
            (true, _) => 3,
            (false, false) => 7,
            (false, true) => 10,
        };
        match self.below(last) {
            0 => (self.pick(&["eq", "neq"]), text(self)),
            1 | 2 => (self.pick(&["in", "not_in"]), self.some(1, text)),
            3 | 4 => (self.pick(&["contains", "not_contains"]), text(self)),
            5 => (self.pick(&["starts_with", "ends_with"]), text(self)),
            6 if lower => ("not_in", self.some(1, text)),
            6 => (self.pick(&["regex", "not_regex"]), self.pick(&PATTERNS).to_owned()),
            7 => ("exists", self.pick(&["true", "false"]).to_owned()),
            8 if self.may(Feature::Operators) => ("type", "\"string\"".to_owned()),
            _ => ("within", "\"/srv/data\"".to_owned()),
        }
    }

    /// A path with a view or a wildcard, if the policy may have one.
    pub(super) fn reaching(&mut self) -> Option<(Gives, &'static str)> {
        let known: Vec<(Gives, &str)> = PATHS.into_iter().filter(|(_, path)| self.may_reach(path)).collect();
        self.may(Feature::Views).then(|| known[self.below(known.len())])
    }

    /// A path of an operand for this operator.
    pub(super) fn operand_path(&mut self, op: &str) -> &'static str {
        if self.may(Feature::Views) && self.chance(30) {
            let numbers =
                ["args.list.@count", "args.a.@length", "identity.roles.@count", "args.o.@keys.@count"];
            let lists = ["args.o.@keys", "args.s.@json.x", "args.s.@json", "identity.doc.@json.x"];
            let others =
                ["args.a.@text", "args.b.@lower", "args.s.@json.x", "identity.id.@lower", "args.o.x"];
            return match op {
                "in" | "not_in" | "subset_of" => self.pick_path(&lists),
                "lt" | "lte" | "gt" | "gte" => self.pick_path(&numbers),
                "within" => "identity.dir",
                _ => self.pick_path(&others),
            };
        }
        if self.may(Feature::Server)
            && self.chance(8)
            && matches!(op, "eq" | "neq" | "includes" | "not_includes")
        {
            return "server";
        }
        match op {
            "in" | "not_in" | "subset_of" => {
                self.pick(&["identity.roles", "identity.allowed", "identity.allowed", "args.list", "args.b"])
            }
            "lt" | "lte" | "gt" | "gte" => {
                self.pick(&["identity.level", "identity.level", "args.b", "args.c.d", "args.list[0]"])
            }
            "within" => self.pick(&["identity.dir", "identity.dir", "identity.id"]),
            _ => self.pick(&[
                "identity.id",
                "identity.level",
                "identity.roles",
                "args.a",
                "args.b",
                "args.c.d",
                "args.list[0]",
                "args.missing",
                "tool",
            ]),
        }
    }
}
