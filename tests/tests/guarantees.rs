//! What the compiler sees to stays so: the lints that rule out panics and unsafe code, and the few exceptions to them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use callgate_tests::project;

/// Lints without which a panic could reach a caller, or pass unnoticed.
const LINTS: [&str; 14] = [
    "allow_attributes",
    "allow_attributes_without_reason",
    "arithmetic_side_effects",
    "dbg_macro",
    "exit",
    "expect_used",
    "get_unwrap",
    "indexing_slicing",
    "panic",
    "string_slice",
    "todo",
    "unimplemented",
    "unreachable",
    "unwrap_used",
];

/// Where core waives one of them outside of tests: the file, the lint, how often. Each waiver says its reason in place.
const WAIVED: [(&str, &str, usize); 8] = [
    // What is lent is taken out by its drop alone.
    ("policy/current.rs", "expect_used", 1),
    // For tests alone: `cfg_attr(test, …)`.
    ("lib.rs", "arithmetic_side_effects", 1),
    ("lib.rs", "string_slice", 1),
    // Masked to the number of shards; made by the same call.
    ("store/memory/mod.rs", "indexing_slicing", 3),
    // The range of a timestamp keeps every term below 2^48.
    // For tests alone: sizes that they ask for.
    ("store/memory/shard.rs", "arithmetic_side_effects", 1),
    ("time.rs", "arithmetic_side_effects", 2),
    // Each term has a few digits, which were checked.
    ("time/rfc3339.rs", "arithmetic_side_effects", 1),
    ("window.rs", "arithmetic_side_effects", 2),
];

fn read(path: &str) -> String {
    let path = project().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The lines of a section of a TOML file.
fn section<'t>(toml: &'t str, name: &str) -> Vec<&'t str> {
    let header = format!("[{name}]");
    let lines = toml.lines().skip_while(|line| line.trim() != header).skip(1);
    lines.take_while(|line| !line.starts_with('[')).map(str::trim).collect()
}

fn has_every_lint(toml: &str, name: &str) {
    let section = section(toml, name);
    for lint in LINTS {
        let kept = [format!("{lint} = \"warn\""), format!("{lint} = \"deny\"")];
        assert!(section.iter().any(|line| kept.iter().any(|kept| line == kept)), "[{name}] has not {lint}");
    }
}

#[test]
fn every_crate_that_ships_keeps_the_lints() {
    let workspace = read("Cargo.toml");
    has_every_lint(&workspace, "workspace.lints.clippy");
    assert!(section(&workspace, "workspace.lints.rust").contains(&"unsafe_code = \"deny\""));
    for binding in ["bindings-node", "bindings-python"] {
        has_every_lint(&read(&format!("{binding}/Cargo.toml")), "lints.clippy");
    }
    for member in ["core", "host", "cli", "adapters/rmcp", "stores/sqlite"] {
        let toml = read(&format!("{member}/Cargo.toml"));
        assert!(section(&toml, "lints").contains(&"workspace = true"), "{member} has lints of its own");
    }
    // Only an allocator that counts, in a test, may be unsafe.
    for file in ["core", "host", "cli", "adapters/rmcp", "stores/contract", "stores/redis", "stores/sqlite"]
        .map(|member| format!("{member}/src/lib.rs"))
    {
        assert!(read(&file).contains("\n#![forbid(unsafe_code)]\n"), "{file} may be unsafe");
    }
    assert!(read("cli/src/main.rs").contains("\n#![forbid(unsafe_code)]\n"));
    // A warning fails the build.
    assert!(
        read("scripts/test.sh").contains("cargo clippy --workspace --all-targets --locked -- -D warnings")
    );
    let exempt: Vec<String> = read("clippy.toml").lines().map(str::to_owned).collect();
    assert!(exempt.iter().all(|line| line.contains("-in-tests = ")), "clippy.toml exempts more than tests");
}

#[test]
fn core_waives_no_more_than_this() {
    let mut found = BTreeMap::new();
    waivers(&project().join("core/src"), "", &mut found);
    let known: BTreeMap<_, _> =
        WAIVED.iter().map(|(file, lint, count)| (((*file).to_owned(), (*lint).to_owned()), *count)).collect();
    assert_eq!(found, known);
}

/// Counts the waivers of [`LINTS`] in a folder's code, tests left out.
fn waivers(folder: &Path, under: &str, found: &mut BTreeMap<(String, String), usize>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{under}{}", path.file_name().unwrap().to_string_lossy());
        if path.is_dir() {
            if !name.ends_with("tests") {
                waivers(&path, &format!("{name}/"), found);
            }
        } else if !name.ends_with("tests.rs") && !name.ends_with("interleavings.rs") {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            for lint in code.split("clippy::").skip(1).map(|after| {
                let end = after.find(|c: char| c != '_' && !c.is_ascii_lowercase()).unwrap_or(after.len());
                &after[..end]
            }) {
                if LINTS.contains(&lint) {
                    *found.entry((name.clone(), lint.to_owned())).or_default() += 1;
                }
            }
        }
    }
}
