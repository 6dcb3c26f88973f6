//! Approvals (G6): by the host, by the client that calls, by people at a store.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use callgate::MemoryStore;
use callgate::store::{ApprovalAnswer as Answered, Approvals as _};
use callgate::time::Timestamp;
use callgate_rmcp::{ApprovalAnswer, Guard};
use rmcp::model::{ClientRequest, ElicitationAction, InputResponses};
use rmcp::service::PeerRequestOptions;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::support::*;

const POLICY: &str = "
version: '1'
default: deny
tools:
  pay:
    rules: [{action: require_approval, name: big}]
    limits: [{counter: paid, window: day, max: 5}]
  ask: {rules: [{action: require_approval, name: asks}]}
  typed: {rules: [{action: require_approval, name: named, approval: {approvers: [ann]}}]}
";

/// What a host's callback was asked, and how to answer it.
type Questions = mpsc::UnboundedReceiver<(Value, oneshot::Sender<Option<String>>)>;

/// A guard whose host is asked.
fn asking(bank: &Bank, engine: Arc<callgate::Engine>) -> (Guard<Bank>, Questions) {
    let (asked, questions) = mpsc::unbounded_channel();
    let guard = Guard::new(bank.clone(), engine).identity(|_| Some(json!("alice"))).on_approval(move |call| {
        let (answer, answered) = oneshot::channel::<Option<String>>();
        let client = call.context.client_info().map(|client| client.name);
        let key = call.decision.approval().unwrap().key();
        let told = json!({"tool": call.tool, "args": call.args, "by": call.identity, "client": client, "key": key});
        asked.send((told, answer)).unwrap();
        Box::pin(async move { answered.await.unwrap_or_default().into() })
    });
    (guard, questions)
}

/// G6.2: a host hears what is called by whom, and its yes lets the call through once.
#[tokio::test]
async fn a_host_is_asked() {
    for over in Over::ALL {
        let (bank, (engine, store)) = (Bank::default(), engine(POLICY));
        let (guard, mut questions) = asking(&bank, engine);
        let client = Arc::new(over.connect(&guard, &Person::who(ElicitationAction::Decline)).await);
        let calling = client.clone();
        let calling = tokio::spawn(async move { call(&calling, "pay", json!({"amount": 3})).await });
        let (told, answer) = questions.recv().await.unwrap();
        assert_eq!((&told["tool"], &told["args"]), (&json!("pay"), &json!({"amount": 3})), "{over:?}");
        assert_eq!((&told["by"], &told["client"]), (&json!("alice"), &json!("person")));
        assert_eq!(used(&store), "0");
        answer.send(Some("a-1".to_owned())).unwrap();
        assert_eq!(text(&calling.await.unwrap()), "done");
        assert_eq!(used(&store), "1");
        // An id lets one call through; a no lets none.
        for (id, expected) in [(Some("a-1"), "approval_spent"), (None, "approval_required")] {
            let calling = client.clone();
            let calling = tokio::spawn(async move { call(&calling, "pay", json!({"amount": 3})).await });
            let (_, answer) = questions.recv().await.unwrap();
            answer.send(id.map(str::to_owned)).unwrap();
            assert_eq!(code(&calling.await.unwrap()), expected, "{over:?}");
        }
        assert_eq!((bank.reached(), used(&store).as_str()), (vec!["pay".to_owned()], "1"));
    }
}

/// G6.11: a callback that panics refuses its call.
#[tokio::test]
async fn a_callback_that_panics_refuses() {
    let (bank, (engine, _)) = (Bank::default(), engine(POLICY));
    let guard = Guard::new(bank.clone(), engine).on_approval(|_| panic!("a secret"));
    let client = Over::Streams.connect(&guard, &Person::who(ElicitationAction::Accept)).await;
    let refused = call(&client, "pay", json!({})).await;
    assert_eq!(text(&refused), "The call could not be checked against the policy");
    assert!(bank.reached().is_empty());
}

/// G6.7, G6.8 and G3.5: the client that calls is asked, and no other; the question has no value of an argument.
#[tokio::test]
async fn the_calling_client_is_asked() {
    for over in Over::ALL {
        let (bank, (engine, store)) = (Bank::default(), engine(POLICY));
        let guard = Guard::new(bank.clone(), engine).approve_by_elicitation();
        let (first, second) =
            (Person::who(ElicitationAction::Accept), Person::who(ElicitationAction::Accept));
        let client = over.connect(&guard, &first).await;
        let _other = over.connect(&guard, &second).await;
        assert_eq!(text(&call(&client, "pay", json!({"amount": 3})).await), "done", "{over:?}");
        assert_eq!((first.asked(), second.asked(), used(&store).as_str()), (1, 0, "1"), "{over:?}");
        let asked = first.asked.lock().unwrap()[0].clone();
        assert_eq!(asked, "Approve one call of the tool \"pay\"? Asked by: \"big\".");
        // The server saw neither the guard's state nor its answer.
        assert_eq!(
            *bank.reached.lock().unwrap(),
            [("pay".to_owned(), json!({"args": {"amount": 3}, "state": null, "inputs": null}))]
        );
        // Each call is asked for.
        assert_eq!(text(&call(&client, "pay", json!({"amount": 3})).await), "done");
        assert_eq!((first.asked(), used(&store).as_str()), (2, "2"));
    }
}

/// Yes is `accept` and nothing else. A client that cannot be asked is told the key, and so is one whose answer would need a name.
#[tokio::test]
async fn anything_else_is_no() {
    for over in Over::ALL {
        for action in [ElicitationAction::Decline, ElicitationAction::Cancel] {
            let (bank, (engine, store)) = (Bank::default(), engine(POLICY));
            let person = Person::who(action);
            let client =
                over.connect(&Guard::new(bank.clone(), engine).approve_by_elicitation(), &person).await;
            assert_eq!(code(&call(&client, "pay", json!({})).await), "approval_required", "{over:?}");
            assert_eq!((person.asked(), used(&store).as_str()), (1, "0"));
            assert_eq!(code(&call(&client, "typed", json!({})).await), "approval_required");
            assert_eq!(person.asked(), 1, "an answer has no name");
            assert!(bank.reached().is_empty());
        }
        let (bank, (engine, _)) = (Bank::default(), engine(POLICY));
        let mut mute = Person::who(ElicitationAction::Accept);
        mute.elicits = false;
        let client = over.connect(&Guard::new(bank.clone(), engine).approve_by_elicitation(), &mute).await;
        assert_eq!(code(&call(&client, "pay", json!({})).await), "approval_required", "{over:?}");
        assert_eq!((mute.asked(), bank.reached().len()), (0, 0));
    }
}

fn yes() -> InputResponses {
    [("callgate/approval".to_owned(), json!({"action": "accept", "content": {}}))].into()
}

/// A yes is for one call of this tool, with these arguments, once; and nobody can make one up.
#[tokio::test]
async fn a_yes_is_for_its_own_call() {
    for over in [Over::StreamsOf2026, Over::HttpOf2026] {
        let (bank, (engine, store)) = (Bank::default(), engine(POLICY));
        let guard = Guard::new(bank.clone(), engine).approve_by_elicitation();
        let client = over.connect(&guard, &Person::who(ElicitationAction::Accept)).await;
        let again = |args: Value, state: &str| {
            params("pay", &args).with_input_responses(yes()).with_request_state(state)
        };
        let asked = |result: &Value| result["requestState"].as_str().map(str::to_owned);
        let one = json!({"amount": 1});
        // Made up, or without a state.
        let first = once(&client, again(one.clone(), "callgate:0123456789abcdef0123456789abcdef")).await;
        assert!(asked(&first).is_some(), "{first}");
        assert!(asked(&once(&client, params("pay", &one).with_input_responses(yes())).await).is_some());
        let state = asked(&first).unwrap();
        // Other arguments, another tool.
        assert!(asked(&once(&client, again(json!({"amount": 2}), &state)).await).is_some());
        let other = params("ask", &one).with_input_responses(yes()).with_request_state(state.clone());
        assert!(asked(&once(&client, other).await).is_some_and(|state| state.starts_with("callgate:")));
        assert!(bank.reached().is_empty(), "{over:?}");
        assert_eq!(text(&once(&client, again(one.clone(), &state)).await), "done");
        // Once.
        assert!(asked(&once(&client, again(one.clone(), &state)).await).is_some_and(|next| next != state));
        assert_eq!((bank.reached().len(), used(&store).as_str()), (1, "1"), "{over:?}");
    }
}

/// A question stands for so long as the host says.
#[tokio::test(start_paused = true)]
async fn a_question_has_an_end() {
    let (bank, (engine, _)) = (Bank::default(), engine(POLICY));
    let guard =
        Guard::new(bank.clone(), engine).approve_by_elicitation_with(Some("Pay?"), Duration::from_secs(60));
    let client = Over::StreamsOf2026.connect(&guard, &Person::who(ElicitationAction::Accept)).await;
    let first = once(&client, params("pay", &json!({}))).await;
    assert_eq!(first["inputRequests"]["callgate/approval"]["params"]["message"], "Pay?");
    tokio::time::advance(Duration::from_secs(61)).await;
    let state = first["requestState"].as_str().unwrap();
    let late = params("pay", &json!({})).with_input_responses(yes()).with_request_state(state);
    assert!(once(&client, late).await.get("requestState").is_some());
    assert!(bank.reached().is_empty());
}

/// The guard's question and the server's are rounds of one call, approved and charged once.
#[tokio::test]
async fn the_guards_round_and_the_servers_are_one_call() {
    let (bank, (engine, _)) = (Bank::default(), engine(POLICY));
    let person = Person::who(ElicitationAction::Accept);
    let client =
        Over::HttpOf2026.connect(&Guard::new(bank.clone(), engine).approve_by_elicitation(), &person).await;
    assert_eq!(text(&call(&client, "ask", json!({})).await), "asked");
    assert_eq!((bank.reached().len(), person.asked()), (3, 3));
    assert!(person.asked.lock().unwrap()[0].starts_with("Approve"));
}

/// A callback may have the client asked, in its own words.
#[tokio::test]
async fn a_callback_may_ask_the_client() {
    for over in Over::ALL {
        let (bank, (engine, _)) = (Bank::default(), engine(POLICY));
        let guard = Guard::new(bank, engine)
            .on_approval(|_| Box::pin(async { ApprovalAnswer::AskClient("Really?".to_owned()) }));
        let person = Person::who(ElicitationAction::Accept);
        let client = over.connect(&guard, &person).await;
        assert_eq!(text(&call(&client, "pay", json!({})).await), "done", "{over:?}");
        assert_eq!(*person.asked.lock().unwrap(), ["Really?"]);
    }
}

/// G6.5: progress at least each second while the call waits, and none afterwards.
#[tokio::test(start_paused = true)]
async fn who_asked_for_progress_hears_of_it() {
    let (bank, (engine, _)) = (Bank::default(), engine(POLICY));
    let (guard, mut questions) = asking(&bank, engine);
    let person = Person::who(ElicitationAction::Decline);
    let client = Over::Streams.connect(&guard, &person).await;
    let call = rmcp::model::CallToolRequest::new(params("pay", &json!({})));
    let options = PeerRequestOptions::no_options();
    // rmcp's client asks for progress by itself.
    let calling =
        client.send_cancellable_request(ClientRequest::CallToolRequest(call), options).await.unwrap();
    let (_, answer) = questions.recv().await.unwrap();
    assert_eq!(person.progress.load(Ordering::SeqCst), 0);
    tokio::time::sleep(Duration::from_millis(5_050)).await;
    let told = person.progress.load(Ordering::SeqCst);
    assert!((5..7).contains(&told), "{told}");
    answer.send(Some("a-1".to_owned())).unwrap();
    calling.await_response().await.unwrap();
    let told = person.progress.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(person.progress.load(Ordering::SeqCst), told);
}

/// G6.6: above the ceiling a call is answered at once; the calls of others wait.
#[tokio::test]
async fn so_many_calls_wait_and_no_more() {
    let (bank, (engine, _)) = (Bank::default(), engine(POLICY));
    let (guard, mut questions) = asking(&bank, engine);
    let guard =
        guard.max_waiting(2).identity(|context| context.client_info().map(|client| json!(client.version)));
    let mut bob = Person::who(ElicitationAction::Decline);
    bob.version = "bob".to_owned();
    let alice = Arc::new(Over::Streams.connect(&guard, &Person::who(ElicitationAction::Decline)).await);
    let bob = Arc::new(Over::Streams.connect(&guard, &bob).await);
    let mut waiting = Vec::new();
    for client in [&alice, &alice, &bob] {
        let client = client.clone();
        tokio::spawn(async move { call(&client, "pay", json!({})).await });
        waiting.push(questions.recv().await.unwrap());
    }
    assert_eq!(code(&call(&alice, "pay", json!({})).await), "approval_required");
    assert!(questions.try_recv().is_err());
    // A place is free again when one has its answer.
    let (_, answer) = waiting.remove(0);
    answer.send(None).unwrap();
    let client = alice.clone();
    tokio::spawn(async move { call(&client, "pay", json!({})).await });
    let again = tokio::time::timeout(PATIENCE, questions.recv()).await.unwrap();
    assert!(again.is_some());
}

/// Open questions of 2026-07-28 are calls that wait, too.
#[tokio::test]
async fn open_questions_are_bounded() {
    let (bank, (engine, _)) = (Bank::default(), engine(POLICY));
    let guard = Guard::new(bank, engine).approve_by_elicitation().max_waiting(2);
    let client = Over::HttpOf2026.connect(&guard, &Person::who(ElicitationAction::Decline)).await;
    for amount in 0..2 {
        assert!(once(&client, params("pay", &json!({"amount": amount}))).await.get("requestState").is_some());
    }
    assert_eq!(code(&once(&client, params("pay", &json!({"amount": 3}))).await), "approval_required");
}

/// G6.4 and G6.10: a call that its client gave up lets nothing through, and the host hears of it.
#[tokio::test]
async fn waiting_ends_with_the_client() {
    for over in [Over::Streams, Over::HttpOf2026] {
        let (bank, (engine, store)) = (Bank::default(), engine(POLICY));
        let (guard, mut questions) = asking(&bank, engine);
        let client = over.connect(&guard, &Person::who(ElicitationAction::Decline)).await;
        let call = rmcp::model::CallToolRequest::new(params("pay", &json!({})));
        let options = PeerRequestOptions::no_options();
        let calling =
            client.send_cancellable_request(ClientRequest::CallToolRequest(call), options).await.unwrap();
        let (_, mut answer) = questions.recv().await.unwrap();
        calling.cancel(None).await.unwrap();
        tokio::time::timeout(PATIENCE, answer.closed()).await.expect("the host hears of it");
        assert!(answer.send(Some("late".to_owned())).is_err());
        assert_eq!((bank.reached().len(), used(&store).as_str()), (0, "0"), "{over:?}");
    }
}

/// G6.9: a call is filed, and its repetition finds the answer, also one that came too late.
#[tokio::test]
async fn people_answer_at_a_store() {
    for over in Over::ALL {
        let (bank, (engine, filed)) = (Bank::default(), engine(POLICY));
        let guard = Guard::new(bank.clone(), engine.clone()).approve_by_store(filed.clone(), Duration::ZERO);
        let client = over.connect(&guard, &Person::who(ElicitationAction::Accept)).await;
        let now: Timestamp = engine.now();
        let waits = call(&client, "pay", json!({"amount": 1})).await;
        let id = waits["_meta"]["callgate/approval_id"].as_str().unwrap().to_owned();
        let words = format!(
            "\nIt waits for a person's approval as {id}. Once it is approved, make the same call again."
        );
        assert!(text(&waits).ends_with(&words), "{waits}");
        filed.answer(&id, &Answered::grant("ann", Duration::from_secs(600)), now).unwrap();
        assert_eq!(text(&call(&client, "pay", json!({"amount": 1})).await), "done", "{over:?}");
        // Once: then it is filed anew.
        let again = call(&client, "pay", json!({"amount": 1})).await;
        let next = again["_meta"]["callgate/approval_id"].as_str().unwrap();
        assert_ne!(next, id);
        filed.answer(next, &Answered::deny("ann", Duration::from_secs(600)), now).unwrap();
        let denied = call(&client, "pay", json!({"amount": 1})).await;
        assert!(
            text(&denied).ends_with(&format!("\nA person has denied it ({next}). Do not make it again."))
        );
        assert_eq!(bank.reached().len(), 1);
    }
}

/// A call may wait for the answer.
#[tokio::test]
async fn a_call_waits_at_a_store() {
    let (bank, (engine, _)) = (Bank::default(), engine(POLICY));
    let filed = Arc::new(MemoryStore::new());
    let guard = Guard::new(bank.clone(), engine.clone()).approve_by_store(filed.clone(), PATIENCE);
    let client = Over::Streams.connect(&guard, &Person::who(ElicitationAction::Accept)).await;
    let calling = tokio::spawn(async move { call(&client, "pay", json!({})).await });
    until(|| !filed.filed(engine.now()).unwrap().is_empty()).await;
    let id = filed.filed(engine.now()).unwrap()[0].id.clone();
    filed.answer(&id, &Answered::grant("ann", Duration::from_secs(600)), engine.now()).unwrap();
    assert_eq!(text(&calling.await.unwrap()), "done");
    assert_eq!(bank.reached().len(), 1);
}
