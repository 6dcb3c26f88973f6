//! rmcp's client in front of rmcp's server: through `callgate proxy` with a policy that allows all, and without one, every message is the
//! same, byte for byte, as without it. What passes is recorded at the client's side.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rmcp::ServiceExt as _;
use rmcp::model::{CallToolRequestParams, ClientConfig, ProtocolVersion};
use rmcp::service::{ClientLifecycleMode, ClientServiceExt as _, RoleClient, RunningService};
use rmcp::transport::TokioChildProcess;
use serde_json::{Value, json};

const ALLOW: &str = "version: \"1\"\ndefault: allow\n";
/// Rules that read arguments, so that calls wait for the list that the proxy asks for; they deny nothing.
const READS: &str = "tools: {\"*\": {deny_if: [{path: args.never, op: exists, value: true}]}}\n";
const DENY: &str = "tools: {customers: {rules: [{action: deny}]}}\n";

fn recording() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/recording.py")
}

/// The example is built by the same `cargo test` that runs this; it lies beside the tests.
fn server() -> PathBuf {
    let mut path = env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.join("examples").join(format!("rmcp_server{}", env::consts::EXE_SUFFIX))
}

/// A folder of this test alone.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("recorded").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// What stands before the server: the proxy with a policy, or without one.
fn through(folder: &Path, name: &str, policy: Option<&str>) -> Vec<OsString> {
    let mut command: Vec<OsString> = vec![env!("CARGO_BIN_EXE_callgate").into(), "proxy".into()];
    command.extend(["--name", "server", "--store", "memory", "--without-schema", "allow"].map(Into::into));
    command.extend(["--audit".into(), folder.join("audit.jsonl").into()]);
    if let Some(policy) = policy {
        let file = folder.join(format!("{name}.yaml"));
        fs::write(&file, policy).unwrap();
        command.extend(["-p".into(), file.into()]);
    }
    command.push("--".into());
    command
}

async fn connect(
    revision: &ProtocolVersion,
    command: tokio::process::Command,
) -> RunningService<RoleClient, ClientConfig> {
    let transport = TokioChildProcess::new(command).unwrap();
    let mut info = ClientConfig::default();
    info.protocol_version = revision.clone();
    if revision.has_initialize() {
        return info.serve(transport).await.unwrap();
    }
    let mode = ClientLifecycleMode::Discover { preferred_versions: vec![revision.clone()] };
    info.serve_with_lifecycle(transport, mode).await.unwrap()
}

async fn call(client: &RunningService<RoleClient, ClientConfig>, tool: &'static str, args: Value) {
    let Value::Object(args) = args else { panic!("arguments are an object") };
    // How it ends is in the recording.
    let _ = client.call_tool(CallToolRequestParams::new(tool).with_arguments(args)).await;
}

/// What a client does; gives the recording's prefix.
async fn record(folder: &Path, name: &str, before: Vec<OsString>, revision: &ProtocolVersion) -> PathBuf {
    let prefix = folder.join(name);
    let mut command = tokio::process::Command::new("python3");
    command.arg(recording()).arg("tee").arg(&prefix).args(before).arg(server());
    let client = connect(revision, command).await;
    client.list_all_tools().await.unwrap();
    for amount in [json!(4200), json!(13), json!(14), json!("1"), json!(1e300)] {
        call(&client, "charge", json!({"amount": amount, "note": "Ünïcödé \u{1f600} \u{0}"})).await;
    }
    call(&client, "customers", json!({})).await;
    call(&client, "missing", json!({"deep": [[{"a": [1.5, null, true]}]]})).await;
    client.cancel().await.unwrap();
    prefix
}

fn compared(direct: &Path, relayed: &Path) -> Output {
    Command::new("python3").arg(recording()).arg("compare").arg(direct).arg(relayed).output().unwrap()
}

async fn is_equal(revision: ProtocolVersion) {
    let folder = folder(revision.as_str());
    let direct = record(&folder, "direct", Vec::new(), &revision).await;
    let said = fs::read_to_string(direct.with_extension("client")).unwrap();
    assert!(said.contains(revision.as_str()) && said.lines().count() >= 8, "{said}");
    let reads = format!("{ALLOW}{READS}");
    for (name, policy) in [("allow", Some(ALLOW)), ("reads", Some(&*reads)), ("none", None)] {
        let relayed = record(&folder, name, through(&folder, name, policy), &revision).await;
        let found = compared(&direct, &relayed);
        assert!(found.status.success(), "{name}: {}", String::from_utf8_lossy(&found.stdout));
    }
}

#[tokio::test]
async fn the_same_at_2025_06_18() {
    is_equal(ProtocolVersion::V_2025_06_18).await;
}

#[tokio::test]
async fn the_same_at_2025_11_25() {
    is_equal(ProtocolVersion::V_2025_11_25).await;
}

#[tokio::test]
async fn the_same_at_2026_07_28() {
    is_equal(ProtocolVersion::V_2026_07_28).await;
}

#[tokio::test]
async fn a_difference_is_found() {
    let (folder, revision) = (folder("different"), ProtocolVersion::V_2025_11_25);
    let direct = record(&folder, "direct", Vec::new(), &revision).await;
    let denied = format!("{ALLOW}{DENY}");
    let relayed = record(&folder, "denied", through(&folder, "denied", Some(&denied)), &revision).await;
    assert!(compared(&direct, &direct).status.success());
    assert!(!compared(&direct, &relayed).status.success());
}
