//! Names against globs, many at once (spec 2.7, 10.9, 11.2), by the engine and by the reference, which tries one after the other.

use std::collections::BTreeSet;

use callgate::ceilings::NAME_BYTES;
use callgate::{Call, Code, Policy};
use callgate_reference::pattern::{glob_matches, is_glob};
use serde_json::{Map, Value, json};

/// Globs that the reference tries in a moment; more say nothing more.
const GLOBS: usize = 64;
/// Characters of a name, and runs and characters of a glob, up to which the reference is asked: it tries every way.
const SHORT: (usize, usize, usize) = (24, 4, 48);

/// The first line is a tool's name, and the others are keys of `tools`, or of `hide`: the name is listed, or hidden, exactly if a
/// key of them matches it, unless comparing took too long, which denies and hides.
pub fn a_name_is_matched_as_by_each_glob_alone(text: &str) {
    let mut lines = text.lines();
    let Some(name) = lines.next() else { return };
    let keys: BTreeSet<&str> = lines.filter(|key| !matches!(*key, "" | "*")).take(GLOBS).collect();
    let loads = |key: &&&str| policy(json!({"tools": {**key: {}}})).is_some();
    let keys: Vec<&str> = keys.iter().filter(loads).copied().collect();
    // Crowds are found by another way than a few: each key is there by itself, and behind what tells them apart.
    let crowd = (0..9).flat_map(|number| keys.iter().map(move |key| format!("{key}{{,{number}}}")));
    let crowd: Vec<String> = crowd.filter(|key| loads(&&key.as_str())).collect();
    for keys in [keys.iter().map(|key| (*key).to_owned()).collect(), crowd] {
        let matched = |key: &String| if is_glob(key) { glob_matches(key, name) } else { key == name };
        let (of_name, runs, of_glob) = SHORT;
        let is_short = |key: &String| key.matches('*').count() <= runs && key.len() <= of_glob;
        let expected = (name.len() <= of_name && keys.iter().all(is_short)).then(|| keys.iter().any(matched));
        let entries: Map<String, Value> = keys.iter().map(|key| (key.clone(), json!({}))).collect();
        for (members, found) in [
            (json!({"default": "deny", "tools": entries}), Code::Allowed),
            (json!({"default": "allow", "hide": keys}), Code::Hidden),
        ] {
            let Some(policy) = policy(members) else { continue };
            let decision = policy.evaluate(&Call::without_args(name)).decided().expect("nothing counts");
            let code = decision.code();
            assert_eq!(
                policy.visible(name, &callgate::Identity::absent()),
                !matches!(code, Code::Hidden | Code::InvalidTool),
                "{code:?}"
            );
            match expected {
                _ if name.len() > NAME_BYTES => assert_eq!(code, Code::InvalidTool),
                Some(expected) => assert_eq!(code == found, expected, "{code:?} of `{name}` by {keys:?}"),
                None => {}
            }
        }
    }
}

fn policy(mut members: Value) -> Option<Policy> {
    members["version"] = "1".into();
    if members.get("default").is_none() {
        members["default"] = "deny".into();
    }
    Policy::from_json(&members.to_string()).ok()
}
