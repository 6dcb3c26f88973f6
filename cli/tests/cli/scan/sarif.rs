//! `--format sarif`: a log that code hosts take, whatever a server says.

use callgate::__text::is_invisible;
use serde_json::Value;

use super::{beside, scan_of};
use crate::{callgate, callgate_with, file, json};

/// What every log of ours has, by the schema of SARIF 2.1.0. Gives its results.
fn results(text: &str) -> Vec<Value> {
    let log = json(text);
    assert_eq!(log["version"], "2.1.0");
    assert_eq!(log["$schema"], "https://json.schemastore.org/sarif-2.1.0.json");
    assert_eq!(log["runs"].as_array().unwrap().len(), 1);
    let run = &log["runs"][0];
    assert_eq!(run["tool"]["driver"]["name"], "callgate");
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for rule in rules {
        assert!(!rule["shortDescription"]["text"].as_str().unwrap().is_empty(), "{rule}");
        assert!(!rule["help"]["text"].as_str().unwrap().is_empty(), "{rule}");
    }
    let results = run["results"].as_array().unwrap();
    for result in results {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        assert_eq!(rule["defaultConfiguration"]["level"], result["level"]);
        let message = result["message"]["text"].as_str().unwrap();
        assert!(!message.is_empty() && !message.contains("]("), "{message}");
        let location = &result["locations"][0];
        for logical in location["logicalLocations"].as_array().unwrap() {
            assert!(logical["fullyQualifiedName"].as_str().unwrap().contains('/'), "{logical}");
        }
        if let Some(region) = location["physicalLocation"].get("region") {
            assert!(region["startLine"].as_u64() >= Some(1) && region["startColumn"].as_u64() >= Some(1));
        }
    }
    results.clone()
}

fn brief(result: &Value) -> (&str, &str, &str) {
    let name = &result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"];
    (result["ruleId"].as_str().unwrap(), result["level"].as_str().unwrap(), name.as_str().unwrap())
}

const BANK: &str = r#"{"server": "bank", "tools": [
    {"name": "list_rates", "description": "Lists the rates.", "inputSchema": {"type": "object"}},
    {"name": "delete_account", "description": "Deletes an account for ever.", "annotations": {"readOnlyHint": true},
     "inputSchema": {"type": "object", "properties": {"id": {"type": "string"}}}},  {"name": "update_rate"}
]}"#;

#[test]
fn tools_and_findings_are_results_at_their_places() {
    let path = file("scan sarif.json", BANK);
    let run = callgate(&["scan", "--tools", &path, "--format", "sarif"]);
    assert_eq!(run.status, 0, "{}", run.err);
    let results = results(&run.out);
    assert_eq!(
        results.iter().map(brief).collect::<Vec<_>>(),
        [
            ("severity_high", "warning", "bank/delete_account"),
            ("contradicting_hint", "warning", "bank/delete_account#/annotations/readOnlyHint"),
            ("severity_medium", "note", "bank/update_rate"),
        ]
    );
    let message = results[0]["message"]["text"].as_str().unwrap();
    assert!(message.starts_with("`delete_account` is Destructive, severity high, "), "{message}");
    let places: Vec<_> = results
        .iter()
        .map(|result| {
            let place = &result["locations"][0]["physicalLocation"];
            assert!(place["artifactLocation"]["uri"].as_str().unwrap().ends_with("/scan%20sarif.json"));
            (place["region"]["startLine"].as_u64().unwrap(), place["region"]["startColumn"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(places, [(3, 5), (3, 5), (4, 85)]);
    let run = callgate_with(&["scan", "--tools", "-", "--format", "sarif"], BANK.as_bytes());
    let uri = &self::results(&run.out)[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert_eq!(uri, "stdin");
}

#[test]
fn a_server_without_a_list_is_a_notification() {
    let configuration = serde_json::json!({"mcpServers": {
        "broken](x)": {"command": "no-such-program-at-all"},
        "old": {"command": "python3", "args": [beside("server.py"), "honest"]},
    }});
    let path = file("scan-sarif-mcp.json", configuration.to_string());
    let run = scan_of(&["--config", &path], "sarif-config", &["--yes", "--format", "sarif"]).run;
    assert_eq!(run.status, 2);
    let results = results(&run.out);
    let names: Vec<_> = results.iter().map(|result| brief(result).2).collect();
    assert_eq!(names, ["old/read_file", "old/write_file", "old/list_files"]);
    let place = &results[0]["locations"][0]["physicalLocation"];
    assert!(place["artifactLocation"]["uri"].as_str().unwrap().ends_with("scan-sarif-mcp.json"));
    let ran = &json(&run.out)["runs"][0]["invocations"][0];
    assert_eq!(ran["executionSuccessful"], false);
    let said = ran["toolExecutionNotifications"][0]["message"]["text"].as_str().unwrap();
    assert!(said.starts_with("server `broken] (x)`: the server cannot be started"), "{said}");
}

#[test]
fn what_a_server_says_is_neither_a_link_nor_hidden() {
    let run = super::scan("escapes", &["--yes", "--format", "sarif"]).run;
    assert_eq!(run.status, 0, "{}", run.err);
    assert!(results(&run.out).len() > 8);
    let list = serde_json::json!([{
        "name": "[a](http://example.com/)\u{202e}\u{1b}[2J{0}", "description": "Deletes [all](javascript:1)\u{200b} files.",
    }]);
    let run = callgate_with(&["scan", "--tools", "-", "--format", "sarif"], list.to_string().as_bytes());
    let results = results(&run.out);
    assert!(!run.out.chars().any(|c| c != '\n' && is_invisible(c)), "{:?}", run.out);
    let message = results[1]["message"]["text"].as_str().unwrap();
    assert!(message.starts_with("`[a] (http://example.com/)\\u{202e}\\u{1b}[2J{0}`: "), "{message}");
}
