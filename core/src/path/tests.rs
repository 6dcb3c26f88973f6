//! Tests of reading paths.

use super::*;
use crate::ceilings::{PATH_BYTES, PATH_SEGMENTS};

#[test]
fn reads_every_form() {
    let path = Path::parse(r#"args.a-b["x.y]\"z"][0][*].é"#).unwrap();
    let name = |text: &str| Segment::Name(text.into());
    let expected =
        [name("a-b"), Segment::Quoted("x.y]\"z".into()), Segment::Index(0), Segment::Each, name("é")];
    assert_eq!(*path.segments, expected);
    assert_eq!(Path::parse("tool").unwrap().root, Root::Tool);
    assert_eq!(*Path::parse(r#"args[""]"#).unwrap().segments, [Segment::Quoted("".into())]);
    for text in [r#"args["@id"]["*"].a@b["@text"]"#, "args.a", "args[0]"] {
        let (path, view) = (Path::parse(text).unwrap(), Path::parse(&format!("{text}.@text")).unwrap());
        assert_eq!((path.gives, path.is_direct), (Gives::Anything, true));
        assert_eq!((Some(&Segment::View(PathView::Text)), Gives::Text), (view.segments.last(), view.gives));
        assert_eq!((path.member.is_some(), view.member, view.is_direct), (text == "args.a", None, false));
    }
    assert_eq!(Path::parse("identity.id").unwrap().reading, Reading::Plain);
    for text in ["state.read_*.@day", "state.@text", "state.a.@text"] {
        assert!(Path::parse(text).unwrap().is_direct, "{text}");
    }
}

#[test]
fn views_follow_one_another_in_few_ways() {
    for (text, gives) in [
        ("args.a.@lower", Gives::Lower),
        ("args.a.@text.@lower.@length", Gives::Number),
        ("args.a.@text.@length", Gives::Number),
        ("args.a[*].@length", Gives::Number),
        ("args.@count", Gives::Number),
        ("args.@keys", Gives::Names),
        ("identity.@keys.@count", Gives::Number),
        ("args.a.@keys[0]", Gives::Name),
        ("args.a.@keys[*].@lower", Gives::Lower),
        ("args.a.@keys[*].@lower.@length", Gives::Number),
        ("args.a.@json", Gives::Anything),
        ("args.a.@json.@json.b[0].@json", Gives::Anything),
        ("args.a.@json.@text.@length", Gives::Number),
        ("args.*", Gives::Anything),
        ("identity.*.a.*[*].@count", Gives::Number),
        ("args.**", Gives::Scalars),
        ("args.a.**.@text", Gives::ScalarsText),
        ("args.a.@json.**.@text.@lower", Gives::ScalarsLower),
    ] {
        let path = Path::parse(text).unwrap();
        assert_eq!((path.gives, path.is_direct, path.has_each), (gives, false, text.contains('*')), "{text}");
    }
    for text in [
        "args.@lower",
        "args.@length",
        "identity.@text",
        "args.a.@length.@count",
        "args.a.@count[0]",
        "args.a.@keys.a",
        "args.a.@keys.@length",
        "args.a.@keys.@keys",
        "args.a.@keys[0][0]",
        "args.a.@keys[0].@text",
        "args.a.@lower.@lower",
        "args.a.@lower.@text",
        "args.a.@lower.@count",
        "args.a.@lower[*]",
        "args.a.@text.@count",
        "args.a.@text.@keys",
        "tool.@lower",
        "args.@json",
        "args.a.@lower.@json",
        "args.a.@keys.@json",
        "args.**.a",
        "args.**[*]",
        "args.**.*",
        "args.**.@length",
        "args.**.@lower.@text",
        "tool.*",
    ] {
        assert!(Path::parse(text).is_err(), "{text}");
    }
}

#[test]
fn another_spelling_leads_to_the_same_value() {
    let path = |text: &str| Path::parse(text).unwrap();
    for (one, other, same) in [
        ("args.a.b", r#"args["a"].b"#, true),
        (r#"args["a"]["b"]"#, r#"args["\u0061"].b"#, true),
        ("args.a", "identity.a", false),
        ("args.a", "args.a.a", false),
        ("args.a", "args.b", false),
        ("args[0]", r#"args["0"]"#, false),
        ("args[0]", "args[0]", true),
        ("args[0]", "args[1]", false),
        ("tool", "tool", true),
        ("args.a", "args.a.@text", false),
        ("args.a.@text", r#"args["a"].@text"#, true),
        ("args.a.@text", r#"args.a["@text"]"#, false),
    ] {
        assert_eq!(path(one).leads_where(&path(other)), same, "{one} {other}");
        assert_eq!(path(other).leads_where(&path(one)), same, "{other} {one}");
        assert_eq!(path(other).key() == path(one).key(), same, "{other} {one}");
    }
}

#[test]
fn refuses_what_it_cannot_read() {
    for text in [
        "",
        "arg.x",
        "args",
        "identity",
        "state",
        "tool.x",
        "args.",
        "args..a",
        "args.a]",
        "args[",
        "args[-1]",
        "args[01]",
        "args[1",
        "args[*",
        "args[\"a]",
        "args[\"a\"",
        "args['a']",
        "args[99999999999999999999]",
        "args.a b.",
        "Args.x",
        " args.x",
        "args.@text",
        "args.a.@text.@text",
        "args.a.@text.b",
        "args.a.@text[0]",
        "args.a.@Text",
        "args.@id",
        "args.a.@",
        "args.a*.b",
        "identity.@id",
        "tool.@text",
    ] {
        assert!(Path::parse(text).is_err(), "{text}");
    }
    assert!(Path::parse(&format!("args.{}", "a".repeat(PATH_BYTES))).is_err());
    assert!(Path::parse(&format!("args{}", ".a".repeat(PATH_SEGMENTS + 1))).is_err());
}
