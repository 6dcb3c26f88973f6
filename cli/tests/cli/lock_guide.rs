//! The page about locks as a reader follows it: `docs/guide/lock.md`.

use std::path::Path;
use std::process::Command;

use crate::fs;

const GUIDE: &str = include_str!("../../../docs/guide/lock.md");

/// The blocks of a language that this file runs.
fn blocks(language: &str) -> Vec<&'static str> {
    let start = format!("<!-- run by cli/tests/cli/lock_guide.rs -->\n```{language}\n");
    GUIDE.split(&*start).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn commands_print_what_the_guide_shows() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lock-guide");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let (lists, commands) = (blocks("json"), blocks("console"));
    assert_eq!((lists.len(), commands.len()), (2, 3));
    // In order: each works on what the one before it left.
    for (list, block) in [lists[0], lists[1], lists[1]].into_iter().zip(commands) {
        fs::write(folder.join("tools.json"), list).unwrap();
        let (command, expected) = block.strip_prefix("$ ").unwrap().split_once('\n').unwrap();
        let run = Command::new("sh")
            .args(["-c", &format!("callgate() {{ \"$CALLGATE\" \"$@\"; }}; exec 2>&1; {command}")])
            .env("CALLGATE", env!("CARGO_BIN_EXE_callgate"))
            .current_dir(&folder)
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(run.stdout).unwrap(), expected, "{command}");
    }
}
