//! Messages made at random: no message that another parser reads as a call passes without a decision, and what passes is what came.

use super::*;

/// A source of choices: a linear congruential generator, so that a run can be repeated.
struct Choices(u64);

impl Choices {
    fn below(&mut self, most: usize) -> usize {
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
fn message(choices: &mut Choices) -> Vec<u8> {
    let mut text = match choices.below(4) {
        0 => object(choices, &NAMES, 2),
        1 => format!("[{}]", call(1, "{}")),
        _ => {
            let extra = choices.of(&["", "", "", "", ",\"Method\":\"ping\"", ",\"method\":\"ping\"", ",\"params\":{}", ",\"Params\":{\"name\":\"pay\"}", ",\"id\":2"]);
            let inner = choices.of(&["", "", "", ",\"name\":\"get\"", ",\"Name\":\"pay\"", ",\"NAME\":\"pay\"", ",\"_meta\":{}"]);
            let method = choices.of(&["tools/call", "tools\\/call", "ping", "tools/cal\\u006c", "TOOLS/CALL"]);
            let id = choices.of(&["1", "\"1\"", "-7", "\"x\"", "null", "1.0", "[]"]);
            format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{"name":"pay","arguments":{{}}{inner}}}{extra}}}"#)
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

/// Whether a parser that keeps the last of equal keys, ignores case or not, and cuts names at NUL or not, reads a call of a tool.
fn reads_as_a_call(line: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<Value>(line) else { return false };
    let messages = match &value {
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    };
    let named = |object: &Value, name: &str, wanted: &dyn Fn(&Value) -> bool| {
        object.as_object().is_some_and(|members| {
            members.iter().any(|(key, value)| {
                let key = key.split('\0').next().unwrap_or_default().replace('\u{17f}', "s");
                key.eq_ignore_ascii_case(name) && wanted(value)
            })
        })
    };
    messages.into_iter().any(|message| {
        named(message, "method", &|method| method == "tools/call")
            && named(message, "params", &|params| named(params, "name", &|name| name == "pay"))
    })
}

#[test]
fn no_call_passes_without_a_decision() {
    let mut choices = Choices(20_261_129);
    let (mut passed, mut decided, mut calls) = (0, 0, 0);
    let mut subject = Subject::new().connected();
    for _ in 0..100_000 {
        let line = message(&mut choices);
        subject.client(&line);
        let shown = String::from_utf8_lossy(&line);
        let is_call = reads_as_a_call(&line);
        calls += usize::from(is_call);
        let answers = subject.to_server.len() + subject.to_client.len() + subject.asks.len();
        assert!(answers <= 1, "{shown}");
        for sent in std::mem::take(&mut subject.to_server) {
            passed += 1;
            assert_eq!(sent.as_bytes(), line);
            assert!(!is_call, "{shown}");
            // Its id is free again.
            if let Some(id) = serde_json::from_str::<Value>(&sent).unwrap().get("id") {
                subject.server(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"tools":[]}}}}"#));
            }
        }
        for ask in std::mem::take(&mut subject.asks) {
            decided += 1;
            subject.decided(ask.call, refusal());
            assert_eq!(subject.to_server, [""; 0], "{shown}");
        }
        subject.to_client.clear();
        subject.notes.clear();
        subject.finished.clear();
    }
    assert!(
        passed > 2_000 && decided > 3_000 && calls > 2 * decided,
        "{passed} passed, {decided} decided, {calls} calls"
    );
}
