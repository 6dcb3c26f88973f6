//! Plays scenarios, as the people at a client and at its server do.
//!
//! In: jobs. Out: a line of JSON for each.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use callgate_tests::guards::{Approvals, Expect, Step};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::Job;
use super::client::{Client, Person, Told};

const UNCHECKED: &str = "The call could not be checked against the policy";
/// What takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);
const MOMENT: Duration = Duration::from_millis(5);

/// A call that is under way.
struct Call {
    answer: Arc<Mutex<Option<Value>>>,
    task: JoinHandle<()>,
}

struct Play {
    job: Arc<Job>,
    client: Option<Arc<Client>>,
    person: Person,
    calls: BTreeMap<String, Call>,
    progress: f64,
}

pub(crate) async fn all(jobs: Vec<Job>) {
    for job in jobs {
        let played = tokio::spawn(async move {
            let job = Arc::new(job);
            let mut play = Play::connect(job.clone()).await;
            for (number, step) in job.scenario.steps.iter().enumerate() {
                timeout(PATIENCE, play.step(number, step))
                    .await
                    .unwrap_or_else(|_| panic!("step {number} takes too long"));
            }
            play.disconnect().await;
        });
        let failed = played.await.err().map(|error| {
            let told = error.into_panic();
            let text = told.downcast_ref::<String>().cloned();
            text.or_else(|| told.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
        });
        println!("{}", failed.map_or_else(|| json!({}), |failed| json!({ "failed": failed })));
    }
}

impl Play {
    async fn connect(job: Arc<Job>) -> Self {
        let person = Person::default();
        let connected = timeout(PATIENCE, Client::connect(&job, person.clone())).await;
        let client = Some(Arc::new(connected.expect("it takes too long to connect")));
        Self { job, client, person, calls: BTreeMap::new(), progress: 0.0 }
    }

    async fn disconnect(&mut self) {
        let Some(client) = self.client.take() else { return };
        client.leave();
        for call in self.calls.values_mut() {
            let _ = (&mut call.task).await;
        }
        if let Some(client) = Arc::into_inner(client) {
            client.left().await;
        }
    }

    fn client(&self) -> &Arc<Client> {
        self.client.as_ref().expect("it is connected")
    }

    async fn step(&mut self, number: usize, step: &Step) {
        let about = format!("step {number}");
        if step.call.is_some() || step.request.is_some() || step.listed.is_some() || step.round.is_some() {
            self.host(&json!({"begins": step.named, "identity": step.identity})).await;
        }
        if let Some(tool) = &step.call {
            self.call(tool, step, &about).await;
        } else if let Some(method) = &step.request {
            for _ in 0..step.times.unwrap_or(1) {
                let answer = self.client().request(method, step.params.clone().unwrap_or_default()).await;
                self.expect(&answer, step, &about);
            }
        } else if let Some(name) = &step.answer {
            self.answer(name, step, &about).await;
        } else if let Some(name) = &step.round {
            // rmcp's client brings the answer in another round itself.
            self.say("accept").await;
            if step.expect.is_some() {
                self.answer(name, step, &about).await;
            }
        } else if let Some(name) = &step.approve {
            self.decide("approve", name).await;
        } else if let Some(name) = &step.refuse {
            self.decide("refuse", name).await;
        } else if let Some(name) = &step.finish {
            self.host(&json!({ "finish": name })).await;
        } else if let Some(policy) = &step.reload {
            self.host(&json!({ "reload": policy })).await;
        } else if let Some(changes) = &step.change {
            self.host(&json!({ "change": changes })).await;
        } else if let Some(name) = &step.cancel {
            self.calls[name].task.abort();
            // Over HTTP each message is a request of its own, and a ping may overtake what cancels.
            tokio::time::sleep(Duration::from_millis(200)).await;
            self.client().ping().await;
        } else if step.progressed.is_some() {
            self.progressed(&about).await;
        } else if step.disconnect == Some(true) {
            self.disconnect().await;
            self.host(&json!({"left": true})).await;
        } else if step.connect == Some(true) {
            let job = self.job.clone();
            *self = Self::connect(job).await;
        } else if let Some(names) = &step.listed {
            assert_eq!(self.listed(step).await, *names, "{about}");
        } else if let Some(times) = &step.seen {
            // What must not come has come by the time that the server answers.
            self.client().ping().await;
            let seen = |told: &Told| {
                times
                    .keys()
                    .map(|method| (method.clone(), told.seen.get(method).copied().unwrap_or(0)))
                    .collect::<BTreeMap<_, _>>()
            };
            let begun = Instant::now();
            while seen(&self.person.0.lock().unwrap()) != *times && begun.elapsed() < Duration::from_secs(5) {
                sleep(MOMENT).await;
            }
            assert_eq!(seen(&self.person.0.lock().unwrap()), *times, "{about}");
        }
        for held in [
            step.ran.as_ref().map(|ran| json!({ "ran": ran })),
            step.used.as_ref().map(|used| json!({ "used": used })),
        ] {
            let Some(held) = held else { continue };
            let begun = Instant::now();
            while self.host(&held).await != held && begun.elapsed() < Duration::from_secs(5) {
                sleep(MOMENT).await;
            }
            assert_eq!(self.host(&held).await, held, "{about}");
        }
    }

    async fn host(&self, step: &Value) -> Value {
        host(&self.job, step).await
    }

    async fn call(&mut self, tool: &str, step: &Step, about: &str) {
        let arguments = step.arguments.as_ref();
        if let Some(name) = &step.named {
            let (client, tool, arguments) = (self.client().clone(), tool.to_owned(), step.arguments.clone());
            let answer = Arc::<Mutex<Option<Value>>>::default();
            let own = answer.clone();
            let asked = self.person.0.lock().unwrap().questions.len();
            let task = tokio::spawn(async move {
                let answer = client.call(&tool, arguments.as_ref()).await;
                *own.lock().unwrap() = Some(answer);
            });
            let (job, began) = (self.job.clone(), json!({ "began": name }));
            let began = tokio::spawn(async move { host(&job, &began).await });
            let is_asked = || self.person.0.lock().unwrap().questions.len() > asked;
            while !began.is_finished() && answer.lock().unwrap().is_none() && !is_asked() {
                sleep(MOMENT).await;
            }
            began.abort();
            self.calls.insert(name.clone(), Call { answer, task });
        } else if let Some(times) = step.at_once {
            let mut calls = JoinSet::new();
            for _ in 0..times {
                let (client, tool, arguments) =
                    (self.client().clone(), tool.to_owned(), step.arguments.clone());
                calls.spawn(async move { client.call(&tool, arguments.as_ref()).await });
            }
            let mut counts = BTreeMap::<String, u32>::new();
            for answer in calls.join_all().await {
                *counts.entry(kind_of(&answer)).or_default() += 1;
            }
            let Some(Expect::Counts(expected)) = &step.expect else { panic!("counts are expected") };
            assert_eq!(counts, *expected, "{about}");
        } else {
            for _ in 0..step.times.unwrap_or(1) {
                let answer = self.client().call(tool, arguments).await;
                self.expect(&answer, step, about);
            }
        }
    }

    async fn answer(&self, name: &str, step: &Step, about: &str) {
        let answer = || self.calls[name].answer.lock().unwrap().clone();
        let expected = match &step.expect {
            Some(Expect::Each(expected)) => &**expected,
            _ => panic!("one kind is expected"),
        };
        if expected == "none" {
            self.client().ping().await;
            return assert_eq!(answer(), None, "{about}");
        }
        let asks = expected == "input_required";
        while answer().is_none() && (!asks || self.person.0.lock().unwrap().questions.is_empty()) {
            sleep(MOMENT).await;
        }
        match answer() {
            Some(answer) => self.expect(&answer, step, about),
            None => assert!(asks, "{about}"),
        }
    }

    /// The person at the client answers the oldest question.
    async fn say(&self, action: &str) {
        let question = || {
            let questions = &mut self.person.0.lock().unwrap().questions;
            (!questions.is_empty()).then(|| questions.remove(0))
        };
        let question = loop {
            if let Some(question) = question() {
                break question;
            }
            sleep(MOMENT).await;
        };
        let _ = question.send(action.into());
    }

    async fn decide(&self, word: &str, name: &str) {
        if self.job.scenario.approvals == Approvals::Elicitation {
            return self.say(if word == "approve" { "accept" } else { "decline" }).await;
        }
        let answer = self.calls.get(name).and_then(|call| call.answer.lock().unwrap().clone());
        let filed = answer.map(|answer| answer["result"]["_meta"]["callgate/approval_id"].clone());
        self.host(&json!({word: name, "filed": filed})).await;
    }

    async fn progressed(&mut self, about: &str) {
        let begun = Instant::now();
        loop {
            let told = self.person.0.lock().unwrap().progress;
            if told > self.progress {
                self.progress = told;
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(3), "{about}: there was no progress");
            sleep(MOMENT).await;
        }
    }

    async fn listed(&self, step: &Step) -> Vec<String> {
        let method = step.of.as_deref().unwrap_or("tools/list");
        let (member, key) = match method {
            "resources/list" => ("resources", "uri"),
            "prompts/list" => ("prompts", "name"),
            _ => ("tools", "name"),
        };
        let mut names = Vec::new();
        for page in self.client().pages(method).await {
            let items = page[member].as_array().unwrap();
            names.extend(items.iter().map(|item| item[key].as_str().unwrap().to_owned()));
            for (name, value) in step.cache.iter().flatten() {
                assert_eq!(page[name], *value, "{name}");
            }
        }
        names.sort_unstable();
        names
    }

    fn expect(&self, answer: &Value, step: &Step, about: &str) {
        let Some(Expect::Each(expected)) = &step.expect else { panic!("one kind is expected") };
        let error = answer["error"]["message"].as_str();
        let told = answer["result"]["content"][0]["text"].as_str().or(error);
        let told = told.map_or_else(|| answer.to_string(), str::to_owned);
        // The gateway's clock goes.
        let plain = |text: &str| match text.split_once("Try again in") {
            Some((before, _)) if self.job.guard == "gateway" => before.to_owned(),
            _ => text.to_owned(),
        };
        let text = plain(step.text.as_deref().unwrap_or_default());
        assert!(plain(&told).contains(&text), "{about}: {answer}");
        let kind = kind_of(answer);
        let is_error = answer["result"]["isError"] == true;
        match &**expected {
            "failed" => assert!(error.is_some() || is_error, "{about}: {answer}"),
            "unchecked" => assert_eq!((&*kind, &*told), ("tool_error", UNCHECKED), "{about}"),
            "result" | "tool_error" | "error" => assert_eq!(kind, **expected, "{about}: {answer}"),
            code => {
                assert_eq!(kind, code, "{about}: {answer}");
                // The guard refused: it says why, and gives no result of the tool.
                assert!(!told.is_empty(), "{about}: {answer}");
                let refused = is_error && answer["result"]["structuredContent"].is_null();
                assert!(step.call.is_none() && step.answer.is_none() || refused, "{about}: {answer}");
            }
        }
    }
}

async fn host(job: &Job, step: &Value) -> Value {
    // Without a handshake, a client does not know when its server has started.
    let mut stream = loop {
        match UnixStream::connect(&job.host).await {
            Ok(stream) => break stream,
            Err(_) => sleep(MOMENT).await,
        }
    };
    stream.write_all(format!("{step}\n").as_bytes()).await.unwrap();
    let mut said = String::new();
    BufReader::new(stream).read_line(&mut said).await.unwrap();
    let answer: Value = serde_json::from_str(&said).unwrap();
    assert!(answer.get("failed").is_none(), "{answer}");
    answer
}

/// What kind of answer it is: the code, where the guard refused.
fn kind_of(answer: &Value) -> String {
    let codes = [&answer["error"]["data"]["callgate/code"], &answer["result"]["_meta"]["callgate/code"]];
    let kind = match () {
        () if answer.get("thrown").is_some() => "thrown",
        () if answer.get("error").is_some() => "error",
        () if answer["result"]["isError"] == true => "tool_error",
        () => "result",
    };
    codes.iter().find_map(|code| code.as_str()).unwrap_or(kind).to_owned()
}
