//! Single entries: which are recognised, and what changes in one that is wrapped already.

use super::{Configuration, ServerState::*, dry, enforced, file, fs, states, text, undo, wrap};

fn one(entry: &str) -> String {
    format!("{{\"mcpServers\": {{\"files\": {entry}}}}}")
}

/// What becomes of one entry.
fn becomes(folder: &str, entry: &str, wrapping: &super::Wrapping) -> String {
    let path = file(folder, one(entry));
    wrap(&path, wrapping);
    let text = text(&path);
    text.strip_prefix("{\"mcpServers\": {\"files\": ").unwrap().strip_suffix("}}").unwrap().to_owned()
}

#[test]
fn a_policy_is_added_and_changed_in_place() {
    let path = file("entries-policy", one(r#"{"command": "npx", "args": ["-y", "files"]}"#));
    let before = text(&path);
    wrap(&path, &dry());
    let started = |policy: &str| {
        format!(
            r#"{{"command": "/opt/bin/callgate", "args": ["proxy", "--name", "files", {policy}"--", "npx", "-y", "files"]}}"#
        )
    };
    assert_eq!(text(&path), one(&started("")));
    let change = wrap(&path, &enforced());
    assert_eq!(states(&change), [("files", Changed)]);
    assert_eq!(text(&path), one(&started(r#""-p", "/etc/callgate/policy.yaml", "#)));
    wrap(&path, &dry().policy("/etc/other.yaml"));
    assert_eq!(text(&path), one(&started(r#""-p", "/etc/other.yaml", "#)));
    // No policy asked for takes none away: that would stop enforcing it.
    let change = wrap(&path, &dry());
    assert_eq!(states(&change), [("files", Kept)]);
    assert_eq!(change.servers()[0].policies, ["/etc/other.yaml"]);
    undo(&path);
    assert_eq!(text(&path), before);
}

#[test]
fn what_a_user_added_is_kept() {
    for (before, after) in [
        // Another name, another program, flags in between, a policy spelt otherwise.
        (
            r#"{"command": "callgate", "args": ["proxy", "--store", "memory", "-c", "a.yaml", "--name", "old", "--", "npx", "--", "-p"]}"#,
            r#"{"command": "/opt/bin/callgate", "args": ["proxy", "--store", "memory", "-c", "/etc/callgate/policy.yaml", "--name", "files", "--", "npx", "--", "-p"]}"#,
        ),
        (
            r#"{"command": "C:\\bin\\Callgate.EXE", "args": ["proxy", "--policy=a.yaml", "--", "npx"]}"#,
            r#"{"command": "/opt/bin/callgate", "args": ["proxy", "--name", "files", "--policy=/etc/callgate/policy.yaml", "--", "npx"]}"#,
        ),
        (
            r#"{"command": "/opt/bin/callgate", "args": ["proxy",/* a */"--name" , "files", /* b */ "-pa.yaml", "--", "npx",]}"#,
            r#"{"command": "/opt/bin/callgate", "args": ["proxy",/* a */"--name" , "files", /* b */ "-p/etc/callgate/policy.yaml", "--", "npx",]}"#,
        ),
        // The same words in other escapes.
        (
            r#"{"command": "\/opt\/bin\/callgate", "args": ["proxy", "--name", "f\u0069les", "-p", "/etc/callgate/policy.yaml", "--", "npx"]}"#,
            r#"{"command": "\/opt\/bin\/callgate", "args": ["proxy", "--name", "f\u0069les", "-p", "/etc/callgate/policy.yaml", "--", "npx"]}"#,
        ),
    ] {
        assert_eq!(becomes("entries-added", before, &enforced()), after);
    }
}

/// A program of another name is callgate where it is said to be; other programs have a `proxy` with these flags, too.
#[test]
fn callgate_by_another_name_is_said() {
    let before =
        r#"{"mcpServers": {"-a": {"command": "x", "args": ["y"]}, "b": {"command": "x", "args": ["y"]}}}"#;
    let path = file("entries-name", before);
    let gate = || super::Wrapping::new("gate");
    wrap(&path, &gate());
    assert!(wrap(&path, &gate()).is_empty());
    assert_eq!(states(&undo(&path)), [("-a", Bare), ("b", Bare)]);
    let change = Configuration::read(&path).unwrap().undo("gate", &[]).unwrap();
    change.write().unwrap();
    assert_eq!(states(&change), [("-a", Unwrapped), ("b", Unwrapped)]);
    assert_eq!(text(&path), before);
    let other = r#"{"command": "other", "args": ["proxy", "--name", "files", "--", "npx"]}"#;
    assert_eq!(
        becomes("entries-name-other", other, &gate()),
        r#"{"command": "gate", "args": ["proxy", "--name", "files", "--", "other", "proxy", "--name", "files", "--", "npx"]}"#
    );
}

/// Without a backup, comments that stand in a list stay, whatever else goes.
#[test]
fn comments_stay_in_lists_that_become_empty() {
    for (wrapped, expected) in [
        (r#"["proxy", "--", "npx"]"#, "[]"),
        (r#"[ "proxy", "--", "npx", ]"#, "[]"),
        ("[ // one\n\"proxy\", \"--\", \"npx\"]", "[ // one\n]"),
        ("[\"proxy\", \"--\", \"npx\" /* two */]", "[ /* two */]"),
        ("[\"proxy\", \"--\", \"npx\", /* two */ ]", "[ /* two */ ]"),
        ("[\"proxy\", \"--\", \"npx\", /* two */ \"-y\"]", "[/* two */ \"-y\"]"),
    ] {
        let entry =
            |command: &str, args: &str| one(&format!("{{\"command\": \"{command}\", \"args\": {args}}}"));
        let path = file("entries-comments", entry("callgate", wrapped));
        undo(&path);
        assert_eq!(text(&path), entry("npx", expected));
    }
}

/// The lists of a file say how a new one is written: tall ones with one level more than the entry has.
#[test]
fn new_lists_are_indented_as_the_file_is() {
    let before = "{\n /* a\n    comment */\n \"mcpServers\": {\n    \"a\": {\n       \"command\": \"x\",\n       \"args\": [\n          \"y\"\n       ]\n    },\n    \"b\": {\n       \"command\": \"z\"\n    }\n }\n}\n";
    let path = file("entries-indent", before);
    wrap(&path, &dry());
    let list = "\"command\": \"/opt/bin/callgate\",\n       \"args\": [\n          \"proxy\",\n          \"--name\",\n          \"b\",\n          \"--\",\n          \"z\"\n       ]\n    }\n";
    assert!(text(&path).contains(list), "{}", text(&path));
}

/// Somebody else's `proxy` is a server like any other.
#[test]
fn only_callgate_is_taken_for_callgate() {
    let path = file("entries-other", one(r#"{"command": "mcp", "args": ["proxy", "--", "npx"]}"#));
    assert_eq!(states(&wrap(&path, &dry())), [("files", Wrapped)]);
    assert!(text(&path).contains(r#"["proxy", "--name", "files", "--", "mcp", "proxy", "--", "npx"]"#));
    let bare = one(r#"{"command": "callgate", "args": ["serve"]}"#);
    assert_eq!(states(&wrap(&file("entries-serve", bare), &dry())), [("files", Wrapped)]);
    // A bridge to a URL has no command of its own.
    let bridge =
        one(r#"{"command": "callgate", "args": ["proxy", "--upstream", "https://example.org/mcp"]}"#);
    let path = file("entries-bridge", &bridge);
    let change = wrap(&path, &enforced());
    assert_eq!((states(&change), text(&path)), (vec![("files", Guarded)], bridge));
}

#[test]
fn words_are_written_as_the_file_writes_them() {
    for (before, after) in [
        (
            r#"{"command":"npx","args":["-y"]}"#,
            r#"{"command":"/opt/bin/callgate","args":["proxy","--name","files","--","npx","-y"]}"#,
        ),
        (
            r#"{"command":"npx","args":[],"env":{}}"#,
            r#"{"command":"/opt/bin/callgate","args":["proxy","--name","files","--","npx"],"env":{}}"#,
        ),
        (
            r#"{"command":"npx"}"#,
            r#"{"command":"/opt/bin/callgate","args":["proxy","--name","files","--","npx"]}"#,
        ),
        (
            r#"{"args" : [ "a" ,  "b" ], "command" : "npx" }"#,
            r#"{"args" : [ "proxy" ,  "--name" ,  "files" ,  "--" ,  "npx" ,  "a" ,  "b" ], "command" : "/opt/bin/callgate" }"#,
        ),
        // A word that moves keeps its escapes; a name is written anew.
        (
            r#"{"command": "\u006epx \u00e9 \ud83d\ude00", "args": ["\/"]}"#,
            r#"{"command": "/opt/bin/callgate", "args": ["proxy", "--name", "files", "--", "\u006epx \u00e9 \ud83d\ude00", "\/"]}"#,
        ),
        (
            "{\"command\": \"npx\", \"args\": [ // none\n]}",
            "{\"command\": \"/opt/bin/callgate\", \"args\": [\"proxy\", \"--name\", \"files\", \"--\", \"npx\" // none\n]}",
        ),
    ] {
        assert_eq!(becomes("entries-style", before, &dry()), after);
        let path = file("entries-style-undo", one(before));
        wrap(&path, &dry());
        undo(&path);
        assert_eq!(text(&path), one(before));
    }
}

/// A name that looks like a flag is not taken for one.
#[test]
fn names_are_the_keys_of_the_file() {
    let before = r#"{"mcpServers": {"--": {"command": "a", "args": ["x"]}, "-p": {"command": "b", "args": ["x"]}, " ": {"command": "c", "args": ["x"]}, "\n\"": {"command": "d", "args": ["x"]}}}"#;
    let path = file("entries-names", before);
    wrap(&path, &enforced());
    for front in [
        r#"["proxy", "--name=--", "-p", "/etc/callgate/policy.yaml", "--", "a", "x"]"#,
        r#"["proxy", "--name=-p", "-p", "/etc/callgate/policy.yaml", "--", "b", "x"]"#,
        r#"["proxy", "--name", " ", "-p", "/etc/callgate/policy.yaml", "--", "c", "x"]"#,
        r#"["proxy", "--name", "\n\"", "-p", "/etc/callgate/policy.yaml", "--", "d", "x"]"#,
    ] {
        assert!(text(&path).contains(front), "{}", text(&path));
    }
    assert!(wrap(&path, &enforced()).is_empty());
    undo(&path);
    assert_eq!(text(&path), before);
}

#[test]
fn only_the_servers_that_are_named() {
    let before = r#"{"mcpServers": {"a": {"command": "a"}, "b": {"command": "b"}, "c": {"url": "https://example.org"}}}"#;
    let path = file("entries-some", before);
    let change = wrap(&path, &dry().servers(["b"]));
    assert_eq!(states(&change), [("b", Wrapped)]);
    assert!(text(&path).contains(r#""a": {"command": "a"}"#));
    wrap(&path, &enforced().servers(["a"]));
    // One of two: the file is not what it was before, so no backup is put back.
    let change = Configuration::read(&path).unwrap().undo(super::PROGRAM, &["a".to_owned()]).unwrap();
    change.write().unwrap();
    assert_eq!(states(&change), [("a", Unwrapped)]);
    assert!(fs::read_to_string(&path).unwrap().contains(r#""command": "a", "args": []"#));
    undo(&path);
    assert_eq!(
        text(&path),
        r#"{"mcpServers": {"a": {"command": "a", "args": []}, "b": {"command": "b", "args": []}, "c": {"url": "https://example.org"}}}"#
    );
}

/// Several policies are a stack; they take the place of all that were there, and stay where the first was.
#[test]
fn policies_of_a_stack_are_written_in_order_and_replaced_together() {
    let stack = |policies: &[&str]| policies.iter().fold(dry(), |wrapping, policy| wrapping.policy(*policy));
    for (before, policies, after) in [
        (
            r#"{"command": "npx", "args": ["-y"]}"#,
            &["/base.yaml", "/team.yaml"][..],
            r#"{"command": "/opt/bin/callgate", "args": ["proxy", "--name", "files", "-p", "/base.yaml", "-p", "/team.yaml", "--", "npx", "-y"]}"#,
        ),
        (
            r#"{"command": "callgate", "args": ["proxy", "--name", "files", "--policy=a.yaml", "--no-watch", "-c", "b.yaml", "--", "npx"]}"#,
            &["/base.yaml", "/team.yaml"],
            r#"{"command": "/opt/bin/callgate", "args": ["proxy", "--name", "files", "-p", "/base.yaml", "-p", "/team.yaml", "--no-watch", "--", "npx"]}"#,
        ),
        (
            r#"{"command": "callgate", "args": ["proxy", "--name", "files", "-p", "/base.yaml", "-p", "/team.yaml", "--", "npx"]}"#,
            &["/base.yaml"],
            r#"{"command": "/opt/bin/callgate", "args": ["proxy", "--name", "files", "-p", "/base.yaml", "--", "npx"]}"#,
        ),
        (
            r#"{"command": "/opt/bin/callgate", "args": ["proxy", "--name", "files", "-pa.yaml", "-pb.yaml", "--", "npx"]}"#,
            &[],
            r#"{"command": "/opt/bin/callgate", "args": ["proxy", "--name", "files", "-pa.yaml", "-pb.yaml", "--", "npx"]}"#,
        ),
    ] {
        assert_eq!(becomes("entries-stack", before, &stack(policies)), after);
    }
}
