//! Raw text against serde_json as oracle, and what is refused beyond it.
#![expect(clippy::string_slice, reason = "a test may panic")]

use std::collections::HashSet;
use std::ops::ControlFlow;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::number::Number;
use crate::view::{Kind, View};

/// Any JSON value; few distinct keys, so that mutations make duplicates.
fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof!["[ab]{0,2}", "\\PC{0,12}", "[\\x00-\\x7f]{0,20}"];
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    scalar.prop_recursive(5, 60, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((text.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Writes a value with white space and escapes as `choices` say.
fn write(value: &Value, choices: &mut impl Iterator<Item = u8>, to: &mut String) {
    let space = |choices: &mut dyn Iterator<Item = u8>, to: &mut String| {
        to.push_str(["", "", " ", "\n\t", "\r "][choices.next().unwrap() as usize % 5]);
    };
    let string = |text: &str, choices: &mut dyn Iterator<Item = u8>, to: &mut String| {
        to.push('"');
        for c in text.chars() {
            if choices.next().unwrap().is_multiple_of(8) {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    to.push_str(&format!("\\u{unit:04x}"));
                }
            } else {
                let quoted = serde_json::to_string(&c).unwrap();
                to.push_str(&quoted[1..quoted.len() - 1]);
            }
        }
        to.push('"');
    };
    space(choices, to);
    match value {
        Value::String(text) => string(text, choices, to),
        Value::Array(items) => {
            to.push('[');
            for (at, item) in items.iter().enumerate() {
                to.push_str(if at == 0 { "" } else { "," });
                write(item, choices, to);
            }
            space(choices, to);
            to.push(']');
        }
        Value::Object(members) => {
            to.push('{');
            for (at, (key, member)) in members.iter().enumerate() {
                to.push_str(if at == 0 { "" } else { "," });
                space(choices, to);
                string(key, choices, to);
                space(choices, to);
                to.push(':');
                write(member, choices, to);
            }
            space(choices, to);
            to.push('}');
        }
        scalar => to.push_str(&scalar.to_string()),
    }
    space(choices, to);
}

/// Reads a view back by the public trait, the last of duplicate keys winning as in serde_json; `repeats` counts them.
fn read(view: RawView<'_>, repeats: &mut usize) -> Value {
    match view.kind().unwrap() {
        Kind::Null => Value::Null,
        Kind::Bool(value) => value.into(),
        Kind::Number(_) | Kind::Foreign => serde_json::from_str(view.text()).unwrap_or(Value::Null),
        Kind::String(text) => text.into_owned().into(),
        Kind::Array => {
            let mut items = Vec::new();
            view.elements(|item| {
                items.push(read(item, repeats));
                ControlFlow::Continue(())
            })
            .unwrap();
            assert_eq!(view.size().unwrap(), items.len());
            items.into()
        }
        Kind::Object => {
            let (mut members, mut keys, mut count) = (Map::new(), HashSet::new(), 0);
            view.members(|name, member| {
                count += 1;
                *repeats += usize::from(!keys.insert(name.to_owned()));
                members.insert(name.to_owned(), read(member, repeats));
                ControlFlow::Continue(())
            })
            .unwrap();
            assert_eq!(view.size().unwrap(), count);
            members.into()
        }
    }
}

/// Both accept, or the difference is one that is meant.
fn agrees_with_serde(text: &str) -> Result<(), TestCaseError> {
    let theirs = serde_json::from_str::<Value>(text);
    let mut duplicates = Vec::new();
    let listing = RawJson::parse_listing(text, 0, Limits::ARGUMENTS, &mut duplicates);
    match (&listing, &theirs) {
        (Ok(raw), Ok(value)) => {
            let mut repeats = 0;
            prop_assert_eq!(&read(raw.root(), &mut repeats), value);
            prop_assert_eq!(duplicates.len(), repeats);
        }
        (Ok(_), Err(error)) => {
            prop_assert!(error.to_string().contains("number out of range"), "{} {}", error, text)
        }
        (Err(error), Ok(_)) => prop_assert!(false, "refused {}: {}", text, error),
        (Err(error), Err(_)) => {
            prop_assert!(error.offset() <= text.len() && text.is_char_boundary(error.offset()))
        }
    }
    match (listing, RawJson::parse(text)) {
        (Ok(_), Ok(_)) => prop_assert!(duplicates.is_empty()),
        (Ok(raw), Err(error)) => {
            prop_assert_eq!(error.kind(), RawErrorKind::DuplicateKey);
            let offsets = duplicates.iter().map(|duplicate| raw.view(duplicate.second).span().start as usize);
            prop_assert!(offsets.into_iter().any(|offset| offset == error.offset()));
        }
        (Err(_), strict) => prop_assert!(strict.is_err()),
    }
    Ok(())
}

proptest! {
    #[test]
    fn reads_what_serde_reads(value in value(), choices in prop::collection::vec(any::<u8>(), 1..200)) {
        let mut text = String::new();
        write(&value, &mut choices.into_iter().cycle(), &mut text);
        // Not `value` itself: without `float_roundtrip` serde_json may read a float's last digit wrongly.
        let theirs = serde_json::from_str::<Value>(&text).unwrap();
        let raw = RawJson::parse(&text).unwrap();
        prop_assert_eq!(read(raw.root(), &mut 0), theirs);
    }

    #[test]
    fn accepts_what_serde_accepts(
        value in value(),
        choices in prop::collection::vec(any::<u8>(), 1..50),
        mutations in prop::collection::vec((any::<prop::sample::Index>(), 0..3, prop::sample::select(
            &b"\"\\{}[]:,0123456789-+.eEtrufalsn \n\x01abud8cDF'/*#\xc3\xa9"[..])), 1..5),
    ) {
        let mut text = String::new();
        write(&value, &mut choices.into_iter().cycle(), &mut text);
        let mut bytes = text.into_bytes();
        for (at, what, byte) in mutations {
            let at = at.index(bytes.len() + 1);
            match what {
                0 => bytes.insert(at, byte),
                1 if at < bytes.len() => bytes[at] = byte,
                _ if at < bytes.len() => drop(bytes.remove(at)),
                _ => bytes.truncate(at / 2),
            }
        }
        if let Ok(text) = String::from_utf8(bytes) {
            agrees_with_serde(&text)?;
        }
    }

    #[test]
    fn any_soup_of_tokens(text in "([\\[\\]{},: ]|\"a\"|\"b\"|\"\\\\u0061\"|\"\\\\ud83d\\\\ude00\"|\"\\\\ud83d\"|1|-0|1e9|01|true|nul|null){0,14}") {
        agrees_with_serde(&text)?;
    }

    /// Around the border between comparing pairs and hashing, and whatever the fingerprints are.
    #[test]
    fn trap_18_finds_every_duplicate(
        keys in prop::collection::vec("[ab]{0,9}|k[0-9]{1,3}", 0..70),
        escapes in prop::collection::vec(any::<bool>(), 70),
        nested in any::<bool>(),
    ) {
        let member = |(key, escape): (&String, &bool)| {
            let key = if *escape { key.chars().map(|c| format!("\\u{:04X}", u32::from(c))).collect() } else { key.clone() };
            format!("\"{key}\":{}", if nested { "{}" } else { "0" })
        };
        let text = format!("{{{}}}", keys.iter().zip(&escapes).map(member).collect::<Vec<_>>().join(","));
        let repeats = keys.len() - keys.iter().collect::<HashSet<_>>().len();
        let mut duplicates = Vec::new();
        let raw = RawJson::parse_listing(&text, 0, Limits::ARGUMENTS, &mut duplicates).unwrap();
        prop_assert_eq!(duplicates.len(), repeats);
        for Duplicate { first, second } in duplicates {
            prop_assert!(first < second);
            prop_assert_eq!(raw.view(first).string_of(&raw), raw.view(second).string_of(&raw));
        }
        prop_assert_eq!(RawJson::parse(&text).is_ok(), repeats == 0);
    }
}

#[test]
fn refusals_have_a_kind_and_a_place() {
    use super::Expected::*;
    use super::RawErrorKind::*;
    for (text, kind, offset) in [
        ("", UnexpectedEnd(Value), 0),
        (" \n", UnexpectedEnd(Value), 2),
        ("{", UnexpectedEnd(KeyOrBrace), 1),
        ("[", UnexpectedEnd(ValueOrBracket), 1),
        ("[1,]", Expected(Value), 3),
        ("[,1]", Expected(ValueOrBracket), 1),
        ("[1 2]", Expected(CommaOrBracket), 3),
        ("[1}", Expected(CommaOrBracket), 2),
        (r#"{"a":1,}"#, Expected(Key), 7),
        (r#"{a:1}"#, Expected(KeyOrBrace), 1),
        (r#"{"a" 1}"#, Expected(Colon), 5),
        (r#"{"a":1 "b":2}"#, Expected(CommaOrBrace), 7),
        (r#"{"a":}"#, Expected(Value), 5),
        ("{}{}", TrailingData, 2),
        ("1 x", TrailingData, 2),
        ("tru", Expected(Value), 0),
        ("'a'", Expected(Value), 0),
        ("NaN", Expected(Value), 0),
        ("+1", Expected(Value), 0),
        ("// x", Expected(Value), 0),
        (r#"["a"#, UnclosedString, 1),
        ("\"a\nb\"", ControlCharacter, 2),
        ("\"a\0\"", ControlCharacter, 2),
        (r#""\x""#, InvalidEscape, 1),
        (r#""\u12G4""#, InvalidEscape, 1),
        (r#""ab\"#, InvalidEscape, 3),
        (r#""\ud800""#, LoneSurrogate, 1),
        (r#""\ud800\u0041""#, LoneSurrogate, 1),
        (r#""\udc00\ud800""#, LoneSurrogate, 1),
        (r#"{"\ud800":1}"#, LoneSurrogate, 2),
        ("01", InvalidNumber, 1),
        ("-", InvalidNumber, 1),
        ("1.", InvalidNumber, 2),
        ("1e+", InvalidNumber, 3),
        (r#"{"a":1,"b":{"x":0,"x":0}}"#, DuplicateKey, 18),
        (r#"{"a":1,"\u0061":2}"#, DuplicateKey, 7),
        (r#"{"\u0061":1,"a":{},"b":[]}"#, DuplicateKey, 12),
        ("\u{feff}{}", ByteOrderMark, 0),
    ] {
        let error = RawJson::parse(text).unwrap_err();
        assert_eq!((error.kind(), error.offset()), (kind, offset), "{text}");
    }
    assert!(RawJson::parse("[\"\u{feff}\"]").is_ok(), "only at the beginning");
}

#[test]
fn trap_5_nesting_and_size_are_bounded() {
    let nested =
        |open: &str, close: &str, depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
    let kind = |text: &str, depth| {
        RawJson::parse_within(text, Limits { bytes: 1 << 20, depth })
            .map(|_| ())
            .map_err(|error| error.kind())
    };
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        assert_eq!(kind(&nested(open, close, 128), 128), Ok(()));
        assert_eq!(kind(&nested(open, close, 129), 128), Err(RawErrorKind::TooDeep));
        assert_eq!(kind(&nested(open, close, 100_000), 128), Err(RawErrorKind::TooDeep));
        // Even without a ceiling nothing recurses.
        assert_eq!(kind(&nested(open, close, 100_000), usize::MAX), Ok(()));
    }
    assert_eq!(kind("1", 0), Ok(()));
    let siblings = format!("[{}1]", "[],{},".repeat(1_000));
    assert_eq!(kind(&siblings, 2), Ok(()), "siblings are not nested");
    let limits = Limits { bytes: 3, depth: 1 };
    assert!(RawJson::parse_within("123", limits).is_ok());
    assert_eq!(RawJson::parse_within("1234", limits).unwrap_err().kind(), RawErrorKind::TooLong);
}

#[test]
fn trap_18_large_objects() {
    for last in ["k99999", "k99998", "\\u006b0"] {
        let members: String = (0..99_999).map(|n| format!("\"k{n}\":{n},")).collect();
        let text = format!("{{{members}\"{last}\":0}}");
        let result = RawJson::parse(&text);
        assert_eq!(result.is_ok(), last == "k99999");
        if let Err(error) = result {
            assert_eq!((error.kind(), error.offset()), (RawErrorKind::DuplicateKey, members.len() + 1));
        }
    }
}

#[test]
fn small_texts_stay_inline() {
    let members = |count: usize| {
        let members: Vec<_> = (0..count).map(|n| format!("\"key {n}\":{n}")).collect();
        format!("{{{}}}", members.join(","))
    };
    assert!(RawJson::parse(&members(32)).unwrap().is_inline());
    assert!(!RawJson::parse(&members(36)).unwrap().is_inline());
}

#[test]
fn trap_16_members_are_what_the_text_holds() {
    let text = r#" {"a.b": [1e400, 0.10, "x\ny", "plain"], "": null, "\u005f_proto__": {"x": true}} "#;
    let raw = RawJson::parse(text).unwrap();
    let root = raw.root();
    let member = |name| root.member(name).unwrap();
    assert!(member("constructor").is_none());
    assert!(member("a").is_none());
    assert!(member("\\u005f_proto__").is_none());
    assert_eq!(member("").unwrap().kind().unwrap(), Kind::Null);
    assert_eq!(member("__proto__").unwrap().size(), Ok(1));
    let list = member("a.b").unwrap();
    let element = |index| list.element(index).unwrap();
    assert_eq!(element(0).unwrap().kind().unwrap(), Kind::Foreign, "trap 14");
    assert_eq!(element(1).unwrap().kind().unwrap(), Kind::Number(Number::from_f64(0.1).unwrap()));
    assert_eq!(element(2).unwrap().kind().unwrap(), Kind::String("x\ny".into()));
    let plain = element(3).unwrap();
    assert!(matches!(plain.kind().unwrap(), Kind::String(std::borrow::Cow::Borrowed("plain"))));
    assert!(element(4).is_none());
    assert_eq!(plain.text(), "\"plain\"");
    assert_eq!(&text[root.span().start as usize..root.span().end as usize], text.trim());
    assert_eq!(read(root, &mut 0)["__proto__"], json!({"x": true}));
    // Asking a scalar for parts finds none.
    assert_eq!(
        (plain.size().unwrap(), plain.member("x").unwrap().is_none(), plain.element(0).unwrap().is_none()),
        (0, true, true)
    );
    let mut seen = 0;
    root.members(|_, _| {
        seen += 1;
        ControlFlow::Break(())
    })
    .unwrap();
    assert_eq!(seen, 1);
}

#[test]
fn errors_hold_no_text() {
    let error = RawJson::parse(r#"{"card": 4242424242424242x}"#).unwrap_err();
    assert_eq!(error.to_string(), "expected `,` or `}` at byte 25");
}
