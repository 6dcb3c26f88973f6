use super::*;

const TOOL: &str =
    r#"{"name":"read","description":"Reads.","inputSchema":{"type":"object","maxProperties":2}}"#;

fn read(text: &str) -> Definition {
    Definition::read(text).unwrap()
}

fn lock() -> Lock {
    let mut lock = Lock::new();
    for (server, tool) in [("b", TOOL), ("a", r#"{"name":"w\u202e"}"#), ("a", r#"{"name":"r","title":""}"#)] {
        let origin = Origin { protocol: "2025-11-25".to_owned(), date: "2026-02-28".to_owned() };
        lock.put_server(server, origin).unwrap();
        let entry = Entry { class: "Read".to_owned(), severity: "low".to_owned(), definition: read(tool) };
        lock.put(server, entry).unwrap();
    }
    lock
}

#[test]
fn what_is_written_is_read_and_in_order() {
    let text = lock().to_string();
    assert_eq!(Lock::parse(&text).unwrap(), lock());
    let places: Vec<_> = [r#""name":"r""#, r#""name":"w\u202e""#, r#""name":"read""#]
        .map(|name| text.lines().position(|line| line.contains(name)).unwrap())
        .into();
    assert!(places.is_sorted(), "{text}");
    assert!(!text.contains('\u{202e}'), "{text}");
    let names = |server| lock().tools(server).map(|it| it.definition.name().to_owned()).collect::<Vec<_>>();
    assert_eq!(
        (names("a"), names("b"), names("c")),
        (vec!["r".into(), "w\u{202e}".into()], vec!["read".into()], vec![])
    );
    assert_eq!(Lock::parse(&Lock::new().to_string()).unwrap(), Lock::new());
}

#[test]
fn only_what_a_definition_means_counts() {
    let same = r#" { "inputSchema" : {"maxProperties": 20e-1, "type": "\u006fbject"}, "description": "Reads.", "name": "read" } "#;
    assert_eq!(read(TOOL), read(same));
    for (from, to, field) in [
        ("Reads.", "Reads. ", Field::Description),
        (":2", ":3", Field::InputSchema),
        ("\"description\"", "\"Description\"", Field::Description),
        ("\"description\"", "\"Description\"", Field::Other),
        ("\"description\"", "\"title\"", Field::Title),
        ("\"Reads.\"", "null", Field::Description),
        ("{\"name\"", "{\"annotations\":{},\"name\"", Field::Annotations),
        ("{\"name\"", "{\"outputSchema\":{},\"name\"", Field::OutputSchema),
        ("{\"name\"", "{\"_meta\":null,\"name\"", Field::Other),
    ] {
        let other = read(&TOOL.replace(from, to));
        assert_ne!(other.digest(), read(TOOL).digest(), "{to}");
        assert_ne!(other.field(field), read(TOOL).field(field), "{to}");
        assert!(!other.is_alike(&read(TOOL)), "{to}");
    }
    let renamed = read(&TOOL.replace("\"read\"", "\"read2\""));
    assert_ne!(renamed.digest(), read(TOOL).digest());
    assert!(renamed.is_alike(&read(TOOL)));
}

#[test]
fn what_reads_in_two_ways_is_no_definition() {
    for (text, why) in [
        (r#"{"name":"a","name":"b"}"#, "duplicate key at byte"),
        (r#"{"name":"a","inputSchema":{"x":1,"\u0078":2}}"#, "duplicate key at byte"),
        (r#"{"name":"\ud800"}"#, "surrogate"),
        (r#"["a"]"#, "an object"),
        (r#"{"title":"a"}"#, "a name, a string"),
        (r#"{"name":1}"#, "a name, a string"),
        ("", "the text ends"),
    ] {
        let error = Definition::read(text).unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
    let long = format!(r#"{{"name":"a","x":[{}0]}}"#, "1e300,".repeat(20_000));
    assert_eq!(Definition::read(&long), Err(DefinitionError::TooLong));
}

#[test]
fn a_lock_that_is_not_understood_says_where() {
    let text = lock().to_string();
    let line = |what: &str| text.lines().position(|line| line.contains(what)).unwrap() + 1;
    let read_line = text.lines().find(|line| line.contains("\"read\"")).unwrap();
    let twice = format!("{read_line},\n{read_line}");
    let digest = read(TOOL).digest().to_string();
    let cases: Vec<(String, usize, &str)> = vec![
        (text.replace("\"version\":\"1\"", "\"version\":\"2\""), 2, "version `2` of a lock is not known"),
        (text.replace("\"version\":\"1\"", "\"version\":1"), 2, "`version` is missing, or no string"),
        (text.replace("\"version\":\"1\",\n", ""), 1, "`version` is missing"),
        (text.replace("{\n\"version\"", "{\n\"more\":1,\"version\""), 2, "a lock has no member `more`"),
        (text.replacen("\"complete\":true", "\"complete\":false", 1), line("complete"), "not all pages"),
        (text.replacen("2026-02-28", "2026-02-29", 1), line("2026-02-28"), "the date"),
        (text.replace(read_line, &twice), line("\"read\"") + 1, "tool `read` stands twice"),
        (
            text.replace("{\"name\":\"b\"", "{\"name\":\"a\""),
            line("{\"name\":\"b\""),
            "server `a` stands twice",
        ),
        (text.replace("\"server\":\"b\"", "\"server\":\"c\""), line("\"read\""), "server `c` is not among"),
        (text.replace(&digest, &digest.to_uppercase()), line("\"read\""), "64 lowercase"),
        (text.replace(&digest, &digest[..70]), line("\"read\""), "64 lowercase"),
        (
            text.replace(&digest, &read(r#"{"name":"x"}"#).digest().to_string()),
            line("\"read\""),
            "another digest than",
        ),
        (text.replace("Reads.", "Writes."), line("\"read\""), "another digest than"),
        (
            text.replace("\"fields\":{\"description\":", "\"fields\":{\"title\":"),
            line("\"read\""),
            "another digest of `description`",
        ),
        (
            text.replace("\"name\":\"read\",\"class\"", "\"name\":\"rad\",\"class\""),
            line("\"read\""),
            "has the name `read`",
        ),
        (
            text.replace("\"maxProperties\":2", "\"maxProperties\":2,\"type\":1"),
            line("\"read\""),
            "duplicate key",
        ),
        (
            text.replace("\"severity\":\"low\",", ""),
            line("{\"server\":\"a\",\"name\":\"r\""),
            "`severity` is missing",
        ),
        (text.clone(), 0, ""),
        (text[..text.len() - 4].to_owned(), text.lines().count() - 1, "the text ends"),
        ("[]".to_owned(), 1, "a lock is an object"),
    ];
    for (text, line, why) in cases {
        match (Lock::parse(&text), why) {
            (Ok(_), "") => {}
            (Err(error), why) => {
                assert!(!why.is_empty() && error.to_string().contains(why), "{why}: {error}");
                assert_eq!(error.line(), line, "{error}");
            }
            (Ok(_), why) => panic!("{why}: {text}"),
        }
    }
}

#[test]
fn a_guard_gets_the_pins_of_its_server() {
    let lock = lock();
    let b = lock.pins(Some("b")).unwrap();
    assert!(b.has("read") && !b.has("r"));
    assert!(b.admits(TOOL) && !b.admits(r#"{"name":"r","title":""}"#) && !b.admits("{}"));
    assert!(lock.pins(Some("c")).unwrap_err().to_string().contains("no server `c`"));
    assert!(lock.pins(None).unwrap_err().to_string().contains("name one of `a`, `b`"));
    assert!(Lock::new().pins(None).unwrap_err().to_string().contains("no server"));
    let mut one = Lock::new();
    one.put_server("x", Origin { protocol: String::new(), date: "2026-11-30".to_owned() }).unwrap();
    assert!(!one.pins(None).unwrap().has("read"));
    let entry = Entry { class: String::new(), severity: String::new(), definition: read(TOOL) };
    assert!(one.put("y", entry).is_err());
    assert!(one.put_server("y", Origin::default()).is_err());
}
