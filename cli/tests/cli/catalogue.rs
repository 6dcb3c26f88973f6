//! The catalogue: each policy of it is clean, tested and true to the server's definitions, and `callgate init` gives files that work. The commands of
//! `docs/guide/catalogue.md` print what it shows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::{Path, callgate, fs, json};

const GUIDE: &str = include_str!("../../../docs/guide/catalogue.md");
const PROFILES: [&str; 3] = ["read-only", "recommended", "permissive"];
/// What the tests of a server have to have beyond the list of its tools.
const LEAST_TESTS: usize = 15;
/// Tests that are not about what matters at this server.
const COMMON: [&str; 2] = ["every tool", "a tool that the server gets later"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../catalogue")
}

/// The servers of the sources, each with its folder.
fn servers() -> Vec<(String, PathBuf)> {
    let folders = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
    let with_tools = folders.filter(|folder| folder.join("tools.json").is_file());
    let mut found: Vec<(String, PathBuf)> =
        with_tools.map(|folder| (folder.file_name().unwrap().to_str().unwrap().to_owned(), folder)).collect();
    found.sort();
    found
}

fn text(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name))
        .unwrap_or_else(|error| panic!("{}: {error}", folder.join(name).display()))
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

/// A folder of a test's own, empty.
fn empty(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("catalogue").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// What becomes of a call of each tool, as the tests of a profile have it.
fn outcomes(folder: &Path, profile: &str) -> BTreeMap<String, String> {
    let tests = text(folder, &format!("{profile}_test.yaml"));
    let (_, every) = tests.split_once("\n  - name: every tool\n").unwrap();
    let (_, expect) = every.split_once("\n    expect:\n").unwrap();
    let cells = expect.lines().map(|line| line.trim().rsplit_once(": ").unwrap());
    cells.map(|(tool, outcome)| (tool.to_owned(), outcome.to_owned())).collect()
}

#[test]
fn the_command_has_every_server() {
    let listed = json(&callgate(&["catalogue", "list", "--format", "json"]).out);
    let names: Vec<&str> = listed["servers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|server| server["server"].as_str().unwrap())
        .collect();
    let expected: Vec<String> = servers().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, expected);
}

#[test]
fn policies_are_clean_and_the_classes_by_hand_fit() {
    for (name, folder) in servers() {
        let tools = path(&folder, "tools.json");
        let policies = PROFILES.map(|profile| path(&folder, &format!("{profile}.yaml")));
        let mut args = vec!["check", "--deny-warnings", "--tools", &tools];
        args.extend(policies.iter().map(String::as_str));
        let run = callgate(&args);
        assert_eq!(run.status, 0, "{name}: {}{}", run.out, run.err);

        let overrides = path(&folder, "overrides.yaml");
        let mut args =
            vec!["scan", "--tools", &tools, "--name", &name, "--fail-on", "unknown", "--format", "json"];
        if Path::new(&overrides).exists() {
            args.extend(["--overrides", &overrides]);
        }
        let run = callgate(&args);
        assert_eq!(run.status, 0, "{name}: {}{}", run.out, run.err);
        let found = json(&run.out);
        for tool in found["tools"].as_array().unwrap() {
            assert_eq!(tool["findings"], serde_json::json!([]), "{name}, {}", tool["name"]);
        }
        // What tools do together is nobody's mistake: the page tells of it.
        let page = fs::read_to_string(folder.join("README.md")).unwrap();
        let flows = found["findings"].as_array().unwrap().len();
        assert_eq!(page.contains("toxic flow"), flows > 0, "{name}");
    }
}

/// The definitions that `callgate.lock` approves are those of `tools.json`.
#[test]
fn locks_fit() {
    for (name, folder) in servers() {
        let (tools, lock) = (path(&folder, "tools.json"), path(&folder, "callgate.lock"));
        let run =
            callgate(&["scan", "--tools", &tools, "--name", &name, "--lock", &lock, "--fail-on", "drift"]);
        assert_eq!(run.status, 0, "{name}: {}{}", run.out, run.err);
    }
}

/// All tests pass, they bring about every outcome of their policy, and enough of them are about this server.
#[test]
fn tests_pass_and_cover_all_of_each_policy() {
    let folder = root();
    let run = callgate(&["test", "--coverage", "--min", "100", "--format", "json", folder.to_str().unwrap()]);
    let report = json(&run.out);
    let files = report["files"].as_array().unwrap();
    let all = files.iter().flat_map(|file| file["tests"].as_array().unwrap());
    let failed: Vec<_> = all.filter(|test| test["status"] != "passed").collect();
    assert_eq!((run.status, failed), (0, vec![]), "{}", run.err);
    assert_eq!(files.len(), servers().len() * PROFILES.len());
    let mut tests: BTreeMap<PathBuf, BTreeSet<(String, String)>> = BTreeMap::new();
    for file in files {
        let server = Path::new(file["path"].as_str().unwrap()).parent().unwrap().to_owned();
        for test in file["tests"].as_array().unwrap() {
            if !COMMON.contains(&test["test"].as_str().unwrap()) {
                // The same line in the tests of two profiles is one.
                let of = |field: &str| test[field].as_str().unwrap().to_owned();
                tests.entry(server.clone()).or_default().insert((of("test"), of("name")));
            }
        }
    }
    assert_eq!(tests.len(), servers().len());
    for (server, tests) in tests {
        assert!(tests.len() >= LEAST_TESTS, "{}: {}", server.display(), tests.len());
    }
}

/// What is stronger than a profile lets pass has a rule of its own, or does not pass.
#[test]
fn profiles_keep_what_they_promise() {
    for (name, folder) in servers() {
        let shown = json(&callgate(&["catalogue", "show", &name, "--format", "json"]).out);
        let tools = shown["tools"].as_array().unwrap();
        for profile in PROFILES {
            let (policy, outcomes) = (text(&folder, &format!("{profile}.yaml")), outcomes(&folder, profile));
            assert_eq!(outcomes.len(), tools.len(), "{name}: {profile}");
            for tool in tools {
                let (tool, class) = (tool["name"].as_str().unwrap(), tool["class"].as_str().unwrap());
                let outcome = &outcomes[tool];
                assert!(
                    ["allow", "approval", "not_listed"].contains(&outcome.as_str()),
                    "{name}: {tool}: {outcome}"
                );
                let may_pass = match profile {
                    "read-only" => class == "Read",
                    "recommended" => ["Read", "Write", "Execute"].contains(&class),
                    _ => class != "Financial",
                };
                let is_bare = policy.contains(&format!("\n  {tool}: {{}}\n"));
                assert!(may_pass || outcome != "allow" || !is_bare, "{name}: {profile}: {tool} is {class}");
            }
        }
    }
}

#[test]
fn each_page_says_what_is_not_stopped() {
    for (name, folder) in servers() {
        let (page, tools) = (text(&folder, "README.md"), json(&text(&folder, "tools.json")));
        let fact = |field: &str| tools[field].as_str().unwrap();
        for heading in ["## What it stops", "## What it does not stop"] {
            let (_, section) =
                page.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("{name}: {heading}"));
            let section = section.split("\n## ").next().unwrap();
            assert!(section.matches("\n- ").count() >= 3, "{name}: {heading}");
        }
        assert!(page.contains(fact("version")) && page.contains(fact("collected")), "{name}");
        let policies =
            PROFILES.iter().flat_map(|profile| [format!("{profile}.yaml"), format!("{profile}_test.yaml")]);
        for file in
            policies.chain(folder.join("overrides.yaml").exists().then(|| "overrides.yaml".to_owned()))
        {
            let text = text(&folder, &file);
            let head = text.lines().next().unwrap();
            for part in [&*name, fact("package"), fact("version"), fact("date"), fact("collected")] {
                assert!(head.contains(part), "{name}/{file}: {part}");
            }
        }
    }
}

/// `<OWNER>` and the like.
fn placeholders(text: &str) -> BTreeSet<String> {
    let parts = text.split('<').skip(1).filter_map(|part| part.split_once('>'));
    let names = parts.map(|(name, _)| name).filter(|name| !name.is_empty());
    names
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'))
        .map(str::to_owned)
        .collect()
}

/// In an empty directory, and with what is to be filled in filled in: the tests still pass, so policy and tests mean the same places.
#[test]
fn what_init_writes_works() {
    for profile in PROFILES {
        let folder = empty(&format!("init-{profile}"));
        let dir = folder.to_str().unwrap();
        for (name, sources) in servers() {
            let run = callgate(&["init", &name, "--profile", profile, "--dir", dir]);
            assert_eq!(run.status, 0, "{name}: {}", run.err);
            let (policy, tests) = (format!("{name}.yaml"), format!("{name}_test.yaml"));
            assert_eq!(text(&folder, &policy), text(&sources, &format!("{profile}.yaml")));
            let expected = text(&sources, &format!("{profile}_test.yaml"));
            let expected =
                expected.replace(&format!("\npolicy: {profile}.yaml\n"), &format!("\npolicy: {policy}\n"));
            assert_eq!(text(&folder, &tests), expected);
            for file in [&policy, &tests] {
                let mut text = text(&folder, file);
                for open in placeholders(&text) {
                    assert!(run.out.contains(&format!("<{open}>")), "{name}: {open}: {}", run.out);
                    text = text.replace(&format!("<{open}>"), &open.to_lowercase().replace('_', "-"));
                }
                fs::write(folder.join(file), text).unwrap();
            }
        }
        let run = callgate(&["test", dir]);
        assert_eq!(run.status, 0, "{profile}: {}{}", run.out, run.err);
    }
}

#[test]
fn init_replaces_nothing_unasked_and_writes_all_or_nothing() {
    let folder = empty("init-careful");
    let dir = folder.to_str().unwrap();
    fs::write(folder.join("fetch_test.yaml"), "mine").unwrap();
    let run = callgate(&["init", "fetch", "--dir", dir]);
    assert_eq!((run.status, &*run.out), (2, ""));
    assert!(run.err.contains("fetch_test.yaml: it is there already"), "{}", run.err);
    let names = |folder: &Path| -> Vec<String> {
        let names =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    };
    assert_eq!(names(&folder), ["fetch_test.yaml"]);
    assert_eq!(text(&folder, "fetch_test.yaml"), "mine");

    // Not even `--force` replaces what is no file.
    fs::create_dir(folder.join("fetch.yaml")).unwrap();
    let run = callgate(&["init", "fetch", "--dir", dir, "--force"]);
    assert!(run.status == 2 && run.err.contains("it is not a regular file"), "{}", run.err);
    assert_eq!(text(&folder, "fetch_test.yaml"), "mine");
    fs::remove_dir(folder.join("fetch.yaml")).unwrap();

    let run = callgate(&["init", "fetch", "--dir", dir, "--force"]);
    assert_eq!(run.status, 0, "{}", run.err);
    assert!(text(&folder, "fetch_test.yaml").contains("policy: fetch.yaml"));
    assert!(names(&folder).iter().all(|name| name.starts_with("fetch")), "{:?}", names(&folder));

    let run = callgate(&["init", "fetch", "--dir", &path(&folder, "fetch.yaml/below")]);
    assert_eq!(run.status, 2, "{}", run.out);
}

#[test]
fn unknown_names_get_the_nearest() {
    for (name, meant) in [("githb", "`github`"), ("iam", "`awslabs.iam-mcp-server`"), ("Slack", "`slack`")] {
        for args in [&["init", name][..], &["catalogue", "show", name]] {
            let run = callgate(args);
            assert_eq!((run.status, &*run.out), (2, ""), "{name}");
            assert!(run.err.contains(&format!("no server `{name}`; perhaps {meant}")), "{}", run.err);
        }
    }
    let run = callgate(&["catalogue", "show", "nobody-knows-it"]);
    assert!(run.status == 2 && !run.err.contains("perhaps"), "{}", run.err);
    let run = callgate(&["catalogue", "show", "git", "--file", "../README.md"]);
    assert!(run.status == 2 && run.err.contains("there are: README.md"), "{}", run.err);
}

#[test]
fn a_server_is_shown_with_its_files() {
    let folder = root().join("git");
    for file in ["README.md", "tools.json", "recommended.yaml", "overrides.yaml"] {
        assert_eq!(
            callgate(&["catalogue", "show", "git", "--file", file]).out,
            text(&folder, file),
            "{file}"
        );
    }
    let page = callgate(&["catalogue", "show", "git"]).out;
    assert!(page.starts_with("# Git\n"), "{page}");
    // Classes are those that were given by hand.
    assert!(page.contains("- Read (7): git_status, ") && page.contains("git_log"), "{page}");
    let shown: Value = json(&callgate(&["catalogue", "show", "git", "--format", "json"]).out);
    assert_eq!(shown["tools"][6]["name"], "git_reset");
    assert_eq!(shown["tools"][6]["class"], "Write");
}

#[test]
fn commands_print_what_the_guide_shows() {
    let folder = empty("guide");
    let start = "<!-- run by cli/tests/cli/catalogue.rs -->\n```console\n";
    let blocks: Vec<&str> =
        GUIDE.split(start).skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 4);
    // In order: each works on what the one before it left.
    for block in blocks {
        let (command, expected) = block.strip_prefix("$ ").unwrap().split_once('\n').unwrap();
        let run = Command::new("sh")
            .args(["-c", &format!("callgate() {{ \"$CALLGATE\" \"$@\"; }}; {command} 2>&1")])
            .env("CALLGATE", env!("CARGO_BIN_EXE_callgate"))
            .current_dir(&folder)
            .output()
            .unwrap();
        let printed = String::from_utf8(run.stdout).unwrap();
        for line in expected.lines().filter(|line| *line != "…") {
            assert!(
                printed.lines().any(|other| other == line),
                "{command} prints\n{printed}\nwithout\n{line}"
            );
        }
    }
}
