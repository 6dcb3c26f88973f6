//! Inputs to begin with: what `spec/` holds, in the form that each property takes.

use super::call::BETWEEN;
use crate::generate::Generator;
use crate::{decisions, invalid, wrong};

/// Bytes beyond which an input says nothing more than a shorter one.
const LONGEST: usize = 64 << 10;

/// Every policy text of the cases, valid and invalid.
fn policies() -> Vec<String> {
    let valid = decisions::files().into_iter().flat_map(|(_, file)| file.cases);
    let invalid = invalid::files().into_iter().flat_map(|(_, cases)| cases);
    let mut texts: Vec<String> =
        valid.flat_map(|case| case.texts()).chain(invalid.map(|case| case.text())).collect();
    texts.retain(|text| text.len() <= LONGEST);
    texts
}

/// Generated policies, in JSON.
fn generated() -> impl Iterator<Item = String> {
    (0..200).map(|seed| Generator::new(seed).policy())
}

/// Entries of policies, in JSON: wrong ones, and generated ones.
fn entries() -> Vec<String> {
    let mut entries: Vec<String> = wrong::ENTRIES.iter().map(|(_, entry)| (*entry).to_owned()).collect();
    for policy in generated().take(90) {
        let policy: serde_json::Value = serde_json::from_str(&policy).expect("generated policies are JSON");
        entries.extend(policy["tools"].as_object().into_iter().flatten().map(|(_, entry)| entry.to_string()));
    }
    entries
}

/// A text of each call of the cases.
fn calls(write: impl Fn(&decisions::Case, &decisions::Step) -> String) -> Vec<String> {
    let cases = decisions::files().into_iter().flat_map(|(_, file)| file.cases);
    let mut texts: Vec<String> =
        cases.flat_map(|case| case.steps.iter().map(|step| write(&case, step)).collect::<Vec<_>>()).collect();
    texts.sort();
    texts.dedup();
    texts.retain(|text| text.len() <= LONGEST);
    texts
}

/// The inputs of a property of texts, by its name in [`super::OF_TEXT`].
pub fn texts(property: &str) -> Vec<String> {
    match property {
        "parse_yaml" | "compile" => policies(),
        "parse_json" | "forms" => policies()
            .into_iter()
            .filter(|text| text.trim_start().starts_with('{'))
            .chain(generated())
            .collect(),
        "diagnostics" => entries(),
        "arguments" => {
            let mut texts = calls(|_, step| step.args.clone().unwrap_or_default());
            texts.extend(calls(|_, step| step.identity.clone().unwrap_or_default()));
            texts
        }
        // The texts among the arguments, and the arguments as a text.
        "readings" => {
            let mut texts = calls(|_, step| step.args.clone().unwrap_or_default());
            let within = |text: &String| match serde_json::from_str(text) {
                Ok(serde_json::Value::Object(members)) => {
                    members.into_iter().map(|(_, value)| value).collect()
                }
                _ => vec![],
            };
            let values: Vec<_> = texts.iter().flat_map(within).collect();
            texts.extend(values.iter().filter_map(|value| value.as_str().map(str::to_owned)));
            texts
        }
        // The checked calls of the cases, with any schema for those without one, and generated ones.
        "schema" => {
            let mut texts = calls(|_, step| {
                let schema = step.schema().map_or("{\"type\": \"object\"}".to_owned(), ToString::to_string);
                [schema, step.args.clone().unwrap_or_default()].join(BETWEEN)
            });
            texts.extend((0..2_000).filter_map(|seed| {
                let call = Generator::new(seed).call();
                Some([call.check?.schema?, call.args].join(BETWEEN))
            }));
            texts
        }
        // Each key of a policy, written as a name, before all of them.
        "names" => generated()
            .flat_map(|policy| {
                let policy: serde_json::Value =
                    serde_json::from_str(&policy).expect("generated policies are JSON");
                let tools = policy["tools"].as_object().into_iter().flatten().map(|(key, _)| key.clone());
                let hidden = policy["hide"].as_array().into_iter().flatten();
                let hidden = hidden.filter_map(|key| key.as_str().map(str::to_owned));
                let keys: Vec<String> = tools.chain(hidden).collect();
                let all = keys.join("\n");
                let name =
                    |key: &String| format!("{}\n{all}", key.replace(['*', '?', '{', '}', '[', ']'], "x"));
                keys.iter().map(name).collect::<Vec<_>>()
            })
            .collect(),
        "call" => calls(|case, step| {
            let mut parts = vec![
                case.texts().remove(0),
                step.tool.clone().unwrap_or_default(),
                step.args.clone().unwrap_or_default(),
            ];
            parts.extend(step.identity.clone());
            parts.join(BETWEEN)
        }),
        "stream" => calls(|_, step| {
            let field = |name: &str, text: &Option<String>| {
                text.as_ref().map_or(String::new(), |text| format!(", \"{name}\": {text}"))
            };
            let tool = callgate_reference::json::quoted(step.tool.as_deref().unwrap_or_default());
            let (args, identity) = (field("args", &step.args), field("identity", &step.identity));
            format!(
                "{{\"tool\": {tool}{args}{identity}}}\n{{\"tool\": \"t\", \"at\": \"2026-11-21T10:00:00Z\"}}\n"
            )
        }),
        other => panic!("no property {other}"),
    }
}

/// Choices for [`super::the_reference_decides_alike`].
pub fn choices() -> Vec<Vec<u8>> {
    let one = |seed| {
        let mut generator = Generator::new(seed);
        (0..64 + 8 * seed).map(|_| generator.below(256) as u8).collect()
    };
    (0..64).map(one).collect()
}
