//! The same decisions by callgate, by hand and by four policy engines, in turns. In: the payment policy in each one's language. Out: records.
//! Each engine is prepared as well as it lets itself be, once; a call pays for turning its arguments into what the engine reads.
//! cedar-policy changes what serde_json costs, so callgate and the function by hand are somewhat slower here than alone.

use std::hint::black_box;
use std::sync::Arc;

use callgate::{Call, Engine, Identity};
use callgate_benches::{Role, Turns, by_hand, calls, payment_policy, shuffled};
use casbin::{CoreApi, DefaultModel, Enforcer, MgmtApi, NullAdapter};
use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityId, EntityTypeName, EntityUid, PolicySet, Request,
};
use serde_json::Value;

fn listed() -> Vec<String> {
    (0..17).map(|n| format!("list_{n}")).collect()
}

fn cedar() -> impl FnMut(&str, &Value) -> bool {
    let actions: Vec<String> = listed().iter().map(|tool| format!("Action::\"{tool}\"")).collect();
    let text = format!(
        r#"permit(principal, action == Action::"create_charge", resource) when {{
            context.amount <= 50000 && ["usd", "eur", "gbp"].contains(context.currency)
        }};
        permit(principal, action == Action::"create_refund", resource) when {{ context.amount <= 10000 }};
        permit(principal, action in [{}], resource);"#,
        actions.join(", ")
    );
    let policies: PolicySet = text.parse().expect("the policy loads");
    let (entities, authorizer) = (Entities::empty(), Authorizer::new());
    let uid = |text: &str| text.parse::<EntityUid>().expect("it is an entity");
    let (alice, server) = (uid("User::\"alice\""), uid("Server::\"s\""));
    let action: EntityTypeName = "Action".parse().expect("it is a type");
    move |tool, args| {
        let context = Context::from_json_value(args.clone(), None).expect("the arguments are a record");
        let action = EntityUid::from_type_name_and_id(action.clone(), EntityId::new(tool));
        let request =
            Request::new(alice.clone(), action, server.clone(), context, None).expect("the request is one");
        authorizer.is_authorized(&request, &policies, &entities).decision() == Decision::Allow
    }
}

fn rego(listed: &[String]) -> regorus::Engine {
    let text = format!(
        r#"package payments
        default allow := false
        allow if {{
            input.tool == "create_charge"
            input.args.amount <= 50000
            input.args.currency in {{"usd", "eur", "gbp"}}
        }}
        allow if {{
            input.tool == "create_refund"
            input.args.amount <= 10000
        }}
        allow if input.tool in {{"{}"}}"#,
        listed.join("\", \"")
    );
    let mut engine = regorus::Engine::new();
    engine.add_policy("payments.rego".to_owned(), text).expect("the policy loads");
    engine
}

/// The call as the engines of one document read it.
fn document(tool: &str, args: &Value) -> regorus::Value {
    let members = [("tool".into(), tool.into()), ("args".into(), args.clone().into())];
    std::collections::BTreeMap::from(members).into()
}

fn regorus_interpreter() -> impl FnMut(&str, &Value) -> bool {
    let policy =
        rego(&listed()).compile_with_entrypoint(&"data.payments.allow".into()).expect("the policy compiles");
    move |tool, args| {
        policy.eval_with_input(document(tool, args)).expect("the policy evaluates")
            == regorus::Value::from(true)
    }
}

fn regorus_vm() -> impl FnMut(&str, &Value) -> bool {
    use regorus::languages::rego::compiler::Compiler;
    let policy =
        rego(&listed()).compile_with_entrypoint(&"data.payments.allow".into()).expect("the policy compiles");
    let program =
        Compiler::compile_from_policy(&policy, &["data.payments.allow"]).expect("the policy compiles");
    let mut machine = regorus::rvm::vm::RegoVM::new();
    machine.load_program(program);
    move |tool, args| {
        machine.set_input(document(tool, args));
        machine.execute_entry_point_by_index(0).expect("the policy evaluates") == regorus::Value::from(true)
    }
}

fn casbin(last: bool) -> impl FnMut(&str, &Value) -> bool {
    let model = "
        [request_definition]
        r = tool, args
        [policy_definition]
        p = tool, rule
        [policy_effect]
        e = some(where (p.eft == allow))
        [matchers]
        m = r.tool == p.tool && eval(p.rule)
        ";
    let charge = "r.args.amount <= 50000 && (r.args.currency == 'usd' || r.args.currency == 'eur' || r.args.currency == 'gbp')"
        .replace('\'', "\"");
    let mut rows = vec![
        vec!["create_charge".to_owned(), charge],
        vec!["create_refund".to_owned(), "r.args.amount <= 10000".to_owned()],
    ];
    rows.extend(listed().into_iter().map(|tool| vec![tool, "true".to_owned()]));
    if last {
        rows.reverse();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime starts");
    let enforcer = runtime.block_on(async {
        let model = DefaultModel::from_str(model).await.expect("the model loads");
        let mut enforcer = Enforcer::new(model, NullAdapter).await.expect("the enforcer starts");
        enforcer.add_policies(rows).await.expect("the policy loads");
        enforcer
    });
    // What fails to evaluate is refused, as its callers have to do.
    move |tool, args| enforcer.enforce((tool, args)).unwrap_or(false)
}

fn cel() -> impl FnMut(&str, &Value) -> bool {
    let text = format!(
        r#"tool == "create_charge" ? args.amount <= 50000 && args.currency in ["usd", "eur", "gbp"]
            : tool == "create_refund" ? args.amount <= 10000 : tool in ["{}"]"#,
        listed().join("\", \"")
    );
    let program = cel::Program::compile(&text).expect("the expression compiles");
    // Made once: its functions are most of what making a context costs.
    let root = cel::Context::default();
    move |tool, args| {
        let mut context = root.new_inner_scope();
        context.add_variable("tool", tool).expect("the tool converts");
        context.add_variable("args", args).expect("the arguments convert");
        program.execute(&context).expect("the expression evaluates") == cel::Value::Bool(true)
    }
}

type Decide<'d> = Box<dyn FnMut(&str, &Value) -> bool + 'd>;

fn main() {
    let policy = Arc::new(payment_policy());
    let engine = Engine::new((*policy).clone());
    let makers: Vec<(Role, &str, Box<dyn Fn() -> Decide<'static>>)> = vec![
        (Role::Floor, "by hand", Box::new(|| Box::new(|tool, args| by_hand(tool, args).is_ok()))),
        (
            Role::Ours,
            "Policy::evaluate",
            Box::new(move || {
                let policy = Arc::clone(&policy);
                Box::new(move |tool, args| {
                    policy
                        .evaluate(&Call::new(tool, args))
                        .decided()
                        .is_some_and(|decision| decision.allowed())
                })
            }),
        ),
        (
            Role::Ours,
            "Engine::evaluate",
            Box::new(move || {
                let engine = Engine::new(engine.policy());
                Box::new(move |tool, args| engine.evaluate(tool, args, &Identity::new("alice")).allowed())
            }),
        ),
        (Role::Peer, "cedar-policy", Box::new(|| Box::new(cedar()))),
        (Role::Peer, "regorus, compiled policy", Box::new(|| Box::new(regorus_interpreter()))),
        (Role::Peer, "regorus, virtual machine", Box::new(|| Box::new(regorus_vm()))),
        (Role::Peer, "casbin, the tool's row first", Box::new(|| Box::new(casbin(false)))),
        (Role::Peer, "casbin, the rows reversed", Box::new(|| Box::new(casbin(true)))),
        (Role::Peer, "cel", Box::new(|| Box::new(cel()))),
    ];
    let (calls, stream) = (calls(), shuffled());
    let mut turns = Turns::new("engines", 60);
    for (role, name, make) in &makers {
        let mut decide = make();
        for call in calls.iter().chain(&stream) {
            assert_eq!(decide(call.tool, &call.args), call.allowed, "{name}: {} {}", call.tool, call.args);
        }
        for call in &calls {
            let mut decide = make();
            turns.add(*role, call.name, name, move || decide(black_box(call.tool), black_box(&call.args)));
        }
        let (mut at, stream) = (0, &stream);
        turns.add(*role, "shuffled stream", name, move || {
            at = (at + 1) % stream.len();
            decide(stream[at].tool, black_box(&stream[at].args))
        });
    }
    turns.measure();
}
