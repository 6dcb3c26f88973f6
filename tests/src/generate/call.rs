//! Calls, and cases: a policy and calls under it, one after the other.

use callgate::ceilings::SLIDING_CHARGES;

use super::alphabet::TOOLS;
use super::feature::Feature;
use super::{GeneratedCall, GeneratedCase, GeneratedStep, Generator, START, Ways};

impl Generator {
    /// A policy and calls under it: repeated calls, so that counters fill; time that goes on and sometimes back;
    /// approvals, and reservations that are finished or settled; now and then another policy, or the first one again.
    pub fn case(&mut self) -> GeneratedCase {
        let meeting = self.chance(30);
        let policy = if meeting { self.meeting_policy() } else { self.policy() };
        let mut steps: Vec<GeneratedStep> = Vec::new();
        let mut at = START;
        let reloads = self.chance(15);
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
                    let name = self.pick(&["pay", "refund", "pa"]).to_owned();
                    let amount = self.pick(&["0", "1", "2", "2.5"]);
                    GeneratedCall {
                        name,
                        is_request: false,
                        args: format!("{{\"a\":{amount}}}"),
                        identity: None,
                        server: None,
                        raw_only: false,
                        check: None,
                    }
                }
                0 => self.call(),
                before if self.chance(if self.counts { 70 } else { 40 }) => {
                    let step = before - 1 - self.below(before.min(3));
                    if self.chance(50) {
                        approve = Some((format!("a{}", self.below(3)), step));
                    }
                    let mut call = steps[step].call.clone();
                    // The same call to another server is another call.
                    if call.server.is_some() && self.chance(20) {
                        call.server = self.chance(50).then(|| "other".to_owned());
                    }
                    call
                }
                _ => self.odd_call(),
            };
            let finish = (!steps.is_empty() && self.chance(20)).then(|| {
                let actual = [0, 1, 500_000, 1_000_000, 5_000_000][self.below(5)];
                (self.below(steps.len()), self.chance(50).then_some(actual))
            });
            let reload = (reloads && self.chance(20)).then(|| match self.below(4) {
                0 => policy.clone(),
                1 if meeting => self.meeting_policy(),
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
                format!("\"limits\":[{counter},\"max\":{max},\"increment_from\":\"args.a\"}}]")
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
            let call = GeneratedCall {
                name: "pay".to_owned(),
                is_request: false,
                args: format!("{{\"a\":{amount}}}"),
                identity: None,
                server: None,
                raw_only: false,
                check: None,
            };
            let finish = (number > SLIDING_CHARGES - 20 && self.chance(20))
                .then(|| (number - 1 - self.below(200), None));
            steps.push(GeneratedStep { at, call, approve: None, finish, reload: None });
        }
        GeneratedCase { policy, steps, ways: Ways::default() }
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
