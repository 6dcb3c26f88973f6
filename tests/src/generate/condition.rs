//! Values, and conditions on arguments and identities.

use super::Generator;
use super::alphabet::{JSON_TEXTS, PATHS, RAW_NUMBERS, SCALARS};
use super::feature::Feature;
use super::reach::Gives;

impl Generator {
    pub(super) fn value(&mut self, depth: usize) -> String {
        match self.below(10) {
            0 if depth > 0 => {
                let items: Vec<String> = (0..self.below(4)).map(|_| self.value(depth - 1)).collect();
                format!("[{}]", items.join(","))
            }
            1 if depth > 0 => format!("{{\"x\":{}}}", self.value(depth - 1)),
            2 if self.chance(60) => self.pick(&JSON_TEXTS).to_owned(),
            _ => self.pick(&SCALARS).to_owned(),
        }
    }

    /// A value of an argument; a number that only raw text can hold where `raw` says so.
    pub(super) fn argument(&mut self, depth: usize, raw: bool) -> String {
        if raw && self.chance(40) {
            self.pick(&RAW_NUMBERS).to_owned()
        } else if self.extended && self.chance(16) {
            self.letter()
        } else {
            self.value(depth)
        }
    }

    pub(super) fn list(&mut self) -> String {
        let items: Vec<String> = (0..1 + self.below(4)).map(|_| self.value(1)).collect();
        format!("[{}]", items.join(","))
    }

    pub(super) fn text(&mut self) -> String {
        let texts = ["\"a\"", "\"b\"", "\"alice\"", "\"\"", "\"5\""];
        if self.chance(60) { self.pick(&JSON_TEXTS).to_owned() } else { self.pick(&texts).to_owned() }
    }

    /// An operand that says something of a string, for an operator that does.
    fn of_text(&mut self, op: &'static str, value: String) -> (&'static str, String) {
        match op {
            "eq" | "neq" | "contains" | "not_contains" => (op, self.text()),
            "in" | "not_in" => {
                let items: Vec<String> = (0..1 + self.below(4)).map(|_| self.text()).collect();
                (op, format!("[{}]", items.join(",")))
            }
            "lt" | "lte" | "gt" | "gte" | "subset_of" => ("not_in", format!("[{}]", self.text())),
            _ => (op, value),
        }
    }

    /// An operator with an operand, for a path that leads to whatever is there.
    pub(super) fn ordinary(&mut self) -> (&'static str, String) {
        let percent = if self.pointed { 40 } else { 20 };
        if self.may(Feature::Operators) && self.chance(percent) {
            let types = ["null", "boolean", "number", "integer", "string", "array", "object"];
            return match self.below(3) {
                0 => (self.pick(&["includes", "not_includes"]), self.value(1)),
                1 => ("type", format!("\"{}\"", self.pick(&types))),
                _ => {
                    let (one, other) = (self.below(3), 3 + self.below(4));
                    ("type", format!("[\"{}\",\"{}\"]", types[one], types[other]))
                }
            };
        }
        match self.below(12) {
            0 => ("eq", self.value(2)),
            1 => ("neq", self.value(2)),
            2 => ("in", self.list()),
            3 => ("not_in", self.list()),
            4 | 5 => (
                self.pick(&["lt", "lte", "gt", "gte"]),
                self.pick(&["5", "5.0", "10.5", "0.1", "9007199254740993", "-1", "0", "0.000001", "1e300"])
                    .to_owned(),
            ),
            6 => {
                let patterns = [
                    r#""^a""#,
                    r#""\\d""#,
                    r#""b$""#,
                    r#""(?i)ALICE""#,
                    r#""^(a|ab)+$""#,
                    r#""^[^a-c]""#,
                    r#""\\bb?a""#,
                    r#""^\\w*$""#,
                    r#""^.{1,2}$""#,
                    r#""""#,
                    r#""(?m)a$""#,
                    r#""^/srv/(data|x{2,})(/.*)?$""#,
                ];
                (self.pick(&["regex", "not_regex"]), self.pick(&patterns).to_owned())
            }
            7 => (self.pick(&["contains", "not_contains"]), self.value(1)),
            8 => ("exists", self.pick(&["true", "false"]).to_owned()),
            9 => (
                self.pick(&["starts_with", "ends_with"]),
                self.pick(&["\"a\"", "\"\"", "\"é\"", "\"/srv/data\""]).to_owned(),
            ),
            10 => ("subset_of", self.list()),
            _ => {
                let directory = self.pick(&["/srv/data", "/srv/data/", "/srv/./x/../data", "/"]);
                ("within", format!("\"{directory}\""))
            }
        }
    }

    fn test(&mut self) -> String {
        let percent = if self.pointed { 40 } else { 25 };
        let from = self.may(Feature::ValueFrom) && self.chance(percent);
        let reaching = if self.chance(50) { self.reaching() } else { None };
        let (path, gives) = match reaching {
            Some((gives, path)) => (path.to_owned(), gives),
            None if self.may(Feature::Server) && self.chance(10) => ("server".to_owned(), Gives::Any),
            None => (self.pick(&PATHS).replace('"', "\\\""), Gives::Any),
        };
        let is_text = path.ends_with("@text") && gives == Gives::Any;
        let (op, value) = match self.fitting(if from && is_text { Gives::Text } else { gives }, from) {
            ("includes", _) | ("not_includes" | "type", _) if is_text => ("eq", self.text()),
            (op, value) if is_text && !from => self.of_text(op, value),
            found => found,
        };
        // Where a directory comes from, only a claim may say.
        let op = if from && gives == Gives::Any && !is_text && self.chance(10) { "within" } else { op };
        let operand = if from {
            format!("\"value_from\":\"{}\"", self.operand_path(op))
        } else {
            format!("\"value\":{value}")
        };
        let optional = self.permits && op != "exists" && self.may(Feature::Optional) && self.chance(30);
        let optional = if optional { ",\"optional\":true" } else { "" };
        format!("{{\"path\":\"{path}\",\"op\":\"{op}\",{operand}{optional}}}")
    }

    pub(super) fn condition(&mut self, depth: usize) -> String {
        match self.below(8) {
            0 if depth > 0 => format!("{{\"any\":{}}}", self.conditions(depth - 1)),
            1 if depth > 0 => format!("{{\"all\":{}}}", self.conditions(depth - 1)),
            2 if depth > 0 => {
                // Nothing is optional under `not`.
                let permits = std::mem::take(&mut self.permits);
                let inner = self.condition(depth - 1);
                self.permits = permits;
                format!("{{\"not\":{inner}}}")
            }
            _ => self.test(),
        }
    }

    pub(super) fn conditions(&mut self, depth: usize) -> String {
        let items: Vec<String> = (0..1 + self.below(2)).map(|_| self.condition(depth)).collect();
        format!("[{}]", items.join(","))
    }
}
