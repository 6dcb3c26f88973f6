//! The pages for authors of policies: `docs/guide/first-policy.md` as a reader follows it, and the recipes as they load.

use std::process::Command;

use callgate::{Identity, Policy};
use serde_json::json;

use super::{Path, PathBuf, fs};

const FIRST: &str = include_str!("../../../docs/guide/first-policy.md");
const RECOMMENDED: &str = include_str!("../../../docs/guide/recommended-policies.md");
const MOVING: &str = include_str!("../../../docs/guide/moving-from-policylayer.md");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Every block of a page in its order: a file is written, a command prints what the page shows. Out: how many commands.
fn follow(page: &str, folder: &Path) -> usize {
    let mut commands = 0;
    for rest in page.split("<!-- run by cli/tests/cli/authors_guide.rs -->\n```").skip(1) {
        let (language, block) = rest.split("```").next().unwrap().split_once('\n').unwrap();
        if language == "yaml" {
            let name = block.lines().next().unwrap().strip_prefix("# ").unwrap();
            fs::write(folder.join(name), block).unwrap();
            continue;
        }
        let (command, expected) = block.strip_prefix("$ ").unwrap().split_once('\n').unwrap();
        let run = Command::new("sh")
            .args(["-c", &format!("callgate() {{ \"$CALLGATE\" \"$@\"; }}; {command} 2>&1")])
            .env("CALLGATE", env!("CARGO_BIN_EXE_callgate"))
            .env("CALLGATE_STATE_DIR", folder.join("state"))
            .current_dir(folder)
            .output()
            .unwrap();
        let printed = String::from_utf8(run.stdout).unwrap();
        assert!(printed.starts_with(expected), "{command} prints\n{printed}");
        commands += 1;
    }
    commands
}

/// A folder with one file of the repository in it.
fn folder(name: &str, file: &str, called: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    fs::copy(root().join(file), folder.join(called)).unwrap();
    folder
}

#[test]
fn the_first_policy_as_a_reader_follows_it() {
    let folder = folder("first-policy", "docs/guide/filesystem-tools.json", "tools.json");
    assert_eq!(follow(FIRST, &folder), 12);
}

#[test]
fn a_policy_of_policylayer_as_a_reader_follows_it() {
    let folder = folder("policylayer", "spec/policies/seed-create-access-key.json", "create_access_key.json");
    assert_eq!(follow(MOVING, &folder), 3);
}

#[test]
fn recommended_policies_as_a_reader_follows_them() {
    let folder = folder("recommended", "docs/guide/filesystem-tools.json", "tools.json");
    fs::copy(root().join("catalogue/stripe/tools.json"), folder.join("stripe.json")).unwrap();
    assert_eq!(follow(RECOMMENDED, &folder), 7);
}

/// Their tests run with those of all policies, in `scripts/test.sh`.
#[test]
fn recipes_load_without_a_warning() {
    let mut policies = Vec::new();
    for file in fs::read_dir(root().join("docs/guide/recipes")).unwrap() {
        let path = file.unwrap().path().to_str().unwrap().to_owned();
        if path.ends_with(".yaml") && !path.ends_with("_test.yaml") {
            policies.push(path);
        }
    }
    let mut args = vec!["check", "--deny-warnings"];
    args.extend(policies.iter().map(String::as_str));
    let run = super::callgate(&args);
    assert_eq!(run.status, 0, "{}{}", run.out, run.err);
}

/// What `hidden-tools.md` says that a reader and an admin see; test files say nothing of lists.
#[test]
fn callers_see_what_the_recipe_says() {
    let policy = Policy::from_yaml(include_str!("../../../docs/guide/recipes/hidden-tools.yaml")).unwrap();
    let all = ["search", "refund", "purge_user", "debug_memory", "drop_all"];
    for (roles, seen) in [
        (json!(["reader"]), &["search", "refund"][..]),
        (json!(["admin"]), &["search", "refund", "purge_user"][..]),
    ] {
        let claims = json!({"id": "ann", "roles": roles});
        let identity = Identity::claims(&claims);
        assert_eq!(policy.filter_tools(all.to_vec(), &identity, |name| name), seen);
    }
}
