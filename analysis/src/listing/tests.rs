use serde_json::json;

use super::*;

fn codes(listings: Listings) -> Vec<(usize, usize, &'static str)> {
    listings.finish().iter().map(|found| (found.server, found.tool, found.code.name())).collect()
}

fn of(names: &[&str]) -> Vec<(usize, usize, &'static str)> {
    let mut listings = Listings::default();
    let tools: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
    listings.add("one", &tools);
    codes(listings)
}

#[test]
fn names_have_the_characters_of_the_protocol() {
    assert_eq!(of(&["get_file", "a", "A.b-c", &"x".repeat(128)]), []);
    for name in ["", "a b", "a/b", "é", "a:b", &"x".repeat(129)] {
        assert_eq!(of(&[name]), [(0, 0, "bad_name")], "{name}");
    }
}

#[test]
fn names_that_look_the_same_are_found_and_others_are_not() {
    for (one, other) in
        [("pay_bill", "pay_biII"), ("read_file", "Read_File"), ("read_file", "read-file"), ("v10", "vlo")]
    {
        assert_eq!(
            of(&[one, "between", other]),
            [(0, 0, "look_alike"), (0, 2, "look_alike")],
            "{one} {other}"
        );
    }
    // Cyrillic `а`, full width, and a character that is not drawn.
    for other in ["\u{440}\u{430}y", "\u{ff50}ay", "pa\u{200b}y"] {
        let found = of(&["pay", other]);
        assert!(
            found.contains(&(0, 0, "look_alike")) && found.contains(&(0, 1, "look_alike")),
            "{other:?} {found:?}"
        );
    }
    assert_eq!(of(&["get_file", "set_file", "get_files", "list", "lists", "getfile"]), []);
}

#[test]
fn one_name_twice_is_found_on_one_server_and_on_two() {
    let mut listings = Listings::default();
    listings.add("one", &[json!({"name": "a"}), json!({"name": "b"}), json!({"name": "a"})]);
    listings.add("two", &[json!({"name": "b"}), json!({"name": "c"})]);
    let findings = listings.finish();
    let texts: Vec<_> = findings.iter().map(|found| (found.server, found.tool, &*found.text)).collect();
    assert_eq!(
        texts,
        [
            (0, 0, "the server lists this name twice"),
            (0, 1, "server `two` has a tool of this name, too"),
            (0, 2, "the server lists this name twice"),
            (1, 0, "server `one` has a tool of this name, too"),
        ]
    );
}

#[test]
fn what_is_not_drawn_is_found_anywhere_in_a_definition() {
    let found = |definition: Value| {
        let mut listings = Listings::default();
        listings.add("one", &[definition]);
        listings
            .finish()
            .into_iter()
            .find(|found| found.code == Code::HiddenCharacters)
            .map(|found| found.place)
    };
    for (text, hides) in [
        ("reads\u{200b} a file", true),
        ("\u{202e}elif a sdaer", true),
        ("\u{e0041}\u{e0042}", true),
        ("a\u{1b}[2J", true),
        ("a\u{ad}b", true),
        ("a\u{200d}b", true),
        ("two\nlines\r\n\tand a\u{a0}blank", false),
        ("careful \u{26a0}\u{fe0f} \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}", false),
        ("Größe, 日本語", false),
    ] {
        let place = found(json!({"name": "a", "description": text}));
        assert_eq!(place.as_deref(), hides.then_some("/description"), "{text:?}");
    }
    let deep = json!({"name": "a", "inputSchema": {"properties": {"x/y": {"enum": ["b", "c\u{200b}"]}}}});
    assert_eq!(found(deep).as_deref(), Some("/inputSchema/properties/x~1y/enum/1"));
    assert_eq!(found(json!({"name": "a\n"})).as_deref(), Some("/name"));
    assert_eq!(found(json!({"name": "a", "x": {"k\u{202e}": 1}})).as_deref(), Some("/x/k\u{202e}"));
}

#[test]
fn many_tools_of_one_name_take_no_time() {
    let tools: Vec<Value> = (0..10_000).map(|_| json!({"name": "a"})).collect();
    let mut listings = Listings::default();
    listings.add("one", &tools);
    assert_eq!(listings.finish().len(), 10_000);
}
