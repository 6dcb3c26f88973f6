//! Calls inside of calls (spec 3.11, G9): what a dispatcher calls is decided with it, and charged once.

use callgate_rmcp::Guard;
use rmcp::ServerHandler;
use rmcp::model::*;
use rmcp::service::{RequestContext, RoleServer, Service as _, ServiceExt as _};
use serde_json::{Value, json};

use super::support::*;

const POLICY: &str = "
version: '1'
default: deny
dispatchers: {run: {tool: args.name, args: args.with}}
tools:
  run: {}
  pay: {limits: [{counter: paid, window: day, max: 5}]}
  typed: {}
";

/// Has a tool that calls those of a guarded server: as often, and with what, its arguments say.
struct Dispatcher(Guard<Bank>);

impl ServerHandler for Dispatcher {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let args = Value::Object(request.arguments.unwrap_or_default());
        let mut told = Vec::new();
        for inner in args["really"].as_array().unwrap() {
            let inner = CallToolRequest::new(params(inner["name"].as_str().unwrap(), &inner["with"]));
            let answer =
                self.0.handle_request(ClientRequest::CallToolRequest(inner), context.clone()).await?;
            told.push(text(&serde_json::to_value(answer).unwrap()).to_owned());
        }
        Ok(text_of(&told.join("; ")).into())
    }
}

#[tokio::test]
async fn an_inner_call_is_decided_once() {
    let (bank, (engine, store)) = (Bank::default(), engine(POLICY));
    let inner = Guard::new(bank.clone(), engine.clone());
    let (client, server) = tokio::io::duplex(1 << 16);
    let guard = Guard::new(Dispatcher(inner), engine);
    tokio::spawn(async move { guard.serve(server).await.unwrap().waiting().await });
    let client = ().serve(client).await.unwrap();
    let run = async |inner: Value, really: &[Value]| {
        let args = json!({"name": inner["name"], "with": inner["with"], "really": really});
        let answer = client.call_tool(params("run", &args)).await;
        serde_json::to_value(answer.unwrap()).unwrap()
    };
    let pay = json!({"name": "pay", "with": {"a": 1, "b": 2}});
    assert_eq!(text(&run(pay.clone(), &[json!({"name": "pay", "with": {"b": 2, "a": 1}})]).await), "done");
    assert_eq!(used(&store), "1");
    // The same a second time, and other arguments, are calls of their own.
    assert_eq!(text(&run(pay.clone(), &[pay.clone(), pay.clone()]).await), "done; done");
    assert_eq!(used(&store), "3");
    assert_eq!(text(&run(pay.clone(), &[json!({"name": "pay", "with": {"a": 9}})]).await), "done");
    assert_eq!(used(&store), "5");
    assert_eq!(code(&run(pay.clone(), &[]).await), "limit_exceeded");
    let typed = json!({"name": "typed", "with": {}});
    let other = run(typed.clone(), std::slice::from_ref(&pay)).await;
    assert!(text(&other).starts_with("Rate limit of 5 per day"), "{other}");
    let hidden = run(typed, &[json!({"name": "fail", "with": {}})]).await;
    assert_eq!(text(&hidden), "Tool \"fail\" is not permitted by policy");
    assert_eq!(bank.reached(), ["pay", "pay", "pay", "pay"]);
}
