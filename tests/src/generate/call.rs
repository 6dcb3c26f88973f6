//! Calls, and cases: a policy and calls under it, one after the other.

use super::alphabet::TOOLS;
use super::{GeneratedCall, GeneratedCase, GeneratedStep, Generator, START};

impl Generator {
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
