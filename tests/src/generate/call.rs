//! Calls, and cases: a policy and calls under it, one after the other.

use callgate::Outcome;
use callgate::ceilings::SLIDING_CHARGES;
use callgate_reference::json::Json;

use super::alphabet::{RAW_NUMBERS, TOOLS};
use super::feature::Feature;
use super::{
    Finish, GeneratedApproval, GeneratedCall, GeneratedCase, GeneratedStep, Generator, START, Settled, Ways,
};

impl Generator {
    /// A policy and calls under it: repeated calls, so that counters fill; time that goes on and sometimes back;
    /// approvals, and reservations that are finished or settled; now and then another policy, or the first one again.
    pub fn case(&mut self) -> GeneratedCase {
        let kind = self.below(24);
        self.nested = None;
        let (meeting, charging) = (kind < 3, (3..6).contains(&kind));
        // One call again and again, which counters have asked about now and then, and for which somebody said yes once.
        let again = charging && self.chance(20);
        let policy = match kind {
            _ if again => self.asking_policy(),
            0..3 => self.meeting_policy(),
            3..6 => self.charging_policy(),
            20.. => self.nested_policy(),
            _ => self.policy(),
        };
        let is_nested = self.nested.is_some();
        let mut steps: Vec<GeneratedStep> = Vec::new();
        let (mut at, changes) = (self.start(), self.changes);
        let reloads = self.chance(15);
        for _ in 0..1 + self.below(20) {
            at += match self.below(20) {
                _ if changes.is_some() && self.chance(70) => self.step_of_clocks(at),
                0..10 if again => [0, 1_000, 20_000, 60_000][self.below(4)],
                17 if charging => [86_400_000, 604_800_000, 2_678_400_000, -3_600_000][self.below(4)],
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
                    let name = self.pick(&["pay", "refund", "pa"]);
                    let amount = self.pick(&["0", "1", "2", "2.5"]);
                    GeneratedCall::plain(name, format!("{{\"a\":{amount}}}"))
                }
                0 if again => GeneratedCall::plain("pay", "{}".to_owned()),
                0 if charging => self.charged_call(),
                0 if is_nested => self.nested_call(),
                0 => self.call(),
                before if !again && self.chance(if self.counts { 70 } else { 40 }) => {
                    let step = before - 1 - self.below(before.min(3));
                    if self.chance(50) {
                        approve = Some(self.approval(Some(step), at));
                    }
                    let mut call = steps[step].call.clone();
                    if approve.is_some() && self.chance(25) {
                        self.vary(&mut call);
                    }
                    // The same call to another server is another call.
                    if call.server.is_some() && self.chance(20) {
                        call.server = self.chance(50).then(|| "other".to_owned());
                    }
                    call
                }
                before if again => {
                    let of = self.below(before);
                    let approval = self.approval(Some(of), at);
                    approve = Some(GeneratedApproval { id: "a0".to_owned(), ..approval });
                    steps[0].call.clone()
                }
                _ if charging => self.charged_call(),
                _ if is_nested => self.nested_call(),
                _ => self.odd_call(),
            };
            if (charging || is_nested) && approve.is_none() && self.chance(30) {
                // Its own, or one that was given for another call.
                let of = (!steps.is_empty() && self.chance(40)).then(|| self.below(steps.len()));
                approve = Some(self.approval(of, at));
            }
            let finish = (!steps.is_empty() && self.chance(if charging || is_nested { 40 } else { 20 }))
                .then(|| (steps.len() - 1 - self.below(steps.len().min(8)), self.finish()));
            let reload = (reloads && self.chance(20)).then(|| match self.below(4) {
                0 => policy.clone(),
                1 if meeting => self.meeting_policy(),
                1 if charging => self.charging_policy(),
                1 if is_nested => self.nested_policy(),
                1 => self.policy(),
                _ => self.with_other_numbers(&policy),
            });
            steps.push(GeneratedStep { at, call, approve, finish, reload });
        }
        let ways = Ways {
            yaml: self.chance(25),
            values: self.chance(35),
            explained: self.chance(25),
            remote: self.chance(25),
        };
        GeneratedCase { policy, steps, ways }
    }

    /// An approval with the key of a step or of the call itself, mostly given before now.
    fn approval(&mut self, of: Option<usize>, at: i64) -> GeneratedApproval {
        let past = [0, 0, 1_000, 2_000, 59_999, 60_000, 899_999, 900_000, 3_600_000, 86_400_000];
        let given_at = match self.below(20) {
            0 | 1 => None,
            2 => Some(at + [1, 60_000, 60_001, 3_600_000][self.below(4)]),
            _ => Some(at - past[self.below(past.len())]),
        };
        GeneratedApproval { id: format!("a{}", self.below(3)), of, given_at }
    }

    /// How a call is finished.
    fn finish(&mut self) -> Finish {
        let amount =
            |own: &mut Self| [0, 1, 500_000, 1_000_000, 2_500_000, 5_000_000, i64::MAX][own.below(7)];
        match self.below(8) {
            0..4 => {
                let outcome = Outcome::ALL[self.below(Outcome::ALL.len())];
                Finish::Ended(if self.chance(25) { Outcome::NotRun } else { outcome })
            }
            4 | 5 => Finish::Settled(vec![(Settled::Only, amount(self))]),
            6 => Finish::Settled(vec![(Settled::Nth(self.below(4)), amount(self))]),
            _ => {
                let name = if self.chance(20) {
                    Settled::Named(self.pick(&["nobody", "_in_flight", "spend"]).to_owned())
                } else {
                    Settled::Nth(self.below(4))
                };
                Finish::Settled(vec![(Settled::Nth(self.below(4)), amount(self)), (name, amount(self))])
            }
        }
    }

    /// Changes something in a call that approvals may not cover.
    fn vary(&mut self, call: &mut GeneratedCall) {
        let (name, value) = (self.pick(&["note", "note", "b", "list", "a.b"]), self.value(0));
        if self.chance(30) {
            let claims = call.identity.as_deref().map(Json::read);
            if let Some(Ok(Json::Object(mut claims))) = claims {
                let name = self.pick(&["trace", "level"]);
                set(&mut claims, name, &value);
                call.identity = Some(Json::Object(claims).write());
            }
        } else if let Ok(Json::Object(mut members)) = Json::read(&call.args) {
            // Inside of what a dispatcher calls, too.
            let inner = members.iter_mut().find(|(name, _)| matches!(name.as_str(), "arguments" | "context"));
            match inner {
                Some((_, Json::Object(inner))) if self.chance(60) => set(inner, name, &value),
                _ => set(&mut members, name, &value),
            }
            call.args = Json::Object(members).write();
        }
    }

    /// A call that gets as far as the counters, with claims that say maxima.
    fn charged_call(&mut self) -> GeneratedCall {
        let name = self.pick(&["pay", "pay", "refund", "pa"]).to_owned();
        let mut members = Vec::new();
        if self.chance(90) {
            let amounts = ["0", "1", "1", "2", "2.5", "3", "9223372036854.775807", "\"1\""];
            members.push(format!("\"a\":{}", self.pick(&amounts)));
        }
        for (name, percent) in [("note", 40), ("b", 20)] {
            if self.chance(percent) {
                members.push(format!("\"{name}\":{}", self.value(0)));
            }
        }
        let identity = match self.below(6) {
            0 => None,
            1 => Some("\"alice\"".to_owned()),
            _ => Some(self.plan()),
        };
        GeneratedCall {
            name,
            is_request: false,
            args: format!("{{{}}}", members.join(",")),
            identity,
            server: None,
            // The largest amount is no double.
            raw_only: true,
            check: None,
        }
    }

    /// An identity with a plan.
    fn plan(&mut self) -> String {
        let calls = self.pick(&[
            "2",
            "3",
            "1",
            "0",
            "1.5",
            "9",
            "null",
            "\"5\"",
            "-1",
            "0.0000001",
            "[2]",
            "true",
            "9223372036854.775807",
            "9223372036854.775808",
            "1e400",
        ]);
        let plan = match self.below(8) {
            0 => String::new(),
            1 => format!(",\"plan\":{}", self.pick(&["null", "5", "{}", "[1]"])),
            _ => format!(",\"plan\":{{\"calls\":{calls}}}"),
        };
        let level = if self.chance(50) {
            format!(",\"level\":{}", self.pick(&["2", "5", "\"5\"", "null"]))
        } else {
            String::new()
        };
        let trace = if self.chance(30) { ",\"trace\":1" } else { "" };
        let id = self.pick(&["alice", "alice", "bob"]);
        format!("{{\"id\":\"{id}\"{plan}{level}{trace}}}")
    }

    /// A policy whose sliding counters get as many charges as they can hold, and then some calls more: more steps than in
    /// any other case.
    pub fn full_case(&mut self) -> GeneratedCase {
        let window = self.pick(&["minute", "hour"]);
        let counter = format!("{{\"counter\":\"n\",\"window\":\"{window}\",\"algorithm\":\"sliding\"");
        // A maximum that so many equal charges cannot reach does not load.
        let entry = match self.below(4) {
            0 => format!("\"limits\":[{counter},\"max\":10000}}]"),
            1 => format!("\"limits\":[{counter},\"max\":5000,\"increment\":0.5}}]"),
            2 => format!("\"rules\":[{{\"state\":{counter}}}}}]"),
            _ => {
                let max = self.pick(&["10000", "10001", "20000", "9223372036854.775807"]);
                let settles = self.pick(&["", ",\"settle\":true", ",\"settle\":true"]);
                format!("\"limits\":[{counter},\"max\":{max},\"increment_from\":\"args.a\"{settles}}}]")
            }
        };
        let policy = format!("{{\"version\":\"1\",\"default\":\"deny\",\"tools\":{{\"pay\":{{{entry}}}}}}}");
        let mut at = START;
        let mut steps = Vec::new();
        for number in 0..SLIDING_CHARGES + 200 {
            at += match number {
                // Nearly full: times that meet, and charges that leave.
                _ if number > SLIDING_CHARGES - 20 => [0, 0, 1, 1, 1, 20_000, 60_000][self.below(7)],
                _ => 1,
            };
            let amount = if number > 20 && number < SLIDING_CHARGES - 20 {
                "1"
            } else {
                self.pick(&["0", "1", "1", "1", "2.5"])
            };
            let call = GeneratedCall::plain("pay", format!("{{\"a\":{amount}}}"));
            let ends = number > SLIDING_CHARGES - 20 && self.chance(20);
            let finish = ends.then(|| (number - 1 - self.below(200), self.end_when_full()));
            steps.push(GeneratedStep { at, call, approve: None, finish, reload: None });
        }
        GeneratedCase { policy, steps, ways: Ways::default() }
    }

    /// How a call of a full window ends: also at a cost for which its log has no place.
    fn end_when_full(&mut self) -> Finish {
        match self.below(3) {
            0 => Finish::Ended(Outcome::NotRun),
            _ => {
                let micros = [0, 500_000, 3_000_000, 7_500_000][self.below(4)];
                Finish::Settled(vec![(Settled::Only, micros)])
            }
        }
    }

    /// A call, now and then with an identity that is none, or of another method than `tools/call`.
    fn odd_call(&mut self) -> GeneratedCall {
        let mut call = self.call();
        if self.chance(4) {
            let odd = self.pick(&["5", "null", "[\"alice\"]", "{}", "\"\"", "{\"id\":null}"]);
            call.identity = Some(odd.to_owned());
        }
        if self.chance(3) {
            call.is_request = true;
            // The name of a tool is a method like any other.
            match self.below(3) {
                0 => {}
                1 => call.name = self.pick(&["resources/read", "tools", "Tools/call"]).to_owned(),
                _ => call.name = self.pick(&["tools/call", "tools/list", "tools/", ""]).to_owned(),
            }
        }
        call
    }

    /// A call, aimed at what the policies name.
    pub fn call(&mut self) -> GeneratedCall {
        let name = if self.chance(5) { "*".to_owned() } else { self.pick(&TOOLS).to_owned() };
        let raw = self.chance(8);
        let mut members = Vec::new();
        for (name, percent) in [("a", 80), ("b", 60), ("c", 40), ("list", 50), ("items", 50), ("a.b", 20)] {
            if !self.chance(percent) {
                continue;
            }
            let value = match name {
                "c" if self.chance(80) => format!("{{\"d\":{}}}", self.argument(1, raw)),
                // Nothing stands where a path goes on.
                "c" | "items" if self.chance(20) => "null".to_owned(),
                "list" if self.extended && self.chance(10) => "null".to_owned(),
                // Text that may be read as something else, among text.
                "list" if self.extended && self.chance(30) => {
                    let mut members: Vec<String> = (0..1 + self.below(3)).map(|_| self.text()).collect();
                    if raw && self.chance(70) {
                        // A member of which nobody can say what it is.
                        members.push(self.pick(&RAW_NUMBERS).to_owned());
                    }
                    format!("[{}]", members.join(","))
                }
                "list" if self.chance(85) => self.list(),
                "items" if self.chance(85) => {
                    let items: Vec<String> = (0..self.below(3))
                        .map(|_| match self.below(8) {
                            0 => "null".to_owned(),
                            _ => format!("{{\"x\":{},\"y\":{}}}", self.argument(0, raw), self.list()),
                        })
                        .collect();
                    format!("[{}]", items.join(","))
                }
                _ => self.argument(2, raw),
            };
            members.push(format!("\"{name}\":{value}"));
        }
        // What identities have, too.
        let given: Vec<String> = members
            .iter()
            .filter_map(|member| member.split_once(':'))
            .map(|(_, value)| value.to_owned())
            .collect();
        if self.extended {
            members.extend(self.deeper());
        }
        // Spellings that some servers take for a member that policies read.
        for name in ["A", "Missing", "li\u{17f}t"] {
            if self.chance(3) {
                members.push(format!("\"{name}\":{}", self.argument(0, raw)));
            }
        }
        let mut raw_only = raw;
        let mut args = format!("{{{}}}", members.join(","));
        // Below a path that a policy compares whole, too.
        if self.chance(6) && !args.contains("\"X\":") {
            args = args.replacen("\"x\":", "\"X\":", 1);
        }
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
        let identity = if self.extended && self.chance(60) {
            // A host holds no identity with a number that only text can hold.
            Some(self.claims(if raw { &[] } else { &given }))
        } else {
            self.identity()
        };
        let servers = ["main", "a", "pay", ""];
        let server = (self.may(Feature::Server) && self.chance(50)).then(|| self.pick(&servers).to_owned());
        let check = self.chance(25).then(|| self.check());
        GeneratedCall { name, is_request: false, args, identity, server, raw_only, check }
    }

    fn identity(&mut self) -> Option<String> {
        match self.below(7) {
            0 => None,
            1 | 2 => Some("\"alice\"".to_owned()),
            3 => Some(format!("{{\"id\":{},\"roles\":{}}}", self.value(0), self.list())),
            4 => Some("{\"id\":1.0,\"grant\":\"\",\"session\":1,\"level\":5.0}".to_owned()),
            5 => Some("{\"id\":\"bob\",\"grant\":\"g1\",\"session\":\"s1\",\"level\":5}".to_owned()),
            _ => Some("{\"roles\":[\"a\",\"ab\"],\"level\":\"5\"}".to_owned()),
        }
    }
}

/// Sets a member.
fn set(members: &mut Vec<(String, Json)>, name: &str, value: &str) {
    let Ok(value) = Json::read(value) else { return };
    match members.iter_mut().find(|(known, _)| known == name) {
        Some((_, old)) => *old = value,
        None => members.push((name.to_owned(), value)),
    }
}
