//! Callers (G8): each request has its own, and what a policy needs of them is said.

use std::sync::{Arc, Mutex};

use callgate::Policy;
use callgate_rmcp::{Guard, Unmatched};
use rmcp::model::ElicitationAction;
use serde_json::json;
use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Metadata, Subscriber, span};

use super::support::*;

/// What was logged on this thread, with the fields of spans.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    /// Collects what is logged on this thread from now on.
    pub(crate) fn here() -> (Self, DefaultGuard) {
        let log = Self::default();
        (log.clone(), tracing::subscriber::set_default(log))
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.push_str(&format!("{}={value:?} ", field.name()));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push_str(&format!("{}={value} ", field.name()));
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "callgate"
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        let mut line = Line("span ".to_owned());
        attributes.record(&mut line);
        self.0.lock().unwrap().push(line.0);
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

const POLICY: &str = "version: '1'
default: deny
tools:
  pay: {require: [{path: identity.role, op: eq, value: clerk}]}
  settle: {limits: [{counter: spend, window: day, max: 5, scope: session}]}
";

fn warnings(log: &Log) -> Vec<String> {
    log.lines().iter().filter(|line| line.starts_with("message=policy: line")).cloned().collect()
}

/// G8.4: over HTTP without an identity a guard says once which rules need one, and what to write instead.
#[tokio::test]
async fn who_calls_is_asked_for_over_http() {
    let (log, _here) = Log::here();
    let (engine, _) = engine(POLICY);
    let uri = serve_http(Guard::new(Bank::default(), engine.clone())).await;
    for _ in 0..2 {
        let client = connect_to(&uri, &Person::who(ElicitationAction::Accept)).await;
        call(&client, "pay", json!({})).await;
    }
    let told = warnings(&log);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("line 4: `identity.role` needs an identity: verify tokens"), "{told:?}");
    assert!(told[1].contains("line 5: `scope: session` needs a session"), "{told:?}");
    // Over streams the caller is who started the server; a host that tells who calls needs no warning, but for sessions.
    let (log, _here) = Log::here();
    let client = Over::Streams
        .connect(&Guard::new(Bank::default(), engine.clone()), &Person::who(ElicitationAction::Accept))
        .await;
    call(&client, "pay", json!({})).await;
    assert_eq!(warnings(&log), [""; 0]);
    let known = Guard::new(Bank::default(), engine).identity(|_| Some(json!({"id": "alice"})));
    let client = Over::HttpOf2026.connect(&known, &Person::who(ElicitationAction::Accept)).await;
    call(&client, "pay", json!({})).await;
    let told = warnings(&log);
    assert!(told.len() == 1 && told[0].contains("line 5: `scope: session`"), "{told:?}");
}

/// G8.5: each caller may have an engine; without one a request is refused.
#[tokio::test]
async fn each_caller_may_have_an_engine() {
    for over in Over::ALL {
        let (bank, (one, _), (other, _)) = (
            Bank::default(),
            engine("{version: '1', default: deny, tools: {pay: {}}}"),
            engine("{version: '1', default: deny, tools: {typed: {}}}"),
        );
        let guard = Guard::by_caller(bank.clone(), move |context| match &*context.client_info()?.version {
            "one" => Some(one.clone()),
            "other" => Some(other.clone()),
            _ => None,
        });
        assert!(guard.engine().is_none());
        let named = |version: &str| {
            let mut person = Person::who(ElicitationAction::Accept);
            person.version = version.to_owned();
            person
        };
        let client = over.connect(&guard, &named("one")).await;
        assert_eq!(text(&call(&client, "pay", json!({})).await), "done", "{over:?}");
        assert_eq!(code(&call(&client, "typed", json!({})).await), "not_listed");
        let client = over.connect(&guard, &named("other")).await;
        assert_eq!(code(&call(&client, "pay", json!({})).await), "not_listed", "{over:?}");
        let client = over.connect(&guard, &named("nobody")).await;
        let refused = call(&client, "pay", json!({})).await;
        assert_eq!(text(&refused), "The call could not be checked against the policy", "{over:?}");
        assert!(client.list_tools(None).await.is_err());
        assert_eq!(bank.reached(), ["pay"]);
    }
}

/// G4.6: names that the server does not have are told once, with the nearest; or no call runs.
#[tokio::test]
async fn names_without_a_tool_are_told() {
    for over in Over::ALL {
        let (log, _here) = Log::here();
        let (bank, (engine, _)) =
            (Bank::default(), engine("{version: '1', default: allow, tools: {typd: {}}, hide: [undo]}"));
        let guard = Guard::new(bank.clone(), engine.clone());
        let client = over.connect(&guard, &Person::who(ElicitationAction::Accept)).await;
        client.list_tools(None).await.unwrap();
        assert_eq!(text(&call(&client, "pay", json!({})).await), "done");
        let told = warnings(&log);
        assert_eq!(told.len(), 1, "{over:?}: {told:?}");
        assert!(
            told[0].contains("line 1: `typd` matches no tool of the server; did you mean `typed`?"),
            "{told:?}"
        );

        let refusing =
            Guard::new(bank.clone(), engine.clone()).unmatched(Unmatched::Refuse).check_args(false);
        let client = over.connect(&refusing, &Person::who(ElicitationAction::Accept)).await;
        let refused = call(&client, "pay", json!({})).await;
        assert_eq!(text(&refused), "The call could not be checked against the policy", "{over:?}");
        engine.replace(Policy::from_yaml("{version: '1', default: allow, hide: [undo]}").unwrap());
        assert_eq!(text(&call(&client, "pay", json!({})).await), "done", "{over:?}");
        assert_eq!(bank.reached().len(), 2);
    }
}

/// G11.2: the span around what runs says what was decided.
#[tokio::test]
async fn spans_say_what_was_decided() {
    let (log, _here) = Log::here();
    let (engine, _) =
        engine("{version: '1', default: deny, tools: {pay: {rules: [{name: cap, rate_limit: 1/hour}]}}}");
    let client = Over::Streams
        .connect(&Guard::new(Bank::default(), engine), &Person::who(ElicitationAction::Accept))
        .await;
    for _ in 0..2 {
        call(&client, "pay", json!({})).await;
    }
    let spans: Vec<_> = log.lines().into_iter().filter(|line| line.starts_with("span ")).collect();
    assert_eq!(
        spans,
        [
            "span callgate.effect=allow callgate.code=allowed callgate.tool=pay callgate.rule= ",
            "span callgate.effect=deny callgate.code=limit_exceeded callgate.tool=pay callgate.rule=cap ",
        ]
    );
}
