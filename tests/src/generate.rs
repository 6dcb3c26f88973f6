//! Random policies, and calls that aim at their boundaries. The same seed gives the same sequence everywhere.

/// A small generator of random numbers (SplitMix64): no state beyond 64 bits, no dependency.
#[derive(Debug, Clone)]
pub struct Generator {
    state: u64,
    /// Whether the policy is mostly about counters, so that calls get as far as those.
    counts: bool,
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

/// A call of a [`GeneratedCase`], and what goes on around it.
#[derive(Debug, Clone)]
pub struct GeneratedStep {
    /// Milliseconds since the epoch.
    pub at: i64,
    /// The call.
    pub call: GeneratedCall,
    /// The id of an approval, and the step whose approval key it carries.
    pub approve: Option<(String, usize)>,
    /// Before the call: the step whose reservation is released, or settled to this amount in steps of 0.000001.
    pub finish: Option<(usize, Option<i64>)>,
}

/// A policy and calls under it, one after the other.
#[derive(Debug, Clone)]
pub struct GeneratedCase {
    /// The policy, as JSON text.
    pub policy: String,
    /// The calls.
    pub steps: Vec<GeneratedStep>,
}

/// The time of the first call: 2026-11-21T10:00:00.000Z.
pub const START: i64 = 1_795_255_200_000;

/// Names that policies speak of come first, then near misses.
const TOOLS: [&str; 15] = [
    "pay",
    "pay_all",
    "read_file",
    "read.deep.file",
    "refund",
    "délete",
    "pay",
    "pay_all",
    "Pay",
    "pay ",
    "pa",
    "read_",
    "read-file",
    "refunds",
    "de\u{301}lete",
];
const ENTRIES: [&str; 11] = [
    "pay",
    "pay_all",
    "read_*",
    "refund",
    "*",
    "pa?",
    "{pay,refund}*",
    "read.deep.file",
    "d[é]lete",
    "*[!a-e]",
    "{re{ad,fund}*,[p-q]ay}",
];
const PATHS: [&str; 20] = [
    "args.a",
    "args.b",
    "args.c.d",
    "args.c",
    "args.list",
    "args.list[0]",
    "args.list[2]",
    "args.list[*]",
    "args.items",
    "args.items[*].x",
    "args.items[0].y",
    "args.items[*].y[*]",
    "args[\"a.b\"]",
    "args.missing",
    "identity.id",
    "identity.roles",
    "identity.roles[*]",
    "identity.level",
    "identity.grant",
    "tool",
];
const SCALARS: [&str; 52] = [
    "0",
    "-0",
    "0.0",
    "1",
    "1.0",
    "-1",
    "-0.000001",
    "2",
    "4",
    "5",
    "5.0",
    "50e-1",
    "5e0",
    "6",
    "4.999999",
    "5.000001",
    "4.9999999",
    "5.0000001",
    "10.4",
    "10.5",
    "10.500000",
    "10.500001",
    "0.1",
    "0.10",
    "0.000001",
    "0.0000001",
    "9007199254740992",
    "9007199254740993",
    "9223372036854",
    "18446744073709551616",
    "\"5\"",
    "\"a\"",
    "\"A\"",
    "\"ab\"",
    "\"b\"",
    "\"ba\\n\"",
    "\"\"",
    "\"alice\"",
    "\"Alice\"",
    "\"pay\"",
    "\"/srv/data\"",
    "\"/srv/data/x\"",
    "\"/srv/data/../data/x/.\"",
    "\"/srv//data/\"",
    "\"/srv/database\"",
    "\"/srv/../etc\"",
    "\"/../srv/data\"",
    "\"é\"",
    "\"e\u{301}\"",
    "true",
    "false",
    "null",
];
/// Numbers that a host's own value may not hold: calls with them are raw only.
const RAW_NUMBERS: [&str; 9] = [
    "9223372036854.775807",
    "9223372036854.775808",
    "9223372036854.7758071",
    "9007199254740992.5",
    "100000000000000000000000000000000000000000000000000000000000000000000000000000000000000000001",
    "0.10000000000000000000000000000000000000000001",
    "1e400",
    "-1e-400",
    "1.7976931348623157e308",
];

impl Generator {
    /// A generator of its own sequence.
    pub fn new(seed: u64) -> Self {
        Self { state: seed, counts: false }
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

    /// A value of an argument; a number that only raw text can hold where `raw` says so.
    fn argument(&mut self, depth: usize, raw: bool) -> String {
        if raw && self.chance(40) { self.pick(&RAW_NUMBERS).to_owned() } else { self.value(depth) }
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
        if self.counts && self.chance(60) {
            return self.pick(&["", ",\"scope\":\"global\"", ",\"scope\":[\"tool\"]"]);
        }
        self.pick(&[
            "",
            "",
            ",\"scope\":\"global\"",
            ",\"scope\":\"identity\"",
            ",\"scope\":\"grant\"",
            ",\"scope\":\"session\"",
            ",\"scope\":[\"args.b\",\"tool\"]",
            ",\"scope\":[\"identity.level\"]",
        ])
    }

    /// What a counter charges.
    fn increment(&mut self) -> &'static str {
        if self.counts && self.chance(60) {
            return self.pick(&["", ",\"increment\":0.5", ",\"increment\":3"]);
        }
        self.pick(&[
            "",
            "",
            ",\"increment\":2.5",
            ",\"increment\":0",
            ",\"increment_from\":\"args.a\"",
            ",\"increment_from\":\"args.a\"",
            ",\"increment_from\":\"args.list[*]\"",
            ",\"increment\":2,\"increment_from\":\"args.items[*].x\"",
        ])
    }

    /// A window and an algorithm that go together.
    fn window(&mut self) -> &'static str {
        self.pick(&[
            "\"hour\"",
            "\"day\"",
            "\"week\"",
            "\"month\"",
            "60",
            "\"90s\"",
            "\"15m\"",
            "\"7d\"",
            "\"minute\",\"algorithm\":\"sliding\"",
            "\"hour\",\"algorithm\":\"sliding\"",
            "2,\"algorithm\":\"sliding\"",
            "3,\"algorithm\":\"sliding\"",
            "\"60s\",\"algorithm\":\"sliding\"",
            "\"minute\",\"algorithm\":\"fixed\"",
        ])
    }

    /// A condition on a counter.
    fn state(&mut self, path: &str) -> String {
        let op = self.pick(&["lt", "lte", "lte", "gt", "gte", "eq", "neq", "in", "not_in"]);
        let number = |own: &mut Self| {
            own.pick(&["0", "1", "2", "3", "4", "5", "6", "2.5", "5.0000001", "-1", "10.5", "1e30"])
                .to_owned()
        };
        let value = if op.ends_with("in") {
            let members: Vec<String> = (0..1 + self.below(4)).map(|_| number(self)).collect();
            format!("[{}]", members.join(","))
        } else {
            number(self)
        };
        format!("{{\"path\":\"{path}\",\"op\":\"{op}\",\"value\":{value}}}")
    }

    /// Conditions, now and then with one on a counter among them.
    fn mixed(&mut self, depth: usize, declared: &[String]) -> String {
        let mut items: Vec<String> = Vec::new();
        let stateless = if self.counts { 10 } else { 60 };
        if declared.is_empty() || self.chance(stateless) {
            items.push(self.condition(depth));
        }
        while !declared.is_empty() && items.len() < 3 && (items.is_empty() || self.chance(35)) {
            let path = declared[self.below(declared.len())].clone();
            items.push(self.state(&path));
        }
        format!("[{}]", items.join(","))
    }

    /// The path of a counter, as it stands in a JSON string.
    fn state_path(&mut self, key: Option<&str>, name: &str) -> String {
        match key {
            None => format!("state._global.{name}"),
            Some("*") if self.chance(50) => format!("state._global.{name}"),
            Some(key) if !key.contains('[') && self.chance(50) => format!("state.{key}.{name}"),
            Some(key) => format!("state[\\\"{key}\\\"].{name}"),
        }
    }

    /// An entry; `declared` are the paths of the counters that conditions may read.
    fn entry(&mut self, key: Option<&str>, declared: &mut Vec<String>) -> String {
        let mut rules = Vec::new();
        let mut limits = Vec::new();
        let mut items: Vec<String> = Vec::new();
        let prefix = if key.is_none() { "all" } else { "" };
        // A window's rate is declared once in an entry.
        let mut rates = vec!["hour", "minute", "90s", "day"];
        for number in 0..self.below(4) {
            let name = if self.chance(30) { format!("\"name\":\"rule {number}\",") } else { String::new() };
            let kind = if self.counts { [1, 2, 3, 4, 0, 3][self.below(6)] } else { self.below(8) };
            let rule = match kind {
                1 if self.counts && self.chance(60) => "\"action\":\"require_approval\"".to_owned(),
                0 => format!("\"action\":\"deny\",\"conditions\":{}", self.mixed(2, declared)),
                1 => format!("\"action\":\"require_approval\",\"conditions\":{}", self.conditions(1)),
                2 if !rates.is_empty() => {
                    let window = rates.swap_remove(self.below(rates.len()));
                    let (max, scope) = (1 + self.below(4), self.scope());
                    let sliding = if self.chance(30) { ",\"algorithm\":\"sliding\"" } else { "" };
                    if self.chance(30) {
                        format!("\"rate_limit\":{{\"max\":{max},\"window\":\"{window}\"}}{scope}{sliding}")
                    } else {
                        format!("\"rate_limit\":\"{max}/{window}\"{scope}{sliding}")
                    }
                }
                3 | 4 => {
                    let counter = format!("{prefix}s{number}");
                    let own = self.state_path(key, &counter);
                    declared.push(own.clone());
                    let conditions = match self.below(4) {
                        0 => String::new(),
                        1 => format!("\"conditions\":{},", self.mixed(1, declared)),
                        _ => format!("\"conditions\":[{}],", self.state(&own)),
                    };
                    let (window, scope, increment) = (self.window(), self.scope(), self.increment());
                    format!(
                        "{conditions}\"state\":{{\"counter\":\"{counter}\",\"window\":{window}{scope}{increment}}}"
                    )
                }
                _ => {
                    let action = if self.chance(20) { "\"action\":\"allow\"," } else { "" };
                    format!("{action}\"conditions\":{}", self.mixed(2, declared))
                }
            };
            let says = if self.chance(15) { ",\"on_deny\":\"not so\"" } else { "" };
            rules.push(format!("{{{name}{rule}{says}}}"));
        }
        for number in 0..self.below(3) {
            let counter = format!("{prefix}l{number}");
            let max = self.pick(&["0", "1", "2", "5", "10.5", "9223372036854.775807"]);
            let (window, scope, increment) = (self.window(), self.scope(), self.increment());
            limits.push(format!(
                "{{\"counter\":\"{counter}\",\"window\":{window},\"max\":{max}{scope}{increment}}}"
            ));
            let path = self.state_path(key, &counter);
            declared.push(path);
        }
        let items_percent = if self.counts { 12 } else { 35 };
        if self.chance(items_percent) {
            let item = if declared.is_empty() || self.chance(60) {
                self.condition(2)
            } else {
                format!("{{\"conditions\":{}}}", self.mixed(1, declared))
            };
            items.push(format!("\"require\":[{item}]"));
        }
        if !rules.is_empty() {
            items.push(format!("\"rules\":[{}]", rules.join(",")));
        }
        if self.chance(items_percent) {
            let item = match self.below(3) {
                0 => self.condition(2),
                _ => format!("{{\"conditions\":{},\"on_deny\":\"no\"}}", self.mixed(2, declared)),
            };
            items.push(format!("\"deny_if\":[{item}]"));
        }
        if !limits.is_empty() {
            items.push(format!("\"limits\":[{}]", limits.join(",")));
        }
        if items.len() > 1 && self.chance(30) {
            items.rotate_left(1);
        }
        format!("{{{}}}", items.join(","))
    }

    /// A policy, as JSON text. It loads.
    pub fn policy(&mut self) -> String {
        self.counts = self.chance(60);
        let mut entries = Vec::new();
        let mut declared = Vec::new();
        for key in ENTRIES {
            if self.chance(35) {
                entries.push(format!("\"{key}\":{}", self.entry(Some(key), &mut declared)));
            }
        }
        if self.chance(30) && entries.len() > 1 {
            entries.rotate_left(1);
        }
        let hide = self.pick(&[
            "",
            "",
            "\"hide\":[\"refund\"],",
            "\"hide\":[\"read.*\",\"pay_all\"],",
            "\"hide\":[\"*[ ]\",\"[!a-z]*\"],",
        ]);
        let default = if self.counts { "allow" } else { self.pick(&["allow", "deny"]) };
        let all = if self.chance(30) {
            format!("\"all_tools\":{},", self.entry(None, &mut declared))
        } else {
            String::new()
        };
        format!(
            "{{\"version\":\"1\",\"default\":\"{default}\",{hide}{all}\"tools\":{{{}}}}}",
            entries.join(",")
        )
    }

    /// A policy of a few counters that two tools charge and read, and nothing else: its bounds meet often.
    fn meeting_policy(&mut self) -> String {
        let keys = ["pay", "refund"];
        let mut declared = Vec::new();
        let mut limits = [String::new(), String::new()];
        for (key, limits) in keys.iter().zip(&mut limits) {
            let counters: Vec<String> = (0..1 + self.below(2))
                .map(|number| {
                    declared.push(format!("state.{key}.n{number}"));
                    let window = self.pick(&[
                        "\"minute\"",
                        "\"90s\"",
                        "\"hour\"",
                        "2,\"algorithm\":\"sliding\"",
                        "\"minute\",\"algorithm\":\"sliding\"",
                        "\"90s\",\"algorithm\":\"sliding\"",
                    ]);
                    let increment =
                        self.pick(&["", "", ",\"increment\":2", ",\"increment_from\":\"args.a\""]);
                    let max = self.pick(&["2", "4", "9"]);
                    format!("{{\"counter\":\"n{number}\",\"window\":{window},\"max\":{max}{increment}}}")
                })
                .collect();
            *limits = counters.join(",");
        }
        let entries: Vec<String> = keys
            .iter()
            .zip(&limits)
            .map(|(key, limits)| {
                let mut items = vec![format!("\"limits\":[{limits}]")];
                for field in ["require", "deny_if"] {
                    if self.chance(50) {
                        let path = declared[self.below(declared.len())].clone();
                        let mut conditions = vec![self.state(&path)];
                        if self.chance(30) {
                            let path = declared[self.below(declared.len())].clone();
                            conditions.push(self.state(&path));
                        }
                        items.push(format!("\"{field}\":[{{\"conditions\":[{}]}}]", conditions.join(",")));
                    }
                }
                let turn = self.below(items.len());
                items.rotate_left(turn);
                format!("\"{key}\":{{{}}}", items.join(","))
            })
            .collect();
        // A tool that only reads.
        let path = declared[self.below(declared.len())].clone();
        let field = self.pick(&["require", "deny_if"]);
        let read = format!("\"pa\":{{\"{field}\":[{}]}}", self.state(&path));
        format!("{{\"version\":\"1\",\"default\":\"deny\",\"tools\":{{{},{read}}}}}", entries.join(","))
    }

    /// A policy and calls under it: repeated calls, so that counters fill; time that goes on and sometimes back;
    /// approvals, and reservations that are released or settled.
    pub fn case(&mut self) -> GeneratedCase {
        let meeting = self.chance(30);
        let policy = if meeting { self.meeting_policy() } else { self.policy() };
        let mut steps: Vec<GeneratedStep> = Vec::new();
        let mut at = START;
        for _ in 0..1 + self.below(20) {
            at += match self.below(20) {
                0..8 if meeting => [0, 1, 100, 400][self.below(4)],
                0..8 => 0,
                8 => [1, 300, 700][self.below(3)],
                9 => 999,
                10 => 1_000,
                11 => 30_000,
                12 => 59_999,
                13 => 60_000,
                14 => 60_001,
                15 => 900_000,
                16 => 3_600_000,
                17 if self.chance(40) => [86_400_000, 604_800_000][self.below(2)],
                18 if self.chance(50) => -[1, 1_000, 60_000, 3_600_000][self.below(4)],
                // To the end of the minute, or just before it.
                _ => 60_000 - at.rem_euclid(60_000) - self.below(2) as i64,
            };
            let mut approve = None;
            let call = match steps.len() {
                _ if meeting => {
                    let tool = self.pick(&["pay", "refund", "pa"]).to_owned();
                    let amount = self.pick(&["0", "1", "2", "2.5"]);
                    GeneratedCall {
                        tool,
                        args: format!("{{\"a\":{amount}}}"),
                        identity: None,
                        raw_only: false,
                    }
                }
                0 => self.call(),
                before if self.chance(if self.counts { 70 } else { 40 }) => {
                    let step = before - 1 - self.below(before.min(3));
                    if self.chance(50) {
                        approve = Some((format!("a{}", self.below(3)), step));
                    }
                    steps[step].call.clone()
                }
                _ => self.odd_call(),
            };
            let finish = (!steps.is_empty() && self.chance(20)).then(|| {
                let actual = [0, 1, 500_000, 1_000_000, 5_000_000][self.below(5)];
                (self.below(steps.len()), self.chance(50).then_some(actual))
            });
            steps.push(GeneratedStep { at, call, approve, finish });
        }
        GeneratedCase { policy, steps }
    }

    /// A call, now and then with an identity that is none.
    fn odd_call(&mut self) -> GeneratedCall {
        let mut call = self.call();
        if self.chance(4) {
            let odd = self.pick(&["5", "null", "[\"alice\"]", "{}", "\"\"", "{\"id\":null}"]);
            call.identity = Some(odd.to_owned());
        }
        call
    }

    /// A call, aimed at what the policies name.
    pub fn call(&mut self) -> GeneratedCall {
        let tool = if self.chance(5) { "*".to_owned() } else { self.pick(&TOOLS).to_owned() };
        let raw = self.chance(8);
        let mut members = Vec::new();
        for (name, percent) in [("a", 80), ("b", 60), ("c", 40), ("list", 50), ("items", 50), ("a.b", 20)] {
            if !self.chance(percent) {
                continue;
            }
            let value = match name {
                "c" if self.chance(80) => format!("{{\"d\":{}}}", self.argument(1, raw)),
                "list" if self.chance(85) => self.list(),
                "items" if self.chance(85) => {
                    let items: Vec<String> = (0..self.below(3))
                        .map(|_| format!("{{\"x\":{},\"y\":{}}}", self.argument(0, raw), self.list()))
                        .collect();
                    format!("[{}]", items.join(","))
                }
                _ => self.argument(2, raw),
            };
            members.push(format!("\"{name}\":{value}"));
        }
        let mut raw_only = raw;
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
        let identity = match self.below(7) {
            0 => None,
            1 | 2 => Some("\"alice\"".to_owned()),
            3 => Some(format!("{{\"id\":{},\"roles\":{}}}", self.value(0), self.list())),
            4 => Some("{\"id\":1.0,\"grant\":\"\",\"session\":1,\"level\":5.0}".to_owned()),
            5 => Some("{\"id\":\"bob\",\"grant\":\"g1\",\"session\":\"s1\",\"level\":5}".to_owned()),
            _ => Some("{\"roles\":[\"a\",\"ab\"],\"level\":\"5\"}".to_owned()),
        };
        GeneratedCall { tool, args, identity, raw_only }
    }
}
