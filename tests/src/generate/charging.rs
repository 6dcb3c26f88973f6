//! Budgets, maxima from claims, calls in flight, what is given back and settled, and rules that ask for approval by counters.

use super::Generator;
use super::feature::Feature;

/// Claims that say a maximum.
const MAXIMA: [&str; 3] = ["identity.plan.calls", "identity.plan.calls", "identity.level"];

impl Generator {
    /// Declares budgets, which entries pay into from now on; behind a comma in the document.
    pub(super) fn budgets(&mut self) -> String {
        self.budgets = match self.below(3) {
            _ if !self.may(Feature::Budgets) => vec![],
            0 => vec!["spend"],
            1 => vec!["spend", "calls"],
            _ => vec![],
        };
        if self.budgets.is_empty() {
            return String::new();
        }
        let mut members = Vec::new();
        for name in self.budgets.clone() {
            let window = self.any_window();
            let scope = if self.chance(60) {
                ""
            } else {
                self.pick(&[
                    ",\"scope\":\"identity\"",
                    ",\"scope\":\"grant\"",
                    ",\"scope\":[\"identity.level\"]",
                    ",\"scope\":\"global\"",
                ])
            };
            let max = match self.below(6) {
                0 => String::new(),
                1 if self.may(Feature::MaxFrom) => self.max_from(),
                2 if self.may(Feature::MaxFrom) => format!(",\"max\":2{}", self.max_from()),
                3 if !window.contains("sliding") => ",\"max\":9223372036854.775807".to_owned(),
                _ => format!(",\"max\":{}", self.pick(&["0", "2", "3", "5", "9"])),
            };
            let says = if self.chance(25) { ",\"on_deny\":\"all spent\"" } else { "" };
            members.push(format!("\"{name}\":{{\"window\":{window}{scope}{max}{says}}}"));
        }
        format!("\"budgets\":{{{}}},", members.join(","))
    }

    /// The paths of the budgets.
    pub(super) fn budget_paths(&self) -> Vec<String> {
        self.budgets.iter().map(|name| format!("budget.{name}")).collect()
    }

    /// A maximum that a claim says, behind a comma.
    pub(super) fn max_from(&mut self) -> String {
        format!(",\"max_from\":\"{}\"", self.pick(&MAXIMA))
    }

    /// An item of `limits` that pays into a budget, if there is one.
    pub(super) fn payment(&mut self) -> Option<String> {
        if self.budgets.is_empty() {
            return None;
        }
        let number = self.below(self.budgets.len());
        let budget = self.budgets[number];
        let (increment, when) = (self.increment(), self.when());
        let ends = self.ends(true);
        let says = self.pick(&["", "", "", ",\"on_deny\":\"not so\"", ",\"name\":\"pays\""]);
        Some(format!("{{\"budget\":\"{budget}\"{increment}{when}{ends}{says}}}"))
    }

    /// What an end of the call gives back, and whether it may be settled where `settles`, behind a comma.
    pub(super) fn ends(&mut self, settles: bool) -> String {
        let mut ends = String::new();
        if self.may(Feature::Ends) && self.chance(40) {
            ends.push_str(self.pick(&[
                ",\"refund\":\"error\"",
                ",\"refund\":\"tool_error\"",
                ",\"refund\":\"never\"",
            ]));
        }
        if self.may(Feature::Ends) && settles && self.chance(30) {
            ends.push_str(self.pick(&[",\"settle\":true", ",\"settle\":true", ",\"settle\":false"]));
        }
        ends
    }

    /// An item of `limits` for calls in flight, of a scope of the given ones.
    pub(super) fn in_flight(&mut self, scope: &str) -> String {
        let lease = self.pick(&["\"minute\"", "\"hour\"", "90", "\"15m\"", "2", "\"7d\""]);
        let (max, when) = (self.pick(&["1", "2", "3"]), self.when());
        let says = self.pick(&["", "", ",\"on_deny\":\"too many\""]);
        format!("{{\"in_flight\":{max},\"lease\":{lease}{scope}{when}{says}}}")
    }

    /// A policy whose only rule asks as soon as so many calls were made in a window.
    pub(super) fn asking_policy(&mut self) -> String {
        (self.counts, self.extended, self.pointed) = (true, true, false);
        (self.changes, self.budgets) = (None, vec![]);
        let (most, uses) = (self.pick(&["1", "2", "3"]), self.pick(&["", "", ",\"approval\":{\"uses\":2}"]));
        let counter = "\"limits\":[{\"counter\":\"n\",\"window\":\"minute\",\"max\":99}]";
        let condition = format!("{{\"path\":\"state.pay.n\",\"op\":\"gt\",\"value\":{most}}}");
        let rule = format!("{{\"action\":\"require_approval\",\"conditions\":[{condition}]{uses}}}");
        let entry = format!("{counter},\"rules\":[{rule}]");
        format!("{{\"version\":\"1\",\"default\":\"deny\",\"tools\":{{\"pay\":{{{entry}}}}}}}")
    }

    /// A policy about what is charged and what comes of it: budgets that two tools pay into, and rules that ask for approval by counters.
    pub(super) fn charging_policy(&mut self) -> String {
        (self.counts, self.extended, self.pointed) = (true, true, false);
        let top = self.calendar();
        let budgets = self.budgets();
        let mut declared = self.budget_paths();
        let mut entries = Vec::new();
        for key in ["pay", "refund", "*"] {
            if key == "*" && self.chance(60) {
                continue;
            }
            let mut limits = Vec::new();
            let rounds = self.below(4);
            for number in 0..rounds {
                if let Some(payment) = self.payment().filter(|_| number < 2) {
                    limits.push(payment);
                    continue;
                }
                if self.may(Feature::InFlight) && self.chance(40) {
                    let taken = |limits: &[String]| limits.iter().any(|limit| limit.contains("in_flight"));
                    if !taken(&limits) {
                        limits.push(self.in_flight(""));
                        declared.extend((key != "*").then(|| format!("state.{key}._in_flight")));
                    }
                    continue;
                }
                let max = match self.below(4) {
                    0 if self.may(Feature::MaxFrom) => self.max_from(),
                    1 if self.may(Feature::MaxFrom) => format!(",\"max\":3{}", self.max_from()),
                    _ => format!(",\"max\":{}", self.pick(&["1", "2", "4", "9"])),
                };
                let (window, increment, ends) = (self.any_window(), self.paid(), self.ends(true));
                limits
                    .push(format!("{{\"counter\":\"n{number}\",\"window\":{window}{max}{increment}{ends}}}"));
                let owner = if key == "*" { "_global" } else { key };
                declared.push(format!("state.{owner}.n{number}"));
            }
            let mut rules = Vec::new();
            for number in 0..self.below(3) {
                let name =
                    if self.chance(30) { format!("\"name\":\"asks {number}\",") } else { String::new() };
                let by_counters = self.may(Feature::AskByState) && !declared.is_empty() && self.chance(60);
                let conditions = if by_counters {
                    let path = declared[self.below(declared.len())].clone();
                    format!(",\"conditions\":[{}]", self.state(&path))
                } else if self.chance(50) {
                    self.permits = false;
                    format!(",\"conditions\":[{}]", self.condition(0))
                } else {
                    String::new()
                };
                rules.push(format!("{{{name}\"action\":\"require_approval\"{conditions}}}"));
            }
            let mut items = Vec::new();
            for field in ["require", "deny_if"] {
                if !declared.is_empty() && self.chance(20) {
                    let path = declared[self.below(declared.len())].clone();
                    items.push(format!("\"{field}\":[{{\"conditions\":[{}]}}]", self.state(&path)));
                }
            }
            items.push(format!("\"rules\":[{}]", rules.join(",")));
            items.push(format!("\"limits\":[{}]", limits.join(",")));
            let turn = self.below(items.len());
            items.rotate_left(turn);
            entries.push(format!("\"{key}\":{{{}}}", items.join(",")));
        }
        let policy = format!(
            "{{\"version\":\"1\",\"default\":\"allow\",{top}{budgets}\"tools\":{{{}}}}}",
            entries.join(",")
        );
        self.with_terms(&policy)
    }

    fn paid(&mut self) -> &'static str {
        self.pick(&[
            "",
            "",
            ",\"increment\":2",
            ",\"increment\":0",
            ",\"increment_from\":\"args.a\"",
            ",\"increment_from\":\"args.a\"",
        ])
    }
}
