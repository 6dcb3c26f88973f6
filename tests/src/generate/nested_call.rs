//! Calls under policies about stacks, requests of other methods and tools that call others.
//!
//! In: choices. Out: calls that aim at what the policies of `nested` name. Must not know what the decisions are.

use callgate_reference::json::quoted;

use super::nested::{Nested, PLACES};
use super::{GeneratedCall, GeneratedCheck, Generator};

impl Generator {
    /// A call under such a policy.
    pub(super) fn nested_call(&mut self) -> GeneratedCall {
        let nested = self.nested.unwrap_or(Nested { place: None, requests: false, layers: 1 });
        let identity = self
            .pick(&[
                "",
                "\"alice\"",
                "\"bob\"",
                "{\"id\":\"alice\",\"trace\":1}",
                "{\"id\":\"bob\",\"level\":2}",
                "5",
            ])
            .to_owned();
        let identity = Some(identity).filter(|text| !text.is_empty() && (text != "5" || self.chance(20)));
        let check = self.chance(20).then_some(GeneratedCheck { schema: None, folding: true });
        let is_request = if nested.requests { self.chance(85) } else { self.chance(5) };
        let (name, args) = if is_request {
            self.request()
        } else if nested.place.is_some() && self.chance(70) {
            ("wrap".to_owned(), self.wrapped(nested))
        } else {
            let name = self.pick(&[
                "pay",
                "pay",
                "refund",
                "Send",
                "read_file",
                "other",
                "drop",
                "run",
                "resources/read",
            ]);
            (name.to_owned(), self.inner_args())
        };
        GeneratedCall { name, is_request, args, identity, server: None, raw_only: false, check }
    }

    /// Arguments of a tool that is no dispatcher.
    fn inner_args(&mut self) -> String {
        let mut members = Vec::new();
        if self.chance(90) {
            members.push(format!("\"a\":{}", self.pick(&["1", "1", "2", "3", "0", "\"x\""])));
        }
        for (name, percent) in [("b", 50), ("note", 40), ("A", 4), ("name", 5)] {
            if self.chance(percent) {
                members.push(format!(
                    "\"{name}\":{}",
                    self.pick(&["\"x\"", "\"y\"", "1", "\"\u{39f}\u{3a3}\""])
                ));
            }
        }
        format!("{{{}}}", members.join(","))
    }

    /// Arguments of the dispatcher.
    fn wrapped(&mut self, nested: Nested) -> String {
        let name = match self.below(20) {
            0 => self.pick(&[
                "PAY",
                " pay",
                "pay ",
                "pay\0x",
                "\tpay\n",
                "\u{a0}pay",
                "Refund",
                "send",
                "\u{17f}end",
                "DROP",
                "drop\0",
                " Pay\0",
            ]),
            1 => self.pick(&["wrap", "run", "WRAP", "*", " *", "re*", "pays"]),
            2 => self.pick(&["drop", "read_file", "other", "refund"]),
            _ => self.pick(&["pay", "pay", "refund", "Send", "other"]),
        };
        let mut name = Some(quoted(name));
        if self.chance(4) {
            name = self.pick(&["", "5", "null", "[\"pay\"]", "\"\""]).to_owned().into();
        }
        let name = name.filter(|name| !name.is_empty());
        let args = match self.below(16) {
            0 => None,
            1 => Some(self.pick(&["null", "[]", "[{}]", "\"{}\"", "5", "\"x\""]).to_owned()),
            _ => Some(self.inner_args()),
        };
        let name = name.map(|name| format!("\"name\":{name}"));
        let (tool, place) = nested.place.unwrap_or(PLACES[0]);
        let args = match args {
            Some(args) if place == "args.arguments.@json" && self.chance(80) => Some(quoted(&args)),
            args => args,
        };
        let args = args.map(|args| format!("\"arguments\":{args}"));
        // Another spelling beside the name, also within a text.
        let other = self.chance(4).then(|| "\"Name\":1".to_owned());
        let whole: Vec<String> = name.iter().chain(&args).chain(&other).cloned().collect();
        let whole = format!("{{{}}}", whole.join(","));
        let mut members = match (tool, place) {
            ("args.call.@json.name", _) => {
                vec![format!("\"call\":{}", if self.chance(80) { quoted(&whole) } else { whole })]
            }
            ("args.call.name", _) => vec![format!("\"call\":{whole}")],
            _ => name.into_iter().chain(args).collect(),
        };
        for (name, percent) in [("a", 30), ("b", 30), ("note", 30), ("Name", 3), ("ARGUMENTS", 3)] {
            if self.chance(percent) {
                members.push(format!("\"{name}\":{}", self.pick(&["1", "2", "3", "\"x\""])));
            }
        }
        format!("{{{}}}", members.join(","))
    }

    /// A request of another method, and its params.
    fn request(&mut self) -> (String, String) {
        let method = self.pick(&[
            "resources/read",
            "resources/subscribe",
            "prompts/get",
            "completion/complete",
            "completion/complete",
            "completion/complete",
            "roots/list",
            "ping",
            "tools",
            "tasks/get",
            "prompts/list",
            "notifications/x",
            "sampling/createMessage",
            "resources/unsubscribe",
            "tools/call",
        ]);
        let value = |own: &mut Self| own.pick(&["\"p\"", "\"p\"", "\"q\"", "\"file:a\"", "\"file:a\""]);
        let of_context = |own: &mut Self| match own.below(6) {
            0 => String::new(),
            1 => ",\"context\":5".to_owned(),
            2 => ",\"context\":{\"n\":2}".to_owned(),
            _ => {
                let value =
                    own.pick(&["{\"x\":\"1\"}", "{\"x\":\"2\",\"note\":1}", "{\"x\":\"1\",\"note\":2}", "5"]);
                format!(",\"context\":{{\"n\":1,\"arguments\":{value}}}")
            }
        };
        let params = match method {
            "completion/complete" => {
                let name = value(self);
                let reference = match self.below(9) {
                    0 => self
                        .pick(&[
                            "5",
                            "null",
                            "{}",
                            "{\"type\":\"ref/tool\",\"name\":\"p\"}",
                            "{\"type\":\"ref/prompt\",\"uri\":\"p\"}",
                            "{\"type\":\"ref/prompt\",\"name\":1}",
                        ])
                        .to_owned(),
                    1..6 => format!("{{\"type\":\"ref/prompt\",\"name\":{name}}}"),
                    _ => format!("{{\"type\":\"ref/resource\",\"uri\":{name}}}"),
                };
                let argument = self.pick(&["", ",\"argument\":{\"name\":\"x\",\"value\":\"1\"}"]);
                format!("{{\"ref\":{reference}{argument}{}}}", of_context(self))
            }
            "prompts/get" => {
                let arguments = self.pick(&[
                    "",
                    ",\"arguments\":{\"x\":\"1\"}",
                    ",\"arguments\":{\"x\":\"1\",\"note\":2}",
                ]);
                format!("{{\"name\":{}{arguments}{}}}", value(self), of_context(self))
            }
            _ => {
                let note = self.pick(&["", "", ",\"note\":1", ",\"URI\":1"]);
                format!("{{\"uri\":{}{note}{}}}", value(self), of_context(self))
            }
        };
        (method.to_owned(), if self.chance(3) { "[1]".to_owned() } else { params })
    }
}
