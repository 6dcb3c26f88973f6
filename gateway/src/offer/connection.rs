//! A way to a server: requests there, answers back.
//!
//! In: a request. Out: the text of its answer. Must not wait for what it did not ask, nor count bytes anew for each request.

use serde_json::{Value, json};

use super::http::Http;
use super::message::Message;
use super::process::Process;
use super::{OfferError, Source};

/// The revision without a handshake.
pub(super) const MODERN: &str = "2026-07-28";

/// In which way requests are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Era {
    /// Each request says who asks, and in which revision: from 2026-07-28 on.
    Modern,
    /// After a handshake.
    Handshake,
}

/// What is open.
enum Way {
    Nothing,
    Process(Process),
    /// In a box: it is much larger than a process.
    Http(Box<Http>),
}

/// A way to a server.
pub(super) struct Connection<'s> {
    source: &'s Source,
    way: Way,
    /// The last request's.
    id: u64,
    /// What the server said so far, also before it was started anew.
    bytes: usize,
}

impl<'s> Connection<'s> {
    /// Not open yet.
    pub(super) fn new(source: &'s Source) -> Self {
        Self { source, way: Way::Nothing, id: 0, bytes: 0 }
    }

    /// Opens it; ends what was open before.
    ///
    /// # Errors
    /// The server cannot be started.
    pub(super) async fn open(&mut self) -> Result<(), OfferError> {
        self.end(false).await;
        self.way = match self.source {
            Source::Process { command, environment } => {
                Way::Process(Process::start(command, environment).map_err(OfferError::Start)?)
            }
            Source::Url { url, headers } => Way::Http(Box::new(Http::new(url, headers)?)),
        };
        Ok(())
    }

    /// Sends a request, and gives the text of its answer.
    ///
    /// # Errors
    /// The server is gone, or says too much.
    pub(super) async fn ask(&mut self, era: Era, method: &str, params: Value) -> Result<String, OfferError> {
        self.id = self.id.saturating_add(1);
        let id = self.id.to_string();
        let params = if era == Era::Modern { with_meta(params) } else { params };
        let request = json!({"jsonrpc": "2.0", "id": self.id, "method": method, "params": params});
        match &mut self.way {
            Way::Nothing => Err(OfferError::Closed),
            Way::Process(process) => {
                process.send(&request).await?;
                loop {
                    let text = process.next(&mut self.bytes).await?;
                    match kind(&text, &id) {
                        Kind::Answer => return Ok(text),
                        Kind::Request(answer) => process.send(&answer).await?,
                        Kind::Other => {}
                    }
                }
            }
            Way::Http(http) => {
                http.protocol = if era == Era::Modern { Some(MODERN) } else { http.protocol };
                let mut answer = http.post(method, &request).await?;
                while let Some(message) = answer.next(&mut self.bytes).await? {
                    if let Ok(text) = String::from_utf8(message)
                        && matches!(kind(&text, &id), Kind::Answer)
                    {
                        return Ok(text);
                    }
                }
                Err(OfferError::Closed)
            }
        }
    }

    /// The revision of the requests to come, where each has to name it.
    pub(super) fn agree(&mut self, protocol: Option<&'static str>) {
        if let Way::Http(http) = &mut self.way {
            http.protocol = protocol;
        }
    }

    /// Sends a notification.
    ///
    /// # Errors
    /// The server is gone.
    pub(super) async fn tell(&mut self, method: &str) -> Result<(), OfferError> {
        let message = json!({"jsonrpc": "2.0", "method": method});
        match &mut self.way {
            Way::Nothing => Err(OfferError::Closed),
            Way::Process(process) => process.send(&message).await,
            Way::Http(http) => http.post(method, &message).await.map(drop),
        }
    }

    /// Ends it, and gives the server's last words. A server that answered is given a moment to end by itself.
    pub(super) async fn end(&mut self, is_patient: bool) -> Vec<u8> {
        match std::mem::replace(&mut self.way, Way::Nothing) {
            Way::Nothing => Vec::new(),
            Way::Process(process) => process.end(is_patient).await,
            Way::Http(http) => {
                http.end().await;
                Vec::new()
            }
        }
    }
}

/// What a message is to somebody who waits for an answer.
enum Kind {
    Answer,
    /// With what it is answered.
    Request(Value),
    Other,
}

fn kind(text: &str, id: &str) -> Kind {
    // Servers write logs between messages.
    let Ok(message) = serde_json::from_str::<Message<'_>>(text) else { return Kind::Other };
    match (message.id, message.method) {
        (Some(answered), None) if answered.get() == id => Kind::Answer,
        (Some(asked), Some(method)) => Kind::Request(answer(asked.get(), &method)),
        _ => Kind::Other,
    }
}

/// Parameters of a request that says who asks.
fn with_meta(mut params: Value) -> Value {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": client(),
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    if let Value::Object(params) = &mut params {
        params.insert("_meta".to_owned(), meta);
    }
    params
}

/// Who asks.
pub(super) fn client() -> Value {
    json!({"name": "callgate", "version": env!("CARGO_PKG_VERSION")})
}

/// What a server's own request is answered: nothing but a sign of life.
fn answer(id: &str, method: &str) -> Value {
    // Whatever it is, it goes back as it came.
    let id: Value = serde_json::from_str(id).unwrap_or_default();
    if method == "ping" {
        return json!({"jsonrpc": "2.0", "id": id, "result": {}});
    }
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32601, "message": "callgate only lists tools"}})
}
