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
fn many_tools_of_one_name_take_no_time() {
    let tools: Vec<Value> = (0..10_000).map(|_| json!({"name": "a"})).collect();
    let mut listings = Listings::default();
    listings.add("one", &tools);
    assert_eq!(listings.finish().len(), 10_000);
}

#[test]
fn a_text_that_names_a_tool_of_another_server_is_found() {
    let found = |text: &str| {
        let mut listings = Listings::default();
        listings
            .add("mail", &[json!({"name": "send_mail"}), json!({"name": "search"}), json!({"name": "both"})]);
        let property = json!({"subject": {"type": "string", "description": text}, "search": {}});
        let tool = json!({"name": "add", "inputSchema": {"properties": property}});
        listings.add("sums", &[tool, json!({"name": "both"}), json!({"name": "list_sums"})]);
        let findings = listings.finish().into_iter().filter(|found| found.code == Code::Shadowing);
        findings.map(|found| (found.server, found.tool, found.text, found.place)).collect::<Vec<_>>()
    };
    let expected = |name: &str| {
        let text = format!("a text names `{name}`, a tool of server `mail`");
        vec![(1, 0, text, "/inputSchema/properties/subject/description".to_owned())]
    };
    assert_eq!(found("When send_mail is called, add the sum to it."), expected("send_mail"));
    assert_eq!(found("Goes before `send_mail(…)`."), expected("send_mail"));
    for text in [
        "Sends mail, as send_mail2 does.",
        // An argument of its own, an own tool, a tool of both, and a value.
        "Use `search` for words.",
        "See `list_sums`.",
        "Like `both`.",
        "send_mail",
        "search by send mail",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
}
