//! Messages of a client made at random: calls, and what some parser may read as one.

/// Under it, `pay` is denied, and `get` with an amount of 9 or more.
pub const POLICY: &str = r#"{"version": "1", "default": "allow", "tools": {
  "pay": {"rules": [{"action": "deny"}]},
  "get": {"deny_if": [{"path": "args.amount", "op": "gte", "value": 9}]}
}}"#;

/// What the server lists.
pub const TOOLS: &str = r#"{"tools":[{"name":"pay","inputSchema":{"type":"object"}},{"name":"get","inputSchema":{"type":"object","properties":{"amount":{"type":"number"}}}}]}"#;

/// A call of the tool `pay`.
const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay","arguments":{}}}"#;

/// A source of choices: a linear congruential generator, so that a run can be repeated.
pub struct Choices(pub u64);

impl Choices {
    pub fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }

    fn of<'c>(&mut self, choices: &[&'c str]) -> &'c str {
        choices[self.below(choices.len())]
    }
}

const NAMES: [&str; 16] = [
    "jsonrpc",
    "id",
    "method",
    "params",
    "Method",
    "METHOD",
    "met\\u0068od",
    "method\\u0000",
    "Params",
    "params\\u0000",
    "result",
    "error",
    "x",
    "param\\u017f",
    "ID",
    "",
];
const INNER: [&str; 12] = [
    "name",
    "arguments",
    "Name",
    "n\\u0061me",
    "name\\u0000",
    "NAME",
    "_meta",
    "task",
    "Arguments",
    "x",
    "uri",
    "ta\\u017fk",
];
const VALUES: [&str; 14] = [
    "\"2.0\"",
    "1",
    "\"a\"",
    "null",
    "\"tools/call\"",
    "\"tools\\/call\"",
    "\"ping\"",
    "\"pay\"",
    "{}",
    "[]",
    "1.5",
    "true",
    "\"\\ud800\"",
    "{\"amount\":9}",
];

const ARGS: [&str; 12] = [
    "{}",
    "{}",
    "{\"amount\":1}",
    "{\"amount\":8.99e0}",
    "{\"amount\":9}",
    "{\"amount\":0.9e1}",
    "{\"Amount\":9}",
    "{\"amount\":1,\"AMOUNT\":9}",
    "{\"amount\":1,\"am\\u006funt\":9}",
    "{\"amount\\u0000\":9}",
    "{\"a\":{\"amount\":9}}",
    "null",
];

fn object(choices: &mut Choices, names: &[&str], depth: usize) -> String {
    let mut text = String::from("{");
    for index in 0..choices.below(6) {
        if index > 0 {
            text.push(',');
        }
        let name = choices.of(names);
        let value = if depth > 0 && choices.below(3) == 0 {
            object(choices, &INNER, depth - 1)
        } else {
            choices.of(&VALUES).to_owned()
        };
        text.push_str(&format!("\"{name}\":{value}"));
    }
    text.push('}');
    text
}

/// A message: mostly a call, with a few changes.
pub fn message(choices: &mut Choices) -> Vec<u8> {
    let mut text = match choices.below(6) {
        0 => object(choices, &NAMES, 2),
        1 if choices.below(2) == 0 => format!("[{CALL}]"),
        // A message in another, between what ends a line for some servers.
        1 => format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{{\"a\":\r{CALL}\r}}}}"),
        _ => {
            let extra = choices.of(&["", "", "", "", "", "", "", "", "", ",\"Method\":\"ping\"", ",\"method\":\"ping\"", ",\"params\":{}", ",\"Params\":{\"name\":\"pay\"}", ",\"id\":2"]);
            let inner = choices.of(&["", "", "", "", "", "", ",\"name\":\"get\"", ",\"Name\":\"pay\"", ",\"NAME\":\"pay\"", ",\"_meta\":{}"]);
            let method = choices.of(&["tools/call", "tools\\/call", "ping", "tools/cal\\u006c", "TOOLS/CALL"]);
            let id = choices.of(&["1", "\"1\"", "-7", "\"x\"", "null", "1.0", "[]"]);
            let name = choices.of(&["pay", "pay", "get", "get", "Pay", "g\\u0065t", "ge\\u0074\\u0000"]);
            let args = choices.of(&ARGS);
            format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{"name":"{name}","arguments":{args}{inner}}}{extra}}}"#)
        }
    }
    .into_bytes();
    if choices.below(4) == 0 && !text.is_empty() {
        let at = choices.below(text.len());
        match choices.below(3) {
            0 => text[at] = b" {}[]\",:\\\0\xff"[choices.below(11)],
            1 => _ = text.remove(at),
            _ => text.insert(at, b" {}[]\",:"[choices.below(8)]),
        }
    }
    text
}
