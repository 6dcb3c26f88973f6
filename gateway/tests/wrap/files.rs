//! Files: backups, links, modes, and what others write meanwhile.

use super::{Configuration, dry, enforced, file, fs, text, undo, wrap};
use callgate_gateway::wrap::Backup;

const BEFORE: &str = "{\"mcpServers\": {\"a\": {\"command\": \"x\", \"args\": [\"y\"]}}}\n";

fn backup_of(path: &std::path::Path) -> std::path::PathBuf {
    path.with_file_name("mcp.json.callgate-backup")
}

#[test]
fn a_backup_is_written_once() {
    let path = file("files-once", BEFORE);
    let change = wrap(&path, &dry());
    assert_eq!(change.backup(), Some(&Backup::Made(backup_of(&path))));
    assert_eq!(text(&backup_of(&path)), BEFORE);
    let change = wrap(&path, &enforced());
    assert!(matches!(change.backup(), Some(Backup::Kept(_))));
    assert_eq!(text(&backup_of(&path)), BEFORE);
    let change = undo(&path);
    assert!(matches!(change.backup(), Some(Backup::Restored(_))));
    assert_eq!(text(&path), BEFORE);
    assert!(!backup_of(&path).exists());
}

/// The rest of the file has changed: only callgate is taken out, and the backup stays.
#[test]
fn an_undo_keeps_what_was_written_since() {
    let path = file("files-since", BEFORE);
    wrap(&path, &enforced());
    let edited = text(&path).replace("}\n", ",\n \"theme\": \"dark\"}\n");
    fs::write(&path, edited).unwrap();
    let change = undo(&path);
    assert!(matches!(change.backup(), Some(Backup::Kept(_))));
    let now = BEFORE.replace("}\n", ",\n \"theme\": \"dark\"}\n");
    assert_eq!(text(&path), now);
    assert_eq!(text(&backup_of(&path)), BEFORE);
    // The next one gets a backup of its own, and an exact undo.
    let change = wrap(&path, &enforced());
    let second = path.with_file_name("mcp.json.callgate-backup.2");
    assert_eq!(change.backup(), Some(&Backup::Made(second.clone())));
    assert!(matches!(undo(&path).backup(), Some(Backup::Restored(_))));
    assert_eq!((text(&path), second.exists()), (now, false));
    assert_eq!(text(&backup_of(&path)), BEFORE);
}

#[test]
fn an_undo_needs_no_backup() {
    let path = file("files-none", BEFORE);
    wrap(&path, &enforced());
    fs::remove_file(backup_of(&path)).unwrap();
    assert_eq!(undo(&path).backup(), None);
    assert_eq!(text(&path), BEFORE);
}

/// A backup that is no configuration, or of another file, is not put back.
#[test]
fn an_undo_judges_the_backup() {
    for other in [
        "",
        "{}",
        "{\"mcpServers\": {\"a\": {\"command\": \"evil\", \"args\": [\"y\"]}}}\n",
        "\u{feff}{\"mcpServers\": {\"a\": {\"command\": \"x\", \"args\": [\"y\"]}}}\n",
    ] {
        let path = file("files-judged", BEFORE);
        wrap(&path, &enforced());
        fs::write(backup_of(&path), other).unwrap();
        assert!(matches!(undo(&path).backup(), Some(Backup::Kept(_))), "{other}");
        assert_eq!(text(&path), BEFORE, "{other}");
    }
}

/// What was behind callgate before anything was wrapped here stays so.
#[test]
fn an_undo_gives_back_what_was_wrapped_by_hand() {
    let before = "{\"mcpServers\": {\"h\": {\"command\": \"callgate\", \"args\": [\"proxy\", \"-p\", \"h.yaml\", \"--\", \"h\"]}, \"a\": {\"command\": \"x\"}}}";
    let path = file("files-hand", before);
    wrap(&path, &enforced());
    // A backup that starts something else is not taken for it.
    let backup = fs::read_to_string(backup_of(&path)).unwrap();
    fs::write(backup_of(&path), backup.replace("\"h\"]", "\"evil\"]")).unwrap();
    let change = Configuration::read(&path).unwrap().undo(super::PROGRAM, &[]).unwrap();
    assert!(matches!(change.backup(), Some(Backup::Kept(_))));
    fs::write(backup_of(&path), backup).unwrap();
    let change = undo(&path);
    assert_eq!(
        super::states(&change),
        [("h", super::ServerState::Kept), ("a", super::ServerState::Unwrapped)]
    );
    assert_eq!(change.servers().first().unwrap().policies, ["h.yaml"]);
    assert_eq!(text(&path), before);
}

/// Another program has written the file since it was read.
#[test]
fn nothing_is_written_over_what_others_wrote() {
    let path = file("files-race", BEFORE);
    let change = Configuration::read(&path).unwrap().wrap(&enforced()).unwrap();
    fs::write(&path, "{}").unwrap();
    let refused = change.write().unwrap_err().to_string();
    assert!(refused.ends_with("another program has changed it meanwhile: run this again"), "{refused}");
    assert_eq!(text(&path), "{}");
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    // A backup that somebody made meanwhile, too.
    fs::write(&path, BEFORE).unwrap();
    let change = Configuration::read(&path).unwrap().wrap(&enforced()).unwrap();
    fs::write(backup_of(&path), "theirs").unwrap();
    assert!(change.write().is_err());
    assert_eq!((text(&path), text(&backup_of(&path))), (BEFORE.to_owned(), "theirs".to_owned()));
}

#[cfg(unix)]
#[test]
fn links_and_modes_are_kept() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let real = file("files-link", BEFORE);
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    let elsewhere = super::folder("files-link-elsewhere");
    let link = elsewhere.join("link.json");
    symlink(&real, &link).unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    wrap(&link, &enforced());
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(text(&real).contains("/opt/bin/callgate"));
    // The old bytes are beside the file itself, and as private.
    assert_eq!((mode(&real), mode(&backup_of(&real))), (0o640, 0o640));
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 1);
    undo(&link);
    assert_eq!((text(&real), mode(&real)), (BEFORE.to_owned(), 0o640));
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
}

/// Somebody else's file stays theirs. Only the superuser can try.
#[cfg(unix)]
#[test]
fn the_owner_is_kept() {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let path = file("files-owner", BEFORE);
    let (user, group) = (12_345, 23_456);
    if chown(&path, Some(user), Some(group)).is_err() {
        return;
    }
    wrap(&path, &enforced());
    for path in [&path, &backup_of(&path)] {
        let found = fs::metadata(path).unwrap();
        assert_eq!((found.uid(), found.gid()), (user, group));
    }
}
