//! In: the folders of servers beside this file. Out: their files, compressed, and what is known of each server, as Rust. A folder without a page is not
//! ready, and left out; one with a file that the catalogue does not know fails the build: what nobody looks at is not shipped.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::{env, fs};

use miniz_oxide::deflate::compress_to_vec;
use serde_json::Value;

/// From 0 to 10: beyond it, a server takes twice as long and loses a hundredth.
const LEVEL: u8 = 8;
const PROFILES: [&str; 3] = ["read-only", "recommended", "permissive"];
/// What each server has.
const ALWAYS: [&str; 3] = ["README.md", "callgate.lock", "tools.json"];
const PERHAPS: [&str; 1] = ["overrides.yaml"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=.");
    let out = env::var("OUT_DIR")?;
    let mut servers = String::from("[\n");
    for (name, files) in folders()? {
        let tools: Value = serde_json::from_str(files.get("tools.json").ok_or("no tools.json")?)?;
        let text = |field: &str| {
            tools.get(field).and_then(Value::as_str).ok_or(format!("{name}/tools.json has no `{field}`"))
        };
        if text("server")? != name {
            return Err(format!("{name}/tools.json is of another server").into());
        }
        let count = tools.get("tools").and_then(Value::as_array).ok_or("no tools")?.len();
        let data = format!("{name}.z");
        let whole: String = files.values().map(String::as_str).collect();
        fs::write(Path::new(&out).join(&data), compress_to_vec(whole.as_bytes(), LEVEL))?;
        let lengths: Vec<(&str, usize)> = files.iter().map(|(name, text)| (&**name, text.len())).collect();
        servers.push_str(&format!(
            "    Server {{ name: {name:?}, registry: {:?}, package: {:?}, version: {:?}, date: {:?}, collected: {:?}, licence: {:?}, \
             holder: {:?}, source: {:?}, tools: {count}, files: &{lengths:?}, data: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{data}\")) }},\n",
            text("registry")?,
            text("package")?,
            text("version")?,
            text("date")?,
            text("collected")?,
            text("licence")?,
            text("holder")?,
            text("source").unwrap_or_default(),
        ));
    }
    servers.push(']');
    fs::write(Path::new(&out).join("servers.rs"), servers)?;
    Ok(())
}

/// The servers that are ready, each with its files.
fn folders() -> Result<BTreeMap<String, BTreeMap<String, String>>, Box<dyn Error>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(".")? {
        let folder = entry?.path();
        if !folder.join("tools.json").is_file() || !folder.join("README.md").is_file() {
            continue;
        }
        let name = folder.file_name().and_then(|name| name.to_str()).ok_or("a folder's name")?.to_owned();
        let files = files(&folder).map_err(|error| format!("{name}: {error}"))?;
        found.insert(name, files);
    }
    Ok(found)
}

/// The files of one server, all of them.
fn files(folder: &Path) -> Result<BTreeMap<String, String>, Box<dyn Error>> {
    let of_profile =
        PROFILES.iter().flat_map(|profile| [format!("{profile}.yaml"), format!("{profile}_test.yaml")]);
    let needed: Vec<String> = ALWAYS.iter().map(|name| (*name).to_owned()).chain(of_profile).collect();
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).ok_or("a file's name")?.to_owned();
        if !needed.contains(&name) && !PERHAPS.contains(&&*name) {
            return Err(format!("the catalogue has no file `{name}`").into());
        }
        found.insert(name, fs::read_to_string(&path)?);
    }
    match needed.iter().find(|name| !found.contains_key(*name)) {
        Some(missing) => Err(format!("there is no `{missing}`").into()),
        None => Ok(found),
    }
}
