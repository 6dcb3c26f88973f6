//! Declarations of counters, and conditions on them.

use super::Generator;
use super::feature::Feature;

impl Generator {
    pub(super) fn scope(&mut self) -> &'static str {
        if self.counts && self.chance(60) {
            return self.pick(&["", ",\"scope\":\"global\"", ",\"scope\":[\"tool\"]"]);
        }
        if self.may(Feature::Views) && self.chance(20) {
            return self.pick_path(&[
                ",\"scope\":[\"args.b.@lower\"]",
                ",\"scope\":[\"args.b.@text.@lower\"]",
                ",\"scope\":[\"args.s.@json.x\"]",
                ",\"scope\":[\"args.a.@json\",\"tool\"]",
                ",\"scope\":[\"identity.id.@lower\"]",
            ]);
        }
        self.pick(&[
            "",
            "",
            ",\"scope\":\"global\"",
            ",\"scope\":\"identity\"",
            ",\"scope\":\"grant\"",
            ",\"scope\":\"session\"",
            ",\"scope\":[\"args.b\",\"tool\"]",
            ",\"scope\":[\"args.b.@text\"]",
            ",\"scope\":[\"identity.level\"]",
        ])
    }

    /// What a counter charges.
    pub(super) fn increment(&mut self) -> &'static str {
        if self.counts && self.chance(60) {
            return self.pick(&["", ",\"increment\":0.5", ",\"increment\":3"]);
        }
        if self.may(Feature::Views) && self.chance(30) {
            return self.pick_path(&[
                ",\"increment_from\":\"args.list.@count\"",
                ",\"increment_from\":\"args.b.@length\"",
                ",\"increment_from\":\"args.@count\"",
                ",\"increment_from\":\"args.s.@json.x\"",
                ",\"increment_from\":\"args.a.@json\"",
                ",\"increment_from\":\"args.c.*\"",
            ]);
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
    pub(super) fn window(&mut self) -> &'static str {
        if self.changes.is_some() && self.chance(70) {
            return self.pick(&["\"day\"", "\"day\"", "\"week\"", "\"month\""]);
        }
        if self.may(Feature::LongSliding) && self.chance(15) {
            return self.pick(&[
                "\"week\",\"algorithm\":\"sliding\"",
                "\"2d\",\"algorithm\":\"sliding\"",
                "90000,\"algorithm\":\"sliding\"",
                "\"31d\",\"algorithm\":\"sliding\"",
                "\"day\",\"algorithm\":\"sliding\"",
            ]);
        }
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

    /// A window, now and then one that does not end, with a scope that it may have.
    pub(super) fn window_and_scope(&mut self) -> (&'static str, &'static str) {
        if self.may(Feature::Ever) && self.chance(10) {
            return ("\"ever\"", self.pick(&["", ",\"scope\":\"identity\"", ",\"scope\":[\"tool\"]"]));
        }
        (self.window(), self.scope())
    }

    /// A window of a counter without a scope, now and then one that does not end.
    pub(super) fn any_window(&mut self) -> &'static str {
        if self.may(Feature::Ever) && self.chance(12) { "\"ever\"" } else { self.window() }
    }

    /// A condition on a counter.
    pub(super) fn state(&mut self, path: &str) -> String {
        let op = self.pick(&["lt", "lte", "lte", "gt", "gte", "eq", "neq", "in", "not_in"]);
        let number = |own: &mut Self| {
            own.pick(&[
                "0",
                "1",
                "2",
                "3",
                "4",
                "5",
                "6",
                "2.5",
                "5.0000001",
                "-1",
                "10.5",
                "1e30",
                "-1e300",
                "9e300",
            ])
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
    pub(super) fn mixed(&mut self, depth: usize, declared: &[String]) -> String {
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
    pub(super) fn state_path(&mut self, key: Option<&str>, name: &str) -> String {
        match key {
            None => format!("state._global.{name}"),
            Some("*") if self.chance(50) => format!("state._global.{name}"),
            Some(key) if !key.contains('[') && self.chance(50) => format!("state.{key}.{name}"),
            Some(key) => format!("state[\\\"{key}\\\"].{name}"),
        }
    }
}
