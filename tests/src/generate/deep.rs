//! Objects with members of any name, texts that are JSON, and claims that have what arguments have.

use callgate_reference::json::quoted;

use super::Generator;

/// Names of members: what paths write otherwise, what folds together, and what says something else as text.
const NAMES: [&str; 14] =
    ["x", "x", "X", "a", "b", "*", "@id", "", "A", "\u{130}", "É", "null", "[1]", "alice"];
/// Letters whose lower case is told otherwise by other mappings, or whose upper case is longer.
const LETTERS: [&str; 14] = [
    "A", "Ab", "ALICE", "É", "\u{130}", "\u{130}", "\u{130}", "ΑΣ", "ΑΣ", "ΑΣ", "\u{212a}", "ẞ", "ǅ",
    "A\u{301}",
];

impl Generator {
    /// Members that views and wildcards are about.
    pub(super) fn deeper(&mut self) -> Vec<String> {
        let mut members = Vec::new();
        if self.chance(60) {
            let value = if self.chance(90) { self.object(2) } else { self.value(1) };
            members.push(format!("\"o\":{value}"));
        }
        if self.chance(60) {
            let value = if self.chance(90) { quoted(&self.json_text()) } else { self.value(1) };
            members.push(format!("\"s\":{value}"));
        }
        members
    }

    /// Text whose lower case tells.
    pub(super) fn letter(&mut self) -> String {
        quoted(self.pick(&LETTERS))
    }

    /// A value, so deep at most.
    fn deep(&mut self, depth: usize) -> String {
        match self.below(10) {
            0 | 1 if depth > 0 => self.object(depth - 1),
            2 if depth > 0 => {
                let items: Vec<String> = (0..self.below(3)).map(|_| self.deep(depth - 1)).collect();
                format!("[{}]", items.join(","))
            }
            3 | 4 => self.letter(),
            5 => self.pick(&["\"a\"", "\"alice\"", "\"ab\""]).to_owned(),
            _ => self.value(0),
        }
    }

    fn object(&mut self, depth: usize) -> String {
        let mut names: Vec<&str> = (0..self.below(4)).map(|_| self.pick(&NAMES)).collect();
        names.dedup();
        names.sort_unstable();
        names.dedup();
        // Out of order, now and then.
        if self.chance(30) {
            names.reverse();
        }
        let members: Vec<String> =
            names.into_iter().map(|name| format!("{}:{}", quoted(name), self.deep(depth))).collect();
        format!("{{{}}}", members.join(","))
    }

    /// Text that is JSON, mostly.
    fn json_text(&mut self) -> String {
        match self.below(12) {
            0 => self.value(0),
            1 => format!("[{}]", self.deep(1)),
            2 => self
                .pick(&["{\"x\":1,\"x\":2}", "{\"x\":NaN}", "{\"x\":1}x", "[\"\\ud800\"]", " null", ""])
                .to_owned(),
            3 => {
                let levels = [127, 128, 129][self.below(3)];
                format!("{}5{}", "[".repeat(levels), "]".repeat(levels))
            }
            4 => format!("{{\"x\":{}}}", quoted(&self.object(1))),
            5 => format!("{{\"x\":{}}}", self.list()),
            6..9 => format!(" {{\"x\":{}}}\n", self.deep(1)),
            _ => self.object(1),
        }
    }

    /// An identity that has values which the arguments have.
    pub(super) fn claims(&mut self, given: &[String]) -> String {
        let mut members = Vec::new();
        for (name, percent) in [
            ("id", 80),
            ("level", 60),
            ("roles", 50),
            ("allowed", 70),
            ("dir", 40),
            ("doc", 30),
            ("session", 30),
        ] {
            if !self.chance(percent) {
                continue;
            }
            let value = match name {
                "dir" => self
                    .pick(&["\"/srv/data\"", "\"/srv\"", "\"/srv/data/..\"", "\"srv\"", "\"/..\"", "\"\""])
                    .to_owned(),
                "doc" => quoted(&self.json_text()),
                "allowed" => match self.below(5) {
                    0 => "[]".to_owned(),
                    1 => self.value(0),
                    _ => {
                        let mut items: Vec<String> = (0..self.below(3)).map(|_| self.value(0)).collect();
                        if !given.is_empty() {
                            items.push(given[self.below(given.len())].clone());
                        }
                        format!("[{}]", items.join(","))
                    }
                },
                "roles" if self.chance(60) => self.list(),
                "level" if self.chance(40) => self.pick(&["5", "5.0", "1", "0", "10.5"]).to_owned(),
                "id" if self.chance(30) => self.letter(),
                _ if given.is_empty() || self.chance(30) => self.deep(1),
                _ => given[self.below(given.len())].clone(),
            };
            members.push(format!("\"{name}\":{value}"));
        }
        format!("{{{}}}", members.join(","))
    }
}
