//! What is not wrapped, and what is said of it.

use super::{Configuration, enforced, error, file, folder, fs, text};

#[test]
fn errors_name_their_place() {
    for (text, expected) in [
        ("", "1:1: no JSON: it is empty"),
        ("// nothing\n", "1:1: no JSON: it is empty"),
        ("[]", "1:1: a configuration is an object"),
        ("{\"mcpServers\": {\"a\": {\"command\": \"x\"}}", "1:1: no JSON: unterminated object"),
        ("{\n  mcpServers: {}}", "2:3: no JSON: expected string for object property"),
        ("{\"mcpServers\": {'a': {}}}", "1:17: no JSON: single-quoted strings are not allowed"),
        ("{\"a\": 1 \"mcpServers\": {}}", "1:8: no JSON: expected comma"),
        ("{} {}", "1:4: no JSON: text cannot contain more than one JSON value"),
        ("{\"a\": 1}", " it has no MCP servers: they stand in `mcpServers`, or in `servers` for VS Code"),
        (
            "{\"mcpServers\": {}}",
            " it has no MCP servers: they stand in `mcpServers`, or in `servers` for VS Code",
        ),
        ("{\"mcpServers\": []}", "1:16: servers are an object"),
        ("{\"servers\": {\"\": {\"command\": \"x\"}}}", "1:14: server ``: a server has a name"),
        ("{\"servers\": null}", "1:13: servers are an object"),
        ("{\"mcpServers\": {\"a\": 1}}", "1:22: server `a`: a server is an object"),
        (
            "{\"mcpServers\": {\"é\": {\"command\": 1}}}",
            "1:34: server `é`: a `command` is a string that is not empty",
        ),
        (
            "{\"mcpServers\": {\"a\": {\"command\": \"\"}}}",
            "1:34: server `a`: a `command` is a string that is not empty",
        ),
        (
            "{\"mcpServers\": {\"a\": {\"command\": \"x\", \"args\": \"y\"}}}",
            "1:47: server `a`: `args` is a list",
        ),
        (
            "{\"mcpServers\": {\"a\": {\"command\": \"x\", \"args\": [\"y\", 1]}}}",
            "1:53: server `a`: an argument is a string",
        ),
        (
            "{\"mcpServers\": {\"a\": {\"command\": \"x\", \"url\": \"https://example.org\"}}}",
            "1:39: server `a`: it has a `command` and a `url`: which one a client takes is not known",
        ),
        (
            "{\"mcpServers\": {\"a\": {\"type\": \"http\", \"command\": \"x\"}}}",
            "1:31: server `a`: it has a `command`, and its `type` is not `stdio`",
        ),
    ] {
        assert_eq!(error("refused-places", text), expected, "{text}");
    }
}

/// Two readers would take two servers.
#[test]
fn names_that_occur_twice_are_refused() {
    for (text, expected) in [
        (
            "{\"mcpServers\": {}, \"mcpServers\": {\"a\": {\"command\": \"x\"}}}",
            "1:20: `mcpServers` occurs twice",
        ),
        ("{\"mcpServers\": {\"a\": {\"command\": \"x\"},\n\"\\u0061\": {}}}", "2:1: `a` occurs twice"),
        (
            "{\"mcpServers\": {\"a\": {\"command\": \"x\", \"command\": \"y\"}}}",
            "1:39: server `a`: `command` occurs twice",
        ),
        (
            "{\"mcpServers\": {\"a\": {\"command\": \"x\", \"args\": [], \"args\": [\"y\"]}}}",
            "1:51: server `a`: `args` occurs twice",
        ),
        ("{\"projects\": {\"/a\": {}, \"/a\": {}}}", "1:25: `/a` occurs twice"),
        (
            "{\"projects\": {\"/a\": {\"mcpServers\": {}, \"mcpServers\": {}}}}",
            "1:40: `mcpServers` occurs twice",
        ),
    ] {
        assert_eq!(error("refused-twice", text), expected, "{text}");
    }
    // What decides nothing may.
    let path = file(
        "refused-not",
        "{\"a\": 1, \"a\": 2, \"mcpServers\": {\"a\": {\"command\": \"x\", \"x\": 1, \"x\": 2}}}",
    );
    assert!(Configuration::read(&path).unwrap().wrap(&enforced()).is_ok());
}

/// A server that is not chosen does not stand in the way.
#[test]
fn only_a_chosen_server_must_be_sound() {
    let path =
        file("refused-chosen", "{\"mcpServers\": {\"a\": {\"command\": \"x\"}, \"b\": {\"command\": 1}}}");
    let read = Configuration::read(&path).unwrap();
    assert!(read.wrap(&enforced().servers(["a"])).is_ok());
    assert!(read.wrap(&enforced()).is_err());
    let unknown = read.wrap(&enforced().servers(["a", "c"])).unwrap_err().to_string();
    assert!(unknown.ends_with("mcp.json: there is no server `c`; there are: a, b"), "{unknown}");
    assert!(read.undo(super::PROGRAM, &["c".to_owned()]).is_err());
}

#[test]
fn hostile_texts_are_errors() {
    let nested = format!("{{\"mcpServers\": {}", "[".repeat(100_000));
    assert!(error("refused-nested", nested).contains("no JSON: maximum nesting depth exceeded"));
    assert_eq!(error("refused-utf16", b"\xff\xfe{\0}\0"), " it is not UTF-8 text");
    let folder = folder("refused-folder");
    let read = |path: &std::path::Path| Configuration::read(path).unwrap_err().to_string();
    assert!(read(&folder).ends_with("refused-folder: it is not a regular file"));
    assert!(read(&folder.join("none.json")).contains("none.json: cannot be read: No such file"));
}

#[test]
fn a_read_only_file_stays() {
    let path = file("refused-read-only", "{\"mcpServers\": {\"a\": {\"command\": \"x\"}}}");
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).unwrap();
    let before = text(&path);
    let change = Configuration::read(&path).unwrap().wrap(&enforced()).unwrap();
    let refused = change.write().unwrap_err().to_string();
    assert!(refused.ends_with("mcp.json: it is read-only"), "{refused}");
    assert_eq!(text(&path), before);
    // Nor is anything left beside it.
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}
