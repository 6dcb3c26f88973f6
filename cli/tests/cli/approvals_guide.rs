//! The page about approvals as a reader follows it, with a gateway in front of a server: `docs/guide/approvals.md`.

#![cfg(unix)]

use serde_json::json;

use crate::fs;
use crate::gateway::Place;

const GUIDE: &str = include_str!("../../../docs/guide/approvals.md");
/// The id that the page has.
const ID: &str = "k3x9m2ab";

/// The blocks of a language that this file runs.
fn blocks(language: &str) -> Vec<&'static str> {
    let start = format!("<!-- run by cli/tests/cli/approvals_guide.rs -->\n```{language}\n");
    GUIDE.split(&*start).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// Words that are of each run and not of the page: times, how long, digests.
fn masked(text: &str) -> String {
    let is_long = |word: &str| {
        let word = word.trim_end_matches(',');
        word.len() > 1
            && word.starts_with(|letter: char| letter.is_ascii_digit())
            && word.ends_with(['h', 'm', 's'])
            && word.chars().all(|letter| letter.is_ascii_digit() || "hms".contains(letter))
    };
    let is_time = |word: &str| word.starts_with("20") && word.trim_end_matches([':', ',']).ends_with('Z');
    let mask = |word: &str| {
        if is_time(word) || is_long(word) || word.starts_with("sha256:") {
            "*".to_owned()
        } else {
            word.to_owned()
        }
    };
    // The folder and the command are the test's own.
    let elsewhere = |line: &str| match (line.find(" in /"), line.find(" #")) {
        (Some(from), Some(to)) if from < to => {
            format!("{} in *{}", &line[..from], &line[to + " #3fa9c2d1".len()..])
        }
        _ => line.to_owned(),
    };
    text.lines()
        .map(elsewhere)
        .map(|line| line.split_whitespace().map(mask).collect::<Vec<_>>().join(" ") + "\n")
        .collect()
}

#[test]
fn the_guide_works_as_it_says() {
    let place = Place::new("approvals");
    fs::write(place.folder.join("files.yaml"), blocks("yaml")[0]).unwrap();
    let call = [("write_file", json!({"path": "/data/a.txt", "content": "x"}))];
    let told = |answer: &serde_json::Value| answer["content"][0]["text"].as_str().unwrap().to_owned();
    let consoles = blocks("console");
    assert_eq!((consoles.len(), blocks("text").len()), (5, 1));
    let mut id = String::new();
    for (index, block) in consoles.iter().enumerate() {
        let (command, expected) = block.strip_prefix("$ ").unwrap().split_once('\n').unwrap();
        let printed = place.callgate(&command.replace(ID, &id));
        assert_eq!(masked(&printed), masked(&expected.replace(ID, &id)), "{command}");
        match index {
            0 => {
                let answer = &place.client(&call)[0];
                id = answer["_meta"]["callgate/approval_id"].as_str().unwrap().to_owned();
                assert_eq!(answer["isError"], true);
                assert_eq!(told(answer) + "\n", blocks("text")[0].replace(ID, &id));
                // Waiting, it is the same call as before.
                assert!(told(&place.client(&call)[0]).contains(&id));
            }
            3 => {
                let answers = place.client(&[call[0].clone()]);
                assert!(answers[0]["isError"].is_null(), "{answers:?}");
                assert_eq!(told(&answers[0]), "done");
            }
            _ => {}
        }
    }
    let again = &place.client(&call)[0];
    assert!(again["isError"] == true && !told(again).contains(&id), "{again}");
}

/// What the page says of a denial, and of what is kept of arguments.
#[test]
fn a_denied_call_is_told_so_and_names_alone_are_kept_where_that_was_chosen() {
    let place = Place::new("approvals-denied");
    fs::write(place.folder.join("files.yaml"), blocks("yaml")[0]).unwrap();
    place.callgate("callgate proxy wrap .mcp.json --policy files.yaml");
    let file = place.folder.join(".mcp.json");
    let wrapped = fs::read_to_string(&file).unwrap();
    fs::write(&file, wrapped.replace("\"--\"", "\"--approval-args\", \"keys\", \"--\"")).unwrap();
    let call = [("write_file", json!({"path": "/data/a.txt", "content": "tell-nobody"}))];
    let id = place.client(&call)[0]["_meta"]["callgate/approval_id"].as_str().unwrap().to_owned();
    let shown = place.callgate(&format!("callgate approvals show {id}"));
    assert!(shown.contains("their names alone are kept: content, path\n"), "{shown}");
    place.callgate(&format!("callgate approvals deny {id}"));
    let answer = &place.client(&call)[0];
    let told = answer["content"][0]["text"].as_str().unwrap();
    assert!(answer["isError"] == true && told.contains("A person has denied it"), "{answer}");
    // Neither the store nor any record has the value.
    for folder in [place.folder.join("state"), place.folder.join("state/audit")] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let bytes = if path.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
            let secret = b"tell-nobody";
            assert!(!bytes.windows(secret.len()).any(|window| window == secret), "{}", path.display());
        }
    }
}
