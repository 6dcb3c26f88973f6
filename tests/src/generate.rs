//! Random policies, and calls that aim at their boundaries. The same seed gives the same sequence everywhere.

/// A small generator of random numbers (SplitMix64): no state beyond 64 bits, no dependency.
#[derive(Debug, Clone)]
pub struct Generator {
    state: u64,
}

/// A generated call, as raw JSON texts.
#[derive(Debug, Clone)]
pub struct GeneratedCall {
    /// The tool's name.
    pub tool: String,
    /// The arguments' text.
    pub args: String,
    /// The identity's text, if there is one.
    pub identity: Option<String>,
    /// Whether a host value may differ from the text: broken text, duplicate keys, numbers that a double changes.
    pub raw_only: bool,
}

const TOOLS: [&str; 6] = ["pay", "pay_all", "read_file", "read.deep.file", "refund", "délete"];
const ENTRIES: [&str; 9] =
    ["pay", "pay_all", "read_*", "refund", "*", "pa?", "{pay,refund}*", "read.deep.file", "d[é]lete"];
const PATHS: [&str; 12] = [
    "args.a",
    "args.b",
    "args.c.d",
    "args.list[0]",
    "args.list[*]",
    "args.items[*].x",
    "args.items[*].y[*]",
    "args[\"a.b\"]",
    "identity.id",
    "identity.roles",
    "identity.level",
    "tool",
];
const SCALARS: [&str; 22] = [
    "0",
    "1",
    "-1",
    "5",
    "5.0",
    "4.999999",
    "5.000001",
    "10.5",
    "9007199254740993",
    "18446744073709551616",
    "\"5\"",
    "\"a\"",
    "\"ab\"",
    "\"\"",
    "\"alice\"",
    "\"/srv/data/x\"",
    "\"/srv/../etc\"",
    "\"é\"",
    "true",
    "false",
    "null",
    "0.1",
];

impl Generator {
    /// A generator of its own sequence.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 up to, not including, `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<'p>(&mut self, from: &[&'p str]) -> &'p str {
        from[self.below(from.len())]
    }

    fn value(&mut self, depth: usize) -> String {
        match self.below(10) {
            0 if depth > 0 => {
                let items: Vec<String> = (0..self.below(4)).map(|_| self.value(depth - 1)).collect();
                format!("[{}]", items.join(","))
            }
            1 if depth > 0 => format!("{{\"x\":{}}}", self.value(depth - 1)),
            _ => self.pick(&SCALARS).to_owned(),
        }
    }

    fn list(&mut self) -> String {
        let items: Vec<String> = (0..1 + self.below(4)).map(|_| self.value(1)).collect();
        format!("[{}]", items.join(","))
    }

    fn test(&mut self) -> String {
        let (op, value) = match self.below(12) {
            0 => ("eq", self.value(2)),
            1 => ("neq", self.value(2)),
            2 => ("in", self.list()),
            3 => ("not_in", self.list()),
            4 | 5 => (
                self.pick(&["lt", "lte", "gt", "gte"]),
                self.pick(&["5", "5.0", "10.5", "0.1", "9007199254740993", "-1"]).to_owned(),
            ),
            6 => (
                self.pick(&["regex", "not_regex"]),
                self.pick(&["\"^a\"", "\"\\\\d\"", "\"b$\"", "\"(?i)ALICE\""]).to_owned(),
            ),
            7 => (self.pick(&["contains", "not_contains"]), self.value(1)),
            8 => ("exists", self.pick(&["true", "false"]).to_owned()),
            9 => {
                (self.pick(&["starts_with", "ends_with"]), self.pick(&["\"a\"", "\"\"", "\"é\""]).to_owned())
            }
            10 => ("subset_of", self.list()),
            _ => ("within", "\"/srv/data\"".to_owned()),
        };
        let path = self.pick(&PATHS).replace('"', "\\\"");
        format!("{{\"path\":\"{path}\",\"op\":\"{op}\",\"value\":{value}}}")
    }

    fn condition(&mut self, depth: usize) -> String {
        match self.below(8) {
            0 if depth > 0 => format!("{{\"any\":{}}}", self.conditions(depth - 1)),
            1 if depth > 0 => format!("{{\"all\":{}}}", self.conditions(depth - 1)),
            2 if depth > 0 => format!("{{\"not\":{}}}", self.condition(depth - 1)),
            _ => self.test(),
        }
    }

    fn conditions(&mut self, depth: usize) -> String {
        let items: Vec<String> = (0..1 + self.below(2)).map(|_| self.condition(depth)).collect();
        format!("[{}]", items.join(","))
    }

    fn scope(&mut self) -> &'static str {
        self.pick(&[
            "",
            ",\"scope\":\"global\"",
            ",\"scope\":\"identity\"",
            ",\"scope\":\"grant\"",
            ",\"scope\":[\"args.b\",\"tool\"]",
        ])
    }

    fn entry(&mut self, key: &str) -> String {
        let mut rules = Vec::new();
        let mut limits = Vec::new();
        let mut items: Vec<String> = Vec::new();
        for number in 0..self.below(3) {
            let name = if self.chance(30) { format!("\"name\":\"rule {number}\",") } else { String::new() };
            let rule = match self.below(6) {
                0 => format!("\"action\":\"deny\",\"conditions\":{}", self.conditions(2)),
                1 => format!("\"action\":\"require_approval\",\"conditions\":{}", self.conditions(1)),
                2 => format!("\"rate_limit\":\"{}/minute\"{}", 1 + self.below(4), self.scope()),
                3 => {
                    let scope = self.scope();
                    let op = self.pick(&["lt", "lte", "eq", "neq", "gte"]);
                    let key = key.replace('"', "\\\"");
                    format!(
                        "\"conditions\":[{{\"path\":\"state[\\\"{key}\\\"].s{number}\",\"op\":\"{op}\",\"value\":{}}}],\"state\":{{\"counter\":\"s{number}\",\"window\":\"hour\"{scope}}}",
                        self.below(6)
                    )
                }
                _ => format!("\"conditions\":{}", self.conditions(2)),
            };
            rules.push(format!("{{{name}{rule}}}"));
        }
        // A minute's rate is declared once in an entry.
        let mut seen = false;
        rules.retain(|rule| !rule.contains("/minute") || !std::mem::replace(&mut seen, true));
        for number in 0..self.below(2) {
            let from = if self.chance(50) { ",\"increment_from\":\"args.a\"" } else { "" };
            let algorithm = if self.chance(30) { ",\"algorithm\":\"sliding\"" } else { "" };
            let max = self.pick(&["0", "1", "5", "10.5"]);
            let scope = self.scope();
            limits.push(format!(
                "{{\"counter\":\"l{number}\",\"window\":\"day\",\"max\":{max}{from}{algorithm}{scope}}}"
            ));
        }
        if self.chance(40) {
            items.push(format!("\"require\":[{}]", self.condition(2)));
        }
        if !rules.is_empty() {
            items.push(format!("\"rules\":[{}]", rules.join(",")));
        }
        if self.chance(40) {
            items.push(format!("\"deny_if\":[{{\"conditions\":{},\"on_deny\":\"no\"}}]", self.conditions(2)));
        }
        if !limits.is_empty() {
            items.push(format!("\"limits\":[{}]", limits.join(",")));
        }
        format!("{{{}}}", items.join(","))
    }

    /// A policy, as JSON text. It loads.
    pub fn policy(&mut self) -> String {
        let mut entries = Vec::new();
        for key in ENTRIES {
            if self.chance(45) {
                entries.push(format!("\"{key}\":{}", self.entry(key)));
            }
        }
        let hide = self.pick(&["", "\"hide\":[\"refund\"],", "\"hide\":[\"read.*\",\"pay_all\"],"]);
        let default = self.pick(&["allow", "deny"]);
        let all =
            if self.chance(30) { format!("\"all_tools\":{},", self.entry("_global")) } else { String::new() };
        // In `all_tools`, a counter is named by `_global`; with a wildcard entry beside it that would be another one.
        let all = if all.contains("state[") { String::new() } else { all };
        format!(
            "{{\"version\":\"1\",\"default\":\"{default}\",{hide}{all}\"tools\":{{{}}}}}",
            entries.join(",")
        )
    }

    /// A call, aimed at what the policies name.
    pub fn call(&mut self) -> GeneratedCall {
        let tool = if self.chance(5) { "*".to_owned() } else { self.pick(&TOOLS).to_owned() };
        let mut members = Vec::new();
        for (name, percent) in [("a", 80), ("b", 60), ("c", 40), ("list", 50), ("items", 50), ("a.b", 20)] {
            if !self.chance(percent) {
                continue;
            }
            let value = match name {
                "c" if self.chance(80) => format!("{{\"d\":{}}}", self.value(1)),
                "list" if self.chance(85) => self.list(),
                "items" if self.chance(85) => {
                    let items: Vec<String> = (0..self.below(3))
                        .map(|_| format!("{{\"x\":{},\"y\":{}}}", self.value(0), self.list()))
                        .collect();
                    format!("[{}]", items.join(","))
                }
                _ => self.value(2),
            };
            members.push(format!("\"{name}\":{value}"));
        }
        let mut raw_only = false;
        let mut args = format!("{{{}}}", members.join(","));
        if self.chance(4) {
            raw_only = true;
            args = match self.below(5) {
                0 => "{\"a\":1,\"\\u0061\":2}".to_owned(),
                1 => "{\"a\":1e400}".to_owned(),
                2 => "{\"b\":\"\\ud800\"}".to_owned(),
                3 => "[1]".to_owned(),
                _ => format!("{args} x"),
            };
        }
        let identity = match self.below(6) {
            0 => None,
            1 | 2 => Some("\"alice\"".to_owned()),
            3 => Some(format!("{{\"id\":{},\"roles\":{}}}", self.value(0), self.list())),
            4 => Some("{\"id\":\"bob\",\"grant\":\"g1\",\"session\":\"s1\",\"level\":5}".to_owned()),
            _ => Some("{\"roles\":[\"a\",\"ab\"],\"level\":\"5\"}".to_owned()),
        };
        GeneratedCall { tool, args, identity, raw_only }
    }
}
