//! In: the sources' own record of their commit: what `cargo package` writes, else git. Out: `CALLGATE_COMMIT`, for `--version`;
//! `unknown` where there is neither. Must not fail a build, and must not run again but when a commit is made or checked out.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let commit = packaged().or_else(checked_out).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=CALLGATE_COMMIT={commit}");
}

/// The commit that a package was made of. A package that lies in another project's git is asked before that.
fn packaged() -> Option<String> {
    let file = Path::new(".cargo_vcs_info.json");
    let text = std::fs::read_to_string(file).ok()?;
    println!("cargo::rerun-if-changed={}", file.display());
    let (_, after) = text.split_once("\"sha1\"")?;
    short(after.split('"').nth(1)?)
}

/// The commit that is checked out here, if this is callgate's own repository.
fn checked_out() -> Option<String> {
    if !Path::new("../spec/language.md").exists() {
        return None;
    }
    let folder = git(&["rev-parse", "--absolute-git-dir"])?;
    // `logs/HEAD` has a line more after each commit and each checkout; `HEAD` names a branch, which moves.
    for file in ["HEAD", "logs/HEAD"] {
        let file = Path::new(&folder).join(file);
        // What does not exist would make this run each time.
        if file.exists() {
            println!("cargo::rerun-if-changed={}", file.display());
        }
    }
    short(&git(&["rev-parse", "HEAD"])?)
}

fn git(args: &[&str]) -> Option<String> {
    let run = Command::new("git").args(args).output().ok()?;
    run.status.success().then(|| String::from_utf8_lossy(&run.stdout).trim().to_owned())
}

/// The twelve digits that name a commit to a reader.
fn short(commit: &str) -> Option<String> {
    commit.get(..12).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit())).map(str::to_owned)
}
