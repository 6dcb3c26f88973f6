//! Traffic between a client and a server, made at random, of which a relay that denies nothing has to pass on every byte: requests of both
//! sides, their answers, notifications; with any text that JSON admits.
//!
//! In: a seed. Out: messages, each of one side. Must not make a list of tools: that one may be written anew.

use std::fmt::Write as _;

use callgate_relay::{Action, Options, Peer, Relay, Verdict};

use crate::messages::Choices;

const METHODS: [&str; 10] = [
    "ping",
    "tools\\/call",
    "tools/call",
    "tools/call",
    "resources/read",
    "prompts/get",
    "server/discover",
    "subscriptions/listen",
    "completion/complete",
    "x\\u0079z",
];
const NOTIFICATIONS: [&str; 5] = [
    "notifications/progress",
    "notifications/message",
    "notifications/roots/list_changed",
    "notifications/resources/updated",
    "caf\\u00e9",
];
const STRINGS: [&str; 12] = [
    "",
    "a",
    "Ünïcödé",
    "\\u00fc\\n\\t\\\\\\\"",
    "\\ud83d\\ude00",
    "😀",
    "\u{2028}",
    "\\u0000",
    "\\/",
    "{\\\"jsonrpc\\\":\\\"2.0\\\"}",
    "\u{7f}\u{85}\u{feff}",
    "tools/call",
];
const NUMBERS: [&str; 12] = [
    "0",
    "-0",
    "1",
    "-0.0",
    "1e5",
    "1E+05",
    "12345678901234567890123456789",
    "0.1000000000000000055511151231257827",
    "1e-999",
    "9007199254740993",
    "2.50",
    "-7",
];
const SPACES: [&str; 8] = ["", "", "", "", "", " ", "\t ", "  "];

/// A source of messages.
pub struct Traffic {
    choices: Choices,
    next: u64,
    /// Requests without an answer, by who asked.
    open: [Vec<String>; 2],
}

impl Traffic {
    pub fn new(seed: u64) -> Self {
        Self { choices: Choices(seed), next: 0, open: [Vec::new(), Vec::new()] }
    }

    /// Some message, and who sends it.
    pub fn message(&mut self) -> (Peer, String) {
        let (side, peer) = [(0, Peer::Client), (1, Peer::Server)][self.choices.below(2)];
        let is_answer = !self.open[1 - side].is_empty() && self.choices.below(2) == 0;
        let mut members = vec![("jsonrpc".to_owned(), "\"2.0\"".to_owned())];
        if is_answer {
            let at = self.choices.below(self.open[1 - side].len());
            members.push(("id".to_owned(), self.open[1 - side].swap_remove(at)));
            let result = if self.choices.below(4) == 0 {
                ("error", format!("{{\"code\":-32603,\"message\":{}}}", self.string()))
            } else {
                ("result", self.object(4))
            };
            members.push((result.0.to_owned(), result.1));
        } else if self.choices.below(4) == 0 {
            let method = NOTIFICATIONS[self.choices.below(NOTIFICATIONS.len())];
            members.push(("method".to_owned(), format!("\"{method}\"")));
            self.params(&mut members);
        } else {
            let id = self.id();
            let method = METHODS[self.choices.below(METHODS.len())];
            let calls = method.ends_with("call");
            members.push(("id".to_owned(), id.clone()));
            members.push(("method".to_owned(), format!("\"{method}\"")));
            if calls {
                let tool = format!("\"name\":{}", self.string());
                let args = self.object(4);
                members.push(("params".to_owned(), format!("{{{tool},\"arguments\":{args}}}")));
            } else {
                self.params(&mut members);
            }
            self.open[side].push(id);
        }
        // What is not of the protocol passes as well.
        if self.choices.below(8) == 0 {
            members.push(("x-trace".to_owned(), self.value(2)));
        }
        for at in (1..members.len()).rev() {
            members.swap(at, self.choices.below(at + 1));
        }
        (peer, self.written(&members))
    }

    /// An id that no message before had.
    fn id(&mut self) -> String {
        self.next += 1;
        match self.choices.below(3) {
            0 => format!("\"{}{}\"", ["", "id-", "ü"][self.choices.below(3)], self.next),
            1 => format!("-{}", self.next),
            _ => self.next.to_string(),
        }
    }

    fn params(&mut self, members: &mut Vec<(String, String)>) {
        if self.choices.below(4) > 0 {
            let params = self.object(4);
            members.push(("params".to_owned(), params));
        }
    }

    fn space(&mut self) -> &'static str {
        SPACES[self.choices.below(SPACES.len())]
    }

    fn written(&mut self, members: &[(String, String)]) -> String {
        let mut text = format!("{}{{", self.space());
        for (index, (name, value)) in members.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let [a, b, c, d] = [(); 4].map(|()| self.space());
            // Writing to a String cannot fail.
            let _ = write!(text, "{comma}{a}\"{name}\"{b}:{c}{value}{d}");
        }
        text + "}" + self.space()
    }

    fn string(&mut self) -> String {
        format!("\"{}\"", STRINGS[self.choices.below(STRINGS.len())])
    }

    fn object(&mut self, depth: usize) -> String {
        let members: Vec<_> = (0..self.choices.below(4))
            .map(|index| (format!("m{index}é"), self.value(depth.saturating_sub(1))))
            .collect();
        self.written(&members)
    }

    fn value(&mut self, depth: usize) -> String {
        match self.choices.below(if depth == 0 { 4 } else { 6 }) {
            0 => self.string(),
            1 => NUMBERS[self.choices.below(NUMBERS.len())].to_owned(),
            2 => ["true", "false", "null"][self.choices.below(3)].to_owned(),
            3 => "[]".to_owned(),
            4 => self.object(depth),
            _ => {
                let items: Vec<_> = (0..self.choices.below(4)).map(|_| self.value(depth - 1)).collect();
                format!("[{}]", items.join(&format!(",{}", self.space())))
            }
        }
    }
}

/// Sends messages through a relay that denies nothing. Panics at the first that does not come out as it went in.
pub fn passes_unchanged(count: u64, seed: u64) {
    let mut relay = Relay::new(Options::new("n").reads_args(|_, _| false));
    let mut traffic = Traffic::new(seed);
    for _ in 0..count {
        let (from, message) = traffic.message();
        let (mut actions, to) = match from {
            Peer::Client => (relay.from_client(message.as_bytes(), 0, 0), Peer::Server),
            Peer::Server => (relay.from_server(message.as_bytes(), 0, 0), Peer::Client),
        };
        let ask = actions.iter().find_map(|action| match action {
            Action::Decide(ask) => Some(ask.call),
            _ => None,
        });
        actions.extend(ask.into_iter().flat_map(|call| relay.decided(call, Verdict::Allow, 0)));
        let sent: Vec<_> = actions
            .into_iter()
            .filter_map(|action| match action {
                Action::Send { to, message, .. }
                    if !message.starts_with(b"{\"jsonrpc\":\"2.0\",\"id\":\"callgate-n-") =>
                {
                    Some((to, message))
                }
                _ => None,
            })
            .collect();
        assert_eq!(sent, [(to, message.clone().into_bytes())], "{message}");
    }
}
