//! Five tools that have public pages elsewhere: what our classifier and the recommended policy say of each, beside the policies that those
//! pages quote. `docs/guide/recommended-policies.md` has the same as a table.

#![expect(clippy::unwrap_used, reason = "tests may fail by panicking")]

use std::fs;
use std::path::Path;

use callgate::{Engine, Identity, Policy};
use callgate_analysis::page::page;
use callgate_analysis::recommend::{Options, recommend};
use callgate_analysis::risk::{self, Class, Direction, Label, Severity, classify};
use serde_json::{Value, json};

const GUIDE: &str = include_str!("../../docs/guide/recommended-policies.md");

/// A tool, where its definition is from, and the policy that its page quotes or describes.
struct Five {
    tool: &'static str,
    server: &'static str,
    /// The server's list in the catalogue. Without it the published package has no such tool, and a name is all that the page tells.
    list: Option<&'static str>,
    policy: &'static str,
    /// How often the page's policy lets an agent call the tool in a minute, and then whether a person is asked before.
    theirs: (u32, bool),
    confidence: u8,
    credentials: bool,
}

const FIVE: [Five; 5] = [
    Five {
        tool: "CreateTokenWithIAM",
        server: "awslabs.amazon-qindex-mcp-server",
        list: Some("awslabs.amazon-qindex-mcp-server"),
        policy: "seed-create-token-with-iam.yaml",
        theirs: (30, false),
        confidence: 74,
        credentials: true,
    },
    Five {
        tool: "identity_create_workload_identity",
        server: "awslabs.amazon-mq-mcp-server",
        list: None,
        policy: "seed-described.yaml",
        theirs: (0, true),
        confidence: 68,
        credentials: false,
    },
    Five {
        tool: "create_user",
        server: "awslabs.amazon-mq-mcp-server",
        list: None,
        policy: "seed-described.yaml",
        theirs: (10, false),
        confidence: 68,
        credentials: false,
    },
    Five {
        tool: "create_access_key",
        server: "awslabs.iam-mcp-server",
        list: Some("awslabs.iam-mcp-server"),
        policy: "seed-create-access-key.json",
        theirs: (30, false),
        confidence: 99,
        credentials: true,
    },
    Five {
        tool: "create_user",
        server: "awslabs.ecs-mcp-server",
        list: None,
        policy: "seed-create-user.json",
        theirs: (30, false),
        confidence: 68,
        credentials: false,
    },
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn tools_of(five: &Five) -> Vec<Value> {
    let Some(list) = five.list else { return vec![json!({"name": five.tool})] };
    let text = fs::read_to_string(root().join("catalogue").join(list).join("tools.json")).unwrap();
    let list: Value = serde_json::from_str(&text).unwrap();
    list.get("tools").unwrap().as_array().unwrap().clone()
}

/// How many calls of an agent pass in a minute, and what the next is told.
fn passes(policy: &str, tool: &str) -> (u32, String) {
    let engine = Engine::new(policy.parse::<Policy>().unwrap());
    let claims = json!({"id": "agent-7", "grant": "g-1", "session": "s-1"});
    let identity = Identity::claims(&claims);
    for passed in 0..1_000 {
        let decision = engine.evaluate(tool, &json!({"name": "x"}), &identity);
        if !decision.allowed() {
            return (passed, decision.code().as_str().to_owned());
        }
    }
    (1_000, "allowed".to_owned())
}

#[test]
fn five_tools_are_told_by_their_own_evidence() {
    let known = risk::Options::new();
    for five in &FIVE {
        let tools = tools_of(five);
        let risks = classify(five.server, &tools, &known);
        let risk = risks.iter().find(|risk| risk.name == five.tool).unwrap();
        let name = format!("{} of {}: {risk:#?}", five.tool, five.server);
        assert_eq!(
            (risk.class, risk.severity, risk.confidence),
            (Class::Write, Severity::Critical, five.confidence),
            "{name}"
        );
        assert!(risk.labels.contains(&Label::IdentityAdmin), "{name}");
        assert_eq!(risk.labels.contains(&Label::Credentials), five.credentials, "{name}");
        let lowered = risk.reasons.iter().filter(|reason| reason.direction == Direction::Against);
        let is_silent = lowered.clone().any(|reason| reason.text == "no description: −10");
        assert_eq!(is_silent, five.list.is_none(), "{name}");

        let written = recommend(five.server, &tools, &risks, &Options::new(&known), "p.yaml").unwrap();
        assert_eq!(passes(&written.policy, five.tool), (0, "approval_required".to_owned()), "{name}");
        let page = page(five.server, &tools, five.tool, &Options::new(&known)).unwrap();
        let rule = page.rule.unwrap();
        assert!(rule.contains("rate_limit: 3/day") && rule.contains("action: require_approval"), "{rule}");
        assert_eq!(page.description.is_none(), five.list.is_none());

        // Their policies load as they stand.
        let theirs = fs::read_to_string(root().join("spec/policies").join(five.policy)).unwrap();
        let (most, asks) = five.theirs;
        let then = if asks { "approval_required" } else { "limit_exceeded" };
        let found = passes(&theirs, five.tool);
        assert_eq!(found, (most, then.to_owned()), "{name}");
    }
}

/// The guide's table has a row for each, with what this test found.
#[test]
fn the_guide_tells_the_same() {
    let (_, section) = GUIDE.split_once("## The five pages").unwrap();
    for five in &FIVE {
        let row =
            section.lines().find(|line| line.starts_with(&format!("| `{}` | `{}`", five.tool, five.server)));
        let row = row.unwrap_or_else(|| panic!("{} of {}", five.tool, five.server));
        assert!(row.contains(&format!("Write, critical, {}", five.confidence)), "{row}");
    }
}
