//! `callgate init`: the files of a server of the catalogue, in a directory.
//!
//! In: a server and a profile. Out: its policy, tests, lock and overrides as files, and what to do next. Must not replace a file without being told to.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use callgate_analysis::recommend::Profile;
use callgate_catalogue::Server;

use super::catalogue::{file, find};
use super::output;
use crate::args::InitArgs;
use crate::failure::{Failure, Outcome, answered};
use crate::place::{check, place, writing};
use crate::terminal::shown;

pub(crate) fn run(args: &InitArgs) -> Outcome {
    let server = find(&args.server)?;
    let files = files(server, Profile::from(args.profile).name())?;
    let files: Vec<(PathBuf, String)> =
        files.into_iter().map(|(name, text)| (args.dir.join(name), text)).collect();
    check(files.iter().map(|(path, _)| &**path), args.force)?;
    fs::create_dir_all(&args.dir).map_err(|error| writing(&args.dir, &error))?;
    place(&files, args.force)?;
    let mut out = output();
    let mut written = Ok(());
    for line in next(server, &args.dir, &files) {
        written = written.and_then(|()| writeln!(out, "{}", shown(&line)));
    }
    let written = written.and_then(|()| out.flush());
    answered(written.map_err(Failure::from), 0)
}

/// Names and texts, as they are to be written.
fn files(server: &Server, profile: &str) -> Result<Vec<(String, String)>, Failure> {
    let name = server.name();
    let (policy, tests) =
        (file(server, &format!("{profile}.yaml"))?, file(server, &format!("{profile}_test.yaml"))?);
    // Tests name the policy's file.
    let tests =
        tests.text.replacen(&format!("\npolicy: {profile}.yaml\n"), &format!("\npolicy: {name}.yaml\n"), 1);
    let mut files = vec![(format!("{name}.yaml"), policy.text), (format!("{name}_test.yaml"), tests)];
    for (of_catalogue, ending) in [("callgate.lock", ".lock"), ("overrides.yaml", "-overrides.yaml")] {
        let known = server.files().map_err(|error| Failure::new(error.to_string()))?;
        if let Some(found) = known.into_iter().find(|file| file.name == of_catalogue) {
            files.push((format!("{name}{ending}"), found.text));
        }
    }
    Ok(files)
}

/// What was written, what is to be filled in, and the commands that come next.
fn next(server: &Server, dir: &Path, files: &[(PathBuf, String)]) -> Vec<String> {
    let name = server.name();
    let path = |ending: &str| word(&dir.join(format!("{name}{ending}")));
    let mut lines: Vec<String> = files.iter().map(|(path, _)| format!("wrote {}", path.display())).collect();
    let open: BTreeSet<&str> = files.iter().take(1).flat_map(|(_, text)| placeholders(text)).collect();
    if !open.is_empty() {
        let open: Vec<&str> = open.into_iter().collect();
        lines.push(format!(
            "fill in {}, in the policy and in its tests: until then, what it guards is denied",
            open.join(", ")
        ));
    }
    lines.push("then:".to_owned());
    lines.push(format!("  callgate test {}", path("_test.yaml")));
    let started = match server.registry() {
        "npm" => format!("npx -y {}@{}", server.package(), server.version()),
        _ => format!("uvx {}@{}", server.package(), server.version()),
    };
    lines.push(format!(
        "  callgate proxy --policy {} --lock {} --name {name} -- {started} …",
        path(".yaml"),
        path(".lock")
    ));
    lines
}

/// `<OWNER>` and the like, outside of comments.
fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.flat_map(|line| {
        line.split_inclusive('>').filter_map(|part| {
            let name = part.get(part.rfind('<')?..)?;
            let inner = name.strip_prefix('<')?.strip_suffix('>')?;
            let fits =
                !inner.is_empty() && inner.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
            fits.then_some(name)
        })
    })
}

/// A path as a shell takes it.
fn word(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./@%+=:,".contains(c);
    if path.chars().all(is_plain) { path } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_filled_in() {
        let text = "# <COMMENT>\na: <OWNER>\nb: {c: [<REPO>, x<y, <>, <lower>], d: \"^https://<HOST>/\"}\n";
        assert_eq!(placeholders(text).collect::<Vec<_>>(), ["<OWNER>", "<REPO>", "<HOST>"]);
    }
}
