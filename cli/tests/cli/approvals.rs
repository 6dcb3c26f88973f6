//! `callgate approvals`: what one process files, another lists, shows and answers.

use std::time::Duration;

use callgate::store::{
    ApprovalArgs, ApprovalCall, ApprovalRecord, ApprovalRequest, ApprovalState, Batch, Filed, Verdict,
};
use callgate::time::{Clock as _, SystemClock};
use callgate::{Call, Engine, Identity, Policy};
use callgate_host::{SharedStore, StoreOptions, open_store};

use crate::{Path, Run, callgate, fs, json};

/// What a gateway files in a store of its own.
struct Gateway {
    url: String,
    store: SharedStore,
    engine: Engine,
}

impl Gateway {
    fn new(name: &str) -> Self {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("approvals-{name}.db"));
        for end in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{end}", file.display()));
        }
        let url = format!("sqlite://{}", file.display());
        let options = StoreOptions::new().with_namespace("bank").with_timeout(Duration::from_secs(20));
        let policy: Policy = "
            version: '1'
            default: allow
            tools: {deploy: {rules: [{action: require_approval, name: ours, approval: {approvers: [ann, bob], uses: 2}}]}}
            all_tools: {rules: [{action: require_approval, name: big}]}"
            .parse()
            .unwrap();
        Self { store: open_store(&url, &options).unwrap(), url, engine: Engine::new(policy) }
    }

    fn filed(&self, tool: &str, args: ApprovalArgs) -> Filed {
        let decision = self.engine.decide(&Call::without_args(tool).identity(Identity::new("alice")));
        let call = ApprovalCall::new(&decision, "bank", Some("alice")).unwrap();
        self.store.approvals().file(&ApprovalRequest { call, args }, SystemClock.now()).unwrap()
    }

    fn record(&self, tool: &str, args: ApprovalArgs) -> ApprovalRecord {
        match self.filed(tool, args) {
            Filed::New(record) | Filed::Found(record) => *record,
            Filed::Full => panic!("it is full"),
        }
    }

    fn file(&self, tool: &str) -> ApprovalRecord {
        self.record(tool, ApprovalArgs::full("{\"to\":\"bob\"}"))
    }

    fn ask(&self, words: &[&str]) -> Run {
        callgate(&[&["approvals"], words, &["--store", &self.url]].concat())
    }

    fn spend(&self, record: &ApprovalRecord) -> bool {
        let id = record.approval_id().unwrap();
        let batch = Batch { approval: Some((&*id).into()), asks: true, ..Batch::default() };
        self.store.blocking().reserve(&batch, SystemClock.now()).unwrap().verdict == Verdict::Reserved
    }
}

#[test]
fn a_call_is_listed_shown_approved_and_used() {
    let gateway = Gateway::new("whole");
    let run = gateway.ask(&["list"]);
    assert_eq!((run.status, &*run.out, &*run.err), (0, "no call waits for approval\n", ""));
    let record = gateway.file("pay");
    let run = gateway.ask(&["list"]);
    let rows: Vec<Vec<&str>> = run.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["ID", "STATE", "ENDS", "IN", "CALL", "SERVER", "CALLER", "RULES"]);
    assert_eq!((rows.len(), rows[1][0], rows[1][1]), (2, &*record.id, "pending"));
    assert_eq!(rows[1][3..], ["pay", "bank", "alice", "big"]);
    assert!(!run.out.contains("bob"), "a list shows arguments");

    let run = gateway.ask(&["show", &record.id.to_uppercase()]);
    assert_eq!((run.status, &*run.err), (0, ""));
    for part in [
        "pending",
        "tool       pay\n",
        "caller     alice\n",
        "asked by   big\n",
        "  arguments  {\"to\":\"bob\"}\n",
    ] {
        assert!(run.out.contains(part), "{part}: {}", run.out);
    }

    let run = gateway.ask(&["approve", &record.id, "--by", "carol", "--for", "10m"]);
    assert_eq!((run.status, &*run.err), (0, ""));
    assert!(run.out.starts_with(&format!("{}: granted by carol until ", record.id)), "{}", run.out);
    let granted = gateway.file("pay");
    let (by, at) = granted.answer.clone().unwrap();
    assert_eq!(
        (granted.state, by, granted.until),
        (ApprovalState::Granted, "carol".to_owned(), at.plus_millis(600_000))
    );
    assert!(gateway.ask(&["list"]).out.starts_with("no call waits"));
    assert!(gateway.spend(&granted));
    let run = gateway.ask(&["list", "--all", "--format", "json"]);
    assert_eq!(json(&run.out)["state"], "used");
    for words in [["deny", &record.id], ["approve", &record.id]] {
        let run = gateway.ask(&words);
        assert_eq!((run.status, &*run.out), (1, ""));
        assert!(run.err.contains("was let through before"), "{}", run.err);
    }
    // The same call once more waits under another id.
    assert_ne!(gateway.file("pay").id, record.id);
}

#[test]
fn only_approvers_approve() {
    let gateway = Gateway::new("approvers");
    let id = gateway.file("deploy").id;
    let run = gateway.ask(&["approve", &id, "--by", "carol"]);
    assert_eq!((run.status, &*run.out), (1, ""));
    assert!(run.err.contains("ann") && run.err.contains("bob"), "{}", run.err);
    assert_eq!(gateway.file("deploy").state, ApprovalState::Pending);
    assert_eq!(gateway.ask(&["approve", &id, "--by", "ann"]).status, 0);
    // Of two rules the fewer uses hold.
    let granted = gateway.file("deploy");
    assert!(gateway.spend(&granted));
    assert_ne!(gateway.file("deploy").id, id);
}

#[test]
fn a_denial_takes_an_approval_back() {
    let gateway = Gateway::new("deny");
    let id = gateway.file("pay").id;
    assert_eq!(gateway.ask(&["approve", &id]).status, 0);
    let granted = gateway.file("pay");
    let run = gateway.ask(&["deny", &id]);
    assert_eq!((run.status, &*run.err), (0, ""));
    assert!(!gateway.spend(&granted), "what was denied passes");
    let denied = gateway.file("pay");
    let (by, at) = denied.answer.unwrap();
    assert_eq!((denied.state, denied.until), (ApprovalState::Denied, at.plus_millis(86_400_000)));
    assert!(!by.is_empty(), "nobody is named who denied");
}

#[test]
fn json_has_every_field() {
    let gateway = Gateway::new("json");
    let record = gateway.file("pay");
    let line = json(&gateway.ask(&["show", &record.id, "--format", "json"]).out);
    for (field, value) in [
        ("id", &*record.id),
        ("state", "pending"),
        ("namespace", "bank"),
        ("server", "bank"),
        ("method", "tools/call"),
        ("tool", "pay"),
        ("caller", "alice"),
        ("key", &*record.call.key),
        ("policy", &*record.call.policy),
        ("filed_at", &*record.filed_at.to_string()),
        ("until", &*record.until.to_string()),
    ] {
        assert_eq!(line[field], value, "{field}");
    }
    assert_eq!(line["rules"], serde_json::json!(["big"]));
    assert!(line["by"].is_null() && line["answered_at"].is_null());
    assert_eq!(line["args"], serde_json::json!({"kind": "full", "text": "{\"to\":\"bob\"}", "bytes": 12}));
    let listed = json(&gateway.ask(&["list", "--format", "json"]).out);
    assert!(listed.get("args").is_none(), "{listed}");
    let answered = json(&gateway.ask(&["approve", &record.id, "--by", "carol", "--format", "json"]).out);
    assert_eq!((&answered["state"], &answered["by"]), (&"granted".into(), &"carol".into()));
}

/// What a client chose can neither steer the terminal nor hide.
#[test]
fn nothing_shown_steers_the_terminal() {
    let gateway = Gateway::new("escapes");
    let odd = "a\u{1b}[2J\u{202e}b\u{200b}\u{e0041}c\n";
    let record = gateway.record(odd, ApprovalArgs::full(&format!("{{\"{odd}\": 1}}")));
    let steers = |text: &str| {
        text.chars().any(|letter| {
            (letter.is_control() && letter != '\n') || "\u{202e}\u{200b}\u{e0041}".contains(letter)
        })
    };
    for words in [
        &["list"][..],
        &["show", &record.id],
        &["list", "--format", "json"],
        &["show", &record.id, "--format", "json"],
    ] {
        let run = gateway.ask(words);
        assert!(run.status == 0 && !steers(&run.out), "{words:?}: {:?}", run.out);
    }
    let shown = gateway.ask(&["show", &record.id]).out;
    let escaped = "a\\u{1b}[2J\\u{202e}b\\u{200b}\\u{e0041}c\\u{a}";
    assert!(shown.contains(&format!("arguments  {{\"{escaped}\": 1}}")), "{shown}");
    // A program gets the very text.
    let line = json(&gateway.ask(&["show", &record.id, "--format", "json"]).out);
    assert_eq!(
        (line["tool"].as_str(), line["args"]["text"].as_str()),
        (Some(odd), Some(&*format!("{{\"{odd}\": 1}}")))
    );
}

#[test]
fn arguments_that_cannot_be_shown_whole_are_not_approved_by_accident() {
    let gateway = Gateway::new("cut");
    let long = gateway.record("pay", ApprovalArgs::full(&"x".repeat(100_000)));
    let run = gateway.ask(&["approve", &long.id]);
    assert_eq!((run.status, &*run.out), (1, ""));
    assert!(run.err.contains("100000 bytes") && run.err.contains("--unseen"), "{}", run.err);
    assert_eq!(gateway.file("pay").state, ApprovalState::Pending);
    let run = gateway.ask(&["show", &long.id]);
    assert!(run.out.contains("cut: 65,536 of 100,000 bytes are kept"), "{}", &run.out[run.out.len() - 200..]);
    assert_eq!(gateway.ask(&["deny", &long.id]).status, 0);
    assert_eq!(gateway.ask(&["approve", &long.id, "--unseen"]).status, 0);
    // What the host chose not to keep is no accident.
    for (tool, args) in [("none", ApprovalArgs::Omitted), ("keys", ApprovalArgs::keys(&["to".to_owned()]))] {
        let id = gateway.record(tool, args).id;
        assert_eq!(gateway.ask(&["approve", &id]).status, 0);
    }
    let id = gateway.record("keys", ApprovalArgs::Omitted).id;
    assert!(gateway.ask(&["show", &id]).out.contains("their names alone are kept: to\n"));
}

#[test]
fn namespaces_are_found_unless_one_is_named() {
    let gateway = Gateway::new("namespaces");
    let bank = gateway.file("pay").id;
    let other = Gateway { store: gateway.store.namespaced("team").unwrap(), ..Gateway::new("unused") };
    let team = other.file("pay").id;
    let ids = |words: &[&str]| {
        let run = gateway.ask(&[&["list", "--format", "json"], words].concat());
        assert_eq!((run.status, &*run.err), (0, ""));
        run.out.lines().map(|line| json(line)["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&[]), [bank.clone(), team.clone()]);
    assert_eq!(ids(&["--namespace", "team"]), vec![team.clone()]);
    assert_eq!(ids(&["--namespace", "none"]), [""; 0]);
    assert!(gateway.ask(&["list"]).out.contains("bank in team"));
    assert_eq!(gateway.ask(&["show", &team, "--namespace", "bank"]).status, 1);
    // Several at once; one that is not there keeps no other from being answered.
    let run = gateway.ask(&["approve", "00000000", &team, &bank, &team]);
    assert_eq!((run.status, run.out.lines().count()), (1, 2), "{}", run.out);
    assert!(run.err.contains("no call has the id 00000000"), "{}", run.err);
    assert_eq!(other.file("pay").state, ApprovalState::Granted);
}

#[test]
fn the_users_own_store_is_asked_by_default() {
    let state = Path::new(env!("CARGO_TARGET_TMPDIR")).join("approvals-state");
    let _ = fs::remove_dir_all(&state);
    fs::create_dir_all(&state).unwrap();
    let run = |words: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_callgate"));
        let run = command.arg("approvals").args(words).env("CALLGATE_STATE_DIR", &state).output().unwrap();
        (run.status.code().unwrap(), String::from_utf8(run.stdout).unwrap())
    };
    assert_eq!(run(&["list"]), (0, "no call waits for approval\n".to_owned()));
    assert_eq!(run(&["show", "k3x9m2ab"]).0, 1);
    assert!(fs::read_dir(&state).unwrap().next().is_none(), "asking makes no file");
    let url = format!("sqlite://{}", state.join("store.db").display());
    let store = open_store(&url, &StoreOptions::new().with_namespace("bank")).unwrap();
    let id = Gateway { store, ..Gateway::new("unused-state") }.file("pay").id;
    assert!(run(&["list"]).1.contains(&id));
    assert_eq!(run(&["approve", &id]).0, 0);
}

#[test]
fn what_cannot_be_asked_is_an_error() {
    let gateway = Gateway::new("errors");
    let id = gateway.file("pay").id;
    for (words, part) in [
        (&["approve", &id, "--for", "367d"][..], "366d"),
        (&["approve", &id, "--for", "0s"], "366d"),
        (&["approve", &id, "--for", "1w"], "duration"),
        (&["approve", &id, "--by", " "], "--by"),
        (&["approve"], "ID"),
    ] {
        let run = gateway.ask(words);
        assert_eq!((run.status, &*run.out), (2, ""), "{words:?}");
        assert!(run.err.contains(part), "{words:?}: {}", run.err);
    }
    for (store, part) in
        [("memory", "one process"), ("sqlite://no/such/file.db", "cannot be opened"), ("nowhere", "")]
    {
        let run = callgate(&["approvals", "list", "--store", store]);
        assert_eq!(run.status, 2, "{store}");
        assert!(run.err.contains(part), "{store}: {}", run.err);
    }
    assert_eq!(gateway.file("pay").state, ApprovalState::Pending);
}
