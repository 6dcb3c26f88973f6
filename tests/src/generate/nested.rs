//! Policies about stacks, requests of other methods and tools that call others.
//!
//! In: choices. Out: policies that load, one or a list of them. Must not know what the decisions are.

use super::Generator;
use super::feature::Feature;

/// Where the inner name and arguments stand.
pub(super) const PLACES: [(&str, &str); 8] = [
    ("args.name", "args.arguments"),
    ("args.name", "args.arguments"),
    ("args.name", "args.arguments"),
    ("args.name", "args.arguments.@json"),
    ("args.name", "args.arguments.@json"),
    ("args.name", "args.arguments.@json"),
    ("args.call.@json.name", "args.call.@json.arguments"),
    ("args.call.name", "args.call.arguments"),
];
/// Names of layers, first to last.
const NAMES: [&str; 3] = ["one", "two", "three"];
/// Keys of entries.
const KEYS: [&str; 7] = ["wrap", "pay", "pay", "refund", "Send", "re*", "*"];
/// Methods with entries.
const METHODS: [&str; 8] = [
    "resources/read",
    "resources/read",
    "prompts/get",
    "prompts/get",
    "completion/complete",
    "completion/complete",
    "roots/list",
    "sampling/createMessage",
];

/// What a case with more than one policy, method or level is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Nested {
    /// Where the dispatcher `wrap` has what it calls; none where there is none.
    pub(super) place: Option<(&'static str, &'static str)>,
    pub(super) requests: bool,
    pub(super) layers: usize,
}

impl Generator {
    /// A policy about these, or a list of policies that are a stack.
    pub(super) fn nested_policy(&mut self) -> String {
        (self.counts, self.extended, self.pointed) = (true, true, false);
        (self.changes, self.budgets) = (None, vec![]);
        let about = self.below(8);
        let stacks = self.may(Feature::Layers);
        let layers =
            if stacks && self.chance(if about < 2 { 100 } else { 35 }) { 2 + self.below(2) } else { 1 };
        let wraps = self.may(Feature::Dispatchers) && (2..6).contains(&about);
        let nested = Nested {
            place: wraps.then(|| PLACES[self.below(PLACES.len())]),
            requests: self.may(Feature::Requests) && about >= 6,
            layers,
        };
        self.nested = Some(nested);
        let names = layers > 1 || self.chance(20);
        let with_dispatcher = self.below(layers);
        let layers: Vec<String> = (0..layers)
            .map(|number| {
                let name = names.then(|| NAMES[number]);
                let dispatches = number == with_dispatcher || self.chance(30);
                self.layer(name, nested, dispatches)
            })
            .collect();
        match &layers[..] {
            [one] => one.clone(),
            layers => format!("[{}]", layers.join(",")),
        }
    }

    /// One policy.
    fn layer(&mut self, name: Option<&str>, nested: Nested, dispatches: bool) -> String {
        let mut fields = vec!["\"version\":\"1\"".to_owned()];
        fields.extend(name.map(|name| format!("\"name\":\"{name}\"")));
        let default = self.pick(&["allow", "allow", "deny"]);
        fields.push(format!("\"default\":\"{default}\""));
        if self.chance(20) {
            fields.push("\"list\":\"callable\"".to_owned());
        }
        if self.chance(30) {
            fields.push(format!(
                "\"hide\":{}",
                self.pick(&["[\"drop\"]", "[\"refund\",\"drop\"]", "[\"read_*\"]"])
            ));
        }
        if let Some((tool, args)) = nested.place.filter(|_| dispatches) {
            let more = self.pick(&["", "", ",\"run\":{\"tool\":\"args.t\",\"args\":\"args.a\"}"]);
            // Two that differ do not go together.
            let more = if nested.layers > 1 { "" } else { more };
            fields.push(format!(
                "\"dispatchers\":{{\"wrap\":{{\"tool\":\"{tool}\",\"args\":\"{args}\"}}{more}}}"
            ));
        }
        let mut declared = Vec::new();
        self.budgets = vec![];
        if self.chance(40) {
            let scope = self.pick(&["", "", ",\"scope\":\"identity\""]);
            let max = self.pick(&["3", "5", "9"]);
            fields.push(format!("\"budgets\":{{\"spend\":{{\"window\":\"hour\",\"max\":{max}{scope}}}}}"));
            self.budgets = vec!["spend"];
            declared.push("budget.spend".to_owned());
        }
        let mut entries: Vec<String> = Vec::new();
        for key in KEYS {
            let percent = match key {
                "wrap" if nested.place.is_none() => 5,
                _ if nested.requests => 15,
                "wrap" | "pay" => 60,
                _ => 35,
            };
            let is_new = !entries.iter().any(|entry| entry.starts_with(&format!("\"{key}\":")));
            if is_new && self.chance(percent) {
                entries.push(format!("\"{key}\":{}", self.nested_entry(Some(key), false, &mut declared)));
            }
        }
        if self.chance(if nested.requests { 10 } else { 35 }) {
            fields.push(format!("\"all_tools\":{}", self.nested_entry(None, false, &mut declared)));
        }
        if nested.requests && self.chance(85) || self.chance(5) {
            let mut methods: Vec<String> = Vec::new();
            for method in METHODS.into_iter().chain(["resources/subscribe", "ping", "tasks/get"]) {
                let is_new = !methods.iter().any(|entry| entry.starts_with(&format!("\"{method}\":")));
                if is_new && self.chance(if method.len() == 4 || method.contains('k') { 8 } else { 40 }) {
                    methods.push(format!(
                        "\"{method}\":{}",
                        self.nested_entry(Some(method), true, &mut declared)
                    ));
                }
            }
            let default = self.pick(&["allow", "deny"]);
            fields.push(format!(
                "\"requests\":{{\"default\":\"{default}\",\"methods\":{{{}}}}}",
                methods.join(",")
            ));
        }
        fields.push(format!("\"tools\":{{{}}}", entries.join(",")));
        self.with_terms(&format!("{{{}}}", fields.join(",")))
    }

    /// An entry of a tool or of a method.
    fn nested_entry(&mut self, key: Option<&str>, is_method: bool, declared: &mut Vec<String>) -> String {
        let mut items = Vec::new();
        let mut limits = Vec::new();
        let amount = if is_method { "args.context.n" } else { "args.a" };
        if self.chance(50) {
            let name = if key.is_none() { "m" } else { "n" };
            let window =
                self.pick(&["\"hour\"", "\"minute\"", "\"ever\"", "\"minute\",\"algorithm\":\"sliding\""]);
            let scope = match self.below(8) {
                0 if !window.contains("ever") => {
                    if is_method {
                        ",\"scope\":[\"args.uri\"]"
                    } else {
                        ",\"scope\":[\"args.b\"]"
                    }
                }
                1 if !is_method => ",\"scope\":[\"tool\"]",
                2 => ",\"scope\":\"identity\"",
                _ => "",
            };
            let increment = match self.below(5) {
                0 => ",\"increment\":2".to_owned(),
                1 | 2 => format!(",\"increment_from\":\"{amount}\""),
                _ => String::new(),
            };
            let (max, ends) = (self.pick(&["1", "2", "4", "9"]), self.ends(true));
            limits.push(format!(
                "{{\"counter\":\"{name}\",\"window\":{window},\"max\":{max}{scope}{increment}{ends}}}"
            ));
            declared.push(match key {
                None | Some("*") => format!("state._global.{name}"),
                Some(key) => format!("state[\\\"{key}\\\"].{name}"),
            });
        }
        if !self.budgets.is_empty() && self.chance(50) {
            for _ in 0..1 + self.below(2) {
                let increment = match self.below(4) {
                    0 => ",\"increment\":2".to_owned(),
                    1 => ",\"increment\":3".to_owned(),
                    2 => format!(",\"increment_from\":\"{amount}\""),
                    _ => String::new(),
                };
                let ends = self.ends(true);
                limits.push(format!("{{\"budget\":\"spend\"{increment}{ends}}}"));
            }
        }
        if self.chance(6) {
            limits.push("{\"in_flight\":2,\"lease\":\"hour\"}".to_owned());
        }
        if !limits.is_empty() {
            items.push(format!("\"limits\":[{}]", limits.join(",")));
        }
        if self.chance(25) {
            let name = if self.chance(30) { "\"name\":\"asks\"," } else { "" };
            let conditions = match self.below(3) {
                0 => format!(",\"conditions\":[{}]", self.nested_condition(is_method, declared)),
                _ => String::new(),
            };
            items.push(format!("\"rules\":[{{{name}\"action\":\"require_approval\"{conditions}}}]"));
        }
        for (field, percent) in [("require", 15), ("deny_if", 30)] {
            if self.chance(percent) {
                items.push(format!("\"{field}\":[{}]", self.nested_item(is_method, declared)));
            }
        }
        if self.chance(4) {
            let names = if is_method {
                "[\"uri\",\"name\",\"ref\"]"
            } else {
                "[\"a\",\"b\",\"note\",\"name\",\"arguments\"]"
            };
            items.push(format!("\"only_args\":{names}"));
        }
        if !items.is_empty() {
            let turn = self.below(items.len());
            items.rotate_left(turn);
        }
        format!("{{{}}}", items.join(","))
    }

    fn nested_item(&mut self, is_method: bool, declared: &[String]) -> String {
        let condition = self.nested_condition(is_method, declared);
        if self.chance(80) {
            return condition;
        }
        format!("{{\"conditions\":[{condition}],\"on_deny\":\"not so\"}}")
    }

    fn nested_condition(&mut self, is_method: bool, declared: &[String]) -> String {
        if !declared.is_empty() && self.chance(40) {
            let path = declared[self.below(declared.len())].clone();
            return self.state(&path);
        }
        let of_method = [
            ("args.uri", "\"file:a\""),
            ("args.name", "\"p\""),
            ("args.arguments.x", "\"1\""),
            ("args.ref.name", "\"p\""),
            ("args.argument.name", "\"x\""),
            ("identity.id", "\"alice\""),
        ];
        let of_tool = [
            ("args.a", "1"),
            ("args.a", "2"),
            ("args.b", "\"x\""),
            ("args.b.**", "\"x\""),
            ("args.b.@lower", "\"\u{3bf}\u{3c3}\""),
            ("tool", "\"pay\""),
            ("tool", "\"wrap\""),
            ("args.name", "\"pay\""),
            ("args.arguments.a", "2"),
            ("identity.id", "\"alice\""),
        ];
        let (path, value) = if is_method {
            of_method[self.below(of_method.len())]
        } else {
            of_tool[self.below(of_tool.len())]
        };
        let op = self.pick(&["eq", "eq", "neq"]);
        format!("{{\"path\":\"{path}\",\"op\":\"{op}\",\"value\":{value}}}")
    }
}
