//! rmcp's client, connected to the server of a job: what it answers, what it hears, and what it gets.
//!
//! In: calls and requests. Out: answers as JSON, an error as its code, message and data. Must not judge them.

#![expect(deprecated, reason = "the revision of 2025-11-25 has sampling, and a policy decides it")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use callgate_tests::guards::Era;
use rmcp::model::{
    CallToolRequestParams, ClientConfig, CreateMessageRequestParams, CreateMessageResult,
    ElicitRequestParams, ElicitResult, ErrorData, PaginatedRequestParams, ProgressNotificationParam,
    ProtocolVersion,
};
use rmcp::service::{
    ClientLifecycleMode, ClientServiceExt as _, NotificationContext, RequestContext, RoleClient,
    RunningService,
};
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use rmcp::{ClientHandler, ServiceError};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::Job;

/// What the person at the client was asked and told.
#[derive(Default)]
pub(crate) struct Told {
    /// Questions that are not yet answered.
    pub(crate) questions: Vec<oneshot::Sender<Value>>,
    /// How often each request and notification of the server came.
    pub(crate) seen: BTreeMap<String, u32>,
    /// The most progress of any call: rmcp asks for it at each.
    pub(crate) progress: f64,
}

impl Told {
    fn count(&mut self, method: &str) {
        *self.seen.entry(method.to_owned()).or_default() += 1;
    }
}

#[derive(Clone, Default)]
pub(crate) struct Person(pub(crate) Arc<Mutex<Told>>);

impl ClientHandler for Person {
    fn get_info(&self) -> ClientConfig {
        made(json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {"sampling": {}, "elicitation": {"form": {}}},
            "clientInfo": {"name": "scenario", "version": "1"},
        }))
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let which = json!(request)["requestedSchema"]["properties"].get("which").is_some();
        let answered = {
            let mut told = self.0.lock().unwrap();
            told.count("elicitation/create");
            let (question, answered) = oneshot::channel();
            told.questions.push(question);
            answered
        };
        let action = answered.await.unwrap_or_else(|_| "cancel".into());
        let content = if which { json!({"which": "this"}) } else { json!({}) };
        Ok(if action == "accept" {
            made(json!({"action": action, "content": content}))
        } else {
            made(json!({ "action": action }))
        })
    }

    async fn create_message(
        &self,
        _request: CreateMessageRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        self.0.lock().unwrap().count("sampling/createMessage");
        Ok(made(
            json!({"role": "assistant", "content": {"type": "text", "text": "sampled"}, "model": "none"}),
        ))
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.0.lock().unwrap().count("notifications/tools/list_changed");
    }

    async fn on_progress(
        &self,
        params: ProgressNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        let mut told = self.0.lock().unwrap();
        told.progress = told.progress.max(params.progress);
    }
}

pub(crate) struct Client {
    running: RunningService<RoleClient, Person>,
    is_modern: bool,
}

impl Client {
    pub(crate) async fn connect(job: &Job, person: Person) -> Self {
        let is_modern = job.scenario.era == Some(Era::Modern);
        let lifecycle = if is_modern {
            ClientLifecycleMode::Discover {
                preferred_versions: vec![made::<ProtocolVersion>("2026-07-28".into())],
            }
        } else {
            ClientLifecycleMode::Initialize
        };
        let running = match (&job.command, &job.url) {
            (Some(command), _) => {
                let mut program = tokio::process::Command::new(&command[0]);
                program.args(&command[1..]);
                person
                    .serve_with_lifecycle(TokioChildProcess::new(program).unwrap(), lifecycle)
                    .await
                    .unwrap()
            }
            (None, url) => {
                let transport = StreamableHttpClientTransport::from_uri(url.clone().unwrap());
                person.serve_with_lifecycle(transport, lifecycle).await.unwrap()
            }
        };
        Self { running, is_modern }
    }

    /// Dropped, it tells the server that the call is cancelled.
    pub(crate) async fn call(&self, tool: &str, arguments: Option<&Value>) -> Value {
        let mut params = CallToolRequestParams::new(tool.to_owned());
        params.arguments = arguments.and_then(Value::as_object).cloned();
        answered(self.running.call_tool(params).await)
    }

    pub(crate) async fn request(&self, method: &str, params: Value) -> Value {
        match method {
            "resources/read" => answered(self.running.read_resource(made(params)).await),
            "prompts/get" => answered(self.running.get_prompt(made(params)).await),
            "ping" => {
                self.ping().await;
                json!({"result": {}})
            }
            _ => panic!("no client asks for {method}"),
        }
    }

    /// The server answers something.
    pub(crate) async fn ping(&self) {
        if self.is_modern {
            self.running.list_tools(None).await.unwrap();
        } else {
            let ping = made(json!({"method": "ping"}));
            self.running.send_request(ping).await.unwrap();
        }
    }

    pub(crate) async fn pages(&self, method: &str) -> Vec<Value> {
        let mut found = Vec::new();
        let mut cursor = None;
        loop {
            let params = PaginatedRequestParams::default().with_cursor(cursor);
            let page = match method {
                "resources/list" => json!(self.running.list_resources(Some(params)).await.unwrap()),
                "prompts/list" => json!(self.running.list_prompts(Some(params)).await.unwrap()),
                _ => json!(self.running.list_tools(Some(params)).await.unwrap()),
            };
            cursor = page["nextCursor"].as_str().map(str::to_owned);
            found.push(page);
            if cursor.is_none() {
                return found;
            }
        }
    }

    /// What is under way fails.
    pub(crate) fn leave(&self) {
        self.running.cancellation_token().cancel();
    }

    /// The connection is closed, and over HTTP its session.
    pub(crate) async fn left(mut self) {
        let _ = self.running.close().await;
    }
}

fn answered<T: serde::Serialize>(result: Result<T, ServiceError>) -> Value {
    match result {
        Ok(result) => json!({ "result": result }),
        Err(ServiceError::McpError(error)) => json!({ "error": error }),
        // What the client itself makes of it is no answer of a server.
        Err(error) => json!({"thrown": error.to_string()}),
    }
}

/// What rmcp has for this JSON.
fn made<T: DeserializeOwned>(json: Value) -> T {
    serde_json::from_value(json).unwrap()
}
