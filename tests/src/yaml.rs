//! JSON documents written as YAML.
//!
//! In: a JSON document. Out: YAML of the same meaning (spec 1.1), with blocks, plain words and escapes. Must not know what a
//! policy is.

use std::fmt::Write;

use callgate_reference::json::Json;

/// YAML reads no longer key that stands before its colon on one line; this leaves room for escapes.
const KEY_CHARS: usize = 100;

/// The document as YAML; none if a part of it cannot stand there.
pub fn written(document: &Json) -> Option<String> {
    has_a_yaml_form(document).then(|| {
        let mut yaml = String::new();
        write_block(&mut yaml, document, 0);
        yaml
    })
}

/// Whether every part may stand in YAML: no exponent (1.2), no empty key (1.3), no key too long for a line.
fn has_a_yaml_form(document: &Json) -> bool {
    match document {
        Json::Number(literal) => !literal.contains(['e', 'E']),
        Json::Array(elements) => elements.iter().all(has_a_yaml_form),
        Json::Object(members) => members.iter().all(|(key, value)| {
            !key.is_empty() && key != "<<" && key.chars().count() <= KEY_CHARS && has_a_yaml_form(value)
        }),
        _ => true,
    }
}

/// A value behind `key:` or `-`: containers as blocks on lines of their own.
fn write_block(out: &mut String, value: &Json, indent: usize) {
    match value {
        Json::Array(elements) if !elements.is_empty() => {
            for element in elements {
                let _ = write!(out, "\n{:indent$}- ", "");
                write_block(out, element, indent + 2);
            }
        }
        Json::Object(members) if !members.is_empty() => {
            for (key, value) in members {
                let _ = write!(out, "\n{:indent$}{}: ", "", scalar(key));
                write_block(out, value, indent + 2);
            }
        }
        Json::String(text) => out.push_str(&scalar(text)),
        other => out.push_str(&other.write()),
    }
}

/// A string: plain where it is a plain word, else in double quotes.
fn scalar(text: &str) -> String {
    let typed = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    if !text.is_empty()
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_'))
        && !typed.contains(&text)
    {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            c if c.is_alphanumeric() => quoted.push(c),
            c => {
                let _ = write!(quoted, "\\U{:08x}", u32::from(c));
            }
        }
    }
    quoted + "\""
}
