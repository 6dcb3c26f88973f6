//! Configurations as each client has them, and what they become.

use super::{ServerState::*, enforced, file, fs, states, text, undo, wrap};

const CLIENTS: [(&str, &str, &str); 5] = [
    (
        "claude-code-project",
        include_str!("clients/claude-code.mcp.json"),
        include_str!("clients/claude-code.mcp.wrapped.json"),
    ),
    (
        "claude-code-own",
        include_str!("clients/claude-code.own.json"),
        include_str!("clients/claude-code.own.wrapped.json"),
    ),
    (
        "claude-desktop",
        include_str!("clients/claude-desktop.json"),
        include_str!("clients/claude-desktop.wrapped.json"),
    ),
    ("cursor", include_str!("clients/cursor.json"), include_str!("clients/cursor.wrapped.json")),
    ("vscode", include_str!("clients/vscode.json"), include_str!("clients/vscode.wrapped.json")),
];

/// As it is, with the line ends of Windows, and with a byte order mark.
fn forms(text: &str) -> [String; 3] {
    let windows = text.replace('\n', "\r\n");
    let marked = format!("\u{feff}{windows}");
    [text.to_owned(), windows, marked]
}

#[test]
fn each_client_is_wrapped_and_undone() {
    for (client, before, after) in CLIENTS {
        for (before, after) in forms(before).iter().zip(forms(after)) {
            let path = file(client, before);
            wrap(&path, &enforced());
            assert_eq!(text(&path), after, "{client}");
            // Twice is the same as once.
            let again = wrap(&path, &enforced());
            assert!(again.is_empty() && again.backup().is_none(), "{client}");
            assert_eq!(text(&path), after, "{client}");
            undo(&path);
            assert_eq!(&text(&path), before, "{client}");
            // The backup has done its duty.
            assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "{client}");
            assert!(undo(&path).is_empty(), "{client}");
        }
    }
}

#[test]
fn every_server_is_told_of() {
    let told = |index: usize| {
        let (client, before, _) = CLIENTS[index];
        let path = file(&format!("{client}-told"), before);
        wrap(&path, &enforced())
    };
    let project = told(0);
    assert_eq!(states(&project), [("github", Wrapped), ("notes", Wrapped), ("sentry", Remote)]);
    let policies = project
        .servers()
        .iter()
        .map(|server| server.policies.first().map(String::as_str))
        .collect::<Vec<_>>();
    assert_eq!(policies, [Some(super::POLICY), Some(super::POLICY), None]);
    let own = told(1);
    let places =
        own.servers().iter().map(|server| (server.project.as_deref(), server.line)).collect::<Vec<_>>();
    assert_eq!(places, [(None, 7), (Some("/home/ann/shop"), 21)]);
    assert_eq!(states(&told(4)), [("fetch", Wrapped), ("git", Wrapped), ("issues", Remote)]);
}
