//! A guarded server of rmcp as a program: over stdio or HTTP for its client, and on a unix socket for what happens on its side.
//!
//! In: jobs. Out: servers, and for each a socket that takes a step of the host as JSON, one line a connection, with a line in answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use callgate::Policy;
use callgate_tests::guards::{self, Approvals, Change};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::Job;
use super::scenario_server::hosted::Hosted;
use super::scenario_server::wire::serve_http as serve_guard;

struct Host {
    hosted: Hosted,
    calls: Mutex<BTreeMap<String, u64>>,
}

/// Serves the job over stdio, until its client leaves.
pub(crate) async fn serve(job: Job) {
    let host = listen(job);
    if let Ok(running) = host.hosted.guard.clone().serve(rmcp::transport::stdio()).await {
        let _ = running.waiting().await;
    }
}

/// Serves all jobs over HTTP, until the input of this program ends.
pub(crate) async fn serve_http(jobs: Vec<Job>) {
    let mut urls = Vec::new();
    for job in jobs {
        urls.push(serve_guard(listen(job).hosted.guard.clone()).await);
    }
    println!("{}", json!(urls));
    let _ = tokio::io::stdin().read_to_end(&mut Vec::new()).await;
}

fn listen(mut job: Job) -> Arc<Host> {
    // A client may start its server twice: once to ask which revisions it speaks.
    let _ = std::fs::remove_file(&job.host);
    let listener = UnixListener::bind(&job.host).unwrap();
    let host = Arc::new(Host { hosted: Hosted::new(&mut job.scenario), calls: Mutex::default() });
    let own = host.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let own = own.clone();
            tokio::spawn(async move { own.take(stream).await });
        }
    });
    host
}

impl Host {
    async fn take(&self, mut stream: UnixStream) {
        let mut said = String::new();
        BufReader::new(&mut stream).read_line(&mut said).await.unwrap();
        let answer = self.answer(&serde_json::from_str(&said).unwrap()).await;
        // A client may not wait for it.
        let _ = stream.write_all(format!("{answer}\n").as_bytes()).await;
    }

    async fn answer(&self, step: &Value) -> Value {
        let hosted = &self.hosted;
        let named =
            |what: &str| step[what].as_str().map(|name| self.calls.lock().unwrap().get(name).copied());
        let of = |what: &str, of: &dyn Fn(&str) -> Value| {
            let asked: Map<String, Value> =
                step[what].as_object().unwrap().keys().map(|name| (name.clone(), of(name))).collect();
            json!({ what: asked })
        };
        if let Some(name) = step.get("begins") {
            *hosted.identity.lock().unwrap() =
                Some(step["identity"].clone()).filter(|of| !of.is_null()).or(hosted.known.clone());
            let mut happened = hosted.shared.lock();
            happened.sending += 1;
            if let Some(name) = name.as_str() {
                self.calls.lock().unwrap().insert(name.to_owned(), happened.sending);
            }
        } else if let Some(call) = named("began") {
            let call = call.unwrap();
            let has_begun = || {
                let happened = hosted.shared.lock();
                happened.approvals.contains_key(&call) || happened.finishes.contains_key(&call)
            };
            // A client may not wait for it.
            let asked = Instant::now();
            while !has_begun() && asked.elapsed() < Duration::from_secs(20) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        } else if step.get("left").is_some() {
            // Who asks for approval hears of it, or hangs on.
            let asks = || hosted.shared.lock().approvals.values().any(|approval| !approval.is_closed());
            let left = Instant::now();
            while asks() && left.elapsed() < Duration::from_secs(5) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        } else if let Some(call) = named("finish") {
            let _ = hosted.shared.lock().finishes.remove(&call.unwrap()).unwrap().send(());
        } else if let Some(policy) = step.get("reload") {
            hosted.engine.replace(Policy::from_yaml(&guards::policy(policy)).unwrap());
        } else if let Some(changes) = step.get("change") {
            let changes: BTreeMap<String, Change> = serde_json::from_value(changes.clone()).unwrap();
            hosted.shared.lock().changes.extend(changes);
        } else if step.get("ran").is_some() {
            return of("ran", &|name| hosted.shared.lock().ran.get(name).copied().unwrap_or(0).into());
        } else if step.get("used").is_some() {
            return of("used", &|name| hosted.used(name).into());
        } else if hosted.approvals == Approvals::Store {
            hosted.answer_in_store(step["filed"].as_str().unwrap(), step.get("approve").is_some());
        } else {
            let call = named("approve").or_else(|| named("refuse")).flatten().unwrap();
            hosted.answer(call, step.get("approve").is_some());
        }
        // What comes of it here comes soon.
        tokio::time::sleep(Duration::from_millis(20)).await;
        json!({})
    }
}
