//! Whole policies.

use super::Generator;
use super::alphabet::ENTRIES;
use super::feature::Feature;

impl Generator {
    /// A policy, as JSON text. It loads.
    pub fn policy(&mut self) -> String {
        self.counts = self.chance(60);
        self.extended = self.chance(70);
        self.pointed = self.extended && self.chance(50);
        if self.pointed {
            return self.pointed_policy();
        }
        let calendar = self.calendar();
        let budgets = self.budgets();
        let mut entries = Vec::new();
        let mut declared = self.budget_paths();
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
        let top = self.top();
        let default = if self.counts { "allow" } else { self.pick(&["allow", "deny"]) };
        let all = if self.chance(30) {
            format!("\"all_tools\":{},", self.entry(None, &mut declared))
        } else {
            String::new()
        };
        let policy = format!(
            "{{\"version\":\"1\",\"default\":\"{default}\",{calendar}{budgets}{top}{hide}{all}\"tools\":{{{}}}}}",
            entries.join(",")
        );
        self.with_terms(&policy)
    }

    /// A policy of one entry with a few rules, so that each of them tells.
    fn pointed_policy(&mut self) -> String {
        self.counts = false;
        (self.changes, self.budgets) = (None, vec![]);
        let mut items = Vec::new();
        for _ in 0..1 + self.below(2) {
            let item = match self.below(8) {
                0..3 => {
                    self.permits = true;
                    format!("\"require\":[{}]", self.condition(1))
                }
                3..6 => {
                    self.permits = false;
                    format!("\"deny_if\":[{}]", self.condition(1))
                }
                6 if self.may(Feature::OnlyArgs) => format!("\"only_args\":{}", self.only_args(true)),
                6 => "\"rules\":[{\"action\":\"require_approval\"}]".to_owned(),
                _ => {
                    let (scope, increment, when) = (self.scope(), self.increment(), self.when());
                    format!(
                        "\"limits\":[{{\"counter\":\"n\",\"window\":\"hour\",\"max\":3{scope}{increment}{when}}}]"
                    )
                }
            };
            // A field stands once.
            let field = &item[..item.find(':').unwrap_or(0)];
            if !items.iter().any(|other: &String| other.starts_with(field)) {
                items.push(item);
            }
        }
        let top = self.top();
        let (default, key) = (self.pick(&["allow", "deny"]), self.pick(&["*", "pay*", "*[!*]"]));
        format!(
            "{{\"version\":\"1\",\"default\":\"{default}\",{top}\"tools\":{{\"{key}\":{{{}}}}}}}",
            items.join(",")
        )
    }

    /// What may stand at the top beside the rules.
    fn top(&mut self) -> String {
        let mut top = String::new();
        if self.may(Feature::List) && self.chance(60) {
            top.push_str(self.pick(&[
                "\"list\":\"callable\",",
                "\"list\":\"callable\",",
                "\"list\":\"all\",",
            ]));
        }
        if self.may(Feature::Claims) && self.chance(10) {
            let claims = [
                "id", "grant", "session", "roles", "level", "allowed", "dir", "doc", "plan", "trace",
                "unused",
            ];
            let claims: Vec<String> = claims.iter().map(|claim| format!("\"{claim}\"")).collect();
            top.push_str(&format!("\"claims\":[{}],", claims.join(",")));
        }
        top
    }

    /// When a limit applies, behind a comma.
    pub(super) fn when(&mut self) -> String {
        let percent = if self.pointed { 80 } else { 40 };
        if !self.may(Feature::When) || !self.chance(percent) {
            return String::new();
        }
        self.permits = true;
        let condition = match self.below(4) {
            0 => {
                let op = self.pick(&["in", "not_in"]);
                format!("{{\"path\":\"tool\",\"op\":\"{op}\",\"value\":[\"pay\",\"refund\"]}}")
            }
            _ => self.condition(1),
        };
        let more = if self.chance(20) { format!(",{}", self.condition(1)) } else { String::new() };
        format!(",\"when\":[{condition}{more}]")
    }

    /// Most of the names that arguments have; now and then with names that fold together.
    pub(super) fn only_args(&mut self, folding: bool) -> String {
        if self.chance(8) {
            return "[]".to_owned();
        }
        let mut names = Vec::new();
        for name in ["a", "b", "c", "list", "items", "a.b", "o", "s", "missing"] {
            if self.chance(93) {
                names.push(format!("\"{name}\""));
            }
        }
        // Names that fold together may be read where one entry lists both.
        for (name, other) in
            [("\"a\"", "\"A\""), ("\"missing\"", "\"Missing\""), ("\"list\"", "\"li\u{17f}t\"")]
        {
            if names.iter().any(|listed| listed == name) && folding && self.chance(30) {
                names.push(other.to_owned());
            }
        }
        format!("[{}]", names.join(","))
    }

    /// A policy of a few counters that two tools charge and read, and nothing else: its bounds meet often.
    pub(super) fn meeting_policy(&mut self) -> String {
        (self.changes, self.budgets) = (None, vec![]);
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

    /// The same policy with other maxima: what it counts goes on (clause 8.6).
    pub(super) fn with_other_numbers(&mut self, policy: &str) -> String {
        let maximum = "\"max\":";
        let mut parts = policy.split(maximum);
        let mut other = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let end = part.find([',', '}']).unwrap_or(part.len());
            let whole = part[..end].chars().all(|c| c.is_ascii_digit());
            let max = if whole { self.pick(&["1", "2", "3", "7"]) } else { &part[..end] };
            other.push_str(maximum);
            other.push_str(max);
            other.push_str(&part[end..]);
        }
        other
    }

    /// An entry; `declared` are the paths of the counters that conditions may read.
    pub(super) fn entry(&mut self, key: Option<&str>, declared: &mut Vec<String>) -> String {
        let mut rules = Vec::new();
        let mut limits = Vec::new();
        let mut items: Vec<String> = Vec::new();
        let prefix = if key.is_none() { "all" } else { "" };
        // A window's rate is declared once in an entry.
        let mut rates = vec!["hour", "minute", self.pick(&["90s", "60s", "15m"]), "day"];
        for number in 0..self.below(4) {
            let name = if self.chance(30) { format!("\"name\":\"rule {number}\",") } else { String::new() };
            let kind = if self.counts { [1, 2, 3, 4, 0, 3][self.below(6)] } else { self.below(8) };
            self.permits = kind > 1;
            let rule = match kind {
                1 if self.counts && self.chance(60) => "\"action\":\"require_approval\"".to_owned(),
                0 => format!("\"action\":\"deny\",\"conditions\":{}", self.mixed(2, declared)),
                1 if self.may(Feature::AskByState) && self.chance(40) => {
                    format!("\"action\":\"require_approval\",\"conditions\":{}", self.mixed(1, declared))
                }
                1 => format!("\"action\":\"require_approval\",\"conditions\":{}", self.conditions(1)),
                2 if !rates.is_empty() => {
                    let window = rates.swap_remove(self.below(rates.len()));
                    let (max, scope) = (1 + self.below(4), self.scope());
                    let when = self.when();
                    let sliding = if self.chance(30) { ",\"algorithm\":\"sliding\"" } else { "" };
                    let ends = self.ends(false);
                    if self.chance(30) {
                        format!(
                            "\"rate_limit\":{{\"max\":{max},\"window\":\"{window}\"}}{scope}{sliding}{when}{ends}"
                        )
                    } else {
                        format!("\"rate_limit\":\"{max}/{window}\"{scope}{sliding}{when}{ends}")
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
                    let (window, scope) = self.window_and_scope();
                    let (increment, ends) = (self.increment(), self.ends(true));
                    format!(
                        "{conditions}\"state\":{{\"counter\":\"{counter}\",\"window\":{window}{scope}{increment}{ends}}}"
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
            let (window, scope) = self.window_and_scope();
            let increment = self.increment();
            // So many equal charges no sliding window keeps, and then the maximum does not load.
            let equal = window.contains("sliding") && !increment.contains("from");
            let max = if equal && max.len() > 4 { "5" } else { max };
            let when = self.when();
            let claimed = self.may(Feature::MaxFrom) && self.chance(20);
            let claim = if claimed { self.max_from() } else { String::new() };
            let max = if claimed && self.chance(50) { String::new() } else { format!(",\"max\":{max}") };
            let ends = self.ends(true);
            limits.push(format!(
                "{{\"counter\":\"{counter}\",\"window\":{window}{max}{claim}{scope}{increment}{when}{ends}}}"
            ));
            let path = self.state_path(key, &counter);
            declared.push(path);
        }
        if self.chance(30) {
            limits.extend(self.payment());
        }
        if self.may(Feature::InFlight) && self.chance(10) {
            let scope = self.scope();
            limits.push(self.in_flight(scope));
        }
        let items_percent = if self.counts { 12 } else { 35 };
        if self.may(Feature::OnlyArgs) && self.chance(20) {
            let names = self.only_args(true);
            items.push(format!("\"only_args\":{names}"));
        }
        self.permits = true;
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
        self.permits = false;
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
}
