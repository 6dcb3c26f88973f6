//! The host's side of a scenario: the engine, who calls, who approves, and a guard around the server.
//!
//! In: a scenario. Out: the guard, and the steps that no client plays. Must not play a client.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callgate::lock::OnDrift;
use callgate::store::{ApprovalAnswer, Approvals as _, Inspect as _, LiveCounter, Owner};
use callgate::time::{ManualClock, Timestamp};
use callgate::{Engine, MemoryStore, Policy};
use callgate_rmcp::{Guard, Unmatched};
use callgate_tests::guards::{self, Approvals, Scenario};
use serde_json::Value;
use tokio::sync::oneshot;

use super::{Server, Shared};

pub(crate) struct Hosted {
    pub(crate) engine: Arc<Engine>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) guard: Guard<Arc<Server>>,
    /// Whose definitions are checked against, if any are.
    pub(crate) checked: Option<Arc<Server>>,
    /// Who calls in the step that runs.
    pub(crate) identity: Arc<Mutex<Option<Value>>>,
    pub(crate) known: Option<Value>,
    pub(crate) approvals: Approvals,
    pub(crate) server_name: Option<String>,
    pub(crate) shared: Shared,
}

impl Hosted {
    pub(crate) fn new(scenario: &mut Scenario) -> Self {
        let store = Arc::new(MemoryStore::new());
        let policy = Policy::from_yaml(&scenario.policy()).unwrap();
        // Time stands still for counters, too, so that a message which tells one can be compared.
        let clock = Arc::new(ManualClock::new("2026-11-21T10:00:00.000Z".parse().unwrap()));
        let engine = Arc::new(Engine::builder(policy).clock(clock).store(store.clone()).build());
        let shared = Shared::default();
        let server = Arc::new(Server::new(scenario, shared.clone()));
        let mut guard = Guard::new(server.clone(), engine.clone());
        if let Some(names) = &scenario.lock {
            let listed = guards::listed(&server.tools, &BTreeMap::new());
            let on_drift = match scenario.options.get("on_drift").and_then(Value::as_str) {
                Some("deny") => OnDrift::Deny,
                _ => OnDrift::Hide,
            };
            guard = guard.lock(guards::lock("server", names, &listed).pins(None).unwrap(), on_drift);
        }
        let mut checks = true;
        let mut server_name = None;
        for (option, value) in &scenario.options {
            match &**option {
                "server_name" => {
                    let name = value.as_str().unwrap().to_owned();
                    guard = guard.server_name(&name);
                    server_name = Some(name);
                }
                "check_args" => {
                    checks = value.as_bool().unwrap();
                    guard = guard.check_args(checks);
                }
                "max_waiting" => guard = guard.max_waiting(value.as_u64().unwrap().try_into().unwrap()),
                "unmatched" => {
                    assert_eq!(value, "refuse");
                    guard = guard.unmatched(Unmatched::Refuse);
                }
                "on_drift" => {}
                _ => panic!("this guard has no option {option}"),
            }
        }
        let identity = Arc::new(Mutex::new(scenario.identity.clone()));
        if scenario.identity.is_some() {
            let identity = identity.clone();
            guard = guard.identity(move |_| identity.lock().unwrap().clone());
        }
        match scenario.approvals {
            Approvals::Nobody => {}
            Approvals::Callback => {
                let shared = shared.clone();
                guard = guard.on_approval(move |_| {
                    let (sender, approval) = oneshot::channel();
                    let mut happened = shared.lock();
                    let call = happened.sending;
                    happened.approvals.insert(call, sender);
                    Box::pin(async move { approval.await.unwrap_or_default().into() })
                });
            }
            Approvals::Elicitation => guard = guard.approve_by_elicitation(),
            Approvals::Store => guard = guard.approve_by_store(store.clone(), Duration::ZERO),
        }
        Self {
            engine,
            store,
            guard,
            checked: checks.then_some(server),
            identity,
            known: scenario.identity.clone(),
            approvals: scenario.approvals,
            server_name,
            shared,
        }
    }

    /// The callback answers of this call.
    pub(crate) fn answer(&self, call: u64, is_yes: bool) {
        let approval = is_yes.then(|| format!("approval of {call}"));
        let _ = self.shared.lock().approvals.remove(&call).unwrap().send(approval);
    }

    /// Somebody answers of a call that is filed in the store.
    pub(crate) fn answer_in_store(&self, filed: &str, is_yes: bool) {
        let lasts = Duration::from_secs(600);
        let answer =
            if is_yes { ApprovalAnswer::grant("ann", lasts) } else { ApprovalAnswer::deny("ann", lasts) };
        self.store.answer(filed, &answer, self.engine.now()).unwrap();
    }

    /// What the only counter of the tool's entry holds.
    pub(crate) fn used(&self, tool: &str) -> String {
        let mut used = Vec::new();
        let mut show = |held: LiveCounter| {
            if *held.counter.owner() == Owner::Tool(tool.into()) {
                used.push(held.used.to_string());
            }
        };
        self.store.each(Timestamp::MIN, &mut show).unwrap();
        used.pop().unwrap_or_else(|| "0".to_owned())
    }
}
